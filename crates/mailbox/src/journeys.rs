//! What a person does, over the real store.

use std::time::Duration;

use mail::ids::MailboxId;
use store::contract::{Conflict, Op, SpecialUse, Store as _, StoreError, Target};
use store::flags::{DELETED, FlagEdit, FlagMask, Flags, SEEN};
use store::uids::UidSet;

use crate::error::Error;
use crate::name::MailboxName;
use crate::session::Expunges;
use crate::testing::World;

fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).unwrap()
}

async fn names(person: &crate::Person) -> Vec<String> {
    person
        .tree()
        .await
        .unwrap()
        .entries()
        .iter()
        .map(|entry| entry.name.clone())
        .collect()
}

#[tokio::test]
async fn trees_are_made_renamed_and_deleted() {
    let world = World::new().await;
    let person = world.person().await;
    assert_eq!(names(&person).await, ["INBOX", "Drafts", "Trash"]);
    let created = person
        .create(&name("Work/Old/2020"), Some(SpecialUse::Archive))
        .await
        .unwrap();
    assert!(created.committed().uidvalidity > 0);
    let _ = person.create(&name("inbox/Kids"), None).await.unwrap();
    assert_eq!(
        names(&person).await,
        [
            "INBOX",
            "INBOX/Kids",
            "Drafts",
            "Trash",
            "Work",
            "Work/Old",
            "Work/Old/2020"
        ]
    );
    let exists = person.create(&name("Work"), None).await.map(|_| ());
    assert_eq!(
        exists,
        Err(Error::Store(StoreError::Conflict(Conflict::MailboxExists)))
    );

    let _ = person
        .rename(&name("Work/Old"), &name("Attic/Deep/Old"))
        .await
        .unwrap();
    assert_eq!(
        names(&person).await,
        [
            "INBOX",
            "INBOX/Kids",
            "Attic",
            "Attic/Deep",
            "Attic/Deep/Old",
            "Attic/Deep/Old/2020",
            "Drafts",
            "Trash",
            "Work"
        ]
    );
    let below = person
        .rename(&name("Attic"), &name("Attic/Deep/Attic"))
        .await
        .map(|_| ());
    assert_eq!(
        below,
        Err(Error::Store(StoreError::Conflict(Conflict::NotAllowed)))
    );
    for (target, why) in [
        ("INBOX", Error::Store(StoreError::Conflict(Conflict::NotAllowed))),
        ("Attic", Error::Store(StoreError::Conflict(Conflict::HasChildren))),
        ("Nowhere", Error::NoSuchMailbox),
    ] {
        assert_eq!(person.delete(&name(target)).await.map(|_| ()), Err(why));
    }
    let _ = person.delete(&name("Attic/Deep/Old/2020")).await.unwrap();
    let _ = person.subscribe(&name("Work"), true).await.unwrap();
    let tree = person.tree().await.unwrap();
    assert!(tree.find(&name("Work")).unwrap().row.subscribed);
    assert!(tree.find(&name("Attic/Deep/Old/2020")).is_none());
}

#[tokio::test]
async fn renaming_inbox_moves_its_messages() {
    let world = World::new().await;
    let person = world.person().await;
    world.deliver(&person, Target::Inbox).await;
    let mut opened = person.open(&MailboxName::inbox(), false).await.unwrap();
    assert_eq!(opened.exists(), 1);
    let _ = person.rename(&MailboxName::inbox(), &name("Old")).await.unwrap();
    assert_eq!(opened.updates(Expunges::Tell).expunged, [1]);
    assert_eq!(person.open(&name("Old"), true).await.unwrap().exists(), 1);
}

#[tokio::test]
async fn a_delivery_wakes_the_session() {
    let world = World::new().await;
    let person = world.person().await;
    let mut opened = person.open(&MailboxName::inbox(), false).await.unwrap();
    world.deliver(&person, Target::Inbox).await;
    tokio::time::timeout(Duration::from_secs(60), opened.changed())
        .await
        .expect("a notice comes");
    let updates = opened.updates(Expunges::Hold);
    assert_eq!((updates.exists, updates.recent), (Some(1), 1));
}

#[tokio::test]
async fn recent_is_told_to_one_session_only() {
    let world = World::new().await;
    let person = world.person().await;
    let first = world.deliver(&person, Target::Inbox).await;
    let looking = person.open(&MailboxName::inbox(), true).await.unwrap();
    assert_eq!(looking.recent(), 1, "EXAMINE sees it");
    let one = person.open(&MailboxName::inbox(), false).await.unwrap();
    assert_eq!(one.recent(), 1, "EXAMINE did not take it");
    assert!(one.is_recent(first.uid));
    let mut other = person.open(&MailboxName::inbox(), false).await.unwrap();
    assert_eq!(other.recent(), 0);
    world.deliver(&person, Target::Inbox).await;
    person.refresh(&other).await.unwrap();
    assert_eq!(other.updates(Expunges::Tell).recent, 1);
}

#[tokio::test]
async fn a_deleted_mailbox_is_gone_for_its_sessions() {
    let world = World::new().await;
    let person = world.person().await;
    let mut opened = person.open(&name("Trash"), false).await.unwrap();
    let _ = person.delete(&name("Trash")).await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), opened.changed())
        .await
        .expect("it is woken");
    assert!(opened.updates(Expunges::Tell).gone);
    assert_eq!(
        person.open(&name("Trash"), false).await.map(|_| ()),
        Err(Error::NoSuchMailbox)
    );
}

#[tokio::test]
async fn read_only_changes_nothing() {
    let world = World::new().await;
    let person = world.person().await;
    let placed = world.deliver(&person, Target::Inbox).await;
    let opened = person.open(&MailboxName::inbox(), true).await.unwrap();
    let uids = UidSet::from_uids([placed.uid]);
    let edit = FlagEdit::Add(Flags::bits(SEEN));
    assert_eq!(
        person
            .set_flags(&opened, uids.clone(), edit, None)
            .await
            .map(|_| ()),
        Err(Error::ReadOnly)
    );
    assert_eq!(
        person.expunge(&opened, uids.clone()).await.map(|_| ()),
        Err(Error::ReadOnly)
    );
    let to = opened.place();
    assert_eq!(
        person.move_to(&opened, uids, to).await.map(|_| ()),
        Err(Error::ReadOnly)
    );
}

/// DUR-6: after a restart UIDVALIDITY is the same, UIDNEXT and HIGHESTMODSEQ are not lower, and UIDs are never reused.
#[tokio::test]
async fn dur_6_uids_survive_a_restart() {
    let world = World::new().await;
    let person = world.person().await;
    let inbox = MailboxName::inbox();
    for _ in 0..3 {
        world.deliver(&person, Target::Inbox).await;
    }
    let opened = person.open(&inbox, false).await.unwrap();
    let all = UidSet::from_ranges([(1, u32::MAX)]);
    let deleted = FlagEdit::Add(Flags::bits(DELETED));
    let _ = person
        .set_flags(&opened, UidSet::from_uids([3]), deleted, None)
        .await
        .unwrap();
    let _ = person.expunge(&opened, all).await.unwrap();
    let before = (
        opened.uidvalidity(),
        4,
        person.tree().await.unwrap().find(&inbox).unwrap().row.modseq,
    );
    drop((opened, person));

    let world = world.reopened().await;
    let person = world.person().await;
    let opened = person.open(&inbox, false).await.unwrap();
    assert_eq!(opened.uidvalidity(), before.0);
    assert!(
        opened.uidnext() >= before.1,
        "{} >= {}",
        opened.uidnext(),
        before.1
    );
    assert!(opened.applied_modseq() >= before.2);
    assert_eq!(opened.exists(), 2);
    let placed = world.deliver(&person, Target::Inbox).await;
    assert!(placed.uid >= 4, "UID 3 had another message");
    assert!(placed.modseq > before.2);
}

#[tokio::test]
async fn messages_are_read_in_ranges_and_whole() {
    let world = World::new().await;
    let person = world.person().await;
    let large = [
        b"Subject: large\r\n\r\n".to_vec(),
        b"0123456789abcdef".repeat(200_000),
    ]
    .concat();
    let placed = world.deliver_bytes(&person, Target::Inbox, &large).await;
    let message = person.message(placed.message).await.unwrap();
    let expected = [b"Return-Path: <bob@example.net>\r\n".to_vec(), large].concat();
    assert_eq!(message.size_bytes(), expected.len() as u64);
    assert_eq!(message.whole().await.unwrap().bytes, expected);
    assert_eq!(
        &message.header().await.unwrap()[..],
        &b"Return-Path: <bob@example.net>\r\nSubject: large\r\n\r\n"[..]
    );
    for (offset, length) in [
        (0, 10),
        (30, 10),
        (32, 5),
        (1_000_000, 2_000_000),
        (expected.len() - 3, 10),
        (expected.len(), 1),
    ] {
        let end = expected.len().min(offset + length.min(1024 * 1024));
        let range = message.range(offset as u64, length as u64).await.unwrap();
        assert_eq!(range, expected[offset..end], "{offset}+{length}");
    }
    assert!(person.message(mail::ids::Id::from_raw(1)).await.is_err());
}

/// IMP-5, for this floor: whoever names another's message gets nothing.
#[tokio::test]
async fn imp_5_other_peoples_messages_do_not_exist() {
    let world = World::new().await;
    let person = world.person().await;
    let placed = world.deliver(&person, Target::Inbox).await;
    let stranger = crate::Person {
        account: world.mailboxes.ids.next(),
        ..person.clone()
    };
    assert_eq!(
        stranger.message(placed.message).await.map(|_| ()).unwrap_err(),
        Error::NoSuchMessage
    );
    assert!(stranger.tree().await.unwrap().entries().is_empty());
}

/// A large mailbox is read from two ends; what comes of it is every row once, in order, gaps included.
#[tokio::test]
async fn a_large_mailbox_opens_whole() {
    let world = World::new().await;
    let person = world.person().await;
    for _ in 0..3 {
        world.deliver(&person, Target::Inbox).await;
    }
    let opened = person.open(&MailboxName::inbox(), false).await.unwrap();
    let mailbox = opened.id();
    let everything = UidSet::from_ranges([(1, u32::MAX)]);
    let commit = async |op| {
        let batch = store::contract::Batch::urgent(op);
        drop(world.store.commit(batch).await.unwrap());
    };
    for _ in 0..10 {
        commit(Op::Copy {
            from: mailbox,
            uids: everything.clone(),
            to: mailbox,
            keep: FlagMask::ALL,
        })
        .await;
    }
    let mut left = 3072;
    for gone in [(1500, 1600), (1, 700), (2900, 3072), (1536, 2500)] {
        let mut wanted = Vec::new();
        while let Some(page) = page(&world, mailbox, wanted.last()).await {
            wanted.extend(page);
        }
        assert_eq!(wanted.len(), left);
        let afresh = world.another();
        let opened = afresh.open(&MailboxName::inbox(), true).await.unwrap();
        assert_eq!(opened.exists() as usize, left);
        let rows: Vec<(u32, u64)> = opened
            .snapshot()
            .iter()
            .map(|row| (row.uid, row.modseq))
            .collect();
        assert_eq!(rows, wanted);
        commit(Op::Expunge {
            mailbox,
            uids: UidSet::from_ranges([gone]),
            only_deleted: false,
        })
        .await;
        left = wanted
            .iter()
            .filter(|(uid, _)| !(gone.0..=gone.1).contains(uid))
            .count();
    }
}

/// UID and modseq of the next rows of a mailbox, as the store has them.
async fn page(world: &World, mailbox: MailboxId, last: Option<&(u32, u64)>) -> Option<Vec<(u32, u64)>> {
    let after = last.map_or(0, |(uid, _)| *uid);
    let rows = world.store.placements(mailbox, after).await.unwrap();
    let rows: Vec<(u32, u64)> = rows.iter().map(|row| (row.uid, row.modseq)).collect();
    (!rows.is_empty()).then_some(rows)
}
