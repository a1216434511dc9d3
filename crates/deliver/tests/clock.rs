//! A wall clock that goes wrong and is put right: nobody waits longer for it, and nobody is told what is not so.

mod house;

use std::time::Duration;

use house::peer::{Peer, Script};
use house::{House, MX};

const MINUTE: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 86_400_000;

async fn for_minutes(house: &House, minutes: u64) {
    let end = house.clock_minutes() + minutes;
    house
        .until(MINUTE, async |house| house.clock_minutes() >= end)
        .await;
}

/// When alice has so many reports, in hours since the start.
async fn hours_until_reports(house: &House, reports: usize) -> u64 {
    house
        .until(10 * MINUTE, async |house| {
            house.inbox("alice@home.test").await.len() >= reports
        })
        .await;
    house.clock_hours()
}

#[tokio::test]
async fn q_12_who_waits_while_the_clock_is_ahead_is_told_and_given_up_in_time() {
    for days in [2, 30] {
        let house = House::new().await;
        Peer::at(&house.network, MX, Script::at("mail", "451 4.3.0 later"), None);
        house.start();
        house.send(&["bob@there.test"]).await;
        house.until_tried(1).await;
        house.clock.set_wall_clock(days * DAY_MS);
        for_minutes(&house, 30).await;
        house.clock.set_wall_clock(-days * DAY_MS);
        for_minutes(&house, 60).await;
        assert!(house.inbox("alice@home.test").await.is_empty(), "no false alarm");
        let delayed = hours_until_reports(&house, 1).await;
        assert!(
            (4..=6).contains(&delayed),
            "{days} days: told after {delayed} hours"
        );
        let failed = hours_until_reports(&house, 2).await;
        assert!(
            (119..=122).contains(&failed),
            "{days} days: given up after {failed} hours"
        );
    }
}

#[tokio::test]
async fn q_12_who_came_while_the_clock_was_ahead_counts_from_its_mending() {
    let house = House::new().await;
    Peer::at(&house.network, MX, Script::at("mail", "451 4.3.0 later"), None);
    house.start();
    house.clock.set_wall_clock(30 * DAY_MS);
    house.send(&["bob@there.test"]).await;
    house.until_tried(1).await;
    for_minutes(&house, 30).await;
    house.clock.set_wall_clock(-30 * DAY_MS);
    let delayed = hours_until_reports(&house, 1).await;
    assert!((4..=6).contains(&delayed), "told after {delayed} hours");
    let failed = hours_until_reports(&house, 2).await;
    assert!((119..=122).contains(&failed), "given up after {failed} hours");
}

#[tokio::test]
async fn q_12_who_came_while_the_clock_was_behind_is_not_old_when_it_is_mended() {
    let house = House::new().await;
    Peer::at(&house.network, MX, Script::at("mail", "451 4.3.0 later"), None);
    house.start();
    for_minutes(&house, 1).await;
    house.clock.set_wall_clock(-30 * DAY_MS);
    house.send(&["bob@there.test"]).await;
    house.until_tried(1).await;
    for_minutes(&house, 30).await;
    house.clock.set_wall_clock(30 * DAY_MS);
    let delayed = hours_until_reports(&house, 1).await;
    assert!((4..=6).contains(&delayed), "told after {delayed} hours");
    let failed = hours_until_reports(&house, 2).await;
    assert!((119..=122).contains(&failed), "given up after {failed} hours");
}

#[tokio::test]
async fn one_lost_answer_of_a_name_server_costs_seconds() {
    let house = House::new().await;
    let peer = Peer::at(&house.network, MX, Script::default(), None);
    let lost = format!("{}\nthere.test !timeout", house::ZONE);
    house.dns.replace(&lost).expect("a zone");
    house.start();
    house.send(&["bob@there.test"]).await;
    house
        .until(Duration::from_millis(100), async |house| {
            !house.dns.asked().is_empty()
        })
        .await;
    house.dns.replace(house::ZONE).expect("a zone");
    house.until_empty().await;
    assert_eq!(peer.taken.lock().len(), 1);
    assert!(house.clock_seconds() <= 5, "{} seconds", house.clock_seconds());
    assert!(house.events.named("deliver.parked").is_empty());
}
