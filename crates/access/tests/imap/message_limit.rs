//! How many messages one command takes (RFC 9738).

use std::num::NonZeroU32;

use access::imap::MessageLimit;

use crate::support::{Client, World};

/// Seven messages, UIDs 2 to 8, three to a command.
async fn limited(limit: fn(NonZeroU32) -> MessageLimit) -> (World, Client) {
    let world = World::with(|ctx| ctx.own.message_limit = NonZeroU32::new(3).map(limit)).await;
    for n in 0..8 {
        let message = format!("Subject: {n}\r\n\r\nx\r\n");
        world.deliver("alice@example.test", message.as_bytes()).await;
    }
    let mut client = world.inbox().await;
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    (world, client)
}

#[tokio::test]
async fn a_command_takes_so_many_messages() {
    let (_world, mut client) = limited(MessageLimit::All).await;
    let capabilities = client.ok("CAPABILITY").await;
    assert!(capabilities[0].contains(" MESSAGELIMIT=3") && !capabilities[0].contains("SAVELIMIT"));
    for (command, told) in [
        ("FETCH 1:* UID", Some(6)),
        ("UID FETCH 1:5 (FLAGS)", Some(3)),
        ("UID FETCH 6:* (FLAGS)", None),
        ("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1000000)", None),
        ("UID FETCH 1:* (FLAGS) (PARTIAL 1:3)", None),
        ("FETCH 1:* (BODY.PEEK[])", Some(6)),
        ("STORE 1:4 +FLAGS.SILENT ($x)", Some(3)),
        ("UID SEARCH ALL", Some(6)),
        ("SEARCH UID 1:5 SUBJECT 0", Some(3)),
        ("UID SEARCH UIDBEFORE 5 SUBJECT 1", None),
        ("UID SEARCH UIDAFTER 5 UIDBEFORE 7", None),
        ("UID SEARCH UIDAFTER 4294967294", None),
        ("SEARCH OR UID 2:3 UID 8", Some(6)),
    ] {
        let last = client.ok(command).await.pop().unwrap();
        let code = told.map(|lowest| format!("OK [MESSAGELIMIT 3 {lowest}]"));
        assert!(
            last.starts_with(code.as_deref().unwrap_or("OK ")),
            "{command}: {last}"
        );
        assert_eq!(last.contains("MESSAGELIMIT"), told.is_some(), "{command}: {last}");
    }
    assert_eq!(client.ok("UID SEARCH ALL").await[0], "* SEARCH 6 7 8");
    for nothing in ["UIDAFTER 4294967295", "UIDAFTER 8", "UIDBEFORE 1", "UIDBEFORE 2"] {
        assert_eq!(
            client.ok(&format!("UID SEARCH {nothing}")).await[0],
            "* SEARCH",
            "{nothing}"
        );
    }
    assert_eq!(
        client.ok("UID SEARCH KEYWORD $x UIDBEFORE 6 UIDAFTER 2").await[0],
        "* SEARCH 3 4 5"
    );
    assert_eq!(client.ok("UID FETCH 1:* UID").await.len(), 4);
    for command in [
        "COPY 1:4 Sent",
        "SORT (SIZE) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
        "UID FETCH 1:* (FLAGS) (PARTIAL 1:4)",
    ] {
        client.refused(command, "NO [MESSAGELIMIT 3]").await;
    }
    let four = " {6+}\r\na: b\r\n".repeat(4);
    client
        .refused(&format!("APPEND Drafts{four}"), "NO [LIMIT]")
        .await;
    client.ok("COPY 1:3 Sent").await;
    client.ok("SORT (SIZE) UTF-8 UIDAFTER 5").await;
    // The client spoke of mod-sequences: where the answer has that code, an untagged NO goes before it.
    let cut = |lowest: u32| {
        format!("* NO [MESSAGELIMIT 3 {lowest}] Only the newest messages were taken; ask for the others")
    };
    let lines = client.ok("UID MOVE 1:* Sent").await;
    assert!(lines.contains(&cut(6)), "{lines:?}");
    assert!(
        lines.last().unwrap().starts_with("OK [HIGHESTMODSEQ"),
        "{lines:?}"
    );
    client.ok("UID STORE 3:5 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)").await;
    let lines = client.ok("UID EXPUNGE 1:*").await;
    assert!(lines.contains(&cut(3)), "{lines:?}");
    assert!(
        lines.last().unwrap().starts_with("OK [HIGHESTMODSEQ"),
        "{lines:?}"
    );
    assert_eq!(client.ok("UID SEARCH ALL").await[0], "* SEARCH 2");
}

/// RFC 9738 §3.1: EXPUNGE is never cut.
#[tokio::test]
async fn expunge_takes_all() {
    let (_world, mut client) = limited(MessageLimit::All).await;
    for set in ["2:4", "5:7", "8"] {
        client
            .ok(&format!("UID STORE {set} +FLAGS.SILENT (\\Deleted)"))
            .await;
    }
    client.ok("EXPUNGE").await;
    assert_eq!(client.ok("UID SEARCH ALL").await[0], "* SEARCH");
}

#[tokio::test]
async fn a_limit_of_saving_leaves_reading_alone() {
    let (_world, mut client) = limited(MessageLimit::Saving).await;
    let capabilities = client.ok("CAPABILITY").await;
    assert!(capabilities[0].contains(" SAVELIMIT=3") && !capabilities[0].contains("MESSAGELIMIT"));
    assert_eq!(client.ok("FETCH 1:* UID").await.len(), 8);
    assert_eq!(client.ok("UID SEARCH ALL").await[0], "* SEARCH 2 3 4 5 6 7 8");
    client.refused("COPY 1:4 Sent", "NO [MESSAGELIMIT 3]").await;
    client.ok("COPY 1:3 Sent").await;
    let lines = client.ok("MOVE 1:* Sent").await;
    assert!(!lines.concat().contains("MESSAGELIMIT"), "{lines:?}");
}
