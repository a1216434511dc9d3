//! LOG: sign-in.

use super::doors::{MAIL_DOORS, Server};
use base64::Engine;
use testkit::talk::Talk;

fn base64(text: impl AsRef<[u8]>) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn log_2_unknown_users_and_wrong_passwords_hear_the_same() {
    let server = Server::start();
    for door in MAIL_DOORS.iter().filter(|door| door.signs_in) {
        let answers: Vec<String> = [
            "alice@example.test",
            "nobody@example.test",
            "alice@elsewhere.test",
        ]
        .iter()
        .map(|user| {
            let mut talk = door.connect(&server);
            talk.ask("EHLO client.test");
            talk.ask(&format!("AUTH PLAIN {}", base64(format!("\0{user}\0wrong"))))
        })
        .collect();
        assert!(
            answers
                .iter()
                .all(|answer| answer == &answers[0] && answer.starts_with("535")),
            "{}: {answers:?}",
            door.name
        );
    }
    let answers: Vec<String> = ["alice@example.test", "nobody@example.test"]
        .iter()
        .map(|user| {
            let mut talk = Talk::connect(server.port("imap"));
            talk.line();
            talk.imap("a", &format!("LOGIN {user} wrong"))
                .pop()
                .unwrap_or_default()
        })
        .collect();
    assert!(
        answers[0] == answers[1] && answers[0].starts_with("a NO"),
        "{answers:?}"
    );
}

#[test]
fn log_3_a_flood_of_sign_ins_does_not_take_the_memory() {
    let server = Server::start();
    let before = server.resident_kib();
    let mut talks: Vec<Talk> = (0..100)
        .map(|_| Talk::connect(server.port("submission")))
        .collect();
    for talk in &mut talks {
        talk.reply();
        talk.ask("EHLO client.test");
    }
    for (number, talk) in talks.iter_mut().enumerate() {
        talk.say(format!(
            "AUTH PLAIN {}\r\n",
            base64(format!("\0alice@example.test\0wrong{number}"))
        ));
    }
    let peak = server.resident_kib();
    for talk in &mut talks {
        let reply = talk.reply();
        assert!(reply.starts_with("535") || reply.starts_with('4'), "{reply}");
    }
    let peak = peak.max(server.resident_kib()).saturating_sub(before);
    // Two cores hash at a time, 19 MiB each; the rest is connections.
    let cores = std::thread::available_parallelism().map_or(2, usize::from) as u64;
    assert!(peak < (cores * 19 + 24) * 1024, "memory grew by {peak} KiB");
}

#[test]
fn log_4_malformed_sign_ins_end_cleanly() {
    let server = Server::start();
    for door in MAIL_DOORS.iter().filter(|door| door.signs_in) {
        let long = "A".repeat(13 * 1024);
        for token in [
            "!!!",
            "=",
            "AGFsaWNl",
            "====",
            long.as_str(),
            &base64("bob@example.test\0alice@example.test\0x"),
            &base64("\0alice@example.test\0\0x"),
            &base64([0xff, 0, 0xfe, 0, 0xfd]),
        ] {
            let mut talk = door.connect(&server);
            talk.ask("EHLO client.test");
            let reply = talk.ask(&format!("AUTH PLAIN {token}"));
            assert!(
                reply.starts_with("501") || reply.starts_with("535") || reply.starts_with("500"),
                "{}: {:.30}: {reply}",
                door.name,
                token
            );
        }
        let mut talk = door.connect(&server);
        talk.ask("EHLO client.test");
        assert!(talk.ask("AUTH PLAIN").starts_with("334"));
        assert!(talk.ask("*").starts_with("501"), "{}: cancelled", door.name);
        assert!(talk.ask("AUTH NTLM").starts_with("504"), "{}", door.name);
        assert!(talk.ask("AUTH LOGIN").starts_with("334"));
        assert!(talk.ask("*").starts_with("501"), "{}: cancelled", door.name);
        let (address, password) = server.user(0);
        assert!(talk.ask("AUTH LOGIN").starts_with("334"));
        assert!(talk.ask(&base64(&address)).starts_with("334"));
        assert!(
            talk.ask(&base64(&password)).starts_with("235"),
            "{}: the right password still works",
            door.name
        );
    }
    for token in ["!!!", "=", "*"] {
        let mut talk = Talk::connect(server.port("imap"));
        talk.line();
        talk.say("a AUTHENTICATE PLAIN\r\n");
        assert!(talk.line().is_some_and(|line| line.starts_with('+')));
        let answer = talk.imap_answer_to(token, "a");
        assert!(
            answer.starts_with("a BAD") || answer.starts_with("a NO"),
            "{token}: {answer}"
        );
    }
}

/// A continuation line and the tagged answer to it.
trait Continue {
    fn imap_answer_to(&mut self, line: &str, tag: &str) -> String;
}

impl Continue for Talk {
    fn imap_answer_to(&mut self, line: &str, tag: &str) -> String {
        self.say(format!("{line}\r\n"));
        self.imap_answer(tag).pop().unwrap_or_default()
    }
}
