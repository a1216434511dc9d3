//! Rights in mailboxes (RFC 4314): an entry changes, goes, and is handed down to what is made below.

use mail::ids::{AccountId, Id, MailboxId};
use rusqlite::params;

use crate::contract::{
    Conflict, GRANTS_PER_MAILBOX, OpResult, PUBLIC_MAILBOXES_PER_ACCOUNT, Result, StoreError,
};
use crate::embedded::apply::Work;
use crate::embedded::load;
use crate::embedded::rows::{grant_sum, grantee_code, int};
use crate::rights::{Grant, Grantee, RightsChange, Side};

const fn refuse<T>(conflict: Conflict) -> Result<T> {
    Err(StoreError::Conflict(conflict))
}

impl Work<'_> {
    /// Changes one entry. Who listens to the owner's mailboxes hears of it, and whom it is about.
    pub(super) fn change_grant(
        &mut self,
        mailbox: MailboxId,
        who: Grantee,
        side: Side,
        change: RightsChange,
    ) -> Result<OpResult> {
        let owner = self.ledger.known_mailbox(self.conn, mailbox)?.row.account;
        if let Grantee::Account(account) = who {
            self.ledger.account(self.conn, account)?;
            if account == owner {
                return refuse(Conflict::NotAllowed);
            }
        }
        let entries = load::grants(self.conn, mailbox)?;
        let known = entries.iter().find(|(known, _)| *known == who);
        let changed = known
            .map_or(Grant::default(), |(_, grant)| *grant)
            .changed(side, change);
        if known.is_none() && !changed.is_empty() && entries.len() >= GRANTS_PER_MAILBOX {
            return refuse(Conflict::TooManyEntries);
        }
        let public = who == Grantee::Anyone && known.is_none() && !changed.is_empty();
        if public && !self.has_room_for_public(owner)? {
            return refuse(Conflict::TooManyPublic);
        }
        self.write_grant(mailbox, who, changed)?;
        self.ledger.touch(owner, mailbox);
        match who {
            Grantee::Anyone => self.ledger.touch_everybody(),
            Grantee::Account(account) => self.ledger.touch_account(account),
        }
        self.ledger.modseq(self.conn, owner)?;
        Ok(OpResult::Done)
    }

    /// A new mailbox begins with what holds in the one above (RFC 4314 §4).
    pub(super) fn inherit_grants(&mut self, parent: MailboxId, mailbox: MailboxId) -> Result<()> {
        let owner = self.ledger.known_mailbox(self.conn, parent)?.row.account;
        for (who, grant) in load::grants(self.conn, parent)? {
            if who != Grantee::Anyone || self.has_room_for_public(owner)? {
                self.write_grant(mailbox, who, grant)?;
            }
        }
        Ok(())
    }

    /// Whether one more mailbox of an account may have an entry about anyone.
    fn has_room_for_public(&self, owner: AccountId) -> Result<bool> {
        let public: u32 = self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM grants g JOIN mailboxes m ON m.id=g.mailbox WHERE g.who=0 AND m.account=?",
            )?
            .query_row(params![int(owner.raw())], |row| row.get(0))?;
        Ok((public as usize) < PUBLIC_MAILBOXES_PER_ACCOUNT)
    }

    /// Nothing that others had in a mailbox outlives it: neither rights nor their notes on it.
    pub(super) fn forget_shares(&self, mailbox: MailboxId) -> Result<()> {
        for statement in [
            "DELETE FROM grants WHERE mailbox=?",
            "DELETE FROM metadata WHERE mailbox=?",
        ] {
            self.conn
                .prepare_cached(statement)?
                .execute(params![int(mailbox.raw())])?;
        }
        Ok(())
    }

    /// Nobody is named in an entry who is not there any more.
    pub(super) fn forget_grantee(&self, account: AccountId) -> Result<()> {
        self.conn
            .prepare_cached("DELETE FROM grants WHERE who=?")?
            .execute(params![int(account.raw())])?;
        Ok(())
    }

    fn write_grant(&self, mailbox: MailboxId, who: Grantee, grant: Grant) -> Result<()> {
        if grant.is_empty() {
            self.conn
                .prepare_cached("DELETE FROM grants WHERE mailbox=? AND who=?")?
                .execute(params![int(mailbox.raw()), int(grantee_code(who))])?;
            return Ok(());
        }
        self.conn
            .prepare_cached("INSERT OR REPLACE INTO grants VALUES(?,?,?,?,?)")?
            .execute(params![
                int(mailbox.raw()),
                int(grantee_code(who)),
                grant.given.bits(),
                grant.taken.bits(),
                grant_sum(mailbox, who, grant)
            ])?;
        Ok(())
    }
}
