//! Mailboxes that several people use (RFC 4314, RFC 2342, RFC 8440).

use super::support::{Client, World};

const MAIL: &[u8] = b"From: a@example.test\r\nSubject: secret plans\r\n\r\nwords inside\r\n";
/// How Bob calls Alice's mailboxes.
const HERS: &str = "#shared/alice@example.test";

/// Alice, with a message in INBOX and two in Team; and Bob.
async fn people() -> (World, Client, Client) {
    let world = World::new().await;
    world.deliver("alice@example.test", MAIL).await;
    let mut alice = world.user("alice").await;
    alice.ok("CREATE Team").await;
    alice.ok("CREATE Team/Old").await;
    for _ in 0..2 {
        assert!(alice.append("Team", MAIL).await.starts_with("OK"));
    }
    let bob = world.user("bob").await;
    (world, alice, bob)
}

async fn give(alice: &mut Client, rights: &str) {
    alice
        .ok(&format!("SETACL Team bob@example.test \"{rights}\""))
        .await;
}

#[tokio::test]
async fn rights_are_given_told_and_taken() {
    let (_world, mut alice, mut bob) = people().await;
    let lines = alice.ok("CAPABILITY").await;
    for name in ["ACL", "RIGHTS=texk", "LIST-MYRIGHTS"] {
        assert!(lines[0].split(' ').any(|word| word == name), "{name}");
    }
    let lines = alice.ok("MYRIGHTS Team").await;
    assert_eq!(lines[0], "* MYRIGHTS Team lrswipkxteacd");
    alice.ok("SETACL Team bob@example.test lrs").await;
    alice.ok("SETACL Team bob@example.test +d").await;
    alice.ok("SETACL Team bob@example.test -e").await;
    alice.ok("SETACL Team anyone l").await;
    alice.ok("SETACL Team -bob@example.test s").await;
    let lines = alice.ok("GETACL Team").await;
    assert_eq!(
        lines[0],
        "* ACL Team alice@example.test lrswipkxteacd anyone l bob@example.test lrstd -bob@example.test s"
    );
    let lines = bob.ok(&format!("MYRIGHTS {HERS}/Team")).await;
    assert_eq!(lines[0], format!("* MYRIGHTS {HERS}/Team lrtd"));
    // What is made below begins with the same rights.
    alice.ok("CREATE Team/New").await;
    let lines = bob.ok(&format!("MYRIGHTS {HERS}/Team/New")).await;
    assert_eq!(lines[0], format!("* MYRIGHTS {HERS}/Team/New lrtd"));
    alice.ok("DELETEACL Team -bob@example.test").await;
    let lines = bob.ok(&format!("MYRIGHTS {HERS}/Team")).await;
    assert_eq!(lines[0], format!("* MYRIGHTS {HERS}/Team lrstd"));
    let lines = alice.ok("LISTRIGHTS Team bob@example.test").await;
    assert_eq!(
        lines[0],
        "* LISTRIGHTS Team bob@example.test \"\" l r s w i p k x t e a c d"
    );
    let lines = alice.ok("LISTRIGHTS Team alice@example.test").await;
    assert_eq!(lines[0], "* LISTRIGHTS Team alice@example.test lrswipkxteacd");
    alice
        .refused("SETACL Team alice@example.test lr", "NO [CANNOT]")
        .await;
    alice
        .refused("SETACL Team carol@example.test lr", "NO [CANNOT]")
        .await;
    alice.refused("SETACL Team bob@example.test lrQ", "BAD").await;
    alice
        .refused("SETACL Nowhere bob@example.test lr", "NO [NONEXISTENT]")
        .await;
    // Bob sees Team and may not change who does.
    for command in [
        format!("GETACL {HERS}/Team"),
        format!("SETACL {HERS}/Team bob@example.test lrswipkxtea"),
        format!("DELETEACL {HERS}/Team anyone"),
        format!("LISTRIGHTS {HERS}/Team carol@example.test"),
    ] {
        bob.refused(&command, "NO [NOPERM]").await;
    }
    alice.ok("SETACL Team bob@example.test +a").await;
    bob.ok(&format!("SETACL {HERS}/Team bob@example.test +x")).await;
    bob.refused(
        &format!("SETACL {HERS}/Team alice@example.test \"\""),
        "NO [CANNOT]",
    )
    .await;
}

#[tokio::test]
async fn mailboxes_of_others_are_listed_where_they_may_be_seen() {
    let (_world, mut alice, mut bob) = people().await;
    let lines = bob.ok("NAMESPACE").await;
    assert_eq!(lines[0], "* NAMESPACE ((\"\" \"/\")) ((\"#shared/\" \"/\")) NIL");
    let others = |lines: Vec<String>| -> Vec<String> {
        lines
            .into_iter()
            .filter(|line| line.contains("#shared"))
            .collect()
    };
    assert_eq!(others(bob.ok("LIST \"\" *").await), Vec::<String>::new());
    alice.ok("SETACL Team/Old bob@example.test lr").await;
    alice.ok("SETACL Drafts bob@example.test l").await;
    alice.ok("SETACL Team bob@example.test r").await; // without `l` it is not there
    let drafts = format!("* LIST (\\HasNoChildren) \"/\" {HERS}/Drafts");
    let old = format!("* LIST (\\HasNoChildren) \"/\" {HERS}/Team/Old");
    let wanted = vec![drafts.clone(), old.clone()];
    assert_eq!(others(bob.ok("LIST \"\" *").await), wanted);
    assert_eq!(others(bob.ok("LIST \"#shared/\" *").await), wanted);
    let way = |name: &str| format!("* LIST (\\NonExistent \\HasChildren) \"/\" {name}");
    assert_eq!(others(bob.ok("LIST \"\" %").await), [way("#shared")]);
    assert_eq!(others(bob.ok("LIST \"\" #shared/%").await), [way(HERS)]);
    let lines = others(bob.ok(&format!("LIST \"\" {HERS}/%")).await);
    assert_eq!(lines, [drafts.clone(), way(&format!("{HERS}/Team"))]);
    let lines = bob
        .ok("LIST \"\" #shared/* RETURN (MYRIGHTS STATUS (MESSAGES))")
        .await;
    assert_eq!(
        lines[..lines.len() - 1],
        [
            drafts,
            format!("* MYRIGHTS {HERS}/Drafts l"),
            old,
            format!("* MYRIGHTS {HERS}/Team/Old lr"),
            format!("* STATUS {HERS}/Team/Old (MESSAGES 0)"),
        ]
    );
    // Subscriptions are each one's own.
    bob.ok(&format!("SUBSCRIBE {HERS}/Team/Old")).await;
    bob.refused(&format!("SUBSCRIBE {HERS}/Team"), "NO [NONEXISTENT]")
        .await;
    let lines = others(bob.ok("LIST (SUBSCRIBED) \"\" *").await);
    assert_eq!(
        lines,
        [format!(
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" {HERS}/Team/Old"
        )]
    );
    let lines = others(bob.ok("LSUB \"\" *").await);
    assert_eq!(lines, [format!("* LSUB () \"/\" {HERS}/Team/Old")]);
    alice.ok("DELETEACL Team/Old bob@example.test").await;
    let lines = others(bob.ok("LIST (SUBSCRIBED) \"\" *").await);
    assert_eq!(
        lines,
        [format!(
            "* LIST (\\NonExistent \\Subscribed) \"/\" {HERS}/Team/Old"
        )]
    );
    bob.ok(&format!("UNSUBSCRIBE {HERS}/Team/Old")).await;
    assert_eq!(others(bob.ok("LSUB \"\" *").await), Vec::<String>::new());
}

#[tokio::test]
async fn imp_5_what_may_not_be_seen_is_answered_like_what_does_not_exist() {
    let (_world, mut alice, mut bob) = people().await;
    give(&mut alice, "rswipkxtea").await; // everything but `l`
    for command in [
        "SELECT {}",
        "EXAMINE {}",
        "STATUS {} (MESSAGES)",
        "SUBSCRIBE {}",
        "DELETE {}",
        "RENAME {} {}x",
        "CREATE {}/x",
        "GETACL {}",
        "SETACL {} anyone lr",
        "DELETEACL {} anyone",
        "LISTRIGHTS {} anyone",
        "MYRIGHTS {}",
        "GETQUOTAROOT {}",
        "GETMETADATA {} /shared/comment",
        "SETMETADATA {} (/private/comment \"x\")",
        "APPEND {} {3+}\r\nabc",
    ] {
        let mut said = Vec::new();
        for name in ["Team", "Nowhere"] {
            let command = command.replace("{}", &format!("{HERS}/{name}"));
            said.push(bob.run(&command).await);
        }
        let stranger = command.replace("{}", "#shared/nobody@example.test/Team");
        said.push(bob.run(&stranger).await);
        assert!(said[0][0].starts_with("NO ["), "{command}: {said:?}");
        assert!(said.iter().all(|lines| lines == &said[0]), "{command}: {said:?}");
    }
    assert!(bob.ok("ESEARCH IN (subtree #shared) ALL").await.len() == 1);
    bob.refused(&format!("GETQUOTA {HERS}"), "NO [NONEXISTENT]").await;
    bob.refused("GETQUOTA #shared/nobody@example.test", "NO [NONEXISTENT]")
        .await;
}

#[tokio::test]
async fn messages_are_read_and_changed_as_rights_allow() {
    let (_world, mut alice, mut bob) = people().await;
    let team = format!("{HERS}/Team");
    give(&mut alice, "lr").await;
    let lines = bob.ok(&format!("SELECT {team}")).await;
    assert!(lines.last().unwrap().starts_with("OK [READ-ONLY]"), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("[PERMANENTFLAGS ()]")),
        "{lines:?}"
    );
    let lines = bob.ok("FETCH 1 BODY[TEXT]").await;
    assert!(lines[0].contains("words inside"), "{lines:?}");
    assert_eq!(lines.len(), 2, "\\Seen is not set: {lines:?}");
    assert_eq!(bob.ok("SEARCH TEXT \"words inside\"").await[0], "* SEARCH 1 2");
    assert_eq!(
        bob.ok("SORT (SUBJECT) UTF-8 SUBJECT plans").await[0],
        "* SORT 1 2"
    );
    bob.refused("STORE 1 +FLAGS (\\Seen)", "NO [NOPERM]").await;
    bob.refused("EXPUNGE", "NO [NOPERM]").await;
    bob.refused("MOVE 1 INBOX", "NO [NOPERM]").await;
    bob.ok("COPY 1 INBOX").await;
    bob.refused(&format!("COPY 1 {team}"), "NO [NOPERM]").await;

    give(&mut alice, "lrs").await;
    let lines = bob.ok("NOOP").await;
    assert!(
        lines
            .iter()
            .any(|line| line.contains("[PERMANENTFLAGS (\\Seen)]")),
        "{lines:?}"
    );
    let lines = bob.ok("STORE 1 FLAGS (\\Seen \\Flagged)").await;
    assert!(lines[0].contains("FLAGS (\\Seen \\Recent)"), "{lines:?}");
    bob.refused("STORE 1 +FLAGS (\\Deleted)", "NO [NOPERM]").await;
    // All flags are shared: Alice sees what Bob did, and what she sets stays when he replaces flags.
    alice.ok("SELECT Team").await;
    alice.ok("STORE 1 +FLAGS (\\Flagged)").await;
    let lines = bob.ok("STORE 1 FLAGS ()").await;
    assert!(
        lines.iter().any(|line| line.contains("FLAGS (\\Flagged")),
        "{lines:?}"
    );
    let lines = alice.ok("FETCH 1 FLAGS").await;
    assert!(
        lines.iter().any(|line| line.contains("FLAGS (\\Flagged")),
        "{lines:?}"
    );

    give(&mut alice, "lrit").await;
    bob.ok("NOOP").await;
    let said = bob
        .append(
            &format!("{team} (\\Seen \\Deleted Rare)"),
            b"Subject: x\r\n\r\nx\r\n",
        )
        .await;
    assert!(said.starts_with("OK [APPENDUID"), "{said}");
    let lines = bob.ok("FETCH 3 FLAGS").await;
    assert!(
        lines.iter().any(|line| line.contains("FLAGS (\\Deleted")),
        "{lines:?}"
    );
    bob.ok("STORE 3 +FLAGS (\\Deleted)").await;
    // CLOSE without the right expunges nothing, and closes.
    bob.ok("CLOSE").await;
    assert_eq!(
        bob.ok(&format!("STATUS {team} (MESSAGES)")).await[0],
        format!("* STATUS {team} (MESSAGES 3)")
    );
    give(&mut alice, "lrte").await;
    bob.ok(&format!("SELECT {team}")).await;
    bob.ok("EXPUNGE").await;
    let lines = bob.ok("MOVE 1 INBOX").await;
    assert!(lines[0].starts_with("* OK [COPYUID"), "{lines:?}");
    bob.ok("SELECT INBOX").await;
    let lines = bob.ok("FETCH 1:2 (FLAGS BODY[TEXT])").await;
    assert!(
        lines[0].contains("words inside") && lines[1].contains("words inside"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn mailboxes_are_made_renamed_and_deleted_as_rights_allow() {
    let (_world, mut alice, mut bob) = people().await;
    give(&mut alice, "l").await;
    for command in [
        format!("CREATE {HERS}/Team/Made"),
        format!("CREATE {HERS}/Made"),
        "CREATE #shared/nobody@example.test/Made".to_owned(),
        "CREATE #shared/x".to_owned(),
        "CREATE #shared".to_owned(),
        format!("DELETE {HERS}/Team"),
        format!("RENAME {HERS}/Team {HERS}/Gang"),
    ] {
        bob.refused(&command, "NO [NOPERM]").await;
    }
    give(&mut alice, "lkx").await;
    bob.ok(&format!("CREATE {HERS}/Team/Made/Deep")).await;
    let lines = bob.ok(&format!("MYRIGHTS {HERS}/Team/Made/Deep")).await;
    assert_eq!(lines[0], format!("* MYRIGHTS {HERS}/Team/Made/Deep lkxc"));
    alice.ok("STATUS Team/Made/Deep (MESSAGES)").await;
    bob.ok(&format!("RENAME {HERS}/Team/Made/Deep {HERS}/Team/Moved"))
        .await;
    alice.ok("STATUS Team/Moved (MESSAGES)").await;
    bob.refused(&format!("RENAME {HERS}/Team/Moved Mine"), "NO [CANNOT]")
        .await;
    bob.refused(&format!("RENAME Drafts {HERS}/Team/Drafts"), "NO [CANNOT]")
        .await;
    bob.refused(&format!("RENAME {HERS}/Team/Moved {HERS}/Top"), "NO [NOPERM]")
        .await;
    bob.ok(&format!("DELETE {HERS}/Team/Moved")).await;
    alice
        .refused("STATUS Team/Moved (MESSAGES)", "NO [NONEXISTENT]")
        .await;
    // What stands below Team and may not be seen is not told of.
    bob.ok(&format!("DELETE {HERS}/Team/Made")).await;
    bob.refused(&format!("DELETE {HERS}/Team"), "NO [NOPERM]").await;
    alice.ok("SETACL INBOX bob@example.test lrswipkxtea").await;
    bob.refused(&format!("DELETE {HERS}/INBOX"), "NO [CANNOT]").await;
    bob.refused(&format!("RENAME {HERS}/inbox {HERS}/Team/x"), "NO [CANNOT]")
        .await;
}

#[tokio::test]
async fn quota_and_notes_of_a_shared_mailbox() {
    let (world, mut alice, mut bob) = people().await;
    let team = format!("{HERS}/Team");
    let change = directory::admin::AccountChange {
        quota_bytes: Some(3000),
        ..Default::default()
    };
    world
        .directory
        .set_account("alice@example.test", change)
        .await
        .unwrap();
    give(&mut alice, "lri").await;
    let lines = bob.ok(&format!("GETQUOTAROOT {team}")).await;
    assert_eq!(lines[0], format!("* QUOTAROOT {team} {HERS}"));
    assert!(
        lines[1].starts_with(&format!("* QUOTA {HERS} (STORAGE 1 2")),
        "{lines:?}"
    );
    bob.ok(&format!("GETQUOTA {HERS}")).await;
    let large = [&b"Subject: large\r\n\r\n"[..], &[b'x'; 4000]].concat();
    assert!(bob.append("INBOX", &large).await.starts_with("OK"));
    let said = bob.append(&team, &large).await;
    assert!(said.starts_with("NO [OVERQUOTA]"), "{said}");
    bob.ok("SELECT INBOX").await;
    bob.refused(&format!("COPY 1 {team}"), "NO [OVERQUOTA]").await;

    alice
        .ok("SETMETADATA Team (/shared/comment \"ours\" /private/comment \"hers\")")
        .await;
    bob.ok(&format!("SETMETADATA {team} (/private/comment \"his\")"))
        .await;
    bob.refused(
        &format!("SETMETADATA {team} (/shared/comment \"his\")"),
        "NO [NOPERM]",
    )
    .await;
    let lines = bob
        .ok(&format!("GETMETADATA {team} (/shared/comment /private/comment)"))
        .await;
    assert_eq!(
        lines[0],
        format!("* METADATA {team} (/shared/comment \"ours\" /private/comment \"his\")")
    );
    let lines = bob
        .ok("LIST \"\" #shared/* RETURN (METADATA (/private/comment))")
        .await;
    assert_eq!(lines[1], format!("* METADATA {team} (/private/comment \"his\")"));
    let lines = alice.ok("GETMETADATA Team /private/comment").await;
    assert_eq!(lines[0], "* METADATA Team (/private/comment \"hers\")");
    give(&mut alice, "l").await;
    bob.refused(&format!("GETMETADATA {team} /private/comment"), "NO [NOPERM]")
        .await;
    bob.refused(&format!("GETQUOTAROOT {team}"), "NO [NOPERM]").await;
}

#[tokio::test]
async fn imp_5_whoever_has_it_open_is_told_when_the_rights_go() {
    let (world, mut alice, mut bob) = people().await;
    let team = format!("{HERS}/Team");
    give(&mut alice, "lrs").await;
    bob.ok(&format!("SELECT {team}")).await;
    bob.send(b"i IDLE\r\n").await;
    assert!(bob.line().await.starts_with('+'));
    give(&mut alice, "l").await;
    assert!(bob.line().await.starts_with("* NO [NOPERM]"));
    // Nothing more is told of it.
    assert!(alice.append("Team", MAIL).await.starts_with("OK"));
    world.deliver("bob@example.test", MAIL).await;
    bob.send(b"DONE\r\n").await;
    assert_eq!(bob.until("i").await, ["OK IDLE completed"]);
    for command in [
        "FETCH 1 FLAGS",
        "SEARCH ALL",
        "STORE 1 +FLAGS (\\Seen)",
        "EXPUNGE",
        "COPY 1 INBOX",
        "CHECK",
    ] {
        bob.refused(command, "NO [NOPERM]").await;
    }
    assert_eq!(bob.ok("NOOP").await, ["OK NOOP completed"]);
    bob.ok("STATUS INBOX (MESSAGES)").await;
    bob.refused("ESEARCH IN (selected) ALL", "BAD").await;
    // Given back, it goes on where it was.
    give(&mut alice, "lr").await;
    let lines = bob.ok("NOOP").await;
    assert!(lines.contains(&"* 3 EXISTS".to_owned()), "{lines:?}");
    bob.ok("FETCH 3 FLAGS").await;
    alice.ok("DELETEACL Team bob@example.test").await;
    let lines = bob.run("FETCH 1 FLAGS").await;
    assert!(lines[0].starts_with("* NO [NOPERM]") && lines[1].starts_with("NO [NOPERM]"));
    bob.ok("CLOSE").await;
    bob.refused(&format!("SELECT {team}"), "NO [NONEXISTENT]").await;
}

/// A right does not last as long as somebody can make a message come: it is asked for again when it is whole, and for each URL.
#[tokio::test]
async fn imp_5_a_message_that_comes_slowly_keeps_no_right() {
    let (_world, mut alice, mut bob) = people().await;
    give(&mut alice, "lr").await;
    bob.ok(&format!("SELECT {HERS}/Team")).await;
    for url in [
        ";UID=1".to_owned(),
        "/%23shared/alice@example.test/Team/;UID=1".to_owned(),
    ] {
        let before = format!("URL \"{url}\" TEXT {{1}}\r\n");
        bob.send(format!("s APPEND Drafts CATENATE ({before}").as_bytes())
            .await;
        assert!(bob.line().await.starts_with('+'));
        alice.ok("DELETEACL Team bob@example.test").await;
        bob.send(format!("x URL \"{url}\")\r\n").as_bytes()).await;
        let lines = bob.until("s").await;
        assert!(lines.last().unwrap().starts_with("NO [BADURL"), "{url} {lines:?}");
        give(&mut alice, "lr").await;
    }
    bob.ok("UNSELECT").await;
    for (given, left, said) in [("lri", "lr", "NO [NOPERM]"), ("lri", "", "NO [TRYCREATE]")] {
        give(&mut alice, given).await;
        bob.send(format!("s APPEND {HERS}/Team {{3}}\r\n").as_bytes())
            .await;
        assert!(bob.line().await.starts_with('+'));
        give(&mut alice, left).await;
        bob.send(b"abc\r\n").await;
        let lines = bob.until("s").await;
        assert!(lines.last().unwrap().starts_with(said), "{left} {lines:?}");
    }
    give(&mut alice, "lrite").await;
    bob.ok(&format!("SELECT {HERS}/Team")).await;
    bob.send(b"s UID REPLACE 1 Drafts {3}\r\n").await;
    assert!(bob.line().await.starts_with('+'));
    give(&mut alice, "lr").await;
    bob.send(b"abc\r\n").await;
    let lines = bob.until("s").await;
    assert!(lines.last().unwrap().starts_with("NO [NOPERM]"), "{lines:?}");
    let lines = alice.ok("STATUS Team (MESSAGES)").await;
    assert_eq!(lines[0], "* STATUS Team (MESSAGES 2)");
}

/// Whoever leaves does not take a team's mail along: a disabled owner signs in no more, and what they share stays as it is.
#[tokio::test]
async fn what_a_disabled_owner_shares_stays_shared() {
    let (world, mut alice, mut bob) = people().await;
    give(&mut alice, "lrswi").await;
    world.disable("alice@example.test").await;
    alice.send(b"a NOOP\r\n").await;
    assert!(alice.line().await.starts_with("* BYE"));
    let lines = bob.ok(&format!("LIST \"\" {HERS}/*")).await;
    assert!(lines.iter().any(|line| line.ends_with("/Team")), "{lines:?}");
    bob.ok(&format!("SELECT {HERS}/Team")).await;
    let lines = bob.ok("FETCH 1 (BODY.PEEK[TEXT])").await;
    assert!(
        lines.iter().any(|line| line.contains("words inside")),
        "{lines:?}"
    );
    bob.ok("STORE 1 +FLAGS (\\Seen)").await;
    assert!(bob.append(&format!("{HERS}/Team"), MAIL).await.starts_with("OK"));
}
