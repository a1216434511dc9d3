//! One account over the embedded store, for the tests of this crate.

use std::path::Path;
use std::sync::Arc;

use mail::ids::{AccountId, BlobId, QueueId};
use store::contract::{
    Accept, Batch, Body, Delivery, NewAccount, Op, OpResult, Placed, SpecialUse, Store, Target, Urgency,
};
use store::embedded::{Embedded, Options};
use store::flags::Flags;
use tempfile::TempDir;
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
use world::clock::Clock;
use world::ids::IdSource;

use crate::person::{Mailboxes, Person};

pub(crate) struct World {
    pub(crate) clock: SimClock,
    pub(crate) store: Arc<Embedded>,
    pub(crate) mailboxes: Arc<Mailboxes>,
    account: AccountId,
    dir: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        // Memory, when there is some: these tests are about order, not about the disk.
        let shm = Path::new("/dev/shm");
        let dir = if shm.is_dir() {
            tempfile::tempdir_in(shm)
        } else {
            tempfile::tempdir()
        }
        .unwrap();
        let clock = SimClock::new();
        let (store, mailboxes) = open(dir.path(), &clock);
        let account = mailboxes.ids.next();
        let special = [("Drafts", SpecialUse::Drafts), ("Trash", SpecialUse::Trash)];
        let account_row = NewAccount {
            id: account,
            address: "alice@example.test".to_owned(),
            credential: None,
            quota_bytes: 0,
            settings: "{}".to_owned(),
            inbox: mailboxes.ids.next(),
            mailboxes: special
                .map(|(name, special)| (mailboxes.ids.next(), name.to_owned(), Some(special)))
                .to_vec(),
        };
        let domain = Op::CreateDomain {
            name: "example.test".to_owned(),
            settings: "{}".to_owned(),
        };
        let ops = vec![domain, Op::CreateAccount { account: account_row }];
        store
            .commit(Batch {
                urgency: Urgency::Urgent,
                ops,
            })
            .await
            .unwrap()
            .committed();
        Self {
            clock,
            store,
            mailboxes,
            account,
            dir,
        }
    }

    /// The same data, opened again.
    pub(crate) async fn reopened(self) -> Self {
        let Self {
            clock,
            store,
            mailboxes,
            account,
            dir,
        } = self;
        drop(mailboxes);
        // A refresh may be under way; it holds the store until it is done.
        while Arc::strong_count(&store) > 1 {
            tokio::task::yield_now().await;
        }
        store.close();
        drop(store);
        let (store, mailboxes) = open(dir.path(), &clock);
        Self {
            clock,
            store,
            mailboxes,
            account,
            dir,
        }
    }

    pub(crate) async fn person(&self) -> Person {
        Person {
            shared: Arc::clone(&self.mailboxes),
            account: self.account,
        }
    }

    /// The same person, by mailboxes that know nothing of those of this world.
    pub(crate) fn another(&self) -> Person {
        let ids = Arc::clone(&self.mailboxes.ids);
        Person {
            shared: Mailboxes::start(self.store.clone(), ids, self.clock.door()),
            account: self.account,
        }
    }

    pub(crate) async fn body(&self, person: &Person, bytes: &[u8]) -> Body {
        let mut stage = person.stage();
        stage.write(bytes).await.unwrap();
        stage.finish().await.unwrap()
    }

    /// A message arrives, past everything this crate does.
    pub(crate) async fn deliver(&self, person: &Person, target: Target) -> Placed {
        self.deliver_bytes(person, target, b"Subject: hello\r\n\r\nhello\r\n")
            .await
    }

    pub(crate) async fn deliver_bytes(&self, person: &Person, target: Target, bytes: &[u8]) -> Placed {
        let mut stage = self.store.stage(self.mailboxes.ids.next::<BlobId>());
        stage.write(bytes).await.unwrap();
        let body = stage.finish().await.unwrap();
        let delivery = Delivery {
            recipient: 0,
            account: person.account,
            prefix: b"Return-Path: <bob@example.net>\r\n".to_vec(),
            targets: vec![(target, Flags::default())],
        };
        let accept = Accept {
            queue_id: self.mailboxes.ids.next::<QueueId>(),
            body,
            reverse_path: "bob@example.net".to_owned(),
            received_at: self.clock.now(),
            queue_prefix: Vec::new(),
            envelope: "{}".to_owned(),
            deliveries: vec![delivery],
            waiting: Vec::new(),
        };
        let receipt = self
            .store
            .commit(Batch::urgent(Op::Accept(Box::new(accept))))
            .await
            .unwrap();
        match &receipt.committed().results[0] {
            OpResult::Accepted(accepted) => accepted.placed[0].clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn open(dir: &Path, clock: &SimClock) -> (Arc<Embedded>, Arc<Mailboxes>) {
    let mut options = Options::new(clock.door(), Arc::new(CollectEvents::new()));
    options.upkeep = false;
    options.reserve_bytes = 0;
    options.users_only_below_bytes = 0;
    options.deleting_only_below_bytes = 0;
    let store = Embedded::open(dir, options).unwrap();
    let ids = Arc::new(IdSource::new(clock.door(), 1, store.id_floor()));
    let mailboxes = Mailboxes::start(store.clone(), ids, clock.door());
    (store, mailboxes)
}
