//! Damage and restarts, seen by a client.

use crate::support::{PASSWORD, World};

/// DUR-6: what a client saw before a restart holds after it.
#[tokio::test]
async fn dur_6_a_restart_keeps_uids_and_flags() {
    let world = World::new().await;
    for count in 0..5 {
        world
            .deliver(
                "alice@example.test",
                format!("Subject: {count}\r\n\r\n{count}\r\n").as_bytes(),
            )
            .await;
    }
    let mut client = world.inbox().await;
    client.ok("STORE 2 +FLAGS (\\Seen rare-word)").await;
    client.ok("STORE 5 +FLAGS (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    let items = "FETCH 1:* (UID EMAILID FLAGS MODSEQ BODY.PEEK[])";
    client.ok(items).await;
    let before = client.ok(items).await;
    let status = "STATUS INBOX (UIDVALIDITY UIDNEXT HIGHESTMODSEQ MESSAGES UNSEEN)";
    let status_before = client.ok(status).await[0].clone();
    client.ok("LOGOUT").await;
    drop(client);
    tokio::task::yield_now().await;

    let world = world.reopened().await;
    let mut client = world.inbox().await;
    client.ok("ENABLE CONDSTORE").await;
    let without_recent = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .map(|line| line.replace(" \\Recent", "").replace("\\Recent", ""))
            .collect()
    };
    let after = client.ok(items).await;
    assert_eq!(without_recent(&after), without_recent(&before));
    assert_eq!(client.ok(status).await[0], status_before);
    let uid = world
        .deliver("alice@example.test", b"Subject: new\r\n\r\nnew\r\n")
        .await;
    assert!(uid >= 6, "UID 5 had another message");
    assert_eq!(PASSWORD.len(), 21);
}

/// DSK-5: one message is damaged on disk; it is named, the others are read.
#[tokio::test]
async fn dsk_5_a_damaged_message_costs_only_itself() {
    let world = World::new().await;
    for count in 0..3 {
        let filler = "the same line again and again\r\n".repeat(40);
        let message = format!("Subject: {count}\r\n\r\nMARK{count}\r\n{filler}");
        world.deliver("alice@example.test", message.as_bytes()).await;
    }
    let world = world.damaged(1).await;
    let mut client = world.inbox().await;
    let lines = client.run("FETCH 1:3 (UID BODY.PEEK[])").await;
    assert_eq!(
        lines.iter().filter(|line| line.contains("FETCH (UID")).count(),
        2,
        "{lines:?}"
    );
    let last = lines.last().unwrap();
    assert!(last.starts_with("NO [SERVERBUG] Message m"), "{last}");
    let id = client.ok("FETCH 2 EMAILID").await[0]
        .split("EMAILID (")
        .nth(1)
        .unwrap()[..14]
        .to_owned();
    assert!(last.contains(&id), "the sentence names {id}: {last}");
    let events = world.events.named("access.message-damaged");
    assert_eq!(events[0].text("message"), Some(id.as_str()));
    client.ok("FETCH 1,3 (BODY[])").await;
    assert_eq!(client.ok("SEARCH BODY MARK2").await[0], "* SEARCH 3");
    client.ok("STORE 2 +FLAGS (\\Deleted)").await;
    assert_eq!(client.ok("EXPUNGE").await[0], "* 2 EXPUNGE");
    client.ok("NOOP").await;
}
