//! Building responses: the only maker of octets for the wire (RFC 3501 §7).
//!
//! Every value goes through `Out::string` or a stricter writer: quoted if it can be, else a literal. CR, LF and NUL never stand
//! outside a literal; NUL nowhere, except that the octets of a message go out as they were stored.
//!
//! There is no way in for octets that are no response:
//! ```compile_fail,E0624
//! imap::out::Out::new().raw(b"* OK forged\r\n");
//! ```

mod body;
mod code;
mod data;
mod envelope;
mod fetch;
pub mod ready;
mod search;
mod urls;

pub use body::{Disposition, Leaf, LeafKind, Multipart, Params, Structure};
pub use code::Code;
pub use data::{ListLine, StatusValue};
pub use envelope::{Address, Envelope};
pub use fetch::{FetchLine, Octets};
pub use search::{Esearch, ResultChange, ThreadStep};

use crate::command::Tag;
use crate::mode::Mode;

/// Octets that most responses have behind a literal.
const BEHIND_LITERAL_BYTES: usize = 64;

/// Response octets, not yet written.
#[derive(Debug, Default)]
pub struct Out {
    bytes: Vec<u8>,
    mode: Mode,
}

impl Out {
    /// Empty; holds no memory.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            mode: Mode {
                rev2: false,
                utf8: false,
            },
        }
    }

    /// What the client switched on: from now on names are written so.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// What the client switched on.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What is there, to be written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is there; empties it and its memory.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Makes room for so many octets at once, where a long answer is to come.
    pub fn reserve(&mut self, octets: usize) {
        self.bytes.reserve(octets);
    }

    /// Empties it, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Octets held.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// `* OK [code] text` (RFC 3501 §7.1.1).
    pub fn ok(&mut self, code: Option<&Code<'_>>, text: &str) {
        self.status(b"* OK ", code, text);
    }

    /// `* NO [code] text`: a warning.
    pub fn no(&mut self, code: Option<&Code<'_>>, text: &str) {
        self.status(b"* NO ", code, text);
    }

    /// `* BAD [code] text`: for what had no tag.
    pub fn bad(&mut self, code: Option<&Code<'_>>, text: &str) {
        self.status(b"* BAD ", code, text);
    }

    /// `* BYE [code] text`: before closing.
    pub fn bye(&mut self, code: Option<&Code<'_>>, text: &str) {
        self.status(b"* BYE ", code, text);
    }

    /// `tag BAD [code] text`, for a command that never became a [`crate::command::Request`]; untagged without a tag.
    pub fn refuse(&mut self, tag: Option<&Tag>, code: Option<&Code<'_>>, text: &str) {
        match tag {
            Some(tag) => self.tagged(tag, "BAD", code, text),
            None => self.bad(code, text),
        }
    }

    /// `tag NO [code] text`, for a command that was understood up to an argument that cannot be, or for a literal too large.
    pub fn refuse_no(&mut self, tag: Option<&Tag>, code: Option<&Code<'_>>, text: &str) {
        match tag {
            Some(tag) => self.tagged(tag, "NO", code, text),
            None => self.no(code, text),
        }
    }

    /// `+ text` (RFC 3501 §7.5).
    pub fn continuation(&mut self, text: &str) {
        self.raw(b"+ ");
        self.text(text);
        self.crlf();
    }

    /// `+ base64`: a challenge of AUTHENTICATE; `+ ` and nothing for an empty one.
    pub fn challenge(&mut self, base64: &str) {
        self.raw(b"+ ");
        // A challenge is not text for people: it is never cut.
        let octets: Vec<u8> = base64.bytes().filter(u8::is_ascii_graphic).collect();
        self.raw(&octets);
        self.crlf();
    }

    pub(crate) fn tagged(&mut self, tag: &Tag, status: &'static str, code: Option<&Code<'_>>, text: &str) {
        self.raw(tag.as_str().as_bytes());
        self.raw(b" ");
        self.raw(status.as_bytes());
        self.raw(b" ");
        self.code_and_text(code, text);
    }

    fn status(&mut self, start: &[u8], code: Option<&Code<'_>>, text: &str) {
        self.raw(start);
        self.code_and_text(code, text);
    }

    fn code_and_text(&mut self, code: Option<&Code<'_>>, text: &str) {
        if let Some(code) = code {
            self.raw(b"[");
            code.write(self);
            self.raw(b"] ");
        }
        self.text(text);
        self.crlf();
    }

    /// `text` of RFC 3501 §9: at least one printable ASCII character; others become `?`.
    fn text(&mut self, text: &str) {
        let clean = |character: char| {
            if matches!(character, ' '..='~') {
                character as u8
            } else {
                b'?'
            }
        };
        self.bytes.extend(text.chars().map(clean));
        if text.is_empty() {
            self.bytes.push(b'.');
        }
    }

    /// `string`: quoted when short printable ASCII, else a literal. NUL is left out, as no form can carry it.
    pub(crate) fn string(&mut self, value: &[u8]) {
        if is_quotable(value) {
            self.quoted(value);
        } else if value.contains(&0) {
            let without: Vec<u8> = value.iter().copied().filter(|&byte| byte != 0).collect();
            self.string(&without);
        } else {
            self.literal(value);
        }
    }

    /// `nstring`
    pub(crate) fn nstring(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.string(value),
            None => self.raw(b"NIL"),
        }
    }

    /// `astring`: an atom when it can be one and could not be taken for NIL, else a string.
    pub(crate) fn astring(&mut self, value: &[u8]) {
        let is_atom = !value.is_empty()
            && value
                .iter()
                .all(|&byte| crate::parse::chars::is_astring_char(byte));
        if is_atom && !value.eq_ignore_ascii_case(b"NIL") {
            self.raw(value);
        } else {
            self.string(value);
        }
    }

    fn quoted(&mut self, value: &[u8]) {
        self.raw(b"\"");
        for &byte in value {
            if matches!(byte, b'"' | b'\\') {
                self.bytes.push(b'\\');
            }
            self.bytes.push(byte);
        }
        self.raw(b"\"");
    }

    pub(crate) fn literal(&mut self, value: &[u8]) {
        self.literal_header(value.len() as u64);
        // With room for the end of a response: it would double the memory of a long literal otherwise.
        self.bytes.reserve(value.len() + BEHIND_LITERAL_BYTES);
        self.raw(value);
    }

    pub(crate) fn literal_header(&mut self, size_bytes: u64) {
        self.raw(b"{");
        self.number(size_bytes);
        self.raw(b"}\r\n");
    }

    pub(crate) fn number(&mut self, number: u64) {
        use std::io::Write as _;
        let written = write!(self.bytes, "{number}");
        debug_assert!(written.is_ok(), "writing to memory cannot fail");
    }

    /// A non-empty `sequence-set` of inclusive ranges.
    pub(crate) fn ranges(&mut self, ranges: &[(u32, u32)]) {
        for (at, &(first, last)) in ranges.iter().enumerate() {
            if at > 0 {
                self.raw(b",");
            }
            self.number(u64::from(first));
            if last != first {
                self.raw(b":");
                self.number(u64::from(last));
            }
        }
    }

    /// `( … )` with single spaces between.
    pub(crate) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.raw(b"(");
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.raw(b" ");
            }
            write(self, item);
        }
        self.raw(b")");
    }

    /// Flags that can stand on the wire; others are left out, and `\Recent` in IMAP4rev2.
    pub(crate) fn flags<'f>(&mut self, flags: impl IntoIterator<Item = &'f str>) {
        let rev2 = self.mode.rev2;
        self.list(
            flags
                .into_iter()
                .filter(|flag| crate::flag::is_flag(flag) && !(rev2 && *flag == "\\Recent")),
            |out, flag| out.raw(flag.as_bytes()),
        );
    }

    pub(crate) fn raw(&mut self, octets: &[u8]) {
        self.bytes.extend_from_slice(octets);
    }

    pub(crate) fn crlf(&mut self) {
        self.raw(b"\r\n");
    }
}

/// Longer texts go as literals, so that clients with short lines can read them.
const QUOTED_MAX_BYTES: usize = 1000;

fn is_quotable(value: &[u8]) -> bool {
    value.len() <= QUOTED_MAX_BYTES && value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

#[cfg(test)]
mod tests;
