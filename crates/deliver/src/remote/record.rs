//! Writes down what became of a job: outcomes, attempts and reports in one transaction (decision 0018).
//!
//! What a server has answered is recorded until the store takes it: forgetting it would send the message twice.

use mail::ids::QueueId;
use queue::attempt::AttemptText;
use queue::params::RecipientParams;
use store::contract::{Attempt, Batch, Conflict, Op, Outcome, Result, StoreError, Urgency};
use world::clock::{Monotonic, UnixMs};

use super::Remote;
use super::carry::Decided;
use super::find::number;
use super::job::Waiter;
use super::report::{self, About};
use super::status::Fate;
use crate::bounce::Kind;
use crate::events::DeliverEvent;
use crate::limits::{REPORT_AGAIN, STORE_PAUSE};

/// A recipient and what became of it.
pub struct Settled {
    /// who
    pub waiter: Waiter,
    /// what
    pub decided: Decided,
    /// when the attempt began
    pub began: UnixMs,
    outcome: Outcome,
}

/// A lane that has work again.
pub type Again = (String, UnixMs);

impl Settled {
    /// Decides when it is tried again, if it is.
    pub fn new(remote: &Remote, waiter: Waiter, decided: Decided, began: UnixMs) -> Self {
        let outcome = match &decided.fate {
            Fate::Delivered { .. } => Outcome::DeliveredElsewhere,
            Fate::Later(trouble) if decided.second_way => Outcome::Retry {
                due: remote.queue.clock.now(),
                deadline: waiter.row.deadline,
                reason: trouble.to_string(),
            },
            Fate::Later(trouble) => Outcome::Retry {
                due: remote.next_try(waiter.row.attempts, number(&*remote.chance)),
                deadline: waiter.row.deadline,
                reason: trouble.to_string(),
            },
            Fate::Failed(trouble) => Outcome::Failed {
                reason: trouble.to_string(),
            },
        };
        Self {
            waiter,
            decided,
            began,
            outcome,
        }
    }
}

/// Records the recipients of one job; comes back when it is on disk. Gives the lanes that have work again.
pub async fn record(remote: &Remote, settled: &[Settled]) -> Vec<Again> {
    let together = until_taken(remote, settled, Reports::All).await;
    // Somebody was purged meanwhile: the others are recorded one by one.
    if together == Taken::NotOurs && settled.len() > 1 {
        for one in settled {
            let alone = until_taken(remote, std::slice::from_ref(one), Reports::All).await;
            tell(remote, one, alone);
        }
    } else {
        settled.iter().for_each(|one| tell(remote, one, together));
    }
    let again = settled.iter().filter_map(|one| match &one.outcome {
        Outcome::Retry { due, .. } => Some((one.waiter.row.lane.clone(), *due)),
        _ => None,
    });
    again.collect()
}

/// How recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// all of it, with the report of who failed, if there is one
    Whole { report: Option<QueueId> },
    /// the reports of who failed had no room and are still to come
    WithoutReports,
    /// somebody else has dealt with a recipient
    NotOurs,
}

/// Commits; waits and commits again when the store cannot.
async fn until_taken(remote: &Remote, settled: &[Settled], mut reports: Reports) -> Taken {
    loop {
        match commit(remote, settled, reports).await {
            Ok(report) if reports == Reports::None => {
                debug_assert!(report.is_none(), "none was prepared");
                return Taken::WithoutReports;
            }
            Ok(report) => return Taken::Whole { report },
            Err(StoreError::Conflict(Conflict::ClaimLost)) => return Taken::NotOurs,
            // On a full disk an outcome still finds room, a report does not: whoever has the message must not get it twice.
            Err(StoreError::Full) if reports != Reports::None => reports = reports.fewer(),
            // Another conflict is the report's (its reader was removed a moment ago): it is prepared anew.
            Err(error) => {
                remote.store_failed(&error);
                let clock = &remote.queue.clock;
                clock
                    .sleep_until(Monotonic(clock.monotonic().0 + STORE_PAUSE))
                    .await;
            }
        }
    }
}

/// Which reports there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reports {
    All,
    /// receipts for what went well are given up
    Failures,
    /// failures are told later ([`super::overdue`])
    None,
}

impl Reports {
    fn fewer(self) -> Self {
        match self {
            Self::All => Self::Failures,
            Self::Failures | Self::None => Self::None,
        }
    }
}

/// Gives the report of who failed.
async fn commit(remote: &Remote, settled: &[Settled], wanted: Reports) -> Result<Option<QueueId>> {
    if wanted == Reports::None {
        return commit_without_reports(remote, settled).await.map(|()| None);
    }
    let mut ops: Vec<Op> = settled.iter().flat_map(operations).collect();
    let mut reports = Vec::new();
    let mut failure = None;
    for (kind, concerned) in [
        (Kind::Failed, failed as fn(&Settled) -> bool),
        (Kind::Relayed, relayed),
        (Kind::Expanded, expanded),
    ] {
        if kind != Kind::Failed && wanted == Reports::Failures {
            continue;
        }
        let about: Vec<About<'_>> = settled.iter().filter(|one| concerned(one)).map(about).collect();
        let report = report::prepare(remote, kind, &about).await?;
        if kind == Kind::Failed {
            failure = report.as_ref().map(queue::accept::Prepared::queue_id);
        }
        reports.extend(report);
    }
    ops.extend(reports.iter().map(queue::accept::Prepared::op));
    let batch = Batch {
        urgency: Urgency::Lazy,
        ops,
    };
    // The waiting row is the acknowledgement here: it is gone, or has its next time.
    drop(remote.queue.store.commit(batch).await?);
    reports
        .into_iter()
        .for_each(|report| report.committed(&remote.queue));
    Ok(failure)
}

/// Who failed keeps its row, which says so: it is not sent again, and the report follows.
async fn commit_without_reports(remote: &Remote, settled: &[Settled]) -> Result<()> {
    let now = remote.queue.clock.now();
    let ops = settled.iter().flat_map(|one| match failed(one) {
        true => report_follows(remote, one, now).to_vec(),
        false => operations(one),
    });
    let batch = Batch {
        urgency: Urgency::Lazy,
        ops: ops.collect(),
    };
    drop(remote.queue.store.commit(batch).await?);
    Ok(())
}

fn report_follows(remote: &Remote, settled: &Settled, now: UnixMs) -> [Op; 2] {
    let deadline = queue::schedule::later(now, REPORT_AGAIN);
    let params = RecipientParams {
        refused: true,
        ..settled.waiter.params.clone()
    };
    let marked = marked(settled, deadline, &params);
    let waits = Outcome::Retry {
        due: queue::schedule::later(now, remote.queue.schedule().longest_wait()),
        deadline,
        reason: settled.decided.attempt.reason.clone(),
    };
    [marked, with_outcome(settled, waits)]
}

fn operations(settled: &Settled) -> Vec<Op> {
    let outcome = with_outcome(settled, settled.outcome.clone());
    if !settled.decided.second_way {
        return vec![outcome];
    }
    let params = RecipientParams {
        second_way: true,
        ..settled.waiter.params.clone()
    };
    vec![marked(settled, settled.waiter.row.deadline, &params), outcome]
}

/// Its row says something else from now on.
fn marked(settled: &Settled, deadline: UnixMs, params: &RecipientParams) -> Op {
    Op::RecordOutcome {
        claim: settled.waiter.claim,
        outcome: Outcome::Told {
            deadline,
            params: params.json(),
        },
        prior_attempts: settled.waiter.row.attempts,
        attempt: None,
    }
}

fn with_outcome(settled: &Settled, outcome: Outcome) -> Op {
    Op::RecordOutcome {
        claim: settled.waiter.claim,
        outcome,
        prior_attempts: settled.waiter.row.attempts,
        attempt: Some(Attempt {
            at: settled.began,
            text: settled.decided.attempt.json(),
        }),
    }
}

fn failed(settled: &Settled) -> bool {
    matches!(settled.decided.fate, Fate::Failed(_))
}

/// Handed to a server that will not tell the sender itself (RFC 3461 §5.2.2), or on a way that the sender wants to see (RFC 2852 §4).
fn relayed(settled: &Settled) -> bool {
    match settled.decided.fate {
        Fate::Delivered { reports } => {
            !settled.waiter.params.expanded && (!reports || report::is_traced(&settled.waiter.row))
        }
        Fate::Later(_) | Fate::Failed(_) => false,
    }
}

/// The first of those for whom an address stands has it.
fn expanded(settled: &Settled) -> bool {
    matches!(settled.decided.fate, Fate::Delivered { .. }) && settled.waiter.params.expanded
}

fn about(settled: &Settled) -> About<'_> {
    About {
        row: &settled.waiter.row,
        params: &settled.waiter.params,
        mailbox: &settled.waiter.mailbox,
        attempt: &settled.decided.attempt,
        attempted_at: Some(settled.began),
        expired: false,
        retry_until: None,
    }
}

fn tell(remote: &Remote, settled: &Settled, recorded: Taken) {
    let (queue_id, to) = (settled.waiter.row.queue_id, settled.waiter.row.address.clone());
    let attempt = &settled.decided.attempt;
    let event = match (&settled.outcome, recorded) {
        (_, Taken::NotOurs) => DeliverEvent::NotOurs { queue_id, to },
        (Outcome::Failed { .. }, Taken::WithoutReports) => DeliverEvent::ReportWaits { queue_id, to },
        (Outcome::Retry { due, .. }, _) => DeliverEvent::Postponed {
            queue_id,
            to,
            status: attempt.status.clone(),
            reason: attempt.reason.clone(),
            due_unix_ms: due.0,
            attempts: u64::from(settled.waiter.row.attempts) + 1,
        },
        (Outcome::Failed { .. }, Taken::Whole { report }) => DeliverEvent::Failed {
            queue_id,
            to,
            status: attempt.status.clone(),
            reason: attempt.reason.clone(),
            report,
        },
        _ => sent(queue_id, to, attempt),
    };
    remote.queue.events.emit(&event);
}

fn sent(queue_id: QueueId, to: String, attempt: &AttemptText) -> DeliverEvent {
    let last = attempt.talks.last().cloned().unwrap_or_default();
    DeliverEvent::Sent {
        queue_id,
        to,
        host: last.host,
        address: last.address,
        tls: last.tls.map(|tls| tls.version).unwrap_or_default(),
        reply: last
            .replies
            .last()
            .map(|reply| reply.reply.clone())
            .unwrap_or_default(),
        duration_ms: attempt.duration_ms,
    }
}
