//! What became of a waiting recipient: its row changes or goes in the same transaction as the placement.

use mail::ids::{AccountId, Id};
use rusqlite::{OptionalExtension, params};
use world::clock::UnixMs;

use crate::contract::{Claim, Conflict, Delivery, OpResult, Outcome, Result, StoreError, Waiting};
use crate::embedded::apply::Work;
use crate::embedded::apply::accept::waiting_sum;
use crate::embedded::apply::place::unreference;
use crate::embedded::load;
use crate::embedded::rows::{int, uint, verify};

impl Work<'_> {
    /// Records the outcome of a claimed recipient.
    pub(super) fn record_outcome(
        &mut self,
        claim: &Claim,
        outcome: &Outcome,
        prior_attempts: u32,
    ) -> Result<OpResult> {
        let lost = || StoreError::Conflict(Conflict::ClaimLost);
        if !self.shared.claims.holds(claim) {
            return Err(lost());
        }
        let mut waiting = self.waiting_row(claim)?.ok_or_else(lost)?;
        self.ledger.spend_claim(*claim);
        match outcome {
            Outcome::Retry { due, reason } => {
                let attempts = prior_attempts.saturating_add(1);
                waiting.due = *due;
                waiting.reason.clone_from(reason);
                self.conn
                    .prepare_cached(
                        "UPDATE waiting SET due=?,attempts=?,reason=?,sum=? WHERE queue_id=? AND recipient=?",
                    )?
                    .execute(params![
                        int(due.0),
                        attempts,
                        reason,
                        waiting_sum(claim.queue_id, &waiting, attempts),
                        int(claim.queue_id.raw()),
                        claim.recipient
                    ])?;
            }
            Outcome::DeliveredHere(delivery) => {
                self.place_claimed(claim, delivery)?;
                self.remove_waiting(claim)?;
            }
            Outcome::DeliveredElsewhere | Outcome::Failed { .. } => self.remove_waiting(claim)?,
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

    /// Removes the recipient's row, and the message's queue row with the last of them.
    fn remove_waiting(&mut self, claim: &Claim) -> Result<()> {
        let queue_id = int(claim.queue_id.raw());
        self.conn
            .prepare_cached("DELETE FROM waiting WHERE queue_id=? AND recipient=?")?
            .execute(params![queue_id, claim.recipient])?;
        let others: bool = self
            .conn
            .prepare_cached("SELECT EXISTS(SELECT 1 FROM waiting WHERE queue_id=?)")?
            .query_row(params![queue_id], |row| row.get(0))?;
        if others {
            return Ok(());
        }
        if let Some(accepted) = load::accepted(self.conn, claim.queue_id)? {
            self.conn
                .prepare_cached("DELETE FROM accepted WHERE queue_id=?")?
                .execute(params![queue_id])?;
            unreference(self.conn, accepted.blob.raw(), self.now)?;
        }
        Ok(())
    }

    fn waiting_row(&self, claim: &Claim) -> Result<Option<Waiting>> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT address,account,due,reason,params,attempts,sum FROM waiting WHERE queue_id=? AND recipient=?",
            )?
            .query_row(params![int(claim.queue_id.raw()), claim.recipient], |row| {
                let account: i64 = row.get(1)?;
                let waiting = Waiting {
                    recipient: claim.recipient,
                    address: row.get(0)?,
                    account: (account != 0).then(|| AccountId::from_raw(uint(account))),
                    due: UnixMs(uint(row.get(2)?)),
                    reason: row.get(3)?,
                    params: row.get(4)?,
                };
                Ok((waiting, load::low(row.get(5)?), row.get::<_, i64>(6)?))
            })
            .optional()?;
        let Some((waiting, attempts, sum)) = found else {
            return Ok(None);
        };
        let what = || format!("waiting recipient {} of {}", claim.recipient, claim.queue_id);
        verify(sum, waiting_sum(claim.queue_id, &waiting, attempts), what)?;
        Ok(Some(waiting))
    }
}
