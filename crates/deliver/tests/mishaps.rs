//! What goes wrong on our own side: faults of the program, a full disk, rows that cannot be read.

mod house;

use std::process::Command;
use std::time::Duration;

use deliver::Settings;
use house::peer::{Peer, Script};
use house::trap::Panics;
use house::{BODY, House, MX};
use queue::attempt::AttemptResult;
use queue::params::{EnvelopeParams, RecipientParams};
use store::contract::{Batch, Op, Store};

const MINUTE: Duration = Duration::from_secs(60);

fn plain() -> (EnvelopeParams, RecipientParams) {
    (EnvelopeParams::default(), RecipientParams::default())
}

#[tokio::test]
async fn q_1_a_fault_before_anything_was_sent_is_a_failed_attempt() {
    let house = House::new().await;
    let peer = Peer::at(&house.network, MX, Script::default(), None);
    house.trap.set(Panics::Connecting);
    house.start();
    let id = house.send(&["bob@there.test"]).await;
    house.until_tried(1).await;
    assert_eq!(house.events.named("deliver.panicked").len(), 1);
    let waiting = house.waiting().await;
    assert!(waiting[0].2.contains("a fault of this program"), "{waiting:?}");
    assert_eq!(house.attempts(id).await[0].result, AttemptResult::Later);
    house.trap.set(Panics::Never);
    house
        .until(MINUTE, async |house| house.waiting().await.is_empty())
        .await;
    assert_eq!(peer.taken.lock().len(), 1);
    assert!(house.clock_minutes() <= 3);
}

#[tokio::test]
async fn q_1_a_fault_after_the_dot_sends_nothing_twice_and_its_deadline_goes_on() {
    let house = House::new().await;
    let peer = Peer::at(&house.network, MX, Script::default(), None);
    house.trap.set(Panics::AfterTheDot);
    let running = house.start();
    house.send(&["bob@there.test"]).await;
    house
        .until(Duration::from_millis(10), async |house| {
            !house.events.named("deliver.panicked").is_empty()
        })
        .await;
    house.trap.set(Panics::Never);
    // Others go on.
    house.send(&["carol@there.test"]).await;
    house.until(MINUTE, async |_| peer.taken.lock().len() == 2).await;
    house
        .until(10 * MINUTE, async |house| house.waiting().await.is_empty())
        .await;
    assert_eq!(peer.taken.lock().len(), 2, "once each");
    assert!(
        (119..=122).contains(&house.clock_hours()),
        "{}",
        house.clock_hours()
    );
    let reports = house.inbox("alice@home.test").await;
    assert_eq!(reports.len(), 2, "a delay, and the end");
    house.stop.send(true).expect("it listens");
    running.await.expect("nothing keeps it");
}

/// A small disk in memory under a directory; unmounted when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// `None` where nothing may be mounted.
    fn under(dir: &tempfile::TempDir) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(dir.path())
            .stderr(std::process::Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(dir.path().to_owned()));
        }
        eprintln!("skipped: a tmpfs cannot be mounted here");
        None
    }

    /// Leaves so few bytes.
    fn fill(&self, leave: usize) -> std::path::PathBuf {
        use std::io::Write;
        let ballast = self.0.join("ballast");
        let mut file = std::fs::File::create(&ballast).expect("a file");
        let block = vec![1; 4096];
        while file.write_all(&block).is_ok() {}
        let size = file.metadata().expect("a size").len();
        file.set_len(size - leave as u64).expect("less");
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn q_3_on_a_full_disk_nothing_is_sent_twice_and_the_report_follows() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(disk) = SmallDisk::under(&dir) else {
        return;
    };
    let house = House::at(Settings::new("mail.home.test"), dir).await;
    let script = Script {
        rcpt: vec![("bob", "550 5.1.1 nobody".to_owned())],
        ..Script::default()
    };
    let peer = Peer::at(&house.network, MX, script, None);
    house.send(&["bob@there.test", "carol@there.test"]).await;
    let ballast = disk.fill(300 * 1024);
    house.start();
    house
        .until(Duration::from_secs(1), async |house| {
            !house.events.named("deliver.report-waits").is_empty()
        })
        .await;
    assert_eq!(peer.taken.lock().len(), 1, "carol has it");
    let waiting = house.waiting().await;
    assert_eq!(waiting.len(), 1, "carol is done: {waiting:?}");
    let end = house.clock_minutes() + 12 * 60;
    house
        .until(10 * MINUTE, async |house| house.clock_minutes() >= end)
        .await;
    assert_eq!(house.waiting().await.len(), 1);
    let mails = |commands: &[String]| commands.iter().filter(|line| line.starts_with("MAIL")).count();
    assert_eq!(mails(&peer.commands.lock()), 1, "not sent again");
    std::fs::remove_file(ballast).expect("room");
    house
        .until(MINUTE, async |house| house.waiting().await.is_empty())
        .await;
    let inbox = house.inbox("alice@home.test").await;
    assert_eq!(inbox.len(), 1);
    assert!(
        inbox[0].contains("Status: 5.1.1") && inbox[0].contains("bob@there.test"),
        "{}",
        inbox[0]
    );
    assert!(house.clock_minutes() <= end + 5);
    assert_eq!((mails(&peer.commands.lock()), peer.taken.lock().len()), (1, 1));
    drop(disk);
}

#[tokio::test]
async fn q_3_an_address_that_cannot_be_read_is_reported() {
    let house = House::new().await;
    let prepared = house
        .prepare("alice@home.test", &["bob@there.test"], plain(), BODY)
        .await;
    let Op::Accept(mut accept) = prepared.op() else {
        panic!("an acceptance");
    };
    accept.waiting[0].address = "b\u{7}ob at there".to_owned();
    let accepted = house.store.commit(Batch::urgent(Op::Accept(accept))).await;
    drop(accepted.expect("accepted"));
    house.start();
    house.until_empty().await;
    let inbox = house.inbox("alice@home.test").await;
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].contains("Status: 5.1.3"), "{}", inbox[0]);
    assert!(inbox[0].contains("ob at there"), "{}", inbox[0]);
    assert_eq!(house.events.named("deliver.failed").len(), 1);
}

#[tokio::test]
async fn q_3_a_failure_names_its_report() {
    let house = House::new().await;
    Peer::at(&house.network, MX, Script::at("rcpt", "550 5.1.1 nobody"), None);
    house.start();
    house.send(&["bob@there.test"]).await;
    house.until_empty().await;
    let failed = house.events.named("deliver.failed");
    let accepted = house.events.named("queue.accepted");
    let report = failed[0].text("report").expect("a report");
    let is_it = |id: mail::ids::QueueId| id.to_string() == report;
    assert!(
        accepted.iter().any(|event| event.queue_id.is_some_and(is_it)),
        "{failed:?} {accepted:?}"
    );
}
