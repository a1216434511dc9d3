//! Building messages: a few headers and a body, for the welcome message, bounces and reports.
//!
//! 1. [`MessageBuilder::new`] starts; [`MessageBuilder::field`] and its named sisters add header fields. Names are
//!    [`FieldName`]s and values are [`HeaderValue`]s, dates or addresses, so nothing given can begin another field (threat
//!    case REL-7): what is not ASCII becomes encoded words (RFC 2047), and long lines are folded at spaces.
//! 2. A body is a [`Body`]: text (sent as 7bit when it is short lines of ASCII, else quoted-printable), a multipart of
//!    bodies, or another message's bytes.
//! 3. [`MessageBuilder::finish`] puts it together as a [`WireMessage`]: CRLF, no NUL, lines of at most 998 octets.
//!
//! Boundaries are made from the content's place and checked against it, so no randomness is needed.

use crate::address::Mailbox;
use crate::date::DateTime;
use crate::limits::{LINE_BYTES, PREFERRED_LINE_BYTES};
use crate::wire::{HeaderValue, WireFault, WireMessage, check_message};

pub(crate) mod encode;

/// The name of a header field: 1 to 64 octets of printable ASCII without a colon (RFC 5322 §2.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldName(String);

impl FieldName {
    /// Nothing when the name has another letter or length.
    pub fn new(name: &str) -> Option<Self> {
        let right = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        (right && (1..=64).contains(&name.len())).then(|| Self(name.to_owned()))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address with a display name for a From or To field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedMailbox {
    /// What people read; may be empty.
    pub name: HeaderValue,
    /// The address.
    pub mailbox: Mailbox,
}

/// A body to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// text/plain in UTF-8. Any line ends; they become CRLF. NULs become U+FFFD.
    Text(String),
    /// A part with a type of its own and octets that are already right for the wire: message/delivery-status,
    /// message/rfc822, text/rfc822-headers. Checked by [`MessageBuilder::finish`].
    Raw {
        /// `type/subtype` and parameters, as the field's value.
        content_type: HeaderValue,
        /// The octets.
        octets: Vec<u8>,
    },
    /// `multipart/subtype` with its parts.
    Multipart {
        /// `mixed`, `report; report-type=delivery-status`: what follows `multipart/`.
        subtype: HeaderValue,
        /// In order, at least one.
        parts: Vec<Body>,
    },
}

/// A message being built.
#[derive(Debug, Clone, Default)]
pub struct MessageBuilder {
    header: Vec<u8>,
}

impl MessageBuilder {
    /// Starts with no fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field with free text.
    #[must_use]
    pub fn field(mut self, name: &FieldName, value: &HeaderValue) -> Self {
        put_field(
            &mut self.header,
            name.as_str(),
            &encode::unstructured(value.as_str()),
        );
        self
    }

    /// Adds Subject.
    #[must_use]
    pub fn subject(mut self, value: &HeaderValue) -> Self {
        put_field(&mut self.header, "Subject", &encode::unstructured(value.as_str()));
        self
    }

    /// Adds Date.
    #[must_use]
    pub fn date(mut self, date: DateTime) -> Self {
        put_field(&mut self.header, "Date", &date.to_rfc5322());
        self
    }

    /// Adds From.
    #[must_use]
    pub fn from(self, from: &NamedMailbox) -> Self {
        self.addresses("From", std::slice::from_ref(from))
    }

    /// Adds To.
    #[must_use]
    pub fn to(self, to: &[NamedMailbox]) -> Self {
        self.addresses("To", to)
    }

    /// Adds Message-ID from its two halves: letters that may not stand in one are left out.
    #[must_use]
    pub fn message_id(mut self, left: &str, right: &str) -> Self {
        let clean = |half: &str| -> String {
            half.chars()
                .filter(|letter| letter.is_ascii_alphanumeric() || ".-_".contains(*letter))
                .collect()
        };
        put_field(
            &mut self.header,
            "Message-ID",
            &format!("<{}@{}>", clean(left), clean(right)),
        );
        self
    }

    fn addresses(mut self, name: &str, list: &[NamedMailbox]) -> Self {
        let written: Vec<String> = list.iter().map(write_address).collect();
        if !written.is_empty() {
            put_field(&mut self.header, name, &written.join(", "));
        }
        self
    }

    /// Puts header and body together. Fails only when a [`Body::Raw`] has octets that may not go on the wire, or a
    /// single word of a field is longer than a line.
    pub fn finish(self, body: &Body) -> Result<WireMessage, WireFault> {
        let mut message = self.header;
        put_field(&mut message, "MIME-Version", "1.0");
        put_body(&mut message, body, "0")?;
        WireMessage::new(message)
    }
}

/// `Name <local@domain>`; the name quoted when it is ASCII and needs it, encoded when it is not.
fn write_address(address: &NamedMailbox) -> String {
    let name = address.name.as_str().trim();
    if name.is_empty() {
        return address.mailbox.to_string();
    }
    format!("{} <{}>", encode::phrase(name), address.mailbox)
}

/// One field, folded at spaces so that lines stay below 78 octets where there are spaces to fold at (RFC 5322 §2.2.3).
fn put_field(header: &mut Vec<u8>, name: &str, value: &str) {
    header.extend_from_slice(name.as_bytes());
    header.push(b':');
    let mut column = name.len() + 1;
    for word in value.split(' ') {
        // A line of white space alone would be an obsolete fold, so an empty word never begins a line.
        if column + 1 + word.len() > PREFERRED_LINE_BYTES && !word.is_empty() && column > name.len() + 1 {
            header.extend_from_slice(b"\r\n");
            column = 0;
        }
        header.push(b' ');
        header.extend_from_slice(word.as_bytes());
        column += 1 + word.len();
    }
    header.extend_from_slice(b"\r\n");
}

/// The MIME fields of a body, the blank line and the octets. `place` is unique among the multiparts of the message.
fn put_body(message: &mut Vec<u8>, body: &Body, place: &str) -> Result<(), WireFault> {
    match body {
        Body::Text(text) => put_text(message, text),
        Body::Raw { content_type, octets } => put_raw(message, content_type, octets)?,
        Body::Multipart { subtype, parts } => put_multipart(message, subtype, parts, place)?,
    }
    Ok(())
}

fn put_text(message: &mut Vec<u8>, text: &str) {
    let lines = encode::crlf_lines(text);
    put_field(message, "Content-Type", "text/plain; charset=utf-8");
    let plain = lines.is_ascii()
        && lines
            .split(|byte| *byte == b'\n')
            .all(|line| line.len() <= LINE_BYTES + 1);
    if plain {
        message.extend_from_slice(b"\r\n");
        message.extend_from_slice(&lines);
    } else {
        put_field(message, "Content-Transfer-Encoding", "quoted-printable");
        message.extend_from_slice(b"\r\n");
        message.extend_from_slice(&encode::quoted_printable(&lines));
    }
}

fn put_raw(message: &mut Vec<u8>, content_type: &HeaderValue, octets: &[u8]) -> Result<(), WireFault> {
    check_message(octets)?;
    put_field(
        message,
        "Content-Type",
        &encode::unstructured(content_type.as_str()),
    );
    if !octets.is_ascii() {
        put_field(message, "Content-Transfer-Encoding", "8bit");
    }
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(octets);
    Ok(())
}

fn put_multipart(
    message: &mut Vec<u8>,
    subtype: &HeaderValue,
    parts: &[Body],
    place: &str,
) -> Result<(), WireFault> {
    let mut built = Vec::with_capacity(parts.len());
    for (number, part) in parts.iter().enumerate() {
        let mut octets = Vec::new();
        put_body(&mut octets, part, &format!("{place}.{number}"))?;
        built.push(octets);
    }
    let boundary = unused_boundary(&built, place);
    let value = format!(
        "multipart/{}; boundary=\"{boundary}\"",
        encode::unstructured(subtype.as_str())
    );
    put_field(message, "Content-Type", &value);
    // A multipart says 8bit when something in it is (RFC 2045 §6.4).
    if built.iter().any(|octets| !octets.is_ascii()) {
        put_field(message, "Content-Transfer-Encoding", "8bit");
    }
    message.extend_from_slice(b"\r\n");
    for octets in &built {
        message.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        message.extend_from_slice(octets);
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(())
}

/// A boundary that occurs in no part: counted up until it does not.
fn unused_boundary(parts: &[Vec<u8>], place: &str) -> String {
    let mut number = 0_u64;
    loop {
        // `=_` never occurs in quoted-printable (RFC 2045 §6.7), so the first try nearly always holds.
        let boundary = format!("=_{place}_{number}");
        if parts
            .iter()
            .all(|part| memchr::memmem::find(part, boundary.as_bytes()).is_none())
        {
            return boundary;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests;
