//! What an operator does with those who wait, on a real store with simulated time.

use std::sync::Arc;
use std::time::Duration;

use mail::address::{Mailbox, Path, Utf8};
use queue::attempt::{AttemptResult, AttemptText};
use queue::operate::{Act, Order, Ordered, QueueAudit, page, pull_in};
use queue::select::Selection;
use queue::{Envelope, EnvelopeParams, Generated, Message, Queue, RecipientParams, RelayGrant};
use store::contract::{Batch, Claim, Conflict, Op, Outcome, Store, StoreError, WaitingRow};
use store::embedded::{Embedded, Options};
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
use world::clock::{Clock, UnixMs};
use world::ids::IdSource;

struct House {
    store: Arc<Embedded>,
    queue: Arc<Queue>,
    ids: IdSource,
    clock: SimClock,
    events: Arc<CollectEvents>,
    _dir: tempfile::TempDir,
}

fn address(text: &str) -> Mailbox {
    Mailbox::parse(text, Utf8::Refused).expect("an address")
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (clock, events) = (SimClock::new(), Arc::new(CollectEvents::new()));
        let options = Options {
            upkeep: false,
            reserve_bytes: 0,
            ..Options::new(clock.door(), events.clone())
        };
        let store = Embedded::open(dir.path(), options).expect("the store opens");
        let plan = Arc::new(queue::inbox_plan);
        let queue = Queue::new(store.clone(), clock.door(), events.clone(), plan);
        let ids = IdSource::new(clock.door(), 1, store.id_floor());
        Self {
            store,
            queue,
            ids,
            clock,
            events,
            _dir: dir,
        }
    }

    /// Leaves a message to these waiting.
    async fn leave(&self, from: &str, to: &[&str]) {
        self.leave_with(from, to, EnvelopeParams::default()).await;
    }

    async fn leave_with(&self, from: &str, to: &[&str], params: EnvelopeParams) {
        let generated = Generated { maker: "test" };
        let from = Path::Mailbox(address(from));
        let mut envelope =
            Envelope::new(self.ids.next(), from, self.clock.now(), generated).with_params(params);
        let grant = RelayGrant::for_generated(&generated);
        for to in to {
            envelope.add_remote(address(to), RecipientParams::default(), &grant);
        }
        let body = self.store.stage(self.ids.next()).finish().await.expect("a body");
        let message = Message {
            body,
            header: b"",
            received: b"Received: x\r\n",
        };
        let accepted = queue::accept(&self.queue, &envelope, message).await;
        drop(accepted.expect("accepted"));
    }

    async fn order(&self, act: Act, selection: Selection) -> Ordered {
        let order = Order {
            act,
            selection,
            do_it: true,
            by: "uid 1000".to_owned(),
        };
        page(&self.queue, &order, None).await.expect("it is done")
    }

    async fn waiting(&self) -> Vec<WaitingRow> {
        self.store.waiting(None).await.expect("the queue")
    }

    async fn who_waits(&self) -> Vec<String> {
        self.waiting().await.into_iter().map(|row| row.address).collect()
    }

    async fn claim(&self, lane: &str) -> Vec<(Claim, WaitingRow)> {
        let claimed = self.store.claim_lane(lane, self.clock.now(), 100).await;
        claimed.expect("claims")
    }

    async fn record(&self, claim: Claim, outcome: Outcome) -> Result<(), StoreError> {
        let op = Op::RecordOutcome {
            claim,
            outcome,
            prior_attempts: 0,
            attempt: None,
        };
        self.store.commit(Batch::urgent(op)).await.map(drop)
    }

    async fn audit(&self) -> Vec<QueueAudit> {
        let rows = self.store.audit(0).await.expect("the audit");
        rows.iter()
            .map(|row| serde_json::from_str(&row.text).expect("an entry"))
            .collect()
    }
}

fn from(sender: &str) -> Selection {
    Selection {
        from: Some(sender.to_owned()),
        ..Selection::default()
    }
}

#[tokio::test]
async fn a_count_changes_nothing() {
    let house = House::new();
    let many: Vec<String> = (0..7).map(|n| format!("user{n}@there.test")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    house.leave("a@here.test", &many).await;
    house.leave("b@here.test", &["eve@there.test"]).await;
    for act in [Act::Retry, Act::Hold, Act::Purge] {
        let order = Order {
            act,
            selection: from("a@here.test"),
            do_it: false,
            by: "uid 0".to_owned(),
        };
        let counted = page(&house.queue, &order, None).await.expect("counted");
        assert_eq!(
            (counted.matched, counted.changed, counted.sample.len()),
            (7, 0, 5)
        );
        assert_eq!(counted.next, None);
    }
    assert_eq!(house.waiting().await.len(), 8);
    assert!(house.audit().await.is_empty());
}

#[tokio::test]
async fn q_14_a_purge_during_delivery_stops_it_within_one_attempt_and_touches_nobody_else() {
    let house = House::new();
    house
        .leave("phished@here.test", &["a@there.test", "b@there.test"])
        .await;
    house.leave("honest@here.test", &["c@there.test"]).await;
    let claimed = house.claim("there.test -").await;
    assert_eq!(claimed.len(), 3, "all are under way");
    let done = house.order(Act::Purge, from("phished@here.test")).await;
    assert_eq!((done.matched, done.changed), (2, 2));
    assert_eq!(house.who_waits().await, ["c@there.test"]);
    for (claim, row) in claimed {
        let retry = Outcome::Retry {
            due: row.due,
            deadline: row.deadline,
            reason: "450".to_owned(),
        };
        let said = house.record(claim, retry).await;
        let want = match row.address.as_str() {
            "c@there.test" => Ok(()),
            _ => Err(StoreError::Conflict(Conflict::ClaimLost)),
        };
        assert_eq!(said, want, "{}", row.address);
        let attempts = house.store.attempts(row.queue_id, None).await.expect("attempts");
        let mine = attempts.iter().find(|one| one.recipient == row.recipient);
        let note = mine.map(|one| AttemptText::read(&one.text));
        match note {
            None => assert_eq!(row.address, "c@there.test"),
            Some(note) => assert_eq!(
                (note.result, note.reason.as_str()),
                (AttemptResult::Purged, "by uid 1000")
            ),
        }
    }
    assert_eq!(
        house.claim("there.test -").await.len(),
        1,
        "nobody is tried again but the other"
    );
    let audit = house.audit().await;
    assert_eq!(audit.len(), 1);
    assert_eq!(
        (
            audit[0].noun.as_str(),
            audit[0].verb.as_str(),
            audit[0].recipients
        ),
        ("queue", "purged", 2)
    );
    assert_eq!(audit[0].by, "uid 1000");
    assert_eq!(audit[0].name, "from phished@here.test");
    assert!(audit[0].note.contains(" for a@there.test, "), "{audit:?}");
    assert_eq!(house.events.named("queue.operated").len(), 2);
}

#[tokio::test]
async fn held_mail_stays_past_its_end_and_gets_a_try_when_it_is_released() {
    let house = House::new();
    house.leave("a@here.test", &["x@there.test"]).await;
    assert_eq!(house.order(Act::Hold, Selection::default()).await.changed, 1);
    assert_eq!(
        house.order(Act::Hold, Selection::default()).await.matched,
        0,
        "it is held"
    );
    assert_eq!(
        house.order(Act::Retry, Selection::default()).await.matched,
        0,
        "held is held"
    );
    house.clock.jump(Duration::from_secs(30 * 86_400));
    let now = house.clock.now();
    assert!(house.claim("there.test -").await.is_empty());
    assert!(
        house
            .store
            .claim_overdue(now, 9)
            .await
            .expect("claims")
            .is_empty()
    );
    house.queue.news.take();
    assert_eq!(house.order(Act::Release, Selection::default()).await.changed, 1);
    assert!(
        house.queue.news.take().lanes.contains_key("there.test -"),
        "the scheduler is told"
    );
    let row = house.waiting().await.remove(0);
    assert_eq!(
        (row.held, row.due, row.deadline),
        (false, now, UnixMs(now.0 + 4 * 3_600_000))
    );
    assert_eq!(house.claim("there.test -").await.len(), 1);
}

#[tokio::test]
async fn a_retry_is_due_at_once() {
    let house = House::new();
    house.leave("a@here.test", &["x@there.test", "y@else.test"]).await;
    for lane in ["there.test -", "else.test -"] {
        let (claim, row) = house.claim(lane).await.remove(0);
        let later = Outcome::Retry {
            due: UnixMs(row.due.0 + 3_600_000),
            deadline: row.deadline,
            reason: "greylisted".to_owned(),
        };
        house.record(claim, later).await.expect("recorded");
    }
    house.queue.news.take();
    let domain = Selection {
        domain: Some("there.test".to_owned()),
        ..Selection::default()
    };
    assert_eq!(house.order(Act::Retry, domain).await.changed, 1);
    assert_eq!(house.claim("there.test -").await.len(), 1);
    assert!(house.claim("else.test -").await.is_empty());
    let told = house.queue.news.take().lanes;
    assert_eq!(told.keys().collect::<Vec<_>>(), ["there.test -"]);
    assert_eq!(
        house.waiting().await[0].attempts,
        1,
        "the schedule goes on where it was"
    );
}

#[tokio::test]
async fn a_long_queue_is_worked_in_pages_each_with_its_audit_entry() {
    let house = House::new();
    for n in 0..30 {
        let to: Vec<String> = (0..100).map(|m| format!("u{m}@d{n}.test")).collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        house.leave("a@here.test", &to).await;
    }
    let order = Order {
        act: Act::Purge,
        selection: Selection::default(),
        do_it: true,
        by: "uid 0".to_owned(),
    };
    let first = page(&house.queue, &order, None).await.expect("done");
    assert_eq!((first.matched, first.changed), (2048, 2048));
    let rest = page(&house.queue, &order, first.next).await.expect("done");
    assert_eq!((rest.changed, rest.next), (952, None));
    assert!(house.waiting().await.is_empty());
    let audit = house.audit().await;
    assert_eq!(audit.iter().map(|entry| entry.recipients).sum::<u64>(), 3000);
    assert_eq!(audit[0].name, "everybody");
}

#[tokio::test]
async fn q_12_what_a_wrong_clock_planned_is_pulled_in() {
    let house = House::new();
    let right = house.clock.now();
    house
        .leave("a@here.test", &["x@there.test", "y@there.test"])
        .await;
    let years = 20 * 365 * 86_400_000;
    let hold = EnvelopeParams {
        hold_until_unix_ms: Some(right.0 + years),
        ..EnvelopeParams::default()
    };
    house.leave_with("a@here.test", &["z@there.test"], hold).await;
    let (claim, row) = house.claim("there.test -").await.remove(0);
    let far = Outcome::Retry {
        due: UnixMs(right.0 + years),
        deadline: UnixMs(right.0 + years),
        reason: "later".to_owned(),
    };
    house.record(claim, far).await.expect("recorded");
    house.clock.jump(Duration::from_secs(60));
    let now = house.clock.now();
    assert_eq!(pull_in(&house.queue, "there.test -").await, Ok(1));
    assert_eq!(pull_in(&house.queue, "there.test -").await, Ok(0), "once");
    let rows = house.waiting().await;
    let moved = rows
        .iter()
        .find(|one| one.address == row.address)
        .expect("it waits");
    assert!(moved.due.0 <= now.0 + 5 * 3_600_000, "{moved:?}");
    assert!(moved.deadline.0 <= now.0 + 6 * 86_400_000, "{moved:?}");
    let wished = rows
        .iter()
        .find(|one| one.address == "z@there.test")
        .expect("it waits");
    assert_eq!(wished.due.0, right.0 + years, "the sender wanted that");
}
