//! Bodies, messages and placements: the rows that every arriving message needs.

use mail::ids::{AccountId, Id, MailboxId, MessageId};
use rusqlite::{Connection, params};
use world::clock::UnixMs;

use crate::contract::{Body, BodyPlace, Conflict, Placed, Result, StoreError, Target};
use crate::embedded::apply::Work;
use crate::embedded::load::{self, BodyRow, MessageState};
use crate::embedded::pack;
use crate::embedded::rows::{PlacementColumns, int};
use crate::flags::{DELETED, Flags, SEEN};

/// What stands at a place, and since when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tenant {
    pub message: MessageId,
    pub size: u64,
    /// 0: since the message was saved; such a row is as small as before there were dates
    pub saved_at: u64,
}

impl Tenant {
    /// A message at its first places.
    pub fn new(state: &MessageState) -> Self {
        Self {
            message: state.row.id,
            size: state.size(),
            saved_at: 0,
        }
    }
}

/// What to do with rare keywords a mailbox has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Refuse: somebody asked for exactly these.
    Refuse,
    /// Leave them out: mail is never refused for a keyword.
    Drop,
}

impl Work<'_> {
    /// Writes a body's row, and its bytes unless they lie in a pack of their own already.
    pub(super) fn insert_body(&mut self, body: &Body, refs: u64) -> Result<()> {
        let blob = body.blob.raw();
        self.shared.saw_id(blob);
        let mut row = BodyRow {
            blob,
            size: body.size_bytes,
            hash: body.hash,
            pack: 0,
            place: 0,
            stored: body.size_bytes,
            refs,
        };
        if let BodyPlace::Staged(_) = body.place {
            let missing = || StoreError::Damaged(format!("staged body {}", body.blob));
            let (pack, file_bytes) = self.shared.staged.enter(blob).ok_or_else(missing)?;
            self.shared.saw_id(pack);
            row.pack = pack;
            row.place = pack::HEADER_BYTES as u64;
            row.stored = file_bytes - pack::HEADER_BYTES as u64;
        }
        match row.insert(self.conn) {
            Ok(_) => {}
            Err(error) if is_constraint(&error) => return self.share_body(body, refs),
            Err(error) => return Err(error.into()),
        }
        match &body.place {
            BodyPlace::Inline(bytes) => {
                self.conn
                    .prepare_cached("INSERT OR REPLACE INTO inline VALUES(?,?)")?
                    .execute(params![int(blob), &bytes[..]])?;
            }
            BodyPlace::Staged(_) => {
                self.conn
                    .prepare_cached("INSERT INTO packs VALUES(?,?,?)")?
                    .execute(params![int(row.pack), int(row.stored), int(row.stored)])?;
                self.ledger.spend_body(blob);
            }
        }
        Ok(())
    }

    /// The same body is used by a second batch.
    fn share_body(&mut self, body: &Body, refs: u64) -> Result<()> {
        let known = load::body(self.conn, body.blob.raw())?;
        match known {
            Some(mut row) if row.hash == body.hash && row.size == body.size_bytes => {
                row.refs += refs;
                row.update(self.conn)
            }
            _ => Err(StoreError::Damaged(format!(
                "body {} (its name is taken)",
                body.blob
            ))),
        }
    }

    /// Writes a message's row.
    pub(super) fn insert_message(&mut self, state: &MessageState) -> Result<()> {
        self.shared.saw_id(state.row.id.raw());
        state.insert(self.conn)
    }

    /// A new message's name.
    pub(super) fn new_message(&self) -> MessageId {
        self.shared.ids.next()
    }

    /// The mailbox a target means at this moment: INBOX when the wanted one is gone or somebody else's.
    pub(super) fn resolve(&mut self, account: AccountId, target: &Target) -> Result<MailboxId> {
        let inbox = self.ledger.account(self.conn, account)?.inbox;
        let wanted = match target {
            Target::Inbox => return Ok(inbox),
            Target::Special(special_use) => return Ok(self.special(account, *special_use)?.unwrap_or(inbox)),
            Target::Mailbox(wanted) => wanted,
        };
        let found = self.ledger.mailbox(self.conn, *wanted)?;
        Ok(if found.is_some_and(|state| state.row.account == account) {
            *wanted
        } else {
            inbox
        })
    }

    /// Places a message: the next UID, the counters, the account's used bytes.
    pub(super) fn place(
        &mut self,
        mailbox: MailboxId,
        tenant: Tenant,
        bits: u32,
        keywords: Option<&[u8]>,
    ) -> Result<Placed> {
        let Tenant {
            message,
            size,
            saved_at,
        } = tenant;
        let account = self.ledger.known_mailbox(self.conn, mailbox)?.row.account;
        let modseq = self.ledger.place(self.conn, account, size)?;
        let row = &mut self.ledger.change_mailbox(self.conn, mailbox)?.row;
        let uid = row.uidnext;
        if uid == u32::MAX {
            return Err(StoreError::Conflict(Conflict::NoUidsLeft));
        }
        row.uidnext += 1;
        row.modseq = modseq;
        row.messages += 1;
        row.unseen += u32::from(bits & SEEN == 0);
        row.deleted += u32::from(bits & DELETED != 0);
        row.size_bytes += size;
        let uidvalidity = row.uidvalidity;
        self.ledger.touch(account, mailbox);
        let columns = PlacementColumns {
            mailbox,
            uid,
            message: message.raw(),
            bits,
            keywords,
            modseq,
            size,
            saved_at,
        };
        self.conn
            .prepare_cached("INSERT INTO placements VALUES(?,?,?,?,?,?,?,?,?)")?
            .execute(params![
                int(mailbox.raw()),
                uid,
                int(message.raw()),
                bits,
                keywords,
                int(modseq),
                int(size),
                columns.sum(),
                int(saved_at)
            ])?;
        Ok(Placed {
            recipient: 0,
            account,
            mailbox,
            message,
            uidvalidity,
            uid,
            modseq,
        })
    }

    /// The numbers of rare keywords in a mailbox; new names get the next numbers.
    pub(super) fn keyword_numbers(
        &mut self,
        mailbox: MailboxId,
        flags: &Flags,
        overflow: Overflow,
    ) -> Result<Option<Vec<u8>>> {
        if flags.keywords.is_empty() {
            return Ok(None);
        }
        let mut names = load::keyword_names(self.conn, mailbox)?;
        let mut numbers = Vec::with_capacity(flags.keywords.len());
        for name in &flags.keywords {
            let known = names.iter().position(|known| known.eq_ignore_ascii_case(name));
            let number = match known {
                Some(number) => number,
                None if names.len() < crate::flags::MAX_KEYWORDS_PER_MAILBOX => {
                    let number = names.len();
                    self.conn
                        .prepare_cached("INSERT INTO keywords VALUES(?,?,?,?)")?
                        .execute(params![
                            int(mailbox.raw()),
                            int(number as u64),
                            name,
                            load::keyword_sum(mailbox, number as u64, name)
                        ])?;
                    names.push(name.clone());
                    number
                }
                None if overflow == Overflow::Drop => continue,
                None => return Err(StoreError::Conflict(Conflict::TooManyKeywords)),
            };
            numbers.push(u8::try_from(number).unwrap_or(u8::MAX));
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok((!numbers.is_empty()).then_some(numbers))
    }

    /// Whether the account has room for so many bytes more.
    pub(super) fn check_quota(&mut self, account: AccountId, more_bytes: u64) -> Result<()> {
        let state = self.ledger.account(self.conn, account)?;
        let over = state.quota_bytes > 0 && state.used_bytes.saturating_add(more_bytes) > state.quota_bytes;
        if over {
            Err(StoreError::Conflict(Conflict::OverQuota))
        } else {
            Ok(())
        }
    }
}

/// One pointer to a body is gone; the last one makes it a matter for the collector from `since` on.
pub(crate) fn unreference(conn: &Connection, blob: u64, since: UnixMs) -> Result<()> {
    let Some(mut row) = load::body(conn, blob)? else {
        return Ok(());
    };
    row.refs = row.refs.saturating_sub(1);
    row.update(conn)?;
    if row.refs == 0 {
        conn.prepare_cached("INSERT OR IGNORE INTO dead VALUES(?,?)")?
            .execute(params![int(since.0), int(blob)])?;
    }
    Ok(())
}

/// Whether SQLite refused because of a uniqueness rule.
pub(super) fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}
