//! Makes an 8-bit message one of 7 bits, for a server without 8BITMIME (RFC 6152 §3). Only the sender's own server may do
//! that: it changes octets that a signature may cover.
//!
//! 1. [`to_seven_bit`] parses the structure and looks at each part once (`look_at`).
//! 2. A leaf with octets above 127 is encoded anew, as quoted-printable when it is text and that is the shorter one, else as
//!    base64 (`encode_leaf`). So are those inside message/rfc822: the message around them may have no encoding
//!    (RFC 2045 §6.4).
//! 3. Every part that says 8bit or binary now says what it is (`relabel`); multiparts and messages say 7bit.
//! 4. The edits are put together (`splice`).
//!
//! Guarantees: the result is ASCII; every leaf decodes to the octets it had; nothing else changes but the fields named.
//! Refused: 8-bit octets in a header (that needs SMTPUTF8), under multipart/signed (RFC 1847 §2.1), in parts that may not be
//! encoded (message/partial, RFC 2046 §5.2.2.1) or are encoded already, between the parts, and what could not be parsed.
//! Memory: the result and the encoded parts, at most about three times the message.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use base64::Engine as _;

use crate::build::encode::quoted_printable;
use crate::header::Fields;
use crate::limits::ENCODED_LINE_BYTES;
use crate::mime::{Kind, Leaf, Part, PartId, Structure};
use crate::value::Encoding;

/// Why a message stays 8-bit. All of them are permanent (5.6.3, for the header 5.6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotDowngrade {
    /// A header has octets above 127: it needs SMTPUTF8 (RFC 6531).
    Header,
    /// They lie under a signature.
    Signed,
    /// They lie in a part that is encoded already, or in a way not known here.
    Encoded,
    /// They lie in a part that may not be encoded.
    Kind,
    /// They lie between parts, or the structure is too large or too broken to be sure.
    Structure,
}

impl fmt::Display for CannotDowngrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "its header has letters outside ASCII",
            Self::Signed => "it is signed, and encoding it would break the signature",
            Self::Encoded => "a part says it is encoded and has 8-bit octets all the same",
            Self::Kind => "a part with 8-bit octets is of a kind that may not be encoded",
            Self::Structure => "there are 8-bit octets outside of its parts",
        })
    }
}

impl std::error::Error for CannotDowngrade {}

/// Encodes what has octets above 127. Borrowed when there is nothing to do.
///
/// # Errors
/// When it cannot be done without harm; the message goes back to its sender then.
pub fn to_seven_bit(message: &[u8]) -> Result<Cow<'_, [u8]>, CannotDowngrade> {
    let structure = Structure::parse(message);
    if !structure.is_complete() && !message.is_ascii() {
        return Err(CannotDowngrade::Structure);
    }
    let mut edits = Vec::new();
    let mut signed = Vec::with_capacity(structure.parts().len());
    for (index, part) in structure.parts().iter().enumerate() {
        let under_signature = part.parent.is_some_and(|parent| signed[parent.index()]);
        let is_signature =
            part.kind == Kind::Multipart && part.content_type(message).is("multipart", "signed");
        signed.push(under_signature || is_signature);
        look_at(
            message,
            part,
            index == PartId::ROOT.index(),
            signed[index],
            &mut edits,
        )?;
    }
    if edits.is_empty() {
        return if message.is_ascii() {
            Ok(Cow::Borrowed(message))
        } else {
            Err(CannotDowngrade::Structure)
        };
    }
    let result = splice(message, edits);
    if !result.is_ascii() {
        return Err(CannotDowngrade::Structure);
    }
    Ok(Cow::Owned(result))
}

/// What stands in place of some octets of the message.
struct Edit {
    range: Range<usize>,
    new: Vec<u8>,
}

fn look_at(
    message: &[u8],
    part: &Part,
    is_root: bool,
    signed: bool,
    edits: &mut Vec<Edit>,
) -> Result<(), CannotDowngrade> {
    if !part.header.of(message).is_ascii() {
        return Err(CannotDowngrade::Header);
    }
    let body = part.body.of(message);
    let encoding = part.encoding(message);
    let eight_bit_leaf = matches!(part.kind, Kind::Leaf(_)) && !body.is_ascii();
    if !eight_bit_leaf {
        let says_more = matches!(encoding, Encoding::EightBit | Encoding::Binary);
        // Under a signature even the label stays.
        if says_more && !signed {
            relabel(message, part, "7bit", edits);
        }
        return Ok(());
    }
    if signed {
        return Err(CannotDowngrade::Signed);
    }
    if matches!(part.kind, Kind::Leaf(Leaf::NoParts | Leaf::NotOpened)) {
        return Err(CannotDowngrade::Structure);
    }
    if !matches!(
        encoding,
        Encoding::SevenBit | Encoding::EightBit | Encoding::Binary
    ) {
        return Err(CannotDowngrade::Encoded);
    }
    let content_type = part.content_type(message);
    if content_type.kind == "message" || content_type.kind == "multipart" {
        return Err(CannotDowngrade::Kind);
    }
    if is_root {
        complete_root(message, part, body, edits);
    }
    let (word, encoded) = encode_leaf(body, content_type.kind == "text");
    relabel(message, part, word, edits);
    edits.push(Edit {
        range: part.body.range(),
        new: encoded,
    });
    Ok(())
}

/// A transfer encoding means something only in a MIME message (RFC 2045 §4); a text whose charset nobody named gets one
/// (RFC 1428 §3 has `unknown-8bit` for those that cannot be told).
fn complete_root(message: &[u8], part: &Part, body: &[u8], edits: &mut Vec<Edit>) {
    let mut new = Vec::new();
    if !fields_of(message, part).any(|(name, _)| name.eq_ignore_ascii_case(b"MIME-Version")) {
        new.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    if part.fields.content_type.is_none() {
        let charset = if std::str::from_utf8(body).is_ok() {
            "utf-8"
        } else {
            "unknown-8bit"
        };
        new.extend_from_slice(format!("Content-Type: text/plain; charset={charset}\r\n").as_bytes());
    }
    if !new.is_empty() {
        let end = fields_end(message, part);
        edits.push(Edit { range: end..end, new });
    }
}

/// The part's one Content-Transfer-Encoding becomes `word`.
fn relabel(message: &[u8], part: &Part, word: &str, edits: &mut Vec<Edit>) {
    let mut new = format!("Content-Transfer-Encoding: {word}\r\n").into_bytes();
    let fields = fields_of(message, part);
    for (_, range) in fields.filter(|(name, _)| name.eq_ignore_ascii_case(b"Content-Transfer-Encoding")) {
        // The first one counts; a second one could only be taken for it by others.
        let new = std::mem::take(&mut new);
        edits.push(Edit { range, new });
    }
    if !new.is_empty() {
        let end = fields_end(message, part);
        edits.push(Edit { range: end..end, new });
    }
}

fn fields_of<'a>(message: &'a [u8], part: &Part) -> impl Iterator<Item = (&'a [u8], Range<usize>)> {
    let header_end = part.header.range().end;
    Fields::starting_at(message, part.header.range().start)
        .map(|field| (field.name(), field.range()))
        .take_while(move |(_, range)| range.start < header_end)
}

/// Behind the last field, before the blank line.
fn fields_end(message: &[u8], part: &Part) -> usize {
    let start = part.header.range().start;
    fields_of(message, part)
        .last()
        .map_or(start, |(_, range)| range.end)
}

fn encode_leaf(body: &[u8], is_text: bool) -> (&'static str, Vec<u8>) {
    // Quoted-printable adds two octets for each it must write in hexadecimal, base64 a third to all.
    let dear = body
        .iter()
        .filter(|byte| !byte.is_ascii() || **byte == b'=')
        .count();
    if is_text && dear * 6 <= body.len() {
        return ("quoted-printable", quoted_printable(body));
    }
    ("base64", base64_lines(body))
}

/// Base64 in lines of 76 letters (RFC 2045 §6.8). The last line ends as the part did.
fn base64_lines(body: &[u8]) -> Vec<u8> {
    let letters = base64::engine::general_purpose::STANDARD
        .encode(body)
        .into_bytes();
    let mut lines = Vec::with_capacity(letters.len() + letters.len() / 32 + 2);
    for line in letters.chunks(ENCODED_LINE_BYTES) {
        if !lines.is_empty() {
            lines.extend_from_slice(b"\r\n");
        }
        lines.extend_from_slice(line);
    }
    if body.ends_with(b"\n") {
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

/// Puts the edits in. They never overlap: each changes a field, the place behind the fields, or the body of a leaf.
fn splice(message: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    // Stable, so that two edits in one place stay in order.
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let grown: usize = edits.iter().map(|edit| edit.new.len()).sum();
    let mut result = Vec::with_capacity(message.len() + grown);
    let mut at = 0;
    for edit in edits {
        result.extend_from_slice(&message[at..edit.range.start]);
        result.extend_from_slice(&edit.new);
        at = edit.range.end;
    }
    result.extend_from_slice(&message[at..]);
    result
}

#[cfg(test)]
mod tests;
