//! The local worker on a real store, with simulated time.

use std::path::Path as DirPath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deliver::Worker;
use directory::admin::AccountChange;
use directory::{AccountSpec, Credential, Directory, DomainSettings, Doors, LocalRecipient};
use mail::address::{Mailbox, Path, Utf8};
use mail::ids::AccountId;
use queue::lanes::LOCAL;
use queue::{Envelope, Generated, Message, PlanFailed, Queue, RecipientParams, RelayGrant};
use store::contract::{Batch, Op, Store};
use store::embedded::{Embedded, Options};
use testkit::chance::SeededChance;
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
use tokio::sync::watch;
use world::clock::Clock;
use world::ids::IdSource;

const BODY: &[u8] = b"Subject: x\r\n\r\nbody\r\n";

struct House {
    store: Arc<Embedded>,
    directory: Arc<Directory>,
    queue: Arc<Queue>,
    ids: Arc<IdSource>,
    clock: SimClock,
    events: Arc<CollectEvents>,
    /// whether plans fail
    broken: Arc<AtomicBool>,
}

impl House {
    async fn open(dir: &DirPath, clock: SimClock) -> Self {
        let events = Arc::new(CollectEvents::new());
        let options = Options {
            upkeep: false,
            reserve_bytes: 0,
            ..Options::new(clock.door(), events.clone())
        };
        let store = Embedded::open(dir, options).expect("the store opens");
        let ids = Arc::new(IdSource::new(clock.door(), 1, store.id_floor()));
        let doors = Doors {
            store: store.clone(),
            clock: clock.door(),
            chance: Arc::new(SeededChance::new(1)),
            ids: ids.clone(),
            events: events.clone(),
        };
        let directory = Directory::open(doors).await.expect("the directory opens");
        let broken = Arc::new(AtomicBool::new(true));
        let switch = broken.clone();
        let plan = move |recipient: &LocalRecipient, facts: queue::Facts<'_>| {
            assert_eq!(
                facts.header,
                &BODY[..14],
                "the plan sees the whole header and no more"
            );
            if switch.load(Ordering::Relaxed) {
                return Err(PlanFailed {
                    reason: "the script is broken".to_owned(),
                });
            }
            queue::inbox_plan(recipient, facts)
        };
        let queue = Queue::new(store.clone(), clock.door(), events.clone(), Arc::new(plan));
        Self {
            store,
            directory,
            queue,
            ids,
            clock,
            events,
            broken,
        }
    }

    async fn with_alice(dir: &DirPath) -> Self {
        let house = Self::open(dir, SimClock::new()).await;
        house
            .directory
            .add_domain("example.test", DomainSettings::default())
            .await
            .expect("a domain");
        for name in ["alice", "bob"] {
            let address = format!("{name}@example.test");
            let spec = AccountSpec {
                address,
                credential: Credential::None,
                quota_bytes: 0,
                name: None,
            };
            house.directory.add_account(spec).await.expect("an account");
        }
        house
    }

    /// A message to alice whose plan fails, and to somebody on another server.
    async fn leave_waiting(&self) {
        self.leave_waiting_for("Alice+tag@example.test").await;
    }

    async fn leave_waiting_for(&self, whom: &str) {
        let generated = Generated { maker: "test" };
        let mut envelope = Envelope::new(self.ids.next(), Path::Null, self.clock.now(), generated);
        let whom = Mailbox::parse(whom, Utf8::Refused).expect("an address");
        envelope.add_local(
            self.directory.resolve(&whom).recipients().to_vec(),
            &RecipientParams::default(),
        );
        let eve = Mailbox::parse("eve@victim.example", Utf8::Refused).expect("an address");
        envelope.add_remote(
            eve,
            RecipientParams::default(),
            &RelayGrant::for_generated(&generated),
        );
        let mut stage = self.store.stage(self.ids.next());
        stage.write(BODY).await.expect("it takes it");
        let body = stage.finish().await.expect("a body");
        let message = Message {
            body,
            header: &BODY[..14],
            received: b"Received: x\r\n",
        };
        let _ = queue::accept(&self.queue, &envelope, message)
            .await
            .expect("accepted");
    }

    fn worker(&self) -> Worker {
        Worker {
            queue: self.queue.clone(),
            directory: self.directory.clone(),
            reports: None,
        }
    }

    fn account(&self, address: &str) -> AccountId {
        let found = self.directory.account(address).expect("an account");
        found.id.parse().expect("an id")
    }

    async fn inbox_prefixes(&self) -> Vec<Vec<u8>> {
        self.inbox_prefixes_of(self.account("alice@example.test")).await
    }

    async fn inbox_prefixes_of(&self, account: AccountId) -> Vec<Vec<u8>> {
        let inbox = self.store.mailboxes(account).await.expect("mailboxes")[0].id;
        let placed = self.store.placements(inbox, 0).await.expect("placements");
        let rows = self
            .store
            .messages(placed.iter().map(|row| row.message).collect())
            .await
            .expect("messages");
        rows.iter().map(|row| row.prefix.to_vec()).collect()
    }

    async fn waiting(&self) -> Vec<(String, u32, String)> {
        let rows = self.store.waiting(None).await.expect("the queue");
        rows.into_iter()
            .map(|row| (row.address, row.attempts, row.reason))
            .collect()
    }
}

fn row(to: &str, attempts: u32, reason: &str) -> (String, u32, String) {
    (to.to_owned(), attempts, reason.to_owned())
}

const NO_ROAD: &str = "waits for its first try";

#[tokio::test]
async fn a_waiting_recipient_is_tried_again_and_then_has_it_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let house = House::with_alice(dir.path()).await;
    house.leave_waiting().await;
    let worker = house.worker();
    assert_eq!(worker.round().await.expect("a round"), 0, "nobody is due yet");
    house.clock.jump(Duration::from_secs(60));
    assert_eq!(worker.round().await.expect("a round"), 1);
    let alice = "Alice+tag@example.test";
    assert_eq!(
        house.waiting().await,
        [
            row(alice, 1, "the script is broken"),
            row("eve@victim.example", 0, NO_ROAD)
        ]
    );
    house.broken.store(false, Ordering::Relaxed);
    house.clock.jump(Duration::from_secs(59));
    assert_eq!(worker.round().await.expect("a round"), 0, "the distance grows");
    house.clock.jump(Duration::from_secs(61));
    assert_eq!(worker.round().await.expect("a round"), 1);
    assert_eq!(worker.round().await.expect("a round"), 0);
    assert_eq!(house.waiting().await, [row("eve@victim.example", 0, NO_ROAD)]);
    let want = b"Return-Path: <>\r\nDelivered-To: alice@example.test\r\nReceived: x\r\n";
    assert_eq!(house.inbox_prefixes().await, [want.to_vec()]);
    assert_eq!(house.events.named("queue.postponed").len(), 1);
    assert_eq!(house.events.named("queue.delivered").len(), 1);
}

#[tokio::test]
async fn somebody_on_another_server_is_none_of_this_workers_business() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let house = House::with_alice(dir.path()).await;
    house.broken.store(false, Ordering::Relaxed);
    house.leave_waiting().await;
    let worker = house.worker();
    for _ in 0..3 {
        house.clock.jump(Duration::from_secs(6 * 3600));
        assert_eq!(worker.round().await.expect("a round"), 0);
        assert_eq!(house.waiting().await, [row("eve@victim.example", 0, NO_ROAD)]);
    }
}

#[tokio::test]
async fn mail_for_a_disabled_account_waits_and_is_delivered_when_it_is_back() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let house = House::with_alice(dir.path()).await;
    house.leave_waiting().await;
    house.broken.store(false, Ordering::Relaxed);
    let set = |enabled| AccountChange {
        enabled: Some(enabled),
        ..AccountChange::default()
    };
    house
        .directory
        .set_account("alice@example.test", set(false))
        .await
        .expect("alice");
    house.clock.jump(Duration::from_secs(60));
    let worker = house.worker();
    assert_eq!(worker.round().await.expect("a round"), 1);
    assert!(
        house.waiting().await[0].2.contains("disabled"),
        "{:?}",
        house.waiting().await
    );
    house
        .directory
        .set_account("alice@example.test", set(true))
        .await
        .expect("alice");
    house.clock.jump(Duration::from_secs(120));
    assert_eq!(worker.round().await.expect("a round"), 1);
    assert_eq!(house.inbox_prefixes().await.len(), 1);
}

#[tokio::test]
async fn a_mailbox_that_takes_nothing_does_not_hold_up_the_others() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let house = House::with_alice(dir.path()).await;
    house.leave_waiting_for("alice@example.test").await;
    house.leave_waiting_for("bob@example.test").await;
    house.broken.store(false, Ordering::Relaxed);
    let bob = house.account("bob@example.test");
    // Alice's account goes behind the directory's back: the store refuses what the directory still promises.
    let account = house.account("alice@example.test");
    let gone = Batch::urgent(Op::RemoveAccount { account });
    let _ = house.store.commit(gone).await.expect("it is removed");
    house.clock.jump(Duration::from_secs(60));
    assert_eq!(house.worker().round().await.expect("a round"), 2);
    assert_eq!(house.inbox_prefixes_of(bob).await.len(), 1);
    let waiting = house.waiting().await;
    assert_eq!(
        waiting.iter().find(|row| row.0 == "alice@example.test"),
        Some(&row("alice@example.test", 1, "there is no such account"))
    );
}

#[tokio::test]
async fn a_claim_that_was_never_recorded_is_found_again_after_a_restart() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let house = House::with_alice(dir.path()).await;
    house.leave_waiting().await;
    house.clock.jump(Duration::from_secs(60));
    let claimed = house
        .store
        .claim_lane(LOCAL, house.clock.now(), 10)
        .await
        .expect("claims");
    assert_eq!(claimed.len(), 1);
    assert_eq!(
        house.worker().round().await.expect("a round"),
        0,
        "claimed is claimed"
    );
    let clock = house.clock.clone();
    let House {
        store,
        directory,
        queue,
        ..
    } = house;
    drop((directory, queue));
    // The directory's task lets go of the store when the store's notices end.
    let left = Arc::downgrade(&store);
    drop(store);
    while left.strong_count() > 0 {
        tokio::task::yield_now().await;
    }

    let house = House::open(dir.path(), clock).await;
    house.broken.store(false, Ordering::Relaxed);
    assert_eq!(house.worker().round().await.expect("a round"), 1);
    assert_eq!(house.inbox_prefixes().await.len(), 1);
}

#[tokio::test]
async fn the_worker_sleeps_until_somebody_is_due_and_stops_when_told() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let house = House::with_alice(dir.path()).await;
    let (stop, stopped) = watch::channel(false);
    let working = tokio::spawn(deliver::run(house.worker(), stopped));
    house.leave_waiting().await;
    house.broken.store(false, Ordering::Relaxed);
    while house.events.named("queue.delivered").is_empty() {
        house.clock.advance(Duration::from_secs(10)).await;
        // Reads and commits happen on the store's own threads: ask it something, so that they get their turn.
        let _ = house.store.lane_due(LOCAL).await.expect("the store answers");
    }
    assert_eq!(house.inbox_prefixes().await.len(), 1);
    stop.send(true).expect("it listens");
    working.await.expect("no panic");
}
