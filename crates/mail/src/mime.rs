//! The MIME structure of a message: a tree of parts with offsets, found in one pass over the bytes, nothing decoded
//! (RFC 2045, RFC 2046).
//!
//! 1. [`Structure::parse`] opens the root part and reads its header (`open`), keeping where the eight fields stand that
//!    a structure needs.
//! 2. A multipart with a boundary becomes a frame that waits for its delimiters; a message/rfc822 opens the message
//!    inside it at once; anything else is a leaf (`classify`).
//! 3. `next_delimiter` goes to the next line that begins with `--` and is a delimiter of an open frame, the innermost
//!    first. It closes what is above it and opens the next part, or ends the frame.
//! 4. At the end everything still open ends with the bytes: truncated mail is fine.
//!
//! Guarantees: never panics; time grows with the size (each line is looked at once, and compared with at most
//! [`MIME_DEPTH`](crate::limits::MIME_DEPTH) boundaries of its own length); all ranges lie inside the message and those
//! of a part inside its parent's body. A part beyond the depth limit is a leaf; parts beyond the count limit stay bytes
//! of their parent's body. Bytes beyond 4 GiB are not looked at.

use std::ops::Range;

use memchr::memmem;

use crate::budget::Budget;
use crate::header::Fields;
use crate::value::{self, ContentType, Disposition, Encoding};

mod scan;
#[cfg(test)]
mod tests;

/// A range of the message's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First octet.
    pub start: u32,
    /// Behind the last octet.
    pub end: u32,
}

impl Span {
    fn new(start: usize, end: usize) -> Self {
        // The parser never looks beyond u32::MAX octets.
        Self {
            start: start as u32,
            end: end.max(start) as u32,
        }
    }

    /// Octets in it.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it has no octets.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// As a range of indexes.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The bytes of the message it names. Give it the message that was parsed; ranges outside yield nothing.
    pub fn of(self, message: &[u8]) -> &[u8] {
        message.get(self.range()).unwrap_or_default()
    }
}

/// Names a part inside its [`Structure`]; the root is [`PartId::ROOT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId(u32);

impl PartId {
    /// The message itself.
    pub const ROOT: Self = Self(0);

    /// Its place in [`Structure::parts`]: parts stand in the order in which they begin, parents before children.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a part holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Children, found between delimiters. Always at least one.
    Multipart,
    /// message/rfc822 or message/global: exactly one child, the message inside, whose header starts where this body starts.
    Message,
    /// Content.
    Leaf(Leaf),
}

/// Why a part is a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf {
    /// Its type has no parts.
    Plain,
    /// It says multipart but has no (usable) boundary, or no delimiter came: its body is shown as text/plain.
    NoParts,
    /// Its type has parts, but it lies at the depth limit or the budget was spent: shown as application/octet-stream.
    NotOpened,
}

/// The type a part without Content-Type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultType {
    /// text/plain; charset=us-ascii (RFC 2045 §5.2).
    TextPlain,
    /// message/rfc822, inside multipart/digest (RFC 2046 §5.1.5).
    MessageRfc822,
}

/// Where the values of the MIME fields of a part stand (the first field of each name counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartFields {
    /// Content-Type.
    pub content_type: Option<Span>,
    /// Content-Transfer-Encoding.
    pub encoding: Option<Span>,
    /// Content-Disposition (RFC 2183).
    pub disposition: Option<Span>,
    /// Content-Language (RFC 3282).
    pub language: Option<Span>,
    /// Content-Location (RFC 2557).
    pub location: Option<Span>,
    /// Content-MD5 (RFC 1864).
    pub md5: Option<Span>,
    /// Content-ID.
    pub id: Option<Span>,
    /// Content-Description.
    pub description: Option<Span>,
}

/// One part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The header block with its blank line (IMAP `MIME` of this part; `HEADER` when it is a message's root).
    pub header: Span,
    /// The body, still encoded, without the line end that belongs to the delimiter behind it.
    pub body: Span,
    /// Line ends (LF) in the body.
    pub lines: u32,
    /// What it holds.
    pub kind: Kind,
    /// The part it lies in; nothing for the root.
    pub parent: Option<PartId>,
    /// Levels above it: the root has 0.
    pub depth: u32,
    /// Its type when it names none.
    pub default_type: DefaultType,
    /// Where its MIME fields stand.
    pub fields: PartFields,
    first_child: Option<PartId>,
    next_sibling: Option<PartId>,
}

impl Part {
    /// The type to show (IMAP BODYSTRUCTURE, JMAP): as the field says, or the default; for a multipart without parts
    /// text/plain, for a container that was not opened application/octet-stream, so that the type always fits
    /// [`Part::kind`].
    pub fn content_type(&self, message: &[u8]) -> ContentType {
        match self.kind {
            Kind::Leaf(Leaf::NoParts) => return ContentType::text_plain(),
            Kind::Leaf(Leaf::NotOpened) => return ContentType::new("application", "octet-stream"),
            _ => {}
        }
        let declared = self
            .fields
            .content_type
            .and_then(|span| ContentType::parse(span.of(message)));
        match (declared, self.default_type) {
            (Some(declared), _) => declared,
            (None, DefaultType::TextPlain) => ContentType::text_plain(),
            (None, DefaultType::MessageRfc822) => ContentType::new("message", "rfc822"),
        }
    }

    /// The transfer encoding; 7bit when there is no field.
    pub fn encoding(&self, message: &[u8]) -> Encoding {
        self.fields
            .encoding
            .map_or(Encoding::SevenBit, |span| Encoding::parse(span.of(message)))
    }

    /// Content-Disposition with its parameters.
    pub fn disposition(&self, message: &[u8]) -> Option<Disposition> {
        self.fields
            .disposition
            .and_then(|span| Disposition::parse(span.of(message)))
    }

    /// Content-Language as a list of tags.
    pub fn languages(&self, message: &[u8]) -> Vec<Vec<u8>> {
        self.fields
            .language
            .map_or_else(Vec::new, |span| value::comma_list(span.of(message)))
    }

    /// The body's octets with the transfer encoding undone. Never fails: what is broken is decoded as far as it goes.
    pub fn decoded_body<'a>(&self, message: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        crate::decode::transfer(self.encoding(message), self.body.of(message))
    }
}

/// The parts of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    parts: Vec<Part>,
    complete: bool,
}

/// What an IMAP section number names (RFC 9051 §6.4.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// The part whose number it is: its `body` is `BODY[n]`, its `header` is `BODY[n.MIME]`.
    pub part: PartId,
    /// When the part is a message: the root of the message inside, for `n.HEADER` and `n.TEXT`.
    pub message: Option<PartId>,
}

impl Structure {
    /// Parses with the default budget.
    pub fn parse(message: &[u8]) -> Self {
        Self::parse_within(message, Budget::for_message(message.len()))
    }

    /// Parses within `budget`. When it is spent, what was not looked at stays body of the parts open then, and
    /// [`Structure::is_complete`] is false.
    pub fn parse_within(message: &[u8], budget: Budget) -> Self {
        scan::Scanner::new(message, budget).run()
    }

    /// Whether all of the message was looked at and every part got a node.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// All parts, in the order in which they begin.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The message itself.
    pub fn root(&self) -> &Part {
        &self.parts[0]
    }

    /// The part of that name. Panics with an id of another structure, as indexing does.
    pub fn part(&self, id: PartId) -> &Part {
        &self.parts[id.index()]
    }

    /// The children of a part, in order.
    pub fn children(&self, id: PartId) -> impl Iterator<Item = PartId> + '_ {
        std::iter::successors(self.part(id).first_child, |child| self.part(*child).next_sibling)
    }

    /// Finds what the part numbers of an IMAP section name: `[2, 1]` for `BODY[2.1]`. The empty list is the message
    /// itself. A message without multipart has one part, number 1 (RFC 9051 §6.4.5.1).
    pub fn section(&self, numbers: &[u32]) -> Option<Section> {
        let mut at = Section {
            part: PartId::ROOT,
            message: Some(PartId::ROOT),
        };
        for number in numbers {
            at = self.step_into(at, *number)?;
        }
        Some(at)
    }

    fn step_into(&self, at: Section, number: u32) -> Option<Section> {
        // Numbers below a message/rfc822 count the parts of the message inside it.
        let container = at.message.unwrap_or(at.part);
        let part = match self.part(container).kind {
            Kind::Multipart => self.children(container).nth(number.checked_sub(1)? as usize)?,
            // A message that is no multipart: its own content is number 1.
            _ if at.message.is_some() && number == 1 => container,
            _ => return None,
        };
        let message = match self.part(part).kind {
            Kind::Message => self.part(part).first_child,
            _ => None,
        };
        Some(Section { part, message })
    }
}
