//! Writes down what became of a job: outcomes, attempts and reports in one transaction (decision 0018).
//!
//! What a server has answered is recorded until the store takes it: forgetting it would send the message twice.

use mail::ids::QueueId;
use queue::attempt::AttemptText;
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
use crate::limits::STORE_PAUSE;

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
    let together = until_taken(remote, settled, Receipts::Wanted).await;
    // Somebody was purged meanwhile: the others are recorded one by one.
    if together.is_err() && settled.len() > 1 {
        for one in settled {
            let alone = until_taken(remote, std::slice::from_ref(one), Receipts::Wanted).await;
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

/// Commits; waits and commits again when the store cannot.
async fn until_taken(
    remote: &Remote,
    settled: &[Settled],
    mut receipts: Receipts,
) -> std::result::Result<(), Conflict> {
    loop {
        match commit(remote, settled, receipts).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Conflict(conflict @ Conflict::ClaimLost)) => return Err(conflict),
            // On a full disk an outcome still finds room, a receipt does not: without it nobody gets the message twice.
            Err(StoreError::Full) if receipts == Receipts::Wanted => receipts = Receipts::GivenUp,
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

/// Whether senders are told of what went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receipts {
    Wanted,
    GivenUp,
}

async fn commit(remote: &Remote, settled: &[Settled], receipts: Receipts) -> Result<()> {
    let mut ops: Vec<Op> = settled.iter().map(operation).collect();
    let mut reports = Vec::new();
    for (kind, concerned) in [
        (Kind::Failed, failed as fn(&Settled) -> bool),
        (Kind::Relayed, relayed),
    ] {
        if kind == Kind::Relayed && receipts == Receipts::GivenUp {
            continue;
        }
        let about: Vec<About<'_>> = settled.iter().filter(|one| concerned(one)).map(about).collect();
        reports.extend(report::prepare(remote, kind, &about).await?);
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
    Ok(())
}

fn operation(settled: &Settled) -> Op {
    Op::RecordOutcome {
        claim: settled.waiter.claim,
        outcome: settled.outcome.clone(),
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

/// Handed to a server that will not tell the sender itself (RFC 3461 §5.2.2).
fn relayed(settled: &Settled) -> bool {
    matches!(settled.decided.fate, Fate::Delivered { reports: false })
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

fn tell(remote: &Remote, settled: &Settled, recorded: std::result::Result<(), Conflict>) {
    let (queue_id, to) = (settled.waiter.row.queue_id, settled.waiter.row.address.clone());
    let attempt = &settled.decided.attempt;
    let event = match (&settled.outcome, recorded) {
        (_, Err(_)) => DeliverEvent::NotOurs { queue_id, to },
        (Outcome::Retry { due, .. }, _) => DeliverEvent::Postponed {
            queue_id,
            to,
            status: attempt.status.clone(),
            reason: attempt.reason.clone(),
            due_unix_ms: due.0,
            attempts: u64::from(settled.waiter.row.attempts) + 1,
        },
        (Outcome::Failed { .. }, _) => DeliverEvent::Failed {
            queue_id,
            to,
            status: attempt.status.clone(),
            reason: attempt.reason.clone(),
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
