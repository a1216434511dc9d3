//! SEARCH and its extensions on the wire: ESEARCH, SEARCHRES, charsets.

use super::support::World;

/// Five messages; the client has INBOX open.
async fn five() -> (World, super::support::Client) {
    let world = World::new().await;
    for subject in ["one", "two", "three", "two again", "five"] {
        let message = format!("Subject: {subject}\r\nFrom: a@example.test\r\n\r\ntext\r\n");
        world.deliver("alice@example.test", message.as_bytes()).await;
    }
    let client = world.inbox().await;
    (world, client)
}

/// RFC 4731 §3.1, RFC 9394 §3.1.
#[tokio::test]
async fn results_come_as_asked_for() {
    let (_world, mut client) = five().await;
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("EXPUNGE").await;
    for (command, told) in [
        ("SEARCH RETURN () ALL", " ALL 1:4"),
        ("UID SEARCH RETURN () ALL", " UID ALL 2:5"),
        (
            "SEARCH RETURN (MIN MAX COUNT) SUBJECT two",
            " MIN 1 MAX 3 COUNT 2",
        ),
        ("UID SEARCH RETURN (ALL) SUBJECT two", " UID ALL 2,4"),
        ("SEARCH RETURN (MIN COUNT) SUBJECT absent", " COUNT 0"),
        ("SEARCH RETURN (ALL) SUBJECT absent", ""),
        ("UID SEARCH RETURN (PARTIAL 2:3) ALL", " UID PARTIAL (2:3 3:4)"),
        (
            "UID SEARCH RETURN (PARTIAL -1:-2 COUNT) ALL",
            " UID COUNT 4 PARTIAL (-1:-2 4:5)",
        ),
        ("UID SEARCH RETURN (PARTIAL 9:99) ALL", " UID PARTIAL (9:99 NIL)"),
    ] {
        let lines = client.ok(command).await;
        let (start, rest) = lines[0].split_once(')').unwrap();
        assert!(start.starts_with("* ESEARCH (TAG \"t"), "{lines:?}");
        assert_eq!((rest, lines.len()), (told, 2), "{command}");
    }
    let lines = client.ok("SEARCH RETURN (MIN) MODSEQ 1 ALL").await;
    assert!(
        lines.iter().any(|line| line.contains("MIN 1 MODSEQ ")),
        "{lines:?}"
    );
    client.refused("SEARCH RETURN (ALL PARTIAL 1:2) ALL", "BAD").await;
}

/// RFC 5182: `$` is what was saved, wherever a set is taken.
#[tokio::test]
async fn a_result_is_kept_and_used() {
    let (world, mut client) = five().await;
    assert_eq!(client.ok("FETCH $ UID").await.len(), 1, "nothing is kept yet");
    assert_eq!(client.ok("SEARCH RETURN (SAVE) SUBJECT two").await.len(), 1);
    assert_eq!(
        client.ok("FETCH $ UID").await[..2],
        ["* 2 FETCH (UID 2)", "* 4 FETCH (UID 4)"]
    );
    assert_eq!(client.ok("UID FETCH $ (UID)").await.len(), 3);
    client.ok("STORE $ +FLAGS (\\Flagged)").await;
    assert_eq!(client.ok("SEARCH FLAGGED").await[0], "* SEARCH 2 4");
    assert_eq!(client.ok("SEARCH NOT $").await[0], "* SEARCH 1 3 5");
    assert_eq!(client.ok("SEARCH OR UID $ 1").await[0], "* SEARCH 1 2 4");
    client.ok("CREATE kept").await;
    let lines = client.ok("COPY $ kept").await;
    assert!(lines.last().unwrap().contains(" 2,4 1:2]"), "{lines:?}");

    // What is expunged leaves it, also when another session did it.
    let mut other = world.inbox().await;
    other.ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    client.ok("NOOP").await;
    assert_eq!(client.ok("FETCH $ UID").await[0], "* 3 FETCH (UID 4)");

    // MIN, MAX and PARTIAL keep what they name; a search that narrows may use what it replaces.
    client.ok("SEARCH RETURN (SAVE MIN) ALL").await;
    assert_eq!(client.ok("FETCH $ UID").await.len(), 2);
    client.ok("SEARCH RETURN (SAVE COUNT) ALL").await;
    client.ok("SEARCH RETURN (SAVE) $ SUBJECT five").await;
    assert_eq!(client.ok("FETCH $ UID").await[0], "* 4 FETCH (UID 5)");
    client.ok("SEARCH RETURN (SAVE PARTIAL -1:-2) ALL").await;
    assert_eq!(client.ok("FETCH $ UID").await.len(), 3);

    // BAD leaves it, NO empties it, another SELECT too.
    client.refused("SEARCH RETURN (SAVE) 99", "BAD").await;
    assert_eq!(client.ok("FETCH $ UID").await.len(), 3);
    let many = vec!["TEXT x"; 65].join(" ");
    client
        .refused(&format!("SEARCH RETURN (SAVE) {many}"), "NO")
        .await;
    assert_eq!(client.ok("FETCH $ UID").await.len(), 1);
    client.ok("SEARCH RETURN (SAVE) ALL").await;
    client.ok("SELECT INBOX").await;
    assert_eq!(client.ok("FETCH $ UID").await.len(), 1);

    client.ok("SEARCH RETURN (SAVE) SUBJECT one").await;
    client.ok("STORE $ +FLAGS.SILENT (\\Deleted)").await;
    assert_eq!(client.ok("UID EXPUNGE $").await[0], "* 1 EXPUNGE");
    client.ok("SEARCH RETURN (SAVE) SUBJECT five").await;
    client.ok("MOVE $ kept").await;
    assert_eq!(client.ok("SEARCH ALL").await[0], "* SEARCH 1 2");
}

/// RFC 3501 §6.4.4: a charset that is not known is NO, with those that are; RFC 5255 §4.3: case and composition make no difference.
#[tokio::test]
async fn texts_are_compared_in_any_charset() {
    let world = World::new().await;
    world
        .deliver(
            "alice@example.test",
            b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_aus_=D0=9C=D0=BE=D1=81=D0=BA=D0=B2=D0=B0?=\r\n\r\n\xef\xac\x81nal caf\x65\xcc\x81\r\n",
        )
        .await;
    let mut client = world.inbox().await;
    for search in [
        &b"CHARSET KOI8-R SUBJECT {6+}\r\n\xed\xef\xf3\xeb\xf7\xe1"[..],
        b"CHARSET iso-8859-1 SUBJECT \"GR\xdc\xdf\"",
        "SUBJECT \"gru\u{308}ße\"".as_bytes(),
        "CHARSET UTF-8 TEXT \"МОСКВА\"".as_bytes(),
        "BODY \"CAFÉ\"".as_bytes(),
        "BODY \"ﬁnal\"".as_bytes(),
    ] {
        client.send(&[b"u SEARCH ", search, b"\r\n"].concat()).await;
        let lines = client.until("u").await;
        assert_eq!(lines[0], "* SEARCH 1", "{}", search.escape_ascii());
    }
    let refusal = client.refused("SEARCH CHARSET klingon ALL", "NO").await;
    assert!(refusal.starts_with("NO [BADCHARSET (US-ASCII UTF-8"), "{refusal}");
}

/// A client that leaves ends its search, and the server that stops does too.
#[tokio::test]
async fn a_search_ends_with_its_client() {
    let world = World::new().await;
    for _ in 0..130 {
        world
            .deliver("alice@example.test", b"Subject: x\r\n\r\nabc\r\n")
            .await;
    }
    let mut client = world.inbox().await;
    client.send(b"a SEARCH BODY absent\r\n").await;
    drop(client);
    let mut client = world.inbox().await;
    assert_eq!(client.ok("SEARCH BODY absent").await[0], "* SEARCH");
    // What the client sends meanwhile is a command all the same.
    client.send(b"a SEARCH BODY absent\r\nb NOOP\r\n").await;
    assert!(client.until("a").await.last().unwrap().starts_with("OK"));
    assert!(client.until("b").await.last().unwrap().starts_with("OK"));
}
