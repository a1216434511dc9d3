//! SMT: SMTP session abuse.

use super::doors::{CLEAR_DOORS, MAIL_DOORS, Server};
use testkit::talk::Talk;

#[test]
fn smt_1_long_lines_are_refused_and_cost_nothing() {
    let server = Server::start();
    let before = server.resident_kib();
    for door in MAIL_DOORS {
        let mut talk = door.ready(&server);
        let reply = talk.ask(&format!("NOOP {}", "x".repeat(3_000)));
        assert!(reply.starts_with("500"), "{}: {reply}", door.name);
        let mut talk = door.connect(&server);
        let block = vec![b'x'; 1 << 20];
        for _ in 0..64 {
            talk.say(&block);
        }
        assert!(
            talk.is_closed() || talk.unread().starts_with(b"5") || talk.unread().starts_with(b"421"),
            "{}",
            door.name
        );
        let mut talk = door.at_data(&server);
        talk.say(format!("{}\r\n{}\r\n.\r\n", door.head("smt1"), "y".repeat(5_000)));
        let reply = talk.reply();
        assert!(
            reply.starts_with('5'),
            "{}: a line of 5,000 octets: {reply}",
            door.name
        );
    }
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "memory grew by {grown} KiB");
}

#[test]
fn smt_2_recipients_sizes_and_headers_are_limited() {
    let server = Server::start();
    for door in MAIL_DOORS {
        let mut talk = door.ready(&server);
        let reply = talk.ask(&format!("MAIL FROM:<{}> SIZE=1000000000000", door.sender()));
        assert!(reply.starts_with("552"), "{}: {reply}", door.name);
        talk.ask(&format!("MAIL FROM:<{}>", door.sender()));
        let mut lines = String::new();
        for number in 0..1_100 {
            lines.push_str(&format!("RCPT TO:<alice+{number}@example.test>\r\n"));
        }
        talk.say(lines);
        let replies: Vec<String> = (0..1_100).map(|_| talk.reply()).collect();
        let accepted = replies.iter().filter(|reply| reply.starts_with("250")).count();
        assert!(accepted >= 100, "{}: only {accepted} recipients", door.name);
        assert!(
            replies[accepted..].iter().all(|reply| reply.starts_with("452")),
            "{}: {:?}",
            door.name,
            replies.last()
        );
        let fields: String = (0..1_100).map(|number| format!("X-F{number}: y\r\n")).collect();
        let block: String = (0..330)
            .map(|number| format!("X-B{number}: {}\r\n", "z".repeat(900)))
            .collect();
        for bomb in [fields, block] {
            let mut talk = door.at_data(&server);
            talk.say(format!("{}{bomb}\r\nbody\r\n.\r\n", door.head("smt2")));
            let reply = talk.reply();
            assert!(
                reply.starts_with("552") || reply.starts_with("554"),
                "{}: {reply}",
                door.name
            );
        }
    }
}

#[test]
fn smt_3_slow_clients_leave_service_for_others() {
    let server = Server::start();
    for door in MAIL_DOORS.iter().filter(|door| !door.tls) {
        let mut slow: Vec<Talk> = (0..200).map(|_| Talk::connect(server.port(door.name))).collect();
        for talk in &mut slow {
            talk.say("E");
        }
        let mut talk = door.ready(&server);
        assert!(talk.ask("NOOP").starts_with("250"), "{}", door.name);
    }
}

#[test]
fn smt_6_junk_ends_the_session() {
    let server = Server::start();
    for door in MAIL_DOORS {
        let mut talk = door.ready(&server);
        let mut last = String::new();
        for _ in 0..50 {
            last = talk.ask("XYZZY");
            if !last.starts_with("500") {
                break;
            }
        }
        assert!(last.starts_with("421"), "{}: {last}", door.name);
        assert!(talk.is_closed(), "{}", door.name);
    }
}

#[test]
fn smt_8_greetings_are_checked_and_never_echoed_raw() {
    let server = Server::start();
    for door in MAIL_DOORS {
        for odd in [
            "a",
            "under_score.test",
            "[127.0.0.1]",
            "[IPv6:::1]",
            "xn--mnchen-3ya.test",
        ] {
            let mut talk = door.connect(&server);
            assert!(
                talk.ask(&format!("{} {odd}", door.hello)).starts_with("250"),
                "{}: {odd}",
                door.name
            );
        }
        for bad in ["a\0b", "a\x1b[31mb", "a\x07"] {
            let mut talk = door.connect(&server);
            let reply = talk.ask(&format!("{} {bad}", door.hello));
            assert!(
                reply.starts_with("501") || reply.starts_with("500"),
                "{}: {bad:?}: {reply}",
                door.name
            );
            assert!(
                !reply.contains(['\0', '\x1b', '\x07']),
                "{}: echoed raw",
                door.name
            );
        }
    }
}

#[test]
fn smt_9_other_protocols_are_shown_the_door() {
    let server = Server::start();
    for door in CLEAR_DOORS {
        for first in [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@b.test>\r\n",
            "Host: x\r\n",
        ] {
            let mut talk = Talk::connect(server.port(door));
            talk.line();
            talk.say(first);
            assert!(talk.is_closed(), "{door}: {first:?}");
            let said = String::from_utf8_lossy(talk.unread()).into_owned();
            assert!(!said.contains("250"), "{door}: {said}");
        }
    }
}
