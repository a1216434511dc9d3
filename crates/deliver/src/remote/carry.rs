//! Carries one job out: the connection that is open, else host by host and address by address, until every recipient is decided.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use msgauth::tls::policy::{self, Demand, Evidence, Reason, Rule, Wish};
use queue::attempt::{AttemptResult, AttemptText, Decisive};
use smtp::client::{Cannot, ClientName, RcptRequest, RecipientOutcome, Stage};
use store::contract::StoreError;
use world::clock::Monotonic;

use super::connect::{self, Begin, Doors, NotOpen, Target};
use super::hosts::Candidate;
use super::job::Job;
use super::letter::{self, Letter};
use super::outcome::{self, Broken, Judgement, Next, Signal};
use super::pending::Pending;
use super::route::Route;
use super::secure::{self, Known, Tried};
use super::session::{Sent, Session};
use super::status::{Fate, Said, Status, Trouble};
use super::talk::{Notes, Pulse};
use super::{Remote, find, recode};
use crate::settings::{Road, Settings, SmarthostTls};

/// What became of a job.
#[derive(Debug)]
pub struct Carried {
    /// of each recipient, in order
    pub recipients: Vec<Decided>,
    /// what its destination is like
    pub signal: Signal,
}

/// What became of a recipient.
#[derive(Debug)]
pub struct Decided {
    /// what
    pub fate: Fate,
    /// how it went, for the record
    pub attempt: AttemptText,
    /// whether it goes the second way at once
    pub second_way: bool,
}

impl Decided {
    /// Takes the second way, if there is one and a server refused us: then nothing is final.
    #[must_use]
    pub fn with(self, has_second: bool) -> Self {
        match self.fate {
            Fate::Later(trouble) | Fate::Failed(trouble) if has_second && outcome::refuses_us(&trouble) => {
                let (subject, detail) = trouble.status.rest();
                let fate = Fate::Later(Trouble {
                    status: Status::new(4, subject, detail),
                    ..trouble
                });
                let attempt = AttemptText {
                    talks: self.attempt.talks,
                    duration_ms: self.attempt.duration_ms,
                    ..attempt_of(&fate)
                };
                Self {
                    fate,
                    attempt,
                    second_way: true,
                }
            }
            fate => Self { fate, ..self },
        }
    }
}

/// What a connection's task keeps between two jobs.
#[derive(Default)]
pub struct Hand {
    /// the open connection, if there is one
    pub session: Option<Session>,
    /// connections that are done: left politely once the outcome is on its way to the disk, because a server may take its time
    pub leaving: Vec<Session>,
    /// the settings it was last used under: other ones may mean another server
    pub under: Option<Arc<Settings>>,
    /// the outcome of the job before, on its way to the disk
    pub pending: Pending,
    /// how it gets on
    pub pulse: Pulse,
}

/// Carries `job` out.
///
/// # Errors
/// Those of the store that say nothing of this message: nobody was told anything that is not in the outcome of an earlier job.
pub async fn carry(
    remote: &Remote,
    settings: &Arc<Settings>,
    job: &Job,
    hand: &mut Hand,
) -> Result<Carried, StoreError> {
    let clock = &remote.queue.clock;
    let mut trip = Trip::new(job, clock.monotonic());
    if let Road::Closed { reason } = &settings.road {
        trip.all(&Trouble::later(4, 0, reason.clone()).fate(), Signal::Well);
        return Ok(trip.end(clock.monotonic()));
    }
    let letter = Letter::of(
        &remote.queue.store,
        job.row(),
        &job.envelope,
        job.params(),
        clock.now(),
    )
    .await;
    let letter = match letter {
        Ok(letter) => letter,
        Err(StoreError::Damaged(what)) => {
            trip.all(&unreadable(&what), Signal::Well);
            return Ok(trip.end(clock.monotonic()));
        }
        Err(error) => return Err(error),
    };
    if letter.has_been_at(&job.params().via) {
        let text = "the message was forwarded in a circle: it has been at this address before";
        trip.all(&Trouble::never(4, 6, text).fate(), Signal::Well);
        return Ok(trip.end(clock.monotonic()));
    }
    let mut carrier = Carrier {
        remote,
        settings,
        job,
        hand,
    };
    if let Err(error) = carrier.by_any_connection(&mut trip, &letter).await {
        trip.broken_off(error)?;
    }
    Ok(trip.end(clock.monotonic()))
}

struct Carrier<'a> {
    remote: &'a Remote,
    settings: &'a Arc<Settings>,
    job: &'a Job,
    hand: &'a mut Hand,
}

impl Carrier<'_> {
    async fn by_any_connection(&mut self, trip: &mut Trip, letter: &Letter) -> Result<(), StoreError> {
        self.by_open_connection(trip, letter).await?;
        if trip.is_open() {
            self.by_new_connections(trip, letter).await?;
        }
        Ok(())
    }

    async fn by_open_connection(&mut self, trip: &mut Trip, letter: &Letter) -> Result<(), StoreError> {
        let Some(mut session) = self.hand.session.take() else {
            return Ok(());
        };
        let same = |under: &Arc<Settings>| Arc::ptr_eq(under, self.settings) || under == self.settings;
        let usable = session.is_usable() && self.hand.under.as_ref().is_some_and(same);
        let wish = self.job.wish();
        let open = (session.host().to_owned(), session.security().clone());
        if !usable || !secure::still_good(self.remote, &self.job.route, open, wish).await {
            session.quit(&*self.remote.queue.clock).await;
            return Ok(());
        }
        let notes = session.notes(&*self.remote.queue.clock);
        self.send(session, notes, trip, letter, Connection::Reused).await
    }

    async fn by_new_connections(&mut self, trip: &mut Trip, letter: &Letter) -> Result<(), StoreError> {
        let remote = self.remote;
        let doors = (&remote.dns, &*remote.queue.clock);
        let hosts = find::hosts_in_the_end(&self.job.route, self.settings, doors, &*remote.chance).await;
        let hosts = match hosts {
            Ok(hosts) => hosts,
            Err(trouble) => {
                let temporary = trouble.status.class() == 4;
                let signal = if temporary { Signal::Down } else { Signal::Well };
                trip.all(&trouble.fate(), signal);
                return Ok(());
            }
        };
        if let Some(missing) = &hosts.missing {
            trip.judged(&outcome::not_found(missing.clone()));
        }
        let route = &self.job.route;
        let known = Known::of(remote, route, &hosts, self.job.wish()).await;
        for (position, host) in hosts.candidates.iter().enumerate() {
            let evidence = known
                .evidence(remote, (route, self.settings), (&hosts, position))
                .await;
            self.under_rule(host, evidence, trip, letter).await?;
            if !trip.is_open() {
                break;
            }
        }
        Ok(())
    }

    /// One host, unless the rule refuses it.
    async fn under_rule(
        &mut self,
        host: &Candidate,
        evidence: Evidence,
        trip: &mut Trip,
        letter: &Letter,
    ) -> Result<(), StoreError> {
        let rule = policy::decide(&evidence);
        let Demand::Refuse(refusal) = rule.demand else {
            return self.one_host(host, (&evidence, &rule), trip, letter).await;
        };
        let judged = outcome::forbidden(&host.host, &rule, refusal, evidence.wish);
        let mut notes = Notes::begin(&host.host, String::new(), &*self.remote.queue.clock);
        if let Some(trouble) = judged.fate.trouble() {
            notes.trouble(trouble.to_string());
        }
        trip.talks.push((notes, Vec::new()));
        trip.judged(&judged);
        let tried = Tried {
            host: &host.host,
            address: None,
            our_address: None,
            evidence: &evidence,
            rule: &rule,
        };
        secure::tell_refused(self.remote, &self.job.route, tried);
        Ok(())
    }

    /// Address after address, until one answers.
    async fn one_host(
        &mut self,
        host: &Candidate,
        (evidence, rule): (&Evidence, &Rule),
        trip: &mut Trip,
        letter: &Letter,
    ) -> Result<(), StoreError> {
        let clock = &self.remote.queue.clock;
        let order = self
            .remote
            .silent
            .lock()
            .in_order(&host.host, &host.addresses, clock.monotonic());
        for (address, patience) in order {
            let to = (&self.job.route, &**self.settings, host);
            let Some(mut target) = target(to, (address, patience), (evidence.wish, rule)) else {
                let text = "our own name for greeting cannot be sent: look at deliver.ehlo_name";
                trip.judged(&Judgement {
                    fate: Trouble::later(3, 5, text).fate(),
                    next: Next::Stop,
                    signal: Signal::Well,
                });
                return Ok(());
            };
            let mut opened = self.open(&target, evidence, trip).await;
            if matches!(opened, Err(NotOpen::TryInClear)) {
                target.begin = Begin::Never;
                opened = self.open(&target, evidence, trip).await;
            }
            let answered = !matches!(opened, Err(NotOpen::Silent(_)));
            let now = clock.monotonic();
            self.remote
                .silent
                .lock()
                .learn((&host.host, &host.addresses), address, answered, now);
            match opened {
                Ok((session, notes)) => {
                    return self.send(session, notes, trip, letter, Connection::New).await;
                }
                Err(NotOpen::TryInClear) => {}
                Err(NotOpen::Judged(judged) | NotOpen::Silent(judged)) => trip.judged(&judged),
            }
        }
        Ok(())
    }

    async fn open(
        &mut self,
        target: &Target,
        evidence: &Evidence,
        trip: &mut Trip,
    ) -> Result<(Session, Notes), NotOpen> {
        let clock = &self.remote.queue.clock;
        let mut notes = Notes::begin(&target.host, target.address.to_string(), &**clock);
        notes.rule(in_words(&target.rule));
        self.hand.pulse.beat(clock.monotonic());
        let doors = Doors {
            network: self.remote.network.clone(),
            tls: self.remote.tls.clone(),
            clock: clock.clone(),
        };
        let opened = connect::open(&doors, target, &mut notes, &self.hand.pulse).await;
        if let Some(went) = notes.take_went() {
            let tried = Tried {
                host: &target.host,
                address: Some(target.address),
                our_address: notes.our_address().parse().ok(),
                evidence,
                rule: &target.rule,
            };
            secure::tell(self.remote, &self.job.route, tried, went);
        }
        match opened {
            Ok(open) => {
                let session = Session::new(open, evidence.clone(), target.host.clone(), target.address);
                Ok((session, notes))
            }
            Err(not_open) => {
                trip.talks.push((notes, Vec::new()));
                Err(not_open)
            }
        }
    }

    /// Sends to everybody who is undecided.
    async fn send(
        &mut self,
        mut session: Session,
        mut notes: Notes,
        trip: &mut Trip,
        letter: &Letter,
        connection: Connection,
    ) -> Result<(), StoreError> {
        let positions = trip.undecided();
        let requests: Vec<RcptRequest> = positions
            .iter()
            .map(|position| &self.job.recipients[*position])
            .map(|waiter| letter::rcpt(&waiter.mailbox, &waiter.params))
            .collect();
        let recorded = self.hand.pending.settled();
        let mut sent = session
            .send(letter, &requests, (&mut notes, &self.hand.pulse), recorded)
            .await;
        if matches!(sent, Sent::Cannot(Cannot::EightBit))
            && let Some(letter) = recode::seven_bits(self.remote, letter, &self.job.envelope).await?
        {
            let recorded = self.hand.pending.settled();
            sent = session
                .send(&letter, &requests, (&mut notes, &self.hand.pulse), recorded)
                .await;
        }
        let judgements = match sent {
            Sent::Told { outcomes, .. } if connection == Connection::Reused && is_stale(&outcomes) => {
                return Ok(());
            }
            Sent::Told { outcomes, broken } => judge(outcomes, broken.as_ref(), &session),
            Sent::Cannot(why) => vec![cannot(why, session.host()); positions.len()],
            Sent::Unreadable(StoreError::Damaged(what)) => {
                trip.talks.push((notes, positions));
                trip.all(&unreadable(&what), Signal::Well);
                return Ok(());
            }
            Sent::Unreadable(error) => return Err(error),
        };
        trip.told(notes, positions, &judgements);
        if session.is_usable() {
            self.hand.session = Some(session);
            self.hand.under = Some(self.settings.clone());
        } else {
            self.hand.leaving.push(session);
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    New,
    Reused,
}

/// An open connection that had gone while nobody looked says nothing of the host.
fn is_stale(outcomes: &[RecipientOutcome]) -> bool {
    outcomes.iter().all(|outcome| {
        matches!(
            outcome,
            RecipientOutcome::Lost {
                stage: Stage::Mail | Stage::Reset
            }
        )
    })
}

fn judge(outcomes: Vec<RecipientOutcome>, broken: Option<&Broken>, session: &Session) -> Vec<Judgement> {
    let host = session.host();
    let reports = session.reports();
    outcomes
        .into_iter()
        .map(|outcome| match outcome {
            RecipientOutcome::Delivered(_) => Judgement {
                fate: Fate::Delivered { reports },
                next: Next::Stop,
                signal: Signal::Well,
            },
            RecipientOutcome::Refused { reply, stage, answer } => {
                outcome::refused(stage, answer, &reply, host)
            }
            RecipientOutcome::Lost { stage } => {
                let unsaid = Broken::Nonsense("it answered less than it was asked".to_owned());
                outcome::broken(stage, broken.unwrap_or(&unsaid), host)
            }
        })
        .collect()
}

/// What the message needs and this host lacks. Another host of the same domain is the same mail system: it is not asked, but for
/// REQUIRETLS (RFC 8689 §4.2.1).
fn cannot(why: Cannot, host: &str) -> Judgement {
    let (subject, detail) = match why {
        Cannot::EightBit => (6, 3),
        Cannot::Utf8 => (6, 7),
        Cannot::TooLarge { .. } => (3, 4),
        Cannot::RequireTls => outcome::REQUIRETLS_NEEDED,
        Cannot::DeliverBy => (4, 7),
        Cannot::Nobody => (5, 0),
    };
    Judgement {
        fate: Trouble::never(subject, detail, format!("{host}: {why}"))
            .about(host)
            .fate(),
        next: match why {
            Cannot::RequireTls => Next::Host,
            _ => Next::Stop,
        },
        signal: Signal::Well,
    }
}

/// What of TLS is asked for and why, for the record; nothing where nobody asks for more than what is offered.
fn in_words(rule: &Rule) -> String {
    match rule.reason {
        Reason::Nobody => String::new(),
        reason => format!("{}: {reason}", rule.demand),
    }
}

fn unreadable(what: &str) -> Fate {
    Trouble::later(3, 0, format!("the message cannot be read from our disk: {what}")).fate()
}

fn target(
    (route, settings, host): (&Route, &Settings, &Candidate),
    (address, patience): (IpAddr, Duration),
    (wish, rule): (Wish, &Rule),
) -> Option<Target> {
    let (source, hello) = match address {
        IpAddr::V4(_) => (settings.v4.address.map(IpAddr::V4), &settings.v4.hello),
        IpAddr::V6(_) => (settings.v6.address.map(IpAddr::V6), &settings.v6.hello),
    };
    let (port, begin, login) = match route {
        Route::Mx(_) | Route::Literal(_) => (settings.port, Begin::StartTls, None),
        Route::Smarthost(smarthost) => {
            let begin = match smarthost.tls {
                SmarthostTls::None => Begin::Never,
                SmarthostTls::Opportunistic | SmarthostTls::Dane | SmarthostTls::StartTls => Begin::StartTls,
                SmarthostTls::Implicit => Begin::Implicit,
            };
            (smarthost.port, begin, smarthost.login.clone())
        }
    };
    Some(Target {
        host: host.host.clone(),
        address: SocketAddr::new(address, port),
        patience,
        source,
        hello: ClientName::new(hello)?,
        begin,
        rule: rule.clone(),
        wish,
        login,
        ours: match route {
            Route::Mx(_) | Route::Literal(_) => settings.ours.names.clone(),
            // The operator named it: a filter on this machine may go by our name.
            Route::Smarthost(_) => Vec::new(),
        },
    })
}

/// What is known so far.
struct Trip {
    began: Monotonic,
    fates: Vec<Option<Fate>>,
    decided: Vec<bool>,
    /// each conversation, with the positions of the recipients it was about
    talks: Vec<(Notes, Vec<usize>)>,
    signal: Option<Signal>,
}

impl Trip {
    fn new(job: &Job, began: Monotonic) -> Self {
        let count = job.recipients.len();
        Self {
            began,
            fates: vec![None; count],
            decided: vec![false; count],
            talks: Vec::new(),
            signal: None,
        }
    }

    fn undecided(&self) -> Vec<usize> {
        (0..self.decided.len())
            .filter(|position| !self.decided[*position])
            .collect()
    }

    fn is_open(&self) -> bool {
        self.decided.contains(&false)
    }

    /// Our store failed in the middle. Who was told something by then keeps it, or would get the message twice.
    fn broken_off(&mut self, error: StoreError) -> Result<(), StoreError> {
        if !self.decided.contains(&true) {
            return Err(error);
        }
        self.all(&unreadable(&error.to_string()), Signal::Well);
        Ok(())
    }

    /// One judgement for everybody who is undecided.
    fn judged(&mut self, judgement: &Judgement) {
        for position in self.undecided() {
            self.one(position, judgement);
        }
    }

    /// The end for everybody who is undecided.
    fn all(&mut self, fate: &Fate, signal: Signal) {
        self.judged(&Judgement {
            fate: fate.clone(),
            next: Next::Stop,
            signal,
        });
    }

    fn told(&mut self, notes: Notes, positions: Vec<usize>, judgements: &[Judgement]) {
        for (position, judgement) in positions.iter().zip(judgements) {
            self.one(*position, judgement);
        }
        self.talks.push((notes, positions));
    }

    fn one(&mut self, position: usize, judgement: &Judgement) {
        let earlier = self.fates[position].take();
        self.fates[position] = Some(outcome::among_hosts(earlier, judgement.fate.clone()));
        self.decided[position] = judgement.next == Next::Stop;
        self.signal = self.signal.max(Some(judgement.signal));
    }

    fn end(self, now: Monotonic) -> Carried {
        let recipients = (0..self.fates.len())
            .map(|position| self.decided(position, now))
            .collect();
        Carried {
            recipients,
            signal: self.signal.unwrap_or(Signal::Well),
        }
    }

    fn decided(&self, position: usize, now: Monotonic) -> Decided {
        let nobody = || Trouble::later(4, 0, "no host was left to ask").fate();
        let fate = self.fates[position].clone().unwrap_or_else(nobody);
        let talks = self
            .talks
            .iter()
            .filter(|(_, positions)| positions.is_empty() || positions.contains(&position))
            .map(|(notes, positions)| {
                let place = positions.iter().position(|other| *other == position);
                notes.of_recipient(place, now)
            })
            .collect();
        let attempt = AttemptText {
            talks,
            duration_ms: u64::try_from(now.0.saturating_sub(self.began.0).as_millis()).unwrap_or(u64::MAX),
            ..attempt_of(&fate)
        };
        Decided {
            fate,
            attempt,
            second_way: false,
        }
    }
}

/// What the record says of a fate.
pub fn attempt_of(fate: &Fate) -> AttemptText {
    let result = match fate {
        Fate::Delivered { .. } => AttemptResult::Delivered,
        Fate::Later(_) => AttemptResult::Later,
        Fate::Failed(_) => AttemptResult::Failed,
    };
    let Some(trouble) = fate.trouble() else {
        return AttemptText {
            result,
            status: "2.0.0".to_owned(),
            ..AttemptText::default()
        };
    };
    let decided_by = match &trouble.said {
        Said::Ours { .. } => None,
        Said::Server { host, stage, reply } => Some(Decisive {
            host: host.clone(),
            stage: stage.name().to_owned(),
            code: reply.code,
            lines: reply
                .lines
                .iter()
                .take(crate::limits::REPLY_LINES)
                .cloned()
                .collect(),
        }),
    };
    AttemptText {
        result,
        status: trouble.status.to_string(),
        reason: trouble.to_string(),
        decided_by,
        ..AttemptText::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_4_who_has_the_message_is_not_given_back_when_the_store_fails_at_the_next_host() {
        let mut trip = Trip {
            began: Monotonic::default(),
            fates: vec![None; 2],
            decided: vec![false; 2],
            talks: Vec::new(),
            signal: None,
        };
        assert!(
            trip.broken_off(StoreError::Busy).is_err(),
            "nobody has it: all are given back"
        );
        let taken = Judgement {
            fate: Fate::Delivered { reports: true },
            next: Next::Stop,
            signal: Signal::Well,
        };
        trip.one(0, &taken);
        assert!(trip.broken_off(StoreError::Busy).is_ok());
        let carried = trip.end(Monotonic::default());
        assert_eq!(carried.recipients[0].fate, taken.fate);
        assert!(matches!(carried.recipients[1].fate, Fate::Later(_)));
    }
}
