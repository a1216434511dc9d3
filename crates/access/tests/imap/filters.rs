//! Saved searches (RFC 5466).

use crate::support::World;

const BOSS: &[u8] = b"From: boss@example.com\r\nSubject: now\r\n\r\nx\r\n";
const OTHER: &[u8] = b"From: friend@example.com\r\nSubject: soon\r\n\r\nx\r\n";

#[tokio::test]
async fn saved_searches_are_kept_and_used() {
    let world = World::new().await;
    for message in [BOSS, OTHER, BOSS] {
        world.deliver("alice@example.test", message).await;
    }
    let mut client = world.inbox().await;
    client.ok("STORE 1 +FLAGS.SILENT (\\Seen)").await;
    let set = "SETMETADATA \"\" (\"/private/filters/values/Boss\" \"FROM \\\"boss@example.com\\\"\" /private/filters/values/new \"UNSEEN FILTER boss\")";
    client.ok(set).await;
    for (search, found) in [
        ("SEARCH FILTER boss", "* SEARCH 1 3"),
        ("SEARCH NOT FILTER BOSS", "* SEARCH 2"),
        ("UID SEARCH UID 1:2 FILTER boss", "* SEARCH 1"),
        ("SEARCH FILTER new", "* SEARCH 3"),
        ("SEARCH NOT FILTER new", "* SEARCH 1 2"),
        ("SORT (REVERSE ARRIVAL) UTF-8 FILTER new", "* SORT 3"),
        ("THREAD REFERENCES UTF-8 FILTER new", "* THREAD (3)"),
    ] {
        assert_eq!(client.ok(search).await[0], found, "{search}");
    }
    let found = &client
        .ok("ESEARCH IN (personal) RETURN (COUNT) FILTER boss")
        .await[0];
    assert!(found.ends_with("UID COUNT 2"), "{found}");
    let kept = client.ok("GETMETADATA \"\" /private/filters/values/boss").await;
    assert!(kept[0].contains("FROM \\\"boss@example.com\\\""), "{kept:?}");
    // Another session of the same person has them, another person does not.
    let mut second = world.inbox().await;
    assert_eq!(second.ok("SEARCH FILTER boss").await[0], "* SEARCH 1 3");
    let mut bob = world.user("bob").await;
    bob.ok("SELECT INBOX").await;
    let undefined = "NO [UNDEFINED-FILTER boss]";
    bob.refused("SEARCH FILTER boss", undefined).await;
    client
        .ok("SETMETADATA \"\" (/private/filters/values/boss NIL)")
        .await;
    client.refused("SEARCH FILTER boss", undefined).await;
    client.refused("SEARCH FILTER new", undefined).await;
}

#[tokio::test]
async fn what_is_no_search_is_not_saved() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    for (entry, value, refusal) in [
        ("/private/filters/values/a", "OR SMALLER", "NO [CANNOT]"),
        ("/private/filters/values/a", "ALL ", "NO [CANNOT]"),
        ("/private/filters/values/a/b", "ALL", "NO [CANNOT]"),
        ("/shared/filters/values/a", "ALL", "NO [NOPERM]"),
    ] {
        let set = format!("SETMETADATA \"\" ({entry} \"{value}\")");
        client.refused(&set, refusal).await;
    }
    let long = "SEEN ".repeat(2000);
    let set = format!(
        "SETMETADATA \"\" (/private/filters/values/a {{{}+}}\r\n{long})",
        long.len()
    );
    client.refused(&set, "NO [METADATA MAXSIZE 8192]").await;
    // Of a mailbox it is a note like any other.
    client
        .ok("SETMETADATA INBOX (/private/filters/values/a \"OR SMALLER\")")
        .await;
    client.refused("SEARCH FILTER a", "NO [UNDEFINED-FILTER a]").await;
    client
        .refused("SEARCH CHARSET ISO-8859-1 FILTER a", "BAD [BADCHARSET")
        .await;
}

#[tokio::test]
async fn saved_searches_keep_to_the_rules_of_the_command() {
    let world = World::new().await;
    world.deliver("alice@example.test", BOSS).await;
    let mut client = world.inbox().await;
    client
        .ok("SETMETADATA \"\" (/private/filters/values/first \"1\" /private/filters/values/none \"2\")")
        .await;
    assert_eq!(client.ok("SEARCH FILTER first").await[0], "* SEARCH 1");
    client.refused("SEARCH FILTER none", "BAD").await;
    client.refused("ESEARCH IN (personal) FILTER first", "BAD").await;
    client.ok("SEARCH RETURN (SAVE) ALL").await;
    client
        .refused(
            "SEARCH RETURN (SAVE) FILTER absent",
            "NO [UNDEFINED-FILTER absent]",
        )
        .await;
    assert_eq!(
        client.ok("SEARCH RETURN (COUNT) $").await[0],
        "* ESEARCH (TAG \"t9\") COUNT 0"
    );
    client.ok("ENABLE UIDONLY").await;
    client
        .refused("UID SEARCH FILTER first", "BAD [UIDREQUIRED]")
        .await;
}
