//! The memory about the TLS of other domains: policies, the list, what was learned, evidence. In memory, and on a [`Shelf`].
//!
//! | file | what | written | a crash loses | damaged |
//! |---|---|---|---|---|
//! | `required.json` | the operator's entries | with each change, before it is answered | nothing | the server does not start |
//! | `policies.json` | MTA-STS policies | seconds after another policy came, moments every minute | policies of the last seconds: they are fetched again | begun anew |
//! | `learned.json` | what was seen of each domain | every minute | a minute of counts | begun anew |
//! | `evidence-DAY.json` | sessions of a day | every minute | a minute of counts | begun anew |
//!
//! Every file is replaced as a whole, so after a crash it is the old one or the new one. Everything is bounded ([`crate::limits`]).
//! What is written is made of a copy: deliveries wait neither for the making nor for the disk.
//!
//! Policies, the list and what was learned grow old by the time of [`Timeline`], which is slow to believe a clock that jumps. Pages of
//! evidence have the day that the clock shows, because reports are about days of the calendar; only a clock that cannot be right is not
//! asked. While it is in doubt no page is removed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use world::clock::{Clock, Monotonic, UnixMs};
use world::events::Events;

use super::day::Day;
use super::list::learn::Seen;
use super::list::starter::Starter;
use super::list::{self, Entry, Known, Power};
use super::policy::{Listed, ListedBy, Sts, StsHost};
use super::rpt::evidence::{Evidence, Session, Stored};
use super::rpt::pages;
use super::settings::Settings;
use super::shelf::{self, Shelf};
use super::sts::cache::{Kept, Remembered, Trouble};
use super::sts::memory::{Change, Memory};
use super::sts::policy::StsMode;
use super::text::shortened;
use super::timeline::Timeline;
use crate::events::TlsEvent;
use crate::limits::{CLOCK_FLOOR_MS, EVIDENCE_DAYS_UNWRITTEN, LEARN_DOMAINS, LIST_ENTRIES, REFUSED_AGAIN};

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
    /// files that the disk refused, and when that was told last
    refused: Mutex<BTreeMap<String, Monotonic>>,
}

struct State {
    timeline: Timeline,
    entries: BTreeMap<String, Noted>,
    sts: Memory,
    learned: HashMap<String, Seen>,
    page: Page,
    /// pages of other days, until they are written
    over: Vec<Page>,
    withheld: Withheld,
    unwritten: Unwritten,
}

/// Domains that were told of on a day because mail for them waits, or goes with less than it did.
#[derive(Default)]
struct Withheld {
    day: Day,
    domains: HashSet<String>,
}

/// The evidence of a day.
#[derive(Debug, Clone, Default)]
struct Page {
    day: Day,
    evidence: Evidence,
    /// Nothing that the shelf has of the day is missing here. A page is begun without a look at the disk, because that may block.
    whole: bool,
}

/// What differs from the shelf.
#[derive(Debug, Clone, Copy, Default)]
struct Unwritten {
    policies: bool,
    /// and they are worth writing within seconds
    soon: bool,
    learned: bool,
    evidence: bool,
}

/// A copy of what is to be written.
struct Unsaved {
    learned: Option<HashMap<String, Seen>>,
    today: Option<Page>,
    over: Vec<Page>,
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
        let sts: HashMap<String, Remembered> = restore(&*shelf, &*events, POLICIES).map_err(refused)?;
        let learned: HashMap<String, Seen> = restore(&*shelf, &*events, LEARNED).map_err(refused)?;
        let mut timeline = Timeline::begin(latest(&sts, &learned), clock.now(), clock.monotonic());
        let (now, _) = timeline.look(clock.now(), clock.monotonic());
        let today = page_day(clock.now(), now);
        let page = restore(&*shelf, &*events, &file_of(today)).map_err(refused)?;
        let state = State {
            timeline,
            entries,
            sts: Memory::restored(sts, now),
            learned,
            page: Page {
                day: today,
                evidence: Evidence::restored(page),
                whole: true,
            },
            over: Vec::new(),
            withheld: Withheld::default(),
            unwritten: Unwritten::default(),
        };
        Ok(Arc::new(Self {
            shelf,
            clock,
            events,
            settings: RwLock::new(settings),
            starter: Starter::shipped(),
            state: Mutex::new(state),
            writing: Mutex::default(),
            refused: Mutex::default(),
        }))
    }

    /// What a file holds. A damaged one is put aside.
    fn restore<T: Default + serde::de::DeserializeOwned>(&self, file: &str) -> io::Result<T> {
        restore(&*self.shelf, &*self.events, file)
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

    /// The day it is, by which evidence is kept.
    pub fn today(&self) -> Day {
        self.day_of_pages(&mut self.state.lock())
    }

    fn day_of_pages(&self, state: &mut State) -> Day {
        page_day(self.clock.now(), self.moment(state))
    }

    /// The time that counts. Where it was moved, what was noted moves with it.
    fn moment(&self, state: &mut State) -> UnixMs {
        let (now, moved) = state.timeline.look(self.clock.now(), self.clock.monotonic());
        if let Some(moved) = moved {
            state.sts.moved(&moved);
            state.unwritten.policies = true;
        }
        now
    }

    /// What the list says of a domain at a host.
    pub fn listed(&self, domain: &str, host: &str) -> Listed {
        let mut state = self.state.lock();
        let now = self.moment(&mut state);
        self.known(&state, domain, now, |known| list::listed(known, host))
    }

    fn known<T>(&self, state: &State, domain: &str, now: UnixMs, tell: impl FnOnce(Known<'_>) -> T) -> T {
        let settings = self.settings.read();
        let by_settings = Entry::Require {
            any_certificate: false,
            hosts: Vec::new(),
        };
        let noted = state.entries.get(domain).map(|noted| &noted.entry);
        let named = settings.required.iter().any(|name| name == domain);
        tell(Known {
            entry: noted.or(named.then_some(&by_settings)),
            shipped: self.starter.power(domain, settings.shipped, Day::of(now)),
            seen: state.learned.get(domain),
            thresholds: &settings.learning,
        })
    }

    /// Does something with what is remembered of a domain's policy, at the time that counts. The memory is locked meanwhile.
    pub fn with_policy<T>(&self, domain: &str, work: impl FnOnce(&mut Remembered, UnixMs) -> T) -> T {
        let mut state = self.state.lock();
        let now = self.moment(&mut state);
        let (told, change) = state.sts.change(domain, now, |known| work(known, now));
        state.unwritten.policies |= change != Change::Nothing;
        state.unwritten.soon |= change == Change::Policy;
        told
    }

    /// Mail went as the domain's `enforce` policy asks.
    pub fn saw_kept_to(&self, domain: &str) {
        self.with_policy(domain, Remembered::proved);
    }

    /// Why there is no policy of a domain that says it has one.
    pub fn trouble(&self, domain: &str) -> Option<Trouble> {
        let state = self.state.lock();
        state.sts.get(domain)?.announced_trouble().cloned()
    }

    /// What MTA-STS says of a domain at a host.
    pub fn sts(&self, domain: &str, host: &str) -> Sts {
        self.sts_of(domain, &[host]).pop().unwrap_or_default()
    }

    /// The same at each of its hosts. They share the policy's patterns: a stranger's may be long.
    pub fn sts_of(&self, domain: &str, hosts: &[impl AsRef<str>]) -> Vec<Sts> {
        let mut state = self.state.lock();
        let now = self.moment(&mut state);
        let known = state.sts.get(domain);
        let Some(kept) = known.and_then(|known| known.live(now)) else {
            let awaited = known.is_some_and(|known| known.is_awaited(now));
            return vec![if awaited { Sts::Awaited } else { Sts::None }; hosts.len()];
        };
        let patterns: Arc<[String]> = kept.policy.mx.clone().into();
        let told = |host: &str| StsHost {
            fits: kept.policy.covers(host),
            id: kept.id.clone(),
            patterns: patterns.clone(),
        };
        let said = |host: &str| match kept.policy.mode {
            StsMode::Enforce => Sts::Enforce(told(host)),
            StsMode::Testing => Sts::Testing(told(host)),
            StsMode::None => Sts::None,
        };
        hosts.iter().map(|host| said(host.as_ref())).collect()
    }

    /// Whether a domain may have a policy that could not be had now.
    pub fn is_unsure(&self, domain: &str) -> bool {
        let mut state = self.state.lock();
        let now = self.moment(&mut state);
        let known = state.sts.get(domain);
        known.is_some_and(|known| known.is_unsure(now))
    }

    /// Domains whose policies are to be fetched anew, with the id that was known, at most so many. Those that were tried longest ago come
    /// first: strangers whose policies last for minutes would else take every place, until the others' are over.
    pub fn to_refresh(&self, most: usize) -> Vec<(String, String)> {
        let mut state = self.state.lock();
        let now = self.moment(&mut state);
        let due = state.sts.iter().filter(|(_, known)| known.refreshes(now));
        let mut due: Vec<_> = due
            .filter_map(|(domain, known)| Some((known.tried_at(), domain, &known.kept.as_ref()?.id)))
            .collect();
        due.sort_unstable();
        due.into_iter()
            .take(most)
            .map(|(_, domain, id)| (domain.to_owned(), id.clone()))
            .collect()
    }

    /// Counts a session.
    pub fn count(&self, session: Session, terms: impl FnOnce() -> super::rpt::evidence::Terms) {
        let mut state = self.state.lock();
        self.turn_the_day(&mut state);
        let (kind, of) = (session.kind, session.policy_domain.clone());
        state.page.evidence.policy(kind, &of, terms);
        state.page.evidence.count(session);
        state.unwritten.evidence = true;
    }

    /// Another day begins another page; the one before is written with the next round. A clock that was set back by a few hours changes
    /// nothing; one that had run ahead by more than a day goes back to the page of the day that it is.
    fn turn_the_day(&self, state: &mut State) {
        let today = self.day_of_pages(state);
        if today == state.page.day || (today < state.page.day && state.page.day.since(today) <= 1) {
            return;
        }
        let begun = Page {
            day: today,
            ..Page::default()
        };
        let before = std::mem::replace(&mut state.page, begun);
        if std::mem::take(&mut state.unwritten.evidence) {
            add_page(&mut state.over, before);
        }
        if let Some(at) = state.over.iter().position(|page| page.day == today) {
            state.page = state.over.remove(at);
            state.unwritten.evidence = true;
        }
    }

    /// Makes today's page whole. May block.
    fn catch_up(&self) -> io::Result<()> {
        let begun = {
            let mut state = self.state.lock();
            self.turn_the_day(&mut state);
            if state.page.whole {
                return Ok(());
            }
            state.page.day
        };
        let before = Evidence::restored(self.restore::<Stored>(&file_of(begun))?);
        let mut state = self.state.lock();
        let page = &mut state.page;
        if page.day == begun && !page.whole {
            page.evidence.add(before);
            page.whole = true;
        }
        Ok(())
    }

    /// A page with all that the shelf has of its day.
    fn whole(&self, mut page: Page) -> io::Result<Page> {
        if !page.whole {
            let before = self.restore::<Stored>(&file_of(page.day))?;
            page.evidence.add(Evidence::restored(before));
            page.whole = true;
        }
        Ok(page)
    }

    /// Learns from a session with a certificate that verified.
    pub fn saw_good(&self, domain: &str, host: &str) {
        let thresholds = self.settings.read().learning;
        let mut state = self.state.lock();
        let today = Day::of(self.moment(&mut state));
        if thresholds.most == Power::Off {
            return;
        }
        if !state.learned.contains_key(domain) && state.learned.len() >= LEARN_DOMAINS {
            make_room(&mut state.learned, |seen| {
                (seen.required, seen.stage(&thresholds), seen.last)
            });
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
        let thresholds = self.settings.read().learning;
        let mut state = self.state.lock();
        let now = self.moment(&mut state);
        let today = Day::of(now);
        let loss = match state.learned.get_mut(domain) {
            Some(seen) => {
                let loss = seen.bad(host, &reason, today, &thresholds);
                state.unwritten.learned = true;
                loss
            }
            None => None,
        };
        let verdict = self.known(&state, domain, now, list::decide);
        let withheld = verdict.filter(|verdict| verdict.power == Power::Require);
        let warned = loss.map(|loss| loss.after_days).or_else(|| {
            // The shipped list that only warns has no days.
            let only_warns = verdict
                .is_some_and(|verdict| (verdict.power, verdict.by) == (Power::Warn, ListedBy::Shipped));
            only_warns.then_some(0)
        });
        let first_today = (withheld.is_some() || warned.is_some()) && state.withheld.is_first(domain, today);
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
        let others = !told.sources.is_empty() || told.seen.is_some_and(|seen| seen.required);
        match (told.noted.map(|noted| noted.entry), others) {
            (Some(Entry::Exempt), _) | (None, false) => Err(NoEntry::Nothing),
            (Some(Entry::Require { .. }), false) => Ok(None),
            (_, true) => Ok(Some(Entry::Exempt)),
        }
    }

    /// All that is known of one domain.
    pub fn told(&self, domain: &str) -> Told {
        let mut state = self.state.lock();
        let now = self.moment(&mut state);
        self.tell(&state, domain, now)
    }

    fn tell(&self, state: &State, domain: &str, now: UnixMs) -> Told {
        let known = state.sts.get(domain);
        Told {
            domain: domain.to_owned(),
            verdict: self.known(state, domain, now, list::decide),
            noted: state.entries.get(domain).cloned(),
            in_settings: self.settings.read().required.iter().any(|name| name == domain),
            sources: self.sources(domain),
            seen: state.learned.get(domain).cloned(),
            sts: known.and_then(|known| known.live(now)).cloned(),
            trouble: known.and_then(|known| Some(known.announced_trouble()?.why.clone())),
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
        let mut state = self.state.lock();
        let now = self.moment(&mut state);
        let settings = self.settings.read().required.clone();
        let mut names: Vec<&str> = state.entries.keys().map(String::as_str).collect();
        names.extend(settings.iter().map(String::as_str));
        names.extend(self.starter.domains.keys().map(String::as_str));
        names.extend(state.learned.keys().map(String::as_str));
        names.retain(|name| *name > after);
        names.sort_unstable();
        names.dedup();
        let told = names.into_iter().map(|name| self.tell(&state, name, now));
        told.filter(|told| told.verdict.is_some() || told.noted.is_some())
            .take(most)
            .collect()
    }

    /// The evidence of one day: today's from memory, another's from the shelf.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn evidence(&self, day: Day) -> io::Result<Evidence> {
        // Pages that are being written are neither in memory nor on the shelf.
        let _nobody_writes = self.writing.lock();
        self.catch_up()?;
        let unwritten = {
            let state = self.state.lock();
            let mut pages = [&state.page].into_iter().chain(&state.over);
            pages.find(|page| page.day == day).cloned()
        };
        match unwritten {
            Some(page) => Ok(self.whole(page)?.evidence),
            None => Ok(Evidence::restored(self.restore::<Stored>(&file_of(day))?)),
        }
    }

    /// Whether there are other policies than those that were written. A moment that was noted can wait for a round.
    pub fn has_other_policies(&self) -> bool {
        self.state.lock().unwritten.soon
    }

    /// Writes policies, if they changed. May block.
    pub fn save_policies(&self) {
        let one = self.writing.lock();
        let policies = {
            let mut state = self.state.lock();
            if !std::mem::take(&mut state.unwritten.policies) {
                return;
            }
            state.unwritten.soon = false;
            state.sts.snapshot()
        };
        if !self.put(POLICIES, &shelf::seal(&policies)) {
            let unwritten = &mut self.state.lock().unwritten;
            (unwritten.policies, unwritten.soon) = (true, true);
        }
        drop(one);
    }

    /// Writes everything that changed, and removes evidence that is too old. May block.
    pub fn save(&self) {
        self.save_policies();
        let one = self.writing.lock();
        if let Err(error) = self.catch_up() {
            self.refused(&file_of(self.today()), &error);
        }
        let unsaved = self.take_unsaved();
        let learned_kept = unsaved
            .learned
            .is_none_or(|learned| self.put(LEARNED, &shelf::seal(&learned)));
        let today_refused = unsaved.today.filter(|page| !self.put_page(page));
        let mut over = unsaved.over;
        over.retain(|page| !self.put_page(page));
        let mut state = self.state.lock();
        state.unwritten.learned |= !learned_kept;
        for page in over {
            add_page(&mut state.over, page);
        }
        if let Some(page) = today_refused {
            keep_refused(&mut state, page);
        }
        drop(state);
        self.forget_old_days();
        drop(one);
    }

    /// A copy of what is to be written. A page of today that is not whole waits for another round: what is counted in it meanwhile would
    /// else be added to what it was written with.
    fn take_unsaved(&self) -> Unsaved {
        let mut state = self.state.lock();
        let mut unwritten = std::mem::take(&mut state.unwritten);
        (state.unwritten.policies, state.unwritten.soon) = (unwritten.policies, unwritten.soon);
        if !state.page.whole {
            state.unwritten.evidence = std::mem::take(&mut unwritten.evidence);
        }
        Unsaved {
            learned: unwritten.learned.then(|| state.learned.clone()),
            today: unwritten.evidence.then(|| state.page.clone()),
            over: std::mem::take(&mut state.over),
        }
    }

    fn put_page(&self, page: &Page) -> bool {
        let file = file_of(page.day);
        match self.whole(page.clone()) {
            Ok(page) => self.put(&file, &shelf::seal(&page.evidence.stored())),
            Err(error) => {
                self.refused(&file, &error);
                false
            }
        }
    }

    fn forget_old_days(&self) {
        let today = {
            let mut state = self.state.lock();
            let today = self.day_of_pages(&mut state);
            if state.timeline.is_in_doubt() {
                return;
            }
            today
        };
        let names = self.shelf.names().unwrap_or_default();
        let days = names.iter().filter_map(|name| day_of(name)).collect();
        let gone = pages::to_remove(days, today);
        let old = |name: &&String| day_of(name).is_some_and(|day| gone.contains(&day));
        for name in names.iter().filter(old) {
            let _ = self.shelf.remove(name); // the next round tries again
        }
    }

    fn put(&self, file: &str, content: &[u8]) -> bool {
        match self.shelf.write(file, content) {
            Ok(()) => {
                if self.refused.lock().remove(file).is_some() {
                    let file = file.to_owned();
                    self.events.emit(&TlsEvent::MemoryTaken { file });
                }
                true
            }
            Err(error) => {
                self.refused(file, &error);
                false
            }
        }
    }

    /// Tells of it at once, and then once an hour: it is tried every few seconds, on a disk that may be full because of its log.
    fn refused(&self, file: &str, error: &io::Error) {
        let now = self.clock.monotonic();
        let mut refused = self.refused.lock();
        let told = refused.get(file).copied();
        if told.is_some_and(|told| now.0.saturating_sub(told.0) < REFUSED_AGAIN) {
            return;
        }
        refused.insert(file.to_owned(), now);
        drop(refused);
        let (file, reason) = (file.to_owned(), error.to_string());
        self.events.emit(&TlsEvent::MemoryRefused { file, reason });
    }

    /// The time by which policies grow old.
    pub fn now(&self) -> UnixMs {
        self.moment(&mut self.state.lock())
    }

    /// The log.
    pub fn tell_log(&self, event: &TlsEvent) {
        self.events.emit(event);
    }
}

impl Withheld {
    /// Whether a domain was not told of yet on this day.
    fn is_first(&mut self, domain: &str, today: Day) -> bool {
        if self.day != today {
            (self.day, self.domains) = (today, HashSet::new());
        }
        self.domains.insert(domain.to_owned())
    }
}

/// What a file holds. A damaged one is put aside.
fn restore<T: Default + serde::de::DeserializeOwned>(
    shelf: &dyn Shelf,
    events: &dyn Events,
    file: &str,
) -> io::Result<T> {
    let Some(content) = shelf.read(file)? else {
        return Ok(T::default());
    };
    if let Some(value) = shelf::open(&content) {
        return Ok(value);
    }
    shelf.set_aside(file)?;
    events.emit(&TlsEvent::MemoryDamaged {
        file: file.to_owned(),
    });
    Ok(T::default())
}

/// The latest moment that was noted.
fn latest(sts: &HashMap<String, Remembered>, learned: &HashMap<String, Seen>) -> UnixMs {
    let policies = sts.values().map(Remembered::latest);
    let days = learned.values().map(|seen| seen.last.begins().0);
    UnixMs(policies.chain(days).max().unwrap_or(0))
}

/// The day of a page: what the clock shows, unless that cannot be.
fn page_day(wall: UnixMs, counts: UnixMs) -> Day {
    Day::of(if wall.0 < CLOCK_FLOOR_MS { counts } else { wall })
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

/// Puts a page to those that wait to be written. Where the disk refuses for days the oldest are lost.
fn add_page(over: &mut Vec<Page>, page: Page) {
    match over.iter_mut().find(|other| other.day == page.day) {
        Some(same) => {
            same.evidence.add(page.evidence);
            same.whole |= page.whole;
        }
        None => over.push(page),
    }
    over.sort_by_key(|page| page.day);
    let most = over.len().saturating_sub(EVIDENCE_DAYS_UNWRITTEN);
    over.drain(..most);
}

/// Keeps today's page, which the disk refused: it is still in memory, unless its day ended while it was written and nothing came after the
/// copy was made.
fn keep_refused(state: &mut State, page: Page) {
    if state.page.day == page.day {
        state.unwritten.evidence = true;
    } else if state.over.iter().all(|other| other.day != page.day) {
        add_page(&mut state.over, page);
    }
}

/// The day of a page, by its name. One that was put aside as damaged goes as its day does.
fn day_of(file: &str) -> Option<Day> {
    Day::parse(file.strip_prefix(EVIDENCE)?.get(..10)?)
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
