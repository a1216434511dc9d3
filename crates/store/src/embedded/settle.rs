//! Moves bodies from the database into packs.
//!
//! 1. [`Inner::oldest_inline`] chooses bodies, oldest first, up to one pack,
//! 2. [`PackWriter`] writes them, verified and compressed, into `staging/`, syncs, gives the file its name, syncs the directory,
//! 3. [`Inner::switch_rows`] points the rows at the pack and deletes the inline bytes, a slice per transaction.
//!
//! A crash anywhere leaves every body in at least one of the two places (rows C10 to C12 of the crash table).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use mail::ids::{BlobId, Id};
use rusqlite::params;
use world::clock::UnixMs;

use crate::contract::{Result, StoreError};
use crate::embedded::faults::io_at;
use crate::embedded::layout::open_private;
use crate::embedded::load;
use crate::embedded::pack;
use crate::embedded::readers::{Reader, inline_bytes};
use crate::embedded::rows::{int, uint};
use crate::embedded::shared::Shared;
use crate::embedded::upkeep::{Inner, Settled};
use crate::events::StoreEvent;
use crate::limits::{DAY_MS, PACK_BYTES, SLICE_ROWS};

/// Bytes collected before a write.
const WRITE_BYTES: usize = 256 * 1024;

/// A body's new place, and the one it must still be at for the switch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    pub blob: u64,
    pub from: (u64, u64),
    pub place: u64,
    pub stored: u64,
}

/// A chosen body: name and size.
type Chosen = (u64, u64);

impl Inner {
    /// Settles when the bodies that are old enough fill a pack, or the oldest has waited for a day: a quiet server makes
    /// one pack a day, not one per message.
    pub(super) fn settle_due(&self) -> Result<Settled> {
        let now = self.shared.now();
        let limit = UnixMs(now.0.saturating_sub(self.shared.options.settle_after_ms));
        let chosen = self.oldest_inline(&mut self.reader()?, 0, limit)?;
        let bytes: u64 = chosen.iter().map(|(_, size)| size).sum();
        let waited = chosen
            .first()
            .is_some_and(|(blob, _)| BlobId::from_raw(*blob).unix_ms() + DAY_MS <= now.0);
        if bytes >= PACK_BYTES || waited {
            self.settle(limit)
        } else {
            Ok(Settled::default())
        }
    }

    /// Settles all inline bodies made up to `limit`.
    pub(super) fn settle(&self, limit: UnixMs) -> Result<Settled> {
        let mut reader = self.reader()?;
        let mut settled = Settled::default();
        let mut after = 0;
        while !self.is_closing() {
            let chosen = self.oldest_inline(&mut reader, after, limit)?;
            let Some((last, _)) = chosen.last().copied() else {
                break;
            };
            after = last;
            if let Some(bodies) = self.settle_one_pack(&mut reader, &chosen)? {
                settled.bodies += bodies;
                settled.packs += 1;
            }
        }
        Ok(settled)
    }

    /// Inline bodies after the given one, oldest first, as many as fill a pack.
    fn oldest_inline(&self, reader: &mut Reader, after: u64, limit: UnixMs) -> Result<Vec<Chosen>> {
        let mut statement = reader.conn.prepare_cached(
            "SELECT blob,(SELECT size FROM bodies WHERE bodies.blob=inline.blob) FROM inline WHERE blob>? ORDER BY blob",
        )?;
        let mut rows = statement.query(params![int(after)])?;
        let mut chosen = Vec::new();
        let mut bytes = 0;
        while bytes < PACK_BYTES {
            let Some(row) = rows.next()? else { break };
            let blob = uint(row.get(0)?);
            if BlobId::from_raw(blob).unix_ms() > limit.0 {
                break;
            }
            let size = uint(row.get::<_, Option<i64>>(1)?.unwrap_or(0));
            chosen.push((blob, size));
            bytes += size;
        }
        Ok(chosen)
    }

    fn settle_one_pack(&self, reader: &mut Reader, chosen: &[Chosen]) -> Result<Option<u64>> {
        let mut writer = PackWriter::create(&self.shared)?;
        for &(blob, _) in chosen {
            // A damaged body stays where it is and is told; the rest goes on.
            if let Ok(Some(body)) = self.shared.watch(verified_inline(reader, blob)) {
                writer.add_body(blob, *blake3::hash(&body).as_bytes(), &body)?;
            }
        }
        let Some((pack, bytes, moved)) = writer.publish()? else {
            return Ok(None);
        };
        let switched = self.switch_rows(pack, bytes, &moved);
        self.shared.staged.remove(pack);
        let bodies = switched?;
        self.shared.emit(&StoreEvent::Settled {
            bodies,
            pack_bytes: bytes,
        });
        Ok(Some(bodies))
    }

    /// Points rows at a published pack, a slice per transaction. Rows that changed meanwhile are left alone. Returns how
    /// many were switched.
    pub(super) fn switch_rows(&self, pack: u64, bytes: u64, moved: &[Moved]) -> Result<u64> {
        let mut switched = 0;
        for slice in moved.chunks(SLICE_ROWS) {
            let slice = slice.to_vec();
            let shared = Arc::clone(&self.shared);
            switched += self.line.run(move |writer| {
                writer.transaction(|conn, _| {
                    shared.saw_id(pack);
                    conn.prepare_cached("INSERT OR IGNORE INTO packs VALUES(?,?,0)")?
                        .execute(params![int(pack), int(bytes)])?;
                    let mut switched = 0;
                    for moved in &slice {
                        switched += u64::from(switch_one(conn, pack, moved)?);
                    }
                    Ok(switched)
                })
            })??;
        }
        Ok(switched)
    }
}

/// Switches one row if it still is where it was read.
fn switch_one(conn: &rusqlite::Connection, pack: u64, moved: &Moved) -> Result<bool> {
    let Some(mut row) = load::body(conn, moved.blob)? else {
        return Ok(false);
    };
    if (row.pack, row.place) != moved.from {
        return Ok(false);
    }
    let old_stored = row.stored;
    row.pack = pack;
    row.place = moved.place;
    row.stored = moved.stored;
    row.update(conn)?;
    conn.prepare_cached("UPDATE packs SET live=live+? WHERE pack=?")?
        .execute(params![int(moved.stored), int(pack)])?;
    if moved.from.0 == 0 {
        conn.prepare_cached("DELETE FROM inline WHERE blob=?")?
            .execute(params![int(moved.blob)])?;
    } else {
        conn.prepare_cached("UPDATE packs SET live=max(0,live-?) WHERE pack=?")?
            .execute(params![int(old_stored), int(moved.from.0)])?;
    }
    Ok(true)
}

/// The bytes of an inline body; `None` when it is gone or settled meanwhile.
fn verified_inline(reader: &mut Reader, blob: u64) -> Result<Option<bytes::Bytes>> {
    reader.snapshot(|reader| match load::body(&reader.conn, blob)? {
        Some(row) if row.pack == 0 => inline_bytes(&reader.conn, &row).map(Some),
        _ => Ok(None),
    })
}

/// Writes a pack of many records.
pub(super) struct PackWriter<'a> {
    shared: &'a Shared,
    pack: u64,
    file: File,
    held: Vec<u8>,
    /// where `held` begins in the file
    written: u64,
    moved: Vec<Moved>,
    published: bool,
}

impl<'a> PackWriter<'a> {
    pub fn create(shared: &'a Shared) -> Result<Self> {
        let pack = shared.ids.next::<BlobId>().raw();
        let file = open_private(&shared.layout.staged(pack)).map_err(io_at("staging"))?;
        let held = pack::header(pack).to_vec();
        Ok(Self {
            shared,
            pack,
            file,
            held,
            written: 0,
            moved: Vec::new(),
            published: false,
        })
    }

    /// Adds a body that was inline.
    pub fn add_body(&mut self, blob: u64, hash: [u8; 32], body: &[u8]) -> Result<()> {
        self.add(blob, (0, 0), |held| pack::push_small(held, blob, hash, body))
    }

    /// Adds a record.
    pub fn add(&mut self, blob: u64, from: (u64, u64), push: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let begin = self.held.len();
        push(&mut self.held);
        let place = self.written + begin as u64;
        let stored = (self.held.len() - begin) as u64;
        self.moved.push(Moved {
            blob,
            from,
            place,
            stored,
        });
        if self.held.len() >= WRITE_BYTES {
            self.write_held()
        } else {
            Ok(())
        }
    }

    fn write_held(&mut self) -> Result<()> {
        self.file
            .write_all_at(&self.held, self.written)
            .map_err(io_at("staging"))?;
        self.written += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }

    /// Syncs the file, gives it its name, syncs the directory. Returns its number, the bytes of its records, and where
    /// they are; `None` when there are none. It counts as staged until the caller has switched the rows.
    pub fn publish(mut self) -> Result<Option<(u64, u64, Vec<Moved>)>> {
        if self.moved.is_empty() {
            return Ok(None);
        }
        self.write_held()?;
        self.file.sync_data().map_err(io_at("staging"))?;
        self.shared
            .staged
            .add(self.pack, self.pack, self.written, self.shared.now());
        if let Err(error) = self.shared.layout.publish_pack(self.pack) {
            self.shared.staged.remove(self.pack);
            return Err(error);
        }
        self.published = true;
        let bytes = self.written - pack::HEADER_BYTES as u64;
        Ok(Some((self.pack, bytes, std::mem::take(&mut self.moved))))
    }
}

impl Drop for PackWriter<'_> {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_file(self.shared.layout.staged(self.pack));
        }
    }
}

/// A pack to read records from.
pub(super) fn open_pack(shared: &Shared, pack: u64) -> Result<File> {
    let damaged = |_| StoreError::Damaged(format!("pack {pack:016x}"));
    File::open(shared.layout.pack(pack)).map_err(damaged)
}
