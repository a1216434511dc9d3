//! What becomes of a job's recipients when its task ends by a fault of ours, in the middle.
//!
//! Whoever cannot have the message is tried again by the schedule, so that a fault that comes every time is no storm. Whoever may have
//! it is not claimed again before a restart, because a fault that comes every time would send it every time; the deadline
//! goes on, and its end is told.

use std::sync::Arc;

use queue::attempt::{AttemptResult, AttemptText};
use store::contract::{Attempt, Batch, Claim, Op, Outcome, Urgency};
use tokio::runtime::Handle;
use world::clock::UnixMs;

use super::find::number;
use super::job::Waiter;
use super::record::Settled;
use super::scheduler::Shared;
use super::status::Fate;
use super::talk::Pulse;

const FAULT: &str = "a fault of this program ended the attempt: please report it";

/// A job's claims while it is carried out and recorded. Dropped before [`InHand::done`], it decides what becomes of them.
pub struct InHand {
    shared: Arc<Shared>,
    pulse: Pulse,
    held: Vec<Held>,
}

struct Held {
    claim: Claim,
    lane: String,
    attempts: u32,
    deadline: UnixMs,
    may_have_it: MayHaveIt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MayHaveIt {
    /// once the message's end is sent
    OnceSent,
    Yes,
    No,
}

impl InHand {
    /// These are carried out now.
    pub fn take(shared: &Arc<Shared>, pulse: &Pulse, waiters: &[Waiter]) -> Self {
        let held = waiters.iter().map(|waiter| Held {
            claim: waiter.claim,
            lane: waiter.row.lane.clone(),
            attempts: waiter.row.attempts,
            deadline: waiter.row.deadline,
            may_have_it: MayHaveIt::OnceSent,
        });
        Self {
            shared: shared.clone(),
            pulse: pulse.clone(),
            held: held.collect(),
        }
    }

    /// It is known who has the message.
    pub fn decided(&mut self, settled: &[Settled]) {
        for (held, settled) in self.held.iter_mut().zip(settled) {
            held.may_have_it = match settled.decided.fate {
                Fate::Delivered { .. } => MayHaveIt::Yes,
                Fate::Later(_) | Fate::Failed(_) => MayHaveIt::No,
            };
        }
    }

    /// All of it is recorded, or given back.
    pub fn done(mut self) {
        self.held.clear();
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let sent = self.pulse.is_critical();
        self.pulse.set_critical(false);
        let store = &self.shared.remote.queue.store;
        let (lost, free): (Vec<Held>, Vec<Held>) =
            self.held.drain(..).partition(|held| match held.may_have_it {
                MayHaveIt::Yes => true,
                MayHaveIt::OnceSent => sent,
                MayHaveIt::No => false,
            });
        lost.iter().for_each(|held| store.abandon(held.claim));
        match Handle::try_current() {
            Ok(runtime) if std::thread::panicking() => {
                runtime.spawn(postpone(self.shared.clone(), free));
            }
            // The program stops.
            _ => free.iter().for_each(|held| store.release(held.claim)),
        }
    }
}

/// An attempt that came to nothing.
async fn postpone(shared: Arc<Shared>, held: Vec<Held>) {
    let remote = &shared.remote;
    let mut again = Vec::new();
    for held in held {
        let due = remote.next_try(held.attempts, number(&*remote.chance));
        let batch = Batch {
            urgency: Urgency::Lazy,
            ops: vec![failed_attempt(&held, due, remote.queue.clock.now())],
        };
        if let Err(error) = remote.queue.store.commit(batch).await {
            remote.queue.store.release(held.claim);
            remote.store_failed(&error);
        }
        again.push((held.lane, due));
    }
    shared.again(again);
}

fn failed_attempt(held: &Held, due: UnixMs, at: UnixMs) -> Op {
    let attempt = AttemptText {
        result: AttemptResult::Later,
        status: "4.3.0".to_owned(),
        reason: FAULT.to_owned(),
        ..AttemptText::default()
    };
    Op::RecordOutcome {
        claim: held.claim,
        outcome: Outcome::Retry {
            due,
            deadline: held.deadline,
            reason: FAULT.to_owned(),
        },
        prior_attempts: held.attempts,
        attempt: Some(Attempt {
            at,
            text: attempt.json(),
        }),
    }
}
