//! What became of a waiting recipient: its row changes or goes in the same transaction as the placement.

use mail::ids::{Id, QueueId};
use rusqlite::params;

use crate::contract::{
    ATTEMPTS_KEPT, Attempt, Claim, Conflict, Delivery, FIRST_ATTEMPTS_KEPT, OpResult, Outcome, Result,
    StoreError,
};
use crate::embedded::apply::Work;
use crate::embedded::apply::place::unreference;
use crate::embedded::load::{self, StoredWaiting};
use crate::embedded::rows::{Sum, int, uint};

impl Work<'_> {
    /// Records the outcome of a claimed recipient.
    pub(super) fn record_outcome(
        &mut self,
        claim: &Claim,
        outcome: &Outcome,
        prior_attempts: u32,
        attempt: Option<&Attempt>,
    ) -> Result<OpResult> {
        let lost = || StoreError::Conflict(Conflict::ClaimLost);
        if !self.shared.claims.holds(claim) {
            return Err(lost());
        }
        let (queue_id, recipient) = (claim.queue_id, claim.recipient);
        let Some(mut row) = load::waiting(self.conn, queue_id, recipient)? else {
            // It was purged before this claim could be ended; queue ids are never used again.
            self.shared.claims.release(claim);
            return Err(lost());
        };
        self.ledger.spend_claim(*claim);
        match outcome {
            Outcome::Retry {
                due,
                deadline,
                reason,
            } => {
                row.attempts = prior_attempts.saturating_add(1);
                row.waiting.due = *due;
                row.waiting.deadline = *deadline;
                row.waiting.reason.clone_from(reason);
                self.update_waiting(&row)?;
            }
            Outcome::Told { deadline, params } => {
                row.waiting.deadline = *deadline;
                row.waiting.params.clone_from(params);
                self.update_waiting(&row)?;
            }
            Outcome::DeliveredHere(delivery) => {
                self.place_claimed(claim, delivery)?;
                self.remove_waiting(queue_id, recipient)?;
            }
            Outcome::DeliveredElsewhere | Outcome::Failed { .. } => {
                self.remove_waiting(queue_id, recipient)?;
            }
        }
        if let Some(attempt) = attempt {
            self.insert_attempt(queue_id, recipient, &row.waiting.address, attempt)?;
        }
        Ok(OpResult::Recorded)
    }

    fn place_claimed(&mut self, claim: &Claim, delivery: &Delivery) -> Result<()> {
        let missing = || StoreError::Damaged(format!("accepted message {}", claim.queue_id));
        let source = load::accepted(self.conn, claim.queue_id)?.ok_or_else(missing)?;
        let mut body = load::body(self.conn, source.blob.raw())?.ok_or_else(missing)?;
        body.refs += 1;
        body.update(self.conn)?;
        self.deliver(&source, delivery, &mut Vec::new())
    }

    /// Writes what can change of a waiting recipient's row.
    pub(super) fn update_waiting(&self, row: &StoredWaiting) -> Result<()> {
        self.conn
            .prepare_cached(
                "UPDATE waiting SET due=?,deadline=?,held=?,attempts=?,reason=?,params=?,sum=? \
                 WHERE queue_id=? AND recipient=?",
            )?
            .execute(params![
                int(row.waiting.due.0),
                int(row.waiting.deadline.0),
                row.held,
                row.attempts,
                row.waiting.reason,
                row.waiting.params,
                row.sum(),
                int(row.queue_id.raw()),
                row.waiting.recipient
            ])?;
        Ok(())
    }

    /// Removes the recipient's row, and the message's queue row with the last of them.
    pub(super) fn remove_waiting(&mut self, queue_id: QueueId, recipient: u32) -> Result<()> {
        self.conn
            .prepare_cached("DELETE FROM waiting WHERE queue_id=? AND recipient=?")?
            .execute(params![int(queue_id.raw()), recipient])?;
        let others: bool = self
            .conn
            .prepare_cached("SELECT EXISTS(SELECT 1 FROM waiting WHERE queue_id=?)")?
            .query_row(params![int(queue_id.raw())], |row| row.get(0))?;
        if others {
            return Ok(());
        }
        if let Some(accepted) = load::accepted(self.conn, queue_id)? {
            self.conn
                .prepare_cached("DELETE FROM accepted WHERE queue_id=?")?
                .execute(params![int(queue_id.raw())])?;
            unreference(self.conn, accepted.blob.raw(), self.now)?;
        }
        Ok(())
    }

    /// Keeps an attempt, and lets the oldest of the last ones go when there are too many.
    pub(super) fn insert_attempt(
        &mut self,
        queue_id: QueueId,
        recipient: u32,
        address: &str,
        attempt: &Attempt,
    ) -> Result<()> {
        let last: Option<i64> = self
            .conn
            .prepare_cached("SELECT max(number) FROM attempts WHERE queue_id=? AND recipient=?")?
            .query_row(params![int(queue_id.raw()), recipient], |row| row.get(0))?;
        let number = last.map_or(0, |last| uint(last).saturating_add(1));
        self.conn
            .prepare_cached("INSERT INTO attempts VALUES(?,?,?,?,?,?,?)")?
            .execute(params![
                int(queue_id.raw()),
                recipient,
                int(number),
                int(attempt.at.0),
                address,
                attempt.text,
                attempt_sum(queue_id, (recipient, number), address, attempt)
            ])?;
        let kept_last = u64::from(ATTEMPTS_KEPT - FIRST_ATTEMPTS_KEPT);
        let too_many = number.checked_sub(kept_last);
        if let Some(gone) = too_many.filter(|gone| *gone >= u64::from(FIRST_ATTEMPTS_KEPT)) {
            self.conn
                .prepare_cached("DELETE FROM attempts WHERE queue_id=? AND recipient=? AND number=?")?
                .execute(params![int(queue_id.raw()), recipient, int(gone)])?;
        }
        Ok(())
    }
}

/// Checksum of an attempt's row.
pub(crate) fn attempt_sum(
    queue_id: QueueId,
    (recipient, number): (u32, u64),
    address: &str,
    attempt: &Attempt,
) -> i64 {
    Sum::of("attempt")
        .int(queue_id.raw())
        .int(u64::from(recipient))
        .int(number)
        .int(attempt.at.0)
        .bytes(address.as_bytes())
        .bytes(attempt.text.as_bytes())
        .end()
}
