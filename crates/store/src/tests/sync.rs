//! DSK-4: syncs that fail. The test runs itself again under strace, which makes chosen `fdatasync` calls fail with EIO, and
//! reads what the inner run says. Without strace it says so and is skipped.

use std::process::{Command, Stdio};

use mail::ids::Id;

use crate::contract::{Admission, Store, StoreError};
use crate::contract_tests::make::{alice, blob, commit, deliver, mailbox};
use crate::embedded::Embedded;
use crate::tests::support::World;

/// The two ways a batch is committed, one inner run for each. strace counts calls for each thread apart, so a run must commit on one thread only.
const INNER: [&str; 2] = [
    "tests::sync::inner_run_on_the_writers_thread",
    "tests::sync::inner_run_on_the_tasks_thread",
];

/// Nobody may block a runtime of one thread, so the writer's thread commits everything.
#[tokio::test]
#[ignore = "run by the tests below, under strace"]
async fn inner_run_on_the_writers_thread() {
    inner_run(|_| true).await;
}

/// Every message finds the writer at rest, so this thread commits everything but the account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the tests below, under strace"]
async fn inner_run_on_the_tasks_thread() {
    inner_run(Embedded::writer_rests).await;
}

/// Delivers 30 messages, each when `ready` says so, and prints what became of each, what is there at the end, and what was told.
async fn inner_run(ready: impl Fn(&Embedded) -> bool) {
    let dir = tempfile::tempdir().expect("a directory");
    let world = World::new();
    let store = world.open(dir.path());
    commit(store.as_ref(), alice()).await.expect("an account");
    let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
    for n in 1..=30 {
        while !ready(&store) {
            tokio::task::yield_now().await;
        }
        match deliver(store.as_ref(), n, b"text").await {
            Ok(_) => acknowledged.push(n),
            Err(StoreError::Fatal(_)) => refused.push(n),
            Err(other) => panic!("{other:?}"),
        }
    }
    let present = |store: std::sync::Arc<Embedded>| async move {
        let rows = store.placements(mailbox(1), 0).await.expect("placements");
        let messages = store
            .messages(rows.iter().map(|row| row.message).collect())
            .await
            .expect("messages");
        messages
            .iter()
            .map(|row| row.blob.raw() - blob(0).raw())
            .collect::<Vec<u64>>()
    };
    let shown = present(std::sync::Arc::clone(&store)).await;
    assert_eq!(
        shown, acknowledged,
        "a reader sees what was acknowledged, and nothing else"
    );
    println!("refused={refused:?}");
    println!("admission={:?}", store.admission());
    println!("events={:?}", world.events.names());
    // A crash now: what is on the disk is what was acknowledged; a refused one may be there, wholly.
    let crashed = tempfile::tempdir().expect("a directory");
    for name in ["mail.db", "mail.db-wal"] {
        std::fs::copy(dir.path().join(name), crashed.path().join(name)).expect("a copy");
    }
    let again = World::new().open(crashed.path());
    let kept = present(std::sync::Arc::clone(&again)).await;
    assert!(
        acknowledged.iter().all(|n| kept.contains(n)),
        "{kept:?} lacks some of {acknowledged:?}"
    );
    assert!(
        kept.iter()
            .all(|n| acknowledged.contains(n) || refused.contains(n))
    );
    assert_eq!(
        again.upkeep().scrub().expect("a pass").damaged,
        Vec::<String>::new()
    );
    println!("inner run complete");
}

/// Runs the inner tests while the given syncs of each thread fail, and gives what each said. Nothing without strace.
fn with_failing_syncs(when: &str) -> Vec<String> {
    INNER
        .iter()
        .filter_map(|inner| with_failing_syncs_in(inner, when))
        .collect()
}

fn with_failing_syncs_in(inner: &str, when: &str) -> Option<String> {
    if !Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
    {
        eprintln!("skipped: strace is not installed");
        return None;
    }
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e"])
        .arg(format!("inject=fdatasync:error=EIO:when={when}"))
        .arg(std::env::current_exe().expect("this test's own path"))
        .args(["--exact", inner, "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .expect("strace runs");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if text.contains("ptrace") && !text.contains("inner run") {
        eprintln!("skipped: strace may not trace here");
        return None;
    }
    assert!(
        output.status.success() && text.contains("inner run complete"),
        "{text}"
    );
    Some(text)
}

fn line<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.split_once(name).map(|(_, rest)| rest))
        .expect("the inner run prints it")
}

#[test]
fn dsk_4_one_failed_sync_refuses_one_batch_and_the_scar_heals_the_log() {
    for text in with_failing_syncs("15") {
        let refused = line(&text, "refused=");
        assert_eq!(
            refused.matches(',').count(),
            0,
            "exactly one is refused: {refused}"
        );
        assert_ne!(refused, "[]");
        assert!(line(&text, "events=").contains("store.sync-failed"), "{text}");
        assert!(!line(&text, "events=").contains("store.writing-stopped"));
        assert_eq!(line(&text, "admission="), format!("{:?}", Admission::Open));
    }
}

#[test]
fn dsk_4_when_the_scar_fails_too_writing_stops_until_it_holds() {
    for text in with_failing_syncs("15..20") {
        let events = line(&text, "events=");
        assert!(
            events.contains("store.writing-stopped") && events.contains("store.writing-resumed"),
            "{text}"
        );
        assert!(line(&text, "refused=").contains(','), "several are refused");
        assert_eq!(line(&text, "admission="), format!("{:?}", Admission::Open));
    }
}

#[test]
fn dsk_4_a_disk_that_never_syncs_again_leaves_the_store_readable() {
    for text in with_failing_syncs("15+") {
        assert!(line(&text, "events=").contains("store.writing-stopped"));
        assert!(!line(&text, "events=").contains("store.writing-resumed"));
        assert_eq!(
            line(&text, "admission="),
            format!("{:?}", Admission::DeletingOnly)
        );
    }
}

/// Delivers as many messages as `HEARTHPOST_TEST_DELIVERIES` says, one after the other.
#[tokio::test]
#[ignore = "run by the test below, under strace"]
async fn inner_deliveries() {
    let count = std::env::var("HEARTHPOST_TEST_DELIVERIES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let dir = tempfile::tempdir().expect("a directory");
    let store = World::new().open(dir.path());
    commit(store.as_ref(), alice()).await.expect("an account");
    for n in 1..=count {
        deliver(store.as_ref(), n, &[b'x'; 4096]).await.expect("accepted");
    }
    println!("inner run complete");
}

/// Syncs of a run with so many deliveries.
fn syncs(deliveries: u32) -> Option<usize> {
    let trace = tempfile::NamedTempFile::new().expect("a file");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(trace.path())
        .arg(std::env::current_exe().expect("this test's own path"))
        .args([
            "--exact",
            "tests::sync::inner_deliveries",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("HEARTHPOST_TEST_DELIVERIES", deliveries.to_string())
        .output()
        .ok()?;
    if !String::from_utf8_lossy(&output.stdout).contains("inner run complete") {
        eprintln!("skipped: strace may not trace here");
        return None;
    }
    let text = std::fs::read_to_string(trace.path()).expect("a trace");
    Some(
        text.lines()
            .filter(|line| line.contains("sync(") || line.contains("fdatasync("))
            .count(),
    )
}

#[test]
fn dur_2_a_lone_acceptance_costs_exactly_one_sync() {
    let (Some(few), Some(many)) = (syncs(2), syncs(52)) else {
        return;
    };
    assert_eq!(many - few, 50, "50 deliveries more");
}
