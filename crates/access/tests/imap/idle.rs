//! IDLE, and what sessions learn from each other.

use access::imap::{Security, serve_connection};
use testkit::net::{some_peer, wire_pair};
use world::clock::Clock;

use crate::support::World;

#[tokio::test]
async fn idle_tells_as_it_happens() {
    let world = World::new().await;
    let mut idle = world.inbox().await;
    let mut other = world.inbox().await;
    idle.send(b"i IDLE\r\n").await;
    assert!(idle.line().await.starts_with("+ "));
    world
        .deliver("alice@example.test", b"Subject: x\r\n\r\nx\r\n")
        .await;
    assert_eq!(idle.line().await, "* 1 EXISTS");
    assert_eq!(idle.line().await, "* 1 RECENT");
    other.ok("NOOP").await;
    other.ok("STORE 1 +FLAGS (\\Deleted)").await;
    assert_eq!(idle.line().await, "* 1 FETCH (FLAGS (\\Deleted \\Recent))");
    other.ok("EXPUNGE").await;
    assert_eq!(idle.line().await, "* 1 EXPUNGE");
    idle.send(b"DONE\r\n").await;
    assert!(idle.line().await.starts_with("i OK"));
    idle.send(b"i IDLE\r\nDONE\r\n").await;
    assert!(idle.line().await.starts_with("+ "));
    assert!(idle.line().await.starts_with("i OK"));
    idle.send(b"i IDLE\r\nNOOP\r\n").await;
    assert!(idle.line().await.starts_with("+ "));
    assert!(idle.line().await.starts_with("i BAD"));
}

#[tokio::test]
async fn idle_without_a_mailbox_waits() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    client.send(b"i IDLE\r\n").await;
    assert!(client.line().await.starts_with("+ "));
    client.send(b"DONE\r\n").await;
    assert!(client.line().await.starts_with("i OK"));
}

/// IMP-7 in small: many sessions, one delivery, every one hears of it; there is one view.
#[tokio::test]
async fn imp_7_many_idlers_hear_of_one_delivery() {
    let world = World::new().await;
    let mut idlers = Vec::new();
    for _ in 0..50 {
        let mut client = world.inbox().await;
        client.send(b"i IDLE\r\n").await;
        assert!(client.line().await.starts_with("+ "));
        idlers.push(client);
    }
    assert_eq!(world.mailboxes.open_views(), 1);
    world
        .deliver("alice@example.test", b"Subject: x\r\n\r\nx\r\n")
        .await;
    for client in &mut idlers {
        assert_eq!(client.line().await, "* 1 EXISTS");
    }
    drop(idlers);
}

#[tokio::test]
async fn silence_ends_a_session_politely() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    let end = client.rest_of_it().await;
    assert!(end[0].starts_with("* BYE"), "{end:?}");
}

#[tokio::test]
async fn a_stopping_server_says_bye() {
    let world = World::new().await;
    let mut idle = world.inbox().await;
    idle.send(b"i IDLE\r\n").await;
    idle.line().await;
    let mut quiet = world.inbox().await;
    let mut guest = world.secure().await;
    world.stop.send(true).unwrap();
    for client in [&mut idle, &mut quiet, &mut guest] {
        assert!(client.line().await.starts_with("* BYE"));
        drop(std::mem::replace(client, world.connect(Security::Plain)));
    }
}

/// Per idle connection at most 16 KiB: the future is a small part of it.
#[tokio::test]
async fn an_idle_connection_is_small() {
    let world = World::new().await;
    let (_ours, theirs) = wire_pair();
    let future = serve_connection(&world.ctx, Box::new(theirs), some_peer(), Security::StartTls);
    let size = size_of_val(&future);
    assert!(size <= 4096, "the connection's future has {size} octets");
    assert_send(future);
}

fn assert_send(_: impl Send) {}

#[tokio::test]
async fn a_notice_is_quick() {
    let world = World::new().await;
    let mut idle = world.inbox().await;
    idle.send(b"i IDLE\r\n").await;
    idle.line().await;
    let began = world.clock.monotonic();
    for count in 1..=20 {
        world
            .deliver("alice@example.test", b"Subject: x\r\n\r\nx\r\n")
            .await;
        assert_eq!(idle.line().await, format!("* {count} EXISTS"));
        idle.line().await;
    }
    assert_eq!(world.clock.monotonic(), began, "nothing waits for a clock");
}
