//! Deadlines, with simulated time.

mod house;

use std::time::Duration;

use house::House;
use receive::DoorKind;

#[tokio::test]
async fn smt_3_the_greeting_has_30_seconds_whatever_else_is_said() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    for _ in 0..2 {
        house.clock.advance(Duration::from_secs(14)).await;
        client.ask("NOOP", "250").await;
    }
    house.clock.advance(Duration::from_secs(3)).await;
    client.expect("421 4.4.2").await;
    assert_eq!(client.rest().await, "", "closed");
}

#[tokio::test]
async fn smt_3_a_command_has_5_minutes_however_it_drips() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    house.clock.advance(Duration::from_secs(299)).await;
    client.ask("NOOP", "250").await;
    for _ in 0..31 {
        client.shout("N").await;
        house.clock.advance(Duration::from_secs(10)).await;
    }
    client.expect("421 4.4.2").await;
    assert_eq!(client.rest().await, "", "closed");
}

#[tokio::test]
async fn smt_3_a_message_has_a_minimum_rate() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Mx);
    client.expect("220").await;
    client.ask("EHLO x", "250-").await;
    client.ask("MAIL FROM:<a@there.example>", "250").await;
    client.ask("RCPT TO:<bob@example.test>", "250").await;
    client.ask("DATA", "354").await;
    for _ in 0..20 {
        client.shout("x\r\n").await;
        house.clock.advance(Duration::from_secs(10)).await;
    }
    client.expect("421 4.4.2").await;
    assert_eq!(client.rest().await, "", "closed");
    assert!(house.inbox("bob@example.test").await.is_empty());
}

#[tokio::test]
async fn a_handshake_that_never_comes_ends_the_connection() {
    let house = House::new().await;
    let mut client = house.connect(DoorKind::Submissions);
    house.clock.advance(Duration::from_secs(31)).await;
    assert_eq!(client.rest().await, "");
    client.served().await;
}
