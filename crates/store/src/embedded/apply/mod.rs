//! Carries out the operations of one batch inside the writer's transaction. One file per family of verbs.

mod accept;
mod accounts;
mod flags;
mod grants;
mod mailboxes;
mod messages;
mod metadata;
mod operate;
mod outcome;
mod place;

use rusqlite::Connection;
use world::clock::UnixMs;

use crate::contract::{Batch, Op, OpResult, Receipt, Result};
use crate::embedded::ledger::Ledger;
use crate::embedded::shared::Shared;

pub(crate) use accounts::TARGET_SEPARATOR;
pub(crate) use flags::{flags_of, teach_sum};
pub(crate) use operate::audit_sum;
pub(crate) use outcome::attempt_sum;
pub(crate) use place::unreference;

/// What an operation works with.
pub(crate) struct Work<'a> {
    pub conn: &'a Connection,
    pub ledger: &'a mut Ledger,
    pub shared: &'a Shared,
    pub now: UnixMs,
}

impl Work<'_> {
    /// Carries out every operation, in order; the first that fails ends the batch.
    pub fn run(&mut self, batch: &Batch) -> Result<Receipt> {
        let results = batch
            .ops
            .iter()
            .map(|op| self.perform(op))
            .collect::<Result<Vec<OpResult>>>()?;
        Ok(Receipt { results })
    }

    /// A list: each operation goes to the file of its family.
    fn perform(&mut self, op: &Op) -> Result<OpResult> {
        match op {
            // The queue: accept.rs, outcome.rs, operate.rs.
            Op::Accept(accept) => self.accept(accept),
            Op::RecordOutcome {
                claim,
                outcome,
                prior_attempts,
                attempt,
            } => self.record_outcome(claim, outcome, *prior_attempts, attempt.as_ref()),
            Op::Hold {
                queue_id,
                recipient,
                held,
            } => self.hold(*queue_id, *recipient, *held),
            Op::Reschedule {
                queue_id,
                recipient,
                due,
                deadline,
            } => self.reschedule(*queue_id, *recipient, *due, *deadline),
            Op::Purge {
                queue_id,
                recipient,
                note,
            } => self.purge(*queue_id, *recipient, note),
            Op::Audit { text } => self.audit(text),
            // Messages: messages.rs, flags.rs.
            Op::Append {
                account,
                mailbox,
                body,
                flags,
                internal_date,
            } => self.append(*account, *mailbox, body, flags, *internal_date),
            Op::Replace {
                account,
                from,
                uid,
                mailbox,
                body,
                flags,
                internal_date,
            } => self.replace((*from, *uid), *account, *mailbox, body, flags, *internal_date),
            Op::SetFlags {
                mailbox,
                uids,
                edit,
                unchanged_since,
            } => self.set_flags(*mailbox, uids, edit, *unchanged_since),
            Op::Copy { from, uids, to, keep } => self.copy(*from, uids, (*to, *keep)),
            Op::Move { from, uids, to, keep } => self.move_messages(*from, uids, (*to, *keep)),
            Op::Expunge {
                mailbox,
                uids,
                only_deleted,
            } => self.expunge(*mailbox, uids, *only_deleted),
            // Mailboxes and what belongs to them: mailboxes.rs, grants.rs, metadata.rs.
            Op::CreateMailbox {
                account,
                mailbox,
                parent,
                name,
                special_use,
            } => self.create_mailbox(*account, *mailbox, *parent, name, *special_use),
            Op::DeleteMailbox { mailbox } => self.delete_mailbox(*mailbox),
            Op::RenameMailbox {
                mailbox,
                parent,
                name,
            } => self.rename_mailbox(*mailbox, *parent, name),
            Op::RenameInbox {
                account,
                mailbox,
                parent,
                name,
            } => self.rename_inbox(*account, *mailbox, *parent, name),
            Op::SetSubscribed { mailbox, subscribed } => self.set_subscribed(*mailbox, *subscribed),
            Op::SetSubscribedName {
                account,
                name,
                subscribed,
            } => self.set_subscribed_name(*account, name, *subscribed),
            Op::ChangeGrant {
                mailbox,
                who,
                side,
                change,
            } => self.change_grant(*mailbox, *who, *side, *change),
            Op::SetMetadata {
                account,
                mailbox,
                entries,
            } => self.set_metadata(*account, *mailbox, entries),
            // Who is here: accounts.rs.
            Op::CreateDomain { name, settings } => self.create_domain(name, settings),
            Op::SetDomain { name, settings } => self.set_domain(name, settings),
            Op::RemoveDomain { name } => self.remove_domain(name),
            Op::CreateAccount { account } => self.create_account(account),
            Op::SetAccount {
                account,
                credential,
                quota_bytes,
                enabled,
                settings,
            } => self.set_account(
                *account,
                credential.as_deref(),
                *quota_bytes,
                *enabled,
                settings.as_deref(),
            ),
            Op::RemoveAccount { account } => self.remove_account(*account),
            Op::CreateAlias { key, targets } => self.create_alias(key, targets),
            Op::SetAlias { key, targets } => self.set_alias(key, targets),
            Op::RemoveAlias { key } => self.remove_alias(key),
        }
    }
}

/// Whether a batch only frees space or records what already happened: taken even when the disk is nearly full.
pub(crate) fn frees_space(batch: &Batch) -> bool {
    batch.ops.iter().all(|op| {
        matches!(
            op,
            Op::Expunge { .. }
                | Op::SetFlags { .. }
                | Op::Move { .. }
                | Op::DeleteMailbox { .. }
                | Op::SetSubscribedName { .. }
                | Op::ChangeGrant { .. }
                | Op::RemoveAccount { .. }
                | Op::RemoveAlias { .. }
                | Op::RemoveDomain { .. }
                | Op::RecordOutcome { .. }
                | Op::Hold { .. }
                | Op::Reschedule { .. }
                | Op::Purge { .. }
                | Op::Audit { .. }
        )
    })
}

/// Bytes of bodies a batch carries in memory.
pub(crate) fn inline_bytes(batch: &Batch) -> usize {
    let body = |body: &crate::contract::Body| match &body.place {
        crate::contract::BodyPlace::Inline(bytes) => bytes.len(),
        crate::contract::BodyPlace::Staged(_) => 0,
    };
    let ops = batch.ops.iter().map(|op| match op {
        Op::Accept(accept) => body(&accept.body),
        Op::Append { body: appended, .. } | Op::Replace { body: appended, .. } => body(appended),
        _ => 0,
    });
    ops.sum()
}
