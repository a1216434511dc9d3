//! How fast the store commits acceptances of 4 KB: with 1, 10 and 50 committers, beside the disk's own sync.
//!
//! `cargo run --release -p store --example commit_rate [DIR]`. To count the syncs:
//! `strace -f -c -e trace=fdatasync,fsync,pwrite64 target/release/examples/commit_rate DIR`.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mail::ids::{AccountId, BlobId, Id, MailboxId, QueueId};
use store::contract::{Accept, Batch, Delivery, NewAccount, Op, Store, Target};
use store::embedded::{Embedded, Options};
use store::flags::Flags;
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
use world::clock::UnixMs;

const SECONDS: u64 = 5;

fn main() {
    let dir = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "commit-rate-data".to_owned());
    let dir = Path::new(&dir);
    fs::create_dir_all(dir).expect("a directory");
    println!("disk: {:.0} syncs/s of 4 KB over written blocks", raw_syncs(dir));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    for committers in [1, 10, 50] {
        let home = dir.join(format!("store-{committers}"));
        let _ = fs::remove_dir_all(&home);
        let store = open(&home);
        runtime.block_on(add_account(store.as_ref()));
        // The log grows to its full length first.
        runtime.block_on(run(&store, committers, 0, Duration::from_secs(2)));
        let before = cpu_ms();
        let done = runtime.block_on(run(&store, committers, 1, Duration::from_secs(SECONDS)));
        let cpu = (cpu_ms() - before) as f64 / done as f64;
        println!(
            "{committers:>2} committers: {:>6} commits/s, {cpu:.3} ms CPU each",
            done / SECONDS
        );
        store.close();
    }
}

fn raw_syncs(dir: &Path) -> f64 {
    let path = dir.join("raw");
    let file = File::create(&path).expect("a file");
    let block = [7u8; 4096];
    (0..1024).for_each(|at| file.write_all_at(&block, at * 4096).expect("a write"));
    file.sync_all().expect("a sync");
    let began = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    for at in 0..500 {
        file.write_all_at(&block, at * 4096).expect("a write");
        file.sync_data().expect("a sync");
    }
    let ended = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = (ended.tv_sec - began.tv_sec) as f64 + (ended.tv_nsec - began.tv_nsec) as f64 / 1e9;
    let _ = fs::remove_file(path);
    500.0 / seconds
}

fn open(dir: &Path) -> Arc<Embedded> {
    let options = Options::new(SimClock::new().door(), Arc::new(CollectEvents::new()));
    Embedded::open(dir, options).expect("the store opens")
}

fn id<T: Id>(kind: u64, number: u64) -> T {
    T::from_raw((1_600_000_000_000 << 21) + (kind << 36) + number)
}

async fn add_account(store: &dyn Store) {
    let account = NewAccount {
        id: id::<AccountId>(1, 1),
        address: "alice@example.test".to_owned(),
        credential: None,
        quota_bytes: 0,
        settings: "{}".to_owned(),
        inbox: id::<MailboxId>(2, 1),
        mailboxes: Vec::new(),
    };
    let durable = store
        .commit(Batch::urgent(Op::CreateAccount { account }))
        .await
        .expect("an account");
    assert_eq!(durable.committed().results.len(), 1);
}

async fn run(store: &Arc<Embedded>, committers: u64, round: u64, length: Duration) -> u64 {
    let done = Arc::new(AtomicU64::new(0));
    let end = tokio::time::Instant::now() + length;
    let tasks: Vec<_> = (0..committers)
        .map(|committer| {
            let (store, done) = (Arc::clone(store), Arc::clone(&done));
            tokio::spawn(async move {
                let mut n = (round * committers + committer) << 24;
                while tokio::time::Instant::now() < end {
                    n += 1;
                    accept(store.as_ref(), n).await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a committer");
    }
    done.load(Ordering::Relaxed)
}

async fn accept(store: &dyn Store, n: u64) {
    let mut stage = store.stage(id::<BlobId>(3, n));
    stage.write(&[b'x'; 4096]).await.expect("a write");
    let body = stage.finish().await.expect("a body");
    let delivery = Delivery {
        recipient: 0,
        account: id(1, 1),
        prefix: b"Return-Path: <a@b.test>\r\nDelivered-To: alice@example.test\r\n".to_vec(),
        targets: vec![(Target::Inbox, Flags::default())],
    };
    let accept = Accept {
        queue_id: id::<QueueId>(4, n),
        body,
        reverse_path: "a@b.test".to_owned(),
        received_at: UnixMs(1),
        queue_prefix: Vec::new(),
        envelope: "{}".to_owned(),
        deliveries: vec![delivery],
        waiting: Vec::new(),
    };
    let durable = store
        .commit(Batch::urgent(Op::Accept(Box::new(accept))))
        .await
        .expect("a commit");
    assert_eq!(durable.committed().results.len(), 1);
}

/// User and system time of this process.
fn cpu_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}
