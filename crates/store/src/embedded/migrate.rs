//! Brings a database of an older version to ours, one transaction for each version: a crash leaves one of them whole.

use mail::ids::{AccountId, Id, QueueId};
use rusqlite::{Connection, params};
use world::clock::UnixMs;

use crate::contract::{Result, Waiting};
use crate::embedded::load::{self, StoredWaiting};
use crate::embedded::rows::{Sum, int, uint, verify};
use crate::embedded::schema::{self, MAILBOX_TABLES, QUEUE_TABLES, SHARING_TABLES};
use crate::limits::MIGRATED_DEADLINE_MS;

/// Brings a store of an older version to ours, version by version.
pub(super) fn from(conn: &Connection, version: i64, now: UnixMs) -> Result<()> {
    if version <= 1 {
        from_1(conn, now)?;
    }
    if version <= 2 {
        from_2(conn)?;
    }
    if version <= 3 {
        from_3(conn)?;
    }
    from_4(conn)
}

/// Version 1 knew neither lanes nor deadlines. Recipients elsewhere waited for a road: now there is one, they are due at once.
fn from_1(conn: &Connection, now: UnixMs) -> Result<()> {
    in_transaction(conn, || move_waiting(conn, now))
}

/// Version 2 knew one save date of a message, not one of each place, and neither metadata nor names subscribed to without a
/// mailbox. No row is written: a place without a date of its own has its message's, and its checksum stays what it was.
fn from_2(conn: &Connection) -> Result<()> {
    in_transaction(conn, || {
        conn.execute_batch("ALTER TABLE placements ADD COLUMN saved_at INTEGER NOT NULL DEFAULT 0")?;
        conn.execute_batch(MAILBOX_TABLES)?;
        schema::set_meta(conn, "version", 3)
    })
}

/// Version 3 knew no mailbox that several people use. No row is written.
fn from_3(conn: &Connection) -> Result<()> {
    in_transaction(conn, || {
        conn.execute_batch(SHARING_TABLES)?;
        schema::set_meta(conn, "version", 4)
    })
}

/// Version 4 wrote the ledger's row with every delivery. Now what was placed is counted from the mailboxes; an older program would not
/// know that, so the version is another one. No row is written.
fn from_4(conn: &Connection) -> Result<()> {
    in_transaction(conn, || schema::set_meta(conn, "version", 5))
}

fn in_transaction(conn: &Connection, step: impl FnOnce() -> Result<()>) -> Result<()> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let moved = step();
    if moved.is_err() {
        let _ = conn.execute_batch("ROLLBACK"); // what failed is told below
        return moved;
    }
    conn.execute_batch("COMMIT")?;
    Ok(())
}

fn move_waiting(conn: &Connection, now: UnixMs) -> Result<()> {
    conn.execute_batch(&format!(
        "ALTER TABLE waiting RENAME TO waiting_1; DROP INDEX waiting_by_due; {QUEUE_TABLES}"
    ))?;
    copy_waiting(conn, now)?;
    conn.execute_batch("DROP TABLE waiting_1")?;
    schema::set_meta(conn, "version", 2)
}

fn copy_waiting(conn: &Connection, now: UnixMs) -> Result<()> {
    let mut statement = conn
        .prepare("SELECT queue_id,recipient,address,account,due,attempts,reason,params,sum FROM waiting_1")?;
    let mut insert = conn.prepare("INSERT INTO waiting VALUES(?,?,?,?,?,?,?,?,?,?,?,?)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let account: i64 = row.get(3)?;
        let address: String = row.get(2)?;
        let account = (account != 0).then(|| AccountId::from_raw(uint(account)));
        let mut stored = StoredWaiting {
            queue_id: QueueId::from_raw(uint(row.get(0)?)),
            waiting: Waiting {
                recipient: load::low(row.get(1)?),
                account,
                lane: lane(&address, account),
                address,
                due: UnixMs(uint(row.get(4)?)),
                deadline: UnixMs(now.0.saturating_add(MIGRATED_DEADLINE_MS)),
                reason: row.get(6)?,
                params: row.get(7)?,
            },
            held: false,
            attempts: load::low(row.get(5)?),
        };
        let whole = verify(row.get(8)?, sum_1(&stored), || "a waiting recipient".to_owned());
        if account.is_none() {
            stored.waiting.due = UnixMs(stored.waiting.due.0.min(now.0));
        }
        // A damaged row keeps a wrong checksum: it is named when it is read, not made to look right.
        let sum = stored.sum() ^ i64::from(whole.is_err());
        insert.execute(params![
            int(stored.queue_id.raw()),
            stored.waiting.recipient,
            stored.waiting.address,
            int(stored.waiting.account.map_or(0, Id::raw)),
            stored.waiting.lane,
            int(stored.waiting.due.0),
            int(stored.waiting.deadline.0),
            stored.held,
            stored.attempts,
            stored.waiting.reason,
            stored.waiting.params,
            sum
        ])?;
    }
    Ok(())
}

/// As `queue` names lanes; the submitter is not looked up.
fn lane(address: &str, account: Option<AccountId>) -> String {
    match (account, address.rsplit_once('@')) {
        (Some(_), _) => "local".to_owned(),
        (None, Some((_, domain))) => format!("{} -", domain.to_lowercase()),
        (None, None) => "- -".to_owned(),
    }
}

/// The checksum of version 1.
fn sum_1(row: &StoredWaiting) -> i64 {
    Sum::of("waiting")
        .int(row.queue_id.raw())
        .int(u64::from(row.waiting.recipient))
        .bytes(row.waiting.address.as_bytes())
        .int(row.waiting.account.map_or(0, Id::raw))
        .int(row.waiting.due.0)
        .int(u64::from(row.attempts))
        .bytes(row.waiting.reason.as_bytes())
        .bytes(row.waiting.params.as_bytes())
        .end()
}

/// The same, of a row as the contract shows it.
#[cfg(test)]
pub(super) fn row_sum_1(row: &crate::contract::WaitingRow) -> i64 {
    sum_1(&StoredWaiting {
        queue_id: row.queue_id,
        waiting: Waiting {
            recipient: row.recipient,
            address: row.address.clone(),
            account: row.account,
            lane: row.lane.clone(),
            due: row.due,
            deadline: row.deadline,
            reason: row.reason.clone(),
            params: row.params.clone(),
        },
        held: row.held,
        attempts: row.attempts,
    })
}
