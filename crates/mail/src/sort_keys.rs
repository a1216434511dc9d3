//! What SORT and THREAD ask of a header (RFC 5256 §2, §3; RFC 5957), read once and small enough to be kept.
//!
//! Texts are folded ([`crate::collation`]) and cut at [`SORT_KEY_BYTES`]: what is equal up to there keeps the mailbox's order.

use crate::collation::fold;
use crate::date::DateTime;
use crate::envelope::{Envelope, EnvelopeAddress};
use crate::header::Fields;
use crate::limits::SORT_KEY_BYTES;
use crate::subject::BaseSubject;
use crate::value::ids::message_ids;

/// The keys of one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SortKeys {
    /// the Date field as UTC, in milliseconds since 1970; `None` when it is missing or no date, where the internal date
    /// takes its place (RFC 5256 §2.2)
    pub sent_ms: Option<i64>,
    /// the base subject
    pub subject: String,
    /// whether the subject was that of a reply or forward
    pub is_reply: bool,
    /// the local part of the first address of From
    pub from: String,
    /// the same of To
    pub to: String,
    /// the same of Cc
    pub cc: String,
    /// the first address of From as it is displayed (RFC 5957 §3)
    pub display_from: String,
    /// the same of To
    pub display_to: String,
}

impl SortKeys {
    /// Of a header block (or a whole message: the body is not looked at).
    pub fn of(header: &[u8]) -> Self {
        let envelope = Envelope::parse(header);
        let subject = crate::decode::text(envelope.subject.as_deref().unwrap_or_default());
        let BaseSubject { text, is_reply } = BaseSubject::of(&subject);
        Self {
            sent_ms: envelope
                .date
                .as_deref()
                .and_then(DateTime::parse)
                .map(|date| date.unix_ms()),
            subject: key(&text),
            is_reply,
            from: local_part(&envelope.from),
            to: local_part(&envelope.to),
            cc: local_part(&envelope.cc),
            display_from: displayed(&envelope.from),
            display_to: displayed(&envelope.to),
        }
    }
}

/// The day of the Date field, in days since 1970, "disregarding time and timezone" (RFC 3501 §6.4.4); of a header block or a
/// whole message.
pub fn sent_day(header: &[u8]) -> Option<i64> {
    let field = Fields::new(header).find(|field| field.is("Date"))?;
    let date = DateTime::parse(field.value())?;
    let local = date.unix_ms() + i64::from(date.offset_minutes) * 60_000;
    Some(local.div_euclid(86_400_000))
}

/// What links a message to others (RFC 5256 §3, REFERENCES).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    /// Message-ID
    pub id: Option<Vec<u8>>,
    /// References; if it names none, the first of In-Reply-To
    pub references: Vec<Vec<u8>>,
}

impl Links {
    /// Of a header block (or a whole message).
    pub fn of(header: &[u8]) -> Self {
        let first = |name: &str| {
            let mut fields = Fields::new(header);
            let field = fields.find(|field| field.is(name));
            field.map(|field| message_ids(field.value())).unwrap_or_default()
        };
        // `In-Reply-To: Your message of …` names nothing: two of them are no thread.
        let named = |name: &str| {
            let mut ids = first(name);
            let bracketed = Fields::new(header)
                .find(|field| field.is(name))
                .is_some_and(|field| field.value().contains(&b'<'));
            ids.retain(|id| bracketed || id.contains(&b'@'));
            ids
        };
        let mut references = named("References");
        if references.is_empty() {
            references = named("In-Reply-To");
            references.truncate(1);
        }
        Self {
            id: first("Message-ID").into_iter().next(),
            references,
        }
    }
}

/// `addr-mailbox` of the first address (RFC 5256 §3): of a group its name.
fn local_part(addresses: &[EnvelopeAddress]) -> String {
    let first = addresses.first().and_then(|address| address.mailbox.as_deref());
    key(&crate::decode::text(first.unwrap_or_default()))
}

/// RFC 5957 §3: the personal name; else `local-part@domain`, of a group its name; else nothing.
fn displayed(addresses: &[EnvelopeAddress]) -> String {
    let Some(first) = addresses.first() else {
        return String::new();
    };
    let name = crate::decode::text(first.name.as_deref().unwrap_or_default());
    if !name.is_empty() {
        return key(&name);
    }
    let local = crate::decode::text(first.mailbox.as_deref().unwrap_or_default());
    match first.host.as_deref() {
        Some(host) => key(&format!("{local}@{}", String::from_utf8_lossy(host))),
        None => key(&local),
    }
}

fn key(text: &str) -> String {
    let mut key = fold(text);
    if key.len() > SORT_KEY_BYTES {
        key.truncate(key.floor_char_boundary(SORT_KEY_BYTES));
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_keys() {
        let header = b"From: =?utf-8?q?J=C3=BCrgen?= <jk@example.test>, x@example.test\r\n\
            To: friends: a@example.test, b@example.test;\r\nCc: \"Quoted.Local\"@example.test\r\n\
            Subject: Re: [list] =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n (fwd)\r\n\
            Date: Mon, 23 Nov 2026 23:30:00 -0800\r\n\
            Message-ID: <m@x>\r\nReferences: <a@x>\r\n <b@x>\r\nIn-Reply-To: <c@x>\r\n\r\n";
        let keys = SortKeys::of(header);
        let wanted = SortKeys {
            sent_ms: Some(1_795_505_400_000),
            subject: fold("Grüße"),
            is_reply: true,
            from: "JK".to_owned(),
            to: "FRIENDS".to_owned(),
            cc: "QUOTED.LOCAL".to_owned(),
            display_from: fold("Jürgen"),
            display_to: "FRIENDS".to_owned(),
        };
        assert_eq!(keys, wanted);
        let links = Links::of(header);
        assert_eq!(links.id.as_deref(), Some(&b"m@x"[..]));
        assert_eq!(links.references, [b"a@x".to_vec(), b"b@x".to_vec()]);
    }

    #[test]
    fn what_is_missing_is_empty() {
        assert_eq!(SortKeys::of(b"\r\n"), SortKeys::default());
        assert_eq!(Links::of(b"\r\n"), Links::default());
        let keys = SortKeys::of(b"From: a@Example.test\r\nDate: yesterday\r\nTo: <>\r\n\r\n");
        assert_eq!(
            (keys.sent_ms, keys.display_from.as_str()),
            (None, "A@EXAMPLE.TEST")
        );
        let links = Links::of(b"References: old@form\r\nIn-Reply-To: <a@x> <b@x>\r\n\r\n");
        assert_eq!(
            links.references,
            [b"old@form".to_vec()],
            "old software writes no brackets"
        );
        let links = Links::of(b"References: none\r\nIn-Reply-To: <a@x> <b@x>\r\n\r\n");
        assert_eq!(links.references, [b"a@x".to_vec()], "that is no identifier");
        let links = Links::of(b"In-Reply-To: Your message of \"Thu, 25 Jul 2002\"\r\n\r\n");
        assert!(
            links.references.is_empty(),
            "exmh writes so: two of them are no thread"
        );
        let links = Links::of(b"References:\r\nIn-Reply-To: <a@x> <b@x>\r\n\r\n");
        assert_eq!(links.references, [b"a@x".to_vec()]);
    }

    #[test]
    fn long_keys_are_cut() {
        let header = format!("Subject: {}\r\n\r\n", "ü".repeat(2000));
        let keys = SortKeys::of(header.as_bytes());
        assert!((SORT_KEY_BYTES - 3..=SORT_KEY_BYTES).contains(&keys.subject.len()));
    }
}
