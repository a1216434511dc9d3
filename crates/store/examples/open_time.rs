//! How long the store takes to open with much mail in it, after a crash and after an orderly close.
//!
//! `cargo run --release -p store --example open_time DIR MESSAGES`

use std::path::Path;
use std::sync::Arc;

use mail::ids::{AccountId, BlobId, Id, MailboxId, QueueId};
use store::contract::{Accept, Batch, Delivery, NewAccount, Op, Store, Target};
use store::embedded::{Embedded, Options};
use store::flags::Flags;
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
use world::clock::UnixMs;

/// Recipients of one acceptance.
const TOGETHER: u64 = 100;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().unwrap_or_else(|| "open-time-data".to_owned());
    let messages: u64 = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let dir = Path::new(&dir);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    if !dir.exists() {
        let store = open(dir);
        runtime.block_on(fill(store.as_ref(), messages));
        println!(
            "made {messages} messages; run again to measure the opening after a crash, then after a close"
        );
        // As if killed: nothing is closed.
        let killed = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        killed.expect("a process may end itself");
    }
    for kind in ["as it was left", "after a close"] {
        let began = now_ms();
        let store = open(dir);
        let opened = now_ms();
        let accounts = runtime.block_on(store.accounts(None)).expect("accounts");
        println!(
            "{kind}: open in {:.1} ms, first read after {:.1} ms, {accounts:?}",
            opened - began,
            now_ms() - began
        );
        store.close();
    }
}

fn open(dir: &Path) -> Arc<Embedded> {
    let options = Options::new(SimClock::new().door(), Arc::new(CollectEvents::new()));
    Embedded::open(dir, options).expect("the store opens")
}

fn id<T: Id>(kind: u64, number: u64) -> T {
    T::from_raw((1_600_000_000_000 << 21) + (kind << 36) + number)
}

async fn fill(store: &dyn Store, messages: u64) {
    let account = NewAccount {
        id: id::<AccountId>(1, 1),
        address: "alice@example.test".to_owned(),
        credential: None,
        quota_bytes: 0,
        settings: "{}".to_owned(),
        inbox: id::<MailboxId>(2, 1),
        mailboxes: Vec::new(),
    };
    store
        .commit(Batch::urgent(Op::CreateAccount { account }))
        .await
        .map(drop)
        .expect("an account");
    for n in 0..messages / TOGETHER {
        let mut stage = store.stage(id::<BlobId>(3, n));
        stage.write(&[b'x'; 2048]).await.expect("a write");
        let body = stage.finish().await.expect("a body");
        let delivery = |recipient| Delivery {
            recipient: recipient as u32,
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
            deliveries: (0..TOGETHER).map(delivery).collect(),
            waiting: Vec::new(),
        };
        store
            .commit(Batch::urgent(Op::Accept(Box::new(accept))))
            .await
            .map(drop)
            .expect("a commit");
    }
}

fn now_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as f64 * 1000.0 + time.tv_nsec as f64 / 1e6
}
