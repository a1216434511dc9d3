//! The worker: claims, decides, records.

use std::sync::Arc;

use directory::Directory;
use mail::address::{Mailbox, Utf8};
use queue::accept::Prepared;
use queue::attempt::{AttemptResult, AttemptText};
use queue::lanes::LOCAL;
use queue::operate::pull_in;
use queue::params::RecipientParams;
use queue::schedule::{next_try, sane_due};
use queue::{Queue, QueueEvent};
use store::contract::{Batch, Claim, Conflict, Op, Outcome, Result, StoreError, Urgency, WaitingRow};
use tokio::sync::watch;
use world::clock::{Monotonic, UnixMs};

use crate::bounce::Kind;
use crate::limits::{CLAIMS, HEADER_BYTES, LONGEST_SLEEP, STORE_PAUSE};
use crate::local;
use crate::remote::Remote;
use crate::remote::report::{self, About};

/// Delivers to waiting recipients.
pub struct Worker {
    /// where they wait
    pub queue: Arc<Queue>,
    /// who is here
    pub directory: Arc<Directory>,
    /// who writes the reports of deliveries that senders asked for (RFC 3461 §4.1); without it nobody is told
    pub reports: Option<Arc<Remote>>,
}

/// Works until `shutdown` turns true. One per store.
pub async fn run(worker: Worker, mut shutdown: watch::Receiver<bool>) {
    loop {
        let pause = worker.until_the_queue_is_idle().await;
        let clock = &worker.queue.clock;
        let wake = clock.sleep_until(Monotonic(clock.monotonic().0 + pause));
        tokio::select! {
            () = stopping(&mut shutdown) => return,
            () = worker.queue.waiting.notified() => {}
            () = wake => {}
        }
    }
}

/// Completes when the program stops.
async fn stopping(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|stopping| *stopping).await.is_err() {
        // Nobody can stop it any more.
        std::future::pending::<()>().await;
    }
}

impl Worker {
    /// Delivers what is due; returns how long to sleep.
    async fn until_the_queue_is_idle(&self) -> std::time::Duration {
        loop {
            match self.round().await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => return self.store_failed(&error),
            }
            return match self.queue.store.lane_due(LOCAL).await {
                Ok(Some(due)) => match self.sleep_until(due).await {
                    Ok(sleep) => sleep,
                    Err(error) => self.store_failed(&error),
                },
                Ok(None) => LONGEST_SLEEP,
                Err(error) => self.store_failed(&error),
            };
        }
    }

    async fn sleep_until(&self, due: UnixMs) -> Result<std::time::Duration> {
        let now = self.queue.clock.now();
        // A due time that no schedule gives was made while the clock was wrong (threat case Q-12).
        if sane_due(now, due, self.queue.schedule().longest_wait()) < due {
            pull_in(&self.queue, LOCAL).await?;
        }
        let wait = due.0.saturating_sub(now.0);
        Ok(std::time::Duration::from_millis(wait).min(LONGEST_SLEEP))
    }

    fn store_failed(&self, error: &StoreError) -> std::time::Duration {
        self.queue.events.emit(&QueueEvent::StoreFailed {
            reason: error.to_string(),
        });
        STORE_PAUSE
    }

    /// Claims who is due and deals with each; returns how many there were.
    ///
    /// # Errors
    /// Those of the store. Claims that were not dealt with are given back.
    pub async fn round(&self) -> Result<usize> {
        let claims = self
            .queue
            .store
            .claim_lane(LOCAL, self.queue.clock.now(), CLAIMS)
            .await?;
        let found = claims.len();
        let mut claims = claims.into_iter();
        while let Some((claim, row)) = claims.next() {
            if let Err(error) = self.one(claim, &row).await {
                self.queue.store.release(claim);
                claims.for_each(|(claim, _)| self.queue.store.release(claim));
                return Err(error);
            }
        }
        Ok(found)
    }

    async fn one(&self, claim: Claim, row: &WaitingRow) -> Result<()> {
        let mut outcome = self.outcome(row).await?;
        match self.record(claim, row, outcome.clone()).await {
            // Placed before: a replay. The row has no more to wait for.
            Err(StoreError::Conflict(Conflict::AlreadyDelivered)) => {
                self.record(claim, row, Outcome::DeliveredElsewhere).await?;
            }
            // Somebody else has dealt with it.
            Err(StoreError::Conflict(Conflict::ClaimLost)) => return Ok(()),
            // One mailbox that can take nothing must not hold up everybody else.
            Err(error @ (StoreError::Damaged(_) | StoreError::Conflict(_))) => {
                outcome = self.postponed(row, &error);
                self.record(claim, row, outcome.clone()).await?;
            }
            other => other?,
        }
        self.tell(row, &outcome);
        Ok(())
    }

    fn postponed(&self, row: &WaitingRow, error: &StoreError) -> Outcome {
        Outcome::Retry {
            due: next_try(self.queue.clock.now(), row.attempts),
            deadline: row.deadline,
            reason: error.to_string(),
        }
    }

    async fn outcome(&self, row: &WaitingRow) -> Result<Outcome> {
        let main_address = row.account.and_then(|account| self.directory.address_of(account));
        let whom = local::whom(row, |address| self.directory.resolve(address), main_address);
        let now = self.queue.clock.now();
        let header = match whom {
            local::Whom::Here(_) => self.header(row).await,
            local::Whom::Gone => Ok(Vec::new()),
        };
        match header {
            Ok(header) => Ok(local::decide(row, whom, &header, &*self.queue.plan, now)),
            // One damaged body must not hold up everybody else.
            Err(error @ StoreError::Damaged(_)) => Ok(self.postponed(row, &error)),
            Err(error) => Err(error),
        }
    }

    async fn header(&self, row: &WaitingRow) -> Result<Vec<u8>> {
        let start = self.queue.store.read_body(row.blob, 0, HEADER_BYTES).await?;
        Ok(start[..mail::header::body_start(&start)].to_vec())
    }

    async fn record(&self, claim: Claim, row: &WaitingRow, outcome: Outcome) -> Result<()> {
        let op = Op::RecordOutcome {
            claim,
            outcome,
            prior_attempts: row.attempts,
            attempt: None,
        };
        let report = self.report(row, &op).await?;
        let mut ops = vec![op];
        ops.extend(report.iter().map(Prepared::op));
        let batch = Batch {
            urgency: Urgency::Lazy,
            ops,
        };
        // The waiting row is the acknowledgement here: it is gone, or has its next time.
        drop(self.queue.store.commit(batch).await?);
        report
            .into_iter()
            .for_each(|report| report.committed(&self.queue));
        Ok(())
    }

    /// The report of a delivery, if the sender asked for one: the same transaction places the message and accepts it.
    async fn report(&self, row: &WaitingRow, op: &Op) -> Result<Option<Prepared>> {
        let here = matches!(
            op,
            Op::RecordOutcome {
                outcome: Outcome::DeliveredHere(_),
                ..
            }
        );
        let (Some(remote), true) = (&self.reports, here) else {
            return Ok(None);
        };
        let params = RecipientParams::read(&row.params);
        let Ok(mailbox) = Mailbox::parse(&row.address, Utf8::Allowed) else {
            return Ok(None);
        };
        let attempt = AttemptText {
            result: AttemptResult::Delivered,
            // RFC 3463 §3.1: success of which nothing more is told.
            status: "2.0.0".to_owned(),
            reason: if params.expanded {
                "taken for all whom the address stands for".to_owned()
            } else {
                "kept in the mailbox".to_owned()
            },
            ..AttemptText::default()
        };
        let about = About {
            row,
            params: &params,
            mailbox: &mailbox,
            attempt: &attempt,
            attempted_at: Some(self.queue.clock.now()),
            expired: false,
            retry_until: None,
        };
        let kind = if params.expanded {
            Kind::Expanded
        } else {
            Kind::Delivered
        };
        report::prepare(remote, kind, &[about]).await
    }

    fn tell(&self, row: &WaitingRow, outcome: &Outcome) {
        let (queue_id, to) = (row.queue_id, row.address.clone());
        let event = match outcome {
            Outcome::DeliveredHere(_) | Outcome::DeliveredElsewhere => QueueEvent::Delivered {
                queue_id,
                to,
                attempts: u64::from(row.attempts),
            },
            // This worker tells nobody of a delay.
            Outcome::Told { .. } => return,
            Outcome::Retry { due, reason, .. } => QueueEvent::Postponed {
                queue_id,
                to,
                reason: reason.clone(),
                due_unix_ms: due.0,
                attempts: u64::from(row.attempts) + 1,
            },
            Outcome::Failed { reason } => QueueEvent::Postponed {
                queue_id,
                to,
                reason: reason.clone(),
                due_unix_ms: 0,
                attempts: u64::from(row.attempts) + 1,
            },
        };
        self.queue.events.emit(&event);
    }
}
