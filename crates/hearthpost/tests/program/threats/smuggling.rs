//! SMG: framing and smuggling.

use super::doors::{MAIL_DOORS, Server};

/// What a careless server takes for the end of data.
const FALSE_ENDS: [(&str, &str); 12] = [
    ("LF.LF", "\n.\n"),
    ("LF.CR", "\n.\r"),
    ("CR.LF", "\r.\n"),
    ("CR.CR", "\r.\r"),
    ("LF.CRLF", "\n.\r\n"),
    ("CR.CRLF", "\r.\r\n"),
    ("CRLF.LF", "\r\n.\n"),
    ("CRLF.CR", "\r\n.\r"),
    ("CRLF NUL.CRLF", "\r\n\0.\r\n"),
    ("CRLF.NUL CRLF", "\r\n.\0\r\n"),
    ("CRLF.CRCRLF", "\r\n.\r\r\n"),
    ("CRCRLF.CRCRLF", "\r\r\n.\r\r\n"),
];

#[test]
fn smg_1_only_crlf_dot_crlf_ends_data() {
    let server = Server::start();
    let before = server.inbox(0).len();
    for door in MAIL_DOORS {
        for (name, end) in FALSE_ENDS {
            let mut talk = door.at_data(&server);
            let smuggled = "MAIL FROM:<evil@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nboo\r\n.\r\n";
            talk.say(format!("{}\r\nbody{end}{smuggled}", door.head("smg1")));
            let reply = talk.reply();
            assert!(
                reply.starts_with("250") || reply.starts_with("5"),
                "{} {name}: {reply}",
                door.name
            );
            let next = talk.ask("NOOP");
            assert!(
                next.starts_with("250") || next.is_empty(),
                "{} {name}: a second reply came: {next}",
                door.name
            );
        }
    }
    assert_eq!(server.inbox(0).len(), before, "nothing was smuggled to alice");
}

#[test]
fn smg_2_bare_cr_lf_and_nul_are_refused() {
    let server = Server::start();
    for door in MAIL_DOORS {
        for octet in ["\r", "\n", "\0"] {
            for place in [0, 4, 8] {
                for in_header in [true, false] {
                    let mut line = String::from("X-A: aaa");
                    line.insert_str(place, octet);
                    let text = if in_header {
                        format!("{line}\r\n\r\nbody\r\n")
                    } else {
                        format!("\r\n{line}\r\n")
                    };
                    let mut talk = door.at_data(&server);
                    talk.say(format!("{}{text}.\r\n", door.head("smg2")));
                    let reply = talk.reply();
                    assert!(
                        reply.starts_with("550 5.6.0"),
                        "{} {octet:?} at {place}: {reply}",
                        door.name
                    );
                    assert!(talk.ask("NOOP").starts_with("250"), "the session goes on");
                }
            }
        }
    }
}

#[test]
fn smg_3_what_was_accepted_has_only_whole_line_ends() {
    let server = Server::start();
    for door in MAIL_DOORS {
        for (_, end) in FALSE_ENDS {
            let mut talk = door.at_data(&server);
            talk.say(format!("{}\r\nbody{end}tail\r\n.\r\n", door.head("smg3")));
            talk.reply();
        }
        let mut talk = door.at_data(&server);
        talk.say(format!("{}\r\nplain\r\n.\r\n", door.head("smg3")));
        assert!(talk.reply().starts_with("250"));
    }
    for message in server.inbox(1) {
        let rest = message.replace("\r\n", "");
        assert!(
            !rest.contains(['\r', '\n', '\0']),
            "a bare CR, LF or NUL was stored: {message:?}"
        );
    }
}

#[test]
fn smg_4_bdat_is_counted_exactly() {
    let server = Server::start();
    for door in MAIL_DOORS {
        let mut talk = door.ready(&server);
        // Without a transaction the octets are consumed, then refused.
        talk.say("BDAT 11 LAST\r\nNOOP\r\nNOOP\r");
        assert!(talk.reply().starts_with("503"), "{}", door.name);
        assert!(
            talk.ask("NOOP").starts_with("250"),
            "{}: chunk octets were not taken for commands",
            door.name
        );
        assert!(
            talk.ask("BDAT 18446744073709551616 LAST").starts_with("501"),
            "{}",
            door.name
        );
        let mut talk = door.ready(&server);
        talk.ask(&format!("MAIL FROM:<{}>", door.sender()));
        assert!(talk.ask("RCPT TO:<bob@example.test>").starts_with("250"));
        let (head, tail) = (
            format!("{}\r\n", door.head("smg4")),
            "two chunks\r\n.\r\nstill the body\r\n",
        );
        talk.say(format!("BDAT {}\r\n{head}", head.len()));
        assert!(talk.reply().starts_with("250"), "{}", door.name);
        assert!(
            talk.ask("DATA").starts_with("503"),
            "{}: DATA after BDAT",
            door.name
        );
        talk.say(format!("BDAT {} LAST\r\n{tail}", tail.len()));
        let reply = talk.reply();
        assert!(
            reply.starts_with("250") || reply.starts_with("503"),
            "{}: {reply}",
            door.name
        );
        assert!(talk.ask("NOOP").starts_with("250"), "{}", door.name);
    }
}

#[test]
fn smg_4_bare_line_feeds_in_bdat_are_refused() {
    let server = Server::start();
    for door in MAIL_DOORS {
        let mut talk = door.ready(&server);
        talk.ask(&format!("MAIL FROM:<{}>", door.sender()));
        assert!(talk.ask("RCPT TO:<bob@example.test>").starts_with("250"));
        let text = format!("{}\r\nbare\nline feed\r\n", door.head("smg4b"));
        talk.say(format!("BDAT {} LAST\r\n{text}", text.len()));
        assert!(talk.reply().starts_with("550 5.6.0"), "{}", door.name);
    }
}

#[test]
fn smg_5_unauthorised_pipelining_is_refused() {
    let server = Server::start();
    for door in MAIL_DOORS.iter().filter(|door| !door.tls) {
        // Mail text before 354: the client did not wait.
        let mut talk = door.ready(&server);
        talk.ask(&format!("MAIL FROM:<{}>", door.sender()));
        talk.ask("RCPT TO:<bob@example.test>");
        let before = server.inbox(1).len();
        talk.say("DATA\r\nSubject: early\r\n\r\nsmg5\r\n.\r\nNOOP\r\n");
        let reply = talk.reply();
        assert!(
            reply.starts_with('5') || reply.is_empty(),
            "{}: {reply}",
            door.name
        );
        assert_eq!(server.inbox(1).len(), before, "{}", door.name);
    }
}

#[test]
fn smg_6_dot_lines_arrive_as_sent() {
    let server = Server::start();
    let long = format!(".{}", "x".repeat(900));
    let body = [".", "..", ".x", "a.", "...", long.as_str(), "", "."];
    for door in MAIL_DOORS {
        let mut talk = door.at_data(&server);
        let stuffed: String = body
            .iter()
            .map(|line| {
                if line.starts_with('.') {
                    format!(".{line}\r\n")
                } else {
                    format!("{line}\r\n")
                }
            })
            .collect();
        talk.say(format!("{}\r\n{stuffed}.\r\n", door.head("smg6")));
        assert!(talk.reply().starts_with("250"), "{}", door.name);
        let wanted: String = body.iter().map(|line| format!("{line}\r\n")).collect();
        let stored = server.inbox(1).pop().expect("it arrived");
        assert_eq!(
            stored.split_once("\r\n\r\n").map(|(_, text)| text),
            Some(wanted.as_str()),
            "{}",
            door.name
        );
    }
}
