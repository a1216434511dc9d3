//! ESEARCH in several mailboxes on the wire (RFC 7377).

use super::support::{Client, World};

async fn folders() -> (World, Client) {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    for (name, subject) in [
        ("INBOX", "one"),
        ("INBOX", "two"),
        ("work", "two"),
        ("work/a", "two"),
        ("work/a/deep", "two"),
        ("worker", "two"),
        ("Entw&APw-rfe", "one"),
    ] {
        client.run(&format!("CREATE {name}")).await;
        let message = format!("Subject: {subject}\r\n\r\nx\r\n");
        client.append(name, message.as_bytes()).await;
    }
    client.ok("CREATE empty").await;
    (world, client)
}

/// Which mailboxes answered, and what.
async fn found(client: &mut Client, command: &str) -> Vec<String> {
    let mut lines = client.ok(command).await;
    lines.pop();
    lines
        .iter()
        .map(|line| {
            let rest = line
                .strip_prefix("* ESEARCH (TAG \"t")
                .expect("an ESEARCH response");
            let (_, rest) = rest.split_once(" MAILBOX ").expect("a mailbox");
            let (name, rest) = rest.split_once(" UIDVALIDITY ").expect("a UIDVALIDITY");
            let (_, result) = rest.split_once(')').expect("a result");
            format!("{name}{result}")
        })
        .collect()
}

#[tokio::test]
async fn several_mailboxes_are_searched_at_once() {
    let (world, mut client) = folders().await;
    for name in ["work", "work/a", "work/a/deep"] {
        client.ok(&format!("UNSUBSCRIBE {name}")).await;
    }
    for (command, expected) in [
        (
            "ESEARCH IN (mailboxes (INBOX work)) SUBJECT two",
            &["INBOX UID ALL 2", "work UID ALL 1"][..],
        ),
        (
            "ESEARCH IN (subtree work) ALL",
            &["work UID ALL 1", "work/a UID ALL 1", "work/a/deep UID ALL 1"],
        ),
        (
            "ESEARCH IN (subtree-one work) ALL",
            &["work UID ALL 1", "work/a UID ALL 1"],
        ),
        (
            "ESEARCH IN (inboxes) RETURN (COUNT MIN) ALL",
            &["INBOX UID MIN 1 COUNT 2"],
        ),
        (
            "ESEARCH IN (personal) RETURN (COUNT) SUBJECT one",
            &["INBOX UID COUNT 1", "Entw&APw-rfe UID COUNT 1"],
        ),
        (
            "ESEARCH IN (subscribed) SUBJECT two",
            &["INBOX UID ALL 2", "worker UID ALL 1"],
        ),
        // Each mailbox once; what does not exist or has no match is not told of.
        (
            "ESEARCH IN (mailboxes (work absent empty) subtree-one work inboxes) RETURN (PARTIAL -1:-1) SUBJECT two",
            &[
                "INBOX UID PARTIAL (-1:-1 2)",
                "work UID PARTIAL (-1:-1 1)",
                "work/a UID PARTIAL (-1:-1 1)",
            ],
        ),
        ("ESEARCH IN (personal) RETURN (COUNT) SUBJECT absent", &[]),
    ] {
        assert_eq!(found(&mut client, command).await, expected, "{command}");
    }
    client.refused("ESEARCH ALL", "BAD").await;
    client.refused("ESEARCH IN (personal selected) ALL", "BAD").await;
    client
        .refused("ESEARCH IN (personal) RETURN (SAVE) ALL", "BAD")
        .await;

    client.ok("SELECT work").await;
    assert_eq!(found(&mut client, "ESEARCH ALL").await, ["work UID ALL 1"]);
    assert_eq!(
        found(&mut client, "ESEARCH IN (selected inboxes) ALL").await,
        ["INBOX UID ALL 1:2", "work UID ALL 1"]
    );
    assert!(
        found(&mut client, "ESEARCH IN (selected) RETURN (SAVE) ALL")
            .await
            .is_empty()
    );
    assert_eq!(client.ok("FETCH $ UID").await[0], "* 1 FETCH (UID 1)");
    client.refused("ESEARCH IN (selected) 9", "BAD").await;

    // Nobody else's mail is among it (IMP-5), and nothing stays open behind it.
    let mut bob = world.user("bob").await;
    assert!(found(&mut bob, "ESEARCH IN (personal) ALL").await.is_empty());
    assert!(
        found(&mut bob, "ESEARCH IN (mailboxes work) ALL")
            .await
            .is_empty()
    );
    assert_eq!(world.mailboxes.open_views(), 1);
}
