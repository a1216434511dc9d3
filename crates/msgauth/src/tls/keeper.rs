//! Answers for the TLS of other domains while the server runs: finds policies before mail is sent, and notes how it went.
//!
//! 1. [`Keeper::of`] asks DNS for a domain's record and fetches its policy where that is due, one at a time for each domain;
//! 2. [`Keeper::attempted`] counts each attempt as evidence, and learns from it ([`session_of`], [`lesson`]: pure);
//! 3. [`Keeper::run`] writes what changed and fetches policies anew in good time.
//!
//! Bounded: 15 s for DNS, a minute for a place among those who fetch, a minute for fetching. A web server that takes its time gives its
//! place up after ten seconds, so that strangers with slow ones do not keep others from being asked; and a fetch that found no place counts
//! against nobody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use world::clock::{BoxFuture, Monotonic};
use world::dns::RecordType;

use super::attempt::{PolicyKind, ResultType, TlsAttempt, Went};
use super::book::Book;
use super::policy::{Demand, Reason, Sts};
use super::rpt::evidence::{Grade, Session, Terms};
use super::sts::cache::{Remembered, Trouble};
use super::sts::fetch::{self, Doors, FetchError, Place};
use super::sts::policy::StsPolicy;
use super::sts::record::{self, NoRecord, StsRecord};
use super::{DomainPolicies, OfDomain};
use crate::desk::{Desk, Reply};
use crate::events::TlsEvent;
use crate::limits::{
    MEMORY_ROUND, POLICIES_WRITTEN, STS_FETCHES, STS_PLACE, STS_QUICK, STS_RECORD_TIME, STS_REFRESHES,
    STS_SLOW_FETCHES,
};

/// Who answers.
pub struct Keeper {
    book: Arc<Book>,
    doors: Doors,
    /// whether an address belongs to the Internet
    is_public: fn(IpAddr) -> bool,
    /// for fetches that began a moment ago
    places: Semaphore,
    /// for those that take long
    slow_places: Semaphore,
    /// one question at a time for each domain
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Keeper {
    /// Works with a memory and the doors to the world.
    pub fn new(book: Arc<Book>, doors: Doors, is_public: fn(IpAddr) -> bool) -> Arc<Self> {
        Arc::new(Self {
            book,
            doors,
            is_public,
            places: Semaphore::new(STS_FETCHES),
            slow_places: Semaphore::new(STS_SLOW_FETCHES),
            turns: Mutex::default(),
        })
    }

    /// The memory.
    pub fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// Writes what changed and fetches policies anew, until `stop` turns true; then everything is written once more.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        tokio::join!(self.write_rounds(stop.clone()), self.fetch_rounds(stop));
        self.save(true).await;
    }

    async fn write_rounds(&self, mut stop: watch::Receiver<bool>) {
        let mut round_at = self.after(MEMORY_ROUND);
        while self.has_time(&mut stop, POLICIES_WRITTEN).await {
            let round = self.doors.clock.monotonic() >= round_at;
            if round || self.book.has_other_policies() {
                self.save(round).await;
            }
            if round {
                round_at = self.after(MEMORY_ROUND);
            }
        }
    }

    /// A web server that is slow holds up those of its own round, for a minute or two, and nothing else.
    async fn fetch_rounds(self: &Arc<Self>, mut stop: watch::Receiver<bool>) {
        while self.has_time(&mut stop, MEMORY_ROUND).await {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.refresh() => {}
            }
        }
    }

    /// Waits; false when it is time to stop.
    async fn has_time(&self, stop: &mut watch::Receiver<bool>, pause: Duration) -> bool {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => false,
            () = self.doors.clock.sleep_until(self.after(pause)) => true,
        }
    }

    fn after(&self, wait: Duration) -> Monotonic {
        Monotonic(self.doors.clock.monotonic().0 + wait)
    }

    async fn save(&self, all: bool) {
        let book = self.book.clone();
        let saved = tokio::task::spawn_blocking(move || if all { book.save() } else { book.save_policies() });
        drop(saved.await); // a panic there was told where it happened, and the next round tries again
    }

    async fn refresh(self: &Arc<Self>) {
        let mut all = JoinSet::new();
        for (domain, id) in self.book.to_refresh(STS_REFRESHES) {
            let keeper = self.clone();
            all.spawn(async move {
                let turn = keeper.turn(&domain);
                let _mine = turn.lock().await;
                let id = match keeper.ask_record(&domain).await {
                    Some(Ok(record)) => record.id,
                    Some(Err(_)) | None => id,
                };
                keeper.fetch(&domain, id).await;
            });
        }
        while all.join_next().await.is_some() {}
    }

    /// Finds out what is due. While a policy counts nobody waits for another who asks already.
    async fn look(&self, domain: &str) {
        if !self.book.looks_for_policies() || domain.starts_with('[') {
            return;
        }
        let (asks, counts) = self.is_due(domain);
        if !asks {
            return;
        }
        let turn = self.turn(domain);
        let mine = match turn.try_lock() {
            Ok(mine) => mine,
            Err(_) if counts => return,
            Err(_) => turn.lock().await,
        };
        if self.is_due(domain).0 {
            self.look_anew(domain).await;
        }
        drop(mine);
        drop(turn);
        self.turns.lock().retain(|_, turn| Arc::strong_count(turn) > 1);
    }

    /// Whether DNS is to be asked, and whether a policy counts meanwhile.
    fn is_due(&self, domain: &str) -> (bool, bool) {
        self.book.with_policy(domain, |known, now| {
            known.used(now);
            (known.asks_record(now), known.live(now).is_some())
        })
    }

    async fn look_anew(&self, domain: &str) {
        let answer = self.ask_record(domain).await;
        let fetches = self.book.with_policy(domain, |known, now| {
            known.checked(answer.as_ref(), now);
            matches!(&answer, Some(Ok(record)) if known.fetches(&record.id, now))
        });
        if let (Some(Ok(record)), true) = (answer, fetches) {
            self.fetch(domain, record.id).await;
        }
    }

    fn turn(&self, domain: &str) -> Arc<tokio::sync::Mutex<()>> {
        self.turns.lock().entry(domain.to_owned()).or_default().clone()
    }

    /// What DNS says; `None`: nothing.
    async fn ask_record(&self, domain: &str) -> Option<Result<StsRecord, NoRecord>> {
        let mut desk = Desk::new(&*self.doors.dns, &*self.doors.clock, 1, STS_RECORD_TIME);
        match desk.ask(&format!("_mta-sts.{domain}"), RecordType::Txt).await {
            Reply::Records(records) => Some(record::the_one(&records)),
            Reply::Absent(_) => Some(Err(NoRecord::None)),
            Reply::Failed(_) | Reply::Spent(_) => None,
        }
    }

    async fn fetch(&self, domain: &str, id: String) {
        let fetched = self.fetch_in_turn(domain).await;
        let Some(fetched) = fetched else {
            return self.book.with_policy(domain, Remembered::found_no_place);
        };
        let event = self.book.with_policy(domain, |known, now| match fetched {
            Ok(policy) => {
                let new = known.live(now).is_none_or(|kept| kept.policy != policy);
                let event = new.then(|| found(domain, &id, &policy));
                known.fetched(id, policy, now);
                event
            }
            Err(error) => {
                let first = known.trouble.is_none();
                known.failed(error.to_string(), error.result(), now);
                first.then(|| TlsEvent::PolicyMissing {
                    domain: domain.to_owned(),
                    reason: error.to_string(),
                    older_counts: known.live(now).is_some(),
                })
            }
        });
        if let Some(event) = event {
            self.book.tell_log(&event);
        }
    }

    /// Fetches; nothing when there was no place, which is not the domain's doing.
    async fn fetch_in_turn(&self, domain: &str) -> Option<Result<StsPolicy, FetchError>> {
        let place = self.in_time(STS_PLACE, self.places.acquire()).await?.ok()?;
        let mut fetching = Box::pin(fetch::fetch(&self.doors, self.where_to_fetch(), domain));
        if let Some(done) = self.in_time(STS_QUICK, fetching.as_mut()).await {
            return Some(done);
        }
        let _slow = self.slow_places.try_acquire().ok()?;
        drop(place);
        Some(fetching.await)
    }

    fn where_to_fetch(&self) -> Place {
        let settings = self.book.settings();
        Place {
            port: settings.mta_sts_port,
            may_reach: match settings.allow_private {
                true => |_| true,
                false => self.is_public,
            },
        }
    }

    async fn in_time<T>(&self, time: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.doors.clock.sleep_until(self.after(time)) => None,
        }
    }
}

impl DomainPolicies for Keeper {
    fn of<'a>(&'a self, domain: &'a str, hosts: &'a [String]) -> BoxFuture<'a, Vec<OfDomain>> {
        Box::pin(async move {
            self.look(domain).await;
            let looks = self.book.looks_for_policies();
            let policies = match looks {
                true => self.book.sts_of(domain, hosts),
                false => vec![Sts::None; hosts.len()],
            };
            let sts_unsure = looks && self.book.is_unsure(domain);
            let told = |(host, sts): (&String, Sts)| OfDomain {
                sts,
                sts_unsure,
                listed: self.book.listed(domain, host),
            };
            hosts.iter().zip(policies).map(told).collect()
        })
    }

    fn attempted(&self, attempt: &TlsAttempt) {
        // Nothing was tried: what the domain asks is not known yet.
        if attempt.rule.reason == Reason::StsAwaited {
            return;
        }
        let sts = self.book.sts(&attempt.domain, &attempt.mx_host);
        let trouble = self.book.trouble(&attempt.domain);
        let session = session_of(attempt, &sts, trouble.as_ref());
        let lines = || {
            terms(
                attempt,
                self.book.told(&attempt.domain).sts.map(|kept| kept.policy),
            )
        };
        let lines = lines();
        self.book.count(session, || lines);
        if attempt.rule.reason == Reason::Sts && attempt.went == (Went::Secured { verified: Ok(()) }) {
            self.book.saw_kept_to(&attempt.domain);
        }
        match lesson(attempt) {
            Lesson::Good => self.book.saw_good(&attempt.domain, &attempt.mx_host),
            Lesson::Bad(what) => self.book.saw_bad(&attempt.domain, &attempt.mx_host, &what),
            Lesson::None => {}
        }
    }
}

fn found(domain: &str, id: &str, policy: &StsPolicy) -> TlsEvent {
    TlsEvent::PolicyFound {
        domain: domain.to_owned(),
        mode: policy.mode.as_str(),
        id: id.to_owned(),
        max_age_s: policy.max_age_s,
    }
}

/// An attempt as evidence: what counts as failed depends on the policy it is counted under (RFC 8460 §4.3).
pub fn session_of(attempt: &TlsAttempt, sts: &Sts, trouble: Option<&Trouble>) -> Session {
    let (mut kind, mut result, mut text) = (attempt.kind, None, String::new());
    match (&attempt.went, sts) {
        (
            Went::Failed {
                result: failed,
                text: why,
                ..
            },
            _,
        ) => (result, text) = (Some(*failed), why.clone()),
        (_, Sts::Enforce(host) | Sts::Testing(host)) if kind == PolicyKind::Sts && !host.fits => {
            result = Some(ResultType::StsPolicyInvalid);
            text = format!("the policy does not name {}", attempt.mx_host);
        }
        (Went::Secured { verified: Err(fault) }, _) if kind == PolicyKind::Sts => {
            (result, text) = (Some(ResultType::of_certificate(fault.kind)), fault.text.clone());
        }
        (Went::Secured { verified: Err(fault) }, _) => text = fault.text.clone(),
        (Went::Secured { verified: Ok(()) }, _) => {}
    }
    // RFC 8460 §4.3.2.2: a policy that is announced and cannot be had is a failure of MTA-STS, whatever mail did.
    if let (PolicyKind::NoPolicy, Some(trouble)) = (kind, trouble) {
        (kind, result, text) = (PolicyKind::Sts, Some(trouble.result), trouble.why.clone());
    }
    Session {
        domain: attempt.domain.clone(),
        kind,
        policy_domain: attempt.policy_domain.clone(),
        host: attempt.mx_host.clone(),
        address: attempt.mx_address.map(|address| address.to_string()),
        ours: attempt.our_address.map(|address| address.to_string()),
        result,
        grade: grade_of(attempt),
        text,
    }
}

fn grade_of(attempt: &TlsAttempt) -> Grade {
    match &attempt.went {
        Went::Secured { verified: Ok(()) } => Grade::Verified,
        Went::Secured { .. } if matches!(attempt.rule.demand, Demand::Dane { .. }) => Grade::Verified,
        Went::Secured { verified: Err(_) } => Grade::Encrypted,
        Went::Failed { clear: true, .. } => Grade::Clear,
        Went::Failed { clear: false, .. } => Grade::Refused,
    }
}

/// What the policy that an attempt is counted under said, for reports.
fn terms(attempt: &TlsAttempt, sts: Option<StsPolicy>) -> Terms {
    match (attempt.kind, sts, &attempt.rule.demand) {
        (PolicyKind::Sts, Some(policy), _) => Terms {
            lines: policy.lines(),
            hosts: policy.mx,
        },
        (PolicyKind::Tlsa, _, Demand::Dane { records, .. }) => Terms {
            lines: records.iter().map(ToString::to_string).collect(),
            hosts: Vec::new(),
        },
        _ => Terms::default(),
    }
}

/// What an attempt teaches about its domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lesson {
    /// its host has a certificate that verifies
    Good,
    /// it has none, or no TLS at all: why, in words
    Bad(String),
    /// nothing: the operator's route, DANE and MTA-STS say for themselves what must be
    None,
}

/// See [`Lesson`].
pub fn lesson(attempt: &TlsAttempt) -> Lesson {
    let learns = match attempt.rule.reason {
        Reason::Nobody | Reason::NotRequired | Reason::Sts | Reason::Listed(_) | Reason::ListedHost(_) => {
            true
        }
        Reason::RequireTls => attempt.kind != PolicyKind::Tlsa,
        _ => false,
    };
    match &attempt.went {
        _ if !learns || attempt.kind == PolicyKind::Tlsa => Lesson::None,
        Went::Secured { verified: Ok(()) } => Lesson::Good,
        // What MTA-STS forbids is held back by it: that says nothing of what the domain does by itself.
        _ if attempt.rule.reason == Reason::Sts => Lesson::None,
        Went::Secured { verified: Err(fault) } => Lesson::Bad(fault.text.clone()),
        Went::Failed { text, .. } => Lesson::Bad(text.clone()),
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
