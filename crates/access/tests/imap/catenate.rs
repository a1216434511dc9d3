//! Messages put together from others (RFC 4469).

use crate::support::World;

const ONE: &[u8] = b"Subject: one\r\nFrom: alice@example.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
    Content-Type: text/plain\r\n\r\nfirst part\r\n--b\r\nContent-Type: application/x-y\r\n\r\nsecond part\r\n--b--\r\n";

fn text(octets: &str) -> String {
    format!("TEXT {{{}+}}\r\n{octets}", octets.len())
}

#[tokio::test]
async fn messages_are_put_together_from_others() {
    let world = World::new().await;
    world.deliver("alice@example.test", ONE).await;
    let mut client = world.inbox().await;
    let lines = client.ok("STATUS INBOX (UIDVALIDITY)").await;
    let validity: String = lines[0].chars().filter(char::is_ascii_digit).collect();
    // RFC 4469 §5: header of another message, new octets, a part of another message.
    let command = format!(
        "APPEND Drafts (\\Seen $Work) \" 1-Jan-2020 00:00:00 +0000\" CATENATE (URL \"/INBOX;UIDVALIDITY={validity}/;UID=1/;SECTION=HEADER\" \
         {} URL {{29+}}\r\n/INBOX/;UID=1/;SECTION=2.MIME URL ;UID=1/;SECTION=2 {})",
        text("--b\r\n\r\nnew words\r\n--b\r\n"),
        text("\r\n--b--\r\n")
    );
    let lines = client.ok(&command).await;
    assert!(lines.last().unwrap().starts_with("OK [APPENDUID"), "{lines:?}");
    client.ok("SELECT Drafts").await;
    let lines = client.ok("FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])").await;
    let whole = lines[0].replace('\n', "");
    assert!(
        whole.contains("\\Seen") && whole.contains("$Work") && whole.contains("2020"),
        "{whole}"
    );
    let wanted = "Subject: one\r\nFrom: alice@example.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nnew words\r\n--b\r\n\
         Content-Type: application/x-y\r\n\r\nsecond part\r\n--b--\r\n";
    assert!(lines[0].ends_with(&format!("{wanted})")), "{}", lines[0]);

    // Without any octets of its own; a part of a part; the whole.
    client.ok("APPEND Drafts CATENATE (URL /INBOX/;UID=1/;PARTIAL=0.12 URL /INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=0.4)").await;
    let lines = client.ok("FETCH 2 BODY.PEEK[]").await;
    assert!(lines[0].ends_with("{16}\r\nSubject: one--b\r)"), "{lines:?}");
    client.ok("APPEND Drafts CATENATE (URL /INBOX/;UID=1)").await;
    let lines = client.ok("FETCH 3 RFC822.SIZE").await;
    assert!(
        lines[0].contains(&format!("RFC822.SIZE {}", ONE.len())),
        "{lines:?}"
    );

    // Several messages, catenated and not, in one commit (RFC 3502).
    let command = format!(
        "APPEND Drafts CATENATE (URL /INBOX/;UID=1) (\\Flagged) {{6+}}\r\na: b\r\n (\\Draft) CATENATE ({} URL /INBOX/;UID=1) CATENATE (URL /INBOX/;UID=1)",
        text("x: y\r\n")
    );
    let lines = client.ok(&command).await;
    assert!(lines.last().unwrap().contains(" 4:7]"), "{lines:?}");
    let lines = client.ok("FETCH 4:7 (RFC822.SIZE)").await;
    let sizes = [ONE.len(), 6, 6 + ONE.len(), ONE.len()];
    for (line, size) in lines.iter().zip(sizes) {
        assert!(line.contains(&format!("RFC822.SIZE {size})")), "{line} {size}");
    }

    // REPLACE takes the same (RFC 8508).
    let lines = client.ok("UID REPLACE 7 Drafts CATENATE (URL ;UID=6)").await;
    assert!(lines.iter().any(|line| line.contains("APPENDUID")), "{lines:?}");
    let command = format!("REPLACE 1 Drafts CATENATE ({} URL ;UID=6)", text("z: y\r\n"));
    client.ok(&command).await;
    let lines = client.ok("UID SEARCH ALL").await;
    assert_eq!(lines[0], "* SEARCH 2 3 4 5 6 8 9");
}

#[tokio::test]
async fn synchronising_literals_of_a_catenation_are_asked_for() {
    let world = World::new().await;
    world.deliver("alice@example.test", ONE).await;
    let mut client = world.inbox().await;
    client.send(b"s APPEND Drafts CATENATE (TEXT {6}\r\n").await;
    assert!(client.line().await.starts_with('+'));
    client.send(b"a: b\r\n URL {13}\r\n").await;
    assert!(client.line().await.starts_with('+'));
    client.send(b"/INBOX/;UID=1 TEXT ~{3}\r\n").await;
    assert!(client.line().await.starts_with('+'));
    client.send(b"end)\r\n").await;
    let lines = client.until("s").await;
    assert!(lines.last().unwrap().starts_with("OK [APPENDUID"), "{lines:?}");
    // A URL that is not there is refused before the literal behind it is asked for.
    client
        .send(b"t APPEND Drafts CATENATE (URL /INBOX/;UID=9 TEXT {6}\r\n")
        .await;
    let lines = client.until("t").await;
    assert!(lines[0].starts_with("NO [BADURL /INBOX/;UID=9]"), "{lines:?}");
    client.ok("NOOP").await;
}

/// Nothing is reached but the mail of whoever asks; a refused command leaves nothing, and its octets are no command (IMP-9).
#[tokio::test]
async fn imp_9_what_cannot_be_catenated_is_refused_whole() {
    let world = World::with(|ctx| ctx.own.append_limit_bytes = 1000).await;
    world.deliver("alice@example.test", ONE).await;
    world.deliver("bob@example.test", ONE).await;
    let mut client = world.inbox().await;
    for (parts, said) in [
        ("URL /INBOX/;UID=2", "NO [BADURL /INBOX/;UID=2]"),
        ("URL /Nowhere/;UID=1", "NO [BADURL /Nowhere/;UID=1]"),
        ("URL /INBOX;UIDVALIDITY=1/;UID=1", "NO [BADURL"),
        ("URL /INBOX/;UID=1/;SECTION=3", "NO [BADURL"),
        (
            "URL \"imap://bob%40example.test@localhost/INBOX/;UID=1\"",
            "NO [BADURL imap://bob%40example.test@localhost/INBOX/;UID=1]",
        ),
        (
            "URL /INBOX/;UID=1;URLAUTH=anonymous:internal:00000000000000000000000000000000",
            "NO [BADURL",
        ),
        ("URL \"not ] a URL\"", "NO [BADURL notaURL]"),
        ("TEXT {0+}\r\n", "NO [CANNOT]"),
        ("TEXT {2+}\r\na\0", "NO [CANNOT]"),
        ("TEXT ~{2+}\r\na\0", "NO [UNKNOWN-CTE]"),
        ("TEXT {1001+}\r\n", "NO [TOOBIG]"),
        ("BOGUS x", "BAD"),
        ("URL /INBOX/;UID=1 x", "BAD"),
        ("TEXT {3+}\r\nabc URL /INBOX/;UID=1 x", "BAD"),
    ] {
        let filler = if parts.contains("1001") {
            "q LOGOUT\r\n".repeat(100) + "x"
        } else {
            String::new()
        };
        client
            .refused(&format!("APPEND Drafts CATENATE ({parts}{filler})"), said)
            .await;
    }
    for (command, said) in [
        ("APPEND Drafts CATENATE (TEXT {3+}\r\nabc", "BAD"),
        ("APPEND Drafts CATENATE (TEXT {3+}\r\nabc) x", "BAD"),
        ("APPEND Nowhere CATENATE (URL /INBOX/;UID=1)", "NO [TRYCREATE]"),
        ("REPLACE 2 Drafts CATENATE (URL /INBOX/;UID=1)", "BAD"),
    ] {
        client.refused(command, said).await;
    }
    // Too large only together; too many URLs.
    let many = ["URL /INBOX/;UID=1"; 7].join(" ");
    client
        .refused(&format!("APPEND Drafts CATENATE ({many})"), "NO [TOOBIG]")
        .await;
    let many = ["URL /INBOX/;UID=1/;PARTIAL=0.1"; 501].join(" ");
    client
        .refused(&format!("APPEND Drafts CATENATE ({many})"), "NO [LIMIT]")
        .await;
    let lines = client.ok("STATUS Drafts (MESSAGES)").await;
    assert_eq!(lines[0], "* STATUS Drafts (MESSAGES 0)");
    let mut guest = world.secure().await;
    guest
        .refused("APPEND Drafts CATENATE (URL /INBOX/;UID=1)", "BAD")
        .await;
    let mut other = world.user("bob").await;
    other
        .refused("APPEND INBOX CATENATE (URL ;UID=1)", "NO [BADURL")
        .await;
    other
        .refused("REPLACE 1 INBOX CATENATE (URL ;UID=1)", "BAD")
        .await;
}
