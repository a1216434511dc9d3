//! Full disks, as small file systems in memory. They need the right to mount; without it each test says so and is skipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::contract::{Admission, Op, Result, Store, StoreError};
use crate::contract_tests::make::{accept, account, alice, body, commit, deliver, delivery, mailbox};
use crate::embedded::{Embedded, Options};
use crate::tests::support::{World, filled};
use crate::uids::UidSet;

/// A tmpfs of its own; unmounted when dropped.
struct SmallDisk {
    dir: TempDir,
    world: World,
}

impl SmallDisk {
    fn mount(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(dir.path())
            .stderr(std::process::Stdio::null())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("skipped: a tmpfs cannot be mounted here");
            return None;
        }
        Some(Self {
            dir,
            world: World::new(),
        })
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn open(&self) -> Arc<Embedded> {
        let options = Options {
            wal_checkpoint_bytes: 2 << 20,
            ..self.world.options()
        };
        Embedded::open(&self.home(), options).expect("the store opens")
    }

    fn remount(&self, how: &str) -> bool {
        let done = Command::new("mount")
            .args(["-o", how])
            .arg(self.dir.path())
            .status();
        done.is_ok_and(|status| status.success())
    }

    fn fill(&self) -> PathBuf {
        let path = self.dir.path().join("filler");
        let mut size = 1u64 << 20;
        let file = std::fs::File::create(&path).expect("a file");
        let mut at = 0;
        while size >= 4096 {
            let full = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), at, size).is_err();
            if full { size /= 2 } else { at += size }
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}

async fn deliver_until_refused(store: &dyn Store, from: u64) -> (u64, StoreError) {
    let mut n = from;
    loop {
        match deliver(store, n, &[b'x'; 30_000]).await {
            Ok(_) => n += 1,
            Err(error) => return (n, error),
        }
        assert!(n < from + 10_000, "a small disk fills up");
    }
}

async fn everything_is_whole(store: &Embedded, count: u64) {
    let row = store.mailbox(mailbox(1)).await.expect("a read").expect("inbox");
    assert_eq!(u64::from(row.messages), count);
    assert_eq!(
        store.upkeep().scrub().expect("a pass").damaged,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn dsk_1_a_full_disk_refuses_and_recovers_by_itself() {
    let Some(disk) = SmallDisk::mount("size=24m") else {
        return;
    };
    let store = disk.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    let mut next = 1;
    for round in 0..5 {
        let filler = disk.fill();
        let (refused, error) = deliver_until_refused(store.as_ref(), next).await;
        assert_eq!(error, StoreError::Full, "round {round}");
        next = refused;
        assert_eq!(store.admission(), Admission::DeletingOnly);
        everything_is_whole(&store, next - 1).await;
        std::fs::remove_file(filler).expect("removed");
        disk.world.clock.jump(Duration::from_secs(5));
        assert_eq!(store.admission(), Admission::Open);
        // The refused number may be used again: nothing of it stayed.
        deliver(store.as_ref(), next, b"fits again")
            .await
            .expect("accepted");
        next += 1;
        everything_is_whole(&store, next - 1).await;
    }
}

#[tokio::test]
async fn dsk_2_with_no_byte_free_people_can_still_delete() {
    let Some(disk) = SmallDisk::mount("size=24m") else {
        return;
    };
    let store = disk.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    assert_eq!(store.upkeep().refill_reserve(), Ok(true));
    for n in 1..=100 {
        deliver(store.as_ref(), n, &[b'x'; 30_000])
            .await
            .expect("accepted");
    }
    let filler = disk.fill();
    let (_, error) = deliver_until_refused(store.as_ref(), 101).await;
    assert_eq!(error, StoreError::Full);
    let held = u64::from(
        store
            .mailbox(mailbox(1))
            .await
            .expect("a read")
            .expect("inbox")
            .messages,
    );
    let rows = store.placements(mailbox(1), 0).await.expect("reading works");
    assert_eq!(rows.len() as u64, held);
    // One by one, so that far more than the log's free end is written.
    for uid in 1..=held as u32 {
        let uids = UidSet::from_uids([uid]);
        commit(
            store.as_ref(),
            Op::Expunge {
                mailbox: mailbox(1),
                uids,
                only_deleted: false,
            },
        )
        .await
        .expect("expunged");
    }
    everything_is_whole(&store, 0).await;
    let collected = store
        .upkeep()
        .collect()
        .expect("collected under pressure, whatever its age");
    assert_eq!(collected.messages, held);
    std::fs::remove_file(filler).expect("removed");
    disk.world.clock.jump(Duration::from_secs(5));
    deliver(store.as_ref(), 5000, b"again").await.expect("accepted");
    everything_is_whole(&store, 1).await;
}

#[tokio::test]
async fn dsk_3_no_inode_left_refuses_large_bodies_and_recovers() {
    let Some(disk) = SmallDisk::mount("size=64m,nr_inodes=64") else {
        return;
    };
    let store = disk.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    let mut fillers = Vec::new();
    let new = |n: usize| -> std::io::Result<PathBuf> {
        let path = disk.dir.path().join(format!("inode-{n}"));
        std::fs::File::create(&path).map(|_| path)
    };
    while let Ok(path) = new(fillers.len()) {
        fillers.push(path);
    }
    let large = body(store.as_ref(), 1, &[b'x'; 200_000]).await.err();
    assert_eq!(large, Some(StoreError::Full));
    disk.world.clock.jump(Duration::from_secs(2));
    assert_eq!(store.admission(), Admission::DeletingOnly);
    for path in fillers {
        std::fs::remove_file(path).expect("removed");
    }
    disk.world.clock.jump(Duration::from_secs(5));
    assert_eq!(store.admission(), Admission::Open);
    deliver(store.as_ref(), 2, &[b'x'; 200_000])
        .await
        .expect("accepted");
    everything_is_whole(&store, 1).await;
}

#[tokio::test]
async fn dsk_1_a_large_body_on_a_full_disk_leaves_nothing() {
    let Some(disk) = SmallDisk::mount("size=24m") else {
        return;
    };
    let store = disk.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    let said: Result<_> = body(store.as_ref(), 1, &vec![b'x'; 30 << 20]).await;
    assert_eq!(said.map(drop), Err(StoreError::Full));
    assert!(is_empty(&disk.home().join("staging")) && is_empty(&disk.home().join("packs")));
    disk.world.clock.jump(Duration::from_secs(5));
    let small = body(store.as_ref(), 2, b"small").await.expect("a body");
    commit(
        store.as_ref(),
        accept(2, small, vec![delivery(0, account(1))], Vec::new()),
    )
    .await
    .expect("accepted");
}

#[tokio::test]
async fn dsk_7_a_read_only_disk_is_told_and_writing_resumes_by_itself() {
    let Some(disk) = SmallDisk::mount("size=64m") else {
        return;
    };
    let store = disk.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    deliver(store.as_ref(), 1, b"before").await.expect("accepted");
    if !disk.remount("remount,ro") {
        eprintln!("skipped: files open for writing keep this file system from becoming read-only");
        return;
    }
    assert!(matches!(
        deliver(store.as_ref(), 2, b"during").await,
        Err(StoreError::Fatal(_) | StoreError::Full)
    ));
    everything_is_whole(&store, 1).await;
    assert!(disk.remount("remount,rw"));
    deliver(store.as_ref(), 3, b"after").await.expect("accepted");
    everything_is_whole(&store, 2).await;
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).expect("a directory").next().is_none()
}

#[tokio::test]
async fn dsk_1_a_short_disk_keeps_staged_bodies_for_ten_minutes() {
    let Some(disk) = SmallDisk::mount("size=64m") else {
        return;
    };
    let store = disk.open();
    let _held = body(store.as_ref(), 1, &[b'x'; 200_000]).await.expect("a body");
    let packs = || filled(&disk.home().join("packs"));
    let filler = disk.fill();
    disk.world.clock.jump(Duration::from_secs(9 * 60));
    assert_eq!(store.admission(), Admission::DeletingOnly);
    store.upkeep().collect().expect("collected");
    assert_eq!(packs(), 1, "its commit may still come");
    disk.world.clock.jump(Duration::from_secs(2 * 60));
    store.upkeep().collect().expect("collected");
    assert_eq!(packs(), 0);
    std::fs::remove_file(filler).expect("removed");
}
