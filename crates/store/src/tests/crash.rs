//! The crash table (docs/decisions/0013-crash-table.md), row by row: copies of the directory taken between steps, cut and
//! torn as a disk may show them, opened again.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use mail::ids::Id;
use tempfile::TempDir;
use world::clock::UnixMs;

use crate::contract::{Conflict, NewAccount, Op, Outcome, Store, StoreError};
use crate::contract_tests::make::{
    LANE, START_MS, accept, account, alice, blob, body, commit, commit_all, deliver, delivery, mailbox,
    read_all, waiting,
};
use crate::embedded::Embedded;
use crate::flags::{FlagMask, Flags};
use crate::limits::BLANK_PACKS;
use crate::rights::{Grantee, Rights, RightsChange, Side};
use crate::tests::support::{World, filled};
use crate::uids::UidSet;

/// A directory with a store in it.
pub(super) struct Home {
    pub dir: TempDir,
    pub world: World,
}

impl Home {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a directory"),
            world: World::new(),
        }
    }

    pub fn open(&self) -> std::sync::Arc<Embedded> {
        self.world.open(self.dir.path())
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// What a crash would leave at this moment.
    pub fn copy(&self) -> Self {
        let copy = Self {
            dir: tempfile::tempdir().expect("a directory"),
            world: self.world.clone(),
        };
        copy_tree(self.dir.path(), copy.dir.path());
        copy
    }
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

fn text(n: u64) -> Vec<u8> {
    format!("Subject: {n}\r\n\r\n{}\r\n", "line\r\n".repeat(n as usize % 50)).into_bytes()
}

/// Delivers numbers to INBOX.
async fn fill(store: &dyn Store, numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        deliver(store, n, &text(n)).await.expect("accepted");
    }
}

/// The numbers that are in INBOX; every body must be whole.
async fn found(store: &dyn Store) -> Vec<u64> {
    let mut numbers = Vec::new();
    let (mut after, mut page) = (0, store.placements(mailbox(1), 0).await.expect("placements"));
    while let Some(last) = page.last() {
        after = last.uid.max(after);
        for row in store
            .messages(page.iter().map(|row| row.message).collect())
            .await
            .expect("messages")
        {
            let n = row.blob.raw() - blob(0).raw();
            let bytes = read_all(store, row.blob, row.body_bytes).await.expect("a body");
            assert_eq!(&bytes[..], &text(n)[..], "message {n} is torn");
            numbers.push(n);
        }
        page = store.placements(mailbox(1), after).await.expect("placements");
    }
    numbers
}

pub(super) async fn sound(store: &Embedded) {
    assert_eq!(
        store.upkeep().scrub().expect("a pass").damaged,
        Vec::<String>::new()
    );
}

fn files(dir: &Path) -> usize {
    fs::read_dir(dir).expect("a directory").count()
}

#[tokio::test]
async fn row_c1_c2_an_unfinished_body_leaves_nothing_behind() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    let mut small = store.stage(blob(1));
    small.write(b"gone").await.expect("a write");
    drop(small);
    let mut large = store.stage(blob(2));
    for _ in 0..10 {
        large.write(&[b'x'; 100_000]).await.expect("a write");
    }
    assert_eq!(files(&home.path("staging")), 1);
    let crashed = home.copy();
    drop(large);
    assert_eq!(
        files(&home.path("staging")),
        0,
        "a body that is given up takes its file along"
    );
    let again = crashed.open();
    assert_eq!(files(&crashed.path("staging")), 0);
    let opened = crashed.world.events.named("store.opened");
    assert_eq!(
        opened
            .last()
            .and_then(|event| event.number("staging_files_removed")),
        Some(1)
    );
    fill(again.as_ref(), 1..=3).await;
}

#[tokio::test]
async fn dsk_1_a_body_that_nobody_will_commit_goes_at_once() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    let packs = || filled(&home.path("packs"));
    let given_up = body(store.as_ref(), 1, &[b'x'; 200_000]).await.expect("a body");
    let copy = given_up.clone();
    drop(given_up);
    assert_eq!(packs(), 1, "a copy may still be committed");
    drop(copy);
    assert_eq!(packs(), 0);

    // A refused commit gives it up too; one that took it keeps it.
    let append = |to, body| Op::Append {
        account: account(1),
        mailbox: to,
        body,
        flags: Flags::default(),
        internal_date: UnixMs(5),
    };
    let refused = body(store.as_ref(), 2, &[b'x'; 200_000]).await.expect("a body");
    commit(store.as_ref(), append(mailbox(99), refused))
        .await
        .expect_err("no such mailbox");
    store.upkeep().collect().expect("collected");
    assert_eq!(packs(), 0);
    let kept = body(store.as_ref(), 3, &[b'x'; 200_000]).await.expect("a body");
    commit(store.as_ref(), append(mailbox(1), kept))
        .await
        .expect("appended");
    store.upkeep().collect().expect("collected");
    assert_eq!(packs(), 1);
    sound(&store).await;
}

#[tokio::test]
async fn row_c3_dur_11_a_body_without_a_commit_is_removed() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    let held = body(store.as_ref(), 1, &[b'x'; 200_000]).await.expect("a body");
    let crashed = home.copy();
    assert_eq!(
        store.upkeep().remove_leftovers(),
        Ok(0),
        "in the process that made it, a commit may still come"
    );
    home.world.clock.jump(Duration::from_secs(25 * 3600));
    store.upkeep().collect().expect("collected");
    assert_eq!(filled(&home.path("packs")), 0);
    drop(held);
    let again = crashed.open();
    let removed = again.upkeep().remove_leftovers().expect("removed");
    assert!((1..=1 + BLANK_PACKS as u64).contains(&removed), "{removed}");
    assert_eq!(files(&crashed.path("packs")), 0);
    fill(again.as_ref(), 2..=4).await;
    assert_eq!(found(again.as_ref()).await, [2, 3, 4]);
}

/// A large body came, and the blanks that were made for the next ones are there.
async fn with_blanks(home: &Home, store: &Embedded) {
    commit(store, alice()).await.expect("an account");
    deliver(store, 1, &[b'a'; 200_000]).await.expect("accepted");
    while files(&home.path("packs")) <= BLANK_PACKS || store.blanks() < BLANK_PACKS {
        tokio::task::yield_now().await;
    }
}

/// How many messages are there, each of one octet over and over.
async fn large_bodies(store: &dyn Store) -> usize {
    let page = store.placements(mailbox(1), 0).await.expect("placements");
    let ids = page.iter().map(|row| row.message).collect();
    let rows = store.messages(ids).await.expect("messages");
    for row in &rows {
        let body = read_all(store, row.blob, row.body_bytes).await.expect("a body");
        assert_eq!(body.len() as u64, row.body_bytes);
        assert!(body.iter().all(|octet| *octet == body[0]));
    }
    rows.len()
}

#[tokio::test]
async fn row_c27_blank_packs_hold_what_was_committed_and_are_no_leftovers() {
    let home = Home::new();
    let store = home.open();
    with_blanks(&home, &store).await;
    assert_eq!(store.upkeep().remove_leftovers(), Ok(0), "blanks are kept");
    let ready = home.copy();

    // Half written: neither in staging/ nor known to a row.
    let mut half = store.stage(blob(900));
    for _ in 0..10 {
        half.write(&[b'x'; 100_000]).await.expect("a write");
    }
    assert_eq!(files(&home.path("staging")), 0, "it lies in a blank");
    assert_eq!(
        store.upkeep().remove_leftovers(),
        Ok(0),
        "nor is one that was taken"
    );
    let taken = home.copy();
    drop(half);
    assert_eq!(
        filled(&home.path("packs")),
        1,
        "a body that is given up takes its file along"
    );

    // Synced, without a row; then with one.
    let held = body(store.as_ref(), 901, &[b'x'; 200_000]).await.expect("a body");
    let staged = home.copy();
    drop(held);
    deliver(store.as_ref(), 2, &[b'b'; 300_000])
        .await
        .expect("accepted");
    let committed = home.copy();

    for (crashed, messages) in [(ready, 1), (taken, 1), (staged, 1), (committed, 2)] {
        let again = crashed.open();
        again.upkeep().remove_leftovers().expect("removed");
        assert_eq!(files(&crashed.path("packs")), messages);
        assert_eq!(large_bodies(again.as_ref()).await, messages);
        sound(&again).await;
    }
    store.close();
    assert_eq!(files(&home.path("packs")), 2, "who closes takes the blanks along");
}

/// A clock that went back gives numbers again that no row knows: those of blanks, and of bodies that lie half written in them.
#[tokio::test]
async fn row_c27_a_number_that_a_crash_left_is_not_taken_again() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    store.close();
    let (first, second) = (home.copy(), home.copy());
    let store = first.open();
    deliver(store.as_ref(), 1, &[b'a'; 200_000])
        .await
        .expect("accepted");
    while store.blanks() < BLANK_PACKS {
        tokio::task::yield_now().await;
    }
    let torn = [b'x'; 500_000];
    let mut left = Vec::new();
    for entry in fs::read_dir(first.path("packs")).expect("a directory") {
        let entry = entry.expect("an entry");
        if entry.metadata().expect("its length").len() == 0 {
            let path = second.path("packs").join(entry.file_name());
            fs::write(&path, torn).expect("a leftover");
            left.push(path);
        }
    }
    assert_eq!(left.len(), BLANK_PACKS);
    let again = second.open();
    let mut delivered = 0;
    while delivered < 4 || again.blanks() == 0 {
        delivered += 1;
        deliver(again.as_ref(), delivered, &[b'b'; 200_000])
            .await
            .expect("accepted");
    }
    for path in left {
        assert!(fs::read(&path).expect("it is still there") == torn, "{path:?}");
    }
    assert_eq!(large_bodies(again.as_ref()).await as u64, delivered);
    sound(&again).await;
}

#[tokio::test]
async fn row_c4_c5_a_torn_commit_is_there_wholly_or_not_at_all() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=5).await;
    let before = store.upkeep().log_bytes().expect("a length");
    fill(store.as_ref(), 6..=6).await;
    let after = store.upkeep().log_bytes().expect("a length");
    assert!(after > before);
    let whole = home.copy();
    assert_eq!(found(whole.open().as_ref()).await, [1, 2, 3, 4, 5, 6]);
    let mut kept = 0;
    for seed in 0..24u64 {
        let crashed = home.copy();
        tear(&crashed.path("mail.db-wal"), before, after, seed);
        let again = crashed.open();
        let numbers = found(again.as_ref()).await;
        assert!(
            numbers == [1, 2, 3, 4, 5] || numbers == [1, 2, 3, 4, 5, 6],
            "{numbers:?}"
        );
        kept += usize::from(numbers.len() == 6);
        sound(&again).await;
        assert!(
            crashed.world.events.named("store.log-damaged").is_empty(),
            "a torn tail is no damage"
        );
        fill(again.as_ref(), 7..=8).await;
    }
    assert!(kept < 24, "some cut must have torn the commit");
}

/// Zeros a random choice of the 512-byte sectors that the last commit wrote: the writes the disk did not do.
pub(super) fn tear(wal: &Path, before: u64, after: u64, seed: u64) {
    let file = fs::OpenOptions::new().write(true).open(wal).expect("a log");
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for sector in before / 512 + 1..=after / 512 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if seed == 0 || state.is_multiple_of(seed + 1) {
            file.write_all_at(&[0; 512], sector * 512).expect("a write");
        }
    }
}

#[tokio::test]
async fn row_c5_a_repeated_acceptance_after_a_lost_answer_is_refused() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=1).await;
    let crashed = home.copy();
    let again = crashed.open();
    let said = deliver(again.as_ref(), 1, &text(1)).await;
    assert_eq!(said, Err(StoreError::Conflict(Conflict::AlreadyDelivered)));
    assert_eq!(found(again.as_ref()).await, [1]);
}

#[tokio::test]
async fn row_c7_a_checkpoint_may_stop_anywhere() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=10).await;
    store.upkeep().checkpoint().expect("copied");
    fill(store.as_ref(), 11..=30).await;
    let before = home.copy();
    store.upkeep().checkpoint().expect("copied");
    let new = fs::read(home.path("mail.db")).expect("a database");
    for seed in 0..8u64 {
        let crashed = before.copy();
        let path = crashed.path("mail.db");
        let mut mixed = fs::read(&path).expect("a database");
        mixed.resize(new.len(), 0);
        let mut state = seed * 77 + 1;
        for (old, new) in mixed.chunks_mut(512).zip(new.chunks(512)) {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if state >> 63 == 1 {
                old.copy_from_slice(new);
            }
        }
        fs::write(&path, mixed).expect("a write");
        let again = crashed.open();
        assert_eq!(found(again.as_ref()).await, (1..=30).collect::<Vec<_>>());
        sound(&again).await;
    }
}

#[tokio::test]
async fn row_c8_a_restarted_log_hides_its_old_frames() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=30).await;
    let long = store.upkeep().log_bytes().expect("a length");
    store.upkeep().checkpoint().expect("copied");
    fill(store.as_ref(), 31..=31).await;
    assert!(
        store.upkeep().log_bytes().expect("a length") < long,
        "the log started over"
    );
    let crashed = home.copy();
    let again = crashed.open();
    assert_eq!(found(again.as_ref()).await, (1..=31).collect::<Vec<_>>());
    assert!(crashed.world.events.named("store.log-damaged").is_empty());
}

#[tokio::test]
async fn row_c9_dsk_9_the_logs_index_is_rebuilt() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=5).await;
    for garbage in [None, Some(vec![]), Some(vec![0xa5; 32_768])] {
        let crashed = home.copy();
        match garbage {
            None => fs::remove_file(crashed.path("mail.db-shm")).expect("removed"),
            Some(bytes) => fs::write(crashed.path("mail.db-shm"), bytes).expect("a write"),
        }
        assert_eq!(found(crashed.open().as_ref()).await, [1, 2, 3, 4, 5]);
    }
}

#[tokio::test]
async fn rows_c10_to_c12_settling_may_stop_anywhere() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=200).await;
    let before = home.copy();
    let log_before = store.upkeep().log_bytes().expect("a length");
    let settled = store.upkeep().settle().expect("settled");
    assert_eq!((settled.bodies, settled.packs), (200, 1));
    let log_after = store.upkeep().log_bytes().expect("a length");
    let all: Vec<u64> = (1..=200).collect();
    assert_eq!(found(store.as_ref()).await, all);
    let pack = fs::read_dir(home.path("packs"))
        .expect("packs")
        .next()
        .expect("a pack")
        .expect("an entry");

    // C10: the pack is still in staging.
    let crashed = before.copy();
    fs::copy(pack.path(), crashed.path("staging").join("0000000000000001")).expect("a copy");
    assert_eq!(found(crashed.open().as_ref()).await, all);
    assert_eq!(files(&crashed.path("staging")), 0);

    // C11: it has its name, no row points at it.
    let crashed = before.copy();
    fs::copy(pack.path(), crashed.path("packs").join(pack.file_name())).expect("a copy");
    let again = crashed.open();
    assert_eq!(again.upkeep().remove_leftovers(), Ok(1));
    assert_eq!(found(again.as_ref()).await, all);

    // C12: any number of slices was committed.
    for cut in 1..6 {
        let crashed = home.copy();
        let length = log_before + (log_after - log_before) * cut / 6;
        fs::OpenOptions::new()
            .write(true)
            .open(crashed.path("mail.db-wal"))
            .and_then(|file| file.set_len(length))
            .expect("cut");
        let again = crashed.open();
        assert_eq!(found(again.as_ref()).await, all);
        again.upkeep().remove_leftovers().expect("removed");
        again.upkeep().settle().expect("settled");
        assert_eq!(found(again.as_ref()).await, all);
        sound(&again).await;
    }
}

#[tokio::test]
async fn rows_c13_c14_rewriting_a_pack_may_stop_anywhere() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=60).await;
    store.upkeep().settle().expect("settled");
    let most = UidSet::from_ranges([(1, 45)]);
    commit(
        store.as_ref(),
        Op::Expunge {
            mailbox: mailbox(1),
            uids: most,
            only_deleted: false,
        },
    )
    .await
    .expect("expunged");
    let rest: Vec<u64> = (46..=60).collect();
    assert_eq!(
        store.upkeep().collect().expect("collected").messages,
        0,
        "removed messages stay for seven days"
    );
    home.world.clock.jump(Duration::from_secs(8 * 86_400));
    let before = home.copy();
    let collected = store.upkeep().collect().expect("collected");
    assert_eq!(
        (collected.messages, collected.bodies, collected.packs),
        (45, 45, 1)
    );
    assert_eq!(files(&home.path("packs")), 1);
    assert_eq!(found(store.as_ref()).await, rest);
    sound(&store).await;
    // C13: the new pack is there, the rows are not switched. C14: the rows are switched, the old pack is still there.
    let unswitched = before.copy();
    copy_tree(&home.path("packs"), &unswitched.path("packs"));
    let unlinked = home.copy();
    copy_tree(&before.path("packs"), &unlinked.path("packs"));
    for crashed in [unswitched, unlinked] {
        assert_eq!(files(&crashed.path("packs")), 2);
        let again = crashed.open();
        assert_eq!(found(again.as_ref()).await, rest);
        assert_eq!(again.upkeep().remove_leftovers(), Ok(1));
        again.upkeep().collect().expect("collected");
        assert_eq!(files(&crashed.path("packs")), 1);
        assert_eq!(found(again.as_ref()).await, rest);
        sound(&again).await;
    }
}

#[tokio::test]
async fn row_c15_an_outcome_is_recorded_wholly_or_not_at_all() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    let body = body(store.as_ref(), 1, &text(1)).await.expect("a body");
    commit(
        store.as_ref(),
        accept(1, body, Vec::new(), vec![waiting(0, START_MS)]),
    )
    .await
    .expect("accepted");
    let before = store.upkeep().log_bytes().expect("a length");
    let claims = store.claim_lane(LANE, UnixMs(START_MS), 1).await.expect("claims");
    let outcome = Outcome::DeliveredHere(delivery(0, account(1)));
    commit(
        store.as_ref(),
        Op::RecordOutcome {
            claim: claims[0].0,
            outcome,
            prior_attempts: 0,
            attempt: None,
        },
    )
    .await
    .expect("recorded");
    let after = store.upkeep().log_bytes().expect("a length");
    for seed in 0..8 {
        let crashed = home.copy();
        tear(&crashed.path("mail.db-wal"), before, after, seed);
        let again = crashed.open();
        let placed = found(again.as_ref()).await.len();
        let waits = again.waiting(None).await.expect("waiting").len();
        assert_eq!(placed + waits, 1, "in exactly one of the two places");
        let claims = again.claim_lane(LANE, UnixMs(START_MS), 1).await.expect("claims");
        assert_eq!(claims.len(), waits, "after a start nothing is claimed");
    }
}

#[tokio::test]
async fn row_c16_dur_5_a_move_is_all_or_nothing() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=20).await;
    let before = store.upkeep().log_bytes().expect("a length");
    let all = UidSet::from_ranges([(1, u32::MAX)]);
    commit(
        store.as_ref(),
        Op::Move {
            from: mailbox(1),
            uids: all,
            to: mailbox(2),
            keep: FlagMask::ALL,
        },
    )
    .await
    .expect("moved");
    let after = store.upkeep().log_bytes().expect("a length");
    for seed in 0..8 {
        let crashed = home.copy();
        tear(&crashed.path("mail.db-wal"), before, after, seed);
        let again = crashed.open();
        let inbox = again.placements(mailbox(1), 0).await.expect("placements").len();
        let archive = again.placements(mailbox(2), 0).await.expect("placements").len();
        assert!(
            matches!((inbox, archive), (20, 0) | (0, 20)),
            "{inbox} and {archive}"
        );
    }
}

/// Moved to somebody else, a message is theirs or still ours, and rights given with it are there or not.
#[tokio::test]
async fn row_c16_imp_5_rights_and_messages_of_two_accounts_change_together() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    let bob = NewAccount {
        id: account(2),
        address: "bob@example.test".to_owned(),
        credential: None,
        quota_bytes: 0,
        settings: "{}".to_owned(),
        inbox: mailbox(5),
        mailboxes: Vec::new(),
    };
    commit(store.as_ref(), Op::CreateAccount { account: bob })
        .await
        .expect("an account");
    fill(store.as_ref(), 1..=20).await;
    let before = store.upkeep().log_bytes().expect("a length");
    let moved = Op::Move {
        from: mailbox(1),
        uids: UidSet::from_ranges([(1, u32::MAX)]),
        to: mailbox(5),
        keep: FlagMask::ALL,
    };
    let grant = Op::ChangeGrant {
        mailbox: mailbox(1),
        who: Grantee::Account(account(2)),
        side: Side::Given,
        change: RightsChange::Set(Rights::ALL),
    };
    commit_all(store.as_ref(), vec![moved, grant])
        .await
        .expect("both");
    let after = store.upkeep().log_bytes().expect("a length");
    for seed in 0..8 {
        let crashed = home.copy();
        tear(&crashed.path("mail.db-wal"), before, after, seed);
        let again = crashed.open();
        let ours = again.placements(mailbox(1), 0).await.expect("placements").len();
        let theirs = again.placements(mailbox(5), 0).await.expect("placements").len();
        let grants = again.grants_to(account(2)).await.expect("grants").len();
        assert!(
            matches!((ours, theirs, grants), (20, 0, 0) | (0, 20, 1)),
            "{ours}, {theirs} and {grants}"
        );
        sound(&again).await;
    }
}

#[tokio::test]
async fn row_c16_dur_5_a_replacement_is_all_or_nothing() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=3).await;
    let before = store.upkeep().log_bytes().expect("a length");
    let new = vec![b'n'; 20_000];
    let body = crate::contract_tests::make::body(store.as_ref(), 50, &new)
        .await
        .expect("a body");
    let replace = Op::Replace {
        account: account(1),
        from: mailbox(1),
        uid: 2,
        mailbox: mailbox(1),
        body,
        flags: crate::flags::Flags::default(),
        internal_date: UnixMs(START_MS),
    };
    commit(store.as_ref(), replace).await.expect("replaced");
    let after = store.upkeep().log_bytes().expect("a length");
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..9 {
        let crashed = home.copy();
        // The last case is the whole log.
        if seed < 8 {
            tear(&crashed.path("mail.db-wal"), before, after, seed);
        }
        let again = crashed.open();
        let rows = again.placements(mailbox(1), 0).await.expect("placements");
        let uids: Vec<u32> = rows.iter().map(|row| row.uid).collect();
        assert!(uids == [1, 2, 3] || uids == [1, 3, 4], "{uids:?}");
        seen.insert(uids);
        sound(&again).await;
    }
    assert!(seen.contains(&vec![1, 3, 4]));
}

#[tokio::test]
async fn row_c16_dur_5_a_renamed_tree_has_one_name() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    let create = |n: u64, parent, name: &str| Op::CreateMailbox {
        account: account(1),
        mailbox: mailbox(n),
        parent,
        name: name.to_owned(),
        special_use: None,
    };
    for op in [
        create(10, None, "Work"),
        create(11, Some(mailbox(10)), "Plans"),
        create(12, Some(mailbox(11)), "Old"),
    ] {
        commit(store.as_ref(), op).await.expect("created");
    }
    let before = store.upkeep().log_bytes().expect("a length");
    // RENAME Work Attic/Deep/Work as the mailbox crate does it: the missing levels and the row, in one batch.
    let rename = vec![
        create(13, None, "Attic"),
        create(14, Some(mailbox(13)), "Deep"),
        Op::RenameMailbox {
            mailbox: mailbox(10),
            parent: Some(mailbox(14)),
            name: "Work".to_owned(),
        },
    ];
    crate::contract_tests::make::commit_all(store.as_ref(), rename)
        .await
        .expect("renamed");
    let after = store.upkeep().log_bytes().expect("a length");
    for seed in 0..9 {
        let crashed = home.copy();
        if seed < 8 {
            tear(&crashed.path("mail.db-wal"), before, after, seed);
        }
        let again = crashed.open();
        let rows = again.mailboxes(account(1)).await.expect("mailboxes");
        let parent = |n: u64| rows.iter().find(|row| row.id == mailbox(n)).map(|row| row.parent);
        let moved = parent(13).is_some();
        assert_eq!(parent(14).is_some(), moved);
        let wanted = moved.then(|| mailbox(14));
        assert_eq!(parent(10), Some(wanted), "one folder, in one place");
        assert_eq!(parent(12), Some(Some(mailbox(11))), "the tree below follows");
        sound(&again).await;
    }
}

#[tokio::test]
async fn row_c17_a_deleted_mailbox_is_emptied_after_a_crash() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=150).await;
    let all = UidSet::from_ranges([(1, u32::MAX)]);
    commit(
        store.as_ref(),
        Op::Move {
            from: mailbox(1),
            uids: all,
            to: mailbox(2),
            keep: FlagMask::ALL,
        },
    )
    .await
    .expect("moved");
    commit(store.as_ref(), Op::DeleteMailbox { mailbox: mailbox(2) })
        .await
        .expect("deleted");
    let crashed = home.copy();
    let again = crashed.open();
    assert_eq!(again.accounts(None).await.expect("accounts")[0].used_bytes, 0);
    assert_eq!(again.upkeep().collect().expect("collected").messages, 0);
    crashed.world.clock.jump(Duration::from_secs(8 * 86_400));
    let collected = again.upkeep().collect().expect("collected");
    assert_eq!((collected.messages, collected.bodies), (150, 150));
    sound(&again).await;
}

#[tokio::test]
async fn row_c18_dur_9_recovery_is_idempotent() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=12).await;
    let mut crashed = home.copy();
    for n in 13..18 {
        let again = crashed.open();
        let next = crashed.copy();
        assert_eq!(found(again.as_ref()).await, (1..n).collect::<Vec<_>>());
        crashed = next;
        let again = crashed.open();
        fill(again.as_ref(), n..=n).await;
        crashed = crashed.copy();
    }
}

#[tokio::test]
async fn row_c19_a_first_start_may_stop_anywhere() {
    for left in ["nothing", "empty database", "empty log", "directories"] {
        let home = Home::new();
        match left {
            "empty database" => fs::write(home.path("mail.db"), b"").expect("a write"),
            "empty log" => {
                drop(home.open());
                fs::write(home.path("mail.db-wal"), b"").expect("a write");
            }
            "directories" => fs::create_dir(home.path("packs")).expect("a directory"),
            _ => {}
        }
        let store = home.open();
        commit(store.as_ref(), alice()).await.expect(left);
    }
}

#[tokio::test]
async fn row_c20_a_missing_database_is_not_an_empty_store() {
    for with in ["packs", "log"] {
        let home = Home::new();
        let store = home.open();
        commit(store.as_ref(), alice()).await.expect("an account");
        fill(store.as_ref(), 1..=3).await;
        if with == "packs" {
            store.upkeep().settle().expect("settled");
        }
        let crashed = home.copy();
        fs::remove_file(crashed.path("mail.db")).expect("removed");
        if with == "packs" {
            fs::remove_file(crashed.path("mail.db-wal")).expect("removed");
        }
        let said = Embedded::open(crashed.dir.path(), crashed.world.options()).err();
        let Some(StoreError::Fatal(text)) = said else {
            panic!("{with}: {said:?}")
        };
        assert!(text.contains("restore it from a backup"), "{text}");
        assert!(!crashed.path("mail.db").exists(), "nothing was made in its place");
    }
}

#[tokio::test]
async fn row_c21_rot_in_the_log_is_told_and_a_copy_kept() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=3).await;
    let damage_at = store.upkeep().log_bytes().expect("a length") + 24 + 100;
    fill(store.as_ref(), 4..=8).await;
    for (at, lost) in [(damage_at, 5u64), (damage_at - 24 - 100 + 9, 5), (12, 9)] {
        let crashed = home.copy();
        let events = World::new();
        let crashed = Home {
            dir: crashed.dir,
            world: World {
                clock: crashed.world.clock,
                events: events.events,
            },
        };
        flip(&crashed.path("mail.db-wal"), at);
        let again = Embedded::open(crashed.dir.path(), crashed.world.options());
        let told = crashed.world.events.named("store.log-damaged");
        assert_eq!(told.len(), 1, "damage at {at}");
        let commits = told[0].number("commits_lost").expect("a number");
        assert!(
            commits + 1 >= lost && commits <= lost + 3,
            "damage at {at}: {commits} of {lost}"
        );
        let copy = told[0].text("copy").expect("a name");
        assert!(Path::new(copy).exists());
        if at != 12 {
            assert_eq!(found(again.expect("open").as_ref()).await, [1, 2, 3]);
        }
    }
}

fn flip(path: &Path, at: u64) {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .expect("a file");
    let mut byte = [0u8];
    file.read_exact_at(&mut byte, at).expect("a read");
    file.write_all_at(&[byte[0] ^ 0x10], at).expect("a write");
}

#[tokio::test]
async fn row_c22_a_scar_cuts_off_what_a_failed_sync_left() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=5).await;
    let base = home.copy();
    // The batch whose sync failed: many frames behind the last good commit.
    let failed = crate::contract_tests::make::body(store.as_ref(), 6, &[b'z'; 60_000])
        .await
        .expect("a body");
    commit(
        store.as_ref(),
        accept(6, failed, vec![delivery(0, account(1))], Vec::new()),
    )
    .await
    .expect("accepted");
    let stale = fs::read(home.path("mail.db-wal")).expect("a log");
    // The scar, written over its first frames.
    let scarred = base.copy();
    let conn = rusqlite::Connection::open(scarred.path("mail.db")).expect("a connection");
    conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .expect("set");
    conn.execute_batch("PRAGMA synchronous=FULL; UPDATE meta SET value=value+1 WHERE name='scars';")
        .expect("a scar");
    drop(conn);
    let facts = crate::embedded::wal_facts(&scarred.path("mail.db-wal"));
    let end = 32 + facts * (24 + 4096);
    let file = fs::OpenOptions::new()
        .write(true)
        .open(scarred.path("mail.db-wal"))
        .expect("a log");
    file.write_all_at(&stale[end as usize..], end).expect("a write");
    let again = scarred.open();
    assert_eq!(found(again.as_ref()).await, [1, 2, 3, 4, 5]);
    assert!(scarred.world.events.named("store.log-damaged").is_empty());
    sound(&again).await;
}

#[tokio::test]
async fn dur_6_uids_and_modseqs_never_go_down_and_ids_stay_above_the_floor() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    let mut last = (0, 0, 0);
    let mut crashed = home.copy();
    for n in 1..12u64 {
        let again = crashed.open();
        let accepted = deliver(again.as_ref(), n, &text(n)).await.expect("accepted");
        if n % 3 == 0 {
            let all = UidSet::from_ranges([(1, u32::MAX)]);
            let expunge = Op::Expunge {
                mailbox: mailbox(1),
                uids: all,
                only_deleted: false,
            };
            commit(again.as_ref(), expunge).await.expect("expunged");
        }
        // A clock that goes back must not bring identifiers back.
        crashed.world.clock.set_wall_clock(-3_600_000);
        let row = again.mailbox(mailbox(1)).await.expect("a read").expect("inbox");
        let now = (
            accepted.placed[0].message.raw(),
            u64::from(row.uidnext),
            row.modseq,
        );
        assert!(
            now.0 > last.0 && now.1 > last.1 && now.2 > last.2,
            "{now:?} after {last:?}"
        );
        assert!(again.id_floor() >= now.0);
        last = now;
        crashed = crashed.copy();
    }
}

/// What an account holds follows from its mailboxes: the first change after a start may alter or remove one of them.
#[tokio::test]
async fn dur_6_the_first_change_after_a_start_goes_on_from_the_mailboxes_numbers() {
    let unsubscribe = || Op::SetSubscribed {
        mailbox: mailbox(1),
        subscribed: false,
    };
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    for n in 1..4 {
        deliver(store.as_ref(), n, &text(n)).await.expect("accepted");
    }
    let before = store.mailbox(mailbox(1)).await.expect("a read").expect("inbox");
    let home = home.copy();
    let again = home.open();
    commit(again.as_ref(), unsubscribe()).await.expect("changed");
    deliver(again.as_ref(), 4, &text(4)).await.expect("accepted");
    let after = again.mailbox(mailbox(1)).await.expect("a read").expect("inbox");
    assert_eq!(
        after.modseq,
        before.modseq + 2,
        "one for the subscription, one for the message"
    );
    let home = home.copy();
    let last = home.open();
    let row = last.account(account(1)).await.expect("a read").expect("alice");
    assert_eq!(row.used_bytes, after.size_bytes);
}

#[tokio::test]
async fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let store = World::open(&home.world, &home.path("made"));
    commit(store.as_ref(), alice()).await.expect("an account");
    body(store.as_ref(), 1, &[b'x'; 100_000]).await.expect("a body");
    store.upkeep().refill_reserve().expect("a ballast");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    let mut directories = vec![home.path("made")];
    while let Some(directory) = directories.pop() {
        assert_eq!(mode(&directory), 0o700, "{}", directory.display());
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn a_second_process_is_refused_and_a_newer_format_too() {
    let home = Home::new();
    let store = home.open();
    let said = Embedded::open(home.dir.path(), home.world.options()).err();
    assert!(matches!(said, Some(StoreError::Fatal(text)) if text.contains("another process")));
    store.close();
    drop(store);
    let conn = rusqlite::Connection::open(home.path("mail.db")).expect("a connection");
    conn.execute("UPDATE meta SET value=6 WHERE name='version'", [])
        .expect("set");
    drop(conn);
    let said = Embedded::open(home.dir.path(), home.world.options()).err();
    assert!(matches!(said, Some(StoreError::Fatal(text)) if text.contains("format 6")));
}

#[tokio::test]
async fn an_orderly_close_leaves_nothing_to_recover() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    fill(store.as_ref(), 1..=9).await;
    store.close();
    let body = crate::contract_tests::make::body(store.as_ref(), 99, b"late")
        .await
        .expect("a body");
    let late = commit(
        store.as_ref(),
        accept(99, body, vec![delivery(0, account(1))], Vec::new()),
    )
    .await;
    assert_eq!(late, Err(StoreError::Busy));
    drop(store);
    assert_eq!(crate::embedded::wal_facts(&home.path("mail.db-wal")), 0);
    let again = home.open();
    assert_eq!(found(again.as_ref()).await, (1..=9).collect::<Vec<_>>());
    let flags = again.placements(mailbox(1), 0).await.expect("placements")[0]
        .flags
        .clone();
    assert_eq!(flags, Flags::default());
}
