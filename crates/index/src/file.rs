//! The file `index.db`: SQLite with a log, synced only when the log is copied into it. What a power cut leaves is an older state
//! (the log's checksums end it there), or damage, which every column's checksum shows; then the file is made anew.
//!
//! A commit holds a new segment, the removal of those it replaces, and the marks up to which the account's mailboxes are
//! indexed: all of it is there or nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mail::ids::{AccountId, Id as _, MailboxId};
use rusqlite::{Connection, OptionalExtension as _, params};
use zstd::bulk::{Compressor, Decompressor};

use crate::limits::{COLUMN_BYTES, FORMAT, LOG_PAGES, PAGE_CACHE_KIB};
use crate::segment::{Column, Columns, ids_of};

/// The file's name in the data directory.
pub const FILE: &str = "index.db";

const TABLES: &str = "
CREATE TABLE segments(id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, messages INTEGER NOT NULL,
    bytes INTEGER NOT NULL);
CREATE INDEX segments_by_account ON segments(account);
CREATE TABLE columns(key INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE marks(account INTEGER NOT NULL, mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL,
    PRIMARY KEY(account, mailbox)) WITHOUT ROWID;
";

/// Removes the file from a data directory in which no server runs; the next one makes it anew.
pub fn remove(dir: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        match std::fs::remove_file(dir.join(format!("{FILE}{suffix}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Why the file did not do what was asked.
#[derive(Debug)]
pub(crate) enum FileError {
    /// What was read is not what was written: make the file anew.
    Damaged(String),
    /// A segment is not what was written: forget it.
    Segment(u64, String),
    /// A segment is not there (any more): it may have become part of another one.
    Missing,
    /// The disk refused, or is full: try again later.
    Refused(String),
}

type Result<T> = std::result::Result<T, FileError>;

impl From<rusqlite::Error> for FileError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(error.to_string()),
            None => Self::Damaged(error.to_string()),
            Some(_) => Self::Refused(error.to_string()),
        }
    }
}

/// A segment as it is listed.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) segment: u64,
    pub(crate) ids: Vec<u64>,
    /// unpacked, all columns
    pub(crate) bytes: u64,
}

/// Up to which modseq each mailbox of an account is indexed.
pub(crate) type Marks = BTreeMap<MailboxId, u64>;

/// A new segment, ready to be written.
pub(crate) struct Packed {
    messages: usize,
    /// unpacked
    pub(crate) bytes: u64,
    columns: Vec<(Column, Vec<u8>)>,
}

impl Packed {
    /// `None` when a column is larger than what is read again.
    pub(crate) fn new(packer: &mut Packer, messages: usize, columns: &Columns) -> Option<Self> {
        let packed = columns
            .iter()
            .map(|(column, octets)| Some((*column, packer.pack(octets)?)));
        Some(Self {
            messages,
            bytes: columns.iter().map(|(_, octets)| octets.len() as u64).sum(),
            columns: packed.collect::<Option<_>>()?,
        })
    }
}

/// A change of one account, committed as a whole.
pub(crate) struct Change<'c> {
    pub(crate) account: AccountId,
    pub(crate) new: Option<Packed>,
    pub(crate) replaced: &'c [u64],
    pub(crate) marks: &'c Marks,
    /// mailboxes that are no more
    pub(crate) gone: &'c [MailboxId],
}

/// Where the file is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    path: PathBuf,
    /// of format and description; another one means that the content is of no use
    version: u32,
}

impl Place {
    pub(crate) fn new(dir: &Path, describe_version: u16) -> Self {
        Self {
            path: dir.join(FILE),
            version: FORMAT << 16 | u32::from(describe_version),
        }
    }

    /// Opens it for writing. Without a file, or with one of another version or shape, it is made anew; the text says why.
    pub(crate) fn open(&self) -> Result<(File, Option<String>)> {
        match self.open_existing() {
            Ok(Some(file)) => Ok((file, None)),
            Ok(None) => Ok((self.make()?, Some("there was none of this version".to_owned()))),
            Err(FileError::Damaged(why)) => Ok((self.make()?, Some(why))),
            Err(other) => Err(other),
        }
    }

    /// Opens it for reading.
    pub(crate) fn reader(&self) -> Result<File> {
        File::open(&self.path)
    }

    /// Octets on disk, the log included.
    pub(crate) fn bytes(&self) -> u64 {
        let size = |path: &Path| path.metadata().map_or(0, |found| found.len());
        size(&self.path) + size(&self.beside("-wal"))
    }

    fn open_existing(&self) -> Result<Option<File>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let file = File::open(&self.path)?;
        let version: u32 = file.conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != self.version {
            return Ok(None);
        }
        file.messages()?;
        Ok(Some(file))
    }

    /// Removes what is there and makes an empty one.
    pub(crate) fn make(&self) -> Result<File> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        remove(dir).map_err(|error| FileError::Refused(format!("{}: {error}", self.path.display())))?;
        // SQLite gives its other files the same rights.
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path);
        made.map_err(|error| FileError::Refused(format!("{}: {error}", self.path.display())))?;
        let file = File::open(&self.path)?;
        file.conn.execute_batch(&format!(
            "BEGIN IMMEDIATE;{TABLES}PRAGMA user_version={};COMMIT;",
            self.version
        ))?;
        Ok(file)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }
}

/// The opened file.
pub(crate) struct File {
    conn: Connection,
    unpacker: RefCell<Unpacker>,
}

impl File {
    fn open(path: &Path) -> Result<Self> {
        let conn = Connection::open(path)?;
        conn.busy_timeout(Duration::from_secs(5))?;
        conn.execute_batch(&format!(
            "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; \
             PRAGMA wal_autocheckpoint={LOG_PAGES}; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; \
             PRAGMA cell_size_check=ON; PRAGMA cache_size=-{PAGE_CACHE_KIB};"
        ))?;
        let unpacker = RefCell::default();
        Ok(Self { conn, unpacker })
    }

    /// (messages, segments) of everybody.
    pub(crate) fn messages(&self) -> Result<(u64, u64)> {
        let counted = "SELECT ifnull(sum(messages),0), count(*) FROM segments";
        Ok(self
            .conn
            .query_row(counted, [], |row| Ok((number(row.get(0)?), number(row.get(1)?))))?)
    }

    /// Accounts that have something here.
    pub(crate) fn accounts(&self) -> Result<Vec<AccountId>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT account FROM segments UNION SELECT account FROM marks")?;
        let found = statement.query_map([], |row| Ok(AccountId::from_raw(number(row.get(0)?))))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// The segments of an account with their messages.
    pub(crate) fn segments(&self, account: AccountId) -> Result<Vec<Listed>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT id,bytes FROM segments WHERE account=? ORDER BY id")?;
        let found = statement.query_map([int(account.raw())], |row| {
            Ok((number(row.get(0)?), number(row.get(1)?)))
        })?;
        let found: Vec<(u64, u64)> = found.collect::<rusqlite::Result<_>>()?;
        found
            .into_iter()
            .map(|(segment, bytes)| {
                let column = self.column(segment, Column::Ids)?;
                let ids = ids_of(&column).ok_or_else(|| damaged(segment, Column::Ids))?;
                Ok(Listed { segment, ids, bytes })
            })
            .collect()
    }

    /// A column, unpacked and verified.
    pub(crate) fn column(&self, segment: u64, column: Column) -> Result<Vec<u8>> {
        let key = key_of(segment, column);
        let mut statement = self
            .conn
            .prepare_cached("SELECT bytes FROM columns WHERE key=?")?;
        let unpacked = statement
            .query_row([int(key)], |row| {
                let stored = row.get_ref(0)?.as_blob()?;
                Ok(self.unpacker.borrow_mut().unpack(key, stored))
            })
            .optional()?
            .ok_or(FileError::Missing)?;
        unpacked.ok_or_else(|| damaged(segment, column))
    }

    /// Up to where the mailboxes of an account are indexed.
    pub(crate) fn marks(&self, account: AccountId) -> Result<Marks> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT mailbox,modseq FROM marks WHERE account=?")?;
        let found = statement.query_map([int(account.raw())], |row| {
            Ok((MailboxId::from_raw(number(row.get(0)?)), number(row.get(1)?)))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Commits; gives the number of the new segment.
    pub(crate) fn commit(&mut self, change: &Change<'_>) -> Result<Option<u64>> {
        let transaction = self.conn.transaction()?;
        let account = int(change.account.raw());
        let mut segment = None;
        if let Some(packed) = &change.new {
            transaction
                .prepare_cached("INSERT INTO segments(account,messages,bytes) VALUES(?,?,?)")?
                .execute(params![account, int(packed.messages as u64), int(packed.bytes)])?;
            let new = number(transaction.last_insert_rowid());
            let mut insert = transaction.prepare_cached("INSERT INTO columns VALUES(?,?)")?;
            for (column, packed) in &packed.columns {
                let key = key_of(new, *column);
                insert.execute(params![int(key), sealed(key, packed)])?;
            }
            segment = Some(new);
        }
        for &old in change.replaced {
            transaction
                .prepare_cached("DELETE FROM segments WHERE id=?")?
                .execute([int(old)])?;
            transaction
                .prepare_cached("DELETE FROM columns WHERE key>=? AND key<?")?
                .execute([int(old * COLUMNS), int((old + 1) * COLUMNS)])?;
        }
        let mut mark = transaction.prepare_cached(MARK)?;
        for (mailbox, modseq) in change.marks {
            mark.execute(params![account, int(mailbox.raw()), int(*modseq)])?;
        }
        drop(mark);
        for mailbox in change.gone {
            transaction
                .prepare_cached("DELETE FROM marks WHERE account=? AND mailbox=?")?
                .execute([account, int(mailbox.raw())])?;
        }
        transaction.commit()?;
        if !change.replaced.is_empty() {
            self.give_back()?;
        }
        Ok(segment)
    }

    /// Forgets a segment that is damaged, and up to where its account was indexed: its messages are looked at again.
    pub(crate) fn forget_segment(&mut self, segment: u64) -> Result<Option<AccountId>> {
        let account = self
            .conn
            .query_row("SELECT account FROM segments WHERE id=?", [int(segment)], |row| {
                Ok(AccountId::from_raw(number(row.get(0)?)))
            })
            .optional()?;
        let Some(account) = account else { return Ok(None) };
        let marked: Vec<MailboxId> = self.marks(account)?.into_keys().collect();
        self.commit(&Change {
            account,
            new: None,
            replaced: &[segment],
            marks: &Marks::new(),
            gone: &marked,
        })?;
        Ok(Some(account))
    }

    /// Forgets an account.
    pub(crate) fn forget(&mut self, account: AccountId) -> Result<()> {
        let segments: Vec<u64> = self
            .conn
            .prepare_cached("SELECT id FROM segments WHERE account=?")?
            .query_map([int(account.raw())], |row| Ok(number(row.get(0)?)))?
            .collect::<rusqlite::Result<_>>()?;
        self.commit(&Change {
            account,
            new: None,
            replaced: &segments,
            marks: &Marks::new(),
            gone: &[],
        })?;
        self.conn
            .execute("DELETE FROM marks WHERE account=?", [int(account.raw())])?;
        Ok(())
    }

    /// Gives free pages back to the disk when they are more than a quarter of all.
    fn give_back(&self) -> Result<()> {
        let count = |what: &str| {
            self.conn
                .query_row(&format!("PRAGMA {what}"), [], |row| row.get::<_, i64>(0))
        };
        let (free, all) = (count("freelist_count")?, count("page_count")?);
        if free * 4 > all {
            self.conn.execute_batch("PRAGMA incremental_vacuum;")?;
        }
        Ok(())
    }
}

/// Only a mark that changed is written.
const MARK: &str =
    "INSERT INTO marks VALUES(?,?,?) ON CONFLICT(account,mailbox) DO UPDATE SET modseq=excluded.modseq
    WHERE modseq<>excluded.modseq";

/// Keys of one segment.
const COLUMNS: u64 = 16;

fn key_of(segment: u64, column: Column) -> u64 {
    segment.wrapping_mul(COLUMNS) + column as u64
}

fn damaged(segment: u64, column: Column) -> FileError {
    FileError::Segment(segment, format!("column {column:?} of segment {segment}"))
}

/// How hard columns are packed: quick, for half the size.
const ZSTD_LEVEL: i32 = 1;
/// Octets of the checksum, and of the unpacked size, before the packed octets.
const SUM_BYTES: usize = 8;
const HEAD_BYTES: usize = SUM_BYTES + 4;

/// Packs columns. What zstd needs for that is kept: making it anew costs more than to pack a small column.
#[derive(Default)]
pub(crate) struct Packer(Option<Compressor<'static>>);

impl Packer {
    /// `None` for what [`Unpacker::unpack`] would refuse.
    fn pack(&mut self, octets: &[u8]) -> Option<Vec<u8>> {
        let size = u32::try_from(octets.len()).ok()?;
        if octets.len() > COLUMN_BYTES {
            return None;
        }
        let mut packed = size.to_le_bytes().to_vec();
        // Packing fails only without memory; then the size says that the octets stand as they are.
        match self.compress(octets) {
            Some(small) if small.len() < octets.len() => packed.extend_from_slice(&small),
            _ => packed.extend_from_slice(octets),
        }
        Some(packed)
    }

    fn compress(&mut self, octets: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_none() {
            self.0 = Compressor::new(ZSTD_LEVEL).ok();
        }
        self.0.as_mut()?.compress(octets).ok()
    }
}

/// Unpacks columns.
#[derive(Default)]
struct Unpacker(Option<Decompressor<'static>>);

impl Unpacker {
    fn unpack(&mut self, key: u64, stored: &[u8]) -> Option<Vec<u8>> {
        let (stored_sum, packed) = stored.split_at_checked(SUM_BYTES)?;
        if stored_sum != sum(key, packed) {
            return None;
        }
        let size = u32::from_le_bytes(stored.get(SUM_BYTES..HEAD_BYTES)?.try_into().ok()?) as usize;
        let octets = &stored[HEAD_BYTES..];
        if octets.len() == size {
            return Some(octets.to_vec());
        }
        if self.0.is_none() {
            self.0 = Decompressor::new().ok();
        }
        let unpacked = self.0.as_mut()?.decompress(octets, size.min(COLUMN_BYTES)).ok()?;
        (unpacked.len() == size).then_some(unpacked)
    }
}

/// With the checksum in front, which binds the octets to their place.
fn sealed(key: u64, packed: &[u8]) -> Vec<u8> {
    let mut all = sum(key, packed).to_vec();
    all.extend_from_slice(packed);
    all
}

fn sum(key: u64, packed: &[u8]) -> [u8; SUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&key.to_le_bytes()).update(packed);
    let mut sum = [0; SUM_BYTES];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..SUM_BYTES]);
    sum
}

const fn int(value: u64) -> i64 {
    value as i64
}

const fn number(value: i64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_can_be_unpacked() {
        let (mut packer, mut unpacker) = (Packer::default(), Unpacker::default());
        for size in [0, 1, 100_000, COLUMN_BYTES] {
            let packed = packer.pack(&vec![b'x'; size]).unwrap();
            let unpacked = unpacker.unpack(7, &sealed(7, &packed));
            assert_eq!(unpacked.map(|octets| octets.len()), Some(size));
            assert!(unpacker.unpack(8, &sealed(7, &packed)).is_none());
        }
        assert!(packer.pack(&vec![b'x'; COLUMN_BYTES + 1]).is_none());
    }
}
