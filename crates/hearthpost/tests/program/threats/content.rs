//! MIM: content bombs, from socket to FETCH.

use super::doors::{MAIL_DOORS, MailDoor, Server};

const IN: MailDoor = MAIL_DOORS[0];

/// Delivers to bob, reads its structure, envelope and a part back; returns the CPU time it took, in ms.
fn digest(server: &Server, message: &str) -> (String, u64) {
    let before = server.cpu_ms();
    let mut talk = IN.at_data(server);
    talk.say(message);
    talk.say("\r\n.\r\n");
    let reply = talk.reply();
    if reply.starts_with("250") {
        let mut imap = server.imap(1);
        imap.imap("s", "EXAMINE INBOX");
        for item in [
            "BODYSTRUCTURE",
            "ENVELOPE",
            "BODY.PEEK[1.1.1.MIME]",
            "RFC822.SIZE",
        ] {
            let answer = imap.imap("f", &format!("FETCH * ({item})"));
            assert!(
                answer
                    .last()
                    .is_some_and(|line| line.starts_with("f OK") || line.starts_with("f NO")),
                "{item}: {:?}",
                answer.last()
            );
        }
        assert!(
            imap.imap("n", "NOOP")
                .last()
                .is_some_and(|line| line.starts_with("n OK"))
        );
    }
    (reply, server.cpu_ms() - before)
}

#[test]
fn mim_1_deep_nesting_is_bounded() {
    let server = Server::start();
    for depth in [100, 10_000] {
        let mut text = IN.head("mim1");
        for level in 0..depth {
            text.push_str(&format!(
                "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"
            ));
        }
        text.push_str("\r\nheart\r\n");
        let (reply, cpu) = digest(&server, &text);
        assert!(reply.starts_with("250") || reply.starts_with('5'), "{reply}");
        assert!(cpu < 3_000, "{depth} levels took {cpu} ms");
        let mut text = IN.head("mim1r");
        for _ in 0..depth {
            text.push_str("Content-Type: message/rfc822\r\n\r\n");
        }
        text.push_str("\r\nheart\r\n");
        let (_, cpu) = digest(&server, &text);
        assert!(cpu < 3_000, "{depth} messages in messages took {cpu} ms");
    }
}

#[test]
fn mim_2_many_parts_take_linear_time() {
    let server = Server::start();
    for parts in [1_000, 100_000] {
        let mut text = format!(
            "{}Content-Type: multipart/mixed; boundary=b\r\n\r\n",
            IN.head("mim2")
        );
        for _ in 0..parts {
            text.push_str("--b\r\n\r\nx\r\n");
        }
        text.push_str("--b--\r\n");
        let (reply, cpu) = digest(&server, &text);
        assert!(reply.starts_with("250"), "{reply}");
        assert!(cpu < 5_000, "{parts} parts took {cpu} ms");
    }
    let mut text = format!(
        "{}Content-Type: multipart/mixed; boundary=aaaaaaaa\r\n\r\n",
        IN.head("mim2p")
    );
    for _ in 0..200_000 {
        text.push_str("--aaaaaaa\r\n");
    }
    let (_, cpu) = digest(&server, &text);
    assert!(cpu < 5_000, "boundary-like lines took {cpu} ms");
}

#[test]
fn mim_3_header_bombs_are_bounded() {
    let server = Server::start();
    let many_addresses: String = (0..5_000)
        .map(|number| format!(" u{number}@remote.test,\r\n"))
        .collect();
    let continuations: String = (0..1_000)
        .map(|number| format!(";\r\n name*{number}=x"))
        .collect();
    for bomb in [
        format!(
            "X-Big: {}\r\n",
            format!("{}\r\n ", "y".repeat(900)).repeat(20_000)
        ),
        format!("Cc:{many_addresses} last@remote.test\r\n"),
        format!("Content-Type: text/plain{continuations}\r\n"),
        format!("To: {}x@remote.test\r\n", "(".repeat(900)),
    ] {
        let (reply, cpu) = digest(&server, &format!("{}{bomb}\r\nx\r\n", IN.head("mim3")));
        assert!(
            reply.starts_with("250") || reply.starts_with("552") || reply.starts_with("554"),
            "{:.30}: {reply}",
            bomb
        );
        assert!(cpu < 3_000, "{:.30} took {cpu} ms", bomb);
    }
}

#[test]
fn mim_4_broken_encodings_are_kept_as_they_came() {
    let server = Server::start();
    for (kind, body) in [
        ("base64", "QUJD=QQ"),
        ("base64", "===="),
        ("quoted-printable", "a=\r\n=4\r\n=ZZ="),
        ("x-uuencode", "begin 644 a\r\n#0V%T\r\n"),
        ("8bit", "\u{fffd}\u{1b}$B"),
    ] {
        let text = format!(
            "{}Content-Type: text/plain; charset=utf-7\r\nContent-Transfer-Encoding: {kind}\r\n\r\n{body}",
            IN.head("mim4")
        );
        let (reply, _) = digest(&server, &text);
        assert!(reply.starts_with("250"), "{kind}: {reply}");
        let stored = server.inbox(1).pop().expect("it arrived");
        assert!(stored.trim_end().ends_with(body.trim_end()), "{kind}: {stored}");
    }
}

#[test]
fn mim_6_the_worst_legal_message_does_not_hold_up_the_others() {
    let server = Server::start();
    // What a first message and a first sign-in bring into memory for good is not the worst message's.
    let (reply, _) = digest(&server, &format!("{}\r\nfirst\r\n", IN.head("first")));
    assert!(reply.starts_with("250"), "{reply}");
    let before = server.resident_kib();
    let mut text = format!(
        "{}Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        IN.head("mim6")
    );
    while text.len() < 24 << 20 {
        text.push_str("--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n--b-not\r\n");
    }
    let (reply, cpu) = digest(&server, &text);
    assert!(reply.starts_with("250"), "{reply}");
    assert!(cpu < 10_000, "24 MiB of parts took {cpu} ms");
    // At its peak: once for whoever reads it, once for the index, which may do so at the same time, and what the allocator keeps.
    let grown = server.peak_kib().saturating_sub(before);
    assert!(grown < 4 * text.len() as u64 / 1024, "memory grew by {grown} KiB");
    let mut talk = IN.at_data(&server);
    talk.say(format!("{}\r\nsmall\r\n.\r\n", IN.head("small")));
    assert!(talk.reply().starts_with("250"));
}
