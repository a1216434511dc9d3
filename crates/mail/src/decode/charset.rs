//! Octets in a named charset to text, by the WHATWG encodings (encoding_rs) plus UTF-7.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Octets of `charset` as text; what cannot be decoded becomes U+FFFD. An unknown or missing charset is guessed.
pub fn to_text(charset: &[u8], octets: &[u8]) -> String {
    let label = charset.trim_ascii();
    if is_utf_7(label) {
        return utf_7(octets);
    }
    match Encoding::for_label(label).or_else(|| by_nickname(label)) {
        // ASCII is decoded as Windows-1252 by WHATWG, but octets above 127 that are UTF-8 were meant so.
        Some(encoding) if encoding == WINDOWS_1252 && label.eq_ignore_ascii_case(b"us-ascii") => {
            guess(octets)
        }
        Some(encoding) => encoding.decode_without_bom_handling(octets).0.into_owned(),
        None => guess(octets),
    }
}

/// A charset whose octets can be read strictly: for what a protocol says is in a charset, where guessing would be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, and US-ASCII in it
    Utf8,
    /// UTF-7 (RFC 2152)
    Utf7,
    /// another one of the WHATWG encodings
    Other(&'static Encoding),
}

impl Charset {
    /// The charset of that name; `None` when it is not known.
    pub fn named(name: &[u8]) -> Option<Self> {
        let label = name.trim_ascii();
        if label.eq_ignore_ascii_case(b"us-ascii") {
            return Some(Self::Utf8);
        }
        if is_utf_7(label) {
            return Some(Self::Utf7);
        }
        let encoding = Encoding::for_label(label).or_else(|| by_nickname(label))?;
        // WHATWG reads unknown and dangerous charsets as "replacement", which has no letters.
        let known = encoding != encoding_rs::REPLACEMENT;
        known.then_some(if encoding == UTF_8 {
            Self::Utf8
        } else {
            Self::Other(encoding)
        })
    }

    /// The octets as text; `None` when they are not of this charset.
    pub fn decode(self, octets: &[u8]) -> Option<String> {
        match self {
            Self::Utf8 => std::str::from_utf8(octets).ok().map(str::to_owned),
            Self::Utf7 => Some(utf_7(octets)).filter(|text| !text.contains('\u{fffd}')),
            Self::Other(encoding) => {
                let decoded = encoding.decode_without_bom_handling_and_without_replacement(octets);
                decoded.map(std::borrow::Cow::into_owned)
            }
        }
    }
}

/// UTF-8 when it is valid, else Windows-1252, in which every octet is something.
pub fn guess(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) if mostly_utf_8(octets) => UTF_8.decode_without_bom_handling(octets).0.into_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(octets).0.into_owned(),
    }
}

/// UTF-8 that was cut in the middle of a letter.
fn mostly_utf_8(octets: &[u8]) -> bool {
    std::str::from_utf8(octets).is_err_and(|error| error.valid_up_to() > 0 && error.error_len().is_none())
}

fn is_utf_7(label: &[u8]) -> bool {
    label.eq_ignore_ascii_case(b"utf-7") || label.eq_ignore_ascii_case(b"unicode-1-1-utf-7")
}

/// Names that mail has and the web has not: a language suffix is the caller's, these are spellings.
fn by_nickname(label: &[u8]) -> Option<&'static Encoding> {
    let plain: Vec<u8> = label
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(u8::to_ascii_lowercase)
        .collect();
    let name: &[u8] = match plain.as_slice() {
        b"utf8" | b"utf8mb4" => b"utf-8",
        b"cp932" | b"windows31j" => b"shift_jis",
        b"cp936" | b"ms936" => b"gbk",
        b"cp949" | b"ksc5601" | b"ms949" => b"euc-kr",
        b"cp950" => b"big5",
        b"ansix341968" | b"iso646us" => b"us-ascii",
        other => match other.strip_prefix(b"cp") {
            Some(number) => return Encoding::for_label(&[b"windows-", number].concat()),
            None => return None,
        },
    };
    Encoding::for_label(name)
}

/// RFC 2152. A shifted run is base64 of UTF-16; what is broken in it becomes U+FFFD.
fn utf_7(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut rest = octets;
    while let Some(plus) = memchr::memchr(b'+', rest) {
        text.push_str(&String::from_utf8_lossy(&rest[..plus]));
        let run = &rest[plus + 1..];
        let len = run
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')))
            .unwrap_or(run.len());
        if len == 0 && run.first() == Some(&b'-') {
            text.push('+');
        } else {
            let units = super::base64::decode(&run[..len]);
            let units = units
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            text.extend(char::decode_utf16(units).map(|letter| letter.unwrap_or('\u{fffd}')));
        }
        let absorbed = usize::from(run.get(len) == Some(&b'-'));
        rest = &run[len + absorbed..];
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
}
