//! What is told of a message's contents: decoded parts (RFC 3516), previews (RFC 8970), save dates (RFC 8514); and UIDs only (RFC 9586).

use crate::support::World;

const PARTS: &[u8] = b"Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BC=C3=9Fe=\r\n dich\r\n\
    --b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC/w==\r\n\
    --b\r\nContent-Type: text/x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nabc\r\n--b--\r\n";

#[tokio::test]
async fn parts_come_decoded() {
    let world = World::new().await;
    world.deliver("alice@example.test", PARTS).await;
    let mut client = world.inbox().await;
    for (item, wanted) in [
        ("BINARY.PEEK[1]", "BINARY[1] {12}\r\ngr\u{fc}\u{df}e dich"),
        ("BINARY.PEEK[1]<2.2>", "BINARY[1]<2> {2}\r\n\u{fc}"),
        ("BINARY.PEEK[1]<50.2>", "BINARY[1]<50> {0}\r\n"),
        ("BINARY.SIZE[1]", "BINARY.SIZE[1] 12"),
        ("BINARY.SIZE[2]", "BINARY.SIZE[2] 4"),
        ("BINARY.PEEK[9]", "BINARY[9] NIL"),
    ] {
        let lines = client.ok(&format!("FETCH 1 ({item})")).await;
        assert_eq!(lines[0], format!("* 1 FETCH ({wanted})"), "{item}");
    }
    // With NUL it is a literal8.
    client.send(b"x1 FETCH 1 BINARY.PEEK[2]\r\n").await;
    let octets = client.octets().await;
    assert_eq!(octets, b"* 1 FETCH (BINARY[2] ~{4}\r\n\0\x01\x02\xff)");
    client.until("x1").await;
    let refused = client
        .refused("FETCH 1 (UID BINARY.PEEK[3])", "NO [UNKNOWN-CTE]")
        .await;
    assert!(refused.contains("BODY"), "says what to do: {refused}");
    client.refused("FETCH 1 BINARY.SIZE[3]", "NO [UNKNOWN-CTE]").await;
    client.refused("FETCH 1 BINARY[1.MIME]", "BAD").await;
    // Partials of one part, and other parts between them.
    let several = "BINARY.PEEK[1]<0.2> BINARY.PEEK[1]<6.1> BINARY.SIZE[2] BINARY.PEEK[1]<1.1> BINARY.SIZE[1]";
    let lines = client.ok(&format!("FETCH 1 ({several})")).await;
    let wanted = "BINARY[1]<0> {2}\r\ngr BINARY[1]<6> {1}\r\ne BINARY.SIZE[2] 4 BINARY[1]<1> {1}\r\nr BINARY.SIZE[1] 12";
    assert_eq!(lines[0], format!("* 1 FETCH ({wanted})"));
    // Without PEEK it is read.
    let lines = client.ok("FETCH 1 BINARY[1]<0.1>").await;
    assert!(lines.iter().any(|line| line.contains("\\Seen")), "{lines:?}");
    let whole = client.ok("FETCH 1 BINARY.SIZE[]").await;
    assert_eq!(whole[0], format!("* 1 FETCH (BINARY.SIZE[] {})", PARTS.len()));
}

#[tokio::test]
async fn previews_are_the_first_words() {
    let world = World::new().await;
    world.deliver("alice@example.test", PARTS).await;
    let page = b"Content-Type: text/html\r\n\r\n<style>p{}</style><p>One &amp;\r\n <b>tw</b>o";
    world.deliver("alice@example.test", page).await;
    world
        .deliver("alice@example.test", b"Content-Type: image/png\r\n\r\nx")
        .await;
    let long = format!("Subject: long\r\n\r\n{}", "word ".repeat(300_000));
    world.deliver("alice@example.test", long.as_bytes()).await;
    let mut client = world.inbox().await;
    assert_eq!(
        client.ok("FETCH 1 PREVIEW").await[0],
        "* 1 FETCH (PREVIEW {12}\r\ngr\u{fc}\u{df}e dich)"
    );
    for (item, wanted) in [
        ("2 (PREVIEW (LAZY))", "* 2 FETCH (PREVIEW \"One & two\")"),
        ("2 (PREVIEW UID)", "* 2 FETCH (PREVIEW \"One & two\" UID 2)"),
        ("3 PREVIEW", "* 3 FETCH (PREVIEW \"\")"),
    ] {
        assert_eq!(client.ok(&format!("FETCH {item}")).await[0], wanted);
    }
    let lines = client.ok("FETCH 4 (PREVIEW RFC822.SIZE)").await;
    assert!(
        lines[0].starts_with("* 4 FETCH (PREVIEW \"word word"),
        "{}",
        lines[0]
    );
    assert!(lines[0].len() < 260, "a large message has no longer preview");
    let lines = client.ok("UID FETCH 2 PREVIEW (CHANGEDSINCE 1)").await;
    assert!(
        lines
            .iter()
            .any(|line| line.contains("MODSEQ") && line.contains("One")),
        "{lines:?}"
    );
    let unread = client.ok("SEARCH UNSEEN").await;
    assert_eq!(unread[0], "* SEARCH 1 2 3 4", "a preview is no reading");
    client.refused("FETCH 1 (PREVIEW (EAGER))", "BAD").await;
}

#[tokio::test]
async fn a_save_date_is_when_it_came_here() {
    let world = World::new().await;
    world
        .deliver("alice@example.test", b"Subject: x\r\n\r\nx\r\n")
        .await;
    let mut client = world.inbox().await;
    assert_eq!(
        client.ok("FETCH 1 SAVEDATE").await[0],
        "* 1 FETCH (SAVEDATE \"23-Nov-2026 12:00:00 +0000\")"
    );
    world.clock.jump(std::time::Duration::from_secs(86_400));
    client.ok("MOVE 1 Archive").await;
    client.ok("EXAMINE Archive").await;
    for (keys, found) in [
        ("SAVEDON 24-Nov-2026", "* SEARCH 1"),
        ("SAVEDON 23-Nov-2026", "* SEARCH"),
        ("SAVEDSINCE 24-Nov-2026 BEFORE 24-Nov-2026", "* SEARCH 1"),
        ("SAVEDBEFORE 24-Nov-2026", "* SEARCH"),
        ("OR SAVEDBEFORE 24-Nov-2026 NOT SAVEDON 23-Nov-2026", "* SEARCH 1"),
        ("SAVEDATESUPPORTED", "* SEARCH 1"),
    ] {
        assert_eq!(client.ok(&format!("SEARCH {keys}")).await[0], found, "{keys}");
    }
    let lines = client.ok("FETCH 1 (SAVEDATE INTERNALDATE)").await;
    assert_eq!(
        lines[0],
        "* 1 FETCH (SAVEDATE \"24-Nov-2026 12:00:00 +0000\" INTERNALDATE \"23-Nov-2026 12:00:00 +0000\")"
    );
}

#[tokio::test]
async fn only_uids_are_spoken() {
    let world = World::new().await;
    for _ in 0..4 {
        world
            .deliver("alice@example.test", b"Subject: x\r\n\r\nx\r\n")
            .await;
    }
    let mut client = world.user("alice").await;
    assert_eq!(client.ok("ENABLE UIDONLY").await[0], "* ENABLED UIDONLY");
    let lines = client.ok("SELECT INBOX").await;
    assert!(!lines.iter().any(|line| line.contains("[UNSEEN")), "{lines:?}");
    for wrong in [
        "FETCH 1 FLAGS",
        "STORE 1 +FLAGS (\\Seen)",
        "COPY 1 Archive",
        "MOVE 1 Archive",
        "SEARCH ALL",
        "UID SEARCH 1:2",
        "UID SEARCH NOT (UNSEEN 1)",
    ] {
        client.refused(wrong, "BAD [UIDREQUIRED]").await;
    }
    assert_eq!(
        client.ok("UID FETCH 3 (FLAGS)").await[0],
        "* 3 UIDFETCH (FLAGS (\\Recent))"
    );
    assert_eq!(
        client.ok("UID FETCH 3 (PREVIEW)").await[0],
        "* 3 UIDFETCH (PREVIEW \"x\")"
    );
    let lines = client.ok("UID STORE 2 +FLAGS (\\Deleted)").await;
    assert_eq!(lines[0], "* 2 UIDFETCH (FLAGS (\\Deleted \\Recent))");
    let mut other = world.inbox().await;
    other.ok("STORE 4 +FLAGS (\\Flagged)").await;
    let lines = client.ok("UID EXPUNGE 2").await;
    assert_eq!(
        lines[..2],
        ["* VANISHED 2", "* 4 UIDFETCH (FLAGS (\\Flagged \\Recent))"]
    );
    assert_eq!(client.ok("UID SEARCH ALL").await[0], "* SEARCH 1 3 4");
}
