//! The client's states in whole dialogues, and against the server's states of this crate.

use std::sync::Arc;

use mail::address::Path;
use proptest::prelude::*;
use smtp::client::{
    AfterHello, ClientName, Final, Flavour, Greeting, MailRequest, Mailed, RcptRequest, Ready,
    RecipientOutcome, Reply, ReplyReader, SendBody, Settled, Stage, Then,
};
use smtp::frame::{Frame, command_line};
use smtp::{Receiving, Session, Setup, Step, Taken, TextRules, Verdict};

fn reply(text: &str) -> Reply {
    Reply::read(format!("{text}\r\n").as_bytes()).expect("a reply")
}

fn ready(flavour: Flavour, offers: &[&str]) -> Ready {
    let me = ClientName::new("client.example.org").expect("a name");
    let hello = Greeting::new(me, flavour)
        .reply(&reply("220 hi"))
        .expect("greeted");
    let mut lines = String::from("250");
    for offer in offers {
        lines = format!("{lines}-x\r\n250-{offer}\r\n250");
    }
    match hello.reply(&reply(&format!("{lines} end"))) {
        AfterHello::Ready(ready) => ready,
        other => panic!("{other:?}"),
    }
}

fn recipients(count: usize) -> Vec<RcptRequest> {
    (0..count)
        .map(|at| RcptRequest::new(format!("r{at}@example.org").parse().expect("an address")))
        .collect()
}

/// What was written, each group apart, and how it ended.
struct Talked {
    groups: Vec<String>,
    outcomes: Vec<String>,
    then: &'static str,
    ready: Option<Ready>,
}

/// One message of two pieces, with these replies.
fn talk(ready: Ready, count: usize, replies: &[&str]) -> Talked {
    let request = MailRequest::new(Path::Mailbox("a@example.org".parse().expect("an address")));
    let mailing = ready
        .mail(&request, &recipients(count))
        .expect("nothing special is asked for");
    let mut replies = replies.iter().map(|text| reply(text));
    let mut groups = Vec::new();
    let settled = envelope(mailing, &mut groups, &mut replies);
    assert_eq!(replies.next(), None, "a reply was left over");
    let outcomes = settled.outcomes.iter().map(word).collect();
    let (then, ready) = match settled.then {
        Then::Ready(ready) => ("ready", Some(ready)),
        Then::Close(_) => ("close", None),
    };
    Talked {
        groups,
        outcomes,
        then,
        ready,
    }
}

fn envelope(
    mut mailing: smtp::client::Mailing,
    groups: &mut Vec<String>,
    replies: &mut impl Iterator<Item = Reply>,
) -> Settled {
    loop {
        let bytes = mailing.next_bytes();
        if !bytes.is_empty() {
            groups.push(String::from_utf8(bytes).expect("ASCII"));
        }
        mailing = match mailing.reply(&replies.next().expect("a reply is awaited")) {
            Mailed::More(mailing) => mailing,
            Mailed::Send(body) => return text(body, groups, replies),
            Mailed::Over(settled) => return settled,
        };
    }
}

fn text(mut body: SendBody, groups: &mut Vec<String>, replies: &mut impl Iterator<Item = Reply>) -> Settled {
    let mut wire = Vec::new();
    body.piece(b"S: x\r\n\r\n", &mut wire).expect("fine text");
    let mut wait = body.finish(b".\r\n", &mut wire).expect("fine text");
    groups.push(String::from_utf8(wire).expect("ASCII"));
    loop {
        wait = match wait.reply(&replies.next().expect("a reply is awaited")) {
            Final::More(wait) => wait,
            Final::Settled(settled) => return settled,
        };
    }
}

fn word(outcome: &RecipientOutcome) -> String {
    match outcome {
        RecipientOutcome::Delivered(reply) => format!("delivered {}", reply.code),
        RecipientOutcome::Refused { reply, stage, answer } => {
            format!("{} {} {answer:?}", stage.name(), reply.code)
        }
        RecipientOutcome::Lost { stage } => format!("lost {}", stage.name()),
    }
}

/// A row of the table: offers, recipients, replies, outcomes, whether the session goes on.
type Row = (
    &'static [&'static str],
    usize,
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
);

const PIPELINING: &[&str] = &["PIPELINING"];
const CHUNKING: &[&str] = &["PIPELINING", "CHUNKING"];
const NOTHING: &[&str] = &[];

#[test]
fn q_4_every_recipient_is_told_its_own_word() {
    let table: &[Row] = &[
        (
            PIPELINING,
            1,
            &["250", "250", "354", "250"],
            &["delivered 250"],
            "ready",
        ),
        (
            NOTHING,
            1,
            &["250", "250", "354", "250"],
            &["delivered 250"],
            "ready",
        ),
        (
            PIPELINING,
            3,
            &["250", "250", "450", "550", "354", "250"],
            &["delivered 250", "rcpt 450 Temporary", "rcpt 550 Permanent"],
            "ready",
        ),
        (
            NOTHING,
            3,
            &["250", "550", "450", "250", "354", "250"],
            &["rcpt 550 Permanent", "rcpt 450 Temporary", "delivered 250"],
            "ready",
        ),
        // MAIL refused: with PIPELINING the rest is answered too, and means nothing.
        (
            PIPELINING,
            2,
            &["550", "503", "503", "503"],
            &["mail 550 Permanent", "mail 550 Permanent"],
            "ready",
        ),
        (
            PIPELINING,
            1,
            &["451", "250", "503"],
            &["mail 451 Temporary"],
            "ready",
        ),
        (
            NOTHING,
            2,
            &["451"],
            &["mail 451 Temporary", "mail 451 Temporary"],
            "ready",
        ),
        // Nobody accepted: without PIPELINING there is no DATA.
        (NOTHING, 1, &["250", "550"], &["rcpt 550 Permanent"], "ready"),
        (
            PIPELINING,
            1,
            &["250", "550", "554"],
            &["rcpt 550 Permanent"],
            "ready",
        ),
        // RFC 2920 §3.1: 354 all the same is answered with a lone dot.
        (
            PIPELINING,
            1,
            &["250", "550", "354", "250"],
            &["rcpt 550 Permanent"],
            "ready",
        ),
        (
            PIPELINING,
            1,
            &["550", "503", "354", "554"],
            &["mail 550 Permanent"],
            "ready",
        ),
        // DATA refused: the refused recipients keep their own word.
        (
            PIPELINING,
            2,
            &["250", "250", "550", "451"],
            &["data 451 Temporary", "rcpt 550 Permanent"],
            "ready",
        ),
        (
            NOTHING,
            1,
            &["250", "250", "554"],
            &["data 554 Permanent"],
            "ready",
        ),
        // The end refused.
        (
            PIPELINING,
            2,
            &["250", "250", "550", "354", "451"],
            &["final 451 Temporary", "rcpt 550 Permanent"],
            "ready",
        ),
        (
            PIPELINING,
            1,
            &["250", "250", "354", "552"],
            &["final 552 Permanent"],
            "ready",
        ),
        // 421 anywhere.
        (NOTHING, 1, &["421"], &["mail 421 Closing"], "close"),
        (
            PIPELINING,
            3,
            &["250", "550", "421"],
            &["rcpt 550 Permanent", "rcpt 421 Closing", "rcpt 421 Closing"],
            "close",
        ),
        (
            PIPELINING,
            1,
            &["250", "250", "421"],
            &["data 421 Closing"],
            "close",
        ),
        (
            PIPELINING,
            1,
            &["250", "250", "354", "421"],
            &["final 421 Closing"],
            "close",
        ),
        (PIPELINING, 1, &["550", "421"], &["mail 550 Permanent"], "close"),
        // What has no place.
        (PIPELINING, 1, &["354"], &["mail 354 Fault"], "close"),
        (PIPELINING, 1, &["250", "334"], &["rcpt 334 Fault"], "close"),
        (
            PIPELINING,
            1,
            &["250", "250", "250"],
            &["data 250 Fault"],
            "close",
        ),
        (
            PIPELINING,
            1,
            &["250", "250", "354", "354"],
            &["final 354 Fault"],
            "close",
        ),
        // BDAT: two chunks, two answers; a refused one ends it.
        (
            CHUNKING,
            1,
            &["250", "250", "250", "250"],
            &["delivered 250"],
            "ready",
        ),
        (
            CHUNKING,
            2,
            &["250", "550", "250", "250", "250"],
            &["rcpt 550 Permanent", "delivered 250"],
            "ready",
        ),
        (CHUNKING, 1, &["250", "550"], &["rcpt 550 Permanent"], "ready"),
        (
            CHUNKING,
            1,
            &["250", "250", "552"],
            &["data 552 Permanent"],
            "close",
        ),
        (
            CHUNKING,
            1,
            &["250", "250", "250", "451"],
            &["final 451 Temporary"],
            "ready",
        ),
    ];
    for (offers, count, replies, outcomes, then) in table {
        let talked = talk(ready(Flavour::Smtp, offers), *count, replies);
        assert_eq!(talked.outcomes, *outcomes, "{offers:?} {replies:?}");
        assert_eq!(talked.then, *then, "{offers:?} {replies:?}");
    }
}

#[test]
fn lmtp_answers_for_each_accepted_recipient() {
    let table: &[Row] = &[
        (
            PIPELINING,
            4,
            &["250", "250", "550", "250", "250", "354", "250", "451", "552"],
            &[
                "delivered 250",
                "rcpt 550 Permanent",
                "final 451 Temporary",
                "final 552 Permanent",
            ],
            "ready",
        ),
        (
            PIPELINING,
            2,
            &["250", "250", "250", "354", "250", "421"],
            &["delivered 250", "final 421 Closing"],
            "close",
        ),
        (
            CHUNKING,
            2,
            &["250", "250", "250", "250", "250", "550"],
            &["delivered 250", "final 550 Permanent"],
            "ready",
        ),
        (
            PIPELINING,
            1,
            &["250", "550", "503"],
            &["rcpt 550 Permanent"],
            "ready",
        ),
        // RFC 2033 §4.2 forbids it; the dot would get no answer.
        (
            PIPELINING,
            1,
            &["250", "550", "354"],
            &["rcpt 550 Permanent"],
            "close",
        ),
    ];
    for (offers, count, replies, outcomes, then) in table {
        let talked = talk(ready(Flavour::Lmtp, offers), *count, replies);
        assert_eq!(talked.outcomes, *outcomes, "{offers:?} {replies:?}");
        assert_eq!(talked.then, *then, "{offers:?} {replies:?}");
    }
}

#[test]
fn commands_go_in_one_group_where_it_is_offered_and_one_by_one_elsewhere() {
    let mail = "MAIL FROM:<a@example.org>\r\n";
    let (first, second) = ("RCPT TO:<r0@example.org>\r\n", "RCPT TO:<r1@example.org>\r\n");
    let text = "S: x\r\n\r\n..\r\n.\r\n";
    let replies = &["250", "250", "250", "354", "250"];

    let together = talk(ready(Flavour::Smtp, PIPELINING), 2, replies);
    assert_eq!(together.groups, [&format!("{mail}{first}{second}DATA\r\n"), text]);

    let apart = talk(ready(Flavour::Smtp, NOTHING), 2, replies);
    assert_eq!(apart.groups, [mail, first, second, "DATA\r\n", text]);

    let chunks = talk(
        ready(Flavour::Smtp, CHUNKING),
        2,
        &["250", "250", "250", "250", "250"],
    );
    assert_eq!(
        chunks.groups,
        [
            &format!("{mail}{first}{second}"),
            "BDAT 8\r\nS: x\r\n\r\nBDAT 3 LAST\r\n.\r\n"
        ]
    );

    let dot = talk(ready(Flavour::Smtp, PIPELINING), 1, &["250", "550", "354", "250"]);
    assert_eq!(dot.groups, [&format!("{mail}{first}DATA\r\n"), ".\r\n"]);
}

#[test]
fn a_transaction_that_may_be_open_is_reset_before_the_next_message() {
    let table: &[(&[&str], bool)] = &[
        (&["250", "250", "354", "250"], false),
        (&["250", "250", "354", "451"], false),
        (&["550", "503", "503"], false),
        (&["250", "550", "554"], true),
        (&["250", "250", "451"], true),
        (&["250", "550", "354", "554"], false),
    ];
    for (replies, reset) in table {
        let ready = talk(ready(Flavour::Smtp, PIPELINING), 1, replies)
            .ready
            .expect("the session goes on");
        let request = MailRequest::new(Path::Null);
        let mut mailing = ready.mail(&request, &recipients(1)).expect("another message");
        let group = String::from_utf8(mailing.next_bytes()).expect("ASCII");
        assert_eq!(group.starts_with("RSET\r\nMAIL"), *reset, "{replies:?}");
    }
}

#[test]
fn many_recipients_go_in_several_groups_that_fit_any_buffer() {
    let request = MailRequest::new(Path::Null);
    let mut mailing = ready(Flavour::Smtp, PIPELINING)
        .mail(&request, &recipients(1_000))
        .expect("a message");
    let mut groups = 0;
    let body = 'all: loop {
        let group = mailing.next_bytes();
        assert!(!group.is_empty() && group.len() <= smtp::limits::GROUP_BYTES);
        groups += 1;
        for line in String::from_utf8(group).expect("ASCII").lines() {
            let text = if line == "DATA" { "354 go" } else { "250 ok" };
            mailing = match mailing.reply(&reply(text)) {
                Mailed::More(mailing) => mailing,
                Mailed::Send(body) => break 'all body,
                Mailed::Over(settled) => panic!("{settled:?}"),
            };
        }
    };
    assert_eq!((groups, body.recipients()), (4, 1_000));
}

#[test]
fn what_is_lost_was_told_nothing_final() {
    let request = MailRequest::new(Path::Null);
    let mut mailing = ready(Flavour::Smtp, PIPELINING)
        .mail(&request, &recipients(3))
        .expect("a message");
    let _ = mailing.next_bytes();
    assert_eq!(mailing.stage(), Stage::Mail);
    for text in ["250 ok", "550 no", "250 ok"] {
        mailing = match mailing.reply(&reply(text)) {
            Mailed::More(mailing) => mailing,
            other => panic!("{other:?}"),
        };
    }
    let words: Vec<_> = mailing.lost().iter().map(word).collect();
    assert_eq!(words, ["rcpt 550 Permanent", "lost rcpt", "lost rcpt"]);
}

#[test]
fn a_message_with_a_bare_octet_is_never_sent() {
    for bad in [&b"a\rb"[..], b"a\nb", b"a\0b", b"\n", b"a\r\r\n", b".\n"] {
        for offers in [PIPELINING, CHUNKING] {
            for cut in 1..=bad.len() {
                let mut body = open_body(offers);
                let mut wire = Vec::new();
                let mut fault = bad
                    .chunks(cut)
                    .find_map(|piece| body.piece(piece, &mut wire).err());
                let again = body.piece(b"fine\r\n", &mut wire).err();
                assert!(fault.is_none() || again == fault, "a fault is for ever");
                let unsendable = body.finish(b"", &mut wire).err();
                fault = fault.or(unsendable.map(|unsendable| unsendable.fault)).or(again);
                assert!(fault.is_some(), "{} in {cut}", bad.escape_ascii());
            }
        }
    }
    let mut wire = Vec::new();
    assert!(open_body(PIPELINING).finish(b"a\r", &mut wire).is_err());
}

fn open_body(offers: &[&str]) -> SendBody {
    let request = MailRequest::new(Path::Null);
    let mut mailing = ready(Flavour::Smtp, offers)
        .mail(&request, &recipients(1))
        .expect("a message");
    let mut answers = ["250 ok", "250 ok", "354 go"].iter();
    loop {
        let _ = mailing.next_bytes();
        mailing = match mailing.reply(&reply(answers.next().expect("three at most"))) {
            Mailed::More(mailing) => mailing,
            Mailed::Send(body) => return body,
            Mailed::Over(settled) => panic!("{settled:?}"),
        };
    }
}

/// This crate's server, as a function from bytes to replies.
struct Server {
    state: Option<State>,
    text: Vec<u8>,
    messages: Vec<Vec<u8>>,
}

enum State {
    Command(Session<()>),
    Text(Receiving<()>),
}

impl Server {
    fn new(flavour: smtp::Flavour) -> Self {
        let setup = Setup {
            sender: None,
            host_name: "mx.example.org".to_owned(),
            flavour,
            starttls: false,
            insecure_auth: true,
            max_message_bytes: 1 << 20,
            text: TextRules::default(),
        };
        Self {
            state: Some(State::Command(Session::new(Arc::new(setup), true))),
            text: Vec::new(),
            messages: Vec::new(),
        }
    }

    fn hear(&mut self, mut input: &[u8]) -> Vec<Reply> {
        let mut replies = Vec::new();
        while !input.is_empty() {
            let step = match self.state.take().expect("the server never closes here") {
                State::Command(session) => {
                    let Frame::Line { line, consumed } = command_line(input, 2_048) else {
                        panic!("not a command: {}", input.escape_ascii());
                    };
                    input = &input[consumed..];
                    session.line(line, !input.is_empty())
                }
                State::Text(mut receiving) => {
                    let piece = receiving.next(input);
                    self.text.extend_from_slice(piece.text);
                    input = &input[piece.consumed..];
                    if !piece.end {
                        self.state = Some(State::Text(receiving));
                        continue;
                    }
                    self.kept(receiving.finish().ok().expect("the text has ended"))
                }
            };
            self.run(step, &mut input, &mut replies);
        }
        read_all(&replies)
    }

    fn run(&mut self, mut step: Step<()>, input: &mut &[u8], replies: &mut Vec<u8>) {
        loop {
            step = match step {
                Step::Answer(session, reply) => {
                    replies.extend_from_slice(reply.as_bytes());
                    self.state = Some(State::Command(session));
                    return;
                }
                Step::Sender(ask) => ask.accept(),
                Step::Recipient(ask) => ask.accept(),
                Step::Data(ask) => {
                    let (receiving, reply) = ask.go_on();
                    replies.extend_from_slice(reply.as_bytes());
                    self.state = Some(State::Text(receiving));
                    return;
                }
                Step::Chunk(mut chunk) => {
                    while chunk.remaining_bytes() > 0 {
                        let piece = chunk.next(input);
                        self.text.extend_from_slice(piece.text);
                        *input = &input[piece.consumed..];
                    }
                    match chunk.finish().ok().expect("the chunk is whole") {
                        Taken::More(more) => more.go_on(),
                        Taken::Last { verdict, tail } => {
                            self.text.extend_from_slice(tail);
                            self.kept(verdict)
                        }
                        Taken::Discarded(_) => panic!("every chunk has its place"),
                    }
                }
                Step::Close(reply) => panic!("closed with {reply:?}"),
                Step::Tls(_) | Step::Auth(_) => panic!("not asked here"),
            };
        }
    }

    fn kept(&mut self, verdict: Verdict<()>) -> Step<()> {
        self.messages.push(std::mem::take(&mut self.text));
        let id = mail::ids::Id::from_raw(1);
        match verdict {
            Verdict::One(one) => one.accept((), id, None),
            Verdict::Each(mut each) => {
                while each.remaining() > 0 {
                    each.accept((), id, None);
                }
                each.finish()
            }
            Verdict::Faulty(faulty) => panic!("{:?}", faulty.fault()),
        }
    }
}

fn read_all(bytes: &[u8]) -> Vec<Reply> {
    let (mut reader, mut replies, mut rest) = (ReplyReader::new(), Vec::new(), bytes);
    while !rest.is_empty() {
        let pushed = reader.push(rest).expect("our server's replies are replies");
        replies.extend(pushed.reply);
        rest = &rest[pushed.consumed..];
    }
    replies
}

/// Sends `messages` over one connection to our own server; what it has then.
fn deliver(flavour: Flavour, chunking: bool, messages: &[Vec<u8>], cut: usize) -> Vec<Vec<u8>> {
    let mut server = Server::new(match flavour {
        Flavour::Smtp => smtp::Flavour::Mx,
        Flavour::Lmtp => smtp::Flavour::Lmtp,
    });
    let me = ClientName::new("client.example.org").expect("a name");
    let hello = Greeting::new(me, flavour)
        .reply(&reply("220 hi"))
        .expect("greeted");
    let answer = server.hear(&hello.command());
    let AfterHello::Ready(mut ready) = hello.reply(&answer[0]) else {
        panic!("our server knows the greeting");
    };
    assert!(ready.offers().pipelining && ready.offers().chunking);
    for message in messages {
        let request = MailRequest {
            size_bytes: Some(message.len() as u64),
            body: smtp::BodyType::EightBitMime,
            chunking,
            ..MailRequest::new(Path::Null)
        };
        let mut mailing = ready
            .mail(&request, &recipients(2))
            .expect("everything is offered");
        let mut replies = server.hear(&mailing.next_bytes()).into_iter();
        let mut body = loop {
            mailing = match mailing.reply(&replies.next().expect("a reply")) {
                Mailed::More(mailing) => mailing,
                Mailed::Send(body) => break body,
                Mailed::Over(settled) => panic!("{settled:?}"),
            };
        };
        let mut wire = Vec::new();
        for piece in message.chunks(cut) {
            body.piece(piece, &mut wire).expect("fine text");
        }
        let mut wait = body.finish(b"", &mut wire).expect("fine text");
        let mut replies = server.hear(&wire).into_iter();
        let settled = loop {
            wait = match wait.reply(&replies.next().expect("a reply")) {
                Final::More(wait) => wait,
                Final::Settled(settled) => break settled,
            };
        };
        assert!(
            settled
                .outcomes
                .iter()
                .all(|outcome| matches!(outcome, RecipientOutcome::Delivered(_)))
        );
        ready = match settled.then {
            Then::Ready(ready) => ready,
            Then::Close(gone) => panic!("{gone}"),
        };
    }
    server.messages
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(".".to_owned()),
        Just("..".to_owned()),
        "[.]?[ -~\u{80}-\u{ff}]{0,30}"
    ];
    proptest::collection::vec(line, 0..8).prop_map(|lines| {
        let mut text = lines.join("\r\n").into_bytes();
        if !text.is_empty() {
            text.extend_from_slice(b"\r\n");
        }
        text
    })
}

proptest! {
    #[test]
    fn what_is_sent_is_what_our_own_server_receives(
        messages in proptest::collection::vec(message(), 1..4),
        cut in 1_usize..20,
        chunking: bool,
        lmtp: bool,
    ) {
        let flavour = if lmtp { Flavour::Lmtp } else { Flavour::Smtp };
        prop_assert_eq!(&deliver(flavour, chunking, &messages, cut), &messages);
    }

    #[test]
    fn any_replies_leave_every_recipient_with_an_outcome(
        choice: u8,
        codes in proptest::collection::vec(
            prop_oneof![Just(250_u16), Just(354), Just(550), Just(450), Just(421), Just(334), 200_u16..600], 0..24),
    ) {
        let mut bytes = vec![choice];
        bytes.extend(b"220 hi\r\n250-me\r\n250-CHUNKING\r\n250 PIPELINING\r\n");
        for code in codes {
            bytes.extend(format!("{code} x\r\n").into_bytes());
        }
        smtp::fuzzing::fuzz_client_session(&bytes);
    }

    #[test]
    fn any_bytes_are_a_conversation_or_its_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        smtp::fuzzing::fuzz_client_session(&bytes);
        smtp::fuzzing::fuzz_client_reply(&bytes);
    }
}

#[test]
fn a_message_without_a_last_line_end_gets_one() {
    for chunking in [false, true] {
        let got = deliver(Flavour::Smtp, chunking, &[b"S: x\r\n\r\nend".to_vec()], 100);
        assert_eq!(got, [b"S: x\r\n\r\nend\r\n".to_vec()]);
    }
}
