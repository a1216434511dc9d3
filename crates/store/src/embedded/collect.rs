//! Removes for good what nobody needs any more: emptied mailboxes, removed messages after `undelete_days`, bodies nobody
//! points to, packs without live records, and rewrites packs that are mostly dead. Slices, so that a commit never waits
//! long.

use std::fs;
use std::sync::Arc;

use mail::ids::{Id, MailboxId, QueueId};
use rusqlite::{Connection, params};
use world::clock::UnixMs;

use crate::contract::{ATTEMPT_DAYS, AUDIT_DAYS, Admission, Result, StoreError};
use crate::embedded::apply::unreference;
use crate::embedded::ledger::Ledger;
use crate::embedded::load;
use crate::embedded::pack::{self, RECORD_HEADER_BYTES, Record, Unzip};
use crate::embedded::rows::{int, uint};
use crate::embedded::settle::{PackWriter, open_pack};
use crate::embedded::shared::Shared;
use crate::embedded::upkeep::{Collected, Inner};
use crate::events::StoreEvent;
use crate::limits::{ABANDONED_PRESSED_MS, DAY_MS, DELIVERY_KEY_DAYS, PACK_ALIVE_PERCENT, SLICE_ROWS};

const SLICE: i64 = SLICE_ROWS as i64;

impl Inner {
    /// One round. Under pressure nothing waits for its time.
    pub(super) fn collect(&self) -> Result<Collected> {
        let now = self.shared.now();
        let pressed = self.shared.look_at_space() != Admission::Open;
        let options = &self.shared.options;
        let before = |age_ms: u64| {
            if pressed {
                UnixMs(i64::MAX as u64)
            } else {
                UnixMs(now.0.saturating_sub(age_ms))
            }
        };
        let (gone, dead) = (
            before(options.undelete_days * DAY_MS),
            before(options.unreferenced_ms),
        );
        while self.slice(move |conn, _| empty_doomed(conn, now))? > 0 {}
        let shared = Arc::clone(&self.shared);
        let messages = self.slices(move |conn, _| remove_gone(conn, &shared, gone))?;
        let shared = Arc::clone(&self.shared);
        let bodies = self.slices(move |conn, _| remove_dead(conn, &shared, dead))?;
        self.remove_abandoned(now, pressed)?;
        self.rewrite_mostly_dead()?;
        let packs = self.remove_empty_packs()?;
        let collected = Collected {
            messages,
            bodies,
            packs,
        };
        if collected != Collected::default() {
            self.shared.emit(&StoreEvent::Collected {
                messages,
                bodies,
                packs,
            });
        }
        Ok(collected)
    }

    fn slice(
        &self,
        step: impl FnOnce(&Connection, &mut Ledger) -> Result<u64> + Send + 'static,
    ) -> Result<u64> {
        self.line.run(move |writer| writer.transaction(step))?
    }

    fn slices(
        &self,
        step: impl Fn(&Connection, &mut Ledger) -> Result<u64> + Send + Sync + 'static,
    ) -> Result<u64> {
        let step = Arc::new(step);
        let mut total = 0;
        loop {
            let step = Arc::clone(&step);
            let done = self.slice(move |conn, ledger| step(conn, ledger))?;
            total += done;
            if done == 0 || self.is_closing() {
                return Ok(total);
            }
        }
    }

    /// Staged bodies whose commit never came. A commit may still come, so that even under pressure they have a moment.
    fn remove_abandoned(&self, now: UnixMs, pressed: bool) -> Result<()> {
        let kept_ms = self.shared.options.unreferenced_ms;
        let kept_ms = if pressed {
            kept_ms.min(ABANDONED_PRESSED_MS)
        } else {
            kept_ms
        };
        let limit = UnixMs(now.0.saturating_sub(kept_ms));
        for (blob, pack) in self.shared.staged.abandoned(limit) {
            self.shared.staged.remove(blob);
            // On the writer's thread, so that no commit is just taking it.
            let shared = Arc::clone(&self.shared);
            self.slice(move |conn, _| {
                if !is_known_pack(conn, pack)? {
                    let _ = fs::remove_file(shared.layout.pack(pack));
                }
                Ok(0)
            })?;
        }
        Ok(())
    }

    /// Packs that no row knows and no commit is about to know.
    pub(super) fn remove_leftovers(&self) -> Result<u64> {
        let failed = |error: std::io::Error| StoreError::Fatal(format!("packs: {error}"));
        let reader = self.reader()?;
        let mut removed = 0;
        for entry in fs::read_dir(&self.shared.layout.packs).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(pack) = entry
                .file_name()
                .to_str()
                .and_then(crate::embedded::layout::Layout::pack_number)
            else {
                continue;
            };
            // In this order: a blank is staged before it leaves the list of blanks, and a body's row is committed before that
            // leaves the list of staged ones.
            let in_use = self.shared.blanks.contains(pack) || self.shared.staged.holds(pack);
            if in_use || is_known_pack(&reader.conn, pack)? {
                continue;
            }
            fs::remove_file(entry.path()).map_err(failed)?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Rows of packs without live records go first, then the files: a crash between leaves a leftover (row C14).
    fn remove_empty_packs(&self) -> Result<u64> {
        let empty: Vec<u64> = {
            let staged = self.shared.staged.packs();
            let reader = self.reader()?;
            let mut statement = reader
                .conn
                .prepare_cached("SELECT pack FROM packs WHERE live=0")?;
            let packs = statement
                .query_map([], |row| row.get::<_, i64>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            packs
                .into_iter()
                .map(uint)
                .filter(|pack| !staged.contains(pack))
                .collect()
        };
        let mut removed = 0;
        for pack in empty {
            let shared = Arc::clone(&self.shared);
            removed += self.slice(move |conn, _| {
                shared.keep_id_floor(conn)?;
                let gone = conn
                    .prepare_cached("DELETE FROM packs WHERE pack=? AND live=0")?
                    .execute(params![int(pack)])?;
                Ok(gone as u64)
            })?;
            // A file that cannot be removed now is a leftover of the next start.
            let _ = fs::remove_file(self.shared.layout.pack(pack));
        }
        Ok(removed)
    }

    /// Copies the live records of packs that are mostly dead into new ones.
    fn rewrite_mostly_dead(&self) -> Result<()> {
        let packs: Vec<u64> = {
            let reader = self.reader()?;
            let mut statement = reader
                .conn
                .prepare_cached("SELECT pack FROM packs WHERE live>0 AND live*100<bytes*? LIMIT 16")?;
            let packs = statement
                .query_map(params![int(PACK_ALIVE_PERCENT)], |row| row.get::<_, i64>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            packs.into_iter().map(uint).collect()
        };
        for pack in packs {
            // A pack that cannot be read is left as it is; its damage was told.
            let _ = self.shared.watch(self.rewrite(pack));
        }
        Ok(())
    }

    fn rewrite(&self, old: u64) -> Result<()> {
        let damaged = |_| StoreError::Damaged(format!("pack {old:016x}"));
        let file = open_pack(&self.shared, old)?;
        let end = file
            .metadata()
            .map_err(|_| StoreError::Damaged(format!("pack {old:016x}")))?
            .len();
        let reader = self.reader()?;
        let mut writer = PackWriter::create(&self.shared)?;
        let mut unzip = Unzip::default();
        let mut place = pack::HEADER_BYTES as u64;
        while place < end {
            let record = Record::read(&file, place).map_err(damaged)?;
            let row = load::body(&reader.conn, record.blob)?;
            if let Some(row) = row.filter(|row| (row.pack, row.place) == (old, place)) {
                let body = pack::read_range(
                    &file,
                    &mut unzip,
                    place,
                    (row.blob, row.size, &row.hash),
                    0,
                    row.size,
                )
                .map_err(damaged)?;
                writer.add(row.blob, (old, place), |held| {
                    pack::push_small(held, row.blob, row.hash, &body)
                })?;
            }
            place += RECORD_HEADER_BYTES as u64 + record.stored;
        }
        let Some((pack, bytes, moved)) = writer.publish()? else {
            return Ok(());
        };
        let switched = self.switch_rows(pack, bytes, &moved);
        self.shared.staged.remove(pack);
        switched.map(drop)
    }

    /// Forgets tombstones and keys against replays that are past their time. Once a day.
    pub(super) fn trim(&self) -> Result<()> {
        let now = self.shared.now();
        let keys_before = now.0.saturating_sub(DELIVERY_KEY_DAYS * DAY_MS) << 21;
        self.slices(move |conn, _| forget_delivery_keys(conn, keys_before))?;
        self.forget_attempts(UnixMs(now.0.saturating_sub(ATTEMPT_DAYS * DAY_MS)))?;
        let audit_before = UnixMs(now.0.saturating_sub(AUDIT_DAYS * DAY_MS));
        let shared = Arc::clone(&self.shared);
        self.slices(move |conn, _| forget_audit(conn, &shared, audit_before))?;
        let limit = UnixMs(now.0.saturating_sub(self.shared.options.tombstone_days * DAY_MS));
        let mailboxes: Vec<u64> = {
            let reader = self.reader()?;
            let mut statement = reader
                .conn
                .prepare_cached("SELECT id FROM mailboxes ORDER BY id")?;
            let ids = statement
                .query_map([], |row| row.get::<_, i64>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            ids.into_iter().map(uint).collect()
        };
        for mailbox in mailboxes {
            let oldest = self.reader()?.conn.query_row(
                "SELECT max(modseq) FROM tombstones WHERE mailbox=? AND made_at<?",
                params![int(mailbox), int(limit.0)],
                |row| row.get::<_, Option<i64>>(0),
            )?;
            let Some(modseq) = oldest.map(uint) else { continue };
            self.slice(move |conn, ledger| {
                forget_tombstones(conn, ledger, MailboxId::from_raw(mailbox), modseq)
            })?;
        }
        Ok(())
    }
}

impl Inner {
    /// Attempts of messages that left the queue before `limit`. A message is older than its last attempt, so only old ones
    /// are looked at.
    fn forget_attempts(&self, limit: UnixMs) -> Result<()> {
        let mut after = 0;
        loop {
            let shared = Arc::clone(&self.shared);
            let last = self.slice(move |conn, _| forget_attempts(conn, &shared, after, limit))?;
            if last == 0 || self.is_closing() {
                return Ok(());
            }
            after = last;
        }
    }
}

/// Looks at a slice of messages behind `after`; returns the last one looked at, 0 at the end.
fn forget_attempts(conn: &Connection, shared: &Shared, after: u64, limit: UnixMs) -> Result<u64> {
    let slice: Vec<i64> = conn
        .prepare_cached(
            "SELECT DISTINCT queue_id FROM attempts WHERE queue_id>? AND queue_id<? ORDER BY queue_id LIMIT ?",
        )?
        .query_map(params![int(after), int(limit.0 << 21), SLICE], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if !slice.is_empty() {
        shared.keep_id_floor(conn)?;
    }
    for &queue_id in &slice {
        conn.prepare_cached(
            "DELETE FROM attempts WHERE queue_id=?1 AND NOT EXISTS(SELECT 1 FROM accepted WHERE queue_id=?1) \
             AND (SELECT max(at) FROM attempts WHERE queue_id=?1)<?2",
        )?
        .execute(params![queue_id, int(limit.0)])?;
    }
    Ok(slice.last().map_or(0, |&last| uint(last)))
}

/// Entries are numbered by time.
fn forget_audit(conn: &Connection, shared: &Shared, limit: UnixMs) -> Result<u64> {
    shared.keep_id_floor(conn)?;
    let removed = conn
        .prepare_cached(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id<? ORDER BY id LIMIT ?)",
        )?
        .execute(params![int(limit.0 << 21), SLICE])?;
    Ok(removed as u64)
}

fn is_known_pack(conn: &Connection, pack: u64) -> Result<bool> {
    let found = conn
        .prepare_cached("SELECT EXISTS(SELECT 1 FROM packs WHERE pack=?)")?
        .query_row(params![int(pack)], |row| row.get(0))?;
    Ok(found)
}

/// Takes a slice of placements out of a deleted mailbox; the last step forgets the mailbox. Returns 0 when none is left.
fn empty_doomed(conn: &Connection, now: UnixMs) -> Result<u64> {
    let doomed = conn
        .prepare_cached("SELECT mailbox FROM doomed LIMIT 1")?
        .query_map([], |row| row.get::<_, i64>(0))?
        .next()
        .transpose()?;
    let Some(mailbox) = doomed else { return Ok(0) };
    let slice: Vec<(i64, i64)> = conn
        .prepare_cached("SELECT uid,message FROM placements WHERE mailbox=? ORDER BY uid LIMIT ?")?
        .query_map(params![mailbox, SLICE], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for &(uid, message) in &slice {
        conn.prepare_cached("DELETE FROM placements WHERE mailbox=? AND uid=?")?
            .execute(params![mailbox, uid])?;
        // A message row that is damaged stays; the scrubber names it.
        let Ok(Some(mut state)) = load::message(conn, uint(message)) else {
            continue;
        };
        state.places = state.places.saturating_sub(1);
        state.update_places(conn)?;
        if state.places == 0 {
            conn.prepare_cached("INSERT OR IGNORE INTO gone VALUES(?,?)")?
                .execute(params![int(now.0), message])?;
        }
    }
    if slice.is_empty() {
        conn.execute("DELETE FROM tombstones WHERE mailbox=?", params![mailbox])?;
        conn.execute("DELETE FROM keywords WHERE mailbox=?", params![mailbox])?;
        conn.execute("DELETE FROM doomed WHERE mailbox=?", params![mailbox])?;
    }
    Ok(1 + slice.len() as u64)
}

/// Removes a slice of messages that have had no place since before `limit`.
fn remove_gone(conn: &Connection, shared: &Shared, limit: UnixMs) -> Result<u64> {
    let slice: Vec<(i64, i64)> = conn
        .prepare_cached("SELECT since,message FROM gone WHERE since<=? ORDER BY since,message LIMIT ?")?
        .query_map(params![int(limit.0), SLICE], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    if !slice.is_empty() {
        shared.keep_id_floor(conn)?;
    }
    for &(since, id) in &slice {
        conn.prepare_cached("DELETE FROM gone WHERE since=? AND message=?")?
            .execute(params![since, id])?;
        let Ok(Some(message)) = load::message(conn, uint(id)) else {
            continue;
        };
        if message.places > 0 {
            continue;
        }
        conn.prepare_cached("DELETE FROM messages WHERE id=?")?
            .execute(params![id])?;
        // It has waited its time as a message already.
        unreference(conn, message.row.blob.raw(), UnixMs(0))?;
    }
    Ok(slice.len() as u64)
}

/// Removes a slice of bodies nobody has pointed to since before `limit`.
fn remove_dead(conn: &Connection, shared: &Shared, limit: UnixMs) -> Result<u64> {
    let slice: Vec<(i64, i64)> = conn
        .prepare_cached("SELECT since,blob FROM dead WHERE since<=? ORDER BY since,blob LIMIT ?")?
        .query_map(params![int(limit.0), SLICE], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    if !slice.is_empty() {
        shared.keep_id_floor(conn)?;
    }
    for &(since, blob) in &slice {
        conn.prepare_cached("DELETE FROM dead WHERE since=? AND blob=?")?
            .execute(params![since, blob])?;
        let Ok(Some(row)) = load::body(conn, uint(blob)) else {
            continue;
        };
        if row.refs > 0 {
            continue;
        }
        conn.prepare_cached("DELETE FROM bodies WHERE blob=?")?
            .execute(params![blob])?;
        if row.pack == 0 {
            conn.prepare_cached("DELETE FROM inline WHERE blob=?")?
                .execute(params![blob])?;
        } else {
            conn.prepare_cached("UPDATE packs SET live=max(0,live-?) WHERE pack=?")?
                .execute(params![int(row.stored), int(row.pack)])?;
        }
    }
    Ok(slice.len() as u64)
}

/// Keys of acceptances that still have waiting recipients are kept, however old.
fn forget_delivery_keys(conn: &Connection, before: u64) -> Result<u64> {
    let oldest_waiting: Option<i64> = conn
        .prepare_cached("SELECT min(queue_id) FROM accepted")?
        .query_row([], |row| row.get(0))?;
    let before = QueueId::from_raw(before.min(oldest_waiting.map_or(u64::MAX >> 1, uint)));
    let removed = conn
        .prepare_cached(
            "DELETE FROM deliveries WHERE accepted<?1 AND accepted<=\
             (SELECT max(accepted) FROM (SELECT accepted FROM deliveries ORDER BY accepted LIMIT ?2))",
        )?
        .execute(params![int(before.raw()), SLICE])?;
    Ok(removed as u64)
}

fn forget_tombstones(conn: &Connection, ledger: &mut Ledger, mailbox: MailboxId, modseq: u64) -> Result<u64> {
    // The mailbox may have been deleted meanwhile.
    if ledger.mailbox(conn, mailbox)?.is_none() {
        return Ok(0);
    }
    let removed = conn
        .prepare_cached("DELETE FROM tombstones WHERE mailbox=? AND modseq<=?")?
        .execute(params![int(mailbox.raw()), int(modseq)])?;
    let state = ledger.change_mailbox(conn, mailbox)?;
    state.tombstone_floor = state.tombstone_floor.max(modseq);
    Ok(removed as u64)
}
