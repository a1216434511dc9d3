//! Commands about mailboxes.

use crate::support::World;

#[tokio::test]
async fn lists_show_the_tree() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    assert_eq!(
        client.ok("LIST \"\" \"\"").await[0],
        "* LIST (\\Noselect) \"/\" \"\""
    );
    let lines = client.ok("LIST \"\" *").await;
    assert_eq!(lines[0], "* LIST (\\HasNoChildren) \"/\" INBOX");
    assert!(
        lines.contains(&"* LIST (\\HasNoChildren \\Sent) \"/\" Sent".to_owned()),
        "{lines:?}"
    );
    client.ok("CREATE Work/Plans/").await;
    client.ok("CREATE \"Entw&APw-rfe\"").await;
    client.ok("CREATE Stuff (USE (\\Archive))").await;
    client.refused("CREATE Work", "NO [ALREADYEXISTS]").await;
    client
        .refused("CREATE Flags (USE (\\Flagged))", "NO [USEATTR]")
        .await;
    let lines = client.ok("LIST \"\" %").await;
    assert!(
        lines.contains(&"* LIST (\\HasChildren) \"/\" Work".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"* LIST (\\HasNoChildren) \"/\" Entw&APw-rfe".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"* LIST (\\HasNoChildren \\Archive) \"/\" Stuff".to_owned()),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains("Plans")), "{lines:?}");

    client.ok("UNSUBSCRIBE Work").await;
    client.ok("SUBSCRIBE Work/Plans").await;
    let lines = client.ok("LSUB \"\" %").await;
    assert!(
        lines.contains(&"* LSUB (\\Noselect) \"/\" Work".to_owned()),
        "{lines:?}"
    );
    let lines = client.ok("LIST (SUBSCRIBED) \"\" W*").await;
    assert_eq!(lines[0], "* LIST (\\HasNoChildren \\Subscribed) \"/\" Work/Plans");
    let lines = client.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" W%").await;
    assert_eq!(
        lines[0],
        "* LIST (\\HasChildren) \"/\" Work (\"CHILDINFO\" (\"SUBSCRIBED\"))"
    );
    client.ok("UNSUBSCRIBE Work/Plans").await;
    client.ok("UNSUBSCRIBE Gone").await;
    client.refused("SUBSCRIBE Gone", "NO [NONEXISTENT]").await;

    client.ok("RENAME Work Attic/Work").await;
    let lines = client.ok("LIST Attic/ *").await;
    assert_eq!(lines.len(), 3, "{lines:?}");
    client.refused("DELETE Attic", "NO [HASCHILDREN]").await;
    client.refused("DELETE INBOX", "NO [CANNOT]").await;
    client.refused("DELETE Nowhere", "NO [NONEXISTENT]").await;
    client.ok("DELETE Attic/Work/Plans").await;
    client
        .refused("SELECT Attic/Work/Plans", "NO [NONEXISTENT]")
        .await;
}

#[tokio::test]
async fn status_and_select_agree() {
    let world = World::new().await;
    for _ in 0..3 {
        world
            .deliver("alice@example.test", b"Subject: x\r\n\r\nabc\r\n")
            .await;
    }
    let mut client = world.user("alice").await;
    let lines = client
        .ok("STATUS INBOX (MESSAGES RECENT UIDNEXT UNSEEN SIZE DELETED)")
        .await;
    assert_eq!(
        lines[0],
        "* STATUS INBOX (MESSAGES 3 RECENT 3 UIDNEXT 4 UNSEEN 3 SIZE 57 DELETED 0)"
    );
    let lines = client
        .ok("LIST \"\" INBOX RETURN (STATUS (MESSAGES UNSEEN))")
        .await;
    assert_eq!(lines[1], "* STATUS INBOX (MESSAGES 3 UNSEEN 3)");
    let lines = client.ok("SELECT INBOX").await;
    let has = |start: &str| {
        assert!(
            lines.iter().any(|line| line.starts_with(start)),
            "{start}: {lines:?}"
        )
    };
    has("* 3 EXISTS");
    has("* 3 RECENT");
    has("* OK [UNSEEN 1]");
    has("* OK [UIDNEXT 4]");
    has("* OK [UIDVALIDITY ");
    has("* OK [HIGHESTMODSEQ ");
    has("* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)]");
    has("OK [READ-WRITE]");
    let lines = client.ok("EXAMINE INBOX").await;
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("* OK [PERMANENTFLAGS ()]")),
        "{lines:?}"
    );
    assert!(lines.last().unwrap().starts_with("OK [READ-ONLY]"), "{lines:?}");
    client.refused("STORE 1 +FLAGS (\\Seen)", "NO [READ-ONLY]").await;
    client.refused("EXPUNGE", "NO [READ-ONLY]").await;
    client.ok("UNSELECT").await;
    client.refused("FETCH 1 FLAGS", "BAD").await;
    let lines = client
        .ok("STATUS INBOX (APPENDLIMIT MAILBOXID HIGHESTMODSEQ UIDVALIDITY)")
        .await;
    assert!(
        lines[0].contains("APPENDLIMIT 4194304") && lines[0].contains("MAILBOXID (f"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn small_commands_answer() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    assert_eq!(
        client.ok("NAMESPACE").await[0],
        "* NAMESPACE ((\"\" \"/\")) ((\"#shared/\" \"/\")) NIL"
    );
    assert!(client.ok("ID NIL").await[0].starts_with("* ID (\"name\" \"Hearthpost\""));
    assert_eq!(
        client.ok("ENABLE CONDSTORE X-UNKNOWN").await[0],
        "* ENABLED CONDSTORE"
    );
    client.ok("NOOP").await;
    client.refused("CHECK", "BAD").await;
    client.refused("LOGIN a b", "BAD").await;
    client.refused("BOGUS", "BAD").await;
    let lines = client.ok("LOGOUT").await;
    assert!(lines[0].starts_with("* BYE"));
    assert_eq!(client.line().await, "");
}

/// IMP-4: names are refused or plain; nothing appears outside the store.
#[tokio::test]
async fn imp_4_names_are_refused_or_plain() {
    let world = World::new().await;
    let files = || {
        let mut names: Vec<String> = Vec::new();
        let mut open = vec![world.dir.path().to_owned()];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                names.push(path.display().to_string());
                if path.is_dir() {
                    open.push(path);
                }
            }
        }
        names.sort();
        names
    };
    let before = files();
    let mut client = world.user("alice").await;
    let long = "x".repeat(10_000);
    for name in [
        "\"../x\"",
        "\"/etc/passwd\"",
        "\"a/../../b\"",
        "\"..\"",
        "\".\"",
        "\"a//b\"",
        "\"\"",
        &long,
        "\"&AC8-etc&AC8-passwd\"",
        "\"&AC4ALg-/x\"",
        "inbox",
        "InBoX",
    ] {
        for command in [format!("CREATE {name}"), format!("RENAME Archive {name}")] {
            let lines = client.run(&command).await;
            let last = lines.last().unwrap();
            assert!(
                last.starts_with("NO") || last.starts_with("BAD"),
                "{command}: {lines:?}"
            );
        }
    }
    client.ok("CREATE ...").await;
    client.ok("CREATE \"C:\\\\x\"").await;
    let lines = client.ok("LIST \"\" *").await;
    assert_eq!(
        lines.len(),
        9,
        "INBOX, five made at first, two plain ones, OK: {lines:?}"
    );
    assert_eq!(files(), before, "nothing was made beside the store's own files");
    client.ok("SELECT inbox").await;
    client.ok("SELECT iNbOx").await;
}

#[tokio::test]
async fn the_open_mailbox_may_be_deleted_by_another() {
    let world = World::new().await;
    let mut one = world.user("alice").await;
    let mut other = world.user("alice").await;
    one.ok("SELECT Trash").await;
    other.ok("DELETE Trash").await;
    one.send(b"a NOOP\r\n").await;
    assert!(one.line().await.starts_with("* BYE"));
}

#[tokio::test]
async fn imp_5_people_see_only_their_own() {
    let world = World::new().await;
    world
        .deliver("bob@example.test", b"Subject: secret\r\n\r\nx\r\n")
        .await;
    let mut bob = world.user("bob").await;
    bob.ok("CREATE Hidden").await;
    let mut alice = world.user("alice").await;
    let lines = alice.ok("LIST \"\" *").await;
    assert!(!lines.iter().any(|line| line.contains("Hidden")), "{lines:?}");
    alice.refused("SELECT Hidden", "NO [NONEXISTENT]").await;
    alice
        .refused("STATUS Hidden (MESSAGES)", "NO [NONEXISTENT]")
        .await;
    let lines = alice.ok("SELECT INBOX").await;
    assert!(lines.contains(&"* 0 EXISTS".to_owned()), "{lines:?}");
}
