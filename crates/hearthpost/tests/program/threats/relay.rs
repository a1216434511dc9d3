//! REL: relaying, sender rights, injection.

use super::doors::{MAIL_DOORS, Server};

/// Doors at which nobody signs in.
fn strangers() -> impl Iterator<Item = super::doors::MailDoor> {
    MAIL_DOORS.into_iter().filter(|door| !door.signs_in)
}

#[test]
fn rel_1_rel_3_no_relaying_for_strangers_not_even_from_loopback() {
    let server = Server::start();
    for door in strangers() {
        for sender in [
            "",
            "a@remote.test",
            "alice@example.test",
            "postmaster@example.test",
            "x@localhost",
        ] {
            for target in [
                "v@victim.test",
                "postmaster@victim.test",
                "v@[192.0.2.1]",
                "v@sub.example.test",
                "v@localhost",
            ] {
                let mut talk = door.ready(&server);
                assert!(
                    talk.ask(&format!("MAIL FROM:<{sender}>")).starts_with("250"),
                    "{}: {sender}",
                    door.name
                );
                let reply = talk.ask(&format!("RCPT TO:<{target}>"));
                assert!(
                    reply.starts_with("550 5.7.1") || reply.starts_with("550 5.1."),
                    "{}: {sender} → {target}: {reply}",
                    door.name
                );
                let data = talk.ask("DATA");
                assert!(
                    data.starts_with("503") || data.starts_with("554"),
                    "{}: {data}",
                    door.name
                );
            }
        }
    }
}

#[test]
fn rel_2_address_tricks_never_leave_the_host() {
    let tricks = [
        "user%victim.test@example.test",
        "victim.test!user@example.test",
        "@example.test:user@victim.test",
        "\"user@victim.test\"@example.test",
        "\"user@victim.test\"",
        "user@victim.test@example.test",
        "user@example.test@victim.test",
        "user@[127.0.0.1]",
        "@a.test,@b.test:u@victim.test",
        "user@victim.test.",
        "USER@VICTIM.TEST",
        "user@xn--victim-.test",
        "user@\u{ff4c}ocalhost",
        "user@victim.test%example.test",
        "user%victim.test%other.test@example.test",
        "!user@example.test",
        "user!@example.test",
        "a!b%c@example.test",
        "@user@victim.test",
        "user@@victim.test",
        "user@ victim.test",
        "user @victim.test",
        "<user@victim.test>",
        "user@victim.test,alice@example.test",
        "alice@example.test,user@victim.test",
        "alice@example.test;user@victim.test",
        "user@victim.test#@example.test",
        "user@victim.test?@example.test",
        "\"alice@example.test\"@victim.test",
        "alice%40victim.test@example.test",
        "user@[IPv6:::1]",
        "user@[victim.test]",
        "user@2130706433",
        "user@0x7f000001",
        "user@127.0.0.1",
        "@victim.test",
        "user@",
        "user",
        "|user@victim.test",
        "/etc/passwd@example.test",
        "../../x@example.test",
    ];
    let server = Server::start();
    let before = (server.inbox(0).len(), server.inbox(1).len());
    for door in strangers() {
        for trick in tricks {
            let mut talk = door.ready(&server);
            talk.ask("MAIL FROM:<s@remote.test>");
            let reply = talk.ask(&format!("RCPT TO:<{trick}>"));
            assert!(reply.starts_with('5'), "{}: {trick}: {reply}", door.name);
        }
    }
    assert_eq!((server.inbox(0).len(), server.inbox(1).len()), before);
}

#[test]
fn rel_5_a_user_sends_only_as_himself() {
    let server = Server::start();
    for door in MAIL_DOORS.into_iter().filter(|door| door.signs_in) {
        for foreign in [
            "bob@example.test",
            "bob+x@example.test",
            "BOB@EXAMPLE.TEST",
            "postmaster@example.test",
            "alice@remote.test",
            "alice@example.test.evil.test",
        ] {
            let mut talk = door.ready(&server);
            let reply = talk.ask(&format!("MAIL FROM:<{foreign}>"));
            assert!(
                reply.starts_with("550 5.7.1"),
                "{}: MAIL FROM {foreign}: {reply}",
                door.name
            );
            for field in ["From", "Sender", "Resent-From"] {
                let mut talk = door.at_data(&server);
                let head = door.head("rel5");
                let head = if field == "From" {
                    head.replace("From: <alice@example.test>", &format!("From: <{foreign}>"))
                } else {
                    format!("{field}: <{foreign}>\r\n{head}")
                };
                talk.say(format!("{head}\r\nx\r\n.\r\n"));
                let reply = talk.reply();
                assert!(
                    reply.starts_with("550 5.7.1"),
                    "{}: {field} {foreign}: {reply}",
                    door.name
                );
            }
        }
        for from in [
            "<alice@example.test>, <bob@example.test>",
            "alice@example.test, Bob <bob@example.test>",
            "g: bob@example.test;",
            "\"a\" <alice@example.test>\r\nFrom: <bob@example.test>",
            "<alice@example.test>\r\n , <bob@example.test>",
        ] {
            let mut talk = door.at_data(&server);
            talk.say(format!(
                "{}\r\nx\r\n.\r\n",
                door.head("rel5")
                    .replace("From: <alice@example.test>", &format!("From: {from}"))
            ));
            let reply = talk.reply();
            assert!(reply.starts_with("550 5."), "{}: {from}: {reply}", door.name);
        }
        for own in [
            "alice@example.test",
            "alice+shop@example.test",
            "Alice@Example.Test",
        ] {
            let mut talk = door.at_data(&server);
            talk.say(format!(
                "{}\r\nx\r\n.\r\n",
                door.head("own")
                    .replace("From: <alice@example.test>", &format!("From: <{own}>"))
            ));
            let reply = talk.reply();
            assert!(
                reply.starts_with("250"),
                "{}: own address {own}: {reply}",
                door.name
            );
        }
    }
}

#[test]
fn rel_6_submission_wants_sign_in_and_tls() {
    let server = Server::start_strict();
    for door in MAIL_DOORS.into_iter().filter(|door| door.signs_in) {
        let mut talk = door.connect(&server);
        let hello = talk.ask("EHLO client.test");
        assert_eq!(hello.contains("AUTH"), door.tls, "{}: {hello}", door.name);
        let reply = talk.ask("MAIL FROM:<alice@example.test>");
        assert!(reply.starts_with("530"), "{}: {reply}", door.name);
        if !door.tls {
            let reply = talk.ask("AUTH PLAIN AGFsaWNlAHg=");
            assert!(reply.starts_with("538"), "{}: {reply}", door.name);
        }
    }
}

#[test]
fn rel_9_metacharacters_run_nothing() {
    let server = Server::start();
    let canary = server.dir().join("canary");
    let payloads = [
        format!("$(touch {})", canary.display()),
        format!("`touch {}`", canary.display()),
        format!("; touch {} ;", canary.display()),
        format!("| touch {}", canary.display()),
    ];
    for door in MAIL_DOORS {
        for payload in &payloads {
            let mut talk = door.ready(&server);
            talk.ask(&format!("MAIL FROM:<\"{payload}\"@remote.test>"));
            talk.ask(&format!("RCPT TO:<\"{payload}\"@example.test>"));
            talk.ask("RSET");
            door.envelope(&mut talk, "bob@example.test");
            talk.say(format!("{}X-Payload: {payload}\r\nContent-Type: text/plain; name=\"{payload}\"\r\n\r\n{payload}\r\n.\r\n", door.head("rel9")));
            assert!(talk.reply().starts_with("250"), "{}", door.name);
        }
    }
    assert!(!canary.exists(), "a payload ran");
}

#[test]
fn rel_10_a_message_that_travelled_too_far_is_refused() {
    let server = Server::start();
    for door in MAIL_DOORS {
        for (hops, wanted) in [(30, "250"), (51, "554 5.4.6")] {
            let received: String = (0..hops)
                .map(|hop| {
                    format!(
                        "Received: from h{hop}.test by h{}.test; Mon, 23 Nov 2026 12:00:00 +0000\r\n",
                        hop + 1
                    )
                })
                .collect();
            let mut talk = door.at_data(&server);
            talk.say(format!("{received}{}\r\nx\r\n.\r\n", door.head("rel10")));
            let reply = talk.reply();
            assert!(reply.starts_with(wanted), "{}: {hops} hops: {reply}", door.name);
        }
    }
}

#[test]
fn rel_11_bcc_is_removed_and_other_recipients_stay_hidden() {
    let server = Server::start();
    for door in MAIL_DOORS.into_iter().filter(|door| door.signs_in) {
        let mut talk = door.ready(&server);
        talk.ask("MAIL FROM:<alice@example.test>");
        assert!(talk.ask("RCPT TO:<bob@example.test>").starts_with("250"));
        assert!(talk.ask("RCPT TO:<alice+secret@example.test>").starts_with("250"));
        assert!(talk.ask("DATA").starts_with("354"));
        talk.say(format!(
            "Bcc: <alice+secret@example.test>,\r\n <hidden@remote.test>\r\n{}\r\nx\r\n.\r\n",
            door.head("rel11")
        ));
        assert!(talk.reply().starts_with("250"));
        let stored = server.inbox(1).pop().expect("it arrived");
        assert!(
            !stored.contains("secret")
                && !stored.contains("hidden")
                && !stored.to_ascii_lowercase().contains("bcc"),
            "{}: {stored}",
            door.name
        );
    }
}
