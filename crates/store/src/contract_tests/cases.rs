//! The cases. Each gets a fresh store and panics with a sentence when the contract is broken.

use bytes::Bytes;
use mail::ids::{Id, MessageId};
use world::clock::UnixMs;

use super::make::{
    LANE, START_MS, accept, account, alice, blob, body, commit, commit_all, deliver, delivery, mailbox,
    queue_id, read_all, waiting,
};
use crate::contract::{
    AccountRow, Claim, Conflict, GrantRow, METADATA_VALUE_BYTES, NewAccount, Op, OpResult, Outcome,
    PAGE_ROWS, PlacementRow, SpecialUse, Store, StoreError, Target, Together,
};
use crate::flags::{ANSWERED, DELETED, FlagEdit, FlagMask, Flags, SEEN};
use crate::rights::{Grant, Grantee, Rights, RightsChange, Side};
use crate::uids::UidSet;

cases![
    an_acceptance_is_visible_when_it_is_answered,
    a_large_body_reads_back_in_parts,
    messages_read_together_are_as_read_alone,
    one_body_serves_all_recipients,
    a_replayed_acceptance_is_refused,
    a_failing_operation_takes_the_whole_batch_back,
    a_target_that_is_gone_becomes_inbox,
    a_target_by_its_use_is_made_when_it_is_missing,
    counters_follow_every_change,
    flags_respect_unchanged_since,
    rare_keywords_keep_their_names_and_have_a_limit,
    copy_and_move_answer_in_uid_order,
    expunge_leaves_tombstones,
    changes_come_in_pages_that_advance,
    deleted_bytes_are_counted_over_all_pages,
    a_change_of_everything_is_as_one_of_each,
    uids_and_uidvalidity_are_never_reused,
    mailboxes_form_a_tree,
    renaming_inbox_moves_its_messages,
    quota_counts_appends_and_copies,
    each_place_has_its_save_date,
    a_replacement_takes_the_place_of_one_that_is_there,
    metadata_is_kept_bounded_and_goes_with_its_mailbox,
    names_without_a_mailbox_are_subscribed_to,
    rights_are_kept_handed_down_and_go_with_whom_they_name,
    messages_go_to_another_account_whole,
    waiting_recipients_are_claimed_once,
    an_outcome_places_and_removes_together,
    addresses_are_unique_over_accounts_and_aliases,
    domains_in_use_stay,
    a_removed_account_is_gone_with_its_mail,
    notices_follow_commits,
];

fn all() -> UidSet {
    UidSet::from_ranges([(1, u32::MAX)])
}

fn one(uid: u32) -> UidSet {
    UidSet::from_uids([uid])
}

async fn refused(store: &dyn Store, op: Op, wanted: Conflict) {
    let said = commit(store, op.clone()).await;
    assert_eq!(said, Err(StoreError::Conflict(wanted)), "{op:?}");
}

async fn begin(store: &dyn Store) {
    commit(store, alice()).await.expect("an account");
}

async fn an_acceptance_is_visible_when_it_is_answered(store: &dyn Store) {
    begin(store).await;
    let accepted = deliver(store, 1, b"Subject: one\r\n\r\nbody\r\n")
        .await
        .expect("accepted");
    assert_eq!(
        (accepted.queue_id, accepted.waiting, accepted.placed.len()),
        (queue_id(1), 0, 1)
    );
    let rows = store.placements(mailbox(1), 0).await.expect("placements");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].uid, rows[0].message),
        (accepted.placed[0].uid, accepted.placed[0].message)
    );
    let messages = store.messages(vec![rows[0].message]).await.expect("messages");
    assert_eq!(messages[0].blob, blob(1));
    assert_eq!(messages[0].internal_date, UnixMs(START_MS + 1));
    assert!(messages[0].prefix.starts_with(b"Delivered-To"));
    let bytes = read_all(store, blob(1), messages[0].body_bytes)
        .await
        .expect("body");
    assert_eq!(&bytes[..], b"Subject: one\r\n\r\nbody\r\n");
}

async fn a_large_body_reads_back_in_parts(store: &dyn Store) {
    begin(store).await;
    for (n, size) in [
        (1u64, 0usize),
        (2, 65_536),
        (3, 65_537),
        (4, 262_144),
        (5, 300_001),
        (6, 1_500_000),
    ] {
        let bytes: Vec<u8> = (0..size).map(|at| (at * 7 + at / 251) as u8).collect();
        deliver(store, n, &bytes).await.expect("accepted");
        assert_eq!(
            &read_all(store, blob(n), size as u64).await.expect("body")[..],
            &bytes[..],
            "size {size}"
        );
        for (offset, length) in [
            (0usize, 10usize),
            (65_530, 12),
            (size / 2, 70_000),
            (size, 5),
            (size + 9, 5),
        ] {
            let end = (offset + length).min(size);
            let wanted = bytes
                .get(offset.min(size)..end.max(offset.min(size)))
                .expect("a range");
            let part = store
                .read_body(blob(n), offset as u64, length as u64)
                .await
                .expect("a part");
            assert_eq!(&part[..], wanted, "size {size}, offset {offset}");
        }
    }
}

async fn messages_read_together_are_as_read_alone(store: &dyn Store) {
    begin(store).await;
    let mut wanted = Vec::new();
    for (n, size) in [
        (1u64, 700usize),
        (2, 0),
        (3, 65_536),
        (4, 65_537),
        (5, 900),
        (6, 100),
    ] {
        let bytes: Vec<u8> = (0..size).map(|at| (at * 7 + at / 251) as u8).collect();
        let accepted = deliver(store, n, &bytes).await.expect("accepted");
        let id = accepted.placed[0].message;
        let row = store.messages(vec![id]).await.expect("a row").remove(0);
        let whole = [&row.prefix[..], &bytes].concat();
        wanted.push((id, row, Bytes::from(whole)));
    }
    let ids = |order: &[usize]| order.iter().map(|&at| wanted[at].0).collect::<Vec<_>>();
    let ask = |order: &[usize], body_bytes, all_bytes| {
        let mut ids = ids(order);
        ids.insert(1, MessageId::from_raw(7));
        store.read_messages(
            ids,
            Together {
                body_bytes,
                all_bytes,
            },
        )
    };
    // The last comes first, one comes twice, and one is not there.
    let order = [5, 0, 1, 2, 3, 0, 4];
    for (body_bytes, all_bytes, read) in [
        (65_536, u64::MAX, [true, true, true, true, false, true, true]),
        (65_535, u64::MAX, [true, true, true, false, false, true, true]),
        (65_536, 66_336, [true, true, true, true, false, false, false]),
        (65_536, 1000, [true, true, true, false, false, false, false]),
        (0, 0, [false, false, true, false, false, false, false]),
    ] {
        let mut found = ask(&order, body_bytes, all_bytes).await.expect("an answer");
        assert_eq!(found.remove(1), Ok(None), "there is no such message");
        assert_eq!(found.len(), order.len());
        for ((found, at), read) in found.into_iter().zip(order).zip(read) {
            let found = found.expect("a message").expect("it is there");
            let (_, row, octets) = &wanted[at];
            assert_eq!(&found.row, row);
            let octets = read.then(|| octets.clone());
            assert!(
                found.octets == octets,
                "message {at} within {body_bytes}, {all_bytes}"
            );
        }
    }
    let none = store
        .read_messages(
            Vec::new(),
            Together {
                body_bytes: 0,
                all_bytes: 0,
            },
        )
        .await;
    assert_eq!(none, Ok(Vec::new()));
}

async fn one_body_serves_all_recipients(store: &dyn Store) {
    begin(store).await;
    let body = body(store, 1, b"shared").await.expect("a body");
    let mut second = delivery(1, account(1));
    second.targets = vec![
        (Target::Mailbox(mailbox(2)), Flags::bits(SEEN)),
        (Target::Inbox, Flags::default()),
    ];
    let op = accept(
        1,
        body,
        vec![delivery(0, account(1)), second],
        vec![waiting(2, START_MS)],
    );
    let OpResult::Accepted(accepted) = commit(store, op).await.expect("accepted") else {
        panic!("not accepted")
    };
    assert_eq!((accepted.placed.len(), accepted.waiting), (3, 1));
    assert_eq!(
        accepted.placed[1].message, accepted.placed[2].message,
        "one message in two mailboxes"
    );
    assert_ne!(
        accepted.placed[0].message, accepted.placed[1].message,
        "one message per recipient"
    );
    let inbox = store.mailbox(mailbox(1)).await.expect("a read").expect("inbox");
    let archive = store.mailbox(mailbox(2)).await.expect("a read").expect("archive");
    assert_eq!(
        (inbox.messages, inbox.unseen, archive.messages, archive.unseen),
        (2, 2, 1, 0)
    );
}

async fn a_replayed_acceptance_is_refused(store: &dyn Store) {
    begin(store).await;
    let body = body(store, 1, b"once").await.expect("a body");
    let op = accept(1, body.clone(), vec![delivery(0, account(1))], Vec::new());
    commit(store, op.clone()).await.expect("accepted");
    refused(store, op, Conflict::AlreadyDelivered).await;
    let queued = accept(2, body, Vec::new(), vec![waiting(0, START_MS)]);
    commit(store, queued.clone()).await.expect("accepted");
    refused(store, queued, Conflict::AlreadyDelivered).await;
    assert_eq!(
        store.placements(mailbox(1), 0).await.expect("placements").len(),
        1
    );
    assert_eq!(store.waiting(None).await.expect("waiting").len(), 1);
}

async fn a_failing_operation_takes_the_whole_batch_back(store: &dyn Store) {
    begin(store).await;
    deliver(store, 1, b"stays").await.expect("accepted");
    let before = store.mailboxes(account(1)).await.expect("mailboxes");
    let ops = vec![
        Op::SetFlags {
            mailbox: mailbox(1),
            uids: all(),
            edit: FlagEdit::Add(Flags::bits(SEEN)),
            unchanged_since: None,
        },
        Op::Expunge {
            mailbox: mailbox(1),
            uids: all(),
            only_deleted: false,
        },
        Op::CreateMailbox {
            account: account(1),
            mailbox: mailbox(9),
            parent: None,
            name: "New".into(),
            special_use: None,
        },
        Op::DeleteMailbox { mailbox: mailbox(77) },
    ];
    let said = commit_all(store, ops).await;
    assert_eq!(said, Err(StoreError::Conflict(Conflict::NoSuchMailbox)));
    assert_eq!(store.mailboxes(account(1)).await.expect("mailboxes"), before);
    assert_eq!(store.mailbox(mailbox(9)).await.expect("a read"), None);
    let accepted = deliver(store, 2, b"next").await.expect("accepted");
    assert_eq!(accepted.placed[0].uid, 2, "the failed batch used no UID");
}

async fn a_target_that_is_gone_becomes_inbox(store: &dyn Store) {
    begin(store).await;
    commit(store, Op::DeleteMailbox { mailbox: mailbox(2) })
        .await
        .expect("deleted");
    let body = body(store, 1, b"where").await.expect("a body");
    let mut plan = delivery(0, account(1));
    plan.targets = vec![
        (Target::Mailbox(mailbox(2)), Flags::default()),
        (Target::Inbox, Flags::default()),
    ];
    let OpResult::Accepted(accepted) = commit(store, accept(1, body, vec![plan], Vec::new()))
        .await
        .expect("accepted")
    else {
        panic!("not accepted")
    };
    assert_eq!(accepted.placed.len(), 1, "INBOX once, not twice");
    assert_eq!(accepted.placed[0].mailbox, mailbox(1));
}

async fn a_target_by_its_use_is_made_when_it_is_missing(store: &dyn Store) {
    begin(store).await;
    let junk = |n: u64, body| {
        let mut plan = delivery(0, account(1));
        plan.targets = vec![(Target::Special(SpecialUse::Junk), Flags::default())];
        accept(n, body, vec![plan], Vec::new())
    };
    let mut went = Vec::new();
    for n in 1..=2 {
        let body = body(store, n, b"junk").await.expect("a body");
        let OpResult::Accepted(accepted) = commit(store, junk(n, body)).await.expect("accepted") else {
            panic!("not accepted")
        };
        went.push(accepted.placed[0].mailbox);
    }
    assert_eq!(went[0], went[1], "made once");
    let made = store.mailbox(went[0]).await.expect("a read").expect("a row");
    assert_eq!(
        (&made.name[..], made.special_use, made.messages),
        ("Junk", Some(SpecialUse::Junk), 2)
    );

    // Renamed it stays what it is; without the use, the name counts.
    commit(
        store,
        Op::RenameMailbox {
            mailbox: went[0],
            parent: None,
            name: "Spam".to_owned(),
        },
    )
    .await
    .expect("renamed");
    let body = body(store, 3, b"junk").await.expect("a body");
    let OpResult::Accepted(accepted) = commit(store, junk(3, body)).await.expect("accepted") else {
        panic!("not accepted")
    };
    assert_eq!(accepted.placed[0].mailbox, went[0]);
}

async fn counters_follow_every_change(store: &dyn Store) {
    begin(store).await;
    for n in 1..=4 {
        deliver(store, n, b"12345").await.expect("accepted");
    }
    let set = |uids, bits| Op::SetFlags {
        mailbox: mailbox(1),
        uids,
        edit: FlagEdit::Add(Flags::bits(bits)),
        unchanged_since: None,
    };
    commit(store, set(UidSet::from_ranges([(1, 2)]), SEEN))
        .await
        .expect("flags");
    commit(store, set(UidSet::from_ranges([(2, 3)]), DELETED))
        .await
        .expect("flags");
    let row = store.mailbox(mailbox(1)).await.expect("a read").expect("inbox");
    assert_eq!((row.messages, row.unseen, row.deleted, row.uidnext), (4, 2, 2, 5));
    let OpResult::Expunged { uids, .. } = commit(
        store,
        Op::Expunge {
            mailbox: mailbox(1),
            uids: all(),
            only_deleted: true,
        },
    )
    .await
    .expect("expunged") else {
        panic!("not expunged")
    };
    assert_eq!(uids, UidSet::from_ranges([(2, 3)]));
    let row = store.mailbox(mailbox(1)).await.expect("a read").expect("inbox");
    assert_eq!((row.messages, row.unseen, row.deleted, row.uidnext), (2, 1, 0, 5));
    let used = store.accounts(None).await.expect("accounts")[0].used_bytes;
    assert_eq!(used, row.size_bytes);
}

async fn flags_respect_unchanged_since(store: &dyn Store) {
    begin(store).await;
    deliver(store, 1, b"a").await.expect("accepted");
    deliver(store, 2, b"b").await.expect("accepted");
    let rows = store.placements(mailbox(1), 0).await.expect("placements");
    let op = Op::SetFlags {
        mailbox: mailbox(1),
        uids: all(),
        edit: FlagEdit::Replace(Flags::bits(SEEN)),
        unchanged_since: Some(rows[0].modseq),
    };
    let OpResult::FlagsSet {
        before,
        changed,
        modified,
        modseq,
    } = commit(store, op).await.expect("flags")
    else {
        panic!("not set")
    };
    assert_eq!(changed.len(), 1);
    assert_eq!((changed[0].uid, changed[0].modseq), (1, modseq));
    assert_eq!(modified, one(2));
    assert_eq!(before, rows[1].modseq, "what the mailbox had reached");
    let again = Op::SetFlags {
        mailbox: mailbox(1),
        uids: one(1),
        edit: FlagEdit::Add(Flags::bits(SEEN)),
        unchanged_since: None,
    };
    let OpResult::FlagsSet {
        changed,
        modseq: same,
        ..
    } = commit(store, again).await.expect("flags")
    else {
        panic!("not set")
    };
    assert!(changed.is_empty(), "what does not change gets no new modseq");
    assert_eq!(same, modseq);
}

async fn rare_keywords_keep_their_names_and_have_a_limit(store: &dyn Store) {
    begin(store).await;
    deliver(store, 1, b"a").await.expect("accepted");
    let mut flags = Flags::bits(SEEN);
    flags.add_keyword("$Junk");
    flags.add_keyword("Zebra");
    flags.add_keyword("apple");
    let set = |flags: Flags| Op::SetFlags {
        mailbox: mailbox(1),
        uids: one(1),
        edit: FlagEdit::Replace(flags),
        unchanged_since: None,
    };
    commit(store, set(flags.clone())).await.expect("flags");
    assert_eq!(
        store.placements(mailbox(1), 0).await.expect("placements")[0].flags,
        flags
    );
    let mut names = store.keywords(mailbox(1)).await.expect("keywords");
    names.sort();
    assert_eq!(names, ["Zebra", "apple"], "common keywords have a bit instead");
    commit(
        store,
        Op::Copy {
            from: mailbox(1),
            uids: one(1),
            to: mailbox(2),
            keep: FlagMask::ALL,
        },
    )
    .await
    .expect("copied");
    assert_eq!(
        store.placements(mailbox(2), 0).await.expect("placements")[0].flags,
        flags
    );
    let mut many = Flags::default();
    (0..101).for_each(|n| many.add_keyword(&format!("k{n:03}")));
    refused(store, set(many.clone()), Conflict::TooManyKeywords).await;
    let body = body(store, 2, b"mail").await.expect("a body");
    let mut plan = delivery(0, account(1));
    plan.targets = vec![(Target::Inbox, many)];
    commit(store, accept(2, body, vec![plan], Vec::new()))
        .await
        .expect("mail is never refused for a keyword");
}

async fn a_replacement_takes_the_place_of_one_that_is_there(store: &dyn Store) {
    begin(store).await;
    let old = deliver(store, 1, b"the first draft").await.expect("accepted");
    let replace = |body, uid, from, to| Op::Replace {
        account: account(1),
        from,
        uid,
        mailbox: to,
        body,
        flags: Flags::bits(SEEN),
        internal_date: UnixMs(START_MS),
    };
    let quota = Op::SetAccount {
        account: account(1),
        credential: None,
        quota_bytes: Some(old_size(store).await + 1),
        enabled: None,
        settings: None,
    };
    commit(store, quota)
        .await
        .expect("a quota that has no room for both");
    let draft = body(store, 2, b"the second draft").await.expect("a body");
    let said = commit(store, replace(draft, 1, mailbox(1), mailbox(2)))
        .await
        .expect("replaced");
    assert!(matches!(said, OpResult::Appended(placed) if placed.mailbox == mailbox(2) && placed.uid == 1));
    assert_eq!(store.placements(mailbox(1), 0).await, Ok(Vec::new()));
    let since = store
        .changes_since(mailbox(1), old.placed[0].modseq)
        .await
        .expect("changes");
    assert!(since.vanished.contains(1));
    let draft = body(store, 3, b"the third draft").await.expect("a body");
    refused(
        store,
        replace(draft, 1, mailbox(1), mailbox(1)),
        Conflict::NoSuchMessage,
    )
    .await;
    let kept = store.placements(mailbox(2), 0).await.expect("placements");
    assert_eq!(kept.len(), 1, "nothing was added for a message that is gone");
    let draft = body(store, 4, &[b'x'; 9000]).await.expect("a body");
    refused(
        store,
        replace(draft, 1, mailbox(2), mailbox(2)),
        Conflict::OverQuota,
    )
    .await;
    assert_eq!(
        store.placements(mailbox(2), 0).await,
        Ok(kept),
        "what was to be replaced is there"
    );
}

async fn old_size(store: &dyn Store) -> u64 {
    store.accounts(None).await.expect("accounts")[0].used_bytes
}

async fn each_place_has_its_save_date(store: &dyn Store) {
    begin(store).await;
    deliver(store, 1, b"one").await.expect("accepted");
    deliver(store, 2, b"two").await.expect("accepted");
    let (from, uids, to) = (mailbox(1), one(2), mailbox(2));
    commit(
        store,
        Op::Copy {
            from,
            uids,
            to,
            keep: FlagMask::ALL,
        },
    )
    .await
    .expect("copied");
    let dates = store.save_dates(mailbox(1), all()).await.expect("dates");
    assert_eq!(dates.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [1, 2]);
    let copied = store.save_dates(mailbox(2), all()).await.expect("dates");
    assert!(copied[0].1 >= dates[1].1, "a copy is saved when it is made");
    assert_eq!(store.save_dates(mailbox(1), one(2)).await, Ok(vec![dates[1]]));
    assert_eq!(store.save_dates(mailbox(9), all()).await, Ok(Vec::new()));
}

async fn metadata_is_kept_bounded_and_goes_with_its_mailbox(store: &dyn Store) {
    begin(store).await;
    let set = |mailbox, entry: &str, value: Option<&[u8]>| Op::SetMetadata {
        account: account(1),
        mailbox,
        entries: vec![(entry.to_owned(), value.map(Bytes::copy_from_slice))],
    };
    let own = set(None, "/private/comment", Some(b"mine"));
    let of_archive = set(Some(mailbox(2)), "/private/comment", Some(b"old \0 mail"));
    commit_all(store, vec![own, of_archive]).await.expect("set");
    let rows = store.metadata(account(1)).await.expect("metadata");
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.mailbox, row.entry.as_str(), &row.value[..]))
        .collect();
    let (mine, old) = ((None, "/private/comment", &b"mine"[..]), &b"old \0 mail"[..]);
    assert_eq!(told, [mine, (Some(mailbox(2)), "/private/comment", old)]);
    let large = vec![b'x'; METADATA_VALUE_BYTES + 1];
    refused(
        store,
        set(None, "/private/x", Some(&large)),
        Conflict::MetadataTooLarge,
    )
    .await;
    refused(
        store,
        set(Some(mailbox(9)), "/private/x", None),
        Conflict::NoSuchMailbox,
    )
    .await;
    commit(store, set(None, "/private/comment", None))
        .await
        .expect("removed");
    let mailbox = mailbox(2);
    commit(store, Op::DeleteMailbox { mailbox })
        .await
        .expect("deleted");
    assert_eq!(store.metadata(account(1)).await, Ok(Vec::new()));
}

async fn names_without_a_mailbox_are_subscribed_to(store: &dyn Store) {
    begin(store).await;
    let set = |name: &str, subscribed| Op::SetSubscribedName {
        account: account(1),
        name: name.to_owned(),
        subscribed,
    };
    for name in ["b", "a/c", "b"] {
        commit(store, set(name, true)).await.expect("subscribed");
    }
    assert_eq!(
        store.subscribed_names(account(1)).await,
        Ok(vec!["a/c".to_owned(), "b".to_owned()])
    );
    commit(store, set("a/c", false)).await.expect("unsubscribed");
    commit(store, set("never", false)).await.expect("nothing to do");
    refused(store, set("", true), Conflict::NotAllowed).await;
    assert_eq!(store.subscribed_names(account(1)).await, Ok(vec!["b".to_owned()]));
}

/// Account 2 with INBOX (mailbox 5).
async fn begin_two(store: &dyn Store) {
    begin(store).await;
    let account = NewAccount {
        id: account(2),
        address: "bob@example.test".to_owned(),
        credential: None,
        quota_bytes: 0,
        settings: "{}".to_owned(),
        inbox: mailbox(5),
        mailboxes: Vec::new(),
    };
    commit(store, Op::CreateAccount { account })
        .await
        .expect("an account");
}

async fn rights_are_kept_handed_down_and_go_with_whom_they_name(store: &dyn Store) {
    begin_two(store).await;
    let rights = |letters| Rights::parse(letters).expect("rights");
    let of_bob = Grantee::Account(account(2));
    let change = |who, side, change| Op::ChangeGrant {
        mailbox: mailbox(2),
        who,
        side,
        change,
    };
    let grant = |given, taken| Grant {
        given: rights(given),
        taken: rights(taken),
    };
    let row = |at, who, grant| GrantRow {
        mailbox: mailbox(at),
        owner: account(1),
        who,
        grant,
    };
    let (given, taken) = (Side::Given, Side::Taken);
    commit(store, change(of_bob, given, RightsChange::Set(rights("lr"))))
        .await
        .expect("set");
    commit(store, change(of_bob, given, RightsChange::Add(rights("s"))))
        .await
        .expect("added");
    commit(
        store,
        change(Grantee::Anyone, taken, RightsChange::Add(rights("r"))),
    )
    .await
    .expect("taken");
    let anyone = row(2, Grantee::Anyone, grant("", "r"));
    let bob = row(2, of_bob, grant("lrs", ""));
    assert_eq!(store.grants(mailbox(2)).await, Ok(vec![anyone, bob]));
    assert_eq!(store.grants_to(account(2)).await, Ok(vec![anyone, bob]));
    assert_eq!(store.grants_to(account(1)).await, Ok(Vec::new()));
    assert_eq!(store.grants_of(account(1), None).await, Ok(vec![anyone, bob]));
    assert_eq!(
        store.grants_of(account(1), Some(mailbox(2))).await,
        Ok(Vec::new())
    );

    let create = |at, parent| Op::CreateMailbox {
        account: account(1),
        mailbox: mailbox(at),
        parent: Some(mailbox(parent)),
        name: "below".to_owned(),
        special_use: None,
    };
    commit(store, create(10, 2)).await.expect("created");
    let handed = vec![
        row(10, Grantee::Anyone, grant("", "r")),
        row(10, of_bob, grant("lrs", "")),
    ];
    assert_eq!(store.grants(mailbox(10)).await, Ok(handed));
    refused(
        store,
        change(Grantee::Account(account(1)), given, RightsChange::Set(rights(""))),
        Conflict::NotAllowed,
    )
    .await;
    refused(
        store,
        change(
            Grantee::Account(account(9)),
            given,
            RightsChange::Set(rights("l")),
        ),
        Conflict::NoSuchAccount,
    )
    .await;
    assert_eq!(
        store.grants(mailbox(9)).await,
        Err(StoreError::Conflict(Conflict::NoSuchMailbox))
    );
    commit(store, Op::DeleteMailbox { mailbox: mailbox(10) })
        .await
        .expect("deleted");
    commit(store, create(10, 1)).await.expect("created again");
    assert_eq!(store.grants(mailbox(10)).await, Ok(Vec::new()));

    let note = Op::SetMetadata {
        account: account(2),
        mailbox: Some(mailbox(2)),
        entries: vec![("/private/comment".to_owned(), Some(Bytes::from_static(b"hers")))],
    };
    commit(store, note).await.expect("a note on another's mailbox");
    assert_eq!(store.metadata(account(2)).await.map(|rows| rows.len()), Ok(1));
    commit(store, change(of_bob, given, RightsChange::Set(rights(""))))
        .await
        .expect("removed");
    assert_eq!(store.grants(mailbox(2)).await, Ok(vec![anyone]));
    commit(store, change(of_bob, given, RightsChange::Set(rights("l"))))
        .await
        .expect("set again");
    let account = account(2);
    commit(store, Op::RemoveAccount { account })
        .await
        .expect("removed");
    assert_eq!(store.grants(mailbox(2)).await, Ok(vec![anyone]));
    assert_eq!(store.metadata(account).await, Ok(Vec::new()));
}

async fn messages_go_to_another_account_whole(store: &dyn Store) {
    begin_two(store).await;
    for n in 1..=3 {
        deliver(store, n, b"x").await.expect("accepted");
    }
    let flags = Op::SetFlags {
        mailbox: mailbox(1),
        uids: all(),
        edit: FlagEdit::Add(Flags::bits(SEEN | DELETED)),
        unchanged_since: None,
    };
    commit(store, flags).await.expect("flags");
    let keep = FlagMask {
        bits: SEEN,
        keywords: false,
    };
    let (from, to) = (mailbox(1), mailbox(5));
    let uids = UidSet::from_ranges([(1, 2)]);
    let copy = Op::Copy { from, uids, to, keep };
    commit(store, copy).await.expect("copied");
    let moved = Op::Move {
        from,
        uids: one(3),
        to,
        keep: FlagMask::ALL,
    };
    let result = commit(store, moved).await.expect("moved");
    let OpResult::Moved { pairs, .. } = result else {
        panic!("{result:?}");
    };
    assert_eq!(pairs, [(3, 3)]);
    let rows = store.placements(to, 0).await.expect("placements");
    let bits: Vec<u32> = rows.iter().map(|row| row.flags.bits).collect();
    assert_eq!(bits, [SEEN, SEEN, SEEN | DELETED]);
    let messages = store.messages(rows.iter().map(|row| row.message).collect());
    for message in messages.await.expect("messages") {
        assert_eq!(message.account, account(2));
        let text = read_all(store, message.blob, message.body_bytes)
            .await
            .expect("read");
        assert_eq!(&text[..], b"x");
    }
    let left = store.placements(from, 0).await.expect("placements");
    assert_eq!(left.iter().map(|row| row.uid).collect::<Vec<_>>(), [1, 2]);
    let used = |row: Option<AccountRow>| row.map_or(0, |row| row.used_bytes);
    let sum: u64 = rows.iter().map(|row| row.size_bytes).sum();
    assert_eq!(store.account(account(2)).await.map(used), Ok(sum));
    let quota = Op::SetAccount {
        account: account(2),
        credential: None,
        quota_bytes: Some(sum),
        enabled: None,
        settings: None,
    };
    commit(store, quota).await.expect("a limit");
    let copy = Op::Copy {
        from,
        uids: one(1),
        to,
        keep: FlagMask::ALL,
    };
    refused(store, copy, Conflict::OverQuota).await;
    let moved = Op::Move {
        from,
        uids: one(1),
        to,
        keep: FlagMask::ALL,
    };
    refused(store, moved, Conflict::OverQuota).await;
}

async fn copy_and_move_answer_in_uid_order(store: &dyn Store) {
    begin(store).await;
    for n in 1..=5 {
        deliver(store, n, b"x").await.expect("accepted");
    }
    let some = UidSet::from_ranges([(4, 9), (1, 2)]);
    let OpResult::Copied { pairs, uidvalidity } = commit(
        store,
        Op::Copy {
            from: mailbox(1),
            uids: some,
            to: mailbox(2),
            keep: FlagMask::ALL,
        },
    )
    .await
    .expect("copied") else {
        panic!("not copied")
    };
    assert_eq!(pairs, [(1, 1), (2, 2), (4, 3), (5, 4)]);
    let archive = store.mailbox(mailbox(2)).await.expect("a read").expect("archive");
    assert_eq!((archive.uidvalidity, archive.messages), (uidvalidity, 4));
    let OpResult::Moved { pairs, modseq, .. } = commit(
        store,
        Op::Move {
            from: mailbox(1),
            uids: UidSet::from_ranges([(2, 3)]),
            to: mailbox(2),
            keep: FlagMask::ALL,
        },
    )
    .await
    .expect("moved") else {
        panic!("not moved")
    };
    assert_eq!(pairs, [(2, 5), (3, 6)]);
    let inbox = store.mailbox(mailbox(1)).await.expect("a read").expect("inbox");
    assert_eq!((inbox.messages, inbox.modseq), (3, modseq));
    let same = commit(
        store,
        Op::Move {
            from: mailbox(1),
            uids: one(1),
            to: mailbox(1),
            keep: FlagMask::ALL,
        },
    )
    .await
    .expect("moved");
    assert!(
        matches!(same, OpResult::Moved { pairs, .. } if pairs == [(1, 6)]),
        "a move within a mailbox gives a new UID"
    );
    refused(
        store,
        Op::Copy {
            from: mailbox(1),
            uids: all(),
            to: mailbox(50),
            keep: FlagMask::ALL,
        },
        Conflict::NoSuchMailbox,
    )
    .await;
}

async fn expunge_leaves_tombstones(store: &dyn Store) {
    begin(store).await;
    for n in 1..=5 {
        deliver(store, n, b"x").await.expect("accepted");
    }
    let before = store
        .mailbox(mailbox(1))
        .await
        .expect("a read")
        .expect("inbox")
        .modseq;
    let odd = UidSet::from_uids([1, 3, 5]);
    commit(
        store,
        Op::Expunge {
            mailbox: mailbox(1),
            uids: odd.clone(),
            only_deleted: false,
        },
    )
    .await
    .expect("expunged");
    let changes = store.changes_since(mailbox(1), before).await.expect("changes");
    assert_eq!(changes.vanished, odd);
    assert!(changes.rows.is_empty() && !changes.too_old);
    assert_eq!(changes.upto, changes.highest);
    assert!(changes.highest > before);
    let none = store
        .changes_since(mailbox(1), changes.upto)
        .await
        .expect("changes");
    assert!(none.rows.is_empty() && none.vanished.is_empty());
}

async fn changes_come_in_pages_that_advance(store: &dyn Store) {
    begin(store).await;
    for n in 1..=40 {
        let body = body(store, n, b"x").await.expect("a body");
        let many = (0..10).map(|recipient| delivery(recipient, account(1))).collect();
        commit(store, accept(n, body, many, Vec::new()))
            .await
            .expect("accepted");
    }
    let edit = FlagEdit::Add(Flags::bits(SEEN));
    let op = Op::SetFlags {
        mailbox: mailbox(1),
        uids: all(),
        edit,
        unchanged_since: None,
    };
    commit(store, op).await.expect("flags");
    let (mut from, mut seen, mut pages) = (0, Vec::new(), 0);
    loop {
        let changes = store.changes_since(mailbox(1), from).await.expect("changes");
        assert!(changes.rows.len() <= PAGE_ROWS);
        assert!(changes.upto > from, "every page advances");
        assert!(
            changes
                .rows
                .windows(2)
                .all(|pair| pair[0].modseq <= pair[1].modseq)
        );
        seen.extend(changes.rows.iter().map(|row| row.uid));
        (from, pages) = (changes.upto, pages + 1);
        if changes.upto == changes.highest {
            break;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=400).collect::<Vec<u32>>());
    assert!(pages >= 2);
    let first = store.placements(mailbox(1), 0).await.expect("placements");
    let second = store
        .placements(mailbox(1), first[PAGE_ROWS - 1].uid)
        .await
        .expect("placements");
    assert_eq!((first.len(), second.len()), (PAGE_ROWS, 400 - PAGE_ROWS));
}

async fn deleted_bytes_are_counted_over_all_pages(store: &dyn Store) {
    begin(store).await;
    assert_eq!(store.deleted_bytes(mailbox(1)).await, Ok(0));
    for n in 1..=60 {
        let body = body(store, n, &vec![b'x'; n as usize]).await.expect("a body");
        let many = (0..10).map(|recipient| delivery(recipient, account(1))).collect();
        commit(store, accept(n, body, many, Vec::new()))
            .await
            .expect("accepted");
    }
    let mut rows = store.placements(mailbox(1), 0).await.expect("placements");
    while let more @ [_, ..] = store
        .placements(mailbox(1), rows[rows.len() - 1].uid)
        .await
        .expect("placements")
        .as_slice()
    {
        rows.extend_from_slice(more);
    }
    let page = PAGE_ROWS as u32;
    // The last of a page, the first of the next, some in the middle, the very last.
    for uids in [
        vec![page, page + 1],
        vec![1, 2 * page, 2 * page + 1, 599],
        vec![600],
    ] {
        let op = Op::SetFlags {
            mailbox: mailbox(1),
            uids: UidSet::from_uids(uids.iter().copied()),
            edit: FlagEdit::Replace(Flags::bits(DELETED)),
            unchanged_since: None,
        };
        commit(store, op).await.expect("flags");
    }
    let deleted = [1, page, page + 1, 2 * page, 2 * page + 1, 599, 600];
    let wanted = rows.iter().filter(|row| deleted.contains(&row.uid));
    let wanted: u64 = wanted.map(|row| row.size_bytes).sum();
    assert_eq!(store.deleted_bytes(mailbox(1)).await, Ok(wanted));
    assert_eq!(store.deleted_bytes(mailbox(2)).await, Ok(0));
}

async fn a_change_of_everything_is_as_one_of_each(store: &dyn Store) {
    begin(store).await;
    for n in 1..=60 {
        let body = body(store, n, b"x").await.expect("a body");
        let many = (0..10).map(|recipient| delivery(recipient, account(1))).collect();
        commit(store, accept(n, body, many, Vec::new()))
            .await
            .expect("accepted");
    }
    let set = async |uids: UidSet, edit, unchanged_since| {
        let op = Op::SetFlags {
            mailbox: mailbox(1),
            uids,
            edit,
            unchanged_since,
        };
        match commit(store, op).await.expect("flags") {
            OpResult::FlagsSet {
                changed, modified, ..
            } => (changed, modified),
            other => panic!("{other:?}"),
        }
    };
    let every = |step: usize| UidSet::from_uids((1..=600).step_by(step));
    let mut rare = Flags::default();
    rare.add_keyword("Rare");
    set(every(3), FlagEdit::Add(Flags::bits(SEEN)), None).await;
    set(every(7), FlagEdit::Add(rare.clone()), None).await;
    let rows = all_rows(store).await;
    let reached = rows.iter().map(|row| row.modseq).max().expect("rows");
    set(every(100), FlagEdit::Add(Flags::bits(DELETED)), None).await;
    let before = all_rows(store).await;
    rare.bits = SEEN | ANSWERED;
    for (edit, since) in [
        (FlagEdit::Add(Flags::bits(SEEN | DELETED)), Some(reached)),
        (FlagEdit::Remove(Flags::bits(SEEN)), None),
        (FlagEdit::Replace(rare.clone()), None),
        (FlagEdit::Remove(rare), None),
    ] {
        let before = all_rows(store).await;
        let (changed, modified) = set(all(), edit.clone(), since).await;
        let left = |uid| modified.contains(uid);
        let wanted: Vec<(u32, Flags)> = before
            .iter()
            .map(|row| match left(row.uid) {
                true => (row.uid, row.flags.clone()),
                false => (row.uid, row.flags.edited(&edit)),
            })
            .collect();
        let after = all_rows(store).await;
        let told: Vec<(u32, Flags)> = after.iter().map(|row| (row.uid, row.flags.clone())).collect();
        assert_eq!(told, wanted, "{edit:?}");
        for (one, next) in before.iter().zip(&after) {
            let row = changed.iter().find(|row| row.uid == next.uid);
            assert_eq!(one.flags != next.flags, row.is_some(), "{edit:?} of {}", one.uid);
            let (flags, modseq) = row.map_or((&one.flags, one.modseq), |row| (&row.flags, row.modseq));
            assert_eq!(
                (flags, modseq),
                (&next.flags, next.modseq),
                "{edit:?} of {}",
                one.uid
            );
        }
    }
    let late: Vec<u32> = before
        .iter()
        .filter(|row| row.modseq > reached)
        .map(|row| row.uid)
        .collect();
    assert_eq!(late, [1, 101, 201, 301, 401, 501]);
}

/// Of the first mailbox.
async fn all_rows(store: &dyn Store) -> Vec<PlacementRow> {
    let mut rows: Vec<PlacementRow> = Vec::new();
    loop {
        let after = rows.last().map_or(0, |row| row.uid);
        let page = store.placements(mailbox(1), after).await.expect("placements");
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

async fn uids_and_uidvalidity_are_never_reused(store: &dyn Store) {
    begin(store).await;
    deliver(store, 1, b"x").await.expect("accepted");
    commit(
        store,
        Op::Expunge {
            mailbox: mailbox(1),
            uids: all(),
            only_deleted: false,
        },
    )
    .await
    .expect("expunged");
    assert_eq!(deliver(store, 2, b"y").await.expect("accepted").placed[0].uid, 2);
    let mut seen = vec![];
    for n in 10..14 {
        let op = Op::CreateMailbox {
            account: account(1),
            mailbox: mailbox(n),
            parent: None,
            name: "T".into(),
            special_use: None,
        };
        let OpResult::MailboxCreated { uidvalidity } = commit(store, op).await.expect("created") else {
            panic!("not created")
        };
        assert!(!seen.contains(&uidvalidity));
        seen.push(uidvalidity);
        commit(store, Op::DeleteMailbox { mailbox: mailbox(n) })
            .await
            .expect("deleted");
    }
}

async fn mailboxes_form_a_tree(store: &dyn Store) {
    begin(store).await;
    let create = |n, parent, name: &str| Op::CreateMailbox {
        account: account(1),
        mailbox: mailbox(n),
        parent,
        name: name.to_owned(),
        special_use: None,
    };
    commit(store, create(10, None, "Work")).await.expect("created");
    commit(store, create(11, Some(mailbox(10)), "2026"))
        .await
        .expect("created");
    commit(store, create(12, Some(mailbox(11)), "May"))
        .await
        .expect("created");
    refused(store, create(13, None, "Work"), Conflict::MailboxExists).await;
    refused(store, create(13, None, "inbox"), Conflict::MailboxExists).await;
    refused(store, create(13, None, ""), Conflict::NotAllowed).await;
    refused(store, create(13, None, &"x".repeat(256)), Conflict::NotAllowed).await;
    refused(store, create(13, Some(mailbox(99)), "x"), Conflict::NoSuchMailbox).await;
    refused(
        store,
        Op::DeleteMailbox { mailbox: mailbox(10) },
        Conflict::HasChildren,
    )
    .await;
    refused(
        store,
        Op::DeleteMailbox { mailbox: mailbox(1) },
        Conflict::NotAllowed,
    )
    .await;
    let rename = |n, parent, name: &str| Op::RenameMailbox {
        mailbox: mailbox(n),
        parent,
        name: name.to_owned(),
    };
    refused(store, rename(10, Some(mailbox(12)), "loop"), Conflict::NotAllowed).await;
    refused(store, rename(1, None, "x"), Conflict::NotAllowed).await;
    refused(store, rename(12, None, "Archive"), Conflict::MailboxExists).await;
    commit(store, rename(11, None, "Year")).await.expect("renamed");
    commit(store, rename(11, None, "Year"))
        .await
        .expect("its own name is free for it");
    let moved = store
        .mailbox(mailbox(11))
        .await
        .expect("a read")
        .expect("the mailbox");
    assert_eq!((moved.parent, moved.name.as_str()), (None, "Year"));
    let below = store
        .mailbox(mailbox(12))
        .await
        .expect("a read")
        .expect("the mailbox");
    assert_eq!(below.parent, Some(mailbox(11)), "the tree below follows");
    commit(
        store,
        Op::SetSubscribed {
            mailbox: mailbox(12),
            subscribed: false,
        },
    )
    .await
    .expect("unsubscribed");
    assert!(
        !store
            .mailbox(mailbox(12))
            .await
            .expect("a read")
            .expect("the mailbox")
            .subscribed
    );
    commit(store, Op::DeleteMailbox { mailbox: mailbox(12) })
        .await
        .expect("deleted");
    refused(
        store,
        Op::DeleteMailbox { mailbox: mailbox(12) },
        Conflict::NoSuchMailbox,
    )
    .await;
}

async fn renaming_inbox_moves_its_messages(store: &dyn Store) {
    begin(store).await;
    deliver(store, 1, b"x").await.expect("accepted");
    deliver(store, 2, b"y").await.expect("accepted");
    let op = Op::RenameInbox {
        account: account(1),
        mailbox: mailbox(20),
        parent: None,
        name: "Old".into(),
    };
    commit(store, op).await.expect("renamed");
    let inbox = store.mailbox(mailbox(1)).await.expect("a read").expect("inbox");
    let old = store.mailbox(mailbox(20)).await.expect("a read").expect("old");
    assert_eq!((inbox.messages, inbox.uidnext, old.messages), (0, 3, 2));
}

async fn quota_counts_appends_and_copies(store: &dyn Store) {
    begin(store).await;
    let quota = |bytes| Op::SetAccount {
        account: account(1),
        credential: None,
        quota_bytes: Some(bytes),
        enabled: None,
        settings: None,
    };
    commit(store, quota(100)).await.expect("set");
    let append = |body| Op::Append {
        account: account(1),
        mailbox: mailbox(2),
        body,
        flags: Flags::default(),
        internal_date: UnixMs(5),
    };
    let first = body(store, 1, &[b'x'; 60]).await.expect("a body");
    commit(store, append(first)).await.expect("appended");
    let second = body(store, 2, &[b'x'; 41]).await.expect("a body");
    refused(store, append(second), Conflict::OverQuota).await;
    refused(
        store,
        Op::Copy {
            from: mailbox(2),
            uids: all(),
            to: mailbox(1),
            keep: FlagMask::ALL,
        },
        Conflict::OverQuota,
    )
    .await;
    deliver(store, 3, &[b'x'; 500])
        .await
        .expect("accepted mail is never refused for quota");
    commit(
        store,
        Op::Move {
            from: mailbox(2),
            uids: all(),
            to: mailbox(1),
            keep: FlagMask::ALL,
        },
    )
    .await
    .expect("a move needs no room");
    let third = body(store, 4, b"x").await.expect("a body");
    let foreign = Op::Append {
        account: account(9),
        mailbox: mailbox(2),
        body: third,
        flags: Flags::default(),
        internal_date: UnixMs(5),
    };
    refused(store, foreign, Conflict::NoSuchMailbox).await;
}

async fn waiting_recipients_are_claimed_once(store: &dyn Store) {
    begin(store).await;
    let body = body(store, 1, b"queued").await.expect("a body");
    let rows = vec![
        waiting(0, START_MS + 10),
        waiting(1, START_MS + 5),
        waiting(2, START_MS + 1000),
    ];
    commit(store, accept(1, body, Vec::new(), rows))
        .await
        .expect("accepted");
    assert_eq!(
        store.lane_due(LANE).await.expect("next"),
        Some(UnixMs(START_MS + 5))
    );
    let now = UnixMs(START_MS + 20);
    let claimed = store.claim_lane(LANE, now, 1).await.expect("claims");
    assert_eq!(
        (claimed.len(), claimed[0].0.recipient),
        (1, 1),
        "the earliest first"
    );
    let rest = store.claim_lane(LANE, now, 10).await.expect("claims");
    assert_eq!((rest.len(), rest[0].0.recipient), (1, 0));
    assert!(store.claim_lane(LANE, now, 10).await.expect("claims").is_empty());
    assert_eq!(
        store.lane_due(LANE).await.expect("next"),
        Some(UnixMs(START_MS + 1000))
    );
    store.release(rest[0].0);
    let again = store.claim_lane(LANE, now, 10).await.expect("claims");
    assert!(
        again[0].0.token > rest[0].0.token,
        "a later claim has a larger token"
    );
    let lost = |claim: Claim| Op::RecordOutcome {
        claim,
        outcome: Outcome::DeliveredElsewhere,
        prior_attempts: 0,
        attempt: None,
    };
    refused(store, lost(rest[0].0), Conflict::ClaimLost).await;
    let due = UnixMs(START_MS + 60_000);
    let retry = Outcome::Retry {
        due,
        deadline: UnixMs(START_MS + 90_000),
        reason: "later".to_owned(),
    };
    commit(
        store,
        Op::RecordOutcome {
            claim: again[0].0,
            outcome: retry,
            prior_attempts: 2,
            attempt: None,
        },
    )
    .await
    .expect("recorded");
    refused(store, lost(again[0].0), Conflict::ClaimLost).await;
    let rows = store.waiting(None).await.expect("waiting");
    assert_eq!(
        (rows[0].attempts, rows[0].due, rows[0].reason.as_str()),
        (3, due, "later")
    );
    assert_eq!(
        store
            .waiting(Some((queue_id(1), 0)))
            .await
            .expect("waiting")
            .len(),
        2
    );
}

async fn an_outcome_places_and_removes_together(store: &dyn Store) {
    begin(store).await;
    let body = body(store, 1, b"later").await.expect("a body");
    commit(
        store,
        accept(
            1,
            body,
            Vec::new(),
            vec![waiting(0, START_MS), waiting(1, START_MS)],
        ),
    )
    .await
    .expect("accepted");
    let claims = store
        .claim_lane(LANE, UnixMs(START_MS), 10)
        .await
        .expect("claims");
    let here = Outcome::DeliveredHere(delivery(0, account(1)));
    commit(
        store,
        Op::RecordOutcome {
            claim: claims[0].0,
            outcome: here,
            prior_attempts: 0,
            attempt: None,
        },
    )
    .await
    .expect("recorded");
    assert_eq!(
        store.placements(mailbox(1), 0).await.expect("placements").len(),
        1
    );
    assert_eq!(store.waiting(None).await.expect("waiting").len(), 1);
    let here = Outcome::DeliveredHere(delivery(1, account(77)));
    let op = Op::RecordOutcome {
        claim: claims[1].0,
        outcome: here,
        prior_attempts: 0,
        attempt: None,
    };
    refused(store, op, Conflict::NoSuchAccount).await;
    assert_eq!(
        store.waiting(None).await.expect("waiting").len(),
        1,
        "a failed outcome leaves the row"
    );
    let failed = Outcome::Failed {
        reason: "no such account".to_owned(),
    };
    commit(
        store,
        Op::RecordOutcome {
            claim: claims[1].0,
            outcome: failed,
            prior_attempts: 0,
            attempt: None,
        },
    )
    .await
    .expect("recorded");
    assert!(store.waiting(None).await.expect("waiting").is_empty());
    assert_eq!(&read_all(store, blob(1), 5).await.expect("body")[..], b"later");
}

async fn addresses_are_unique_over_accounts_and_aliases(store: &dyn Store) {
    begin(store).await;
    let alias = |key: &str| Op::CreateAlias {
        key: key.to_owned(),
        targets: vec!["alice@example.test".to_owned()],
    };
    refused(store, alias("alice@example.test"), Conflict::AccountExists).await;
    commit(store, alias("team@example.test")).await.expect("created");
    refused(store, alias("team@example.test"), Conflict::AliasExists).await;
    let two = vec!["alice@example.test".to_owned(), "bob@example.test".to_owned()];
    let set = |key: &str| Op::SetAlias {
        key: key.to_owned(),
        targets: two.clone(),
    };
    commit(store, set("team@example.test")).await.expect("set");
    refused(store, set("nobody@example.test"), Conflict::NoSuchAlias).await;
    assert_eq!(
        store.aliases("").await.expect("aliases"),
        [("team@example.test".to_owned(), two.clone())]
    );
    commit(
        store,
        Op::RemoveAlias {
            key: "team@example.test".to_owned(),
        },
    )
    .await
    .expect("removed");
    refused(
        store,
        Op::RemoveAlias {
            key: "team@example.test".to_owned(),
        },
        Conflict::NoSuchAlias,
    )
    .await;
    refused(store, alice(), Conflict::AccountExists).await;
}

async fn domains_in_use_stay(store: &dyn Store) {
    let create = |settings: &str| Op::CreateDomain {
        name: "example.test".to_owned(),
        settings: settings.to_owned(),
    };
    commit(store, create("{}")).await.expect("created");
    refused(store, create("{}"), Conflict::DomainExists).await;
    begin(store).await;
    refused(
        store,
        Op::RemoveDomain {
            name: "example.test".to_owned(),
        },
        Conflict::DomainInUse,
    )
    .await;
    let set = |name: &str| Op::SetDomain {
        name: name.to_owned(),
        settings: "[1]".to_owned(),
    };
    commit(store, set("example.test")).await.expect("set");
    refused(store, set("other.test"), Conflict::NoSuchDomain).await;
    assert_eq!(
        store.domains("").await.expect("domains"),
        [("example.test".to_owned(), "[1]".to_owned())]
    );
    commit(store, Op::RemoveAccount { account: account(1) })
        .await
        .expect("removed");
    commit(
        store,
        Op::RemoveDomain {
            name: "example.test".to_owned(),
        },
    )
    .await
    .expect("removed");
    assert!(store.domains("").await.expect("domains").is_empty());
}

async fn a_removed_account_is_gone_with_its_mail(store: &dyn Store) {
    begin(store).await;
    deliver(store, 1, b"x").await.expect("accepted");
    commit(store, Op::RemoveAccount { account: account(1) })
        .await
        .expect("removed");
    refused(
        store,
        Op::RemoveAccount { account: account(1) },
        Conflict::NoSuchAccount,
    )
    .await;
    assert!(store.accounts(None).await.expect("accounts").is_empty());
    assert!(store.mailboxes(account(1)).await.expect("mailboxes").is_empty());
    assert_eq!(
        store.placements(mailbox(1), 0).await,
        Err(StoreError::Conflict(Conflict::NoSuchMailbox))
    );
    assert_eq!(
        deliver(store, 2, b"y").await,
        Err(StoreError::Conflict(Conflict::NoSuchAccount))
    );
}

async fn notices_follow_commits(store: &dyn Store) {
    begin(store).await;
    let mut notices = store.subscribe();
    let before = store.notices();
    let accepted = deliver(store, 1, b"x").await.expect("accepted");
    let acknowledged = store.notices();
    assert!(acknowledged > before, "counted before anybody is answered");
    let mut last = None;
    loop {
        // The notice of an earlier commit may still be on its way.
        let notice = notices.recv().await.expect("a notice");
        assert_eq!(notice.account, account(1));
        assert!(
            last.is_none_or(|last| notice.number == last + 1),
            "numbered in order"
        );
        last = Some(notice.number);
        if notice.modseq >= accepted.placed[0].modseq {
            assert!(notice.mailboxes.is_empty() || notice.mailboxes.contains(&mailbox(1)));
            assert_eq!(notice.number, acknowledged);
            break;
        }
    }
    let changes = store
        .changes_since(mailbox(1), accepted.placed[0].modseq - 1)
        .await
        .expect("changes");
    assert_eq!(changes.rows.len(), 1, "what is told can be read");
}
