//! Entries for fuzz targets; each panics when a promise is broken.

use crate::frame::{Framer, Progress};
use crate::mode::Mode;
use crate::{describe, name, out, parse, section};

/// Frames and parses a stream of octets as a session would, in two chunkings that must agree; the first octet chooses the
/// state and the size of the chunks.
pub fn fuzz_session(bytes: &[u8]) {
    let Some((&choice, stream)) = bytes.split_first() else {
        return;
    };
    let signed_in = choice & 1 == 1;
    let chunk = usize::from(choice >> 1) + 1;
    assert_eq!(
        events(stream, signed_in, stream.len().max(1)),
        events(stream, signed_in, chunk)
    );
}

/// Mailbox names and patterns: what is accepted comes back the same.
pub fn fuzz_names(bytes: &[u8]) {
    if let Ok(accepted) = name::MailboxName::from_wire(bytes) {
        let again = name::MailboxName::from_wire(accepted.to_wire().as_bytes());
        assert_eq!(again.as_ref(), Ok(&accepted));
        assert!(accepted.levels().all(|level| !level.is_empty() && level != ".."));
    }
    if let Ok(accepted) = name::MailboxName::from_utf8_wire(bytes) {
        let again = name::MailboxName::from_utf8_wire(accepted.as_str().as_bytes());
        assert_eq!(again.as_ref(), Ok(&accepted));
        assert!(again.is_ok_and(|again| again.denormalised().is_none()));
    }
    let (reference, pattern) = bytes.split_at(bytes.len() / 2);
    for make in [
        crate::pattern::ListPattern::new,
        crate::pattern::ListPattern::new_utf8,
    ] {
        if let Some(pattern) = make(reference, pattern) {
            let _ = pattern.matches(&name::MailboxName::inbox());
            let _ = pattern.may_match_below(&name::MailboxName::inbox());
        }
    }
}

/// A saved search: what is taken reads as the same search when a client sends it in a command, unless it holds a literal, which a
/// frame must announce at the end of a line.
pub fn fuzz_filter(bytes: &[u8]) {
    let Some(keys) = parse::saved_search(bytes) else {
        return;
    };
    if memchr::memchr(b'{', bytes).is_some() {
        return;
    }
    let command = [b"a SEARCH ", bytes, b"\r\n"].concat();
    match parse::request(&command).map(|request| request.command) {
        Ok(crate::command::Command::Search(search)) => assert_eq!(search.keys, keys),
        other => panic!("{} is {other:?}", bytes.escape_ascii()),
    }
}

/// URLs: what is accepted has a mailbox that can exist, and a rump that is a part of it.
pub fn fuzz_url(bytes: &[u8]) {
    let Some(url) = crate::url::Url::parse(bytes) else {
        return;
    };
    if let Some(name) = &url.mailbox {
        assert!(name.levels().all(|level| !level.is_empty() && level != ".."));
    }
    if let Some(partial) = url.partial {
        let (start, end) = partial.within(1000);
        assert!(start <= end && end <= 1000);
    }
    if let Some(access) = &url.access {
        assert!(access.rump_bytes <= bytes.len());
        let rump = crate::url::Url::parse(&bytes[..access.rump_bytes]).and_then(|rump| rump.access);
        assert!(rump.is_some_and(|rump| rump.who == access.who && rump.verifier.is_none()));
    }
}

/// Sections, ENVELOPE and BODYSTRUCTURE of any message: the first line is a FETCH item list, the rest the message.
pub fn fuzz_sections(bytes: &[u8]) {
    let line_end = memchr::memchr(b'\n', bytes).map_or(0, |at| at + 1);
    let (items, message) = bytes.split_at(line_end);
    let found = mail::mime::Structure::parse(message);
    let mut out = out::Out::new();
    let mut line = out.fetch(1);
    line.envelope(&describe::envelope(message));
    line.body_structure(&describe::structure(message, &found));
    let frame = [b"A FETCH 1 ", items].concat();
    if let Ok(crate::command::Request {
        command: crate::command::Command::Fetch(fetch),
        ..
    }) = parse::request(&frame)
    {
        for item in &fetch.items {
            section::with_octets(message, &found, item, |octets| line.octets(item, octets));
        }
    }
    line.finish();
}

/// What the framer said, with consecutive message octets joined.
#[doc(hidden)]
pub fn events(stream: &[u8], signed_in: bool, chunk: usize) -> Vec<String> {
    let mut framer = Framer::default();
    // Signed in, names are UTF-8 in half of the cases, by the first octet of the stream.
    let mode = Mode {
        utf8: signed_in && stream.first().is_some_and(|byte| byte & 1 == 1),
        rev2: false,
    };
    if signed_in {
        framer.signed_in();
    }
    let mut events: Vec<String> = Vec::new();
    let (mut message_octets, mut is_open) = (0, false);
    for piece in stream.chunks(chunk) {
        let mut rest = piece;
        loop {
            let (used, progress) = framer.feed(rest);
            rest = &rest[used..];
            match progress {
                Progress::NeedMore => break,
                Progress::AppendOctets => {
                    message_octets += used;
                    continue;
                }
                Progress::Close(why) => {
                    events.push(format!("close {why:?} after {message_octets}"));
                    return events;
                }
                Progress::AppendMore(line) => {
                    events.push(further_event(&mut framer, &line, mode, &mut is_open));
                }
                Progress::AppendLast(line) => {
                    let further = further_event(&mut framer, &line, mode, &mut is_open);
                    events.push(format!("last {further}"));
                }
                Progress::Append(frame) => {
                    events.push(append_event(&mut framer, frame.bytes(), &mut is_open));
                }
                Progress::Command(frame) => {
                    let command = parse::request_in(frame.bytes(), mode);
                    events.push(format!("{command:?} {}", frame.bytes().escape_ascii()));
                }
                other => events.push(format!("{other:?} after {message_octets}")),
            }
        }
    }
    events
}

fn further_event(framer: &mut Framer, line: &[u8], mode: Mode, is_open: &mut bool) -> String {
    let tag = crate::command::Tag::new(b"a").expect("a tag");
    match parse::further_messages(line, mode, &tag, *is_open) {
        Ok(pieces) => {
            *is_open = crate::command::is_open_after(&pieces, *is_open);
            format!("more {pieces:?}, continue: {}", framer.accept_append())
        }
        Err(fault) => format!("more {fault:?}, {:?}", framer.refuse_append()),
    }
}

fn append_event(framer: &mut Framer, head: &[u8], is_open: &mut bool) -> String {
    match parse::request(head) {
        Ok(request) => {
            if let crate::command::Command::Append(append) = &request.command {
                *is_open = crate::command::is_open_after(&append.pieces, false);
            }
            format!("append {request:?}, continue: {}", framer.accept_append())
        }
        Err(fault) => format!("append {fault:?}, {:?}", framer.refuse_append()),
    }
}
