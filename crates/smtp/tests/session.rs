//! Whole sessions as transcripts: what the client sends (`C:`), what must come back (`S:` is how the reply begins).

use std::sync::Arc;

use smtp::refusal::codes;
use smtp::{Flavour, Refusal, Session, Setup, Step, Taken, TextRules, Verdict};

/// The proof of these tests. It counts nothing: that one must be given at all is what the types show.
struct Kept;

fn setup(flavour: Flavour) -> Arc<Setup> {
    Arc::new(Setup {
        sender: None,
        host_name: "mx.example.test".to_owned(),
        flavour,
        starttls: true,
        insecure_auth: false,
        max_message_bytes: 1000,
        text: TextRules::default(),
    })
}

/// A driver with a simple policy: `bad@` senders and `nobody@` recipients are refused, `AUTH PLAIN good` signs in.
struct Client {
    session: Option<Session<Kept>>,
    input: Vec<u8>,
    replies: Vec<u8>,
    kept: Vec<Vec<u8>>,
}

impl Client {
    fn connect(flavour: Flavour, secured: bool) -> Self {
        // 2026-11-26T05:30:00Z.
        let session = Session::new(setup(flavour), secured).begun_at(1_795_671_000);
        let replies = session.banner().as_bytes().to_vec();
        Self {
            session: Some(session),
            input: Vec::new(),
            replies,
            kept: Vec::new(),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        use smtp::frame::{Frame, command_line};
        self.input.extend_from_slice(bytes);
        while let Some(session) = self.session.take() {
            let step = match command_line(&self.input, smtp::limits::COMMAND_LINE_BYTES) {
                Frame::Incomplete => {
                    self.session = Some(session);
                    return;
                }
                Frame::BareLf => session.bare_lf(),
                Frame::TooLong => session.line_too_long(),
                Frame::BadBytes { consumed } => {
                    self.input.drain(..consumed);
                    session.bad_line()
                }
                Frame::Line { line, consumed } => {
                    let line = line.to_vec();
                    self.input.drain(..consumed);
                    session.line(&line, !self.input.is_empty())
                }
            };
            self.session = self.answer(step);
        }
    }

    fn answer(&mut self, mut step: Step<Kept>) -> Option<Session<Kept>> {
        loop {
            step = match step {
                Step::Answer(session, reply) => {
                    self.replies.extend_from_slice(reply.as_bytes());
                    return Some(session);
                }
                Step::Close(reply) => {
                    self.replies
                        .extend_from_slice(reply.as_ref().map_or(b"", |reply| reply.as_bytes()));
                    return None;
                }
                Step::Sender(ask) => match ask.mail().reverse_path.mailbox() {
                    Some(mailbox) if mailbox.local().as_str() == "bad" => {
                        ask.refuse(&Refusal::new(codes::NOT_YOUR_ADDRESS, "no"))
                    }
                    _ => ask.accept(),
                },
                Step::Recipient(ask) => match ask.mailbox() {
                    Some(mailbox) if mailbox.local().as_str() == "nobody" => {
                        ask.refuse(&Refusal::new(codes::UNKNOWN_USER, "nobody"))
                    }
                    _ => ask.accept(),
                },
                Step::Auth(mut ask) => match ask.take_initial() {
                    Some(initial) if initial == b"good" => ask.succeed(),
                    _ => ask.refuse(&Refusal::new(codes::AUTH_FAILED, "no")),
                },
                Step::Tls(ask) => {
                    let (before, reply) = ask.go_on();
                    self.replies.extend_from_slice(reply.as_bytes());
                    return Some(before.secured());
                }
                Step::Data(ask) => {
                    let (mut receiving, reply) = ask.go_on();
                    self.replies.extend_from_slice(reply.as_bytes());
                    let mut text = Vec::new();
                    // The scripts send DATA's text in the next call: recurse through the input that is there by then.
                    let waiting = std::mem::take(&mut self.input);
                    let mut rest = &waiting[..];
                    let body = BODY.with_borrow_mut(std::mem::take);
                    let joined: Vec<u8> = if rest.is_empty() { body } else { rest.to_vec() };
                    rest = &joined;
                    loop {
                        let piece = receiving.next(rest);
                        text.extend_from_slice(piece.text);
                        rest = &rest[piece.consumed..];
                        if piece.end || rest.is_empty() {
                            break;
                        }
                    }
                    self.input = rest.to_vec();
                    match receiving.finish() {
                        Ok(verdict) => self.decide(verdict, text),
                        Err(_) => return None,
                    }
                }
                Step::Chunk(mut chunk) => {
                    let waiting = std::mem::take(&mut self.input);
                    let mut rest = &waiting[..];
                    let mut text = Vec::new();
                    while chunk.remaining_bytes() > 0 && !rest.is_empty() {
                        let piece = chunk.next(rest);
                        text.extend_from_slice(piece.text);
                        rest = &rest[piece.consumed..];
                    }
                    self.input = rest.to_vec();
                    match chunk.finish() {
                        Ok(Taken::More(more)) => match more.fault() {
                            Some(fault) => more.refuse(&Refusal::new(codes::BAD_CONTENT, fault.sentence())),
                            None => more.go_on(),
                        },
                        Ok(Taken::Last { verdict, .. }) => self.decide(verdict, text),
                        Ok(Taken::Discarded(step)) => step,
                        Err(_) => return None,
                    }
                }
            };
        }
    }

    fn decide(&mut self, verdict: Verdict<Kept>, text: Vec<u8>) -> Step<Kept> {
        let id = mail::ids::Id::from_raw(1);
        match verdict {
            Verdict::Faulty(faulty) => faulty.refuse(),
            Verdict::One(one) => {
                self.kept.push(text);
                one.accept(Kept, id, None)
            }
            Verdict::Each(mut each) => {
                self.kept.push(text);
                each.accept(Kept, id, None);
                while each.remaining() > 0 {
                    each.refuse(&Refusal::new(codes::OVER_QUOTA_NOW, "full"));
                }
                each.finish()
            }
        }
    }
}

thread_local! {
    /// What the client will send after 354.
    static BODY: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Plays a transcript. `C: ` sends a line with CR LF, `S: ` expects a reply line that begins so, `B: ` sets what follows
/// the next 354 (`\r\n` and the like are unescaped), `R: ` sends raw octets, `closed` expects the end.
fn play(flavour: Flavour, secured: bool, script: &str) {
    let mut client = Client::connect(flavour, secured);
    let mut seen = 0;
    for (number, line) in script
        .lines()
        .map(str::trim)
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        if let Some(send) = line.strip_prefix("C: ") {
            client.send(format!("{send}\r\n").as_bytes());
        } else if let Some(raw) = line.strip_prefix("R: ") {
            client.send(&unescape(raw));
        } else if let Some(body) = line.strip_prefix("B: ") {
            BODY.with_borrow_mut(|waiting| *waiting = unescape(body));
        } else if let Some(want) = line.strip_prefix("S: ") {
            let text = String::from_utf8(client.replies.clone()).expect("ASCII");
            let got = text[seen..].split("\r\n").next().unwrap_or("").to_owned();
            assert!(
                got.starts_with(want) && !got.is_empty(),
                "line {}: wanted {want:?}, got {got:?}",
                number + 1
            );
            seen += got.len() + 2;
        } else if line == "closed" {
            assert!(client.session.is_none(), "line {}: still open", number + 1);
            assert_eq!(client.replies.len(), seen, "line {}: more was said", number + 1);
        } else {
            panic!("line {}: {line:?} is no script", number + 1);
        }
    }
    let left = String::from_utf8_lossy(&client.replies[seen.min(client.replies.len())..]).into_owned();
    assert_eq!(left, "", "more was said");
}

fn unescape(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\0", "\0")
        .into_bytes()
}

#[test]
fn a_stranger_sends_a_message() {
    play(
        Flavour::Mx,
        false,
        "S: 220 mx.example.test ESMTP
         C: EHLO there.example
         S: 250-mx.example.test
         S: 250-PIPELINING
         S: 250-SIZE 1000
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-CHUNKING
         S: 250-ENHANCEDSTATUSCODES
         S: 250-DSN
         S: 250-STARTTLS
         S: 250 HELP
         R: MAIL FROM:<a@there.example>\\r\\nRCPT TO:<bob@example.test>\\r\\nRCPT TO:<nobody@example.test>\\r\\n
         S: 250 2.1.0
         S: 250 2.1.5
         S: 550 5.1.1
         B: Subject: x\\r\\n\\r\\nbody\\r\\n.\\r\\n
         C: DATA
         S: 354
         S: 250 2.0.0 Thank you, queued as q
         C: QUIT
         S: 221 2.0.0
         closed",
    );
}

#[test]
fn commands_have_an_order() {
    play(
        Flavour::Mx,
        false,
        "S: 220
         C: MAIL FROM:<a@b.example>
         S: 503 5.5.1
         C: HELO x
         S: 250 mx.example.test
         C: RCPT TO:<bob@example.test>
         S: 503 5.5.1
         C: DATA
         S: 503 5.5.1
         C: MAIL FROM:<bad@b.example>
         S: 550 5.7.1
         C: RCPT TO:<bob@example.test>
         S: 503 5.5.1
         C: MAIL FROM:<a@b.example>
         S: 250 2.1.0
         C: MAIL FROM:<a@b.example>
         S: 503 5.5.1
         C: DATA
         S: 503 5.5.1
         C: RSET
         S: 250 2.0.0
         C: RCPT TO:<bob@example.test>
         S: 503 5.5.1
         C: NOOP anything
         S: 250 2.0.0
         C: VRFY bob
         S: 252 2.0.0
         C: EXPN list
         S: 502 5.5.1
         C: NOOP
         S: 250",
    );
}

#[test]
fn a_greeting_ends_the_transaction() {
    play(
        Flavour::Mx,
        false,
        "S: 220
         C: HELO x
         S: 250
         C: MAIL FROM:<a@b.example>
         S: 250
         C: HELO y
         S: 250
         C: RCPT TO:<bob@example.test>
         S: 503",
    );
}

#[test]
fn lmtp_answers_for_each_recipient() {
    play(
        Flavour::Lmtp,
        false,
        "S: 220 mx.example.test LMTP
         C: EHLO x
         S: 500 5.5.1
         C: LHLO x
         S: 250-mx
         S: 250-PIPELINING
         S: 250-SIZE
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-CHUNKING
         S: 250-ENHANCEDSTATUSCODES
         S: 250-DSN
         S: 250-STARTTLS
         S: 250 HELP
         C: MAIL FROM:<>
         S: 250
         C: RCPT TO:<alice@example.test>
         S: 250
         C: RCPT TO:<nobody@example.test>
         S: 550
         C: RCPT TO:<bob@example.test>
         S: 250
         B: x\\r\\n.\\r\\n
         C: DATA
         S: 354
         S: 250 2.0.0
         S: 452 4.2.2
         C: MAIL FROM:<>
         S: 250
         C: RCPT TO:<alice@example.test>
         S: 250
         C: RCPT TO:<bob@example.test>
         S: 250
         B: x\\ny\\r\\n.\\r\\n
         C: DATA
         S: 354
         S: 550 5.6.0
         S: 550 5.6.0",
    );
}

#[test]
fn smg_4_chunks_are_counted_and_never_mixed_with_data() {
    play(
        Flavour::Mx,
        false,
        "S: 220
         C: EHLO x
         S: 250-mx
         S: 250-P
         S: 250-S
         S: 250-8
         S: 250-S
         S: 250-C
         S: 250-E
         S: 250-D
         S: 250-S
         S: 250 H
         R: BDAT 6\\r\\nRSET\\r\\n
         S: 503 5.5.1
         C: MAIL FROM:<a@b.example>
         S: 250
         R: BDAT 6 LAST\\r\\nQUIT\\r\\n
         S: 503 5.5.1
         C: RCPT TO:<bob@example.test>
         S: 250
         R: BDAT 6\\r\\nQUIT\\r\\n
         S: 250 2.0.0
         C: DATA
         S: 503 5.5.1
         C: RCPT TO:<bob@example.test>
         S: 503 5.5.1
         R: BDAT 0 LAST\\r\\n
         S: 250 2.0.0 Thank you
         C: MAIL FROM:<a@b.example>
         S: 250
         C: RCPT TO:<bob@example.test>
         S: 250
         R: BDAT 3\\r\\na\\nb
         S: 550 5.6.0
         R: BDAT 6 LAST\\r\\nQUIT\\r\\n
         S: 503 5.5.1
         C: BDAT 18446744073709551616
         S: 501 5.5.4
         closed",
    );
}

#[test]
fn smg_5_nothing_may_follow_a_command_that_ends_its_group() {
    for (before, last) in [
        ("", "EHLO x"),
        ("C: HELO x\nS: 250", "STARTTLS"),
        (
            "C: HELO x\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<b@c.example>\nS: 250",
            "DATA",
        ),
        ("C: HELO x\nS: 250", "MAIL FROM:<>"),
    ] {
        play(
            Flavour::Mx,
            false,
            &format!("S: 220\n{before}\nR: {last}\\r\\nNOOP\\r\\n\nS: 554 5.5.0\nclosed"),
        );
    }
    play(
        Flavour::Submission,
        true,
        "S: 220\nC: HELO x\nS: 250\nR: AUTH PLAIN good\\r\\nNOOP\\r\\n\nS: 554 5.5.0\nclosed",
    );
}

#[test]
fn rel_6_submission_asks_for_tls_and_sign_in() {
    play(
        Flavour::Submission,
        false,
        "S: 220
         C: EHLO x
         S: 250-mx
         S: 250-PIPELINING
         S: 250-SIZE
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-CHUNKING
         S: 250-ENHANCEDSTATUSCODES
         S: 250-DSN
         S: 250-DELIVERBY 60
         S: 250-FUTURERELEASE 604800 2026-12-03T05:30:00Z
         S: 250-STARTTLS
         S: 250 HELP
         C: MAIL FROM:<a@example.test>
         S: 530 5.7.0 Begin TLS
         C: AUTH PLAIN good
         S: 538 5.7.11
         C: STARTTLS
         S: 220 2.0.0
         C: MAIL FROM:<a@example.test>
         S: 503 5.5.1
         C: EHLO x
         S: 250-mx
         S: 250-PIPELINING
         S: 250-SIZE
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-CHUNKING
         S: 250-ENHANCEDSTATUSCODES
         S: 250-DSN
         S: 250-DELIVERBY 60
         S: 250-FUTURERELEASE 604800 2026-12-03T05:30:00Z
         S: 250-REQUIRETLS
         S: 250-AUTH PLAIN LOGIN
         S: 250 HELP
         C: STARTTLS
         S: 503 5.5.1
         C: MAIL FROM:<a@example.test>
         S: 530 5.7.0 Sign in
         C: AUTH PLAIN good
         S: 235 2.7.0
         C: AUTH PLAIN good
         S: 503 5.5.1
         C: MAIL FROM:<a@example.test>
         S: 250",
    );
}

#[test]
fn tls_3_nothing_of_the_plaintext_session_is_remembered() {
    play(
        Flavour::Mx,
        false,
        "S: 220
         C: HELO x
         S: 250
         C: MAIL FROM:<a@b.example>
         S: 250
         C: RCPT TO:<bob@example.test>
         S: 250
         C: STARTTLS
         S: 220 2.0.0
         C: RCPT TO:<bob@example.test>
         S: 503
         C: MAIL FROM:<a@b.example>
         S: 503
         C: HELO x
         S: 250
         C: RCPT TO:<bob@example.test>
         S: 503",
    );
}

#[test]
fn smt_6_errors_have_a_budget() {
    let nine = "C: XYZZY\nS: 500 5.5.1\n".repeat(9);
    play(
        Flavour::Mx,
        false,
        &format!("S: 220\n{nine}C: XYZZY\nS: 421 4.7.0\nclosed"),
    );
    let idle = "C: NOOP\nS: 250\n".repeat(100);
    play(
        Flavour::Mx,
        false,
        &format!("S: 220\n{idle}C: NOOP\nS: 421 4.7.0\nclosed"),
    );
    let guesses = "C: AUTH PLAIN bad\nS: 535 5.7.8\n".repeat(4);
    play(
        Flavour::Submission,
        true,
        &format!("S: 220\nC: HELO x\nS: 250\n{guesses}C: AUTH PLAIN bad\nS: 421 4.7.0\nclosed"),
    );
    let open = "S: 220\nC: HELO x\nS: 250\nC: MAIL FROM:<>\nS: 250\n";
    let unknown = "C: RCPT TO:<nobody@example.test>\nS: 550\n".repeat(100);
    let one_more = "C: RCPT TO:<nobody@example.test>\nS: 421 4.7.0\nclosed";
    play(Flavour::Mx, false, &format!("{open}{unknown}{one_more}"));
    let open = format!("{}C: RCPT TO:<bob@example.test>\nS: 250\n", open);
    let empty = "R: BDAT 0\\r\\n\nS: 250\n".repeat(100);
    play(
        Flavour::Mx,
        false,
        &format!("{open}{empty}R: BDAT 0\\r\\n\nS: 421 4.7.0\nclosed"),
    );
}

#[test]
fn smt_8_greetings_are_odd_but_legal_or_refused() {
    for name in [
        "a_b",
        "x",
        "[192.0.2.1]",
        "192.0.2.1",
        "[IPv6:2001:db8::1]",
        "WIN-9K",
        "m\u{fc}ller.example",
        "a\"b<c>",
    ] {
        play(
            Flavour::Mx,
            false,
            &format!("S: 220\nC: HELO {name}\nS: 250 mx.example.test"),
        );
    }
    let long = "x".repeat(256);
    for name in [
        "",
        " ",
        "a b",
        "a\tb",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{2028}b",
        long.as_str(),
    ] {
        play(
            Flavour::Mx,
            false,
            &format!("S: 220\nR: HELO {name}\\r\\n\nS: 501 5.5.4"),
        );
    }
    play(Flavour::Mx, false, "S: 220\nR: HELO a\\0b\\r\\n\nS: 500 5.5.2");
    play(Flavour::Mx, false, "S: 220\nR: HELO a\\rb\\r\\n\nS: 500 5.5.2");
    play(
        Flavour::Mx,
        false,
        "S: 220\nR: HELO a\\nb\\r\\n\nS: 500 5.5.2\nclosed",
    );
}

#[test]
fn smt_9_other_protocols_get_no_answer() {
    for line in [
        "GET / HTTP/1.1",
        "POST /x HTTP/1.0",
        "host: mx.example.test",
        "CONNECT a:25 HTTP/1.1",
        "PRI * HTTP/2.0",
    ] {
        play(Flavour::Mx, false, &format!("S: 220\nC: {line}\nclosed"));
    }
}

#[test]
fn smt_7_nobody_is_verified_or_expanded() {
    play(
        Flavour::Mx,
        false,
        "S: 220\nC: VRFY alice\nS: 252\nC: VRFY nobody\nS: 252\nC: EXPN alice\nS: 502",
    );
}

#[test]
fn log_4_nobody_signs_in_at_the_strangers_door() {
    play(
        Flavour::Mx,
        true,
        "S: 220\nC: HELO x\nS: 250\nC: AUTH PLAIN good\nS: 502 5.5.1",
    );
    play(
        Flavour::Submission,
        true,
        "S: 220\nC: HELO x\nS: 250\nC: AUTH\nS: 501\nC: AUTH X!Y\nS: 501\nC: AUTH PLAIN\nS: 535",
    );
}
