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

const MIXED: [(&str, &str); 6] = [
    (
        "\\Seen",
        "Subject: alpha beta\r\nFrom: Anna <anna@x.test>\r\nTo: bob@x.test\r\nDate: Wed, 1 Jan 2020 10:00:00 +0000\r\n\r\nred green\r\n",
    ),
    (
        "\\Flagged",
        "Subject: beta\r\nFrom: Ben <ben@x.test>\r\nCc: carol@x.test\r\nDate: Thu, 2 Jan 2020 10:00:00 +0000\r\n\r\nLONG\r\n",
    ),
    ("\\Deleted $Junk", "X-None: 1\r\n\r\nGREEN\r\n"),
    (
        "\\Answered \\Seen",
        "Subject: =?utf-8?q?=C3=A9t=C3=A9?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\n\r\nplain\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: nested\r\n\r\nhidden Red\r\n--b--\r\n",
    ),
    (
        "",
        "Subject:\r\nBcc: dora@x.test\r\nX-Spam: Yes\r\nDate: Thu, 2 Jan 2020 23:30:00 -1200\r\n\r\nx\r\n",
    ),
    ("\\Draft", "Subject: beta gamma\r\n\r\nx\r\n"),
];

/// Keys, and which of the messages above they match.
const KEYS: &[(&str, &[u32])] = &[
    ("ALL", &[1, 2, 3, 4, 5, 6]),
    ("SEEN", &[1, 4]),
    ("UNSEEN", &[2, 3, 5, 6]),
    ("FLAGGED", &[2]),
    ("UNFLAGGED", &[1, 3, 4, 5, 6]),
    ("DELETED", &[3]),
    ("ANSWERED", &[4]),
    ("DRAFT", &[6]),
    ("UNDRAFT", &[1, 2, 3, 4, 5]),
    ("KEYWORD $junk", &[3]),
    ("UNKEYWORD $Junk", &[1, 2, 4, 5, 6]),
    ("KEYWORD other", &[]),
    ("RECENT", &[1, 2, 3, 4, 5, 6]),
    ("OLD", &[]),
    ("NEW", &[2, 3, 5, 6]),
    ("SUBJECT beta", &[1, 2, 6]),
    ("SUBJECT \"\"", &[1, 2, 4, 5, 6]),
    ("SUBJECT \"a b\"", &[1]),
    ("SUBJECT \"ÉTÉ\"", &[4]),
    ("SUBJECT nested", &[]),
    ("FROM anna@", &[1]),
    ("FROM \"<b\"", &[2]),
    ("TO BOB", &[1]),
    ("CC carol", &[2]),
    ("BCC dora", &[5]),
    ("HEADER X-Spam \"\"", &[5]),
    ("HEADER x-spam YES", &[5]),
    ("HEADER X-Absent \"\"", &[]),
    ("BODY green", &[1, 3]),
    ("BODY subject:", &[4]),
    ("BODY hidden", &[4]),
    ("TEXT red", &[1, 4]),
    ("TEXT beta", &[1, 2, 6]),
    ("TEXT x-spam:", &[5]),
    ("SENTON 1-Jan-2020", &[1]),
    ("SENTON 2-Jan-2020", &[2, 5]),
    ("SENTSINCE 2-Jan-2020", &[2, 5]),
    ("SENTBEFORE 2-Jan-2020", &[1]),
    ("ON 23-Nov-2026", &[1, 2, 3, 4, 5, 6]),
    ("BEFORE 23-Nov-2026", &[]),
    ("SINCE 23-Nov-2026", &[1, 2, 3, 4, 5, 6]),
    ("YOUNGER 3600", &[1, 2, 3, 4, 5, 6]),
    ("OLDER 3600", &[]),
    ("LARGER 4000", &[2]),
    ("SMALLER 4000", &[1, 3, 4, 5, 6]),
    ("2:4,6", &[2, 3, 4, 6]),
    ("*", &[6]),
    ("UID 5:*", &[5, 6]),
    ("UID 99:*", &[6]),
];

/// A small generator: the same searches in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    /// Keys, and whether they match messages 1 to 6.
    fn search(&mut self, depth: usize) -> (String, [bool; 6]) {
        let how = if depth == 0 { 0 } else { self.below(4) };
        if how == 0 {
            let (key, found) = KEYS[self.below(KEYS.len())];
            return (
                key.to_owned(),
                std::array::from_fn(|at| found.contains(&(at as u32 + 1))),
            );
        }
        let (one, of_one) = self.search(depth - 1);
        let (other, of_other) = self.search(depth - 1);
        match how {
            1 => (format!("NOT ({one})"), of_one.map(|matches| !matches)),
            2 => (
                format!(
                    "OR ({one}) {}",
                    if other.contains(' ') {
                        format!("({other})")
                    } else {
                        other
                    }
                ),
                std::array::from_fn(|at| of_one[at] || of_other[at]),
            ),
            _ => (
                format!("({one} {other})"),
                std::array::from_fn(|at| of_one[at] && of_other[at]),
            ),
        }
    }
}

/// What a search finds is what its parts find, put together by hand.
#[tokio::test]
async fn any_combination_of_keys_is_what_its_parts_say() {
    let world = World::new().await;
    let mut client = world.user("alice").await;
    for (flags, message) in MIXED {
        let message = message.replace("LONG", &"long ".repeat(1000));
        let arguments = format!("INBOX ({flags})");
        assert!(
            client
                .append(&arguments, message.as_bytes())
                .await
                .starts_with("OK")
        );
    }
    client.ok("SELECT INBOX").await;
    let told = |matches: [bool; 6]| {
        let found: Vec<String> = (1..=6)
            .filter(|at| matches[at - 1])
            .map(|at| at.to_string())
            .collect();
        format!("* SEARCH {}", found.join(" ")).trim_end().to_owned()
    };
    for (key, found) in KEYS {
        let matches = std::array::from_fn(|at| found.contains(&(at as u32 + 1)));
        assert_eq!(
            client.ok(&format!("SEARCH {key}")).await[0],
            told(matches),
            "{key}"
        );
    }
    let mut dice = Dice(0x5eed_0f5e_a5c4);
    for _ in 0..400 {
        let (keys, matches) = dice.search(4);
        assert_eq!(
            client.ok(&format!("SEARCH {keys}")).await[0],
            told(matches),
            "{keys}"
        );
    }
}
