//! The sink does what its script says, and counts.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::script::fits;
use super::{Authority, Script, Sink};
use crate::talk::{Talk, TlsClient};

/// How long something may take on a busy machine before its test fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn open(script: &str) -> Sink {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Sink::start(address, Script::read(script).unwrap()).unwrap()
}

fn greeted(sink: &Sink) -> Talk {
    let mut talk = Talk::connect(sink.address().port());
    assert!(talk.reply().starts_with("220 "));
    assert!(talk.ask("EHLO client.test").starts_with("250"));
    talk
}

fn send(talk: &mut Talk, to: &[&str]) -> Vec<String> {
    let mut told = vec![talk.ask("MAIL FROM:<a@client.test>")];
    told.extend(to.iter().map(|to| talk.ask(&format!("RCPT TO:<{to}>"))));
    told.push(talk.ask("DATA"));
    if told.last().is_some_and(|reply| reply.starts_with('3')) {
        told.push(talk.ask("Message-ID: <1@client.test>\r\nSubject: x\r\n\r\n..dot\r\nend\r\n."));
    }
    told.into_iter()
        .map(|reply| reply.chars().take(3).collect())
        .collect()
}

#[test]
fn a_good_sink_keeps_and_counts() {
    let sink = open("");
    let mut talk = greeted(&sink);
    assert_eq!(send(&mut talk, &["b@sink.test"]), ["250", "250", "354", "250"]);
    let accepted = sink.accepted();
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].message_id, "<1@client.test>");
    assert_eq!(accepted[0].reverse_path, "a@client.test");
    assert!(accepted[0].content.ends_with(b"\r\n\r\n.dot\r\nend\r\n"));
    assert_eq!(accepted[0].octets, accepted[0].content.len() as u64);
    assert_eq!(send(&mut talk, &["B@sink.test"]), ["250", "250", "354", "250"]);
    let key = ("<1@client.test>".to_owned(), "b@sink.test".to_owned());
    assert_eq!(sink.counts().get(&key), Some(&2));
    let statistics = sink.statistics();
    assert_eq!(
        (statistics.connections, statistics.open, statistics.accepted),
        (1, 1, 2)
    );
    assert_eq!(statistics.violations, [""; 0]);
}

#[test]
fn recipients_are_told_apart() {
    let sink = open("rcpt bob@*: reply 550 5.1.1 nobody\nrcpt 3: reply 450 4.2.1 busy");
    let mut talk = greeted(&sink);
    let told = send(
        &mut talk,
        &["a@sink.test", "BOB@sink.test", "c@sink.test", "d@sink.test"],
    );
    assert_eq!(told, ["250", "250", "550", "450", "250", "354", "250"]);
    assert_eq!(sink.counts().len(), 2);
}

#[test]
fn the_first_times_are_counted_over_connections() {
    let sink = open("first 2 mail: reply 451 4.3.0 later");
    for expected in ["451", "451", "250"] {
        let mut talk = greeted(&sink);
        assert!(talk.ask("MAIL FROM:<>").starts_with(expected));
    }
}

#[test]
fn a_stage_that_breaks_ends_the_connection() {
    for (script, replies) in [
        ("connect: close", 0),
        ("banner: reset", 0),
        ("banner: reply 421 4.3.2 busy", 1),
        ("ehlo: close", 1),
        ("quit: close", 3),
        ("mail: late-close 0.01", 3),
    ] {
        let sink = open(script);
        let mut talk = Talk::connect(sink.address().port());
        let mut heard = usize::from(!talk.reply().is_empty());
        for command in ["EHLO c.test", "MAIL FROM:<>", "QUIT"] {
            heard += usize::from(!talk.ask(command).is_empty());
        }
        assert_eq!(heard, replies, "{script}");
        assert!(talk.is_closed(), "{script}");
    }
}

#[test]
fn what_is_broken_after_the_dot_is_not_accepted() {
    for behaviour in [
        "close",
        "reset",
        "reply 451 4.3.0 no",
        "reply 554 5.6.0 no",
        "reply 25 short",
        "garbage",
    ] {
        let sink = open(&format!("after-dot: {behaviour}"));
        send(&mut greeted(&sink), &["a@sink.test"]);
        assert!(sink.accepted().is_empty(), "{behaviour}");
        assert_eq!(sink.statistics().whole_messages, 1, "{behaviour}");
    }
    let sink = open("after-dot: late-close 0");
    assert_eq!(send(&mut greeted(&sink), &["a@sink.test"]).last().unwrap(), "250");
    assert_eq!(sink.accepted().len(), 1);
}

#[test]
fn endless_replies_end_with_the_client_or_with_the_script() {
    for script in [
        "ehlo: endless",
        "ehlo: flood",
        "ehlo: drip 0.001",
        "ehlo: silence",
    ] {
        let sink = open(script);
        let mut talk = Talk::connect(sink.address().port());
        talk.reply();
        talk.say("EHLO c.test\r\n");
        let until = Instant::now() + PATIENCE;
        while sink.statistics().misbehaviours == 0 {
            assert!(Instant::now() < until, "{script} never happened");
            std::thread::yield_now();
        }
        sink.set(Script::good());
        assert!(talk.is_closed(), "{script}");
        assert!(greeted(&sink).ask("NOOP").starts_with("250"), "{script}");
    }
}

#[test]
fn doors_that_refuse_and_doors_that_swallow() {
    let within = Duration::from_millis(300);
    for (script, kind) in [
        ("connect: refuse", std::io::ErrorKind::ConnectionRefused),
        ("connect: black-hole", std::io::ErrorKind::TimedOut),
    ] {
        let sink = open("");
        sink.set(Script::read(script).unwrap());
        // While the door closes anything may happen to who knocks.
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect_timeout(&sink.address(), within)
            .map_err(|error| error.kind())
            .err()
            != Some(kind)
        {
            assert!(Instant::now() < until, "{script} never happened");
        }
        sink.set(Script::good());
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect_timeout(&sink.address(), within).is_err() {
            assert!(Instant::now() < until, "{script}: the door stays closed");
        }
        assert!(greeted(&sink).ask("NOOP").starts_with("250"), "{script}");
    }
}

#[test]
fn tls_good_and_broken() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    let authority = Authority::new();
    std::fs::write(&ca, authority.pem()).unwrap();
    let certificates = authority.certificates(&["localhost"]);
    let client = TlsClient::trusting(&ca);
    for (script, works) in [
        ("", true),
        ("tls: certificate wrong-name", false),
        ("tls: certificate expired", false),
        ("tls: certificate unknown", false),
        ("tls: abort", false),
        ("tls: garbage", false),
        ("tls: reset", false),
    ] {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let sink =
            Sink::start_with_tls(address, Script::read(script).unwrap(), certificates.clone()).unwrap();
        let mut talk = greeted(&sink);
        assert!(talk.ask("STARTTLS").starts_with("220"), "{script}");
        assert_eq!(talk.start_tls(&client).is_ok(), works, "{script}");
        if works {
            assert!(!talk.ask("EHLO client.test").contains("STARTTLS"));
            assert_eq!(send(&mut talk, &["a@sink.test"]).last().unwrap(), "250");
            assert!(sink.accepted()[0].secure);
        }
    }
}

#[test]
fn a_rude_client_is_noticed() {
    let sink = open("offer: SIZE=1000");
    let mut talk = greeted(&sink);
    assert!(talk.ask("MAIL FROM:<a@b.test> SIZE=2000").starts_with("552"));
    talk.ask("MAIL FROM:<a@b.test> BODY=8BITMIME");
    talk.ask("RCPT TO:<c@d.test> NOTIFY=NEVER");
    talk.ask("DATA");
    talk.ask("Subject: x\r\n\r\na\nb\r\n.");
    talk.say("NOOP\r\nNOOP\r\n");
    talk.reply();
    talk.reply();
    let violations = sink.statistics().violations;
    for part in ["8BITMIME", "NOTIFY=NEVER", "lone CR or LF", "sent ahead"] {
        assert!(
            violations.iter().any(|violation| violation.contains(part)),
            "{part}: {violations:?}"
        );
    }
}

#[test]
fn chunks_and_passwords() {
    let sink = open("offer: CHUNKING AUTH=PLAIN\ncredentials: joe secret");
    let mut talk = greeted(&sink);
    assert!(talk.ask("AUTH PLAIN AGpvZQB3cm9uZw==").starts_with("535"));
    assert!(talk.ask("AUTH PLAIN AGpvZQBzZWNyZXQ=").starts_with("235"));
    talk.ask("MAIL FROM:<a@b.test>");
    talk.ask("RCPT TO:<c@d.test>");
    talk.say("BDAT 17\r\nMessage-ID: <2>\r\n");
    assert!(talk.reply().starts_with("250"));
    talk.say("BDAT 5 LAST\r\n\r\nx\r\n");
    assert!(talk.reply().starts_with("250"));
    let accepted = sink.accepted();
    assert_eq!((accepted[0].message_id.as_str(), accepted[0].octets), ("<2>", 22));
    assert_eq!(accepted[0].user.as_deref(), Some("joe"));
}

#[test]
fn mistakes_in_a_script_name_their_line() {
    for (text, expected) in [
        ("banner", "line 1: `STAGE: BEHAVIOUR` is expected: banner"),
        ("\nlunch: close", "line 2: no such stage"),
        ("mail: sing", "line 1: no such behaviour at this stage"),
        ("mail: abort", "line 1: no such behaviour at this stage"),
        (
            "first x mail: close",
            "line 1: a number is expected after `first`",
        ),
        ("first 1 connect: refuse", "line 1: a closed door cannot count"),
        ("mail: drip often", "line 1: seconds are expected"),
        ("mail: reply", "line 1: a reply code is expected"),
        (
            "tls: certificate pretty",
            "line 1: `wrong-name`, `expired` or `unknown`",
        ),
    ] {
        let error = Script::read(text).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_pattern_fits_addresses_whatever_their_case() {
    for (pattern, text, expected) in [
        ("bob@*", "BOB@a.test", true),
        ("*@a.test", "x@a.test", true),
        ("b*b@*.test", "bob@a.test", true),
        ("bob", "bobby", false),
        ("*", "", true),
        ("a*a", "a", false),
    ] {
        assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
    }
}
