//! Verifies what lies on the disk, a little at a time: bodies against their hashes, rows against their checksums, messages
//! against bodies, placements against messages, counters against a recount, and SQLite's own structure.

use mail::ids::{AccountId, BlobId, Id, MailboxId, QueueId};
use rusqlite::params;

use crate::contract::{PAGE_ROWS, Result, StoreError};
use crate::embedded::load::{self, BodyRow};
use crate::embedded::readers::{Reader, inline_bytes};
use crate::embedded::rows::{int, uint};
use crate::embedded::upkeep::Scrubbed;
use crate::flags::{DELETED, SEEN};
use crate::limits::READ_BODY_BYTES;

/// Damages listed by name.
const LISTED: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Bodies,
    Messages,
    Mailboxes,
    Attempts,
    Rest,
}

/// One way through everything.
#[derive(Default)]
pub(crate) struct Pass {
    phase: Phase,
    after: i64,
    pub found: Scrubbed,
}

impl Pass {
    /// Verifies about `n` more items. `true` when the pass is complete.
    pub fn step(&mut self, reader: &mut Reader, n: usize) -> Result<bool> {
        let table = match self.phase {
            Phase::Bodies => "SELECT blob FROM bodies WHERE blob>? ORDER BY blob LIMIT ?",
            Phase::Messages => "SELECT id FROM messages WHERE id>? ORDER BY id LIMIT ?",
            Phase::Mailboxes => "SELECT id FROM mailboxes WHERE id>? ORDER BY id LIMIT ?",
            Phase::Attempts => {
                "SELECT DISTINCT queue_id FROM attempts WHERE queue_id>? ORDER BY queue_id LIMIT ?"
            }
            Phase::Rest => {
                self.rest(reader);
                return Ok(true);
            }
        };
        let keys = keys(reader, table, self.after, n);
        let keys = match keys {
            Ok(keys) => keys,
            Err(error) => {
                // The table's structure is damaged: say so, and go on with the next one.
                self.note::<()>(reader, Err(error));
                Vec::new()
            }
        };
        for &key in &keys {
            let verified = match self.phase {
                Phase::Bodies => self.body(reader, uint(key)),
                Phase::Messages => self.message(reader, uint(key)),
                Phase::Attempts => self.attempts(reader, QueueId::from_raw(uint(key))),
                _ => self.mailbox(reader, MailboxId::from_raw(uint(key) & (u64::MAX >> 1))),
            };
            self.note(reader, verified);
        }
        match keys.last() {
            Some(&last) => self.after = last,
            None => {
                self.after = 0;
                self.phase = match self.phase {
                    Phase::Bodies => Phase::Messages,
                    Phase::Messages => Phase::Mailboxes,
                    Phase::Mailboxes => Phase::Attempts,
                    _ => Phase::Rest,
                };
            }
        }
        Ok(false)
    }

    /// Writes a damage down and tells the log.
    fn note<T>(&mut self, reader: &Reader, verified: Result<T>) {
        if let Err(error) = reader.shared.watch(verified)
            && self.found.damaged.len() < LISTED
        {
            self.found.damaged.push(error.to_string());
        }
    }

    fn body(&mut self, reader: &mut Reader, blob: u64) -> Result<()> {
        self.found.bodies += 1;
        // A body that moved between row and file is looked up again.
        for _ in 0..3 {
            let found = reader.snapshot(|reader| {
                let Some(row) = load::body(&reader.conn, blob)? else {
                    return Ok(None);
                };
                if row.pack == 0 {
                    inline_bytes(&reader.conn, &row)?;
                }
                Ok(Some(row))
            })?;
            let Some(row) = found else { return Ok(()) };
            if row.pack == 0 || packed_is_whole(reader, &row)? {
                return Ok(());
            }
        }
        Err(StoreError::Damaged(format!(
            "body {} (its pack is missing)",
            BlobId::from_raw(blob)
        )))
    }

    fn message(&mut self, reader: &mut Reader, id: u64) -> Result<()> {
        self.found.rows += 1;
        reader.snapshot(|reader| {
            let Some(message) = load::message(&reader.conn, id)? else {
                return Ok(());
            };
            let what = || StoreError::Damaged(format!("message {} (its body)", message.row.id));
            let body = load::body(&reader.conn, message.row.blob.raw())?.ok_or_else(what)?;
            if body.size == message.row.body_bytes {
                Ok(())
            } else {
                Err(what())
            }
        })
    }

    fn attempts(&mut self, reader: &mut Reader, queue_id: QueueId) -> Result<()> {
        let mut after = None;
        loop {
            let page = reader.attempts(queue_id, after)?;
            self.found.rows += page.len() as u64;
            after = page.last().map(|row| (row.recipient, row.number));
            if page.len() < PAGE_ROWS {
                return Ok(());
            }
        }
    }

    /// Recounts a mailbox: every placement, its message, the counters.
    fn mailbox(&mut self, reader: &mut Reader, id: MailboxId) -> Result<()> {
        let (rows, verified) = reader.snapshot(|reader| {
            let mut rows = 1;
            let verified = recount(reader, id, &mut rows);
            Ok((rows, verified))
        })?;
        self.found.rows += rows;
        verified
    }

    /// The small tables, and SQLite's own structure.
    fn rest(&mut self, reader: &mut Reader) {
        let mut account = None;
        self.pages(reader, |reader| {
            let page = reader.accounts(account)?;
            account = page.last().map(|row| row.id);
            for row in &page {
                reader.metadata(row.id)?;
                reader.subscribed_names(row.id)?;
                verify_grants(reader, row.id)?;
            }
            Ok(page.len())
        });
        let mut domain = String::new();
        self.pages(reader, |reader| {
            let page = reader.domains(&domain)?;
            domain = page.last().map(|(name, _)| name.clone()).unwrap_or_default();
            Ok(page.len())
        });
        let mut alias = String::new();
        self.pages(reader, |reader| {
            let page = reader.aliases(&alias)?;
            alias = page.last().map(|(key, _)| key.clone()).unwrap_or_default();
            Ok(page.len())
        });
        let mut row: Option<(QueueId, u32)> = None;
        self.pages(reader, |reader| {
            let page = reader.waiting(row)?;
            row = page.last().map(|row| (row.queue_id, row.recipient));
            Ok(page.len())
        });
        let mut entry = 0;
        self.pages(reader, |reader| {
            let page = reader.audit(entry)?;
            entry = page.last().map_or(0, |row| row.id);
            Ok(page.len())
        });
        let structure = reader
            .conn
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
        let structure = structure
            .map_err(StoreError::from)
            .and_then(|verdict| match verdict.as_str() {
                "ok" => Ok(()),
                _ => Err(StoreError::Damaged(format!("mail.db ({verdict})"))),
            });
        self.note(reader, structure);
    }

    fn pages(&mut self, reader: &mut Reader, mut page: impl FnMut(&mut Reader) -> Result<usize>) {
        loop {
            let read = page(reader);
            let more = matches!(read, Ok(PAGE_ROWS));
            self.found.rows += read.as_ref().map_or(0, |&rows| rows as u64);
            self.note(reader, read);
            if !more {
                return;
            }
        }
    }
}

fn keys(reader: &Reader, table: &str, after: i64, n: usize) -> Result<Vec<i64>> {
    let mut statement = reader.conn.prepare_cached(table)?;
    let keys = statement.query_map(params![after, n as i64], |row| row.get(0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// Reads a packed body through and compares its hash. `false` when the pack is not there.
fn packed_is_whole(reader: &mut Reader, row: &BodyRow) -> Result<bool> {
    let mut hasher = blake3::Hasher::new();
    let mut offset = 0;
    while offset < row.size {
        let Some(bytes) = reader.packed_range(row, offset, READ_BODY_BYTES)? else {
            return Ok(false);
        };
        hasher.update(&bytes);
        offset += bytes.len() as u64;
    }
    if hasher.finalize().as_bytes() == &row.hash {
        Ok(true)
    } else {
        Err(StoreError::Damaged(format!(
            "body {} (its bytes do not match)",
            BlobId::from_raw(row.blob)
        )))
    }
}

/// Every entry about rights in the account's mailboxes is whole.
fn verify_grants(reader: &Reader, account: AccountId) -> Result<()> {
    let mut statement = reader.conn.prepare_cached(
        "SELECT g.mailbox,who,given,taken,g.sum FROM grants g JOIN mailboxes m ON m.id=g.mailbox WHERE m.account=?",
    )?;
    let mut rows = statement.query(params![int(account.raw())])?;
    while let Some(row) = rows.next()? {
        let stored = load::grant_from(row)?;
        if !stored.whole {
            return Err(StoreError::Damaged(format!(
                "an entry about rights in mailbox {}",
                stored.mailbox
            )));
        }
    }
    Ok(())
}

fn recount(reader: &Reader, id: MailboxId, rows: &mut u64) -> Result<()> {
    let Some(state) = load::mailbox(&reader.conn, id)? else {
        return Ok(());
    };
    load::keyword_names(&reader.conn, id)?;
    let mut statement = reader.conn.prepare_cached(
        "SELECT mailbox,uid,message,flags,keywords,modseq,size,sum,saved_at FROM placements WHERE mailbox=? ORDER BY uid",
    )?;
    let mut placements = statement.query(params![int(id.raw())])?;
    let (mut messages, mut unseen, mut deleted, mut size_bytes) = (0, 0, 0, 0);
    while let Some(row) = placements.next()? {
        let placement = load::placement_from(row)?.verified()?;
        *rows += 1;
        messages += 1;
        unseen += u32::from(placement.bits & SEEN == 0);
        deleted += u32::from(placement.bits & DELETED != 0);
        size_bytes += placement.size;
        let message = load::message(&reader.conn, placement.message)?;
        let fits = message.is_some_and(|message| message.places > 0 && message.size() == placement.size);
        if !fits || placement.uid >= state.row.uidnext || placement.modseq > state.row.modseq {
            return Err(StoreError::Damaged(format!(
                "placement {} in mailbox {id}",
                placement.uid
            )));
        }
    }
    let counted = (messages, unseen, deleted, size_bytes);
    let stored = (
        state.row.messages,
        state.row.unseen,
        state.row.deleted,
        state.row.size_bytes,
    );
    if counted == stored {
        return Ok(());
    }
    Err(StoreError::Damaged(format!(
        "mailbox {id} (its counters do not match)"
    )))
}
