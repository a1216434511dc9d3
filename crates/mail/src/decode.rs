//! Undoing encodings: base64 and quoted-printable bodies, RFC 2047 encoded words, RFC 2231 parameters, charsets.
//!
//! All of it is lenient and never fails: what is broken is decoded as far as it goes, and the original octets are always
//! still there, because nothing stored is ever replaced by its decoded form (threat case MIM-4).

pub mod base64;
pub mod charset;
pub mod quoted_printable;
pub mod words;

use std::borrow::Cow;

use crate::value::{ContentType, Disposition, Encoding, Joined};

pub use words::text;

/// Undoes a transfer encoding. Borrowed when there is nothing to undo.
pub fn transfer(encoding: Encoding, body: &[u8]) -> Cow<'_, [u8]> {
    match encoding {
        Encoding::Base64 => Cow::Owned(base64::decode(body)),
        Encoding::QuotedPrintable => Cow::Owned(quoted_printable::decode(body)),
        _ => Cow::Borrowed(body),
    }
}

/// Appends `octets` with `%XX` decoded (RFC 2231 §4); a percent sign without two hex digits stays.
pub fn percent(octets: &[u8], into: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(byte) = octets.get(at) {
        let pair = octets.get(at + 1).zip(octets.get(at + 2));
        match pair.and_then(|(high, low)| hex_pair(*high, *low)) {
            Some(value) if *byte == b'%' => {
                into.push(value);
                at += 3;
            }
            _ => {
                into.push(*byte);
                at += 1;
            }
        }
    }
}

/// The value of two hex digits in either case.
pub(crate) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    Some((digit(high)? * 16 + digit(low)?) as u8)
}

/// A joined parameter as text: in the charset it names, else with encoded words decoded (RFC 2047 §5 forbids them in
/// parameters; most senders of file names use them all the same).
pub fn parameter(joined: &Joined) -> String {
    match &joined.charset {
        Some(charset) => charset::to_text(charset.as_bytes(), &joined.value),
        None => words::untrimmed(&joined.value),
    }
}

/// The file name a part suggests: `filename` of the disposition, else `name` of the type.
pub fn file_name(disposition: Option<&Disposition>, content_type: &ContentType) -> Option<String> {
    let joined = disposition.and_then(|disposition| disposition.joined("filename"));
    joined
        .or_else(|| content_type.joined("name"))
        .map(|joined| parameter(&joined))
}

/// The body of a text part as text: transfer encoding and charset undone.
pub fn body_text(content_type: &ContentType, encoding: Encoding, body: &[u8]) -> String {
    let octets = transfer(encoding, body);
    match content_type.parameter("charset") {
        Some(charset) => charset::to_text(charset, &octets),
        None => charset::guess(&octets),
    }
}

#[cfg(test)]
mod tests;
