//! APPEND, COPY, MOVE, EXPUNGE.

use mail::ids::{AccountId, Id, MailboxId, MessageId};
use rusqlite::params;
use world::clock::UnixMs;

use crate::contract::{Body, Conflict, MessageRow, OpResult, Result, StoreError};
use crate::embedded::apply::Work;
use crate::embedded::apply::flags::flags_of;
use crate::embedded::apply::place::{Overflow, Tenant};
use crate::embedded::load::{self, MessageState, StoredPlacement};
use crate::embedded::rows::int;
use crate::flags::{DELETED, FlagMask, Flags, SEEN};
use crate::uids::UidSet;

impl Work<'_> {
    /// IMAP APPEND.
    pub(super) fn append(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        body: &Body,
        flags: &Flags,
        internal_date: UnixMs,
    ) -> Result<OpResult> {
        self.own_mailbox(account, mailbox)?;
        self.check_quota(account, body.size_bytes)?;
        self.insert_body(body, 1)?;
        let message = MessageState {
            row: MessageRow {
                id: self.new_message(),
                account,
                blob: body.blob,
                prefix: bytes::Bytes::new(),
                body_bytes: body.size_bytes,
                internal_date,
                saved_at: self.now,
            },
            places: 1,
        };
        self.insert_message(&message)?;
        let keywords = self.keyword_numbers(mailbox, flags, Overflow::Refuse)?;
        let placed = self.place(mailbox, Tenant::new(&message), flags.bits, keywords.as_deref())?;
        Ok(OpResult::Appended(placed))
    }

    /// IMAP REPLACE: the old message goes first, so that its room counts.
    pub(super) fn replace(
        &mut self,
        (from, uid): (MailboxId, u32),
        account: AccountId,
        mailbox: MailboxId,
        body: &Body,
        flags: &Flags,
        internal_date: UnixMs,
    ) -> Result<OpResult> {
        let OpResult::Expunged { uids, .. } = self.expunge(from, &UidSet::from_uids([uid]), false)? else {
            return Err(StoreError::Conflict(Conflict::NoSuchMessage));
        };
        if uids.is_empty() {
            return Err(StoreError::Conflict(Conflict::NoSuchMessage));
        }
        self.append(account, mailbox, body, flags, internal_date)
    }

    /// IMAP COPY.
    pub(super) fn copy(
        &mut self,
        from: MailboxId,
        uids: &UidSet,
        (to, keep): (MailboxId, FlagMask),
    ) -> Result<OpResult> {
        let ends = self.ends(from, to)?;
        let sources = self.gather(from, uids)?;
        self.check_quota(ends.account, sources.iter().map(|source| source.size).sum())?;
        let names = load::keyword_names(self.conn, from)?;
        let mut pairs = Vec::with_capacity(sources.len());
        for mut source in sources {
            let uid = source.uid;
            match ends.crosses {
                true => source.message = self.message_again(&source, ends.account)?.raw(),
                false => self.add_place(&source, 1)?,
            }
            pairs.push((uid, self.place_again(&source, &names, (to, keep))?));
        }
        Ok(OpResult::Copied {
            uidvalidity: ends.uidvalidity,
            pairs,
        })
    }

    /// IMAP MOVE: copies and expunges in one transaction.
    pub(super) fn move_messages(
        &mut self,
        from: MailboxId,
        uids: &UidSet,
        (to, keep): (MailboxId, FlagMask),
    ) -> Result<OpResult> {
        let ends = self.ends(from, to)?;
        let (uidvalidity, pairs) = if ends.crosses {
            let OpResult::Copied { uidvalidity, pairs } = self.copy(from, uids, (to, keep))? else {
                return Err(StoreError::Conflict(Conflict::NoSuchMessage));
            };
            self.expunge(from, &UidSet::from_uids(pairs.iter().map(|pair| pair.0)), false)?;
            (uidvalidity, pairs)
        } else {
            let sources = self.gather(from, uids)?;
            (ends.uidvalidity, self.move_rows(from, &sources, (to, keep))?)
        };
        let modseq = self.ledger.known_mailbox(self.conn, from)?.row.modseq;
        Ok(OpResult::Moved {
            uidvalidity,
            pairs,
            modseq,
        })
    }

    /// Moves these rows; the messages keep their number of places.
    pub(super) fn move_rows(
        &mut self,
        from: MailboxId,
        sources: &[StoredPlacement],
        to: (MailboxId, FlagMask),
    ) -> Result<Vec<(u32, u32)>> {
        let names = load::keyword_names(self.conn, from)?;
        let mut pairs = Vec::with_capacity(sources.len());
        for source in sources {
            self.remove_placement(source)?;
            pairs.push((source.uid, self.place_again(source, &names, to)?));
        }
        self.bury(from, &UidSet::from_uids(sources.iter().map(|source| source.uid)))?;
        Ok(pairs)
    }

    /// IMAP EXPUNGE.
    pub(super) fn expunge(
        &mut self,
        mailbox: MailboxId,
        uids: &UidSet,
        only_deleted: bool,
    ) -> Result<OpResult> {
        self.ledger.known_mailbox(self.conn, mailbox)?;
        let mut removed = Vec::new();
        self.each_placement(mailbox, uids, |work, placement| {
            if only_deleted && placement.bits & DELETED == 0 {
                return Ok(());
            }
            work.remove_placement(&placement)?;
            work.add_place(&placement, -1)?;
            removed.push(placement.uid);
            Ok(())
        })?;
        let uids = UidSet::from_uids(removed);
        self.bury(mailbox, &uids)?;
        let modseq = self.ledger.known_mailbox(self.conn, mailbox)?.row.modseq;
        Ok(OpResult::Expunged { uids, modseq })
    }

    /// The existing placements of a set. A move or copy needs them all before the first new UID is given.
    pub(super) fn gather(&mut self, mailbox: MailboxId, uids: &UidSet) -> Result<Vec<StoredPlacement>> {
        let mut found = Vec::new();
        self.each_placement(mailbox, uids, |_, placement| {
            found.push(placement);
            Ok(())
        })?;
        Ok(found)
    }

    fn place_again(
        &mut self,
        source: &StoredPlacement,
        names: &[String],
        (to, keep): (MailboxId, FlagMask),
    ) -> Result<u32> {
        let flags = keep.of(&flags_of(source, names)?);
        let keywords = self.keyword_numbers(to, &flags, Overflow::Refuse)?;
        let tenant = Tenant {
            message: MessageId::from_raw(source.message),
            size: source.size,
            saved_at: self.now.0,
        };
        Ok(self.place(to, tenant, flags.bits, keywords.as_deref())?.uid)
    }

    /// The same message as another account's: a row of its own over the same body.
    fn message_again(&mut self, source: &StoredPlacement, account: AccountId) -> Result<MessageId> {
        let missing = || StoreError::Damaged(format!("message {}", MessageId::from_raw(source.message)));
        let known = load::message(self.conn, source.message)?.ok_or_else(missing)?;
        let mut body = load::body(self.conn, known.row.blob.raw())?.ok_or_else(missing)?;
        body.refs += 1;
        body.update(self.conn)?;
        let message = MessageState {
            row: MessageRow {
                id: self.new_message(),
                account,
                saved_at: self.now,
                ..known.row
            },
            places: 1,
        };
        self.insert_message(&message)?;
        Ok(message.row.id)
    }

    /// Removes the row and takes it out of the counters.
    fn remove_placement(&mut self, placement: &StoredPlacement) -> Result<()> {
        self.conn
            .prepare_cached("DELETE FROM placements WHERE mailbox=? AND uid=?")?
            .execute(params![int(placement.mailbox.raw()), placement.uid])?;
        let row = &mut self.ledger.change_mailbox(self.conn, placement.mailbox)?.row;
        row.messages = row.messages.saturating_sub(1);
        row.unseen = row.unseen.saturating_sub(u32::from(placement.bits & SEEN == 0));
        row.deleted = row
            .deleted
            .saturating_sub(u32::from(placement.bits & DELETED != 0));
        row.size_bytes = row.size_bytes.saturating_sub(placement.size);
        let account = row.account;
        let state = self.ledger.change_account(self.conn, account)?;
        state.used_bytes = state.used_bytes.saturating_sub(placement.size);
        Ok(())
    }

    /// One place more or less for the message; without a place it waits for the collector.
    fn add_place(&mut self, placement: &StoredPlacement, delta: i64) -> Result<()> {
        let missing = || StoreError::Damaged(format!("message {}", MessageId::from_raw(placement.message)));
        let mut message = load::message(self.conn, placement.message)?.ok_or_else(missing)?;
        message.places = message.places.saturating_add_signed(delta);
        message.update_places(self.conn)?;
        if message.places == 0 {
            self.conn
                .prepare_cached("INSERT OR IGNORE INTO gone VALUES(?,?)")?
                .execute(params![int(self.now.0), int(placement.message)])?;
        }
        Ok(())
    }

    /// Leaves tombstones: one row per range of UIDs.
    fn bury(&mut self, mailbox: MailboxId, uids: &UidSet) -> Result<()> {
        if uids.is_empty() {
            return Ok(());
        }
        let account = self.ledger.known_mailbox(self.conn, mailbox)?.row.account;
        for &(first, last) in uids.ranges() {
            let modseq = self.ledger.modseq(self.conn, account)?;
            self.ledger.change_mailbox(self.conn, mailbox)?.row.modseq = modseq;
            self.conn
                .prepare_cached("INSERT INTO tombstones VALUES(?,?,?,?,?)")?
                .execute(params![
                    int(mailbox.raw()),
                    int(modseq),
                    first,
                    last,
                    int(self.now.0)
                ])?;
        }
        self.ledger.touch(account, mailbox);
        Ok(())
    }

    fn own_mailbox(&mut self, account: AccountId, mailbox: MailboxId) -> Result<()> {
        let owner = self.ledger.known_mailbox(self.conn, mailbox)?.row.account;
        if owner == account {
            Ok(())
        } else {
            Err(StoreError::Conflict(Conflict::NoSuchMailbox))
        }
    }

    /// Where messages go to, and whether it is another account's.
    fn ends(&mut self, from: MailboxId, to: MailboxId) -> Result<Ends> {
        let owner = self.ledger.known_mailbox(self.conn, from)?.row.account;
        let destination = &self.ledger.known_mailbox(self.conn, to)?.row;
        Ok(Ends {
            account: destination.account,
            uidvalidity: destination.uidvalidity,
            crosses: destination.account != owner,
        })
    }
}

/// Where copies go.
struct Ends {
    account: AccountId,
    uidvalidity: u32,
    crosses: bool,
}
