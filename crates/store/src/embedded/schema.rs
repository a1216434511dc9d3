//! The database: its tables, its version, and how connections are opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};
use world::clock::UnixMs;

use crate::contract::{Result, StoreError};
use crate::embedded::apply::teach_sum;
use crate::embedded::migrate;
use crate::limits::{READER_CACHE_KIB, WAL_CHECKPOINT_BYTES, WRITER_CACHE_KIB};

/// Version of the stored format. A newer one is refused, never guessed at.
const VERSION: i64 = 5;

const TABLES: &str = "
CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE bodies(blob INTEGER PRIMARY KEY, size INTEGER NOT NULL, hash BLOB NOT NULL, pack INTEGER NOT NULL,
    place INTEGER NOT NULL, stored INTEGER NOT NULL, refs INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE inline(blob INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE packs(pack INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, live INTEGER NOT NULL);
CREATE TABLE messages(id INTEGER PRIMARY KEY, account INTEGER NOT NULL, blob INTEGER NOT NULL, prefix BLOB NOT NULL,
    body_bytes INTEGER NOT NULL, internal_date INTEGER NOT NULL, saved_at INTEGER NOT NULL, places INTEGER NOT NULL,
    sum INTEGER NOT NULL);
CREATE TABLE placements(mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, message INTEGER NOT NULL, flags INTEGER NOT NULL,
    keywords BLOB, modseq INTEGER NOT NULL, size INTEGER NOT NULL, sum INTEGER NOT NULL,
    saved_at INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(mailbox, uid)) WITHOUT ROWID;
CREATE INDEX placements_by_modseq ON placements(mailbox, modseq);
CREATE TABLE tombstones(mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    made_at INTEGER NOT NULL, PRIMARY KEY(mailbox, modseq, first)) WITHOUT ROWID;
CREATE TABLE mailboxes(id INTEGER PRIMARY KEY, account INTEGER NOT NULL, parent INTEGER NOT NULL, name TEXT NOT NULL,
    special_use INTEGER NOT NULL, subscribed INTEGER NOT NULL, uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL,
    modseq INTEGER NOT NULL, messages INTEGER NOT NULL, unseen INTEGER NOT NULL, deleted INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL, tombstone_floor INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE UNIQUE INDEX mailboxes_by_name ON mailboxes(account, parent, name);
CREATE TABLE keywords(mailbox INTEGER NOT NULL, n INTEGER NOT NULL, name TEXT NOT NULL, sum INTEGER NOT NULL,
    PRIMARY KEY(mailbox, n)) WITHOUT ROWID;
CREATE TABLE accounts(id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, credential TEXT, quota_bytes INTEGER NOT NULL,
    enabled INTEGER NOT NULL, settings TEXT NOT NULL, inbox INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE ledgers(account INTEGER PRIMARY KEY, used_bytes INTEGER NOT NULL, modseq INTEGER NOT NULL,
    last_uidvalidity INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE aliases(key TEXT PRIMARY KEY, targets TEXT NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE domains(name TEXT PRIMARY KEY, settings TEXT NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE accepted(queue_id INTEGER PRIMARY KEY, blob INTEGER NOT NULL, body_bytes INTEGER NOT NULL,
    reverse_path TEXT NOT NULL, envelope TEXT NOT NULL, queue_prefix BLOB NOT NULL, received_at INTEGER NOT NULL,
    sum INTEGER NOT NULL);
CREATE TABLE deliveries(accepted INTEGER NOT NULL, recipient INTEGER NOT NULL, mailbox INTEGER NOT NULL,
    PRIMARY KEY(accepted, recipient, mailbox)) WITHOUT ROWID;
CREATE TABLE gone(since INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY(since, message)) WITHOUT ROWID;
CREATE TABLE dead(since INTEGER NOT NULL, blob INTEGER NOT NULL, PRIMARY KEY(since, blob)) WITHOUT ROWID;
CREATE TABLE doomed(mailbox INTEGER PRIMARY KEY);
INSERT INTO meta VALUES('version', 5), ('id_floor', 0), ('scars', 0);
";

/// The tables that version 2 made anew or added.
pub(super) const QUEUE_TABLES: &str = "
CREATE TABLE waiting(queue_id INTEGER NOT NULL, recipient INTEGER NOT NULL, address TEXT NOT NULL, account INTEGER NOT NULL,
    lane TEXT NOT NULL, due INTEGER NOT NULL, deadline INTEGER NOT NULL, held INTEGER NOT NULL, attempts INTEGER NOT NULL,
    reason TEXT NOT NULL, params TEXT NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(queue_id, recipient)) WITHOUT ROWID;
CREATE INDEX waiting_by_lane ON waiting(lane, held, due);
CREATE INDEX waiting_by_deadline ON waiting(held, deadline);
CREATE TABLE attempts(queue_id INTEGER NOT NULL, recipient INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
    address TEXT NOT NULL, text TEXT NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(queue_id, recipient, number)) WITHOUT ROWID;
CREATE TABLE audit(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL, sum INTEGER NOT NULL);
";

/// The tables that version 3 added. `metadata.mailbox` is 0 for the account's own entries.
pub(super) const MAILBOX_TABLES: &str = "
CREATE TABLE metadata(account INTEGER NOT NULL, mailbox INTEGER NOT NULL, entry TEXT NOT NULL, value BLOB NOT NULL,
    sum INTEGER NOT NULL, PRIMARY KEY(account, mailbox, entry)) WITHOUT ROWID;
CREATE TABLE subscribed_names(account INTEGER NOT NULL, name TEXT NOT NULL, sum INTEGER NOT NULL,
    PRIMARY KEY(account, name)) WITHOUT ROWID;
";

/// What version 4 added. `grants.who` is 0 for anyone.
pub(super) const SHARING_TABLES: &str = "
CREATE TABLE grants(mailbox INTEGER NOT NULL, who INTEGER NOT NULL, given INTEGER NOT NULL, taken INTEGER NOT NULL,
    sum INTEGER NOT NULL, PRIMARY KEY(mailbox, who)) WITHOUT ROWID;
CREATE INDEX grants_by_who ON grants(who, mailbox);
CREATE INDEX metadata_by_mailbox ON metadata(mailbox);
";

/// Opens the writer's connection and makes the tables if there are none. Returns whether they were made.
/// An older version is brought to ours.
pub(crate) fn open_writer(path: &Path, now: UnixMs) -> Result<(Connection, bool)> {
    let conn = open(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        WRITER_CACHE_KIB,
    )?;
    teach_sum(&conn)?;
    if conn.is_readonly("main")? {
        return Err(StoreError::Fatal(
            "mail.db can only be read: the file system is mounted read-only".to_owned(),
        ));
    }
    conn.pragma_update(None, "page_size", 4096)?;
    let mode: String = conn.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(StoreError::Fatal(format!(
            "SQLite refuses to keep a log (journal mode {mode})"
        )));
    }
    conn.execute_batch(&format!(
        "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit={};",
        2 * WAL_CHECKPOINT_BYTES
    ))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        conn.execute_batch(&format!(
            "BEGIN IMMEDIATE;{TABLES}{QUEUE_TABLES}{MAILBOX_TABLES}{SHARING_TABLES}COMMIT;"
        ))?;
        return Ok((conn, true));
    }
    check_version(&conn, now)?;
    Ok((conn, false))
}

/// All tables, for tests of questions.
#[cfg(test)]
pub(super) fn all_tables() -> String {
    format!("{TABLES}{QUEUE_TABLES}{MAILBOX_TABLES}{SHARING_TABLES}")
}

/// Opens a connection that cannot write.
pub(crate) fn open_reader(path: &Path) -> Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB)
}

/// Opens the checkpointer's connection: it writes pages, never rows.
pub(crate) fn open_checkpointer(path: &Path) -> Result<Connection> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, 64)?;
    conn.execute_batch("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;")?;
    Ok(conn)
}

fn open(path: &Path, flags: OpenFlags, cache_kib: u32) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| StoreError::Fatal(format!("{}: {error}", path.display())))?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(96);
    // The log stays where it is at close: its blocks are reused, and closing costs nothing.
    conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Without this a statement with a range is prepared anew whenever a bound changes, although its plan cannot change:
    // there are no statistics.
    conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.execute_batch(&format!(
        "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON; PRAGMA cache_size=-{cache_kib};"
    ))?;
    Ok(conn)
}

fn check_version(conn: &Connection, now: UnixMs) -> Result<()> {
    let version = meta(conn, "version")?;
    match version {
        Some(VERSION) => Ok(()),
        Some(older @ 1..VERSION) => migrate::from(conn, older, now),
        Some(other) => Err(StoreError::Fatal(format!(
            "the store has format {other}, this program knows format {VERSION}: use the program that wrote it, or a newer one"
        ))),
        None => Err(StoreError::Damaged("mail.db (no format version)".to_owned())),
    }
}

/// One of the store's own numbers.
pub(crate) fn meta(conn: &Connection, name: &str) -> Result<Option<i64>> {
    let mut statement = conn.prepare_cached("SELECT value FROM meta WHERE name=?")?;
    let mut rows = statement.query(params![name])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

/// Sets one of the store's own numbers.
pub(crate) fn set_meta(conn: &Connection, name: &str, value: i64) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO meta VALUES(?,?)")?
        .execute(params![name, value])?;
    Ok(())
}

/// The largest identifier in any table; only looks at the ends of indexes.
pub(crate) fn id_floor(conn: &Connection) -> Result<u64> {
    let largest: i64 = conn.query_row(
        "SELECT max(ifnull((SELECT max(id) FROM messages),0), ifnull((SELECT max(blob) FROM bodies),0),
            ifnull((SELECT max(id) FROM mailboxes),0), ifnull((SELECT max(id) FROM accounts),0),
            ifnull((SELECT max(pack) FROM packs),0), ifnull((SELECT max(queue_id) FROM accepted),0),
            ifnull((SELECT max(accepted) FROM deliveries),0), ifnull((SELECT max(queue_id) FROM attempts),0),
            ifnull((SELECT max(id) FROM audit),0), ifnull((SELECT value FROM meta WHERE name='id_floor'),0))",
        [],
        |row| row.get(0),
    )?;
    Ok(largest as u64)
}
