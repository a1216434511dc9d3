//! The moment of responsibility: body, messages, placements of the ready recipients and queue rows of the others.

use mail::ids::{Id, MailboxId, QueueId};
use rusqlite::params;

use crate::contract::{
    Accept, Accepted, Conflict, Delivery, MessageRow, OpResult, Placed, Result, StoreError, Waiting,
};
use crate::embedded::apply::Work;
use crate::embedded::apply::place::{Overflow, Tenant, is_constraint};
use crate::embedded::load::{AcceptedRow, MessageState, StoredWaiting};
use crate::embedded::plants;
use crate::embedded::rows::int;

impl Work<'_> {
    /// Accepts a message.
    pub(super) fn accept(&mut self, accept: &Accept) -> Result<OpResult> {
        let waits = u64::from(!accept.waiting.is_empty());
        let refs = accept.deliveries.len() as u64 + waits;
        self.shared.saw_id(accept.queue_id.raw());
        if refs > 0 {
            self.insert_body(&accept.body, refs)?;
        }
        let source = AcceptedRow {
            queue_id: accept.queue_id,
            blob: accept.body.blob,
            body_bytes: accept.body.size_bytes,
            reverse_path: accept.reverse_path.clone(),
            envelope: accept.envelope.clone(),
            queue_prefix: accept.queue_prefix.clone(),
            received_at: accept.received_at,
        };
        let mut placed = Vec::with_capacity(accept.deliveries.len());
        for delivery in &accept.deliveries {
            self.deliver(&source, delivery, &mut placed)?;
        }
        if !accept.waiting.is_empty() {
            self.insert_accepted(&source)?;
        }
        for waiting in &accept.waiting {
            self.insert_waiting(accept.queue_id, waiting)?;
        }
        let waiting = u32::try_from(accept.waiting.len()).unwrap_or(u32::MAX);
        Ok(OpResult::Accepted(Accepted {
            queue_id: accept.queue_id,
            placed,
            waiting,
        }))
    }

    /// Places one recipient's copy. The key (accepted, recipient, mailbox) makes a replay fail.
    pub(super) fn deliver(
        &mut self,
        source: &AcceptedRow,
        delivery: &Delivery,
        placed: &mut Vec<Placed>,
    ) -> Result<()> {
        let mut targets: Vec<(MailboxId, &crate::flags::Flags)> = Vec::with_capacity(delivery.targets.len());
        for (target, flags) in &delivery.targets {
            let mailbox = self.resolve(delivery.account, target)?;
            if !targets.iter().any(|(known, _)| *known == mailbox) {
                targets.push((mailbox, flags));
            }
        }
        if targets.is_empty() {
            return Err(StoreError::Conflict(Conflict::NoSuchMailbox));
        }
        let message = MessageState {
            row: MessageRow {
                id: self.new_message(),
                account: delivery.account,
                blob: source.blob,
                prefix: delivery.prefix.clone().into(),
                body_bytes: source.body_bytes,
                internal_date: source.received_at,
                saved_at: self.now,
            },
            places: targets.len() as u64,
        };
        self.insert_message(&message)?;
        for (mailbox, flags) in targets {
            self.insert_delivery_key(source.queue_id, delivery.recipient, mailbox)?;
            let keywords = self.keyword_numbers(mailbox, flags, Overflow::Drop)?;
            let place = self.place(mailbox, Tenant::new(&message), flags.bits, keywords.as_deref())?;
            placed.push(Placed {
                recipient: delivery.recipient,
                ..place
            });
        }
        Ok(())
    }

    fn insert_delivery_key(&mut self, accepted: QueueId, recipient: u32, mailbox: MailboxId) -> Result<()> {
        let inserted = self
            .conn
            .prepare_cached("INSERT INTO deliveries VALUES(?,?,?)")?
            .execute(params![int(accepted.raw()), recipient, int(mailbox.raw())]);
        match inserted {
            Ok(_) => Ok(()),
            Err(error) if is_constraint(&error) && plants::no_unique() => Ok(()),
            Err(error) if is_constraint(&error) => Err(StoreError::Conflict(Conflict::AlreadyDelivered)),
            Err(error) => Err(error.into()),
        }
    }

    fn insert_accepted(&mut self, row: &AcceptedRow) -> Result<()> {
        let inserted = self
            .conn
            .prepare_cached("INSERT INTO accepted VALUES(?,?,?,?,?,?,?,?)")?
            .execute(params![
                int(row.queue_id.raw()),
                int(row.blob.raw()),
                int(row.body_bytes),
                row.reverse_path,
                row.envelope,
                row.queue_prefix,
                int(row.received_at.0),
                row.sum()
            ]);
        already_if_constraint(inserted)
    }

    fn insert_waiting(&mut self, queue_id: QueueId, waiting: &Waiting) -> Result<()> {
        let inserted = self
            .conn
            .prepare_cached("INSERT INTO waiting VALUES(?,?,?,?,?,?,?,?,?,?,?,?)")?
            .execute(params![
                int(queue_id.raw()),
                waiting.recipient,
                waiting.address,
                int(waiting.account.map_or(0, Id::raw)),
                waiting.lane,
                int(waiting.due.0),
                int(waiting.deadline.0),
                false,
                0,
                waiting.reason,
                waiting.params,
                StoredWaiting::new(queue_id, waiting.clone()).sum()
            ]);
        already_if_constraint(inserted)
    }
}

fn already_if_constraint(inserted: rusqlite::Result<usize>) -> Result<()> {
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if is_constraint(&error) => Err(StoreError::Conflict(Conflict::AlreadyDelivered)),
        Err(error) => Err(error.into()),
    }
}
