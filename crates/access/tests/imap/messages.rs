//! Commands about messages.

use crate::support::{Client, World};

const MAIL: &[u8] = b"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
    Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/alternative; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\n\
    Content-Type: text/html\r\n\r\n<p>hello</p>\r\n--b--\r\n";

async fn three() -> (World, Client) {
    let world = World::new().await;
    for subject in ["one", "two", "three"] {
        let message = format!("Subject: {subject}\r\nFrom: bob@example.test\r\n\r\nbody of {subject}\r\n");
        world.deliver("alice@example.test", message.as_bytes()).await;
    }
    let client = world.inbox().await;
    (world, client)
}

#[tokio::test]
async fn fetch_tells_everything_a_client_asks() {
    let world = World::new().await;
    world.deliver("alice@example.test", MAIL).await;
    let mut client = world.inbox().await;
    let size = MAIL.len();
    let lines = client.ok("FETCH 1 (UID FLAGS RFC822.SIZE INTERNALDATE)").await;
    assert_eq!(
        lines[0],
        format!(
            "* 1 FETCH (UID 1 FLAGS (\\Recent) RFC822.SIZE {size} INTERNALDATE \"23-Nov-2026 12:00:00 +0000\")"
        )
    );
    let lines = client.ok("FETCH 1 ENVELOPE").await;
    let alice = "((\"Alice\" NIL \"alice\" \"example.test\"))";
    assert_eq!(
        lines[0],
        format!(
            "* 1 FETCH (ENVELOPE (\"Mon, 23 Nov 2026 12:00:00 +0000\" \"=?utf-8?q?Gr=C3=BC=C3=9Fe?=\" {alice} {alice} {alice} \
             ((NIL NIL \"bob\" \"example.test\")) NIL NIL NIL \"<1@example.test>\"))"
        )
    );
    let lines = client.ok("FETCH 1 BODY").await;
    assert_eq!(
        lines[0],
        "* 1 FETCH (BODY ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 5 0)(\"text\" \"html\" NIL NIL NIL \"7bit\" 12 0) \"alternative\"))"
    );
    for (item, label, octets) in [
        ("BODY.PEEK[1]", "BODY[1]", &b"hello"[..]),
        ("BODY.PEEK[2]", "BODY[2]", b"<p>hello</p>"),
        (
            "BODY.PEEK[1.MIME]",
            "BODY[1.MIME]",
            b"Content-Type: text/plain\r\n\r\n",
        ),
        (
            "BODY.PEEK[HEADER.FIELDS (SUBJECT)]",
            "BODY[HEADER.FIELDS (SUBJECT)]",
            b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n",
        ),
        ("BODY.PEEK[]", "BODY[]", MAIL),
        ("BODY.PEEK[]<6.5>", "BODY[]<6>", b"Alice"),
        ("BODY.PEEK[]<99999.5>", "BODY[]<99999>", b""),
    ] {
        let lines = client.ok(&format!("FETCH 1 {item}")).await;
        let expected = format!(
            "* 1 FETCH ({label} {{{}}}\r\n{})",
            octets.len(),
            String::from_utf8_lossy(octets)
        );
        assert_eq!(lines[0], expected);
        assert_eq!(lines.len(), 2, "no flag changed: {lines:?}");
    }
    assert!(client.ok("FETCH 1 BODY.PEEK[7]").await[0].contains("BODY[7] NIL"));
    assert!(client.ok("FETCH 1 EMAILID").await[0].contains("EMAILID (m"));
}

#[tokio::test]
async fn reading_a_body_sets_seen() {
    let (_world, mut client) = three().await;
    client.ok("FETCH 2 BODY.PEEK[TEXT]").await;
    let lines = client.ok("FETCH 2 BODY[TEXT]").await;
    assert_eq!(lines[0], "* 2 FETCH (BODY[TEXT] {13}\r\nbody of two\r\n)");
    assert_eq!(lines[1], "* 2 FETCH (FLAGS (\\Seen \\Recent))");
    assert_eq!(client.ok("SEARCH SEEN").await[0], "* SEARCH 2");
    let lines = client.ok("FETCH 2 RFC822").await;
    assert_eq!(lines.len(), 2, "it is seen already: {lines:?}");
    client.ok("EXAMINE INBOX").await;
    client.ok("FETCH 1 BODY[]").await;
    assert_eq!(client.ok("SEARCH SEEN").await[0], "* SEARCH 2");
}

#[tokio::test]
async fn store_answers_as_asked() {
    let (_world, mut client) = three().await;
    let lines = client.ok("STORE 1:2 +FLAGS (\\Flagged $Junk made-up)").await;
    assert_eq!(lines[0], "* 1 FETCH (FLAGS (\\Flagged $Junk made-up \\Recent))");
    assert_eq!(lines.len(), 3, "{lines:?}");
    let lines = client.ok("STORE 1 -FLAGS.SILENT (\\Flagged)").await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let lines = client.ok("UID STORE 1 FLAGS (\\Seen)").await;
    assert_eq!(lines[0], "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))");
    let lines = client.ok("UID STORE 99 FLAGS (\\Seen)").await;
    assert_eq!(lines.len(), 1);
    client.refused("STORE 99 FLAGS (\\Seen)", "BAD").await;
    assert_eq!(client.ok("SEARCH KEYWORD made-up").await[0], "* SEARCH 2");
    assert_eq!(client.ok("UID SEARCH UNKEYWORD $junk").await[0], "* SEARCH 1 3");
}

#[tokio::test]
async fn condstore_tells_mod_sequences() {
    let (_world, mut client) = three().await;
    let lines = client.ok("FETCH 1:3 (MODSEQ)").await;
    assert!(
        lines[0].starts_with("* OK [HIGHESTMODSEQ"),
        "asking for it enables it: {lines:?}"
    );
    let modseqs: Vec<u64> = lines[1..4]
        .iter()
        .map(|line| {
            line.split("MODSEQ (")
                .nth(1)
                .unwrap()
                .trim_end_matches(')')
                .parse()
                .unwrap()
        })
        .collect();
    assert!(modseqs.windows(2).all(|pair| pair[0] < pair[1]), "{modseqs:?}");
    let highest = modseqs[2];
    let lines = client.ok("STORE 2 +FLAGS.SILENT (\\Flagged)").await;
    assert!(lines[0].starts_with("* 2 FETCH (UID 2 MODSEQ ("), "{lines:?}");
    let lines = client
        .ok(&format!("FETCH 1:* (FLAGS) (CHANGEDSINCE {highest})"))
        .await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("* 2 FETCH (FLAGS (\\Flagged \\Recent) MODSEQ ("),
        "{lines:?}"
    );
    let lines = client
        .run(&format!(
            "STORE 1:3 (UNCHANGEDSINCE {highest}) +FLAGS (\\Answered)"
        ))
        .await;
    assert!(lines.last().unwrap().starts_with("OK [MODIFIED 2]"), "{lines:?}");
    let fetched: Vec<&str> = lines
        .iter()
        .filter(|line| line.contains("\\Answered"))
        .map(|line| &line[..4])
        .collect();
    assert_eq!(fetched, ["* 1 ", "* 3 "]);
    let lines = client.ok(&format!("SEARCH MODSEQ {}", highest + 1)).await;
    assert!(lines[0].starts_with("* SEARCH 1 2 3 (MODSEQ "), "{lines:?}");
    let lines = client.ok("STATUS INBOX (HIGHESTMODSEQ)").await;
    let status: u64 = lines[0]
        .split("HIGHESTMODSEQ ")
        .nth(1)
        .unwrap()
        .trim_end_matches(')')
        .parse()
        .unwrap();
    assert!(status > highest);
}

#[tokio::test]
async fn expunge_renumbers_everybody_in_their_time() {
    let (_world, mut one) = three().await;
    let mut other = _world.inbox().await;
    one.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)").await;
    let lines = one.ok("EXPUNGE").await;
    assert_eq!(lines[..2], ["* 3 EXPUNGE", "* 1 EXPUNGE"]);
    assert_eq!(
        other.ok("FETCH 2 UID").await[0],
        "* 2 FETCH (UID 2)",
        "numbers hold during FETCH"
    );
    let lines = other.ok("FETCH 1:* (FLAGS)").await;
    assert_eq!(lines.len(), 2, "what is gone is left out: {lines:?}");
    assert_eq!(other.ok("SEARCH ALL").await[0], "* SEARCH 2");
    let lines = other.ok("NOOP").await;
    assert_eq!(lines[..2], ["* 3 EXPUNGE", "* 1 EXPUNGE"]);
    assert_eq!(other.ok("FETCH 1 UID").await[0], "* 1 FETCH (UID 2)");
    one.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    one.ok("UID EXPUNGE 99").await;
    assert_eq!(one.ok("UID EXPUNGE 2").await[0], "* 1 EXPUNGE");
}

#[tokio::test]
async fn close_expunges_silently() {
    let (_world, mut client) = three().await;
    client.ok("STORE 2 +FLAGS.SILENT (\\Deleted)").await;
    assert_eq!(client.ok("CLOSE").await.len(), 1);
    assert!(client.ok("SELECT INBOX").await.contains(&"* 2 EXISTS".to_owned()));
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    client.ok("UNSELECT").await;
    assert!(client.ok("SELECT INBOX").await.contains(&"* 2 EXISTS".to_owned()));
    client.ok("EXAMINE INBOX").await;
    client.ok("CLOSE").await;
    assert!(client.ok("SELECT INBOX").await.contains(&"* 2 EXISTS".to_owned()));
}

#[tokio::test]
async fn copies_and_moves_name_their_uids() {
    let (_world, mut client) = three().await;
    let lines = client.ok("COPY 1,3 Archive").await;
    assert!(
        lines[0].starts_with("OK [COPYUID ") && lines[0].contains(" 1,3 1:2]"),
        "{lines:?}"
    );
    let lines = client.ok("UID MOVE 2:3 Archive").await;
    assert!(
        lines[0].starts_with("* OK [COPYUID ") && lines[0].contains(" 2:3 3:4]"),
        "{lines:?}"
    );
    assert_eq!(lines[1..3], ["* 3 EXPUNGE", "* 2 EXPUNGE"]);
    client.refused("COPY 1 Nowhere", "NO [TRYCREATE]").await;
    client.refused("MOVE 1 Nowhere", "NO [TRYCREATE]").await;
    client.refused("COPY 9 Archive", "BAD").await;
    assert_eq!(client.ok("UID COPY 99 Archive").await.len(), 1);
    assert!(
        client
            .ok("SELECT Archive")
            .await
            .contains(&"* 4 EXISTS".to_owned())
    );
    let lines = client.ok("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").await;
    assert!(lines[3].contains("Subject: three"), "{lines:?}");
}

#[tokio::test]
async fn append_keeps_what_it_was_given() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    let answer = client
        .append("INBOX (\\Seen $Forwarded) \"17-Jul-1996 02:44:25 -0700\"", MAIL)
        .await;
    assert!(
        answer.starts_with("OK [APPENDUID ") && answer.contains(" 1] "),
        "{answer}"
    );
    let lines = client.ok("FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])").await;
    let expected = format!(
        "* 1 FETCH (FLAGS (\\Seen $Forwarded \\Recent) INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" BODY[] {{{}}}\r\n{})",
        MAIL.len(),
        String::from_utf8_lossy(MAIL)
    );
    assert_eq!(lines[0], expected);
    let answer = client.append("Nowhere", MAIL).await;
    assert!(answer.starts_with("NO [TRYCREATE]"), "{answer}");
    client.send(b"x APPEND Sent {5+}\r\na: b\n\r\n").await;
    assert!(client.line().await.starts_with("x OK [APPENDUID"));
    client.send(b"x APPEND Sent {5+}\r\na\0b\r\n\r\ny NOOP\r\n").await;
    assert!(client.line().await.starts_with("x NO"));
    assert!(
        client.line().await.starts_with("y OK"),
        "the conversation goes on behind the refused message"
    );
}

#[tokio::test]
async fn a_large_message_streams_both_ways() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    let large = [
        b"Subject: large\r\n\r\n".to_vec(),
        b"0123456789abcdef0123456789abcd\r\n".repeat(100_000),
    ]
    .concat();
    assert!(client.append("INBOX", &large).await.starts_with("OK [APPENDUID"));
    client
        .send(b"a FETCH 1 (RFC822.SIZE BODY.PEEK[] BODY.PEEK[TEXT]<10.20>)\r\n")
        .await;
    let line = client.octets().await;
    let start = format!(
        "* 1 FETCH (RFC822.SIZE {} BODY[] {{{}}}\r\n",
        large.len(),
        large.len()
    );
    assert!(line.starts_with(start.as_bytes()));
    assert_eq!(&line[start.len()..start.len() + large.len()], &large[..]);
    assert!(
        line.ends_with(b" BODY[TEXT]<10> {20}\r\nabcdef0123456789abcd)"),
        "{}",
        line[line.len() - 60..].escape_ascii()
    );
    assert!(client.line().await.starts_with("a OK"));
    let lines = client.ok("FETCH 1 (BODYSTRUCTURE BODY.PEEK[1]<0.4>)").await;
    assert!(lines[0].contains("\"text\" \"plain\""), "{lines:?}");
    assert!(lines[0].contains("BODY[1]<0> {4}\r\n0123)"), "{lines:?}");
    assert_eq!(client.ok("SEARCH LARGER 3000000").await[0], "* SEARCH 1");
}

#[tokio::test]
async fn search_finds_what_people_look_for() {
    let world = World::new().await;
    world.deliver("alice@example.test", MAIL).await;
    world
        .deliver(
            "alice@example.test",
            b"Subject: plain\r\nX-Spam: yes\r\n\r\nnothing\r\n",
        )
        .await;
    let mut client = world.inbox().await;
    client.ok("STORE 2 +FLAGS.SILENT (\\Seen)").await;
    for (keys, found) in [
        ("ALL", "1 2"),
        ("UNSEEN", "1"),
        ("SUBJECT plain", "2"),
        ("TEXT hello", "1"),
        ("BODY HELLO", "1"),
        ("NOT BODY hello", "2"),
        ("OR SUBJECT plain FROM alice", "1 2"),
        ("HEADER X-Spam \"\"", "2"),
        ("2:*", "2"),
        ("UID 1 NOT DELETED", "1"),
        ("LARGER 100", "1"),
        ("SMALLER 100", "2"),
        ("ON 23-Nov-2026", "1 2"),
        ("BEFORE 23-Nov-2026", ""),
        ("SINCE 23-Nov-2026 SENTON 23-Nov-2026", "1"),
        ("RECENT", "1 2"),
        ("NEW", "1"),
        ("YOUNGER 60", "1 2"),
        ("(SEEN) NOT (SUBJECT absent)", "2"),
    ] {
        let lines = client.ok(&format!("SEARCH {keys}")).await;
        assert_eq!(
            lines[0].trim_end(),
            format!("* SEARCH {found}").trim_end(),
            "{keys}"
        );
    }
    client
        .send(b"u SEARCH CHARSET UTF-8 SUBJECT {6+}\r\nGR\xc3\x9c\xc3\x9f\r\n")
        .await;
    assert_eq!(client.until("u").await[0], "* SEARCH 1");
    client
        .refused("SEARCH CHARSET KOI-99 SUBJECT x", "NO [BADCHARSET")
        .await;
    client.refused("SEARCH 7", "BAD").await;
}

#[tokio::test]
async fn an_empty_mailbox_is_no_error() {
    let world = World::new().await;
    let mut client = world.inbox().await;
    client.ok("FETCH 1:* (FLAGS)").await;
    client.ok("UID FETCH 1:* (FLAGS)").await;
    client.ok("UID SEARCH 1:*").await;
    assert_eq!(client.ok("SEARCH ALL").await[0].trim_end(), "* SEARCH");
    client.refused("FETCH 1 FLAGS", "BAD").await;
}

/// Several chunks of the view and many pages of the store.
#[tokio::test]
async fn a_mailbox_of_thousands_works_as_a_whole() {
    let world = World::new().await;
    world.deliver("alice@example.test", MAIL).await;
    let mut client = world.inbox().await;
    for doubling in 0..12 {
        client.ok("COPY 1:* INBOX").await;
        let lines = client.ok("NOOP").await;
        assert!(lines.len() <= 3, "{doubling}: {lines:?}");
    }
    drop(client);
    let mut client = world.inbox().await;
    let lines = client.ok("FETCH 1:* (UID FLAGS)").await;
    assert_eq!(lines.len(), 4097);
    assert!(
        lines[4095].starts_with("* 4096 FETCH (UID 4096 "),
        "{}",
        lines[4095]
    );
    let lines = client.ok("STORE 1000:3000 +FLAGS.SILENT (\\Deleted)").await;
    assert_eq!(lines.len(), 1);
    assert_eq!(client.ok("EXPUNGE").await.len(), 2002);
    assert_eq!(client.ok("FETCH 1000 UID").await[0], "* 1000 FETCH (UID 3001)");
    let lines = client
        .ok("UID FETCH 990:3010 (RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        .await;
    assert_eq!(lines.len(), 21);
    assert_eq!(
        client.ok("SEARCH BODY hello").await[0].split(' ').count(),
        2 + 2095
    );
}

/// However the octets are cut, the conversation is the same.
#[tokio::test]
async fn octets_may_come_in_pieces() {
    let world = World::new().await;
    for seed in 0..20 {
        let mut client = world.connect_in_pieces(access::imap::Security::ImplicitTls, seed);
        client.send(crate::support::HELLO).await;
        client.line().await;
        let login = format!(
            "a LOGIN alice@example.test {{{}}}\r\n",
            crate::support::PASSWORD.len()
        );
        client.send(login.as_bytes()).await;
        assert!(client.line().await.starts_with("+ "));
        let rest = format!(
            "{}\r\nb SELECT INBOX\r\nc APPEND INBOX {{{}+}}\r\n",
            crate::support::PASSWORD,
            MAIL.len()
        );
        client
            .send(
                &[
                    rest.as_bytes(),
                    MAIL,
                    b"\r\nd FETCH * BODY.PEEK[1]\r\ne LOGOUT\r\n",
                ]
                .concat(),
            )
            .await;
        assert!(client.until("a").await.last().unwrap().starts_with("OK"));
        assert!(client.until("b").await.last().unwrap().starts_with("OK"));
        assert!(
            client
                .until("c")
                .await
                .last()
                .unwrap()
                .starts_with("OK [APPENDUID")
        );
        assert!(client.until("d").await[0].ends_with("BODY[1] {5}\r\nhello)"));
        assert!(client.until("e").await[0].starts_with("* BYE"));
    }
}
