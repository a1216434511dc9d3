use std::sync::Arc;
use std::time::Duration;

use testkit::chance::SeededChance;
use testkit::clock::SimClock;
use tokio::task::JoinSet;

use super::password;
use crate::hashing::{Busy, Hashing};
use crate::limits::{HASH_WAIT_MS, WAITING_SIGN_INS};

fn hashing(clock: &SimClock, at_once: usize) -> Arc<Hashing> {
    Arc::new(Hashing::new(
        clock.door(),
        Arc::new(SeededChance::new(1)),
        at_once,
    ))
}

/// Starts `count` checks of different passwords, and lets each run until it waits or ends.
async fn crowd(hashing: &Arc<Hashing>, count: usize) -> JoinSet<Result<bool, Busy>> {
    let mut crowd = JoinSet::new();
    for number in 0..count {
        let hashing = hashing.clone();
        crowd.spawn(async move { hashing.check(None, &password(&format!("guess {number}"))).await });
    }
    tokio::task::yield_now().await;
    crowd
}

#[tokio::test]
async fn log_3_a_thousand_sign_ins_hash_no_more_than_the_slots_at_once() {
    let clock = SimClock::new();
    let hashing = hashing(&clock, 2);
    let mut crowd = crowd(&hashing, 1000).await;
    assert_eq!(hashing.free_slots(), 0);
    assert!(
        hashing.checked() <= 2,
        "the others wait without memory of their own"
    );
    assert_eq!(crowd.join_next().await.unwrap().unwrap(), Ok(false));
    // A client that hangs up gives its slot back only when its hash is done.
    crowd.abort_all();
    while crowd.join_next().await.is_some() {}
    assert!(hashing.check(None, &password("after the crowd")).await.is_ok());
}

#[tokio::test]
async fn log_3_the_line_is_bounded_in_length_and_time() {
    let clock = SimClock::new();
    let hashing = hashing(&clock, 1);
    let slow = hashing.slot_for_test().await;
    let mut crowd = crowd(&hashing, WAITING_SIGN_INS + 10).await;
    for _ in 0..10 {
        assert_eq!(
            crowd.join_next().await.unwrap().unwrap(),
            Err(Busy),
            "no place left in the line"
        );
    }
    assert!(crowd.try_join_next().is_none(), "the others wait");
    clock.jump(Duration::from_millis(HASH_WAIT_MS + 1));
    for _ in 0..WAITING_SIGN_INS {
        assert_eq!(
            crowd.join_next().await.unwrap().unwrap(),
            Err(Busy),
            "waited too long"
        );
    }
    drop(slow);
    assert_eq!(
        hashing.check(None, &password("later")).await,
        Ok(false),
        "and then there is room again"
    );
}
