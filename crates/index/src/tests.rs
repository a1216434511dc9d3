//! The index over a real store: in step, anew, damaged, cut off.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use mail::ids::{AccountId, BlobId, Id as _, MailboxId, MessageId, QueueId};
use mail::mime::Structure;
use proptest::prelude::*;
use store::contract::{Accept, Batch, Delivery, NewAccount, Op, OpResult, Placed, Store, Target, Urgency};
use store::embedded::{Embedded, Options};
use store::flags::Flags;
use store::uids::UidSet;
use tempfile::TempDir;
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
use tokio::sync::watch;
use world::clock::Clock;
use world::ids::IdSource;

use crate::indexer::{look, once};
use crate::limits::{FRESH_ACCOUNT_BYTES, FRESH_BYTES, FRESH_LOOK_ACCOUNTS, GATHER_MOST_MS, GATHER_STEP_MS};
use crate::segment::tests::{Plain, by_reading};
use crate::{Describe, Described, Doors, FILE, Index, Place, Question, Verdict, Wanted};

struct World {
    clock: SimClock,
    events: Arc<CollectEvents>,
    store: Arc<Embedded>,
    ids: IdSource,
    account: AccountId,
    inbox: MailboxId,
    dir: TempDir,
}

impl World {
    async fn new() -> Self {
        let shm = Path::new("/dev/shm");
        let dir = if shm.is_dir() {
            tempfile::tempdir_in(shm)
        } else {
            tempfile::tempdir()
        }
        .unwrap();
        let (clock, events) = (SimClock::new(), Arc::new(CollectEvents::new()));
        let mut options = Options::new(clock.door(), events.clone());
        options.upkeep = false;
        options.reserve_bytes = 0;
        options.users_only_below_bytes = 0;
        options.deleting_only_below_bytes = 0;
        options.undelete_days = 0;
        let store = Embedded::open(dir.path(), options).unwrap();
        let ids = IdSource::new(clock.door(), 1, store.id_floor());
        let (account, inbox) = (ids.next(), ids.next());
        let ops = vec![
            Op::CreateDomain {
                name: "example.test".to_owned(),
                settings: "{}".to_owned(),
            },
            new_account(account, inbox, "alice@example.test"),
        ];
        let urgency = Urgency::Urgent;
        store.commit(Batch { urgency, ops }).await.unwrap().committed();
        Self {
            clock,
            events,
            store,
            ids,
            account,
            inbox,
            dir,
        }
    }

    fn index(&self) -> Arc<Index> {
        self.index_in(self.dir.path())
    }

    fn index_in(&self, dir: &Path) -> Arc<Index> {
        let doors = Doors {
            store: self.store.clone(),
            clock: self.clock.door(),
            events: self.events.clone(),
            describe: Arc::new(Plain),
        };
        Index::open(dir, doors).unwrap()
    }

    async fn deliver(&self, bytes: &[u8]) -> Placed {
        let mut stage = self.store.stage(self.ids.next::<BlobId>());
        stage.write(bytes).await.unwrap();
        let accept = Accept {
            queue_id: self.ids.next::<QueueId>(),
            body: stage.finish().await.unwrap(),
            reverse_path: "bob@example.net".to_owned(),
            received_at: self.clock.now(),
            queue_prefix: Vec::new(),
            envelope: "{}".to_owned(),
            deliveries: vec![Delivery {
                recipient: 0,
                account: self.account,
                prefix: PREFIX.to_vec(),
                targets: vec![(Target::Inbox, Flags::default())],
            }],
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

    async fn expunge(&self, uid: u32) {
        let op = Op::Expunge {
            mailbox: self.inbox,
            uids: UidSet::from_uids([uid]),
            only_deleted: false,
        };
        self.store.commit(Batch::urgent(op)).await.unwrap().committed();
    }

    async fn ask(
        &self,
        index: &Arc<Index>,
        place: Place,
        text: &str,
        messages: &[MessageId],
    ) -> Vec<Verdict> {
        let found = index.find(self.account, Question::new(place, text)).await;
        messages.iter().map(|message| found.verdict(*message)).collect()
    }
}

fn new_account(id: AccountId, inbox: MailboxId, address: &str) -> Op {
    let account = NewAccount {
        id,
        address: address.to_owned(),
        credential: None,
        quota_bytes: 0,
        settings: "{}".to_owned(),
        inbox,
        mailboxes: Vec::new(),
    };
    Op::CreateAccount { account }
}

const PREFIX: &[u8] = b"Return-Path: <bob@example.net>\r\n";

fn message(n: usize) -> Vec<u8> {
    format!("Subject: number{n}\r\nFrom: bob{n}@example.net\r\n\r\nHello world{n}, common words\r\n")
        .into_bytes()
}

async fn mailbox_of(world: &World, count: usize) -> Vec<MessageId> {
    let mut messages = Vec::new();
    for n in 0..count {
        messages.push(world.deliver(&message(n)).await.message);
    }
    messages
}

fn verdicts(count: usize, yes: impl Fn(usize) -> bool) -> Vec<Verdict> {
    let verdict = |n| if yes(n) { Verdict::Yes } else { Verdict::No };
    (0..count).map(verdict).collect()
}

fn named(world: &World, name: &str) -> usize {
    world.events.named(name).len()
}

#[tokio::test]
async fn what_is_not_indexed_must_be_read_and_what_is_need_not() {
    let world = World::new().await;
    let index = world.index();
    let messages = mailbox_of(&world, 3).await;
    let ask = |place, text| world.ask(&index, place, text, &messages);
    assert_eq!(ask(Place::Body, "world1").await, [Verdict::Look; 3]);
    once(&index).await;
    assert_eq!(ask(Place::Body, "ORLD1").await, verdicts(3, |n| n == 1));
    assert_eq!(
        ask(Place::Text, "return").await,
        verdicts(3, |_| true),
        "the prefix belongs to the message"
    );
    assert_eq!(
        ask(Place::Header("Subject".to_owned()), "umber2").await,
        verdicts(3, |n| n == 2)
    );
    assert_eq!(
        ask(Place::Body, "o world2").await,
        [Verdict::No, Verdict::No, Verdict::Look]
    );
    let later = world.deliver(&message(3)).await.message;
    assert_eq!(
        world.ask(&index, Place::Body, "world3", &[later]).await,
        [Verdict::Look]
    );
    let status = index.status();
    assert!(
        status.complete && status.usable && status.messages == 3,
        "{status:?}"
    );
}

#[tokio::test]
async fn digests_say_what_the_message_says() {
    let world = World::new().await;
    let index = world.index();
    let messages = mailbox_of(&world, 20).await;
    once(&index).await;
    let wanted = Wanted {
        envelope: true,
        body_structure: true,
        ..Wanted::default()
    };
    let mut asked = messages.clone();
    asked.reverse();
    asked.push(MessageId::from_raw(1));
    let digests = index.digests(world.account, asked, wanted).await;
    let size = |n: usize| (PREFIX.len() + message(n).len()) as u64;
    for (n, digest) in digests[..20].iter().rev().enumerate() {
        let digest = digest.as_ref().unwrap();
        assert_eq!(digest.size_bytes, size(n));
        assert_eq!(digest.internal_date, world.clock.now());
        assert_eq!(digest.envelope, format!("(envelope {})", size(n)));
        assert_eq!(digest.body_structure, format!("(structure {})", size(n)));
        assert!(digest.body.is_empty() && !digest.attachments);
    }
    assert_eq!(digests[20], None);
    // A few are given from memory, and now they are there.
    let few = index.digests(world.account, messages[..1].to_vec(), wanted).await;
    assert!(few[0].is_some());
    let other = index
        .digests(world.ids.next(), messages[..1].to_vec(), wanted)
        .await;
    assert_eq!(other, [None], "another account's messages are nobody's");
}

#[tokio::test]
async fn small_segments_become_larger_ones_without_what_is_gone() {
    let world = World::new().await;
    let index = world.index();
    let mut messages = Vec::new();
    for n in 0..70 {
        let placed = world.deliver(&message(n)).await;
        messages.push(placed.message);
        if n % 10 == 0 {
            world.expunge(placed.uid).await;
        }
        world.clock.jump(std::time::Duration::from_secs(1));
        world.store.upkeep().collect().unwrap();
        once(&index).await;
    }
    let status = index.status();
    assert!(status.segments < 16, "{status:?}");
    assert!(status.messages < 70, "{status:?}");
    let found = world.ask(&index, Place::Body, "common", &messages).await;
    for (n, verdict) in found.into_iter().enumerate() {
        assert!(verdict == Verdict::Yes || n % 10 == 0, "{n}: {verdict:?}");
    }
}

#[tokio::test]
async fn anew_is_as_one_by_one() {
    let world = World::new().await;
    let index = world.index();
    let mut messages = Vec::new();
    for n in 0..30 {
        messages.push(world.deliver(&message(n)).await.message);
        once(&index).await;
    }
    let texts = ["world1", "number2", "common", "absent", "bob", "d12, c"];
    let mut before = Vec::new();
    for text in texts {
        before.push(world.ask(&index, Place::Text, text, &messages).await);
    }
    index.rebuild("the test wishes it");
    once(&index).await;
    for (text, before) in texts.iter().zip(before) {
        assert_eq!(
            world.ask(&index, Place::Text, text, &messages).await,
            before,
            "{text}"
        );
    }
    assert_eq!(index.status().segments, 1);
    assert_eq!(named(&world, "index.made-anew"), 2);
}

#[tokio::test]
async fn it_goes_on_where_it_was() {
    let world = World::new().await;
    let index = world.index();
    mailbox_of(&world, 20).await;
    once(&index).await;
    drop(index);
    let index = world.index();
    let last = world.deliver(&message(20)).await.message;
    once(&index).await;
    let status = index.status();
    assert_eq!((status.messages, status.indexed), (21, 1));
    assert_eq!(
        world.ask(&index, Place::Body, "world20", &[last]).await,
        [Verdict::Yes]
    );
    assert_eq!(named(&world, "index.made-anew"), 1);
}

#[tokio::test]
async fn an_account_that_is_gone_is_forgotten() {
    let world = World::new().await;
    let index = world.index();
    mailbox_of(&world, 3).await;
    once(&index).await;
    let account = world.account;
    world
        .store
        .commit(Batch::urgent(Op::RemoveAccount { account }))
        .await
        .unwrap()
        .committed();
    once(&index).await;
    assert_eq!(index.status().messages, 0);
}

#[tokio::test]
async fn damage_is_noticed_and_mended() {
    let world = World::new().await;
    let index = world.index();
    let messages = mailbox_of(&world, 40).await;
    once(&index).await;
    drop(index);
    flush(world.dir.path());
    let file = world.dir.path().join(FILE);
    let good = std::fs::read(&file).unwrap();
    for at in (100..good.len()).step_by(good.len() / 60) {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        let dir = tempfile::tempdir_in(world.dir.path()).unwrap();
        std::fs::write(dir.path().join(FILE), &bad).unwrap();
        let index = world.index_in(dir.path());
        for (text, place) in [
            ("world1", Place::Body),
            ("number2", Place::Text),
            ("umber3", Place::Header("Subject".to_owned())),
        ] {
            check(&world, &index, &messages, place, text).await;
        }
        once(&index).await;
        check(&world, &index, &messages, Place::Body, "world1").await;
        let status = index.status();
        assert!(status.usable && status.messages == 40, "octet {at}: {status:?}");
    }
    assert!(named(&world, "index.damaged") > 0);
}

#[tokio::test]
async fn cut_off_anywhere_it_is_behind_and_never_wrong() {
    let world = World::new().await;
    let index = world.index();
    let mut messages = Vec::new();
    for n in 0..40 {
        messages.push(world.deliver(&message(n)).await.message);
        once(&index).await;
    }
    // While it is open: closing copies the log into the file.
    let log = std::fs::read(world.dir.path().join(format!("{FILE}-wal"))).unwrap();
    let file = std::fs::read(world.dir.path().join(FILE)).unwrap();
    drop(index);
    for cut in (0..log.len()).step_by(log.len() / 40) {
        let dir = tempfile::tempdir_in(world.dir.path()).unwrap();
        std::fs::write(dir.path().join(FILE), &file).unwrap();
        // The last sector may hold anything.
        let torn = [&log[..cut], &[0x55; 512][..]].concat();
        std::fs::write(dir.path().join(format!("{FILE}-wal")), torn).unwrap();
        let index = world.index_in(dir.path());
        check(&world, &index, &messages, Place::Body, "world1").await;
        once(&index).await;
        assert_eq!(index.status().messages, 40, "cut at {cut}");
        let found = world.ask(&index, Place::Body, "common", &messages).await;
        assert_eq!(found, [Verdict::Yes; 40], "cut at {cut}");
    }
}

/// Nobody is told anything that reading the message would not say.
async fn check(world: &World, index: &Arc<Index>, messages: &[MessageId], place: Place, text: &str) {
    for (n, verdict) in world
        .ask(index, place.clone(), text, messages)
        .await
        .into_iter()
        .enumerate()
    {
        let whole = [PREFIX, &message(n)].concat();
        let read = by_reading(&whole, &place, text);
        let wrong = if read { Verdict::No } else { Verdict::Yes };
        assert_ne!(verdict, wrong, "message {n}, {text}");
    }
}

/// Has the log copied into the file.
fn flush(dir: &Path) {
    let database = rusqlite::Connection::open(dir.join(FILE)).unwrap();
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}

#[tokio::test]
async fn another_version_is_made_anew() {
    let world = World::new().await;
    drop(world.index());
    let database = rusqlite::Connection::open(world.dir.path().join(FILE)).unwrap();
    database.execute_batch("PRAGMA user_version=7").unwrap();
    drop(database);
    let index = world.index();
    assert_eq!(named(&world, "index.made-anew"), 2);
    assert!(index.status().usable);
    std::fs::write(
        world.dir.path().join(FILE),
        "no database at all, but long enough to be looked at",
    )
    .unwrap();
    drop(index);
    assert!(world.index().status().usable);
}

#[tokio::test]
async fn in_step_within_a_moment_and_stopped_at_once() {
    let world = World::new().await;
    let index = world.index();
    let (stopping, stop) = watch::channel(false);
    let running = tokio::spawn(Arc::clone(&index).run(stop));
    while !index.status().complete || index.status().accounts_behind > 0 {
        world.clock.advance(std::time::Duration::from_millis(50)).await;
    }
    let arrived = world.deliver(&message(1)).await.message;
    assert_eq!(index.status().accounts_behind, 1, "said at once, before it looks");
    loop {
        let status = index.status();
        if status.messages > 0 {
            break;
        }
        assert_eq!(status.accounts_behind, 1);
        world.clock.advance(std::time::Duration::from_millis(50)).await;
    }
    while index.status().accounts_behind > 0 {
        tokio::task::yield_now().await;
    }
    let waited = world.clock.monotonic().0.as_millis();
    assert_eq!(
        world.ask(&index, Place::Body, "world1", &[arrived]).await,
        [Verdict::Yes]
    );
    stopping.send_replace(true);
    running.await.unwrap();
    assert!(waited > 0);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_what_may_still_arrive() {
    let world = World::new().await;
    let index = world.index();
    let (stopping, stop) = watch::channel(false);
    let running = tokio::spawn(Arc::clone(&index).run(stop));
    while !index.status().complete {
        tokio::task::yield_now().await;
    }
    world.deliver(&message(1)).await;
    while world.clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    stopping.send_replace(true);
    // The clock of this world stands still.
    let long = std::time::Duration::from_secs(60);
    tokio::time::timeout(long, running)
        .await
        .expect("it ended")
        .expect("well");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn segments_do_not_change_what_is_found(batches in proptest::collection::vec(1usize..6, 1..6), text in "[a-z0-9]{1,3}|o w|d1, c") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let index = world.index();
            let mut messages = Vec::new();
            for batch in batches {
                for _ in 0..batch {
                    messages.push(world.deliver(&message(messages.len())).await.message);
                }
                // Some of it is written, some is in memory.
                if batch % 2 == 0 { once(&index).await } else { look(&index).await }
            }
            for place in [Place::Body, Place::Text, Place::Header("From".to_owned())] {
                check(&world, &index, &messages, place, &text).await;
            }
        });
    }
}

#[tokio::test]
async fn a_damaged_column_costs_its_segment_alone() {
    let world = World::new().await;
    let index = world.index();
    let mut messages = mailbox_of(&world, 20).await;
    once(&index).await;
    messages.push(world.deliver(&message(20)).await.message);
    once(&index).await;
    assert_eq!(index.status().segments, 2);
    drop(index);
    let database = rusqlite::Connection::open(world.dir.path().join(FILE)).unwrap();
    let first = "UPDATE columns SET bytes=zeroblob(99) WHERE key>=16 AND key<32";
    assert!(database.execute(first, []).unwrap() > 10);
    drop(database);
    let index = world.index();
    check(&world, &index, &messages, Place::Body, "world1").await;
    once(&index).await;
    let found = world.ask(&index, Place::Body, "world2", &messages).await;
    assert_eq!(found, verdicts(21, |n| n == 2 || n == 20));
    let status = index.status();
    assert_eq!(
        (status.messages, status.indexed),
        (21, 20),
        "the other segment stays"
    );
    assert_eq!(named(&world, "index.made-anew"), 1);
    assert_eq!(named(&world, "index.damaged"), 1);
}

#[tokio::test]
async fn a_segment_of_which_much_is_gone_is_written_anew() {
    let world = World::new().await;
    let index = world.index();
    let mut uids = Vec::new();
    for n in 0..8 {
        uids.push(world.deliver(&message(n)).await.uid);
    }
    once(&index).await;
    // A message of eight is gone, then two.
    for (gone, left) in [(1, 8), (2, 6)] {
        world.expunge(uids[gone]).await;
        world.clock.jump(std::time::Duration::from_secs(60));
        world.store.upkeep().collect().unwrap();
        once(&index).await;
        assert_eq!(index.status().messages, left, "{gone} gone");
    }
}

#[tokio::test]
async fn an_account_is_forgotten_while_the_server_runs() {
    let world = World::new().await;
    let index = world.index();
    mailbox_of(&world, 3).await;
    once(&index).await;
    let account = world.account;
    let op = Op::RemoveAccount { account };
    world.store.commit(Batch::urgent(op)).await.unwrap().committed();
    crate::indexer::one(&index, Some(account)).await;
    assert_eq!(index.status().messages, 0);
}

#[tokio::test]
async fn marks_of_mailboxes_that_are_gone_go() {
    let world = World::new().await;
    let index = world.index();
    mailbox_of(&world, 3).await;
    once(&index).await;
    let database = rusqlite::Connection::open(world.dir.path().join(FILE)).unwrap();
    let inbox = world.inbox.raw() as i64;
    let marks = || -> Vec<i64> {
        let mut asked = database.prepare("SELECT mailbox FROM marks").unwrap();
        asked
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    };
    assert_eq!(marks(), [inbox]);
    drop(index);
    let old = "INSERT INTO marks VALUES(?,4711,9)";
    database.execute(old, [world.account.raw() as i64]).unwrap();
    let index = world.index();
    once(&index).await;
    assert_eq!(marks(), [inbox]);
}

#[tokio::test]
async fn a_message_that_makes_it_panic_is_left_out_alone() {
    let world = World::new().await;
    let index = world.index();
    let mut messages = mailbox_of(&world, 2).await;
    messages.push(
        world
            .deliver(b"Subject: panic, please\r\n\r\nworld1\r\n")
            .await
            .message,
    );
    messages.push(world.deliver(&message(1)).await.message);
    once(&index).await;
    let found = world.ask(&index, Place::Body, "world1", &messages).await;
    assert_eq!(found, [Verdict::No, Verdict::Yes, Verdict::Look, Verdict::Yes]);
    // Said once, however often its mailbox is looked at.
    world.deliver(&message(2)).await;
    once(&index).await;
    assert_eq!(named(&world, "index.message-left-out"), 1);
    assert!(index.status().complete);
}

#[tokio::test]
async fn who_would_have_to_wait_has_nothing_at_hand() {
    let world = World::new().await;
    let index = world.index();
    let messages = mailbox_of(&world, 3).await;
    once(&index).await;
    let wanted = Wanted::default();
    // More than a few are read from the file, and are in memory then.
    let many = [messages.clone(), vec![messages[0]; 20]].concat();
    index.digests(world.account, many, wanted).await;
    let ask = || index.digests(world.account, messages.clone(), wanted);
    assert!(ask().await.iter().all(Option::is_some));
    let busy = index.hold_accounts();
    assert_eq!(ask().await, [None, None, None]);
    drop(busy);
    assert!(ask().await.iter().all(Option::is_some));
}

#[tokio::test]
async fn a_batch_ends_where_its_columns_fill_a_segment() {
    struct Long;
    impl Describe for Long {
        fn version(&self) -> u16 {
            1
        }
        fn describe(&self, _: &[u8], _: &Structure) -> Described {
            let envelope = vec![b'x'; 3 << 20];
            Described {
                envelope,
                ..Described::default()
            }
        }
    }
    let world = World::new().await;
    let doors = Doors {
        store: world.store.clone(),
        clock: world.clock.door(),
        events: world.events.clone(),
        describe: Arc::new(Long),
    };
    let index = Index::open(world.dir.path(), doors).unwrap();
    let messages = mailbox_of(&world, 13).await;
    once(&index).await;
    let status = index.status();
    assert_eq!((status.messages, status.segments), (13, 2));
    let found = world.ask(&index, Place::Body, "world12", &messages).await;
    assert_eq!(found, verdicts(13, |n| n == 12));
    let wanted = Wanted {
        envelope: true,
        ..Wanted::default()
    };
    let asked = [messages.clone(), messages].concat();
    let digests = index.digests(world.account, asked, wanted).await;
    assert!(
        digests
            .iter()
            .flatten()
            .all(|digest| digest.envelope.len() == 3 << 20)
    );
    assert_eq!(digests.iter().flatten().count(), 26);
    assert_eq!(named(&world, "index.damaged"), 0);
}

#[tokio::test]
async fn an_account_that_went_without_notice_is_forgotten_in_time() {
    let world = World::new().await;
    let index = world.index();
    mailbox_of(&world, 3).await;
    once(&index).await;
    let account = world.account;
    let op = Op::RemoveAccount { account };
    world.store.commit(Batch::urgent(op)).await.unwrap().committed();
    crate::indexer::one(&index, None).await;
    assert_eq!(index.status().messages, 0);
}

#[tokio::test]
async fn what_is_in_memory_is_found_and_shown_like_what_is_written() {
    let world = World::new().await;
    let index = world.index();
    let mut messages = mailbox_of(&world, 20).await;
    once(&index).await;
    for n in 20..40 {
        messages.push(world.deliver(&message(n)).await.message);
    }
    look(&index).await;
    let status = index.status();
    assert_eq!((status.messages, status.segments, status.indexed), (40, 1, 40));
    let found = world.ask(&index, Place::Body, "world2", &messages).await;
    assert_eq!(found, verdicts(40, |n| n == 2 || n / 10 == 2));
    let wanted = Wanted {
        envelope: true,
        ..Wanted::default()
    };
    let digests = index.digests(world.account, messages.clone(), wanted).await;
    for (n, digest) in digests.iter().enumerate() {
        let size = PREFIX.len() + message(n).len();
        assert_eq!(digest.as_ref().unwrap().envelope, format!("(envelope {size})"));
    }
    // Nothing is indexed twice, and one more is seen at once.
    messages.push(world.deliver(&message(40)).await.message);
    look(&index).await;
    let found = world.ask(&index, Place::Body, "world40", &messages).await;
    assert_eq!(found, verdicts(41, |n| n == 40));
    assert_eq!(index.status().indexed, 41);
}

#[tokio::test]
async fn what_is_in_memory_is_written_after_a_minute() {
    let world = World::new().await;
    let index = world.index();
    mailbox_of(&world, 3).await;
    for (seconds, segments) in [(0, 0), (59, 0), (1, 1)] {
        world.clock.jump(std::time::Duration::from_secs(seconds));
        look(&index).await;
        let status = index.status();
        assert_eq!(
            (status.messages, status.segments),
            (3, segments),
            "{seconds} s later"
        );
    }
}

#[tokio::test]
async fn what_is_in_memory_is_written_at_the_stop() {
    let world = World::new().await;
    let index = world.index();
    let (stopping, stop) = watch::channel(false);
    let running = tokio::spawn(Arc::clone(&index).run(stop));
    let messages = mailbox_of(&world, 3).await;
    while index.status().messages < 3 {
        world.clock.advance(std::time::Duration::from_millis(100)).await;
    }
    stopping.send_replace(true);
    running.await.unwrap();
    assert_eq!(index.status().segments, 1);
    drop(index);
    let index = world.index();
    let found = world.ask(&index, Place::Body, "world2", &messages).await;
    assert_eq!(found, verdicts(3, |n| n == 2));
}

#[tokio::test]
async fn what_was_in_memory_in_a_crash_is_indexed_again() {
    let world = World::new().await;
    let index = world.index();
    let mut messages = mailbox_of(&world, 3).await;
    once(&index).await;
    messages.push(world.deliver(&message(3)).await.message);
    look(&index).await;
    drop(index);
    let index = world.index();
    let found = world.ask(&index, Place::Body, "world3", &messages).await;
    assert_eq!(found[3], Verdict::Look);
    look(&index).await;
    assert_eq!(index.status().indexed, 1, "the others were written");
    let found = world.ask(&index, Place::Body, "world3", &messages).await;
    assert_eq!(found, verdicts(4, |n| n == 3));
}

#[tokio::test]
async fn enough_of_an_account_is_written_at_once() {
    let world = World::new().await;
    let index = world.index();
    mailbox_of(&world, crate::limits::FRESH_MESSAGES + 5).await;
    look(&index).await;
    let status = index.status();
    assert_eq!((status.segments, status.messages), (1, 517), "{status:?}");
}

#[tokio::test]
async fn what_is_in_memory_has_a_bound_within_a_round_over_everybody() {
    /// Of each message much, and the most that was in memory before one.
    #[derive(Default)]
    struct Watching {
        index: OnceLock<Weak<Index>>,
        most: AtomicUsize,
    }
    impl Describe for Watching {
        fn version(&self) -> u16 {
            1
        }
        fn describe(&self, _: &[u8], _: &Structure) -> Described {
            let index = self.index.get().and_then(Weak::upgrade).unwrap();
            // The account that is being added to is locked.
            let others = index.unwritten().into_iter();
            let bytes = others
                .filter_map(|(_, fresh)| Some(fresh.try_lock()?.bytes()))
                .sum();
            self.most.fetch_max(bytes, Ordering::Relaxed);
            Described {
                envelope: vec![b'x'; 3 << 20],
                ..Described::default()
            }
        }
    }
    let mut world = World::new().await;
    let watching = Arc::new(Watching::default());
    let doors = Doors {
        store: world.store.clone(),
        clock: world.clock.door(),
        events: world.events.clone(),
        describe: watching.clone(),
    };
    let index = Index::open(world.dir.path(), doors).unwrap();
    watching.index.set(Arc::downgrade(&index)).unwrap();
    for n in 0..30 {
        (world.account, world.inbox) = (world.ids.next(), world.ids.next());
        let op = new_account(world.account, world.inbox, &format!("u{n}@example.test"));
        world.store.commit(Batch::urgent(op)).await.unwrap().committed();
        world.deliver(&message(n)).await;
    }
    look(&index).await;
    assert_eq!(index.status().messages, 30);
    let most = watching.most.load(Ordering::Relaxed);
    let bound = FRESH_BYTES + FRESH_LOOK_ACCOUNTS as usize * FRESH_ACCOUNT_BYTES;
    assert!(most <= bound, "{most} octets");
}

#[tokio::test]
async fn what_notices_name_in_several_accounts_is_indexed_together() {
    let mut world = World::new().await;
    let index = world.index();
    let (stopping, stop) = watch::channel(false);
    let running = tokio::spawn(Arc::clone(&index).run(stop));
    while !index.status().complete {
        tokio::task::yield_now().await;
    }
    let mut owners = Vec::new();
    for n in 0..5 {
        if n > 0 {
            (world.account, world.inbox) = (world.ids.next(), world.ids.next());
            let op = new_account(world.account, world.inbox, &format!("u{n}@example.test"));
            world.store.commit(Batch::urgent(op)).await.unwrap().committed();
        }
        let (kept, gone) = (world.deliver(&message(n)).await, world.deliver(&message(9)).await);
        world.expunge(gone.uid).await;
        owners.push((world.account, kept.message));
    }
    // What was expunged at once is not indexed.
    while index.status().messages < 5 {
        world.clock.advance(std::time::Duration::from_millis(50)).await;
    }
    for (n, (account, message)) in owners.into_iter().enumerate() {
        world.account = account;
        let ask = |text: String| {
            let (world, index) = (&world, &index);
            async move { world.ask(index, Place::Body, &text, &[message]).await }
        };
        assert_eq!(ask(format!("world{n}")).await, [Verdict::Yes]);
        assert_eq!(ask("world9".to_owned()).await, [Verdict::No]);
    }
    // A notice that came late is still looked at.
    while index.status().accounts_behind > 0 {
        world.clock.advance(std::time::Duration::from_millis(50)).await;
    }
    stopping.send_replace(true);
    running.await.unwrap();
    assert_eq!(index.status().segments, 5);
}

#[tokio::test]
async fn mail_that_comes_without_a_pause_is_indexed_after_some_seconds() {
    let world = World::new().await;
    let index = world.index();
    let (stopping, stop) = watch::channel(false);
    let running = tokio::spawn(Arc::clone(&index).run(stop));
    while !index.status().complete {
        tokio::task::yield_now().await;
    }
    let began = world.clock.monotonic().0;
    let waited = || (world.clock.monotonic().0 - began).as_millis() as u64;
    let mut n = 0;
    while waited() < GATHER_MOST_MS + 2 * GATHER_STEP_MS {
        assert!(waited() >= GATHER_MOST_MS || index.status().messages == 0);
        world.deliver(&message(n)).await;
        n += 1;
        world.clock.advance(std::time::Duration::from_millis(50)).await;
    }
    // Now it is at work, which needs no more simulated time, however busy the machine is.
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, async {
        while index.status().messages == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is indexed");
    stopping.send_replace(true);
    running.await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_opened_beside_is_there_before_anything_else_is_done_with_it() {
    let world = World::new().await;
    mailbox_of(&world, 3).await;
    once(&world.index()).await;
    for damage in [false, true] {
        if damage {
            std::fs::write(
                world.dir.path().join(FILE),
                b"not a database, and longer than its header",
            )
            .unwrap();
        }
        let doors = Doors {
            store: world.store.clone(),
            clock: world.clock.door(),
            events: world.events.clone(),
            describe: Arc::new(Plain),
        };
        let index = Index::open_beside(world.dir.path(), doors).unwrap();
        index.worker.run(|| ()).await.unwrap();
        let status = index.status();
        assert_eq!(
            (status.usable, status.messages),
            (true, if damage { 0 } else { 3 })
        );
        once(&index).await;
        assert_eq!(index.status().messages, 3);
    }
}

#[tokio::test]
async fn an_index_that_is_not_open_yet_is_not_called_one_that_the_disk_refuses() {
    let world = World::new().await;
    let doors = || Doors {
        store: world.store.clone(),
        clock: world.clock.door(),
        events: world.events.clone(),
        describe: Arc::new(Plain),
    };
    let index = Index::closed(world.dir.path(), doors()).unwrap();
    let status = index.status();
    assert!(status.usable && !status.complete, "{status:?}");
    // A directory in its place cannot be opened, nor made anew.
    std::fs::create_dir(world.dir.path().join(FILE)).unwrap();
    std::fs::write(world.dir.path().join(FILE).join("x"), "x").unwrap();
    let index = Index::open(world.dir.path(), doors()).unwrap();
    let status = index.status();
    assert!(!status.usable && !status.complete, "{status:?}");
}
