//! Entries for fuzz targets: each takes any bytes, calls one parser and checks what it promises. They panic only when a
//! promise is broken.

use crate::address::{AddressKey, Utf8};
use crate::header::Fields;
use crate::mime::{Kind, Part, Structure};

/// Header blocks: the fields lie one behind the other and cover everything up to the blank line.
pub fn fuzz_header(bytes: &[u8]) {
    let mut fields = Fields::new(bytes);
    let mut at = 0;
    for field in fields.by_ref() {
        assert_eq!(field.range().start, at);
        at = field.range().end;
        assert!(field.name_range().start >= field.range().start && field.name_range().end <= at);
        assert!(field.value_range().start <= at && field.value_range().end <= at);
        let unfolded = field.unfolded();
        assert!(memchr::memchr3(b'\r', b'\n', 0, &unfolded).is_none());
    }
    assert!(fields.body_start() - at <= 2 && fields.body_start() <= bytes.len());
    let _ = crate::header::Header::scan(bytes).map(|header| header.from_fields());
}

/// MIME structures: ranges lie inside the message and inside the parent's body, and every part can be decoded.
pub fn fuzz_mime(bytes: &[u8]) {
    let structure = Structure::parse(bytes);
    check_structure(bytes, &structure);
    for part in structure.parts().iter().take(100) {
        let _ = part.content_type(bytes);
        let _ = part.disposition(bytes);
        let _ = part.languages(bytes);
        let _ = part.encoding(bytes);
    }
}

/// What every structure promises.
pub fn check_structure(bytes: &[u8], structure: &Structure) {
    for (index, part) in structure.parts().iter().enumerate() {
        assert!(part.header.end <= part.body.start && part.body.end as usize <= bytes.len());
        assert_eq!(part.header.end, part.body.start);
        check_parent(structure, part, index);
        let children = structure
            .parts()
            .iter()
            .filter(|other| other.parent.is_some_and(|id| id.index() == index));
        match part.kind {
            // Counting children of every part is quadratic: only of the first ones.
            _ if index > 50 => {}
            Kind::Leaf(_) => assert_eq!(children.count(), 0),
            Kind::Message => assert_eq!(children.count(), 1),
            Kind::Multipart => assert!(children.count() >= 1),
        }
        if index < 20 {
            let newlines = part.body.of(bytes).iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(part.lines as usize, newlines);
        }
    }
}

fn check_parent(structure: &Structure, part: &Part, index: usize) {
    let Some(parent) = part.parent else {
        assert_eq!(index, 0);
        return;
    };
    let parent_part = structure.part(parent);
    assert!(parent.index() < index);
    assert_eq!(part.depth, parent_part.depth + 1);
    assert!(parent_part.body.start <= part.header.start && part.body.end <= parent_part.body.end);
}

/// SMTP paths: what is accepted is written back to something that reads the same.
pub fn fuzz_address(bytes: &[u8]) {
    for utf8 in [Utf8::Allowed, Utf8::Refused] {
        if let Ok(parsed) = crate::path::reverse_path(bytes, utf8) {
            let written = parsed.path.to_string();
            let again = crate::path::reverse_path(written.as_bytes(), utf8).map(|again| again.path);
            assert_eq!(again.as_ref(), Ok(&parsed.path));
            assert!(!written.bytes().any(|byte| byte < b' ' || byte == 0x7f));
        }
        if let Ok(parsed) = crate::path::forward_path(bytes, utf8)
            && let crate::path::ForwardPath::Mailbox(mailbox) = parsed.path
        {
            let _ = AddressKey::split(&mailbox, '+');
        }
    }
}

/// Address lists and the other structured values.
pub fn fuzz_values(bytes: &[u8]) {
    for mailbox in crate::value::addresses::mailboxes(bytes) {
        let _ = mailbox.to_mailbox();
    }
    let _ = crate::value::ids::message_ids(bytes);
    let _ = crate::value::comma_list(bytes);
    if let Some(content_type) = crate::value::ContentType::parse(bytes) {
        let _ = crate::decode::file_name(None, &content_type);
    }
    let _ = crate::value::Disposition::parse(bytes);
}

/// Dates: what is read can be written and read again.
pub fn fuzz_date(bytes: &[u8]) {
    if let Some(date) = crate::date::DateTime::parse(bytes) {
        assert_eq!(
            crate::date::DateTime::parse(date.to_rfc5322().as_bytes()),
            Some(date)
        );
    }
    if let Some(date) = crate::date::DateTime::parse_rfc3339(bytes) {
        let _ = date.to_rfc3339();
    }
    if let Some(date) = crate::date::DateTime::parse_internal(bytes) {
        assert_eq!(
            crate::date::DateTime::parse_internal(date.to_internal().as_bytes()),
            Some(date)
        );
    }
}

/// Decoders of bodies and words. Decoded field text never holds a line end.
pub fn fuzz_decode(bytes: &[u8]) {
    assert!(crate::decode::base64::decode(bytes).len() <= bytes.len());
    assert!(crate::decode::quoted_printable::decode(bytes).len() <= bytes.len());
    let text = crate::decode::text(bytes);
    assert!(!text.contains(['\r', '\n', '\0']));
    assert!(crate::collation::fold(&text).len() <= 11 * text.len());
    let (charset, rest) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let _ = crate::decode::charset::to_text(charset, rest);
}

/// The preview of a message: short, and one line.
pub fn fuzz_preview(bytes: &[u8]) {
    let text = crate::preview::preview(bytes, &Structure::parse(bytes));
    assert!(text.chars().count() <= crate::limits::PREVIEW_LETTERS);
    assert!(!text.contains(['\r', '\n', '\0']) && text.trim() == text);
}

/// The envelope of a header block.
pub fn fuzz_envelope(bytes: &[u8]) {
    let envelope = crate::envelope::Envelope::parse(bytes);
    assert!(envelope.from.is_empty() || !envelope.sender.is_empty());
}

/// Making a message 7-bit: the result is ASCII and has the same parts, and each of them decodes to what it was.
pub fn fuzz_downgrade(bytes: &[u8]) {
    let Ok(result) = crate::downgrade::to_seven_bit(bytes) else {
        return;
    };
    assert!(result.is_ascii());
    let (before, after) = (Structure::parse(bytes), Structure::parse(&result));
    assert_eq!(before.parts().len(), after.parts().len());
    for (old, new) in before.parts().iter().zip(after.parts()) {
        assert_eq!(old.kind, new.kind);
        if matches!(old.kind, Kind::Leaf(_)) {
            assert_eq!(old.decoded_body(bytes), new.decoded_body(&result));
        }
    }
}

/// Sort keys and threads of headers, NUL between them.
pub fn fuzz_threads(bytes: &[u8]) {
    let mut threads = crate::thread::Threads::default();
    let headers: Vec<&[u8]> = bytes.split(|byte| *byte == 0).take(200).collect();
    for header in &headers {
        let keys = crate::sort_keys::SortKeys::of(header);
        let links = crate::sort_keys::Links::of(header);
        threads.add(crate::thread::Threaded {
            sent_ms: keys.sent_ms.unwrap_or(0),
            subject: &keys.subject,
            is_reply: keys.is_reply,
            id: links.id.as_deref(),
            references: &links.references,
        });
    }
    for forest in [threads.by_references(), threads.by_subject()] {
        let mut messages: Vec<u32> = forest
            .walk()
            .filter_map(|step| match step {
                crate::thread::Step::Message(message) => Some(message),
                _ => None,
            })
            .collect();
        messages.sort_unstable();
        assert!(messages.iter().copied().eq(0..headers.len() as u32));
    }
}
