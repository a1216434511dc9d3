//! The keys that sign mail (DKIM): made here, kept here, changed while mail is on its way.
//!
//! 1. [`Keys::open`] reads what is kept ([`shelf`]); [`Keys::provide`] makes a pair for every domain for which nothing signs or may come to sign ([`make`]).
//! 2. [`watch`] asks DNS again and again whether the records are there; [`round`] moves every key on by the rules of [`life`].
//! 3. What signs now is handed to the queue's [`queue::Signer`], which gives no key out again.
//! 4. [`orders`] is what an operator may wish: other keys, an end, signing at once.
//!
//! A step is written down before anybody goes by it: first the list of keys, then the history. A crash between the two leaves a step that
//! the history lacks. Keys that the settings name (`dkim.keys`) come first: a domain that has one gets no keys made, and those it had retire.

mod entry;
mod events;
mod life;
mod make;
mod orders;
mod round;
mod shelf;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use directory::Directory;
use msgauth::dkim::sign::SigningKey;
use parking_lot::Mutex;
use queue::Queue;
use store::contract::{Batch, Op, Urgency};
use tokio::sync::{Mutex as AsyncMutex, Notify};
use world::chance::Chance;

pub use entry::Entry;
pub use life::{Seen, Stage};
pub use orders::{Unfulfilled, not_ours};
pub use watch::watch;

use crate::control::history::{By, Record};
use crate::exit::Outcome;
use crate::limits::{DKIM_BATCH_DOMAINS, DKIM_KEEP};
use events::DkimEvent;
use life::Order;
use round::{Known, Step};
use shelf::Shelf;

/// All keys of ours.
pub struct Keys {
    shelf: Shelf,
    directory: Arc<Directory>,
    queue: Arc<Queue>,
    chance: Arc<dyn Chance>,
    /// what is kept; one change at a time
    state: AsyncMutex<Vec<Entry>>,
    /// keys of the settings
    named: Mutex<Vec<Arc<SigningKey>>>,
    /// how old a key may get before others are made
    rotate_every: Mutex<Option<Duration>>,
    /// a domain was added, or the settings changed
    wake: Notify,
}

impl Keys {
    /// Reads the keys in a data directory, which is ours, and has those sign that should.
    ///
    /// # Errors
    /// What is kept cannot be read.
    pub fn open(
        data: &Path,
        directory: Arc<Directory>,
        queue: Arc<Queue>,
        chance: Arc<dyn Chance>,
    ) -> Outcome<Arc<Self>> {
        let shelf = Shelf::of(data);
        let entries = shelf.read()?;
        for entry in entries
            .iter()
            .filter(|entry| entry.stage.needs_key() && entry.key.is_none())
        {
            queue.events.emit(&DkimEvent::Failed {
                name: entry.name(),
                reason: "its private key is lost or damaged, so it does not sign (a damaged file is kept in dkim/ of the data directory, its name \
                         ends in .damaged). What to do now: hearthpost dkim list"
                    .to_owned(),
            });
        }
        let keys = Self {
            shelf,
            directory,
            queue,
            chance,
            state: AsyncMutex::new(Vec::new()),
            named: Mutex::default(),
            rotate_every: Mutex::default(),
            wake: Notify::new(),
        };
        keys.have_sign(&entries);
        Ok(Arc::new(Self {
            state: AsyncMutex::new(entries),
            ..keys
        }))
    }

    /// What the settings say: their own keys, and how often ours are changed.
    pub async fn follow(&self, named: Vec<SigningKey>, rotate_every: Option<Duration>) {
        *self.named.lock() = named.into_iter().map(Arc::new).collect();
        *self.rotate_every.lock() = rotate_every;
        self.have_sign(&self.state.lock().await);
        self.wake.notify_one();
    }

    /// Makes keys for the domains for which none signs or may come to sign, unless an operator wished it so ([`entry::lacks_keys`]): all, or
    /// this one. Problems are told to the log: mail is taken without keys too.
    pub async fn provide(&self, only: Option<&str>, by: &By) {
        let domains = self.directory.domains().into_iter().map(|domain| domain.name);
        let domains: Vec<String> = domains
            .filter(|name| only.is_none_or(|only| only.eq_ignore_ascii_case(name)))
            .filter(|name| !self.is_named(name))
            .collect();
        loop {
            // Making keys takes its time: others have their turn between two batches.
            let mut state = self.state.lock().await;
            let some: Vec<String> = {
                let known = by_domain(&state);
                let lacks =
                    |name: &&String| entry::lacks_keys(known.get(name.as_str()).map_or(&[], Vec::as_slice));
                let missing = domains.iter().filter(lacks);
                missing.take(DKIM_BATCH_DOMAINS).cloned().collect()
            };
            if some.is_empty() {
                return;
            }
            if let Err(reason) = self.make(&mut state, &some, by).await {
                let name = some.join(" ");
                self.queue.events.emit(&DkimEvent::Failed { name, reason });
                return;
            }
        }
    }

    /// All keys, oldest first.
    pub async fn all(&self) -> Vec<Entry> {
        self.state.lock().await.clone()
    }

    /// The keys of the settings: where their records are, and what those must say.
    pub fn named(&self) -> Vec<(String, String, String)> {
        let named = self.named.lock();
        let told = named
            .iter()
            .map(|key| (key.domain().to_owned(), key.record_name(), key.record()));
        told.collect()
    }

    /// The domains of ours that had keys, and for which nothing signs or may come to sign now.
    pub async fn silent(&self) -> BTreeSet<String> {
        let state = self.state.lock().await;
        let silent = by_domain(&state)
            .into_iter()
            .filter(|(domain, of_it)| self.may_sign_for(domain) && entry::nothing_signs(of_it));
        silent.map(|(domain, _)| domain.to_owned()).collect()
    }

    fn is_named(&self, domain: &str) -> bool {
        self.named.lock().iter().any(|key| key.domain() == domain)
    }

    /// Makes a pair for each, and writes them down.
    async fn make(&self, state: &mut Vec<Entry>, domains: &[String], by: &By) -> Result<(), String> {
        let known = state.len();
        if let Err(reason) = self.make_and_keep(state, domains).await {
            // It is tried again every minute: what nobody named must not pile up.
            self.shelf.remove_unnamed(state);
            return Err(reason);
        }
        let made = &state[known..];
        let told: Vec<(String, Stage)> = made.iter().map(|entry| (entry.name(), entry.stage)).collect();
        let records = told
            .iter()
            .map(|(name, stage)| record(by, name, None, Some(*stage)));
        self.note(records.collect()).await;
        for (name, _) in told {
            self.queue.events.emit(&DkimEvent::Made { name });
        }
        Ok(())
    }

    async fn make_and_keep(&self, state: &mut Vec<Entry>, domains: &[String]) -> Result<(), String> {
        let (shelf, chance, now) = (self.shelf.clone(), self.chance.clone(), self.queue.clock.now());
        let names = domains.to_vec();
        let made = tokio::task::spawn_blocking(move || make::pairs(&shelf, &*chance, now, &names)).await;
        let made = made.map_err(|_| "they could not be made. Look at the log".to_owned())??;
        let mut entries = state.clone();
        entries.extend(made);
        self.keep(&entries).await?;
        *state = entries;
        Ok(())
    }

    /// Moves all keys on, by what DNS shows or an operator wishes.
    async fn advance(
        &self,
        state: &mut Vec<Entry>,
        seen: &BTreeMap<String, Seen>,
        (order, by): (Option<(&str, Order)>, &By),
    ) -> Result<Vec<Step>, String> {
        let give_up = self.queue.schedule().give_up;
        let now_ms = self.queue.clock.now().0;
        let known = Known {
            now_ms,
            seen,
            wanted: &|domain| self.may_sign_for(domain),
            keep: DKIM_KEEP.max(give_up + Duration::from_secs(86_400)),
            order,
        };
        let mut entries = state.clone();
        let steps = round::advance(&mut entries, &known);
        for entry in &mut entries {
            if seen.contains_key(&entry.name()) {
                entry.looked_ms = Some(now_ms);
            }
        }
        if steps.is_empty() {
            *state = entries;
            return Ok(steps);
        }
        for entry in entries.iter_mut().filter(|entry| !entry.stage.needs_key()) {
            entry.key = None;
        }
        self.keep(&entries).await?;
        let spent = state.iter().filter(|old| {
            let same = |new: &&Entry| new.selector == old.selector;
            !entries.iter().find(same).is_some_and(|new| new.stage.needs_key())
        });
        self.shelf.drop_keys(spent.map(|old| old.selector.as_str()));
        *state = entries;
        self.have_sign(state);
        let moved = steps.iter().filter(|step| step.moved());
        let records = moved.map(|step| record(by, &step.name, Some(step.before), step.after));
        self.note(records.collect()).await;
        for event in steps.iter().filter_map(Step::event) {
            self.queue.events.emit(&event);
        }
        Ok(steps)
    }

    fn may_sign_for(&self, domain: &str) -> bool {
        let ours = mail::address::Domain::parse(domain);
        ours.is_ok_and(|domain| self.directory.is_local_domain(&domain)) && !self.is_named(domain)
    }

    /// The list is durable when this returns.
    async fn keep(&self, entries: &[Entry]) -> Result<(), String> {
        let (shelf, entries) = (self.shelf.clone(), entries.to_vec());
        let written = tokio::task::spawn_blocking(move || shelf.write(&entries)).await;
        let written = written.map_err(|_| "they could not be written down. Look at the log".to_owned())?;
        written.map_err(|error| format!("the list of keys cannot be written: {error}"))
    }

    /// Hands on what signs now: the keys of the settings, and for other domains ours that may.
    fn have_sign(&self, entries: &[Entry]) {
        let mut keys = self.named.lock().clone();
        let signing = entries
            .iter()
            .filter(|entry| matches!(entry.stage, Stage::Signing { .. }) && !self.is_named(&entry.domain));
        keys.extend(signing.filter_map(|entry| entry.key.clone()));
        self.queue.signer.put(keys);
    }

    /// Into the history. A store that cannot write has told its own trouble; the step holds all the same.
    async fn note(&self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let op = |record: Record| Op::Audit {
            text: serde_json::to_string(&record).expect("plain values are always JSON"),
        };
        let batch = Batch {
            urgency: Urgency::Lazy,
            ops: records.into_iter().map(op).collect(),
        };
        if let Err(error) = self.queue.store.commit(batch).await {
            self.queue.events.emit(&DkimEvent::Failed {
                name: "all domains".to_owned(),
                reason: format!("a step could not be written into the history: {error}"),
            });
        }
    }
}

/// In the order in which they were made.
fn by_domain(entries: &[Entry]) -> BTreeMap<&str, Vec<&Entry>> {
    let mut by_domain = BTreeMap::<&str, Vec<&Entry>>::new();
    for entry in entries {
        by_domain.entry(&entry.domain).or_default().push(entry);
    }
    by_domain
}

impl Step {
    /// Whether the key stands elsewhere, and not only its record came or went.
    fn moved(&self) -> bool {
        self.after.map(Stage::word) != Some(self.before.word())
    }

    fn event(&self) -> Option<DkimEvent> {
        let name = self.name.clone();
        if self.moved() {
            let state = self.after.map_or("gone", Stage::word);
            return Some(DkimEvent::Moved { name, state });
        }
        match self.after? {
            Stage::Signing { lost_ms: Some(_), .. } => Some(DkimEvent::RecordLost {
                name,
                other: self.seen == Seen::Wrong,
            }),
            Stage::Signing { lost_ms: None, .. } => Some(DkimEvent::RecordBack { name }),
            _ => None,
        }
    }
}

fn record(by: &By, name: &str, before: Option<Stage>, after: Option<Stage>) -> Record {
    let state = |stage: Stage| serde_json::json!({ "state": stage.word() });
    Record {
        by: by.text().to_owned(),
        noun: "dkim".to_owned(),
        verb: match (before, after) {
            (None, _) => "added",
            (Some(_), Some(_)) => "set",
            (Some(_), None) => "removed",
        }
        .to_owned(),
        name: name.to_owned(),
        before: before.map(state),
        after: after.map(state),
        ..Record::default()
    }
}
