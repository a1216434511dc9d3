//! After the wall clock was wrong: due times and deadlines of the whole queue are looked at, and those that no schedule gives now are
//! pulled in (threat case Q-12). Page by page, so that nobody waits for it.
//!
//! Recipients in delivery keep what they have until their attempt ends: look again a while later. Held ones have no time.

use mail::ids::{Id, QueueId};
use store::contract::{Batch, Conflict, Op, Result, StoreError, Urgency, WaitingRow};
use world::clock::UnixMs;

use crate::deadline::{Overdue, pulled_in};
use crate::params::{EnvelopeParams, RecipientParams};
use crate::queue::Queue;
use crate::schedule::{Schedule, sane_due};

/// A row's place in the queue.
pub type Place = (QueueId, u32);

/// What a page came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// how many rows were moved
    pub moved: u64,
    /// go on behind this row; `None` at the end
    pub next: Option<Place>,
}

/// Puts the rows behind `after` right, a page of the store.
///
/// # Errors
/// Those of the store.
pub async fn page(queue: &Queue, after: Option<Place>) -> Result<Page> {
    let rows = queue.store.waiting(after).await?;
    let next = rows.last().map(|row| (row.queue_id, row.recipient));
    let (now, schedule) = (queue.clock.now(), queue.schedule());
    let moves: Vec<(&WaitingRow, Times)> = rows
        .iter()
        .filter_map(|row| Some((row, right(&schedule, now, row)?)))
        .collect();
    let ops = moves.iter().map(|(row, times)| times.op(row)).collect();
    match commit(queue, ops).await {
        // Somebody left the queue meanwhile: one by one.
        Err(StoreError::Conflict(Conflict::NotWaiting)) => {
            for (row, times) in &moves {
                match commit(queue, vec![times.op(row)]).await {
                    Ok(()) | Err(StoreError::Conflict(Conflict::NotWaiting)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        done => done?,
    }
    for (row, times) in &moves {
        queue.tell(&row.lane, times.due);
    }
    Ok(Page {
        moved: moves.len() as u64,
        next,
    })
}

/// What a row should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    due: UnixMs,
    deadline: UnixMs,
}

impl Times {
    fn op(self, row: &WaitingRow) -> Op {
        Op::Reschedule {
            queue_id: row.queue_id,
            recipient: row.recipient,
            due: self.due,
            deadline: Some(self.deadline),
        }
    }
}

/// `None` when it has it.
fn right(schedule: &Schedule, now: UnixMs, row: &WaitingRow) -> Option<Times> {
    if row.held {
        return None;
    }
    let envelope = EnvelopeParams::read(&row.envelope);
    let recipient = RecipientParams::read(&row.params);
    let wished = envelope.hold_until_unix_ms.is_some_and(|hold| hold >= row.due.0);
    let due = if wished {
        row.due
    } else {
        sane_due(now, row.due, schedule.longest_wait())
    };
    let overdue = Overdue {
        received_at: row.received_at,
        made_at: UnixMs(row.queue_id.unix_ms()),
        due: row.due,
        envelope: &envelope,
        recipient: &recipient,
        tell_delay: recipient.tells().delay && !row.reverse_path.is_empty(),
    };
    let deadline = pulled_in(schedule, now, row.deadline, overdue).unwrap_or(row.deadline);
    ((due, deadline) != (row.due, row.deadline)).then_some(Times { due, deadline })
}

async fn commit(queue: &Queue, ops: Vec<Op>) -> Result<()> {
    if ops.is_empty() {
        return Ok(());
    }
    let urgency = Urgency::Lazy;
    // What is lost in a crash is found at the next start.
    drop(queue.store.commit(Batch { urgency, ops }).await?);
    Ok(())
}
