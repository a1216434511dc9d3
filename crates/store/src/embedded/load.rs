//! Reads single rows and verifies them. Used by the writer and by the readers.

use mail::ids::{AccountId, BlobId, Id, MailboxId, MessageId, QueueId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use world::clock::UnixMs;

use crate::contract::{AccountRow, GrantRow, MailboxRow, MessageRow, Result, StoreError, Waiting};
use crate::embedded::rows::{
    PlacementColumns, Sum, account_sum, grant_sum, int, ledger_sum, mailbox_sum, special_use_from, uint,
    verify,
};
use crate::rights::{Grant, Grantee, Rights};

/// A mailbox with what only the store needs.
#[derive(Debug, Clone)]
pub(crate) struct MailboxState {
    pub row: MailboxRow,
    /// tombstones up to here were forgotten
    pub tombstone_floor: u64,
}

/// What the writer knows of an account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccountState {
    pub inbox: MailboxId,
    pub quota_bytes: u64,
    pub used_bytes: u64,
    pub modseq: u64,
    pub last_uidvalidity: u32,
}

/// A body's row.
#[derive(Debug, Clone)]
pub(crate) struct BodyRow {
    pub blob: u64,
    pub size: u64,
    pub hash: [u8; 32],
    /// 0: inline
    pub pack: u64,
    pub place: u64,
    /// bytes it takes in its pack
    pub stored: u64,
    pub refs: u64,
}

/// A message's row with what only the store needs.
#[derive(Debug, Clone)]
pub(crate) struct MessageState {
    pub row: MessageRow,
    pub places: u64,
}

/// A placement as stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredPlacement {
    pub mailbox: MailboxId,
    pub uid: u32,
    pub message: u64,
    pub bits: u32,
    pub keywords: Option<Vec<u8>>,
    pub modseq: u64,
    pub size: u64,
    pub sum: i64,
    /// 0: when the message was
    pub saved_at: u64,
}

/// An accepted message some of whose recipients wait.
#[derive(Debug, Clone)]
pub(crate) struct AcceptedRow {
    pub queue_id: QueueId,
    pub blob: BlobId,
    pub body_bytes: u64,
    pub reverse_path: String,
    pub envelope: String,
    pub queue_prefix: Vec<u8>,
    pub received_at: UnixMs,
}

/// A waiting recipient with what only changes while it waits.
#[derive(Debug, Clone)]
pub(crate) struct StoredWaiting {
    pub queue_id: QueueId,
    pub waiting: Waiting,
    pub held: bool,
    pub attempts: u32,
}

/// Reads a row selected with all columns of `mailboxes`, in order.
pub(crate) fn mailbox_from(row: &Row<'_>) -> Result<MailboxState> {
    let id: i64 = row.get(0)?;
    let parent: i64 = row.get(2)?;
    let special_use: i64 = row.get(4)?;
    let state = MailboxState {
        row: MailboxRow {
            id: MailboxId::from_raw(positive(id)),
            account: AccountId::from_raw(positive(row.get(1)?)),
            parent: (parent != 0).then(|| MailboxId::from_raw(positive(parent))),
            name: row.get(3)?,
            special_use: special_use_from(uint(special_use)),
            subscribed: row.get(5)?,
            uidvalidity: low(row.get(6)?),
            uidnext: low(row.get(7)?),
            modseq: uint(row.get(8)?),
            messages: low(row.get(9)?),
            unseen: low(row.get(10)?),
            deleted: low(row.get(11)?),
            size_bytes: uint(row.get(12)?),
        },
        tombstone_floor: uint(row.get(13)?),
    };
    verify(
        row.get(14)?,
        mailbox_sum(&state.row, state.tombstone_floor),
        || format!("mailbox {}", state.row.id),
    )?;
    Ok(state)
}

/// One mailbox.
pub(crate) fn mailbox(conn: &Connection, id: MailboxId) -> Result<Option<MailboxState>> {
    let mut statement = conn.prepare_cached(
        "SELECT id,account,parent,name,special_use,subscribed,uidvalidity,uidnext,modseq,messages,unseen,deleted,\
         size_bytes,tombstone_floor,sum FROM mailboxes WHERE id=?",
    )?;
    let mut rows = statement.query(params![int(id.raw())])?;
    rows.next()?.map(mailbox_from).transpose()
}

/// An account as the directory sees it, selected as `id,address,credential,quota_bytes,enabled,settings,inbox,sum,used_bytes,…`.
///
/// Its ledger's row was written when something else than a placement changed it last: what was placed since is in the mailboxes.
pub(crate) fn account_from(conn: &Connection, row: &Row<'_>) -> Result<(AccountRow, AccountState)> {
    let id: i64 = row.get(0)?;
    let mut account = AccountRow {
        id: AccountId::from_raw(positive(id)),
        address: row.get(1)?,
        credential: row.get(2)?,
        quota_bytes: uint(row.get(3)?),
        used_bytes: uint(row.get(8)?),
        enabled: row.get(4)?,
        settings: row.get(5)?,
    };
    let mut state = AccountState {
        inbox: MailboxId::from_raw(positive(row.get(6)?)),
        quota_bytes: account.quota_bytes,
        used_bytes: account.used_bytes,
        modseq: uint(row.get(9)?),
        last_uidvalidity: low(row.get(10)?),
    };
    let ledger = ledger_sum(
        account.id.raw(),
        state.used_bytes,
        state.modseq,
        state.last_uidvalidity,
    );
    verify(row.get(7)?, account_sum(&account, state.inbox), || {
        format!("account {}", account.id)
    })?;
    verify(row.get(11)?, ledger, || {
        format!("ledger of account {}", account.id)
    })?;
    let (held, highest) = mailboxes_hold(conn, account.id)?;
    (account.used_bytes, state.used_bytes) = (held, held);
    state.modseq = state.modseq.max(highest);
    Ok((account, state))
}

/// Bytes in an account's mailboxes and the highest of their modseqs. A mailbox whose row is damaged counts for nothing: whoever looks
/// at it is told.
fn mailboxes_hold(conn: &Connection, account: AccountId) -> Result<(u64, u64)> {
    let mut statement = conn.prepare_cached(
        "SELECT id,account,parent,name,special_use,subscribed,uidvalidity,uidnext,modseq,messages,unseen,deleted,\
         size_bytes,tombstone_floor,sum FROM mailboxes WHERE account=?",
    )?;
    let mut rows = statement.query(params![int(account.raw())])?;
    let (mut bytes, mut modseq) = (0u64, 0);
    while let Some(row) = rows.next()? {
        match mailbox_from(row) {
            Ok(MailboxState { row, .. }) => {
                bytes = bytes.saturating_add(row.size_bytes);
                modseq = modseq.max(row.modseq);
            }
            Err(StoreError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((bytes, modseq))
}

/// One account.
pub(crate) fn account(conn: &Connection, id: AccountId) -> Result<Option<(AccountRow, AccountState)>> {
    let mut statement = conn.prepare_cached(
        "SELECT id,address,credential,quota_bytes,enabled,settings,inbox,a.sum,used_bytes,modseq,last_uidvalidity,l.sum \
         FROM accounts a JOIN ledgers l ON l.account=a.id WHERE id=?",
    )?;
    let mut rows = statement.query(params![int(id.raw())])?;
    rows.next()?.map(|row| account_from(conn, row)).transpose()
}

/// One body.
pub(crate) fn body(conn: &Connection, blob: u64) -> Result<Option<BodyRow>> {
    let mut statement =
        conn.prepare_cached("SELECT blob,size,hash,pack,place,stored,refs,sum FROM bodies WHERE blob=?")?;
    let mut rows = statement.query(params![int(blob)])?;
    rows.next()?.map(body_from).transpose()
}

/// Reads a row selected as `blob,size,hash,pack,place,stored,refs,sum`.
pub(crate) fn body_from(row: &Row<'_>) -> Result<BodyRow> {
    body_at(row, 0)
}

/// The same, where other columns come first.
pub(crate) fn body_at(row: &Row<'_>, first: usize) -> Result<BodyRow> {
    let blob: i64 = row.get(first)?;
    let mut body = BodyRow {
        blob: uint(blob),
        size: uint(row.get(first + 1)?),
        hash: [0; 32],
        pack: uint(row.get(first + 3)?),
        place: uint(row.get(first + 4)?),
        stored: uint(row.get(first + 5)?),
        refs: uint(row.get(first + 6)?),
    };
    if let ValueRef::Blob(hash) = row.get_ref(first + 2)?
        && let Ok(hash) = hash.try_into()
    {
        body.hash = hash;
    }
    verify(row.get(first + 7)?, body.sum(), || {
        format!("row of body {}", BlobId::from_raw(body.blob))
    })?;
    Ok(body)
}

impl BodyRow {
    pub fn sum(&self) -> i64 {
        Sum::of("body")
            .int(self.blob)
            .int(self.size)
            .bytes(&self.hash)
            .int(self.pack)
            .int(self.place)
            .int(self.stored)
            .int(self.refs)
            .end()
    }

    pub fn insert(&self, conn: &Connection) -> rusqlite::Result<usize> {
        conn.prepare_cached("INSERT INTO bodies VALUES(?,?,?,?,?,?,?,?)")?
            .execute(params![
                int(self.blob),
                int(self.size),
                &self.hash[..],
                int(self.pack),
                int(self.place),
                int(self.stored),
                int(self.refs),
                self.sum()
            ])
    }

    /// Writes what may change: where it is and how many point to it.
    pub fn update(&self, conn: &Connection) -> Result<()> {
        conn.prepare_cached("UPDATE bodies SET pack=?,place=?,stored=?,refs=?,sum=? WHERE blob=?")?
            .execute(params![
                int(self.pack),
                int(self.place),
                int(self.stored),
                int(self.refs),
                self.sum(),
                int(self.blob)
            ])?;
        Ok(())
    }
}

/// One message.
pub(crate) fn message(conn: &Connection, id: u64) -> Result<Option<MessageState>> {
    let mut statement = conn.prepare_cached(
        "SELECT id,account,blob,prefix,body_bytes,internal_date,saved_at,places,sum FROM messages WHERE id=?",
    )?;
    let mut rows = statement.query(params![int(id)])?;
    rows.next()?.map(message_from).transpose()
}

/// Reads a row selected as `id,account,blob,prefix,body_bytes,internal_date,saved_at,places,sum`.
pub(crate) fn message_from(row: &Row<'_>) -> Result<MessageState> {
    let prefix: Vec<u8> = row.get(3)?;
    let state = MessageState {
        row: MessageRow {
            id: MessageId::from_raw(positive(row.get(0)?)),
            account: AccountId::from_raw(positive(row.get(1)?)),
            blob: BlobId::from_raw(positive(row.get(2)?)),
            prefix: prefix.into(),
            body_bytes: uint(row.get(4)?),
            internal_date: UnixMs(uint(row.get(5)?)),
            saved_at: UnixMs(uint(row.get(6)?)),
        },
        places: uint(row.get(7)?),
    };
    verify(row.get(8)?, state.sum(), || format!("message {}", state.row.id))?;
    Ok(state)
}

impl MessageState {
    pub fn sum(&self) -> i64 {
        Sum::of("message")
            .int(self.row.id.raw())
            .int(self.row.account.raw())
            .int(self.row.blob.raw())
            .bytes(&self.row.prefix)
            .int(self.row.body_bytes)
            .int(self.row.internal_date.0)
            .int(self.row.saved_at.0)
            .int(self.places)
            .end()
    }

    /// What it counts for in a mailbox.
    pub fn size(&self) -> u64 {
        self.row.prefix.len() as u64 + self.row.body_bytes
    }

    pub fn insert(&self, conn: &Connection) -> Result<()> {
        conn.prepare_cached("INSERT INTO messages VALUES(?,?,?,?,?,?,?,?,?)")?
            .execute(params![
                int(self.row.id.raw()),
                int(self.row.account.raw()),
                int(self.row.blob.raw()),
                &self.row.prefix[..],
                int(self.row.body_bytes),
                int(self.row.internal_date.0),
                int(self.row.saved_at.0),
                int(self.places),
                self.sum()
            ])?;
        Ok(())
    }

    /// Writes the number of its places.
    pub fn update_places(&self, conn: &Connection) -> Result<()> {
        conn.prepare_cached("UPDATE messages SET places=?,sum=? WHERE id=?")?
            .execute(params![int(self.places), self.sum(), int(self.row.id.raw())])?;
        Ok(())
    }
}

/// Reads a row selected as `mailbox,uid,message,flags,keywords,modseq,size,sum,saved_at`, not yet verified.
pub(crate) fn placement_from(row: &Row<'_>) -> rusqlite::Result<StoredPlacement> {
    Ok(StoredPlacement {
        mailbox: MailboxId::from_raw(positive(row.get(0)?)),
        uid: low(row.get(1)?),
        message: uint(row.get(2)?),
        bits: low(row.get(3)?),
        keywords: row.get(4)?,
        modseq: uint(row.get(5)?),
        size: uint(row.get(6)?),
        sum: row.get(7)?,
        saved_at: uint(row.get(8)?),
    })
}

impl StoredPlacement {
    pub fn columns(&self) -> PlacementColumns<'_> {
        PlacementColumns {
            mailbox: self.mailbox,
            uid: self.uid,
            message: self.message,
            bits: self.bits,
            keywords: self.keywords.as_deref(),
            modseq: self.modseq,
            size: self.size,
            saved_at: self.saved_at,
        }
    }

    /// Whether it is what was stored.
    pub fn verified(self) -> Result<Self> {
        verify(self.sum, self.columns().sum(), || {
            format!("placement {} in mailbox {}", self.uid, self.mailbox)
        })?;
        Ok(self)
    }
}

/// An accepted message that has waiting recipients.
pub(crate) fn accepted(conn: &Connection, queue_id: QueueId) -> Result<Option<AcceptedRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT queue_id,blob,body_bytes,reverse_path,envelope,queue_prefix,received_at,sum FROM accepted WHERE queue_id=?",
    )?;
    let found = statement
        .query_row(params![int(queue_id.raw())], |row| {
            let accepted = AcceptedRow {
                queue_id: QueueId::from_raw(positive(row.get(0)?)),
                blob: BlobId::from_raw(positive(row.get(1)?)),
                body_bytes: uint(row.get(2)?),
                reverse_path: row.get(3)?,
                envelope: row.get(4)?,
                queue_prefix: row.get(5)?,
                received_at: UnixMs(uint(row.get(6)?)),
            };
            Ok((accepted, row.get::<_, i64>(7)?))
        })
        .optional()?;
    let Some((accepted, sum)) = found else {
        return Ok(None);
    };
    verify(sum, accepted.sum(), || format!("accepted message {queue_id}"))?;
    Ok(Some(accepted))
}

impl AcceptedRow {
    pub fn sum(&self) -> i64 {
        Sum::of("accepted")
            .int(self.queue_id.raw())
            .int(self.blob.raw())
            .int(self.body_bytes)
            .bytes(self.reverse_path.as_bytes())
            .bytes(self.envelope.as_bytes())
            .bytes(&self.queue_prefix)
            .int(self.received_at.0)
            .end()
    }
}

/// One waiting recipient.
pub(crate) fn waiting(conn: &Connection, queue_id: QueueId, recipient: u32) -> Result<Option<StoredWaiting>> {
    let mut statement = conn.prepare_cached(
        "SELECT address,account,lane,due,deadline,held,attempts,reason,params,sum FROM waiting \
         WHERE queue_id=? AND recipient=?",
    )?;
    let found = statement
        .query_row(params![int(queue_id.raw()), recipient], |row| {
            let account: i64 = row.get(1)?;
            let waiting = Waiting {
                recipient,
                address: row.get(0)?,
                account: (account != 0).then(|| AccountId::from_raw(positive(account))),
                lane: row.get(2)?,
                due: UnixMs(uint(row.get(3)?)),
                deadline: UnixMs(uint(row.get(4)?)),
                reason: row.get(7)?,
                params: row.get(8)?,
            };
            let stored = StoredWaiting {
                queue_id,
                waiting,
                held: row.get(5)?,
                attempts: low(row.get(6)?),
            };
            Ok((stored, row.get::<_, i64>(9)?))
        })
        .optional()?;
    let Some((stored, sum)) = found else {
        return Ok(None);
    };
    verify(sum, stored.sum(), || {
        format!("waiting recipient {recipient} of {queue_id}")
    })?;
    Ok(Some(stored))
}

impl StoredWaiting {
    /// As it is at the acceptance.
    pub fn new(queue_id: QueueId, waiting: Waiting) -> Self {
        Self {
            queue_id,
            waiting,
            held: false,
            attempts: 0,
        }
    }

    pub fn sum(&self) -> i64 {
        Sum::of("waiting")
            .int(self.queue_id.raw())
            .int(u64::from(self.waiting.recipient))
            .bytes(self.waiting.address.as_bytes())
            .int(self.waiting.account.map_or(0, Id::raw))
            .bytes(self.waiting.lane.as_bytes())
            .int(self.waiting.due.0)
            .int(self.waiting.deadline.0)
            .int(u64::from(self.held))
            .int(u64::from(self.attempts))
            .bytes(self.waiting.reason.as_bytes())
            .bytes(self.waiting.params.as_bytes())
            .end()
    }
}

/// Names of a mailbox's rare keywords, by number.
pub(crate) fn keyword_names(conn: &Connection, mailbox: MailboxId) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT n,name,sum FROM keywords WHERE mailbox=? ORDER BY n")?;
    let mut rows = statement.query(params![int(mailbox.raw())])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, name): (i64, String) = (row.get(0)?, row.get(1)?);
        verify(row.get(2)?, keyword_sum(mailbox, uint(number), &name), || {
            format!("keyword {number} of mailbox {mailbox}")
        })?;
        if uint(number) != names.len() as u64 {
            return Err(crate::contract::StoreError::Damaged(format!(
                "keywords of mailbox {mailbox}"
            )));
        }
        names.push(name);
    }
    Ok(names)
}

/// Checksum of a keyword row.
pub(crate) fn keyword_sum(mailbox: MailboxId, number: u64, name: &str) -> i64 {
    Sum::of("keyword")
        .int(mailbox.raw())
        .int(number)
        .bytes(name.as_bytes())
        .end()
}

/// An identifier from a column: rot must not make a number that cannot be one.
fn positive(value: i64) -> u64 {
    uint(value) & (u64::MAX >> 1)
}

/// A 32-bit number from a column. What does not fit is made to fail its checksum.
pub(crate) fn low(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The entries about rights in a mailbox, anyone first.
pub(crate) fn grants(conn: &Connection, mailbox: MailboxId) -> Result<Vec<(Grantee, Grant)>> {
    let mut statement =
        conn.prepare_cached("SELECT mailbox,who,given,taken,sum FROM grants WHERE mailbox=? ORDER BY who")?;
    let mut rows = statement.query(params![int(mailbox.raw())])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let stored = grant_from(row)?;
        found.push((stored.who, stored.grant));
    }
    Ok(found)
}

/// An entry about rights as it is read.
pub(crate) struct StoredGrant {
    pub mailbox: MailboxId,
    pub who: Grantee,
    /// takes every right when the row is damaged: nobody sees more because of rot, and whoever administers can set it anew
    pub grant: Grant,
    pub whole: bool,
}

impl StoredGrant {
    /// As the contract shows it.
    pub fn of(self, owner: AccountId) -> GrantRow {
        GrantRow {
            mailbox: self.mailbox,
            owner,
            who: self.who,
            grant: self.grant,
        }
    }
}

/// One entry.
pub(crate) fn grant_from(row: &Row<'_>) -> Result<StoredGrant> {
    let mailbox = MailboxId::from_raw(uint(row.get(0)?));
    let who = match uint(row.get(1)?) {
        0 => Grantee::Anyone,
        account => Grantee::Account(AccountId::from_raw(account)),
    };
    let rights = |stored: i64| Rights::from_bits(u16::try_from(stored).unwrap_or(0));
    let stored = Grant {
        given: rights(row.get(2)?),
        taken: rights(row.get(3)?),
    };
    let whole = verify(row.get(4)?, grant_sum(mailbox, who, stored), String::new).is_ok();
    let grant = if whole { stored } else { Grant::ALL_TAKEN };
    Ok(StoredGrant {
        mailbox,
        who,
        grant,
        whole,
    })
}
