//! CREATE, DELETE, RENAME, SUBSCRIBE.

use mail::ids::{AccountId, Id, MailboxId};
use rusqlite::{OptionalExtension, params};

use crate::contract::{Conflict, MailboxRow, OpResult, Result, SpecialUse, StoreError};
use crate::embedded::apply::Work;
use crate::embedded::apply::place::is_constraint;
use crate::embedded::rows::{int, mailbox_sum, special_use_code, uint};
use crate::flags::FlagMask;
use crate::limits::{MAILBOX_DEPTH, MAILBOX_NAME_BYTES, MAILBOXES_PER_ACCOUNT};
use crate::uids::UidSet;

const fn refuse<T>(conflict: Conflict) -> Result<T> {
    Err(StoreError::Conflict(conflict))
}

impl Work<'_> {
    /// Creates a mailbox.
    pub(super) fn create_mailbox(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        parent: Option<MailboxId>,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Result<OpResult> {
        self.ledger.account(self.conn, account)?;
        self.check_place(account, None, parent, name)?;
        let uidvalidity = self.insert_mailbox(account, mailbox, parent, name, special_use)?;
        Ok(OpResult::MailboxCreated { uidvalidity })
    }

    /// Writes the row of a mailbox whose place was checked.
    pub(super) fn insert_mailbox(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        parent: Option<MailboxId>,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Result<u32> {
        let row = MailboxRow {
            id: mailbox,
            account,
            parent,
            name: name.to_owned(),
            special_use,
            subscribed: true,
            uidvalidity: self.ledger.uidvalidity(self.conn, account, self.now)?,
            uidnext: 1,
            modseq: self.ledger.modseq(self.conn, account)?,
            messages: 0,
            unseen: 0,
            deleted: 0,
            size_bytes: 0,
        };
        let inserted = self
            .conn
            .prepare_cached("INSERT INTO mailboxes VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")?
            .execute(params![
                int(mailbox.raw()),
                int(account.raw()),
                int(parent.map_or(0, Id::raw)),
                name,
                int(special_use_code(special_use)),
                row.subscribed,
                row.uidvalidity,
                row.uidnext,
                int(row.modseq),
                0,
                0,
                0,
                0,
                0,
                mailbox_sum(&row, 0)
            ]);
        match inserted {
            Ok(_) => {}
            Err(error) if is_constraint(&error) => return refuse(Conflict::MailboxExists),
            Err(error) => return Err(error.into()),
        }
        if let Some(parent) = parent {
            self.inherit_grants(parent, mailbox)?;
        }
        self.ledger.created_mailbox(mailbox);
        self.shared.saw_id(mailbox.raw());
        self.ledger.touch(account, mailbox);
        Ok(row.uidvalidity)
    }

    /// The mailbox with this use, else the one of its usual name, else a new one; nothing when there is no room for one.
    pub(super) fn special(
        &mut self,
        account: AccountId,
        special_use: SpecialUse,
    ) -> Result<Option<MailboxId>> {
        let (of, name) = (int(account.raw()), special_use.usual_name());
        let code = int(special_use_code(Some(special_use)));
        let found = self
            .conn
            .prepare_cached(
                "SELECT id FROM mailboxes WHERE account=? AND (special_use=? OR parent=0 AND name=?) \
                 ORDER BY special_use<>?, id LIMIT 1",
            )?
            .query_row(params![of, code, name, code], |row| row.get::<_, i64>(0))
            .optional()?;
        if let Some(id) = found {
            return Ok(Some(MailboxId::from_raw(uint(id))));
        }
        match self.check_place(account, None, None, name) {
            Ok(()) => {}
            Err(StoreError::Conflict(_)) => return Ok(None),
            Err(error) => return Err(error),
        }
        let mailbox = self.shared.ids.next();
        self.insert_mailbox(account, mailbox, None, name, Some(special_use))?;
        Ok(Some(mailbox))
    }

    /// Removes a mailbox. Its messages go with it at once for everybody to see; the collector empties it in slices.
    pub(super) fn delete_mailbox(&mut self, mailbox: MailboxId) -> Result<OpResult> {
        let row = self.ledger.known_mailbox(self.conn, mailbox)?.row.clone();
        if self.ledger.account(self.conn, row.account)?.inbox == mailbox {
            return refuse(Conflict::NotAllowed);
        }
        let has_children: bool = self
            .conn
            .prepare_cached("SELECT EXISTS(SELECT 1 FROM mailboxes WHERE account=? AND parent=?)")?
            .query_row(params![int(row.account.raw()), int(mailbox.raw())], |found| {
                found.get(0)
            })?;
        if has_children {
            return refuse(Conflict::HasChildren);
        }
        self.doom(mailbox)?;
        let state = self.ledger.change_account(self.conn, row.account)?;
        state.used_bytes = state.used_bytes.saturating_sub(row.size_bytes);
        self.ledger.modseq(self.conn, row.account)?;
        self.ledger.touch(row.account, mailbox);
        Ok(OpResult::Done)
    }

    /// Removes the row and leaves the contents to the collector.
    pub(super) fn doom(&mut self, mailbox: MailboxId) -> Result<()> {
        let id = int(mailbox.raw());
        self.conn
            .prepare_cached("DELETE FROM mailboxes WHERE id=?")?
            .execute(params![id])?;
        self.conn
            .prepare_cached("INSERT OR IGNORE INTO doomed VALUES(?)")?
            .execute(params![id])?;
        self.forget_shares(mailbox)?;
        self.ledger.drop_mailbox(mailbox);
        self.shared.keep_id_floor(self.conn)
    }

    /// Renames or moves one mailbox; the tree below follows.
    pub(super) fn rename_mailbox(
        &mut self,
        mailbox: MailboxId,
        parent: Option<MailboxId>,
        name: &str,
    ) -> Result<OpResult> {
        let account = self.ledger.known_mailbox(self.conn, mailbox)?.row.account;
        if self.ledger.account(self.conn, account)?.inbox == mailbox {
            return refuse(Conflict::NotAllowed);
        }
        self.check_place(account, Some(mailbox), parent, name)?;
        let modseq = self.ledger.modseq(self.conn, account)?;
        let row = &mut self.ledger.change_mailbox(self.conn, mailbox)?.row;
        row.parent = parent;
        name.clone_into(&mut row.name);
        row.modseq = modseq;
        self.ledger.touch(account, mailbox);
        let written = self
            .conn
            .prepare_cached("UPDATE mailboxes SET parent=?,name=? WHERE id=?")?
            .execute(params![int(parent.map_or(0, Id::raw)), name, int(mailbox.raw())]);
        match written {
            Ok(_) => Ok(OpResult::Done),
            Err(error) if is_constraint(&error) => refuse(Conflict::MailboxExists),
            Err(error) => Err(error.into()),
        }
    }

    /// RENAME INBOX: a new mailbox takes INBOX's messages, INBOX stays, empty (RFC 9051 §6.3.6).
    pub(super) fn rename_inbox(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        parent: Option<MailboxId>,
        name: &str,
    ) -> Result<OpResult> {
        let inbox = self.ledger.account(self.conn, account)?.inbox;
        self.check_place(account, None, parent, name)?;
        let uidvalidity = self.insert_mailbox(account, mailbox, parent, name, None)?;
        let sources = self.gather(inbox, &UidSet::from_ranges([(1, u32::MAX)]))?;
        self.move_rows(inbox, &sources, (mailbox, FlagMask::ALL))?;
        Ok(OpResult::MailboxCreated { uidvalidity })
    }

    /// SUBSCRIBE and UNSUBSCRIBE.
    pub(super) fn set_subscribed(&mut self, mailbox: MailboxId, subscribed: bool) -> Result<OpResult> {
        let row = &mut self.ledger.change_mailbox(self.conn, mailbox)?.row;
        row.subscribed = subscribed;
        let account = row.account;
        self.conn
            .prepare_cached("UPDATE mailboxes SET subscribed=? WHERE id=?")?
            .execute(params![subscribed, int(mailbox.raw())])?;
        self.ledger.touch(account, mailbox);
        self.ledger.modseq(self.conn, account)?;
        Ok(OpResult::Done)
    }

    /// Whether `moved` (or a new mailbox) may stand below `parent` under this name.
    fn check_place(
        &mut self,
        account: AccountId,
        moved: Option<MailboxId>,
        parent: Option<MailboxId>,
        name: &str,
    ) -> Result<()> {
        if name.is_empty() || name.len() > MAILBOX_NAME_BYTES {
            return refuse(Conflict::NotAllowed);
        }
        if parent.is_none() && name.eq_ignore_ascii_case("INBOX") {
            return refuse(Conflict::MailboxExists);
        }
        self.check_above(account, moved, parent)?;
        let taken = self
            .conn
            .prepare_cached("SELECT id FROM mailboxes WHERE account=? AND parent=? AND name=?")?
            .query_row(
                params![int(account.raw()), int(parent.map_or(0, Id::raw)), name],
                |row| row.get::<_, i64>(0),
            )
            .optional()?;
        if taken.is_some_and(|id| moved.map(Id::raw) != Some(uint(id))) {
            return refuse(Conflict::MailboxExists);
        }
        let count: i64 = self
            .conn
            .prepare_cached("SELECT count(*) FROM mailboxes WHERE account=?")?
            .query_row(params![int(account.raw())], |row| row.get(0))?;
        if moved.is_none() && uint(count) >= MAILBOXES_PER_ACCOUNT as u64 {
            return refuse(Conflict::TooManyMailboxes);
        }
        Ok(())
    }

    /// Whether all above is the account's, is not what is moved, and is not too deep.
    fn check_above(
        &mut self,
        account: AccountId,
        moved: Option<MailboxId>,
        parent: Option<MailboxId>,
    ) -> Result<()> {
        let mut above = parent;
        let mut depth = 0;
        while let Some(id) = above {
            let row = &self.ledger.known_mailbox(self.conn, id)?.row;
            depth += 1;
            if row.account != account {
                return refuse(Conflict::NoSuchMailbox);
            }
            if Some(id) == moved || depth >= MAILBOX_DEPTH {
                return refuse(Conflict::NotAllowed);
            }
            above = row.parent;
        }
        Ok(())
    }
}
