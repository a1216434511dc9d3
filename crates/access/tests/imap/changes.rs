//! APPEND of several messages, REPLACE.

use directory::admin::AccountChange;

use crate::support::World;

const ONE: &[u8] = b"Subject: one\r\n\r\n1\r\n";
const TWO: &[u8] = b"Subject: two\r\n\r\n22\r\n";

fn literal(message: &[u8]) -> String {
    format!("{{{}+}}\r\n{}", message.len(), String::from_utf8_lossy(message))
}

#[tokio::test]
async fn several_messages_come_in_one_append() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    let both = format!(
        "APPEND INBOX (\\Seen) {} (\\Flagged $Work) \" 1-Jan-2020 00:00:00 +0000\" {}",
        literal(ONE),
        literal(TWO)
    );
    let lines = client.ok(&both).await;
    assert_eq!(lines[0], "* 2 EXISTS", "one commit: {lines:?}");
    assert!(
        lines.last().unwrap().contains("[APPENDUID") && lines.last().unwrap().contains(" 1:2]"),
        "{lines:?}"
    );
    let lines = client.ok("FETCH 1:2 (FLAGS INTERNALDATE RFC822.SIZE)").await;
    assert!(
        lines[0].contains("\\Seen") && lines[0].contains("RFC822.SIZE 19"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains("\\Flagged") && lines[1].contains("$Work") && lines[1].contains("2020"),
        "{lines:?}"
    );

    // The same with synchronising literals.
    client
        .send(format!("s APPEND INBOX {{{}}}\r\n", ONE.len()).as_bytes())
        .await;
    assert!(client.line().await.starts_with('+'));
    client.send(ONE).await;
    client
        .send(format!(" (\\Draft) {{{}}}\r\n", TWO.len()).as_bytes())
        .await;
    assert!(client.line().await.starts_with('+'));
    client.send(TWO).await;
    client.send(b"\r\n").await;
    let lines = client.until("s").await;
    assert!(lines.last().unwrap().contains(" 3:4]"), "{lines:?}");

    // All or nothing: one that is wrong takes the others with it, and nothing of it is taken for a command (IMP-9).
    for (more, said) in [
        (" (\\Bogus) {4+}\r\nabcd".to_owned(), "BAD"),
        (" {0+}\r\n".to_owned(), "NO [CANNOT]"),
        (" {99999999+}\r\n".to_owned(), "NO [TOOBIG]"),
        (" x LOGOUT".to_owned(), "BAD"),
        (" x {10+}\r\nb LOGOUT\r\n".to_owned(), "BAD"),
    ] {
        let command = format!("APPEND INBOX {}{more}", literal(ONE));
        if more.contains("99999999") {
            continue;
        }
        client.refused(&command, said).await;
    }
    let lines = client.ok("STATUS Sent (MESSAGES)").await;
    assert_eq!(lines[0], "* STATUS Sent (MESSAGES 0)");
    let lines = client.ok("NOOP").await;
    assert_eq!(lines.len(), 1, "nothing came: {lines:?}");
    let many = literal(ONE) + &format!(" {}", literal(ONE)).repeat(500);
    client
        .refused(&format!("APPEND INBOX {many}"), "NO [LIMIT]")
        .await;
    client.ok("NOOP").await;
}

#[tokio::test]
async fn messages_in_utf8_parentheses_are_taken() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    client.ok("ENABLE UTF8=ACCEPT").await;
    let message = "Subject: gr\u{fc}n\r\n\r\nx\r\n";
    let command = format!(
        "APPEND INBOX (\\Seen) UTF8 (~{{{}+}}\r\n{message})",
        message.len()
    );
    let lines = client.ok(&command).await;
    assert_eq!(lines[0], "* 1 EXISTS");
    let twice = format!("{} UTF8 (~{{{}+}}\r\n{message})", &command, message.len());
    assert_eq!(client.ok(&twice).await[0], "* 3 EXISTS");
    let torn = format!("APPEND INBOX UTF8 (~{{{}+}}\r\n{message}", message.len());
    client.refused(&torn, "BAD").await;
    let lines = client.ok("FETCH 1 BODY.PEEK[]").await;
    assert!(lines[0].contains("gr\u{fc}n"), "{lines:?}");
}

#[tokio::test]
async fn a_draft_is_replaced_in_one_step() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    assert!(client.append("Drafts", ONE).await.starts_with("OK"));
    assert!(client.append("Drafts", ONE).await.starts_with("OK"));
    client
        .refused(&format!("REPLACE 1 Drafts {}", literal(TWO)), "BAD")
        .await;
    client.ok("SELECT Drafts").await;
    let mut other = world.user("alice").await;
    other.ok("SELECT Drafts").await;
    let lines = client
        .ok(&format!("REPLACE 1 Drafts (\\Draft) {}", literal(TWO)))
        .await;
    assert!(
        lines[0].starts_with("* OK [APPENDUID ") && lines[0].contains(" 3]"),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"* 1 EXPUNGE".to_owned()) && lines.contains(&"* 2 EXISTS".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.last().unwrap().starts_with("OK REPLACE completed"),
        "{lines:?}"
    );
    let lines = other.ok("NOOP").await;
    assert!(
        lines.contains(&"* 1 EXPUNGE".to_owned()) && lines.contains(&"* 2 EXISTS".to_owned()),
        "{lines:?}"
    );
    let lines = client
        .ok(&format!("UID REPLACE 3 Archive {}", literal(ONE)))
        .await;
    assert!(
        lines[0].starts_with("* OK [APPENDUID ") && lines.contains(&"* 2 EXPUNGE".to_owned()),
        "{lines:?}"
    );
    assert_eq!(
        client.ok("STATUS Archive (MESSAGES)").await[0],
        "* STATUS Archive (MESSAGES 1)"
    );
    // What is not there is not replaced, and nothing is added.
    client
        .refused(
            &format!("UID REPLACE 3 Drafts {}", literal(ONE)),
            "NO [NONEXISTENT]",
        )
        .await;
    client
        .refused(&format!("REPLACE 9 Drafts {}", literal(ONE)), "BAD")
        .await;
    client
        .refused(&format!("REPLACE 1 Nowhere {}", literal(ONE)), "NO [TRYCREATE]")
        .await;
    client
        .refused(
            &format!("REPLACE 1 Drafts {} {}", literal(ONE), literal(ONE)),
            "NO [LIMIT]",
        )
        .await;
    client.ok("EXAMINE Drafts").await;
    client
        .refused(&format!("REPLACE 1 Drafts {}", literal(ONE)), "NO [READ-ONLY]")
        .await;
    let lines = client.ok("STATUS Drafts (MESSAGES UIDNEXT)").await;
    assert_eq!(lines[0], "* STATUS Drafts (MESSAGES 1 UIDNEXT 4)");
}

#[tokio::test]
async fn dsk_1_what_an_append_cannot_place_is_refused_before_it_is_sent() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    let packs = || {
        let entries = std::fs::read_dir(world.dir.path().join("packs")).unwrap();
        // Blank ones are kept for the next body.
        let filled = entries.filter(|entry| entry.as_ref().unwrap().metadata().unwrap().len() > 0);
        filled.count()
    };
    // 4 MiB for each, 8 MiB for all of one command.
    let large = vec![b'x'; 3 << 20];
    client
        .send(format!("a APPEND INBOX {{{}}}\r\n", large.len()).as_bytes())
        .await;
    assert!(client.line().await.starts_with('+'));
    client.send(&large).await;
    client.send(format!(" {{{}}}\r\n", large.len()).as_bytes()).await;
    assert!(client.line().await.starts_with('+'));
    assert_eq!(packs(), 1, "the first is staged, the second not begun");
    client.send(&large).await;
    client.send(format!(" {{{}}}\r\n", large.len()).as_bytes()).await;
    assert!(client.line().await.starts_with("a NO [LIMIT]"));
    client.ok("NOOP").await;
    assert_eq!(packs(), 0, "what was staged is gone");

    let change = AccountChange {
        quota_bytes: Some(4 << 20),
        ..AccountChange::default()
    };
    world
        .directory
        .set_account("alice@example.test", change)
        .await
        .unwrap();
    client
        .send(format!("b APPEND INBOX {{{}}}\r\n", large.len()).as_bytes())
        .await;
    assert!(client.line().await.starts_with('+'));
    client.send(&large).await;
    client.send(b" {2000000}\r\n").await;
    assert!(client.line().await.starts_with("b NO [OVERQUOTA]"));
    client.ok("NOOP").await;
    assert_eq!(packs(), 0);

    let answer = client.append("INBOX", &large).await;
    assert!(answer.starts_with("OK [APPENDUID"), "{answer}");
    assert_eq!(packs(), 1);
    client.send(b"c APPEND INBOX {2000000}\r\n").await;
    assert!(client.line().await.starts_with("c NO [OVERQUOTA]"));
    // What a replaced message leaves counts.
    client.ok("SELECT INBOX").await;
    client.send(b"d UID REPLACE 1 INBOX {2000000}\r\n").await;
    assert!(client.line().await.starts_with('+'));
    client.send(&large[..1_000_000]).await;

    // A client that goes takes with it what it staged.
    drop(client);
    let mut client = world.inbox().await;
    client.ok("NOOP").await;
    assert_eq!(packs(), 1);
}
