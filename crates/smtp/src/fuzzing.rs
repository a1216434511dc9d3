//! Entries for fuzz targets: bytes in, nothing may panic, and what must hold is asserted.

mod client;

use std::sync::Arc;

pub use client::{fuzz_client_reply, fuzz_client_session};

use crate::frame::{Frame, command_line};
use crate::limits::COMMAND_LINE_BYTES;
use crate::text::{BareBytes, Decoder, TextRules};
use crate::transfer::Taken;
use crate::verdict::Verdict;
use crate::{Flavour, Session, Setup, Step};

/// A command line to every kind of door, greeted or not.
pub fn fuzz_command(bytes: &[u8]) {
    for flavour in [Flavour::Mx, Flavour::Submission, Flavour::Lmtp] {
        let greeting: &[u8] = if flavour == Flavour::Lmtp {
            b"LHLO fuzz"
        } else {
            b"EHLO fuzz"
        };
        check(
            Session::new(setup(flavour), true)
                .begun_at(1_795_671_000)
                .line(bytes, false),
        );
        if let Step::Answer(session, _) = Session::new(setup(flavour), true)
            .begun_at(1_795_671_000)
            .line(greeting, false)
        {
            check(session.line(bytes, true));
        }
    }
}

fn check(step: Step<()>) {
    if let Step::Answer(_, reply) | Step::Close(Some(reply)) = step {
        assert_well_formed(reply.as_bytes());
    }
}

/// Message text in two cuts: the same text and the same faults must come out, and nothing that may not.
pub fn fuzz_data(bytes: &[u8]) {
    for bare_bytes in [BareBytes::Refuse, BareBytes::Normalise] {
        let rules = TextRules {
            bare_bytes,
            ..TextRules::default()
        };
        let whole = decode(rules, bytes, bytes.len().max(1));
        let cut = usize::from(bytes.first().copied().unwrap_or(0) % 7) + 1;
        assert_eq!(
            whole,
            decode(rules, bytes, cut),
            "chunking never changes the outcome"
        );
        if whole.2.is_none() {
            assert_clean(&whole.0);
        }
    }
}

fn decode(rules: TextRules, bytes: &[u8], cut: usize) -> (Vec<u8>, usize, Option<crate::Fault>) {
    let mut decoder = Decoder::data(rules);
    let (mut text, mut at) = (Vec::new(), 0);
    while at < bytes.len() && !decoder.ended() {
        let end = bytes.len().min(at + cut);
        let piece = decoder.next(&bytes[at..end]);
        text.extend_from_slice(piece.text);
        at += piece.consumed;
    }
    let refused = decoder.fault().is_some();
    (if refused { Vec::new() } else { text }, at, decoder.fault())
}

fn assert_clean(text: &[u8]) {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            0 => panic!("a NUL came through"),
            b'\n' => assert!(at > 0 && text[at - 1] == b'\r', "a bare LF came through"),
            b'\r' => assert!(
                text.get(at + 1).is_none_or(|next| *next == b'\n'),
                "a bare CR came through"
            ),
            _ => {}
        }
    }
}

/// A whole session: bytes in, replies out, every question answered from the bytes' length. Returns all replies.
pub fn fuzz_session(bytes: &[u8]) -> Vec<u8> {
    let flavours = [Flavour::Mx, Flavour::Submission, Flavour::Lmtp];
    let flavour = flavours[bytes.len() % 3];
    let session: Session<()> = Session::new(setup(flavour), false).begun_at(1_795_671_000);
    let mut replies = session.banner().as_bytes().to_vec();
    let mut step = Some(session);
    let mut input = bytes;
    while let Some(session) = step.take() {
        let next = match command_line(input, COMMAND_LINE_BYTES) {
            Frame::Incomplete => break,
            Frame::BareLf => session.bare_lf(),
            Frame::TooLong => session.line_too_long(),
            Frame::BadBytes { consumed } => {
                input = &input[consumed..];
                session.bad_line()
            }
            Frame::Line { line, consumed } => {
                input = &input[consumed..];
                session.line(line, !input.is_empty())
            }
        };
        step = run(next, &mut input, &mut replies);
    }
    assert_well_formed(&replies);
    replies
}

fn run(mut step: Step<()>, input: &mut &[u8], replies: &mut Vec<u8>) -> Option<Session<()>> {
    loop {
        step = match step {
            Step::Answer(session, reply) => {
                replies.extend_from_slice(reply.as_bytes());
                return Some(session);
            }
            Step::Close(reply) => {
                replies.extend_from_slice(reply.as_ref().map_or(&[][..], |reply| reply.as_bytes()));
                return None;
            }
            Step::Sender(ask) => ask.accept(),
            Step::Recipient(ask) => ask.accept(),
            Step::Auth(ask) => ask.succeed(),
            Step::Tls(ask) => {
                let (before, reply) = ask.go_on();
                replies.extend_from_slice(reply.as_bytes());
                return Some(before.secured());
            }
            Step::Data(ask) => {
                let (mut receiving, reply) = ask.go_on();
                replies.extend_from_slice(reply.as_bytes());
                loop {
                    let piece = receiving.next(input);
                    *input = &input[piece.consumed..];
                    if piece.end || input.is_empty() {
                        break;
                    }
                }
                match receiving.finish() {
                    Ok(verdict) => decide(verdict),
                    Err(_) => return None,
                }
            }
            Step::Chunk(mut chunk) => {
                while chunk.remaining_bytes() > 0 && !input.is_empty() {
                    let piece = chunk.next(input);
                    *input = &input[piece.consumed..];
                }
                match chunk.finish() {
                    Ok(Taken::More(more)) => more.go_on(),
                    Ok(Taken::Last { verdict, .. }) => decide(verdict),
                    Ok(Taken::Discarded(step)) => step,
                    Err(_) => return None,
                }
            }
        };
    }
}

fn decide(verdict: Verdict<()>) -> Step<()> {
    let id = mail::ids::Id::from_raw(1);
    match verdict {
        Verdict::Faulty(faulty) => faulty.refuse(),
        Verdict::One(one) => one.accept((), id, None),
        Verdict::Each(mut each) => {
            while each.remaining() > 0 {
                each.accept((), id, None);
            }
            each.finish()
        }
    }
}

fn assert_well_formed(replies: &[u8]) {
    assert_clean(replies);
    let text = std::str::from_utf8(replies).expect("replies are ASCII");
    for line in text.split_terminator("\r\n") {
        let code = line
            .get(..3)
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        assert!(
            code && line.len() <= crate::limits::REPLY_LINE_BYTES,
            "{line:?} is no reply line"
        );
    }
}

fn setup(flavour: Flavour) -> Arc<Setup> {
    Arc::new(Setup {
        sender: None,
        host_name: "mx.example.test".to_owned(),
        flavour,
        starttls: true,
        insecure_auth: true,
        max_message_bytes: 1 << 20,
        text: TextRules::default(),
    })
}
