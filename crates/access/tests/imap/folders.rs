//! Names in UTF-8, LIST in full, quotas, metadata: the mailbox side of the extensions.

use crate::support::{PASSWORD, World};

#[tokio::test]
async fn utf8_accept_takes_names_as_they_are() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    client.ok("CREATE Entw&APw-rfe").await;
    client.refused("CREATE \"B\u{fc}cher\"", "NO [CANNOT]").await;
    assert_eq!(client.ok("ENABLE utf8=accept").await[0], "* ENABLED UTF8=ACCEPT");
    let lines = client.ok("LIST \"\" Entw*").await;
    assert_eq!(lines[0], "* LIST (\\HasNoChildren) \"/\" \"Entw\u{fc}rfe\"");
    client.ok("CREATE \"B\u{fc}cher\"").await;
    client.ok("CREATE \"Ta&APw-l\"").await;
    let lines = client.ok("STATUS \"B\u{fc}cher\" (MESSAGES)").await;
    assert_eq!(lines[0], "* STATUS \"B\u{fc}cher\" (MESSAGES 0)");
    let lines = client.ok("LIST \"\" \"B\u{fc}*\"").await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    client.ok("SELECT \"Bu\u{308}cher\"").await;
    client.refused("SEARCH CHARSET UTF-8 ALL", "BAD").await;
    client
        .refused("CREATE \"B\u{fc}cher\"", "NO [ALREADYEXISTS]")
        .await;
    let mut other = world.user("alice").await;
    let lines = other.ok("LIST \"\" *").await;
    assert!(
        lines.contains(&"* LIST (\\HasNoChildren) \"/\" B&APw-cher".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"* LIST (\\HasNoChildren) \"/\" Ta&-APw-l".to_owned()),
        "{lines:?}"
    );
}

#[tokio::test]
async fn list_extended_selects_and_returns() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    for name in ["Work/Plans", "Work/Old/2020", "News"] {
        client.ok(&format!("CREATE {name}")).await;
    }
    for name in [
        "Work", "Work/Old", "News", "Archive", "Drafts", "Junk", "Sent", "Trash",
    ] {
        client.ok(&format!("UNSUBSCRIBE {name}")).await;
    }
    // RFC 5258 \u{a7}3.1: names are selected by subscription; those above by RECURSIVEMATCH.
    let lines = client.ok("LIST (SUBSCRIBED) \"\" *").await;
    assert_eq!(
        lines[..3],
        [
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX",
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" Work/Old/2020",
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" Work/Plans",
        ]
    );
    let lines = client.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %").await;
    assert_eq!(
        lines[1],
        "* LIST (\\HasChildren) \"/\" Work (\"CHILDINFO\" (\"SUBSCRIBED\"))"
    );
    assert_eq!(lines.len(), 3, "{lines:?}");
    client.refused("LIST (RECURSIVEMATCH) \"\" *", "BAD").await;
    client.refused("LIST (REMOTE RECURSIVEMATCH) \"\" *", "BAD").await;
    client.refused("LIST (BOGUS) \"\" *", "BAD").await;
    client.refused("LIST \"\" * RETURN (BOGUS)", "BAD").await;
    // REMOTE adds nothing, as there is nothing remote; several patterns are one question.
    let lines = client
        .ok("LIST (REMOTE) \"\" (INBOX News \"Work/%\") RETURN (CHILDREN SUBSCRIBED)")
        .await;
    assert_eq!(
        lines[..4],
        [
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX",
            "* LIST (\\HasNoChildren) \"/\" News",
            "* LIST (\\HasChildren) \"/\" Work/Old",
            "* LIST (\\HasNoChildren \\Subscribed) \"/\" Work/Plans",
        ]
    );
    let lines = client.ok("LIST (SPECIAL-USE) \"\" * RETURN (SPECIAL-USE)").await;
    assert!(
        lines.contains(&"* LIST (\\HasNoChildren \\Sent) \"/\" Sent".to_owned()),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains("INBOX")), "{lines:?}");
    // RFC 3501 \u{a7}6.3.6: a name stays subscribed when its mailbox goes.
    for name in ["Work/Old/2020", "Work/Old", "Work/Plans", "Work"] {
        client.ok(&format!("DELETE {name}")).await;
    }
    let lines = client.ok("LIST (SUBSCRIBED) \"\" W*").await;
    assert_eq!(
        lines[..2],
        [
            "* LIST (\\NonExistent \\Subscribed) \"/\" Work/Old/2020",
            "* LIST (\\NonExistent \\Subscribed) \"/\" Work/Plans",
        ]
    );
    let lines = client
        .ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" W% RETURN (STATUS (MESSAGES))")
        .await;
    assert_eq!(
        lines[..lines.len() - 1],
        ["* LIST (\\NonExistent) \"/\" Work (\"CHILDINFO\" (\"SUBSCRIBED\"))"]
    );
    assert_eq!(
        client.ok("LIST \"\" W*").await.len(),
        1,
        "what is not there is not listed"
    );
    assert_eq!(
        client.ok("LSUB \"\" W%").await[0],
        "* LSUB (\\Noselect) \"/\" Work"
    );
    client.ok("CREATE Work/Plans").await;
    client.ok("UNSUBSCRIBE Work/Old/2020").await;
    client.ok("UNSUBSCRIBE Work").await;
    let lines = client.ok("LIST (SUBSCRIBED) \"\" W*").await;
    assert_eq!(lines[0], "* LIST (\\HasNoChildren \\Subscribed) \"/\" Work/Plans");
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[tokio::test]
async fn quotas_are_told_and_not_set() {
    let world = World::new().await;
    world.deliver("alice@example.test", &[b'x'; 3000]).await;
    let mut client = world.user("alice").await;
    let lines = client.ok("GETQUOTAROOT INBOX").await;
    assert_eq!(
        lines[..2],
        ["* QUOTAROOT INBOX mail", "* QUOTA mail (MAILBOX 6 10000)"]
    );
    let account = world.account("alice@example.test").await;
    let limit = store::contract::Op::SetAccount {
        account,
        credential: None,
        quota_bytes: Some(4096),
        enabled: None,
        settings: None,
    };
    use store::contract::Store as _;
    let _done = world
        .store
        .commit(store::contract::Batch::urgent(limit))
        .await
        .unwrap();
    assert_eq!(
        client.ok("GETQUOTA mail").await[0],
        "* QUOTA mail (STORAGE 3 4 MAILBOX 6 10000)"
    );
    client.ok("GETQUOTAROOT \"not made yet\"").await;
    client.refused("GETQUOTA other", "NO [NONEXISTENT]").await;
    client.refused("SETQUOTA mail (STORAGE 99)", "NO [NOPERM]").await;
    let said = client.append("INBOX", &[b'y'; 2000]).await;
    assert!(said.starts_with("NO [OVERQUOTA]"), "{said}");
    client.ok("SELECT INBOX").await;
    client.refused("COPY 1 Archive", "NO [OVERQUOTA]").await;
    client.ok("STORE 1 +FLAGS (\\Deleted)").await;
    let lines = client.ok("STATUS INBOX (DELETED DELETED-STORAGE SIZE)").await;
    assert_eq!(
        lines[0],
        "* STATUS INBOX (DELETED 1 DELETED-STORAGE 3000 SIZE 3000)"
    );
    client.ok("EXPUNGE").await;
    let lines = client.ok("STATUS INBOX (DELETED-STORAGE)").await;
    assert_eq!(lines[0], "* STATUS INBOX (DELETED-STORAGE 0)");
}

#[tokio::test]
async fn metadata_is_kept_and_told() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    client.ok("SETMETADATA INBOX (/private/comment \"mine\" /Shared/Vendor/x/Color \"red\" /private/a/b \"1\" /private/a/b/c \"2\")").await;
    client
        .ok("SETMETADATA \"\" (/private/comment \"about me\")")
        .await;
    let lines = client
        .ok("GETMETADATA INBOX (/private/comment /shared/comment)")
        .await;
    assert_eq!(
        lines[0],
        "* METADATA INBOX (/private/comment \"mine\" /shared/comment NIL)"
    );
    let lines = client.ok("GETMETADATA (DEPTH infinity) INBOX /private/a").await;
    assert_eq!(
        lines[0],
        "* METADATA INBOX (/private/a/b \"1\" /private/a/b/c \"2\")"
    );
    let lines = client
        .ok("GETMETADATA (DEPTH 1) INBOX (/private/a /private)")
        .await;
    assert_eq!(
        lines[0],
        "* METADATA INBOX (/private/a/b \"1\" /private/comment \"mine\")"
    );
    let lines = client
        .ok("GETMETADATA (MAXSIZE 3) INBOX (/private/comment /private/a/b)")
        .await;
    assert_eq!(
        lines,
        [
            "* METADATA INBOX (/private/a/b \"1\")",
            "OK [METADATA LONGENTRIES 4] GETMETADATA completed"
        ]
    );
    let lines = client.ok("GETMETADATA \"\" /private/comment").await;
    assert_eq!(lines[0], "* METADATA \"\" (/private/comment \"about me\")");
    client
        .refused("SETMETADATA \"\" (/shared/comment \"x\")", "NO [NOPERM]")
        .await;
    client
        .refused("GETMETADATA Nowhere /private/comment", "NO [NONEXISTENT]")
        .await;
    let large = format!(
        "SETMETADATA INBOX (/private/x {{65536+}}\r\n{})",
        "x".repeat(65_536)
    );
    client.ok(&large).await;
    let lines = client
        .ok("LIST \"\" (INBOX Trash) RETURN (METADATA (/private/comment))")
        .await;
    assert_eq!(
        lines[..4],
        [
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* METADATA INBOX (/private/comment \"mine\")",
            "* LIST (\\HasNoChildren \\Trash) \"/\" Trash",
            "* METADATA Trash (/private/comment NIL)",
        ]
    );
    // Others see nothing of it; it goes with its mailbox, and comes along when that is renamed.
    let mut bob = world.user("bob").await;
    let lines = bob.ok("GETMETADATA INBOX /private/comment").await;
    assert_eq!(lines[0], "* METADATA INBOX (/private/comment NIL)");
    client.ok("CREATE Work").await;
    client.ok("SETMETADATA Work (/private/comment \"w\")").await;
    client.ok("RENAME Work Play").await;
    let lines = client.ok("GETMETADATA Play /private/comment").await;
    assert_eq!(lines[0], "* METADATA Play (/private/comment \"w\")");
    client.ok("DELETE Play").await;
    client.ok("CREATE Play").await;
    let lines = client.ok("GETMETADATA Play /private/comment").await;
    assert_eq!(lines[0], "* METADATA Play (/private/comment NIL)");
    client.ok("SETMETADATA INBOX (/private/comment NIL)").await;
    let lines = client.ok("GETMETADATA INBOX /private/comment").await;
    assert_eq!(lines[0], "* METADATA INBOX (/private/comment NIL)");
}

#[tokio::test]
async fn the_language_is_english() {
    let world = World::new().await;
    let mut client = world.secure().await;
    assert_eq!(client.ok("LANGUAGE").await[0], "* LANGUAGE (EN I-DEFAULT)");
    assert_eq!(client.ok("LANGUAGE de en-GB").await[0], "* LANGUAGE (EN)");
    assert_eq!(client.ok("LANGUAGE default").await[0], "* LANGUAGE (I-DEFAULT)");
    client.refused("LANGUAGE de fr", "NO [CANNOT]").await;
}

#[tokio::test]
async fn unauthenticate_forgets_who_it_was() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    client.ok("ENABLE UTF8=ACCEPT CONDSTORE").await;
    client.ok("SELECT INBOX").await;
    client.ok("UNAUTHENTICATE").await;
    client.refused("SELECT INBOX", "BAD").await;
    client.refused("UNAUTHENTICATE", "BAD").await;
    let lines = client.ok("CAPABILITY").await;
    assert!(
        lines[0].contains("AUTH=PLAIN") && lines[0].contains("LITERAL-"),
        "{lines:?}"
    );
    // The limits before sign-in hold again (IMP-1).
    client.refused("LOGIN {9000}", "NO [TOOBIG]").await;
    client.ok(&format!("LOGIN bob@example.test \"{PASSWORD}\"")).await;
    client.refused("CREATE \"B\u{fc}cher\"", "NO [CANNOT]").await;
    let lines = client.ok("SELECT INBOX").await;
    assert!(lines.contains(&"* 0 EXISTS".to_owned()));
}

#[tokio::test]
async fn objects_keep_their_identifiers() {
    let world = World::new().await;
    world
        .deliver("alice@example.test", b"Subject: x\r\n\r\nx\r\n")
        .await;
    let mut client = world.user("alice").await;
    let id = |text: &str, name: &str| {
        let from = text.find(&format!("{name} (")).unwrap() + name.len() + 2;
        text[from..].split(')').next().unwrap().to_owned()
    };
    let created = client.ok("CREATE Work").await.pop().unwrap();
    let work = id(&created, "MAILBOXID");
    let status = |lines: Vec<String>| id(&lines[0], "MAILBOXID");
    assert_eq!(status(client.ok("STATUS Work (MAILBOXID)").await), work);
    client.ok("RENAME Work Play").await;
    assert_eq!(status(client.ok("STATUS Play (MAILBOXID)").await), work);
    let lines = client.ok("SELECT INBOX").await;
    let inbox = lines.iter().find(|line| line.contains("MAILBOXID")).unwrap();
    assert_ne!(id(inbox, "MAILBOXID"), work);
    let lines = client.ok("FETCH 1 (EMAILID THREADID)").await;
    assert!(
        lines[0].contains("THREADID NIL"),
        "a server without threads says so: {lines:?}"
    );
    let email = id(&lines[0], "EMAILID");
    client.ok("COPY 1 Play").await;
    assert!(client.ok(&format!("SEARCH EMAILID {email}")).await[0].ends_with(" 1"));
    client.ok("SELECT Play").await;
    let lines = client.ok("FETCH 1 (EMAILID)").await;
    assert_eq!(id(&lines[0], "EMAILID"), email, "a copy is the same mail");
    client.ok("DELETE Play").await;
}
