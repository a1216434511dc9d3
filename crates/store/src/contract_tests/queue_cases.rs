//! The cases of the queue: lanes, deadlines, claims, what an operator does, attempts, the audit.

use world::clock::UnixMs;

use super::make::{
    DEADLINE_MS, LANE, START_MS, accept, account, alice, body, commit, commit_all, delivery, mailbox,
    queue_id, waiting,
};
use crate::contract::{
    ATTEMPTS_KEPT, Attempt, Claim, Conflict, FIRST_ATTEMPTS_KEPT, Op, Outcome, PAGE_ROWS, Store, StoreError,
    Waiting, WaitingRow,
};

cases![
    lanes_come_in_order_with_their_first_due,
    lanes_come_in_pages,
    recipients_are_claimed_by_lane,
    recipients_are_claimed_by_deadline,
    held_recipients_are_left_alone,
    a_rescheduled_recipient_is_due_when_told,
    telling_of_a_delay_is_no_attempt,
    a_purge_ends_the_claim,
    what_does_not_wait_cannot_be_changed,
    an_outcome_and_its_bounce_are_one,
    attempts_keep_their_beginning_and_their_end,
    attempts_outlive_the_message,
    a_message_in_the_queue_can_be_looked_at,
    the_audit_grows_and_comes_in_pages,
];

const NOW: UnixMs = UnixMs(START_MS + 100);

fn in_lane(recipient: u32, lane: &str, due_ms: u64) -> Waiting {
    Waiting {
        lane: lane.to_owned(),
        ..waiting(recipient, due_ms)
    }
}

/// Accepts message `n` for these recipients.
async fn leave(store: &dyn Store, n: u64, rows: Vec<Waiting>) {
    let body = body(store, n, b"queued").await.expect("a body");
    commit(store, accept(n, body, Vec::new(), rows))
        .await
        .expect("accepted");
}

async fn claim(store: &dyn Store, lane: &str) -> Vec<(Claim, WaitingRow)> {
    store.claim_lane(lane, NOW, 10).await.expect("claims")
}

fn record(claim: Claim, outcome: Outcome) -> Op {
    Op::RecordOutcome {
        claim,
        outcome,
        prior_attempts: 0,
        attempt: None,
    }
}

fn keys(claimed: &[(Claim, WaitingRow)]) -> Vec<(u64, u32)> {
    use mail::ids::Id;
    let number = |claim: &Claim| claim.queue_id.raw() - queue_id(0).raw();
    claimed
        .iter()
        .map(|(claim, _)| (number(claim), claim.recipient))
        .collect()
}

async fn due_of(store: &dyn Store) -> Vec<(String, Option<u64>)> {
    let lanes = store.lanes("").await.expect("lanes");
    lanes
        .into_iter()
        .map(|lane| (lane.lane, lane.due.map(|due| due.0 - START_MS)))
        .collect()
}

fn lane(name: &str, due: Option<u64>) -> (String, Option<u64>) {
    (name.to_owned(), due)
}

async fn lanes_come_in_order_with_their_first_due(store: &dyn Store) {
    assert!(due_of(store).await.is_empty());
    leave(
        store,
        1,
        vec![in_lane(0, "b -", START_MS + 7), in_lane(1, "b -", START_MS + 3)],
    )
    .await;
    leave(
        store,
        2,
        vec![in_lane(0, "a -", START_MS + 9), in_lane(1, "b x", START_MS + 1)],
    )
    .await;
    let want = [lane("a -", Some(9)), lane("b -", Some(3)), lane("b x", Some(1))];
    assert_eq!(due_of(store).await, want);
    assert_eq!(store.lane_due("b -").await, Ok(Some(UnixMs(START_MS + 3))));
    assert_eq!(store.lane_due("c -").await, Ok(None));
    let claimed = store.claim_lane("b -", NOW, 1).await.expect("claims");
    assert_eq!(keys(&claimed), [(1, 1)]);
    assert_eq!(
        due_of(store).await[1],
        lane("b -", Some(7)),
        "what is claimed is not counted"
    );
    claim(store, "b -").await;
    assert_eq!(
        due_of(store).await[1],
        lane("b -", None),
        "a lane without free work is still a lane"
    );
}

async fn lanes_come_in_pages(store: &dyn Store) {
    let rows = (0..300)
        .map(|n| in_lane(n, &format!("{n:03} -"), START_MS))
        .collect();
    leave(store, 1, rows).await;
    let first = store.lanes("").await.expect("lanes");
    assert_eq!(first.len(), PAGE_ROWS);
    let last = &first[PAGE_ROWS - 1].lane;
    let rest = store.lanes(last).await.expect("lanes");
    assert_eq!(
        (rest.len(), rest[0].lane.as_str(), rest[43].lane.as_str()),
        (44, "256 -", "299 -")
    );
}

async fn recipients_are_claimed_by_lane(store: &dyn Store) {
    leave(
        store,
        1,
        vec![
            in_lane(0, "a -", START_MS + 50),
            in_lane(1, "b -", START_MS),
            in_lane(2, "a -", START_MS + 500),
        ],
    )
    .await;
    leave(store, 2, vec![in_lane(0, "a -", START_MS + 20)]).await;
    let claimed = claim(store, "a -").await;
    assert_eq!(
        keys(&claimed),
        [(2, 0), (1, 0)],
        "the earliest first, and only what is due"
    );
    assert_eq!(claimed[0].1.lane, "a -");
    assert!(claim(store, "a -").await.is_empty(), "claimed is claimed");
    assert_eq!(keys(&claim(store, "b -").await), [(1, 1)]);
    store.release(claimed[1].0);
    assert_eq!(keys(&claim(store, "a -").await), [(1, 0)]);
    commit(store, record(claimed[0].0, Outcome::DeliveredElsewhere))
        .await
        .expect("recorded");
    assert_eq!(store.waiting(None).await.expect("waiting").len(), 3);
}

async fn recipients_are_claimed_by_deadline(store: &dyn Store) {
    let rows = vec![
        Waiting {
            deadline: UnixMs(START_MS + 90),
            ..in_lane(0, "a -", START_MS + 9_000)
        },
        Waiting {
            deadline: UnixMs(START_MS + 80),
            ..in_lane(1, "b -", START_MS)
        },
        in_lane(2, "a -", START_MS),
    ];
    leave(store, 1, rows).await;
    assert_eq!(store.next_deadline().await, Ok(Some(UnixMs(START_MS + 80))));
    let first = store.claim_overdue(NOW, 1).await.expect("claims");
    assert_eq!(keys(&first), [(1, 1)]);
    assert_eq!(store.next_deadline().await, Ok(Some(UnixMs(START_MS + 90))));
    let second = store.claim_overdue(NOW, 10).await.expect("claims");
    assert_eq!(
        keys(&second),
        [(1, 0)],
        "whenever it is due, and not what was claimed"
    );
    assert!(claim(store, "b -").await.is_empty(), "a claim is a claim");
    let end = UnixMs(START_MS + DEADLINE_MS);
    assert_eq!(store.next_deadline().await, Ok(Some(end)));
    store.release(second[0].0);
    assert_eq!(store.next_deadline().await, Ok(Some(UnixMs(START_MS + 90))));
}

fn hold(recipient: u32, held: bool) -> Op {
    Op::Hold {
        queue_id: queue_id(1),
        recipient,
        held,
    }
}

async fn held_recipients_are_left_alone(store: &dyn Store) {
    leave(store, 1, vec![waiting(0, START_MS), waiting(1, START_MS + 5)]).await;
    commit(store, hold(0, true)).await.expect("held");
    let rows = store.waiting(None).await.expect("waiting");
    assert_eq!((rows[0].held, rows[1].held), (true, false), "it is shown");
    assert_eq!(due_of(store).await, [lane(LANE, Some(5))]);
    let claimed = claim(store, LANE).await;
    assert_eq!(keys(&claimed), [(1, 1)]);
    let late = UnixMs(START_MS + 2 * DEADLINE_MS);
    assert!(store.claim_overdue(late, 10).await.expect("claims").is_empty());
    assert_eq!(store.next_deadline().await, Ok(None));
    // What is under way ends, and a retry stays held.
    commit(store, hold(1, true)).await.expect("held");
    let retry = Outcome::Retry {
        due: UnixMs(START_MS + 6),
        deadline: claimed[0].1.deadline,
        reason: "later".to_owned(),
    };
    commit(store, record(claimed[0].0, retry))
        .await
        .expect("recorded");
    assert!(claim(store, LANE).await.is_empty());
    assert_eq!(due_of(store).await, [lane(LANE, None)]);
    commit_all(store, vec![hold(0, false), hold(1, false)])
        .await
        .expect("released");
    assert_eq!(keys(&claim(store, LANE).await), [(1, 0), (1, 1)]);
}

async fn a_rescheduled_recipient_is_due_when_told(store: &dyn Store) {
    leave(store, 1, vec![waiting(0, START_MS + 9_000)]).await;
    let reschedule = |due, deadline| Op::Reschedule {
        queue_id: queue_id(1),
        recipient: 0,
        due,
        deadline,
    };
    commit(store, reschedule(NOW, None)).await.expect("rescheduled");
    let row = store.waiting(None).await.expect("waiting").remove(0);
    let deadline = UnixMs(START_MS + 9_000 + DEADLINE_MS);
    assert_eq!((row.due, row.deadline, row.attempts), (NOW, deadline, 0));
    commit(store, reschedule(UnixMs(7), Some(UnixMs(8))))
        .await
        .expect("rescheduled");
    let row = claim(store, LANE).await.remove(0).1;
    assert_eq!((row.due, row.deadline), (UnixMs(7), UnixMs(8)));
}

async fn telling_of_a_delay_is_no_attempt(store: &dyn Store) {
    leave(store, 1, vec![waiting(0, START_MS)]).await;
    let (claim, before) = claim(store, LANE).await.remove(0);
    let told = Outcome::Told {
        deadline: UnixMs(START_MS + 5),
        params: r#"{"delayed_told":true}"#.to_owned(),
    };
    commit(store, record(claim, told)).await.expect("recorded");
    let after = store.waiting(None).await.expect("waiting").remove(0);
    let want = WaitingRow {
        deadline: UnixMs(START_MS + 5),
        params: r#"{"delayed_told":true}"#.to_owned(),
        ..before
    };
    assert_eq!(after, want);
    let again = record(claim, Outcome::DeliveredElsewhere);
    assert_eq!(
        commit(store, again).await,
        Err(StoreError::Conflict(Conflict::ClaimLost))
    );
}

fn purge(recipient: u32) -> Op {
    Op::Purge {
        queue_id: queue_id(1),
        recipient,
        note: "purged by 0".to_owned(),
    }
}

async fn a_purge_ends_the_claim(store: &dyn Store) {
    leave(store, 1, vec![waiting(0, START_MS), waiting(1, START_MS)]).await;
    let claimed = claim(store, LANE).await;
    commit(store, purge(0)).await.expect("purged");
    for outcome in [
        Outcome::DeliveredElsewhere,
        Outcome::Failed {
            reason: "no".to_owned(),
        },
    ] {
        let said = commit(store, record(claimed[0].0, outcome)).await;
        assert_eq!(said, Err(StoreError::Conflict(Conflict::ClaimLost)));
    }
    let rows = store.waiting(None).await.expect("waiting");
    assert_eq!((rows.len(), rows[0].recipient), (1, 1), "others are untouched");
    commit(store, record(claimed[1].0, Outcome::DeliveredElsewhere))
        .await
        .expect("recorded");
    let attempts = store.attempts(queue_id(1), None).await.expect("attempts");
    assert_eq!(
        attempts
            .iter()
            .map(|row| (row.recipient, row.text.as_str()))
            .collect::<Vec<_>>(),
        [(0, "purged by 0")]
    );
    assert!(
        store
            .accepted_message(queue_id(1))
            .await
            .expect("a read")
            .is_none()
    );
}

async fn what_does_not_wait_cannot_be_changed(store: &dyn Store) {
    leave(store, 1, vec![waiting(0, START_MS)]).await;
    commit(store, purge(0)).await.expect("purged");
    let reschedule = Op::Reschedule {
        queue_id: queue_id(1),
        recipient: 0,
        due: NOW,
        deadline: None,
    };
    for op in [hold(0, true), hold(7, false), reschedule, purge(0)] {
        let said = commit(store, op.clone()).await;
        assert_eq!(said, Err(StoreError::Conflict(Conflict::NotWaiting)), "{op:?}");
    }
    let attempts = store.attempts(queue_id(1), None).await.expect("attempts");
    assert_eq!(attempts.len(), 1, "a refused purge leaves no note");
}

async fn an_outcome_and_its_bounce_are_one(store: &dyn Store) {
    commit(store, alice()).await.expect("an account");
    leave(store, 1, vec![waiting(0, START_MS)]).await;
    let (claim, _) = claim(store, LANE).await.remove(0);
    let failed = || {
        record(
            claim,
            Outcome::Failed {
                reason: "no such user".to_owned(),
            },
        )
    };
    let bounce = body(store, 2, b"it failed").await.expect("a body");
    let to_nobody = accept(2, bounce.clone(), vec![delivery(0, account(77))], Vec::new());
    let said = commit_all(store, vec![failed(), to_nobody]).await;
    assert_eq!(said, Err(StoreError::Conflict(Conflict::NoSuchAccount)));
    assert_eq!(
        store.waiting(None).await.expect("waiting").len(),
        1,
        "no bounce, no failure"
    );
    let to_alice = accept(2, bounce, vec![delivery(0, account(1))], Vec::new());
    commit_all(store, vec![failed(), to_alice])
        .await
        .expect("the claim still stands");
    assert!(store.waiting(None).await.expect("waiting").is_empty());
    assert_eq!(
        store.placements(mailbox(1), 0).await.expect("placements").len(),
        1
    );
}

async fn attempts_keep_their_beginning_and_their_end(store: &dyn Store) {
    leave(store, 1, vec![waiting(0, START_MS), in_lane(1, "b -", START_MS)]).await;
    let total = ATTEMPTS_KEPT + 15;
    for number in 0..total {
        let (claim, row) = claim(store, LANE).await.remove(0);
        assert_eq!(row.attempts, number);
        let op = Op::RecordOutcome {
            claim,
            outcome: Outcome::Retry {
                due: row.due,
                deadline: row.deadline,
                reason: "later".to_owned(),
            },
            prior_attempts: row.attempts,
            attempt: Some(Attempt {
                at: UnixMs(START_MS + u64::from(number)),
                text: format!("try {number}"),
            }),
        };
        commit(store, op).await.expect("recorded");
    }
    let rows = store.attempts(queue_id(1), None).await.expect("attempts");
    let numbers: Vec<u32> = rows.iter().map(|row| row.number).collect();
    let last = total - (ATTEMPTS_KEPT - FIRST_ATTEMPTS_KEPT)..total;
    assert_eq!(numbers, (0..FIRST_ATTEMPTS_KEPT).chain(last).collect::<Vec<_>>());
    let end = &rows[rows.len() - 1];
    assert_eq!(end.address, "user0@elsewhere.test");
    assert_eq!((end.text.as_str(), end.at.0 - START_MS), ("try 64", 64));
    let after = store
        .attempts(queue_id(1), Some((0, 60)))
        .await
        .expect("attempts");
    assert_eq!(after.len(), 4);
}

async fn attempts_outlive_the_message(store: &dyn Store) {
    leave(store, 1, vec![waiting(0, START_MS), waiting(1, START_MS)]).await;
    for (claim, _) in claim(store, LANE).await {
        let op = Op::RecordOutcome {
            claim,
            outcome: Outcome::DeliveredElsewhere,
            prior_attempts: 0,
            attempt: Some(Attempt {
                at: NOW,
                text: "250".to_owned(),
            }),
        };
        commit(store, op).await.expect("recorded");
    }
    let rows = store.attempts(queue_id(1), None).await.expect("attempts");
    let keys: Vec<_> = rows
        .iter()
        .map(|row| (row.recipient, row.number, row.at))
        .collect();
    assert_eq!(keys, [(0, 0, NOW), (1, 0, NOW)]);
    assert!(
        store
            .attempts(queue_id(2), None)
            .await
            .expect("attempts")
            .is_empty()
    );
}

async fn a_message_in_the_queue_can_be_looked_at(store: &dyn Store) {
    leave(store, 1, vec![waiting(0, START_MS)]).await;
    leave(store, 2, vec![waiting(3, START_MS), waiting(1, START_MS)]).await;
    leave(store, 3, vec![waiting(0, START_MS)]).await;
    let found = store.accepted_message(queue_id(2)).await.expect("a read");
    let found = found.expect("it is there");
    assert_eq!(found.reverse_path, "sender@elsewhere.test");
    assert_eq!(&found.queue_prefix[..], b"Received: here\r\n");
    assert_eq!((found.body_bytes, found.received_at), (6, UnixMs(START_MS + 2)));
    let recipients: Vec<u32> = found.waiting.iter().map(|row| row.recipient).collect();
    assert_eq!(recipients, [1, 3]);
    assert!(found.waiting.iter().all(|row| row.queue_id == queue_id(2)));
    assert!(
        store
            .accepted_message(queue_id(9))
            .await
            .expect("a read")
            .is_none()
    );
}

async fn the_audit_grows_and_comes_in_pages(store: &dyn Store) {
    for n in 0..300 {
        let text = format!("entry {n}");
        commit(store, Op::Audit { text }).await.expect("written");
    }
    let first = store.audit(0).await.expect("audit");
    assert_eq!((first.len(), first[0].text.as_str()), (PAGE_ROWS, "entry 0"));
    assert!(first.windows(2).all(|pair| pair[0].id < pair[1].id));
    let rest = store.audit(first[PAGE_ROWS - 1].id).await.expect("audit");
    assert_eq!((rest.len(), rest[43].text.as_str()), (44, "entry 299"));
}
