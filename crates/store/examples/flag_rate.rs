//! How fast the store changes the flags of a whole mailbox of 50,000 messages, back and forth, and what it costs the processor.
//!
//! `cargo run --release -p store --example flag_rate [DIR]`. For where the time goes: `perf record -g target/release/examples/flag_rate DIR`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use mail::ids::{AccountId, BlobId, Id, MailboxId};
use rustix::time::ClockId;
use store::contract::{Batch, NewAccount, Op, OpResult, Store, Urgency};
use store::embedded::{Embedded, Options};
use store::flags::{FLAGGED, FlagEdit, Flags};
use store::uids::UidSet;
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
use world::clock::UnixMs;

const MESSAGES: u64 = 50_000;
const BATCH: u64 = 500;
const ROUNDS: usize = 20;

fn main() {
    let dir = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "flag-rate-data".to_owned());
    let dir = Path::new(&dir);
    let _ = fs::remove_dir_all(dir);
    let options = Options::new(SimClock::new().door(), Arc::new(CollectEvents::new()));
    let store = Embedded::open(dir, options).expect("the store opens");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(fill(store.as_ref()));
    let cpu = now(ClockId::ProcessCPUTime);
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let began = now(ClockId::Monotonic);
            runtime.block_on(flag(store.as_ref(), round));
            (now(ClockId::Monotonic) - began) * 1000.0
        })
        .collect();
    let cpu = (now(ClockId::ProcessCPUTime) - cpu) * 1000.0 / ROUNDS as f64;
    times.sort_by(f64::total_cmp);
    println!(
        "flags of {MESSAGES} messages: {:.1} ms (median of {ROUNDS}; {:.1} to {:.1}), {cpu:.1} ms of the processor",
        times[ROUNDS / 2],
        times[0],
        times[ROUNDS - 1]
    );
    store.close();
}

fn id<T: Id>(kind: u64, number: u64) -> T {
    T::from_raw((1_600_000_000_000 << 21) + (kind << 36) + number)
}

async fn fill(store: &dyn Store) {
    let account = NewAccount {
        id: id::<AccountId>(1, 1),
        address: "alice@example.test".to_owned(),
        credential: None,
        quota_bytes: 0,
        settings: "{}".to_owned(),
        inbox: id::<MailboxId>(2, 1),
        mailboxes: Vec::new(),
    };
    let made = store.commit(Batch::urgent(Op::CreateAccount { account })).await;
    assert_eq!(made.expect("an account").committed().results.len(), 1);
    for first in (0..MESSAGES).step_by(BATCH as usize) {
        let mut ops = Vec::new();
        for n in first..first + BATCH {
            let mut stage = store.stage(id::<BlobId>(3, n + 1));
            stage.write(b"Subject: x\r\n\r\nx\r\n").await.expect("a write");
            ops.push(Op::Append {
                account: id(1, 1),
                mailbox: id(2, 1),
                body: stage.finish().await.expect("a body"),
                flags: Flags::default(),
                internal_date: UnixMs(1),
            });
        }
        let placed = store
            .commit(Batch {
                urgency: Urgency::Urgent,
                ops,
            })
            .await;
        assert_eq!(
            placed.expect("a commit").committed().results.len(),
            BATCH as usize
        );
    }
}

async fn flag(store: &dyn Store, round: usize) {
    let edit = match round % 2 {
        0 => FlagEdit::Add(Flags::bits(FLAGGED)),
        _ => FlagEdit::Remove(Flags::bits(FLAGGED)),
    };
    let op = Op::SetFlags {
        mailbox: id(2, 1),
        uids: UidSet::from_ranges([(1, u32::MAX)]),
        edit,
        unchanged_since: None,
    };
    let set = store.commit(Batch::urgent(op)).await.expect("a commit");
    let OpResult::FlagsSet { changed, .. } = &set.committed().results[0] else {
        unreachable!("flags were asked for");
    };
    assert_eq!(changed.len() as u64, MESSAGES);
}

fn now(clock: ClockId) -> f64 {
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
