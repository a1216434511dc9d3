//! Recipients whose deadline has passed, whether or not anybody can reach their destination: the sender is told of the delay,
//! or everything is given up (threat case Q-11). What a deadline means is decided by [`queue::deadline`].

use std::sync::Arc;

use mail::address::{Mailbox, Path, Utf8};
use mail::ids::Id;
use queue::attempt::{AttemptResult, AttemptText};
use queue::deadline::{self, Expiry, Overdue, Passed};
use queue::params::{EnvelopeParams, RecipientParams};
use queue::put_right;
use store::contract::{
    Attempt, Batch, Claim, Conflict, Op, Outcome, Result, StoreError, Urgency, WaitingRow,
};
use tokio::sync::watch;
use world::clock::{Monotonic, UnixMs};

use super::report::{self, About};
use super::{Remote, letter, stopping};
use crate::bounce::Kind;
use crate::events::DeliverEvent;
use crate::limits::{CLOCK_JUMP, CLOCK_PATIENCE, OVERDUE_CLAIMS, OVERDUE_SLEEP, REPORT_AGAIN, STORE_PAUSE};

/// Works until `shutdown` turns true.
pub async fn run(remote: Arc<Remote>, mut shutdown: watch::Receiver<bool>) {
    let mut watch = ClockWatch::default();
    let mut walk = Walk::Begins;
    while !*shutdown.borrow() {
        let (patience, changed) = watch.look(&remote);
        if changed {
            walk = Walk::Begins;
        }
        let done = match walk.step(&remote).await {
            Ok(()) => round(&remote, patience).await,
            Err(error) => Err(error),
        };
        let pause = match done {
            Ok(0) if walk == Walk::Ended => OVERDUE_SLEEP,
            Ok(_) => continue,
            Err(error) => {
                remote.store_failed(&error);
                STORE_PAUSE
            }
        };
        let clock = &remote.queue.clock;
        let wake = clock.sleep_until(Monotonic(clock.monotonic().0 + until_next(&remote, pause).await));
        tokio::select! {
            () = stopping(&mut shutdown) => return,
            () = wake => {}
        }
    }
}

/// Putting right what a wrong clock left in the queue: at the start, after a jump, and again when its patience ends, for those who
/// were in delivery meanwhile.
#[derive(Debug, PartialEq, Eq)]
enum Walk {
    Begins,
    Behind(put_right::Place),
    Ended,
}

impl Walk {
    async fn step(&mut self, remote: &Remote) -> Result<()> {
        let after = match self {
            Self::Begins => None,
            Self::Behind(place) => Some(*place),
            Self::Ended => return Ok(()),
        };
        *self = match put_right::page(&remote.queue, after).await {
            Ok(page) => page.next.map_or(Self::Ended, Self::Behind),
            // Rot in one row must not keep the others from their end.
            Err(error @ StoreError::Damaged(_)) => {
                remote.store_failed(&error);
                Self::Ended
            }
            Err(error) => return Err(error),
        };
        Ok(())
    }
}

/// Notices when the wall clock jumps: what a wrong clock says is over is not given up before somebody had the time to mend it
/// (threat case Q-12).
#[derive(Debug, Default)]
struct ClockWatch {
    last: Option<(UnixMs, Monotonic)>,
    patient_until: Option<Monotonic>,
}

/// Whether anybody is told that something is over, or takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// yes
    None,
    /// not before this time: the clock has jumped
    Until(UnixMs),
}

impl ClockWatch {
    /// How patient to be, and whether that changed.
    fn look(&mut self, remote: &Remote) -> (Patience, bool) {
        let mut changed = false;
        let (wall, steady) = (remote.queue.clock.now(), remote.queue.clock.monotonic());
        if let Some((last_wall, last_steady)) = self.last.replace((wall, steady)) {
            let passed = steady.0.saturating_sub(last_steady.0);
            let expected = queue::schedule::later(last_wall, passed);
            let jump_ms = wall.0.abs_diff(expected.0);
            if std::time::Duration::from_millis(jump_ms) > CLOCK_JUMP {
                remote.queue.events.emit(&DeliverEvent::ClockJumped {
                    seconds: jump_ms / 1000,
                    ahead: wall.0 > expected.0,
                });
                self.patient_until = Some(Monotonic(steady.0 + CLOCK_PATIENCE));
                changed = true;
            }
        }
        let patience = match self.patient_until {
            Some(until) if steady < until => {
                Patience::Until(queue::schedule::later(wall, until.0.saturating_sub(steady.0)))
            }
            over => {
                changed |= over.is_some();
                self.patient_until = None;
                Patience::None
            }
        };
        (patience, changed)
    }
}

/// Until the next deadline, at most `longest`: deadlines of new mail are not told, and lie further ahead.
async fn until_next(remote: &Remote, longest: std::time::Duration) -> std::time::Duration {
    match remote.queue.store.next_deadline().await {
        Ok(Some(deadline)) => {
            let wait = deadline.0.saturating_sub(remote.queue.clock.now().0);
            // A second at least: a deadline that cannot be dealt with must not spin.
            std::time::Duration::from_millis(wait.max(1000)).min(longest)
        }
        _ => longest,
    }
}

/// Deals with those who are overdue; gives how many there were.
///
/// # Errors
/// Those of the store. Claims that were not dealt with are given back.
pub async fn round(remote: &Remote, patience: Patience) -> Result<usize> {
    let now = remote.queue.clock.now();
    let rows = remote.queue.store.claim_overdue(now, OVERDUE_CLAIMS).await?;
    let found = rows.len();
    let mut rows = rows.into_iter();
    while let Some((claim, row)) = rows.next() {
        match one(remote, claim, &row, (now, patience)).await {
            // Its report has no room: the others may need none.
            Err(StoreError::Full) => no_room(remote, claim, &row, now).await?,
            // Somebody purged it meanwhile.
            Ok(()) | Err(StoreError::Conflict(Conflict::ClaimLost)) => {}
            // Rot in one row must not keep the others from their end; its claim stays, so that it is not read again and again.
            Err(error @ StoreError::Damaged(_)) => remote.store_failed(&error),
            Err(error) => {
                remote.queue.store.release(claim);
                rows.for_each(|(claim, _)| remote.queue.store.release(claim));
                return Err(error);
            }
        }
    }
    Ok(found)
}

async fn one(
    remote: &Remote,
    claim: Claim,
    row: &WaitingRow,
    (now, patience): (UnixMs, Patience),
) -> Result<()> {
    let envelope = EnvelopeParams::read(&row.envelope);
    let params = RecipientParams::read(&row.params);
    let overdue = Overdue {
        received_at: row.received_at,
        made_at: UnixMs(row.queue_id.unix_ms()),
        due: row.due,
        envelope: &envelope,
        recipient: &params,
        tell_delay: params.tells().delay && letter::path(&row.reverse_path) != Path::Null,
    };
    let case = Case {
        remote,
        claim,
        row,
        params: &params,
        now,
    };
    if params.refused {
        return case.refused().await;
    }
    match (deadline::passed(&remote.queue.schedule(), now, overdue), patience) {
        (Passed::NotYet { deadline }, _) => case.moved(deadline).await,
        (Passed::CountAnew { from, deadline }, _) => case.counted(from, deadline).await,
        (Passed::TryFirst { due, deadline }, _) => case.once_more(due, deadline).await,
        (Passed::Delayed { .. } | Passed::Expired(_), Patience::Until(then)) => case.moved(then).await,
        (Passed::Delayed { deadline }, Patience::None) => case.delayed(deadline).await,
        (Passed::Expired(why), Patience::None) => case.expired(why).await,
    }
}

async fn no_room(remote: &Remote, claim: Claim, row: &WaitingRow, now: UnixMs) -> Result<()> {
    let params = RecipientParams::read(&row.params);
    let case = Case {
        remote,
        claim,
        row,
        params: &params,
        now,
    };
    let later = queue::schedule::later(now, REPORT_AGAIN);
    match case.told(later, row.params.clone()).await {
        Err(StoreError::Conflict(Conflict::ClaimLost)) => Ok(()),
        done => done.inspect_err(|_| remote.queue.store.release(claim)),
    }
}

/// A recipient whose report is still missing stays out of its lane's way; [`round`] makes the report.
pub async fn set_aside(remote: &Remote, claim: Claim, row: &WaitingRow) {
    let now = remote.queue.clock.now();
    let outcome = Outcome::Retry {
        due: queue::schedule::later(now, remote.queue.schedule().longest_wait()),
        deadline: row.deadline,
        reason: row.reason.clone(),
    };
    let case = Case {
        remote,
        claim,
        row,
        params: &RecipientParams::read(&row.params),
        now,
    };
    let done = case.commit(outcome, None, None).await;
    remote.given_back_unless(done, claim);
}

/// A recipient whose address cannot be read will never be delivered: its sender is told now.
pub async fn unreadable(remote: &Remote, claim: Claim, row: &WaitingRow) {
    remote.queue.events.emit(&DeliverEvent::Unreadable {
        queue_id: row.queue_id,
        to: row.address.clone(),
    });
    let case = Case {
        remote,
        claim,
        row,
        params: &RecipientParams::read(&row.params),
        now: remote.queue.clock.now(),
    };
    let attempt = AttemptText {
        result: AttemptResult::Failed,
        status: "5.1.3".to_owned(),
        reason: format!("the address cannot be read: {}", row.address.escape_debug()),
        ..AttemptText::default()
    };
    let done = case.failed(attempt.clone(), (&attempt, None)).await;
    remote.given_back_unless(done, claim);
}

/// One recipient at its deadline.
struct Case<'a> {
    remote: &'a Remote,
    claim: Claim,
    row: &'a WaitingRow,
    params: &'a RecipientParams,
    now: UnixMs,
}

impl Case<'_> {
    async fn moved(&self, deadline: UnixMs) -> Result<()> {
        self.told(deadline, self.row.params.clone()).await
    }

    async fn counted(&self, from: UnixMs, deadline: UnixMs) -> Result<()> {
        let params = RecipientParams {
            counted_from_unix_ms: Some(from.0),
            ..self.params.clone()
        };
        self.told(deadline, params.json()).await
    }

    async fn told(&self, deadline: UnixMs, params: String) -> Result<()> {
        let outcome = Outcome::Told { deadline, params };
        self.commit(outcome, None, None).await?;
        self.again(self.row.due);
        Ok(())
    }

    async fn once_more(&self, due: UnixMs, deadline: UnixMs) -> Result<()> {
        let outcome = Outcome::Retry {
            due,
            deadline,
            reason: self.row.reason.clone(),
        };
        self.commit(outcome, None, None).await?;
        self.again(due);
        Ok(())
    }

    async fn delayed(&self, deadline: UnixMs) -> Result<()> {
        let params = RecipientParams {
            delayed_told: true,
            ..self.params.clone()
        };
        let outcome = Outcome::Told {
            deadline,
            params: params.json(),
        };
        let (last, at) = self.last_attempt().await?;
        let report = self.report(Kind::Delayed, (&last, at), Some(deadline)).await?;
        let told = report.is_some();
        self.commit(outcome, None, report).await?;
        if told {
            self.remote.queue.events.emit(&DeliverEvent::DelayTold {
                queue_id: self.row.queue_id,
                to: self.row.address.clone(),
            });
        }
        self.again(self.row.due);
        Ok(())
    }

    async fn expired(&self, why: Expiry) -> Result<()> {
        let (last, at) = self.last_attempt().await?;
        let time = match why {
            Expiry::WaitedLong => "it waited as long as anything may",
            Expiry::DeliverBy => "its sender wanted it back by now",
        };
        let reason = format!("given up: {time}. {}", self.row.reason);
        let attempt = AttemptText {
            result: AttemptResult::Failed,
            status: "5.4.7".to_owned(),
            reason,
            ..AttemptText::default()
        };
        self.failed(attempt, (&last, at)).await
    }

    /// The server's last word was final; the report had no room until now.
    async fn refused(&self) -> Result<()> {
        let (last, at) = self.last_attempt().await?;
        self.failed(last.clone(), (&last, at)).await
    }

    /// `told` is what the report says of the last attempt.
    async fn failed(&self, attempt: AttemptText, told: (&AttemptText, Option<UnixMs>)) -> Result<()> {
        let report = self.report(Kind::Failed, told, None).await?;
        let report_id = report.as_ref().map(queue::accept::Prepared::queue_id);
        let (status, reason) = (attempt.status.clone(), attempt.reason.clone());
        let outcome = Outcome::Failed {
            reason: reason.clone(),
        };
        // What a refused one's attempt says is written down already.
        let attempt = (!self.params.refused).then_some(attempt);
        self.commit(outcome, attempt, report).await?;
        self.remote.queue.events.emit(&DeliverEvent::Failed {
            queue_id: self.row.queue_id,
            to: self.row.address.clone(),
            status,
            reason,
            report: report_id,
        });
        Ok(())
    }

    /// What is known of the last attempt; of one that left nothing behind, the row's reason.
    async fn last_attempt(&self) -> Result<(AttemptText, Option<UnixMs>)> {
        let mut last = None;
        let mut after = self.row.recipient.checked_sub(1).map(|before| (before, u32::MAX));
        loop {
            let page = match self.remote.queue.store.attempts(self.row.queue_id, after).await {
                // Rot in what is only told must not keep the recipient from its end.
                Err(StoreError::Damaged(_)) => break,
                page => page?,
            };
            let ours = page.iter().filter(|one| one.recipient == self.row.recipient);
            last = ours.last().cloned().or(last);
            match page.last() {
                Some(one) if one.recipient == self.row.recipient => after = Some((one.recipient, one.number)),
                _ => break,
            }
        }
        Ok(match last {
            Some(attempt) => (AttemptText::read(&attempt.text), Some(attempt.at)),
            None => {
                let nothing = AttemptText {
                    // Nothing was tried of what we would not let leave (RFC 3463 §3.8: security or policy).
                    status: if self.params.refused { "5.7.1" } else { "4.4.7" }.to_owned(),
                    reason: self.row.reason.clone(),
                    ..AttemptText::default()
                };
                (nothing, None)
            }
        })
    }

    async fn report(
        &self,
        kind: Kind,
        (attempt, attempted_at): (&AttemptText, Option<UnixMs>),
        retry_until: Option<UnixMs>,
    ) -> Result<Option<queue::accept::Prepared>> {
        let mailbox = Mailbox::parse(&self.row.address, Utf8::Allowed).unwrap_or_else(|_| unnamed());
        let about = About {
            row: self.row,
            params: self.params,
            mailbox: &mailbox,
            attempt,
            attempted_at,
            expired: attempt.result != AttemptResult::Failed && kind == Kind::Failed,
            retry_until,
        };
        report::prepare(self.remote, kind, &[about]).await
    }

    async fn commit(
        &self,
        outcome: Outcome,
        attempt: Option<AttemptText>,
        report: Option<queue::accept::Prepared>,
    ) -> Result<()> {
        let mut ops = vec![Op::RecordOutcome {
            claim: self.claim,
            outcome,
            prior_attempts: self.row.attempts,
            attempt: attempt.map(|attempt| Attempt {
                at: self.now,
                text: attempt.json(),
            }),
        }];
        ops.extend(report.as_ref().map(queue::accept::Prepared::op));
        let batch = Batch {
            urgency: Urgency::Lazy,
            ops,
        };
        drop(self.remote.queue.store.commit(batch).await?);
        if let Some(report) = report {
            report.committed(&self.remote.queue);
        }
        Ok(())
    }

    /// While we had it, its lane may have been looked at without it.
    fn again(&self, due: UnixMs) {
        self.remote.queue.tell(&self.row.lane, due);
    }
}

/// Stands in a report for an address that cannot be read (RFC 2606 §2); the reason has what is there.
fn unnamed() -> Mailbox {
    Mailbox::parse("unreadable@address.invalid", Utf8::Refused).expect("a plain address is one")
}
