//! The memory about the TLS of other domains: policies, the list, what was learned, evidence. In memory, and on a [`Shelf`].
//!
//! | file | what | written | a crash loses | damaged |
//! |---|---|---|---|---|
//! | `required.json` | the operator's entries | with each change, before it is answered | nothing | the server does not start |
//! | `policies.json` | MTA-STS policies | seconds after a change | policies of the last seconds: they are fetched again | begun anew |
//! | `learned.json` | what was seen of each domain | every minute | a minute of counts | begun anew |
//! | `evidence-DAY.json` | sessions of a day | every minute | a minute of counts | begun anew |
//!
//! Every file is replaced as a whole, so after a crash it is the old one or the new one. Everything is bounded ([`crate::limits`]).

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use world::clock::{Clock, UnixMs};
use world::events::Events;

use super::day::Day;
use super::list::learn::Seen;
use super::list::starter::Starter;
use super::list::{self, Entry, Known, Power};
use super::policy::{Listed, ListedBy, Sts, StsHost};
use super::rpt::evidence::{Evidence, Session, Stored};
use super::settings::Settings;
use super::shelf::{self, Shelf};
use super::sts::cache::{Kept, Remembered};
use super::sts::policy::StsMode;
use super::text::shortened;
use crate::events::TlsEvent;
use crate::limits::{EVIDENCE_DAYS, LEARN_DOMAINS, LIST_ENTRIES, STS_DOMAINS};

const REQUIRED: &str = "required.json";
const POLICIES: &str = "policies.json";
const LEARNED: &str = "learned.json";
const EVIDENCE: &str = "evidence-";

/// The memory.
pub struct Book {
    shelf: Arc<dyn Shelf>,
    clock: Arc<dyn Clock>,
    events: Arc<dyn Events>,
    settings: RwLock<Settings>,
    starter: Starter,
    state: Mutex<State>,
    /// one writer of files at a time
    writing: Mutex<()>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<String, Noted>,
    sts: HashMap<String, Remembered>,
    learned: HashMap<String, Seen>,
    today: Day,
    evidence: Evidence,
    /// the day before, until it is written
    over: Option<(Day, Evidence)>,
    /// days on which mail for a required domain was told to wait
    withheld: HashMap<String, Day>,
    unwritten: Unwritten,
}

/// What differs from the shelf.
#[derive(Debug, Clone, Copy, Default)]
struct Unwritten {
    policies: bool,
    learned: bool,
    evidence: bool,
}

/// An entry of the operator, and whose word it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// what
    pub entry: Entry,
    /// when, in milliseconds since 1970
    pub at: u64,
    /// who
    pub by: String,
}

/// A domain that something is said about.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// which
    pub domain: String,
    /// what is done
    pub verdict: Option<list::Verdict>,
    /// the operator's entry; one from the settings has nobody who made it
    pub noted: Option<Noted>,
    /// it stands in the settings
    pub in_settings: bool,
    /// sources of the shipped list
    pub sources: Vec<String>,
    /// what was seen
    pub seen: Option<Seen>,
    /// its MTA-STS policy, if one counts
    pub sts: Option<Kept>,
    /// why it has none, though it says so
    pub trouble: Option<String>,
}

/// Why an entry was not made.
#[derive(Debug)]
pub enum NoEntry {
    /// there are too many
    Full,
    /// the settings name the domain
    InSettings,
    /// nothing says that it must have TLS
    Nothing,
    /// the disk refuses
    Disk(io::Error),
}

impl Book {
    /// Opens what is on the shelf.
    ///
    /// # Errors
    /// In words: the disk refuses, or the operator's entries are damaged: without them mail might go in the clear that must not.
    pub fn open(
        shelf: Arc<dyn Shelf>,
        clock: Arc<dyn Clock>,
        events: Arc<dyn Events>,
        settings: Settings,
    ) -> Result<Arc<Self>, String> {
        let refused =
            |error: io::Error| format!("what is remembered about the TLS of others cannot be read: {error}");
        let entries = match shelf.read(REQUIRED).map_err(refused)? {
            None => BTreeMap::new(),
            Some(content) => shelf::open(&content).ok_or_else(|| {
                format!(
                    "{REQUIRED}, the list of domains that must have TLS, is damaged. Put it back from a copy, or remove it and name the \
                     domains again (hearthpost tls require)"
                )
            })?,
        };
        let mut book = Self {
            shelf,
            clock,
            events,
            settings: RwLock::new(settings),
            starter: Starter::shipped(),
            state: Mutex::default(),
            writing: Mutex::default(),
        };
        let today = book.today();
        let state = State {
            entries,
            sts: book.restore(POLICIES).map_err(refused)?,
            learned: book.restore(LEARNED).map_err(refused)?,
            today,
            evidence: Evidence::restored(book.restore(&file_of(today)).map_err(refused)?),
            ..State::default()
        };
        *book.state.get_mut() = state;
        Ok(Arc::new(book))
    }

    /// What a file holds. A damaged one is put aside.
    fn restore<T: Default + serde::de::DeserializeOwned>(&self, file: &str) -> io::Result<T> {
        let Some(content) = self.shelf.read(file)? else {
            return Ok(T::default());
        };
        if let Some(value) = shelf::open(&content) {
            return Ok(value);
        }
        self.shelf.set_aside(file)?;
        self.events.emit(&TlsEvent::MemoryDamaged {
            file: file.to_owned(),
        });
        Ok(T::default())
    }

    /// Goes by other settings from now on.
    pub fn set(&self, settings: Settings) {
        *self.settings.write() = settings;
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.settings.read().clone()
    }

    /// Whether policies of MTA-STS are looked for.
    pub fn looks_for_policies(&self) -> bool {
        self.settings.read().mta_sts
    }

    /// The day it is.
    pub fn today(&self) -> Day {
        Day::of(self.clock.now())
    }

    /// What the list says of a domain at a host.
    pub fn listed(&self, domain: &str, host: &str) -> Listed {
        let state = self.state.lock();
        self.known(&state, domain, |known| list::listed(known, host))
    }

    fn known<T>(&self, state: &State, domain: &str, tell: impl FnOnce(Known<'_>) -> T) -> T {
        let settings = self.settings.read();
        let by_settings = Entry::Require {
            any_certificate: false,
            hosts: Vec::new(),
        };
        let noted = state.entries.get(domain).map(|noted| &noted.entry);
        let named = settings.required.iter().any(|name| name == domain);
        tell(Known {
            entry: noted.or(named.then_some(&by_settings)),
            shipped: self.starter.power(domain, settings.shipped, self.today()),
            seen: state.learned.get(domain),
            thresholds: &settings.learning,
        })
    }

    /// Does something with what is remembered of a domain's policy.
    pub fn with_policy<T>(&self, domain: &str, work: impl FnOnce(&mut Remembered) -> T) -> T {
        let mut state = self.state.lock();
        let now = self.clock.now();
        if !state.sts.contains_key(domain) && state.sts.len() >= STS_DOMAINS {
            make_room(&mut state.sts, |known| (!known.is_over(now), known.worth(now)));
        }
        let known = state.sts.entry(domain.to_owned()).or_default();
        let before = known.clone();
        let told = work(known);
        if *known == Remembered::default() {
            state.sts.remove(domain);
        } else if *known != before {
            state.unwritten.policies = true;
        }
        told
    }

    /// What MTA-STS says of a domain at a host.
    pub fn sts(&self, domain: &str, host: &str) -> Sts {
        let state = self.state.lock();
        let Some(kept) = state
            .sts
            .get(domain)
            .and_then(|known| known.live(self.clock.now()))
        else {
            return Sts::None;
        };
        let told = StsHost {
            fits: kept.policy.covers(host),
            id: kept.id.clone(),
            patterns: kept.policy.mx.clone().into(),
        };
        match kept.policy.mode {
            StsMode::Enforce => Sts::Enforce(told),
            StsMode::Testing => Sts::Testing(told),
            StsMode::None => Sts::None,
        }
    }

    /// Whether a domain may have a policy that could not be had now.
    pub fn is_unsure(&self, domain: &str) -> bool {
        let now = self.clock.now();
        self.state
            .lock()
            .sts
            .get(domain)
            .is_some_and(|known| known.is_unsure(now))
    }

    /// Domains whose policies are to be fetched anew, with the id that was known, at most so many.
    pub fn to_refresh(&self, most: usize) -> Vec<(String, String)> {
        let now = self.clock.now();
        let state = self.state.lock();
        let due = state.sts.iter().filter(|(_, known)| known.refreshes(now));
        due.filter_map(|(domain, known)| Some((domain.clone(), known.kept.as_ref()?.id.clone())))
            .take(most)
            .collect()
    }

    /// Counts a session.
    pub fn count(&self, session: Session, terms: impl FnOnce() -> super::rpt::evidence::Terms) {
        let mut state = self.state.lock();
        self.turn_the_day(&mut state);
        let (kind, of) = (session.kind, session.policy_domain.clone());
        state.evidence.policy(kind, &of, terms);
        state.evidence.count(session);
        state.unwritten.evidence = true;
    }

    /// A new day begins an empty page. The one before is written with the next round; a clock that was set back changes nothing.
    fn turn_the_day(&self, state: &mut State) {
        let today = self.today();
        if today <= state.today {
            return;
        }
        let over = std::mem::replace(&mut state.today, today);
        let evidence = std::mem::take(&mut state.evidence);
        state.withheld.retain(|_, day| *day == today);
        if std::mem::take(&mut state.unwritten.evidence) {
            state.over = Some((over, evidence));
        }
    }

    /// Learns from a session with a certificate that verified.
    pub fn saw_good(&self, domain: &str, host: &str) {
        let today = self.today();
        let thresholds = self.settings.read().learning;
        let mut state = self.state.lock();
        if thresholds.most == Power::Off {
            return;
        }
        if !state.learned.contains_key(domain) && state.learned.len() >= LEARN_DOMAINS {
            make_room(&mut state.learned, |seen| (seen.required, seen.last));
        }
        let seen = state.learned.entry(domain.to_owned()).or_default();
        let climbed = seen.good(host, today, &thresholds);
        let days = u64::from(seen.good_days);
        state.unwritten.learned = true;
        drop(state);
        if let Some(stage) = climbed {
            let (domain, stage) = (domain.to_owned(), stage.as_str());
            self.events.emit(&TlsEvent::StageReached { domain, stage, days });
        }
    }

    /// Learns from a session without, and tells of it where that matters.
    pub fn saw_bad(&self, domain: &str, host: &str, what: &str) {
        let reason = shortened(what);
        let today = self.today();
        let thresholds = self.settings.read().learning;
        let mut state = self.state.lock();
        let loss = match state.learned.get_mut(domain) {
            Some(seen) => {
                let loss = seen.bad(host, &reason, today, &thresholds);
                state.unwritten.learned = true;
                loss
            }
            None => None,
        };
        let verdict = self.known(&state, domain, list::decide);
        let withheld = verdict.filter(|verdict| verdict.power == Power::Require);
        let warned = loss.map(|loss| loss.after_days).or_else(|| {
            // The shipped list that only warns has no days.
            let only_warns = verdict
                .is_some_and(|verdict| (verdict.power, verdict.by) == (Power::Warn, ListedBy::Shipped));
            only_warns.then_some(0)
        });
        let first_today = (withheld.is_some() || warned.is_some())
            && state.withheld.insert(domain.to_owned(), today) != Some(today);
        drop(state);
        let (domain, host) = (domain.to_owned(), host.to_owned());
        match (withheld, warned) {
            _ if !first_today => {}
            (Some(verdict), _) => {
                let by = by_word(verdict.by);
                self.events.emit(&TlsEvent::Withheld {
                    domain,
                    host,
                    reason,
                    by,
                });
            }
            (None, Some(days)) => {
                let days = u64::from(days);
                self.events.emit(&TlsEvent::Downgraded {
                    domain,
                    host,
                    reason,
                    days,
                });
            }
            (None, None) => {}
        }
    }

    /// Notes the operator's word about a domain; it is on the shelf when this returns.
    ///
    /// # Errors
    /// See [`NoEntry`]; nothing changed.
    pub fn note(&self, domain: &str, entry: Option<Entry>, by: &str) -> Result<(), NoEntry> {
        let one = self.writing.lock();
        let mut entries = self.state.lock().entries.clone();
        match entry {
            None => drop(entries.remove(domain)),
            Some(_) if !self.has_room_for(domain) => return Err(NoEntry::Full),
            Some(entry) => {
                let (at, by) = (self.clock.now().0, by.to_owned());
                entries.insert(domain.to_owned(), Noted { entry, at, by });
            }
        }
        self.shelf
            .write(REQUIRED, &shelf::seal(&entries))
            .map_err(NoEntry::Disk)?;
        self.state.lock().entries = entries;
        drop(one);
        Ok(())
    }

    /// Whether an entry about the domain may be made.
    pub fn has_room_for(&self, domain: &str) -> bool {
        let state = self.state.lock();
        state.entries.contains_key(domain) || state.entries.len() < LIST_ENTRIES
    }

    /// What is to be noted so that a domain need not have TLS any more: `None` takes the entry away.
    ///
    /// # Errors
    /// [`NoEntry::InSettings`], [`NoEntry::Nothing`].
    pub fn to_remove(&self, domain: &str) -> Result<Option<Entry>, NoEntry> {
        let told = self.told(domain);
        if told.in_settings {
            return Err(NoEntry::InSettings);
        }
        let required = matches!(
            told.noted,
            Some(Noted {
                entry: Entry::Require { .. },
                ..
            })
        );
        let others = !told.sources.is_empty() || told.seen.is_some_and(|seen| seen.required);
        match (required, others) {
            (_, true) => Ok(Some(Entry::Exempt)),
            (true, false) => Ok(None),
            (false, false) => Err(NoEntry::Nothing),
        }
    }

    /// All that is known of one domain.
    pub fn told(&self, domain: &str) -> Told {
        let state = self.state.lock();
        self.tell(&state, domain)
    }

    fn tell(&self, state: &State, domain: &str) -> Told {
        let now = self.clock.now();
        let known = state.sts.get(domain);
        Told {
            domain: domain.to_owned(),
            verdict: self.known(state, domain, list::decide),
            noted: state.entries.get(domain).cloned(),
            in_settings: self.settings.read().required.iter().any(|name| name == domain),
            sources: self.sources(domain),
            seen: state.learned.get(domain).cloned(),
            sts: known.and_then(|known| known.live(now)).cloned(),
            trouble: known.and_then(|known| Some(known.trouble.as_ref()?.why.clone())),
        }
    }

    fn sources(&self, domain: &str) -> Vec<String> {
        let line = self.starter.domains.get(domain);
        line.into_iter()
            .flat_map(|line| &line.sources)
            .filter_map(|name| self.starter.sources.get(name).cloned())
            .collect()
    }

    /// When the shipped list was put together.
    pub fn shipped_as_of(&self) -> Day {
        self.starter.as_of
    }

    /// Every domain that the operator, the shipped list or learning says something about, by name, behind `after`, at most so many.
    pub fn all(&self, after: &str, most: usize) -> Vec<Told> {
        let state = self.state.lock();
        let settings = self.settings.read().required.clone();
        let mut names: Vec<&str> = state.entries.keys().map(String::as_str).collect();
        names.extend(settings.iter().map(String::as_str));
        names.extend(self.starter.domains.keys().map(String::as_str));
        names.extend(state.learned.keys().map(String::as_str));
        names.retain(|name| *name > after);
        names.sort_unstable();
        names.dedup();
        let told = names.into_iter().map(|name| self.tell(&state, name));
        told.filter(|told| told.verdict.is_some() || told.noted.is_some())
            .take(most)
            .collect()
    }

    /// The evidence of one day: today's from memory, another's from the shelf.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn evidence(&self, day: Day) -> io::Result<Evidence> {
        {
            let mut state = self.state.lock();
            self.turn_the_day(&mut state);
            if day == state.today {
                return Ok(state.evidence.clone());
            }
            if let Some((_, evidence)) = state.over.as_ref().filter(|(over, _)| *over == day) {
                return Ok(evidence.clone());
            }
        }
        Ok(Evidence::restored(self.restore::<Stored>(&file_of(day))?))
    }

    /// Writes policies, if they changed. May block.
    pub fn save_policies(&self) {
        let one = self.writing.lock();
        let mut state = self.state.lock();
        if !std::mem::take(&mut state.unwritten.policies) {
            return;
        }
        let now = self.clock.now();
        state.sts.retain(|_, known| !known.is_over(now));
        let policies = shelf::seal(&state.sts);
        drop(state);
        if !self.put(POLICIES, &policies) {
            self.state.lock().unwritten.policies = true;
        }
        drop(one);
    }

    /// Writes everything that changed, and removes evidence that is too old. May block.
    pub fn save(&self) {
        self.save_policies();
        let one = self.writing.lock();
        let mut state = self.state.lock();
        self.turn_the_day(&mut state);
        let unwritten = std::mem::take(&mut state.unwritten);
        state.unwritten.policies = unwritten.policies;
        let learned = unwritten.learned.then(|| shelf::seal(&state.learned));
        let evidence = unwritten.evidence.then(|| shelf::seal(&state.evidence.stored()));
        let (today, over) = (state.today, state.over.take());
        drop(state);
        let over_kept = over
            .as_ref()
            .is_none_or(|(day, evidence)| self.put(&file_of(*day), &shelf::seal(&evidence.stored())));
        let learned_kept = learned.is_none_or(|content| self.put(LEARNED, &content));
        let evidence_kept = evidence.is_none_or(|content| self.put(&file_of(today), &content));
        let mut state = self.state.lock();
        state.unwritten.learned |= !learned_kept;
        state.unwritten.evidence |= !evidence_kept;
        if !over_kept && state.over.is_none() {
            state.over = over;
        }
        drop(state);
        self.forget_old_days(today);
        drop(one);
    }

    fn forget_old_days(&self, today: Day) {
        for name in self.shelf.names().unwrap_or_default() {
            let day = name
                .strip_prefix(EVIDENCE)
                .and_then(|rest| Day::parse(rest.get(..10)?));
            if day.is_some_and(|day| today.since(day) >= EVIDENCE_DAYS) {
                let _ = self.shelf.remove(&name); // the next round tries again
            }
        }
    }

    fn put(&self, file: &str, content: &[u8]) -> bool {
        match self.shelf.write(file, content) {
            Ok(()) => true,
            Err(error) => {
                let (file, reason) = (file.to_owned(), error.to_string());
                self.events.emit(&TlsEvent::MemoryRefused { file, reason });
                false
            }
        }
    }

    /// The moment it is.
    pub fn now(&self) -> UnixMs {
        self.clock.now()
    }

    /// The log.
    pub fn tell_log(&self, event: &TlsEvent) {
        self.events.emit(event);
    }
}

/// Who put a domain on the list, in one word.
pub fn by_word(by: ListedBy) -> &'static str {
    match by {
        ListedBy::Operator => "operator",
        ListedBy::Shipped => "shipped",
        ListedBy::Learned => "learned",
    }
}

fn file_of(day: Day) -> String {
    format!("{EVIDENCE}{day}.json")
}

/// Removes a tenth, those of least worth: sorting then costs little for each that comes.
fn make_room<T, W: Ord>(all: &mut HashMap<String, T>, worth: impl Fn(&T) -> W) {
    let mut order: Vec<(W, String)> = all.iter().map(|(name, one)| (worth(one), name.clone())).collect();
    order.sort_unstable();
    for (_, name) in order.into_iter().take(all.len().div_ceil(10)) {
        all.remove(&name);
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
