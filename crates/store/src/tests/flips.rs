//! DSK-8: one flipped bit, anywhere in any file. What is read afterwards is what was stored, or the store says that it is
//! damaged: on the read, at the opening, or within one pass of the scrubber. It is never silently something else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use world::clock::UnixMs;

use crate::contract::{Attempt, Op, Outcome, Result, Store, StoreError, Together};
use crate::contract_tests::make::{
    LANE, START_MS, accept, account, alice, blob, body, commit, deliver, delivery, mailbox, queue_id,
    read_all, waiting,
};
use crate::embedded::Embedded;
use crate::flags::{FlagEdit, FlagMask, Flags, SEEN};
use crate::tests::support::World;
use crate::uids::UidSet;

/// Everything a caller can read, as text by name.
type Seen = BTreeMap<String, String>;

async fn see(store: &dyn Store) -> (Seen, usize) {
    let (mut seen, mut damaged) = (Seen::new(), 0);
    let mut note = |name: String, read: Result<String>| match read {
        Ok(text) => drop(seen.insert(name, text)),
        Err(StoreError::Damaged(_) | StoreError::Fatal(_) | StoreError::Conflict(_)) => damaged += 1,
        Err(other) => panic!("{name}: {other:?}"),
    };
    note(
        "accounts".into(),
        store.accounts(None).await.map(|rows| format!("{rows:?}")),
    );
    note(
        "domains".into(),
        store.domains("").await.map(|rows| format!("{rows:?}")),
    );
    note(
        "aliases".into(),
        store.aliases("").await.map(|rows| format!("{rows:?}")),
    );
    note(
        "waiting".into(),
        store.waiting(None).await.map(|rows| format!("{rows:?}")),
    );
    note(
        "lanes".into(),
        store.lanes("").await.map(|rows| format!("{rows:?}")),
    );
    note(
        "attempts".into(),
        store
            .attempts(queue_id(40), None)
            .await
            .map(|rows| format!("{rows:?}")),
    );
    note(
        "audit".into(),
        store.audit(0).await.map(|rows| format!("{rows:?}")),
    );
    note(
        "mailboxes".into(),
        store.mailboxes(account(1)).await.map(|rows| format!("{rows:?}")),
    );
    for n in [1, 2] {
        let placed = store.placements(mailbox(n), 0).await;
        note(
            format!("placements {n}"),
            placed.clone().map(|rows| format!("{rows:?}")),
        );
        for row in placed.unwrap_or_default() {
            let message = store.messages(vec![row.message]).await;
            note(
                format!("message {}", row.message),
                message.clone().map(|rows| format!("{rows:?}")),
            );
            let together = Together {
                body_bytes: 64 * 1024,
                all_bytes: 1024 * 1024,
            };
            let read = store.read_messages(vec![row.message], together).await;
            if let Ok([Ok(Some(read))]) = read.as_deref()
                && let Some(octets) = &read.octets
            {
                let found = format!("{:?} {}", read.row, blake3::hash(octets));
                note(format!("message whole {}", row.message), Ok(found));
            }
            for message in message.unwrap_or_default() {
                let bytes = read_all(store, message.blob, message.body_bytes).await;
                note(
                    format!("body {}", message.blob),
                    bytes.map(|bytes| blake3::hash(&bytes).to_string()),
                );
            }
        }
    }
    (seen, damaged)
}

/// A store with something of everything: rows in the database and in the log, inline bodies, a pack, a large body.
async fn build(dir: &Path, world: &World) -> Arc<Embedded> {
    let store = world.open(dir);
    let side = store.as_ref();
    commit(
        side,
        Op::CreateDomain {
            name: "example.test".into(),
            settings: "{}".into(),
        },
    )
    .await
    .expect("a domain");
    commit(side, alice()).await.expect("an account");
    let targets = vec!["alice@example.test".to_owned()];
    commit(
        side,
        Op::CreateAlias {
            key: "a@example.test".into(),
            targets,
        },
    )
    .await
    .expect("an alias");
    for n in 1..=12 {
        deliver(
            side,
            n,
            format!("Subject: {n}\r\n\r\n{}", "text ".repeat(n as usize * 40)).as_bytes(),
        )
        .await
        .expect("ok");
    }
    store.upkeep().settle().expect("settled");
    deliver(side, 20, &vec![b'L'; 150_000])
        .await
        .expect("a large one");
    for n in 21..=30 {
        deliver(side, n, &vec![n as u8; 700]).await.expect("accepted");
    }
    let body = body(side, 40, b"queued").await.expect("a body");
    commit(
        side,
        accept(
            40,
            body,
            vec![delivery(0, account(1))],
            vec![waiting(1, START_MS)],
        ),
    )
    .await
    .expect("accepted");
    let (claim, row) = side
        .claim_lane(LANE, UnixMs(START_MS), 1)
        .await
        .expect("claims")
        .remove(0);
    let retry = Op::RecordOutcome {
        claim,
        outcome: Outcome::Retry {
            due: row.due,
            deadline: row.deadline,
            reason: "later".to_owned(),
        },
        prior_attempts: 0,
        attempt: Some(Attempt {
            at: row.due,
            text: "450 later".to_owned(),
        }),
    };
    commit(side, retry).await.expect("recorded");
    let text = "somebody did something".to_owned();
    commit(side, Op::Audit { text }).await.expect("written");
    let mut flags = Flags::bits(SEEN);
    flags.add_keyword("Rare");
    let uids = UidSet::from_ranges([(3, 9)]);
    let edit = FlagEdit::Add(flags);
    commit(
        side,
        Op::SetFlags {
            mailbox: mailbox(1),
            uids: uids.clone(),
            edit,
            unchanged_since: None,
        },
    )
    .await
    .expect("flags");
    commit(
        side,
        Op::Copy {
            from: mailbox(1),
            uids,
            to: mailbox(2),
            keep: FlagMask::ALL,
        },
    )
    .await
    .expect("copied");
    assert_eq!(blob(1), blob(1));
    store
}

fn regions(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut files: Vec<PathBuf> = vec!["mail.db".into()];
    for entry in fs::read_dir(dir.join("packs")).expect("packs") {
        files.push(PathBuf::from("packs").join(entry.expect("an entry").file_name()));
    }
    files.sort();
    files
        .into_iter()
        .map(|file| (file.clone(), fs::metadata(dir.join(file)).expect("a file").len()))
        .collect()
}

/// Opens a copy with one bit flipped, reads everything, and lets the scrubber look. Returns whether it noticed anything.
async fn flipped(source: &Path, world: &World, wanted: &Seen, file: &Path, at: u64, bit: u8) -> bool {
    let copy = tempfile::tempdir().expect("a directory");
    copy_tree(source, copy.path());
    let path = copy.path().join(file);
    let mut bytes = fs::read(&path).expect("a file");
    bytes[at as usize] ^= 1 << bit;
    fs::write(&path, bytes).expect("a write");
    let world = World {
        clock: world.clock.clone(),
        ..World::new()
    };
    let Ok(store) = Embedded::open(copy.path(), world.options()) else {
        return true;
    };
    let (seen, damaged) = see(store.as_ref()).await;
    let noticed = damaged > 0
        || !store
            .upkeep()
            .scrub()
            .map_or(true, |found| found.damaged.is_empty());
    if !noticed {
        assert_eq!(
            &seen,
            wanted,
            "{} byte {at} bit {bit}: silently different",
            file.display()
        );
    }
    for (name, text) in &seen {
        // Lists may be shorter when their rows are damaged; a message and its bytes are right or not served.
        if name.starts_with("message") || name.starts_with("body") {
            assert_eq!(
                Some(text),
                wanted.get(name),
                "{} byte {at} bit {bit}: {name} is wrong",
                file.display()
            );
        }
    }
    noticed
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).expect("a directory");
            copy_tree(&entry.path(), &target);
        } else if entry.file_name() != "LOCK" {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

async fn closed() -> (TempDir, World, Seen) {
    let dir = tempfile::tempdir().expect("a directory");
    let world = World::new();
    let store = build(dir.path(), &world).await;
    let (wanted, damaged) = see(store.as_ref()).await;
    assert_eq!(damaged, 0);
    store.close();
    (dir, world, wanted)
}

#[tokio::test]
async fn dsk_8_a_flipped_bit_is_never_served_silently() {
    let (dir, world, wanted) = closed().await;
    let (mut tried, mut noticed) = (0, 0);
    for (file, length) in regions(dir.path()) {
        let stride = (length / 90).max(1);
        for (step, at) in (0..length).step_by(stride as usize).enumerate() {
            // A different place within each stride, so that rows, headers and free space are all met.
            let at = (at + (step as u64 * 37) % stride).min(length - 1);
            tried += 1;
            noticed += usize::from(flipped(dir.path(), &world, &wanted, &file, at, (step % 8) as u8).await);
        }
    }
    eprintln!("dsk_8: {tried} flips, {noticed} noticed, the others changed nothing that is read");
    assert!(noticed * 4 > tried, "most of the bytes hold something");
}

#[tokio::test]
async fn dsk_8_every_byte_of_a_record_header_and_its_first_chunk_counts() {
    let (dir, world, wanted) = closed().await;
    let settled = regions(dir.path())
        .into_iter()
        .filter(|(file, _)| file.starts_with("packs"));
    for (file, length) in settled {
        for at in (0..length.min(32 + 96 + 60)).filter(|at| at % 3 == 0) {
            assert!(
                flipped(dir.path(), &world, &wanted, &file, at, 1).await,
                "{} byte {at}",
                file.display()
            );
        }
    }
}

#[tokio::test]
async fn dsk_5_one_unreadable_body_leaves_the_rest_readable() {
    let (dir, world, wanted) = closed().await;
    let pack = regions(dir.path())
        .into_iter()
        .find(|(file, length)| file.starts_with("packs") && *length > 150_000);
    let (large, length) = pack.expect("the large body's pack");
    for damage in ["gone", "short"] {
        let copy = tempfile::tempdir().expect("a directory");
        copy_tree(dir.path(), copy.path());
        let path = copy.path().join(&large);
        match damage {
            "gone" => fs::remove_file(&path).expect("removed"),
            _ => fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(length / 2))
                .expect("cut"),
        }
        let world = World {
            clock: world.clock.clone(),
            ..World::new()
        };
        let store = world.open(copy.path());
        let (seen, damaged) = see(store.as_ref()).await;
        assert_eq!(damaged, 1, "{damage}: that message alone");
        assert_eq!(seen.len() + 1, wanted.len());
        let told = world.events.named("store.damaged");
        assert!(
            told[0]
                .text("what")
                .is_some_and(|what| what.contains(&blob(20).to_string())),
            "{told:?}"
        );
        assert!(!store.upkeep().scrub().expect("a pass").damaged.is_empty());
    }
}
