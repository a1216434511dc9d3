//! A database of version 1 or 2, made by the schema of that version, is opened: everything is kept, whenever a crash comes.

use mail::ids::{AccountId, Id};
use rusqlite::{Connection, params};
use world::clock::{Clock, UnixMs};

use crate::contract::Waiting;
use crate::contract::{Store, WaitingRow};
use crate::contract_tests::make::{
    DEADLINE_MS, START_MS, accept, account, alice, body, commit, deliver, delivery, mailbox, waiting,
};
use crate::embedded::row_sum_1;
use crate::tests::crash::{Home, sound, tear};

/// As version 1 had it.
const VERSION_1: &str = "
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
    PRIMARY KEY(mailbox, uid)) WITHOUT ROWID;
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
CREATE TABLE waiting(queue_id INTEGER NOT NULL, recipient INTEGER NOT NULL, address TEXT NOT NULL, account INTEGER NOT NULL,
    due INTEGER NOT NULL, attempts INTEGER NOT NULL, reason TEXT NOT NULL, params TEXT NOT NULL, sum INTEGER NOT NULL,
    PRIMARY KEY(queue_id, recipient)) WITHOUT ROWID;
CREATE INDEX waiting_by_due ON waiting(due);
CREATE TABLE deliveries(accepted INTEGER NOT NULL, recipient INTEGER NOT NULL, mailbox INTEGER NOT NULL,
    PRIMARY KEY(accepted, recipient, mailbox)) WITHOUT ROWID;
CREATE TABLE gone(since INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY(since, message)) WITHOUT ROWID;
CREATE TABLE dead(since INTEGER NOT NULL, blob INTEGER NOT NULL, PRIMARY KEY(since, blob)) WITHOUT ROWID;
CREATE TABLE doomed(mailbox INTEGER PRIMARY KEY);
INSERT INTO meta VALUES('version', 1), ('id_floor', 0), ('scars', 0);
";

/// A message with a recipient here whose plan failed, and two elsewhere.
async fn fill(home: &Home) -> Vec<WaitingRow> {
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    deliver(store.as_ref(), 1, b"here").await.expect("delivered");
    let body = body(store.as_ref(), 2, b"queued").await.expect("a body");
    let rows = vec![
        Waiting {
            account: Some(account(1)),
            address: "alice@example.test".to_owned(),
            ..waiting(1, START_MS + 5)
        },
        Waiting {
            address: "\"a@b\"@Elsewhere.test".to_owned(),
            ..waiting(2, START_MS + DEADLINE_MS * 1_000_000)
        },
        waiting(3, START_MS),
    ];
    commit(
        store.as_ref(),
        accept(2, body, vec![delivery(0, account(1))], rows),
    )
    .await
    .expect("accepted");
    let waiting = store.waiting(None).await.expect("waiting");
    store.close();
    waiting
}

/// Makes `mail.db` anew as version 1 would have left it.
fn downgrade(home: &Home, waiting: &[WaitingRow]) {
    let (db, now) = (home.path("mail.db"), home.path("now.db"));
    std::fs::rename(&db, &now).expect("renamed");
    for name in ["mail.db-wal", "mail.db-shm"] {
        let _ = std::fs::remove_file(home.path(name)); // it was emptied at the close
    }
    let conn = Connection::open(&db).expect("a database");
    conn.execute_batch("PRAGMA journal_mode=WAL;").expect("a log");
    conn.execute_batch(VERSION_1).expect("the schema of version 1");
    conn.execute("ATTACH ? AS now", [now.to_str()]).expect("attached");
    for table in [
        "bodies",
        "inline",
        "messages",
        "placements",
        "mailboxes",
        "accounts",
        "ledgers",
        "accepted",
        "deliveries",
    ] {
        let columns = match table {
            "placements" => "mailbox,uid,message,flags,keywords,modseq,size,sum",
            _ => "*",
        };
        conn.execute_batch(&format!(
            "INSERT INTO main.{table} SELECT {columns} FROM now.{table}"
        ))
        .expect("copied");
    }
    for row in waiting {
        conn.execute(
            "INSERT INTO main.waiting VALUES(?,?,?,?,?,?,?,?,?)",
            params![
                row.queue_id.raw() as i64,
                row.recipient,
                row.address,
                row.account.map_or(0, AccountId::raw) as i64,
                row.due.0 as i64,
                row.attempts,
                row.reason,
                row.params,
                row_sum_1(row)
            ],
        )
        .expect("a row");
    }
    conn.execute_batch("DETACH now; PRAGMA wal_checkpoint(TRUNCATE);")
        .expect("written");
    drop(conn);
    std::fs::remove_file(now).expect("removed");
}

/// What the waiting rows become.
fn wanted(before: &[WaitingRow], now: UnixMs) -> Vec<WaitingRow> {
    let deadline = UnixMs(now.0 + 4 * 3_600_000);
    let lane = |row: &WaitingRow| match row.account {
        Some(_) => "local",
        None => "elsewhere.test -",
    };
    let due = |row: &WaitingRow| match row.account {
        Some(_) => row.due,
        None => UnixMs(row.due.0.min(now.0)),
    };
    before
        .iter()
        .map(|row| WaitingRow {
            lane: lane(row).to_owned(),
            due: due(row),
            deadline,
            ..row.clone()
        })
        .collect()
}

#[tokio::test]
async fn a_store_of_version_1_is_opened_with_everything_kept() {
    let home = Home::new();
    let before = fill(&home).await;
    downgrade(&home, &before);
    let now = home.world.clock.now();
    let store = home.open();
    assert_eq!(store.waiting(None).await, Ok(wanted(&before, now)));
    assert_eq!(
        store.placements(mailbox(1), 0).await.expect("placements").len(),
        2
    );
    let lanes = store.lanes("").await.expect("lanes");
    let names: Vec<&str> = lanes.iter().map(|lane| lane.lane.as_str()).collect();
    assert_eq!(names, ["elsewhere.test -", "local"]);
    let claimed = store
        .claim_lane("elsewhere.test -", now, 9)
        .await
        .expect("claims");
    assert_eq!(claimed.len(), 2, "the road is there: they are due");
    assert!(
        store.claim_overdue(now, 9).await.expect("claims").is_empty(),
        "nothing is given up untried"
    );
    sound(&store).await;
    drop(store);
    let again = home.open();
    assert_eq!(
        again.waiting(None).await,
        Ok(wanted(&before, now)),
        "it is done once"
    );
}

#[tokio::test]
async fn a_damaged_row_of_version_1_stays_damaged() {
    let home = Home::new();
    let before = fill(&home).await;
    downgrade(&home, &before);
    let conn = Connection::open(home.path("mail.db")).expect("a database");
    conn.execute("UPDATE waiting SET address='eve@evil.test' WHERE recipient=3", [])
        .expect("damaged");
    drop(conn);
    let store = home.open();
    let found = store.upkeep().scrub().expect("a pass").damaged;
    assert!(
        found.iter().any(|what| what.contains("waiting recipient 3")),
        "{found:?}"
    );
}

#[tokio::test]
async fn row_c23_a_migration_killed_in_the_middle_leaves_the_old_or_the_new_version() {
    let home = Home::new();
    let before = fill(&home).await;
    downgrade(&home, &before);
    let old = home.copy();
    let now = home.world.clock.now();
    let store = home.open();
    let end = store.upkeep().log_bytes().expect("a length");
    let migrated = home.copy();
    assert!(end > 0);
    let mut versions = std::collections::BTreeSet::new();
    for seed in 0..16 {
        let crashed = old.copy();
        for name in ["mail.db", "mail.db-wal"] {
            std::fs::copy(migrated.path(name), crashed.path(name)).expect("a copy");
        }
        let _ = std::fs::remove_file(crashed.path("mail.db-shm")); // it may not have been there
        // The last case is the whole log.
        if seed < 15 {
            tear(&crashed.path("mail.db-wal"), 0, end, seed);
        }
        let raw = Connection::open(crashed.path("mail.db")).expect("a database");
        let version: i64 = raw
            .query_row("SELECT value FROM meta WHERE name='version'", [], |row| {
                row.get(0)
            })
            .expect("a version");
        let columns: i64 = raw
            .query_row("SELECT count(*) FROM pragma_table_info('waiting')", [], |row| {
                row.get(0)
            })
            .expect("columns");
        drop(raw);
        assert!(
            matches!((version, columns), (1, 9) | (2..=5, 12)),
            "{version} {columns}"
        );
        versions.insert(version);
        let again = crashed.open();
        assert_eq!(again.waiting(None).await, Ok(wanted(&before, now)), "seed {seed}");
        sound(&again).await;
    }
    assert!(
        versions.contains(&1) && versions.contains(&5),
        "both ends were seen"
    );
}

/// Makes `mail.db` what version 2 left: version 3 added columns and tables, and rows as they are written without a copy.
fn downgrade_to_2(home: &Home) {
    let conn = Connection::open(home.path("mail.db")).expect("a database");
    conn.execute_batch(
        "DROP TABLE grants; ALTER TABLE placements DROP COLUMN saved_at; DROP TABLE metadata;
         DROP TABLE subscribed_names;
         UPDATE meta SET value=2 WHERE name='version'; PRAGMA wal_checkpoint(TRUNCATE);",
    )
    .expect("the schema of version 2");
}

#[tokio::test]
async fn a_store_of_version_2_is_opened_without_a_row_written() {
    let home = Home::new();
    let before = fill(&home).await;
    downgrade_to_2(&home);
    let store = home.open();
    assert_eq!(store.waiting(None).await.expect("waiting").len(), before.len());
    let all = crate::uids::UidSet::from_ranges([(1, u32::MAX)]);
    let dates = store.save_dates(mailbox(1), all).await.expect("dates");
    let placed = store.placements(mailbox(1), 0).await.expect("placements");
    let messages = store.messages(placed.iter().map(|row| row.message).collect());
    let saved: Vec<UnixMs> = messages
        .await
        .expect("messages")
        .iter()
        .map(|row| row.saved_at)
        .collect();
    assert_eq!(dates.iter().map(|(_, at)| *at).collect::<Vec<_>>(), saved);
    assert_eq!(store.metadata(account(1)).await, Ok(Vec::new()));
    sound(&store).await;
}

/// Version 4 added a table and an index; no row is written, and a crash leaves one version or the other.
#[tokio::test]
async fn a_store_of_version_3_is_opened_whenever_a_crash_comes() {
    let home = Home::new();
    let before = fill(&home).await;
    let conn = Connection::open(home.path("mail.db")).expect("a database");
    conn.execute_batch(
        "DROP TABLE grants; DROP INDEX metadata_by_mailbox; UPDATE meta SET value=3 WHERE name='version';
         PRAGMA wal_checkpoint(TRUNCATE);",
    )
    .expect("the schema of version 3");
    drop(conn);
    let migrated = home.copy();
    drop(migrated.open());
    let end = std::fs::metadata(migrated.path("mail.db-wal"))
        .expect("a log")
        .len();
    for seed in 0..8 {
        let crashed = home.copy();
        for name in ["mail.db", "mail.db-wal"] {
            std::fs::copy(migrated.path(name), crashed.path(name)).expect("a copy");
        }
        let _ = std::fs::remove_file(crashed.path("mail.db-shm")); // it may not have been there
        if seed < 7 {
            tear(&crashed.path("mail.db-wal"), 0, end, seed);
        }
        let store = crashed.open();
        assert_eq!(store.waiting(None).await.expect("waiting").len(), before.len());
        assert_eq!(store.grants(mailbox(1)).await, Ok(Vec::new()), "seed {seed}");
        sound(&store).await;
    }
}

/// Since version 5 a delivery does not write its account's ledger: what it changed is in its mailbox's row.
#[tokio::test]
async fn what_deliveries_changed_is_known_after_a_restart() {
    let home = Home::new();
    let before = fill(&home).await;
    let store = home.open();
    let (first, second) = (
        deliver(&*store, 71, b"one").await,
        deliver(&*store, 72, b"two").await,
    );
    let (first, second) = (first.expect("placed").placed, second.expect("placed").placed);
    assert_eq!(second[0].modseq, first[0].modseq + 1);
    let counted = used(&*store).await;
    store.close();
    drop(store);
    let conn = Connection::open(home.path("mail.db")).expect("a database");
    let written: i64 = conn
        .query_row("SELECT modseq FROM ledgers", [], |row| row.get(0))
        .expect("a ledger");
    assert!((written as u64) < first[0].modseq, "no delivery wrote it");
    // What version 4 left looks the same.
    conn.execute("UPDATE meta SET value=4 WHERE name='version'", [])
        .expect("version 4");
    drop(conn);
    let store = home.open();
    assert_eq!(used(&*store).await, counted);
    let third = deliver(&*store, 73, b"three").await.expect("placed").placed;
    assert_eq!(
        (third[0].modseq, third[0].uid),
        (second[0].modseq + 1, second[0].uid + 1)
    );
    assert!(used(&*store).await > counted);
    assert_eq!(store.waiting(None).await.expect("waiting").len(), before.len());
    sound(&store).await;
}

async fn used(store: &dyn Store) -> u64 {
    store.accounts(None).await.expect("accounts")[0].used_bytes
}
