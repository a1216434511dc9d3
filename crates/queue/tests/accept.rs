//! The one commit of an acceptance, on a real store.

use std::sync::Arc;

use directory::{
    AccountSpec, Credential, Directory, DomainSettings, Doors, LocalRecipient, Origin as From, Password,
    SignedIn,
};
use mail::address::{Mailbox, Path, Utf8};
use mail::ids::{AccountId, QueueId};
use queue::select::Selection;
use queue::{
    Envelope, EnvelopeParams, Generated, LocalProgram, Message, PlanFailed, Queue, RecipientParams,
    RelayGrant, Stranger, Submitted,
};
use store::contract::{Store, Target};
use store::embedded::{Embedded, Options};
use testkit::chance::SeededChance;
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
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
    _dir: tempfile::TempDir,
}

/// `bob@` has a plan that fails; everybody else gets mail in INBOX.
fn plan(recipient: &LocalRecipient, facts: queue::Facts<'_>) -> Result<queue::Planned, PlanFailed> {
    assert!(
        facts.header.ends_with(b"\r\n\r\n"),
        "the plan sees the whole header"
    );
    match recipient.address().local().as_str() {
        "bob" => Err(PlanFailed {
            reason: "the script is broken".to_owned(),
        }),
        "carol" => Ok(Vec::new()),
        _ => Ok(vec![(Target::Inbox, store::flags::Flags::default())]),
    }
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (clock, events) = (SimClock::new(), Arc::new(CollectEvents::new()));
        let options = Options {
            upkeep: false,
            reserve_bytes: 0,
            ..Options::new(clock.door(), events.clone())
        };
        let store = Embedded::open(dir.path(), options).expect("the store opens");
        let ids = Arc::new(IdSource::new(clock.door(), 1, store.id_floor()));
        let doors = Doors {
            store: store.clone(),
            clock: clock.door(),
            chance: Arc::new(SeededChance::new(1)),
            ids: ids.clone(),
            events: events.clone(),
        };
        let directory = Directory::open(doors).await.expect("the directory opens");
        directory
            .add_domain("example.test", DomainSettings::default())
            .await
            .expect("a domain");
        for name in ["alice", "bob", "carol"] {
            let credential = Credential::Password(Password::new("correct horse battery"));
            let address = format!("{name}@example.test");
            let spec = AccountSpec {
                address,
                credential,
                quota_bytes: 0,
                name: None,
            };
            directory.add_account(spec).await.expect("an account");
        }
        let queue = Queue::new(store.clone(), clock.door(), events.clone(), Arc::new(plan));
        Self {
            store,
            directory,
            queue,
            ids,
            clock,
            events,
            _dir: dir,
        }
    }

    fn envelope<O: queue::Origin>(&self, origin: O, to: &[&str]) -> Envelope<O> {
        let from = Path::Mailbox(address("a@there.example"));
        let mut envelope = Envelope::new(self.ids.next(), from, self.clock.now(), origin);
        for name in to {
            let resolved = self.directory.resolve(&address(name));
            envelope.add_local(resolved.recipients().to_vec(), &RecipientParams::default());
        }
        envelope
    }

    async fn accept<O: queue::Origin>(&self, envelope: &Envelope<O>) -> QueueId {
        let mut stage = self.store.stage(self.ids.next());
        stage.write(BODY).await.expect("it takes it");
        let body = stage.finish().await.expect("a body");
        let message = Message {
            body,
            header: &BODY[..14],
            received: b"Received: x\r\n",
        };
        let proof = queue::accept(&self.queue, envelope, message)
            .await
            .expect("accepted");
        proof.committed().queue_id
    }

    async fn alice(&self) -> SignedIn {
        let from = From {
            door: "test",
            peer: [192, 0, 2, 1].into(),
        };
        let password = Password::new("correct horse battery");
        self.directory
            .authenticate("alice@example.test", &password, from)
            .await
            .expect("alice")
    }
}

fn address(text: &str) -> Mailbox {
    Mailbox::parse(text, Utf8::Refused).expect("an address")
}

#[tokio::test]
async fn body_placements_and_waiting_recipients_are_one_commit() {
    let house = House::new().await;
    let envelope = house.envelope(
        Stranger,
        &[
            "alice@example.test",
            "bob@example.test",
            "carol@example.test",
            "alice+x@example.test",
        ],
    );
    assert_eq!(envelope.addressees().len(), 4);
    assert_eq!(envelope.addressees()[3].positions(), [0], "one account, one copy");
    let queue_id = house.accept(&envelope).await;
    assert_eq!(queue_id, envelope.queue_id());

    let waiting = queue::list::page(&*house.store, &Selection::default(), house.clock.now(), None)
        .await
        .expect("the queue")
        .entries;
    let seen: Vec<_> = waiting
        .iter()
        .map(|entry| (entry.to.as_str(), entry.local, entry.reason.as_str()))
        .collect();
    let want = [
        ("bob@example.test", true, "the script is broken"),
        ("carol@example.test", true, "the plan named no mailbox"),
    ];
    assert_eq!(seen, want);
    assert_eq!(
        (waiting[0].from.as_str(), waiting[0].size_bytes),
        ("a@there.example", BODY.len() as u64)
    );
    assert_eq!(waiting[0].due.0, house.clock.now().0 + 60_000);

    let account: AccountId = house
        .directory
        .account("alice@example.test")
        .expect("alice")
        .id
        .parse()
        .expect("an id");
    let inbox = house.store.mailboxes(account).await.expect("mailboxes")[0].clone();
    assert_eq!((inbox.name.as_str(), inbox.messages), ("INBOX", 1));
    let placed = house.store.placements(inbox.id, 0).await.expect("placements");
    let row = house
        .store
        .messages(vec![placed[0].message])
        .await
        .expect("messages")
        .remove(0);
    let want = b"Return-Path: <a@there.example>\r\nDelivered-To: alice@example.test\r\nReceived: x\r\n";
    assert_eq!(&row.prefix[..], want);

    let told = house.events.named("queue.accepted");
    assert_eq!(told.len(), 1);
    assert_eq!(
        (
            told[0].text("origin"),
            told[0].number("delivered"),
            told[0].number("waiting")
        ),
        (Some("stranger"), Some(1), Some(2))
    );
}

#[tokio::test]
async fn a_user_with_a_grant_reaches_other_servers_and_waits_for_the_road() {
    let house = House::new().await;
    let alice = house.alice().await;
    let mut envelope = house.envelope(Submitted::by(&alice), &["alice@example.test"]);
    let grant = RelayGrant::for_submitter(&alice);
    envelope.add_remote(address("eve@victim.example"), RecipientParams::default(), &grant);
    envelope.add_remote(address("eve@victim.example"), RecipientParams::default(), &grant);
    assert!(envelope.has_remote());
    house.accept(&envelope).await;
    let waiting = house.store.waiting(None).await.expect("the queue");
    assert_eq!(waiting.len(), 1, "named twice, waits once");
    assert_eq!(
        (waiting[0].address.as_str(), waiting[0].account),
        ("eve@victim.example", None)
    );
    assert_eq!(waiting[0].reason, queue::accept::FIRST_TRY);
    let params = EnvelopeParams::read(&waiting[0].envelope);
    assert_eq!(
        (params.origin.as_str(), params.account),
        ("submitted", Some(alice.account()))
    );
    assert_eq!(waiting[0].lane, format!("victim.example {}", alice.account()));
    let came = waiting[0].received_at.0;
    let (due, deadline) = (waiting[0].due.0 - came, waiting[0].deadline.0 - came);
    assert_eq!(
        (due, deadline),
        (0, 4 * 3_600_000),
        "due at once, a notice after 4 hours"
    );
    let told = house.queue.news.take();
    assert_eq!(
        told.lanes.into_iter().collect::<Vec<_>>(),
        [(waiting[0].lane.clone(), waiting[0].due)]
    );
    assert_eq!(&waiting[0].queue_prefix[..], b"Received: x\r\n");
}

#[tokio::test]
async fn every_origin_says_where_it_comes_from() {
    let house = House::new().await;
    house
        .accept(&house.envelope(LocalProgram, &["bob@example.test"]))
        .await;
    let mut bounce = house.envelope(Generated { maker: "bounce" }, &["bob@example.test"]);
    bounce.add_remote(
        address("eve@victim.example"),
        RecipientParams::default(),
        &RelayGrant::for_generated(bounce.origin()),
    );
    house.accept(&bounce).await;
    let origins: Vec<_> = house
        .store
        .waiting(None)
        .await
        .expect("the queue")
        .into_iter()
        .map(|row| EnvelopeParams::read(&row.envelope).origin)
        .collect();
    assert_eq!(origins, ["local-program", "generated", "generated"]);
}
