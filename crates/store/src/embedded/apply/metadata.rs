//! Metadata of mailboxes and accounts (RFC 5464), and subscriptions to names without a mailbox.

use bytes::Bytes;
use mail::ids::{AccountId, Id, MailboxId};
use rusqlite::params;

use crate::contract::{
    Conflict, METADATA_BYTES_PER_ACCOUNT, METADATA_ENTRIES_PER_ACCOUNT, METADATA_VALUE_BYTES, OpResult,
    Result, SUBSCRIBED_NAMES_PER_ACCOUNT, StoreError,
};
use crate::embedded::apply::Work;
use crate::embedded::rows::{int, metadata_sum, subscribed_name_sum, uint};
use crate::limits::{MAILBOX_DEPTH, MAILBOX_NAME_BYTES, METADATA_ENTRY_BYTES};

/// Longest whole name: every level with its separator.
const WHOLE_NAME_BYTES: usize = MAILBOX_DEPTH * (MAILBOX_NAME_BYTES + 1);

const fn refuse<T>(conflict: Conflict) -> Result<T> {
    Err(StoreError::Conflict(conflict))
}

impl Work<'_> {
    /// Sets and removes entries.
    pub(super) fn set_metadata(
        &mut self,
        account: AccountId,
        mailbox: Option<MailboxId>,
        entries: &[(String, Option<Bytes>)],
    ) -> Result<OpResult> {
        self.ledger.account(self.conn, account)?;
        self.ledger.touch_account(account);
        if let Some(mailbox) = mailbox {
            self.ledger.known_mailbox(self.conn, mailbox)?;
        }
        for (entry, value) in entries {
            match value {
                Some(value) => self.write_entry(account, mailbox, entry, value)?,
                None => self.remove_entry(account, mailbox, entry)?,
            }
        }
        let (count, bytes): (i64, i64) = self
            .conn
            .prepare_cached(
                "SELECT count(*),ifnull(sum(length(CAST(entry AS BLOB))+length(value)),0) FROM metadata \
                 WHERE account=? AND substr(entry,1,1)='/'",
            )?
            .query_row(params![int(account.raw())], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if uint(count) > METADATA_ENTRIES_PER_ACCOUNT as u64 {
            return refuse(Conflict::TooManyEntries);
        }
        if uint(bytes) > METADATA_BYTES_PER_ACCOUNT as u64 {
            return refuse(Conflict::MetadataTooLarge);
        }
        Ok(OpResult::Done)
    }

    fn write_entry(
        &mut self,
        account: AccountId,
        mailbox: Option<MailboxId>,
        entry: &str,
        value: &Bytes,
    ) -> Result<()> {
        if value.len() > METADATA_VALUE_BYTES || entry.len() > METADATA_ENTRY_BYTES {
            return refuse(Conflict::MetadataTooLarge);
        }
        self.conn
            .prepare_cached("INSERT OR REPLACE INTO metadata VALUES(?,?,?,?,?)")?
            .execute(params![
                int(account.raw()),
                int(mailbox.map_or(0, Id::raw)),
                entry,
                &value[..],
                metadata_sum(account, mailbox, entry, value)
            ])?;
        Ok(())
    }

    fn remove_entry(&mut self, account: AccountId, mailbox: Option<MailboxId>, entry: &str) -> Result<()> {
        self.conn
            .prepare_cached("DELETE FROM metadata WHERE account=? AND mailbox=? AND entry=?")?
            .execute(params![
                int(account.raw()),
                int(mailbox.map_or(0, Id::raw)),
                entry
            ])?;
        Ok(())
    }

    /// Nothing of an account's entries and names outlives it.
    pub(super) fn forget_account_entries(&self, account: AccountId) -> Result<()> {
        for statement in [
            "DELETE FROM metadata WHERE account=?",
            "DELETE FROM subscribed_names WHERE account=?",
        ] {
            self.conn
                .prepare_cached(statement)?
                .execute(params![int(account.raw())])?;
        }
        Ok(())
    }

    /// SUBSCRIBE and UNSUBSCRIBE of a name without a mailbox.
    pub(super) fn set_subscribed_name(
        &mut self,
        account: AccountId,
        name: &str,
        subscribed: bool,
    ) -> Result<OpResult> {
        self.ledger.account(self.conn, account)?;
        self.ledger.touch_account(account);
        if !subscribed {
            self.conn
                .prepare_cached("DELETE FROM subscribed_names WHERE account=? AND name=?")?
                .execute(params![int(account.raw()), name])?;
            return Ok(OpResult::Done);
        }
        if name.is_empty() || name.len() > WHOLE_NAME_BYTES {
            return refuse(Conflict::NotAllowed);
        }
        self.conn
            .prepare_cached("INSERT OR REPLACE INTO subscribed_names VALUES(?,?,?)")?
            .execute(params![
                int(account.raw()),
                name,
                subscribed_name_sum(account, name)
            ])?;
        let count: i64 = self
            .conn
            .prepare_cached("SELECT count(*) FROM subscribed_names WHERE account=?")?
            .query_row(params![int(account.raw())], |row| row.get(0))?;
        if uint(count) > SUBSCRIBED_NAMES_PER_ACCOUNT as u64 {
            return refuse(Conflict::TooManyEntries);
        }
        Ok(OpResult::Done)
    }
}
