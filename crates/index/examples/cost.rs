//! What the index costs and gives: processor time for each message, size on disk, and how long questions take. Prints a table.
//!
//! `cargo run --release -p index --example cost -- 50000`; with a directory of `.eml` files behind the number these are indexed
//! over and over, else messages made up of words.

#![allow(clippy::disallowed_methods, reason = "measures real time")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use index::{Describe, Described, Doors, Index, Place, Question, Verdict, Wanted};
use mail::ids::{AccountId, BlobId, MailboxId, MessageId};
use mail::mime::Structure;
use store::contract::{Batch, NewAccount, Op, OpResult, Store, Urgency};
use store::embedded::{Embedded, Options};
use store::flags::Flags;
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
use tokio::sync::watch;
use world::ids::IdSource;

/// Describes in 400 and 250 octets, as IMAP does on average.
struct Sized;

impl Describe for Sized {
    fn version(&self) -> u16 {
        1
    }
    fn describe(&self, message: &[u8], _: &Structure) -> Described {
        let some = |size: usize| message.iter().copied().cycle().take(size).collect();
        Described {
            envelope: some(400),
            body: some(150),
            body_structure: some(250),
        }
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let count = args
        .next()
        .map_or(10_000, |count| count.parse().expect("a number of messages"));
    let samples = args.next().map_or_else(Vec::new, |dir| files(Path::new(&dir)));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(measure(count, &samples));
}

fn files(dir: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|end| end == "eml") {
            found.extend(std::fs::read(&path));
        }
    }
    found
}

/// 4 KB of words from a vocabulary of 30,000, most of them from the first few hundred; every 1000th has rare ones.
fn made_up(n: usize, chance: &mut u64) -> Vec<u8> {
    let mut next = || {
        *chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*chance >> 33) as usize
    };
    let rare = if n.is_multiple_of(1000) {
        "zebrafish needlework"
    } else {
        "plain"
    };
    let mut message = format!(
        "Message-ID: <{:016x}.{n}@example.test>\r\nFrom: Person {} <p{}@example.test>\r\nTo: me@example.test\r\n\
         Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nSubject: About {rare} {}\r\n\r\n",
        next(),
        next() % 500,
        next() % 500,
        next() % 3000
    );
    while message.len() < 4000 {
        let word = if next() % 4 == 0 {
            next() % 30_000
        } else {
            next() % 300
        };
        message.push_str(&format!(
            "w{}{} ",
            word * 7919 % 30_011,
            ["ing", "ed", "", "s"][word % 4]
        ));
        if next() % 12 == 0 {
            message.push_str("\r\n");
        }
    }
    message.push_str(rare);
    message.into_bytes()
}

async fn fill(
    store: &Embedded,
    ids: &IdSource,
    count: usize,
    samples: &[Vec<u8>],
) -> (AccountId, Vec<MessageId>, u64) {
    let (account, inbox): (AccountId, MailboxId) = (ids.next(), ids.next());
    let new = NewAccount {
        id: account,
        address: "alice@example.test".to_owned(),
        credential: None,
        quota_bytes: 0,
        settings: "{}".to_owned(),
        inbox,
        mailboxes: Vec::new(),
    };
    let domain = Op::CreateDomain {
        name: "example.test".to_owned(),
        settings: "{}".to_owned(),
    };
    let ops = vec![domain, Op::CreateAccount { account: new }];
    let urgency = Urgency::Urgent;
    store
        .commit(Batch { urgency, ops })
        .await
        .expect("an account")
        .committed();
    let (mut messages, mut bytes, mut chance) = (Vec::new(), 0, 7);
    for start in (0..count).step_by(200) {
        let mut ops = Vec::new();
        for n in start..(start + 200).min(count) {
            let message = match samples {
                [] => made_up(n, &mut chance),
                some => some[n % some.len()].clone(),
            };
            bytes += message.len() as u64;
            let mut stage = store.stage(ids.next::<BlobId>());
            stage.write(&message).await.expect("room");
            ops.push(Op::Append {
                account,
                mailbox: inbox,
                body: stage.finish().await.expect("room"),
                flags: Flags::default(),
                internal_date: world::clock::UnixMs(0),
            });
        }
        let receipt = store.commit(Batch { urgency, ops }).await.expect("a commit");
        messages.extend(
            receipt
                .committed()
                .results
                .iter()
                .filter_map(|result| match result {
                    OpResult::Appended(placed) => Some(placed.message),
                    _ => None,
                }),
        );
    }
    (account, messages, bytes)
}

async fn measure(count: usize, samples: &[Vec<u8>]) {
    let dir = tempfile::tempdir().expect("a directory");
    let (clock, events) = (SimClock::new(), Arc::new(CollectEvents::new()));
    let mut options = Options::new(clock.door(), events.clone());
    options.upkeep = false;
    let store = Embedded::open(dir.path(), options).expect("a store");
    let ids = IdSource::new(clock.door(), 1, store.id_floor());
    let (account, messages, bytes) = fill(&store, &ids, count, samples).await;
    let doors = Doors {
        store: store.clone(),
        clock: clock.door(),
        events,
        describe: Arc::new(Sized),
    };
    let index = Index::open(dir.path(), doors).expect("a thread");
    let (_stop, stopping) = watch::channel(false);
    let (began, cpu) = (Instant::now(), cpu_ms());
    tokio::spawn(Arc::clone(&index).run(stopping));
    while !index.status().complete {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let (took, cpu) = (began.elapsed(), cpu_ms() - cpu);
    let status = index.status();
    println!("{count} messages, {} MB", bytes / 1_000_000);
    println!(
        "indexed in {:.1} s, {:.3} ms of processor a message",
        took.as_secs_f64(),
        cpu / count as f64
    );
    println!(
        "on disk {} MB in {} segments: {} % of the mail",
        status.disk_bytes / 1_000_000,
        status.segments,
        status.disk_bytes * 100 / bytes
    );
    for (place, text) in [
        (Place::Header("Subject".to_owned()), "zebrafish"),
        (Place::Header("From".to_owned()), "p77@"),
        (Place::Body, "edlewor"),
        (Place::Text, "edlewor"),
        (Place::Text, "rafish needl"),
        (Place::Body, "e"),
        (Place::Body, "absent"),
    ] {
        let question = Question::new(place.clone(), text);
        let mut times = Vec::new();
        let (mut yes, mut look) = (0, 0);
        for _ in 0..6 {
            let began = Instant::now();
            let found = index.find(account, question.clone()).await;
            let count = |wanted| messages.iter().filter(|id| found.verdict(**id) == wanted).count();
            (yes, look) = (count(Verdict::Yes), count(Verdict::Look));
            times.push(began.elapsed());
        }
        println!(
            "{place:?} {text:?}: first {:?}, then {:?}; {yes} found, {look} to be read",
            times[0], times[5]
        );
    }
    for wanted in [
        Wanted {
            envelope: true,
            ..Wanted::default()
        },
        Wanted {
            body_structure: true,
            ..Wanted::default()
        },
    ] {
        for _ in 0..2 {
            let began = Instant::now();
            let mut shown = 0;
            for page in messages.chunks(256) {
                let digests = index.digests(account, page.to_vec(), wanted).await;
                shown += digests
                    .iter()
                    .flatten()
                    .map(|digest| digest.envelope.len() + digest.body_structure.len())
                    .sum::<usize>();
            }
            println!("digests {wanted:?}: {:?} for {shown} octets", began.elapsed());
        }
    }
    println!("in memory {} MB", index.status().memory_bytes / 1_000_000);
}

/// Of the whole process.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = |n: usize| {
        text.split(' ')
            .nth(n)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(13) + ticks(14)) * 10.0
}
