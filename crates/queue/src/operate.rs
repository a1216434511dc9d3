//! What an operator does with those who wait: try now, hold, release, purge. In pages, so that no request takes long however
//! long the queue is.
//!
//! 1. [`page`] reads a page of the queue and finds whom the [`Selection`] means.
//! 2. When it is meant seriously, the page's changes and the audit entry are **one** transaction. A recipient that left the
//!    queue in between is left out.
//! 3. Each change is an event with its queue id, and the scheduler is told.

use std::time::Duration;

use mail::ids::QueueId;
use serde::{Deserialize, Serialize};
use store::contract::{Batch, Claim, Conflict, Op, Result, StoreError, Urgency, WaitingRow};
use world::clock::UnixMs;

use crate::attempt::{AttemptResult, AttemptText};
use crate::events::QueueEvent;
use crate::limits::{OPERATE_PAGES, OPERATE_SAMPLE, RELEASE_GRACE};
use crate::list::{Entry, entry};
use crate::params::EnvelopeParams;
use crate::queue::Queue;
use crate::schedule::{Schedule, later, sane_due};
use crate::select::Selection;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// try now, whatever was planned
    Retry,
    /// neither try nor give up
    Hold,
    /// end a hold, and try now
    Release,
    /// remove; nobody is told
    Purge,
}

impl Act {
    /// Its stable name, in the audit and in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Purge => "purge",
        }
    }

    /// What was done, in one word.
    pub fn done(self) -> &'static str {
        match self {
            Self::Retry => "retried",
            Self::Hold => "held",
            Self::Release => "released",
            Self::Purge => "purged",
        }
    }

    /// Whether it would change anything about a row.
    fn concerns(self, row: &WaitingRow) -> bool {
        match self {
            Self::Retry | Self::Hold => !row.held,
            Self::Release => row.held,
            Self::Purge => true,
        }
    }
}

/// One request of an operator.
#[derive(Debug, Clone)]
pub struct Order {
    /// what is done
    pub act: Act,
    /// to whom
    pub selection: Selection,
    /// whether it is done, or only counted
    pub do_it: bool,
    /// who asks, as it is written down: `uid 1000`
    pub by: String,
}

/// What a page of an order came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ordered {
    /// how many were meant
    pub matched: u64,
    /// the first few of them
    pub sample: Vec<Entry>,
    /// how many were changed
    pub changed: u64,
    /// go on behind this row; `None` at the end
    pub next: Option<(QueueId, u32)>,
}

/// Carries an order out on the rows behind `after`, [`OPERATE_PAGES`] pages of the store at most.
///
/// # Errors
/// Those of the store. What was changed before is told in the audit.
pub async fn page(queue: &Queue, order: &Order, after: Option<(QueueId, u32)>) -> Result<Ordered> {
    let mut found = Ordered {
        next: after,
        ..Ordered::default()
    };
    for _ in 0..OPERATE_PAGES {
        let rows = queue.store.waiting(found.next).await?;
        found.next = rows.last().map(|row| (row.queue_id, row.recipient));
        if rows.is_empty() {
            return Ok(found);
        }
        let now = queue.clock.now();
        let is_meant = |row: &WaitingRow| order.act.concerns(row) && order.selection.matches(row, now);
        let meant: Vec<WaitingRow> = rows.into_iter().filter(is_meant).collect();
        found.matched += meant.len() as u64;
        if order.do_it && !meant.is_empty() {
            found.changed += change(queue, order, &meant, now).await?;
        }
        let room = OPERATE_SAMPLE.saturating_sub(found.sample.len());
        found.sample.extend(meant.into_iter().take(room).map(entry));
    }
    Ok(found)
}

/// Changes these rows with their audit entry; gives how many.
async fn change(queue: &Queue, order: &Order, rows: &[WaitingRow], now: UnixMs) -> Result<u64> {
    let mut ops: Vec<Op> = rows.iter().flat_map(|row| ops(order, row, now)).collect();
    ops.push(audit(order, rows));
    match commit(queue, ops).await {
        Ok(()) => {
            rows.iter().for_each(|row| tell(queue, order, row, now));
            Ok(rows.len() as u64)
        }
        // Somebody left the queue meanwhile: one by one.
        Err(StoreError::Conflict(Conflict::NotWaiting)) => one_by_one(queue, order, rows, now).await,
        Err(error) => Err(error),
    }
}

async fn one_by_one(queue: &Queue, order: &Order, rows: &[WaitingRow], now: UnixMs) -> Result<u64> {
    let mut changed = 0;
    for row in rows {
        let mut ops: Vec<Op> = ops(order, row, now);
        ops.push(audit(order, std::slice::from_ref(row)));
        match commit(queue, ops).await {
            Ok(()) => {
                tell(queue, order, row, now);
                changed += 1;
            }
            Err(StoreError::Conflict(Conflict::NotWaiting)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(changed)
}

async fn commit(queue: &Queue, ops: Vec<Op>) -> Result<()> {
    let urgency = Urgency::Urgent;
    let committed = queue.store.commit(Batch { urgency, ops }).await?;
    // The operator is answered with a count, not with the proof.
    drop(committed);
    Ok(())
}

fn ops(order: &Order, row: &WaitingRow, now: UnixMs) -> Vec<Op> {
    let (queue_id, recipient) = (row.queue_id, row.recipient);
    let reschedule = |deadline| Op::Reschedule {
        queue_id,
        recipient,
        due: now,
        deadline,
    };
    let hold = |held| Op::Hold {
        queue_id,
        recipient,
        held,
    };
    match order.act {
        Act::Retry => vec![reschedule(None)],
        Act::Hold => vec![hold(true)],
        // It gets a try before it is given up, however long it was held.
        Act::Release => {
            let deadline = row.deadline.max(later(now, RELEASE_GRACE));
            vec![hold(false), reschedule(Some(deadline))]
        }
        Act::Purge => vec![Op::Purge {
            queue_id,
            recipient,
            note: note(&order.by),
        }],
    }
}

fn note(by: &str) -> String {
    AttemptText {
        result: AttemptResult::Purged,
        reason: format!("by {by}"),
        ..AttemptText::default()
    }
    .json()
}

/// An audit entry of the queue, as JSON: in the shape of the other entries, so that one history tells them all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueAudit {
    /// who did it
    pub by: String,
    /// `queue`
    pub noun: String,
    /// what was done: `retried`, `held`, `released`, `purged`
    pub verb: String,
    /// to whom, in words
    pub name: String,
    /// the first recipients, with their queue ids
    pub note: String,
    /// to how many recipients
    pub recipients: u64,
}

fn audit(order: &Order, rows: &[WaitingRow]) -> Op {
    let first: Vec<String> = rows
        .iter()
        .take(OPERATE_SAMPLE)
        .map(|row| format!("{} for {}", row.queue_id, row.address))
        .collect();
    let more = match rows.len() - first.len() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let entry = QueueAudit {
        by: order.by.clone(),
        noun: "queue".to_owned(),
        verb: order.act.done().to_owned(),
        name: order.selection.words(),
        note: format!("{}{more}", first.join(", ")),
        recipients: rows.len() as u64,
    };
    Op::Audit {
        text: serde_json::to_string(&entry).expect("plain values are always JSON"),
    }
}

fn tell(queue: &Queue, order: &Order, row: &WaitingRow, now: UnixMs) {
    queue.events.emit(&QueueEvent::Operated {
        queue_id: row.queue_id,
        to: row.address.clone(),
        act: order.act.name(),
        by: order.by.clone(),
    });
    match order.act {
        Act::Retry => queue.tell_urgent(&row.lane, now),
        Act::Release => queue.tell(&row.lane, now),
        Act::Hold | Act::Purge => {}
    }
}

/// Pulls in what a lane's recipients got while the clock was wrong: due times and deadlines further ahead than `longest`
/// allows (threat case Q-12). Times before which the sender did not want it to leave stay. Gives how many were moved, at most
/// a page.
///
/// # Errors
/// Those of the store.
pub async fn pull_in(queue: &Queue, lane: &str) -> Result<u64> {
    let schedule = queue.schedule();
    let now = queue.clock.now();
    let never = UnixMs(u64::MAX >> 1);
    let claimed = queue
        .store
        .claim_lane(lane, never, store::contract::PAGE_ROWS)
        .await?;
    let ops: Vec<Op> = claimed
        .iter()
        .filter_map(|(_, row)| nearer(&schedule, now, row))
        .collect();
    let moved = ops.len() as u64;
    let done = if ops.is_empty() {
        Ok(())
    } else {
        commit(queue, ops).await
    };
    let claims = claimed.into_iter().map(|(claim, _): (Claim, WaitingRow)| claim);
    claims.for_each(|claim| queue.store.release(claim));
    match done {
        Ok(()) => Ok(moved),
        // Somebody was purged meanwhile: the others are found at the next look.
        Err(StoreError::Conflict(Conflict::NotWaiting)) => Ok(0),
        Err(error) => Err(error),
    }
}

/// What pulls a row in, where it is further ahead than it can be. `None` where it is not, or where the sender wished it so.
fn nearer(schedule: &Schedule, now: UnixMs, row: &WaitingRow) -> Option<Op> {
    let hold = EnvelopeParams::read(&row.envelope).hold_until_unix_ms;
    let not_before = hold.unwrap_or(0);
    if not_before >= row.due.0 {
        return None;
    }
    let due = sane_due(now, row.due, schedule.longest_wait());
    let latest = later(
        UnixMs(now.0.max(not_before)),
        schedule.give_up.saturating_add(Duration::from_secs(86_400)),
    );
    let deadline = row.deadline.min(latest);
    ((due, deadline) != (row.due, row.deadline)).then_some(Op::Reschedule {
        queue_id: row.queue_id,
        recipient: row.recipient,
        due,
        deadline: Some(deadline),
    })
}
