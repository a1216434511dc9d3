//! IMAP4rev2 as a mode (RFC 9051): what changes once a client enabled it, after the list of appendix E.

use crate::support::World;

#[tokio::test]
async fn rev2_changes_what_appendix_e_says() {
    let world = World::new().await;
    for _ in 0..2 {
        world
            .deliver("alice@example.test", b"Subject: x\r\n\r\nabc\r\n")
            .await;
    }
    let mut client = world.user("alice").await;
    client.ok("CREATE Entw&APw-rfe").await;
    assert_eq!(client.ok("ENABLE imap4rev2").await[0], "* ENABLED IMAP4rev2");

    // No RECENT, no UNSEEN; the name is told with SELECT.
    let lines = client.ok("SELECT inbox").await;
    let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
    assert!(
        has("* 2 EXISTS") && has("* LIST () \"/\" INBOX") && has("* FLAGS ("),
        "{lines:?}"
    );
    assert!(
        has("* OK [UIDVALIDITY ") && has("* OK [UIDNEXT 3]") && has("* OK [PERMANENTFLAGS ("),
        "{lines:?}"
    );
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("RECENT") || line.contains("[UNSEEN")),
        "{lines:?}"
    );
    let lines = client.ok("FETCH 1:2 FLAGS").await;
    assert_eq!(lines[0], "* 1 FETCH (FLAGS ())");
    world
        .deliver("alice@example.test", b"Subject: y\r\n\r\nabc\r\n")
        .await;
    let lines = client.ok("NOOP").await;
    assert_eq!(lines[0], "* 3 EXISTS");
    assert_eq!(lines.len(), 2, "{lines:?}");

    // SEARCH answers with ESEARCH.
    let lines = client.ok("SEARCH SUBJECT x").await;
    assert!(
        lines[0].starts_with("* ESEARCH (TAG \"t") && lines[0].ends_with(" ALL 1:2"),
        "{lines:?}"
    );
    let lines = client.ok("UID SEARCH SUBJECT nothing").await;
    assert!(
        lines[0].starts_with("* ESEARCH (TAG \"t") && lines[0].ends_with(" UID"),
        "{lines:?}"
    );
    client.ok("SEARCH RETURN (SAVE) SUBJECT y").await;
    let lines = client.ok("FETCH $ (UID)").await;
    assert_eq!(lines[0], "* 3 FETCH (UID 3)");

    // Names are UTF-8 in NFC; others are named by OLDNAME.
    let lines = client.ok("LIST \"\" Entw*").await;
    assert_eq!(lines[0], "* LIST (\\HasNoChildren) \"/\" \"Entw\u{fc}rfe\"");
    let lines = client.ok("CREATE \"Bu\u{308}cher\"").await;
    assert_eq!(
        lines[0],
        "* LIST () \"/\" \"B\u{fc}cher\" (\"OLDNAME\" (\"Bu\u{308}cher\"))"
    );
    let lines = client.ok("RENAME \"B\u{fc}cher\" Books").await;
    assert_eq!(lines[0], "* LIST () \"/\" Books (\"OLDNAME\" (\"B\u{fc}cher\"))");
    let lines = client.ok("STATUS INBOX (MESSAGES DELETED SIZE UNSEEN)").await;
    assert_eq!(lines[0], "* STATUS INBOX (MESSAGES 3 DELETED 0 SIZE 57 UNSEEN 3)");

    // The old mailbox is closed before the new one is told of; codes of RFC 9051 \u{a7}7.1.
    let lines = client.ok("SELECT Books").await;
    assert!(lines[0].starts_with("* OK [CLOSED]"), "{lines:?}");
    client.ok("CREATE Books/Old").await;
    client.refused("DELETE Books", "NO [HASCHILDREN]").await;
    client.refused("CREATE Books", "NO [ALREADYEXISTS]").await;
    client.refused("DELETE Nowhere", "NO [NONEXISTENT]").await;
    client.ok("UNSELECT").await;
    client.ok("NAMESPACE").await;

    // Another session is as before.
    let mut other = world.user("alice").await;
    let lines = other.ok("SELECT INBOX").await;
    assert!(lines.iter().any(|line| line.ends_with(" RECENT")), "{lines:?}");
    assert!(other.ok("SEARCH ALL").await[0].starts_with("* SEARCH"));
}
