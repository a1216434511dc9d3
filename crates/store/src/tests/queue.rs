//! The queue's rows on the disk: the crash table's rows for them, how long attempts and the audit are kept, identifiers.

use std::time::Duration;

use mail::ids::Id;
use world::clock::{Clock, UnixMs};

use crate::contract::{Attempt, Claim, Op, Outcome, Store, Waiting};
use crate::contract_tests::make::{
    LANE, START_MS, accept, account, alice, body, commit, commit_all, delivery, mailbox, queue_id, waiting,
};
use crate::embedded::Embedded;
use crate::limits::DAY_MS;
use crate::tests::crash::{Home, sound, tear};

async fn leave(store: &Embedded, n: u64, rows: Vec<Waiting>) {
    let body = body(store, n, b"queued").await.expect("a body");
    commit(store, accept(n, body, Vec::new(), rows))
        .await
        .expect("accepted");
}

async fn claim(store: &Embedded) -> Claim {
    let now = UnixMs(START_MS);
    let mut claimed = store.claim_lane(LANE, now, 1).await.expect("claims");
    claimed.remove(0).0
}

fn failed(claim: Claim, at: UnixMs) -> Op {
    Op::RecordOutcome {
        claim,
        outcome: Outcome::Failed {
            reason: "no such user".to_owned(),
        },
        prior_attempts: 0,
        attempt: Some(Attempt {
            at,
            text: "550".to_owned(),
        }),
    }
}

#[tokio::test]
async fn row_c24_a_failure_its_attempt_and_its_bounce_are_there_together_or_not_at_all() {
    let home = Home::new();
    let store = home.open();
    commit(store.as_ref(), alice()).await.expect("an account");
    leave(&store, 1, vec![waiting(0, START_MS)]).await;
    let before = store.upkeep().log_bytes().expect("a length");
    let claim = claim(&store).await;
    let bounce = body(store.as_ref(), 2, b"it failed").await.expect("a body");
    let bounce = accept(
        2,
        bounce,
        vec![delivery(0, account(1))],
        vec![waiting(1, START_MS)],
    );
    commit_all(store.as_ref(), vec![failed(claim, UnixMs(START_MS)), bounce])
        .await
        .expect("recorded");
    let after = store.upkeep().log_bytes().expect("a length");
    for seed in 0..8 {
        let crashed = home.copy();
        tear(&crashed.path("mail.db-wal"), before, after, seed);
        let again = crashed.open();
        let waits = again.waiting(None).await.expect("waiting");
        let attempts = again.attempts(queue_id(1), None).await.expect("attempts").len();
        let placed = again.placements(mailbox(1), 0).await.expect("placements").len();
        let seen = (waits.len(), waits[0].queue_id, attempts, placed);
        assert!(
            [(1, queue_id(1), 0, 0), (1, queue_id(2), 1, 1)].contains(&seen),
            "{seen:?}"
        );
        sound(&again).await;
    }
}

#[tokio::test]
async fn row_c25_what_an_operator_did_is_there_with_its_audit_or_not_at_all() {
    let home = Home::new();
    let store = home.open();
    leave(&store, 1, (0..4).map(|n| waiting(n, START_MS)).collect()).await;
    let before = store.upkeep().log_bytes().expect("a length");
    claim(&store).await;
    let queue_id = queue_id(1);
    let ops = vec![
        Op::Purge {
            queue_id,
            recipient: 0,
            note: "purged".to_owned(),
        },
        Op::Hold {
            queue_id,
            recipient: 1,
            held: true,
        },
        Op::Reschedule {
            queue_id,
            recipient: 2,
            due: UnixMs(7),
            deadline: None,
        },
        Op::Audit {
            text: "who and what".to_owned(),
        },
    ];
    commit_all(store.as_ref(), ops).await.expect("done");
    let after = store.upkeep().log_bytes().expect("a length");
    for seed in 0..8 {
        let crashed = home.copy();
        tear(&crashed.path("mail.db-wal"), before, after, seed);
        let again = crashed.open();
        let rows = again.waiting(None).await.expect("waiting");
        let held = rows.iter().filter(|row| row.held).count();
        let moved = rows.iter().filter(|row| row.due == UnixMs(7)).count();
        let notes = again.attempts(queue_id, None).await.expect("attempts").len();
        let audit = again.audit(0).await.expect("the audit").len();
        let seen = (rows.len(), held, moved, notes, audit);
        assert!([(4, 0, 0, 0, 0), (3, 1, 1, 1, 1)].contains(&seen), "{seen:?}");
        let free = rows.len() - held;
        let claimed = again.claim_lane(LANE, UnixMs(START_MS), 9).await.expect("claims");
        assert_eq!(
            claimed.len(),
            free,
            "after a start nothing is claimed, and what is held is held"
        );
    }
}

#[tokio::test]
async fn row_c26_attempts_and_audit_are_forgotten_in_time_and_never_those_of_the_queue() {
    let home = Home::new();
    let store = home.open();
    let first = home.world.clock.now();
    leave(&store, 1, vec![waiting(0, START_MS)]).await;
    leave(&store, 2, vec![waiting(0, START_MS), waiting(1, START_MS)]).await;
    for _ in 0..2 {
        let claim = claim(&store).await;
        commit(store.as_ref(), failed(claim, first))
            .await
            .expect("recorded");
    }
    let text = "an entry".to_owned();
    commit(store.as_ref(), Op::Audit { text }).await.expect("written");
    let floor = store.id_floor();
    let kept = async |store: &Embedded| {
        let one = store.attempts(queue_id(1), None).await.expect("attempts").len();
        let two = store.attempts(queue_id(2), None).await.expect("attempts").len();
        (one, two, store.audit(0).await.expect("the audit").len())
    };
    assert_eq!(kept(&store).await, (1, 1, 1));
    home.world.clock.jump(Duration::from_millis(29 * DAY_MS));
    store.upkeep().collect().expect("collected");
    assert_eq!(kept(&store).await, (1, 1, 1));
    home.world.clock.jump(Duration::from_millis(2 * DAY_MS));
    let crashed = home.copy();
    let before = store.upkeep().log_bytes().expect("a length");
    store.upkeep().collect().expect("collected");
    let after = store.upkeep().log_bytes().expect("a length");
    assert_eq!(kept(&store).await, (0, 1, 1), "those of a waiting message stay");
    assert_eq!(store.waiting(None).await.expect("waiting").len(), 1);
    for name in ["mail.db", "mail.db-wal"] {
        std::fs::copy(home.path(name), crashed.path(name)).expect("a copy");
    }
    tear(&crashed.path("mail.db-wal"), before, after, 3);
    let again = crashed.open();
    again.upkeep().collect().expect("collected");
    assert_eq!(kept(&again).await, (0, 1, 1), "the next round takes the rest");
    sound(&again).await;
    home.world.clock.jump(Duration::from_millis(335 * DAY_MS));
    again.upkeep().collect().expect("collected");
    assert_eq!(kept(&again).await, (0, 1, 0));
    again.close();
    drop(again);
    let late = crashed.open();
    assert!(
        late.id_floor() >= floor,
        "identifiers that were forgotten are not used again"
    );
    assert!(late.id_floor() >= queue_id(2).raw());
}
