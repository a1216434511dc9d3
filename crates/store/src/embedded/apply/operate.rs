//! What an operator does with waiting recipients, and the note of who did it.

use mail::ids::{Id, QueueId};
use rusqlite::params;
use world::clock::UnixMs;

use crate::contract::{Attempt, Conflict, OpResult, Result, StoreError};
use crate::embedded::apply::Work;
use crate::embedded::load::{self, StoredWaiting};
use crate::embedded::rows::{Sum, int};

impl Work<'_> {
    /// Holds a recipient back or lets it go.
    pub(super) fn hold(&mut self, queue_id: QueueId, recipient: u32, held: bool) -> Result<OpResult> {
        let mut row = self.one_waiting(queue_id, recipient)?;
        row.held = held;
        self.update_waiting(&row)?;
        Ok(OpResult::Done)
    }

    /// Changes when a recipient is tried.
    pub(super) fn reschedule(
        &mut self,
        queue_id: QueueId,
        recipient: u32,
        due: UnixMs,
        deadline: Option<UnixMs>,
    ) -> Result<OpResult> {
        let mut row = self.one_waiting(queue_id, recipient)?;
        row.waiting.due = due;
        row.waiting.deadline = deadline.unwrap_or(row.waiting.deadline);
        self.update_waiting(&row)?;
        Ok(OpResult::Done)
    }

    /// Removes a recipient with its claim. A row that rot has hit can be purged too.
    pub(super) fn purge(&mut self, queue_id: QueueId, recipient: u32, note: &str) -> Result<OpResult> {
        let address = match self.one_waiting(queue_id, recipient) {
            Ok(row) => row.waiting.address,
            Err(StoreError::Damaged(_)) => String::new(),
            Err(error) => return Err(error),
        };
        if let Some(claim) = self.shared.claims.on(queue_id, recipient) {
            self.ledger.spend_claim(claim);
        }
        let note = Attempt {
            at: self.now,
            text: note.to_owned(),
        };
        self.insert_attempt(queue_id, recipient, &address, &note)?;
        self.remove_waiting(queue_id, recipient)?;
        Ok(OpResult::Done)
    }

    /// Writes an audit entry.
    pub(super) fn audit(&mut self, text: &str) -> Result<OpResult> {
        let id = self.shared.ids.next::<QueueId>().raw();
        self.shared.saw_id(id);
        self.conn
            .prepare_cached("INSERT INTO audit VALUES(?,?,?,?)")?
            .execute(params![
                int(id),
                int(self.now.0),
                text,
                audit_sum(id, self.now, text)
            ])?;
        Ok(OpResult::Done)
    }

    fn one_waiting(&self, queue_id: QueueId, recipient: u32) -> Result<StoredWaiting> {
        load::waiting(self.conn, queue_id, recipient)?.ok_or(StoreError::Conflict(Conflict::NotWaiting))
    }
}

/// Checksum of an audit entry.
pub(crate) fn audit_sum(id: u64, at: UnixMs, text: &str) -> i64 {
    Sum::of("audit").int(id).int(at.0).bytes(text.as_bytes()).end()
}
