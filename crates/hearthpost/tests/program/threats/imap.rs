//! IMP: IMAP abuse.

use super::doors::Server;
use testkit::talk::Talk;

fn greeted(server: &Server) -> Talk {
    let mut talk = Talk::connect(server.port("imap"));
    talk.line();
    talk
}

fn last(lines: &[String]) -> &str {
    lines.last().map_or("", String::as_str)
}

#[test]
fn imp_1_before_sign_in_a_client_can_hold_little() {
    let server = Server::start();
    let before = server.resident_kib();
    let block = vec![b'('; 1 << 20];
    for first in [
        "a LOGIN {4294967295+}\r\n",
        "a LOGIN {99999999999999999999}\r\n",
        "a LOGIN {9000}\r\n",
        "aaaa",
        "a LOGIN ((((",
    ] {
        let mut talk = greeted(&server);
        talk.say(first);
        for _ in 0..8 {
            talk.say(&block);
        }
        talk.say("\r\n");
        assert!(talk.is_closed(), "{first:?}");
        let said = String::from_utf8_lossy(talk.unread()).into_owned();
        assert!(!said.contains(" OK"), "{first:?}: {said}");
    }
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "memory grew by {grown} KiB");
}

#[test]
fn imp_2_an_append_that_is_too_big_is_refused_before_it_is_sent() {
    let server = Server::start();
    let mut talk = server.imap(0);
    let answer = talk.imap("a", "APPEND INBOX {10737418240}");
    assert!(last(&answer).starts_with("a NO [TOOBIG]"), "{answer:?}");
    assert!(
        last(&talk.imap("b", "NOOP")).starts_with("b OK"),
        "the session goes on"
    );
    let before = server.resident_kib();
    talk.say("c APPEND INBOX {10737418240+}\r\n");
    let block = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        talk.say(&block);
    }
    assert!(
        server.resident_kib().saturating_sub(before) < 16 * 1024,
        "memory stays flat"
    );
}

#[test]
fn imp_3_nesting_bombs_get_bad() {
    let server = Server::start();
    let mut talk = server.imap(0);
    talk.imap("s", "SELECT INBOX");
    let ranges: Vec<String> = (1..5_000)
        .map(|number| format!("{}:{}", number * 2, number * 2))
        .collect();
    for bomb in [
        format!("SEARCH {}ALL{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("SEARCH {}ALL", "NOT ".repeat(12_000)),
        format!("SEARCH {}ALL ALL", "OR ".repeat(12_000)),
        format!("FETCH 1 {}FLAGS{}", "(".repeat(60), ")".repeat(60)),
    ] {
        let answer = talk.imap("a", &bomb);
        assert!(
            last(&answer).starts_with("a BAD") || last(&answer).starts_with("a NO"),
            "{:.40}: {:?}",
            bomb,
            answer.last()
        );
    }
    let answer = talk.imap("r", &format!("UID FETCH {} FLAGS", ranges.join(",")));
    assert!(
        last(&answer).starts_with("r OK") || last(&answer).starts_with("r BAD"),
        "{:?}",
        answer.last()
    );
    assert!(last(&talk.imap("z", "NOOP")).starts_with("z OK"));
}

/// Clients that ask for everything and do not read: what the server holds for them is bounded, and others are served meanwhile.
#[test]
fn ops_11_clients_that_do_not_read_take_a_bounded_part_of_the_memory() {
    const CLIENTS: u64 = 300;
    const MESSAGES: u32 = 8;
    const LINES: usize = 75_000;
    let server = Server::start();
    let mut writer = server.imap(0);
    let lines = "one line of a message that nobody reads\r\n".repeat(LINES);
    let message = format!("Subject: large\r\n\r\n{lines}");
    // Together more than the sockets of both ends take.
    for _ in 0..MESSAGES {
        writer.say(format!("a APPEND INBOX {{{}+}}\r\n", message.len()));
        writer.say(&message);
        writer.say("\r\n");
        assert!(last(&writer.imap_answer("a")).starts_with("a OK"));
    }
    let mut readers: Vec<Talk> = (0..CLIENTS).map(|_| server.imap(0)).collect();
    let before = server.resident_kib();
    for (at, reader) in readers.iter_mut().enumerate() {
        let item = if at % 2 == 0 {
            "BODY.PEEK[]"
        } else {
            "BINARY.PEEK[]"
        };
        reader.say(format!("s EXAMINE INBOX\r\nf FETCH 1:* {item}\r\n"));
    }
    let mut reader = server.imap(0);
    let selected = reader.imap("s", "EXAMINE INBOX");
    let exists = selected
        .iter()
        .find_map(|line| line.strip_prefix("* ")?.strip_suffix(" EXISTS"));
    let exists: u32 = exists.and_then(|count| count.parse().ok()).expect("EXISTS");
    let mut most = 0;
    for number in exists - MESSAGES + 1..=exists {
        let answer = reader.imap("f", &format!("FETCH {number} BODY.PEEK[]"));
        assert!(
            last(&answer).starts_with("f OK"),
            "others are served: {:?}",
            last(&answer)
        );
        assert_eq!(
            answer.iter().filter(|line| line.starts_with("one line")).count(),
            LINES
        );
        most = most.max(server.resident_kib().saturating_sub(before));
    }
    // What waits for clients and what is read whole, twice for what is made of it and not returned to the system, and a share for each
    // client. Without a bound these hold 1 MiB each, those 3 MiB.
    let bound = 2 * (128 + 64) * 1024 + CLIENTS * 128;
    assert!(most < bound, "memory grew by {most} KiB of {bound}");
    assert!(last(&writer.imap("z", "NOOP")).starts_with("z OK"));
}

#[test]
fn imp_4_mailbox_names_are_only_names() {
    let server = Server::start();
    let mut talk = server.imap(0);
    let listing = |dir: std::path::PathBuf| {
        let mut names: Vec<_> = std::fs::read_dir(dir)
            .expect("the directory")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    };
    let outside = server.dir().parent().expect("a parent").to_owned();
    let (before, parent_before) = (listing(server.dir()), listing(outside.clone()));
    let long = "x".repeat(10_240);
    for name in [
        "../x",
        "/etc/passwd",
        "a/../../b",
        "..",
        ".",
        "a//b",
        "/",
        "&AC8-x",
        "&AC4ALg-",
        "&",
        "&&&",
        "~root",
        "%2e%2e%2fx",
        "inbox/../x",
        long.as_str(),
    ] {
        let answer = talk.imap("a", &format!("CREATE \"{name}\""));
        let created = last(&answer).starts_with("a OK");
        assert!(
            created || last(&answer).starts_with("a NO") || last(&answer).starts_with("a BAD"),
            "{name}: {answer:?}"
        );
        if created {
            assert!(
                last(&talk.imap("d", &format!("DELETE \"{name}\""))).starts_with("d OK"),
                "{name}: what can be made can be removed"
            );
        }
    }
    for inbox in ["INBOX", "inbox", "InBoX"] {
        assert!(
            last(&talk.imap("i", &format!("CREATE {inbox}"))).starts_with("i NO"),
            "{inbox}"
        );
        assert!(
            last(&talk.imap("i", &format!("STATUS {inbox} (MESSAGES)"))).starts_with("i OK"),
            "{inbox}"
        );
    }
    assert_eq!(
        listing(server.dir()),
        before,
        "nothing was made in the store's directory"
    );
    assert_eq!(listing(outside), parent_before, "nothing was made outside it");
}

#[test]
fn imp_9_octets_of_a_refused_literal_are_never_commands() {
    let server = Server::start();
    for line in [
        "a FROB {12+}\r\nb LOGOUT\r\n \r\n",
        "a LOGIN {12+}\r\nb LOGOUT\r\n  extra words\r\n",
        "a SELECT (((( {12+}\r\nb LOGOUT\r\n )\r\n",
    ] {
        let mut talk = server.imap(0);
        talk.say(line);
        talk.say("z NOOP\r\n");
        let answer = talk.imap_answer("z");
        assert!(
            !answer
                .iter()
                .any(|line| line.starts_with("b OK") || line.starts_with("* BYE") && line.contains("ogging")),
            "{line:?}: {answer:?}"
        );
    }
}
