//! TLS: injection, state reset, implicit TLS.

use super::doors::{MAIL_DOORS, Server};
use testkit::talk::Talk;

#[test]
fn tls_1_commands_injected_before_tls_are_never_executed() {
    let server = Server::start_strict();
    for name in ["smtp", "submission"] {
        let mut talk = Talk::connect(server.port(name));
        talk.reply();
        talk.ask("EHLO client.test");
        talk.say("STARTTLS\r\nEHLO injected.test\r\nMAIL FROM:<injected@remote.test>\r\n");
        let reply = talk.reply();
        if reply.starts_with("220") {
            assert!(
                talk.start_tls(&server.tls()).is_err() || talk.ask("NOOP").is_empty(),
                "{name}: the session went on over TLS"
            );
        } else {
            assert!(
                reply.starts_with('5') || reply.starts_with("421") || reply.is_empty(),
                "{name}: {reply}"
            );
        }
    }
    let mut talk = Talk::connect(server.port("imap"));
    talk.line();
    talk.say("a STARTTLS\r\nb LOGIN alice x\r\n");
    let answer = talk.line().unwrap_or_default();
    if answer.starts_with("a OK") {
        assert!(
            talk.start_tls(&server.tls()).is_err() || talk.imap("c", "NOOP").is_empty(),
            "imap: the session went on over TLS"
        );
    }
}

#[test]
fn tls_3_nothing_said_in_the_clear_counts_after_tls() {
    let server = Server::start_strict();
    for name in ["smtp", "submission"] {
        let mut talk = Talk::connect(server.port(name));
        talk.reply();
        assert!(talk.ask("EHLO client.test").contains("STARTTLS"), "{name}");
        talk.ask("MAIL FROM:<a@remote.test>");
        talk.ask("RSET");
        assert!(talk.ask("STARTTLS").starts_with("220"), "{name}");
        talk.start_tls(&server.tls()).expect("the handshake succeeds");
        let reply = talk.ask("MAIL FROM:<a@remote.test>");
        assert!(
            reply.starts_with("503") || reply.starts_with("530"),
            "{name}: the greeting must be said again: {reply}"
        );
        let hello = talk.ask("EHLO client.test");
        assert!(!hello.contains("STARTTLS"), "{name}: {hello}");
    }
    let mut talk = Talk::connect(server.port("imap"));
    talk.line();
    let capabilities = talk.imap("a", "CAPABILITY").join(" ");
    assert!(
        capabilities.contains("STARTTLS") && capabilities.contains("LOGINDISABLED"),
        "{capabilities}"
    );
    assert!(
        talk.imap("b", "STARTTLS")
            .last()
            .is_some_and(|line| line.starts_with("b OK"))
    );
    talk.start_tls(&server.tls()).expect("the handshake succeeds");
    let capabilities = talk.imap("c", "CAPABILITY").join(" ");
    assert!(
        !capabilities.contains("STARTTLS") && !capabilities.contains("LOGINDISABLED"),
        "{capabilities}"
    );
    assert!(
        talk.imap("d", "SELECT INBOX")
            .last()
            .is_some_and(|line| !line.starts_with("d OK"))
    );
}

#[test]
fn tls_9_implicit_tls_works_and_clear_doors_want_tls() {
    let server = Server::start_strict();
    for door in MAIL_DOORS.iter().filter(|door| door.tls) {
        door.ready(&server);
    }
    let (address, password) = server.user(0);
    let mut talk = Talk::connect_tls(server.port("imaps"), &server.tls());
    talk.line();
    assert!(
        talk.imap("a", &format!("LOGIN {address} \"{password}\""))
            .last()
            .is_some_and(|line| line.starts_with("a OK"))
    );
    let mut talk = Talk::connect(server.port("imap"));
    talk.line();
    let refused = talk.imap("a", &format!("LOGIN {address} \"{password}\""));
    assert!(
        refused.last().is_some_and(|line| line.starts_with("a NO")),
        "{refused:?}"
    );
}
