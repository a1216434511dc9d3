//! Encoded words in header fields (RFC 2047, RFC 2231 §5 for the language suffix): `=?charset*lang?B?…?=`.

use std::borrow::Cow;

use super::{base64, charset, hex_pair};

/// One encoded word: its charset, its octets, and how long it was in the source.
struct Word<'a> {
    charset: &'a [u8],
    octets: Vec<u8>,
    len: usize,
}

/// A field's value as text: unfolded, trimmed, encoded words decoded, white space between two of them dropped
/// (RFC 2047 §6.2). A fold becomes one space. Neighbours of one charset are decoded together, because senders cut
/// letters in two. Octets outside encoded words are UTF-8, or else Windows-1252. NULs are left out.
pub fn text(value: &[u8]) -> String {
    untrimmed(value.trim_ascii())
}

/// The same without trimming, for quoted strings and parameters, where white space at the ends was meant.
pub fn untrimmed(value: &[u8]) -> String {
    let mut decoded = String::with_capacity(value.len());
    let mut run = Run::default();
    let mut rest = value;
    let mut plain_start = rest;
    while let Some(start) = memchr::memchr(b'=', rest) {
        match word(&rest[start..]) {
            Some(word) => {
                let plain = &plain_start[..plain_start.len() - rest.len() + start];
                run.put_plain(plain, true, &mut decoded);
                rest = &rest[start + word.len..];
                run.put_word(word, &mut decoded);
                plain_start = rest;
            }
            None => rest = &rest[start + 1..],
        }
    }
    run.put_plain(plain_start, false, &mut decoded);
    decoded
}

/// Every line end with the white space around it becomes `filler`; NULs go.
fn without_folds<'a>(text: &'a [u8], filler: &[u8]) -> Cow<'a, [u8]> {
    if memchr::memchr3(b'\r', b'\n', 0, text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut flat = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        match byte {
            0 => {}
            b'\r' | b'\n' => {
                flat.truncate(flat.trim_ascii_end().len());
                flat.extend_from_slice(filler);
                rest = rest.trim_ascii_start();
            }
            other => flat.push(*other),
        }
    }
    Cow::Owned(flat)
}

/// Octets of neighbouring encoded words that share a charset and wait to be decoded together.
#[derive(Default)]
struct Run {
    charset: Vec<u8>,
    octets: Vec<u8>,
    open: bool,
}

impl Run {
    fn put_plain(&mut self, plain: &[u8], word_follows: bool, decoded: &mut String) {
        if self.open && word_follows && plain.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        self.flush(decoded);
        decoded.push_str(&charset::guess(&without_folds(plain, b" ")));
    }

    fn put_word(&mut self, word: Word<'_>, decoded: &mut String) {
        // ISO-2022 begins anew in every word; two escapes in a row would be an error.
        let stateful = word
            .charset
            .get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"iso-2022"));
        if self.open && (stateful || !self.charset.eq_ignore_ascii_case(word.charset)) {
            self.flush(decoded);
        }
        self.open = true;
        self.charset = word.charset.to_vec();
        self.octets.extend_from_slice(&word.octets);
    }

    fn flush(&mut self, decoded: &mut String) {
        if std::mem::take(&mut self.open) {
            let text = charset::to_text(&self.charset, &self.octets);
            // An encoded line end is a trick, never a line: REL-7.
            decoded.extend(
                text.chars()
                    .filter(|letter| !matches!(letter, '\r' | '\n' | '\0')),
            );
            self.octets.clear();
        }
    }
}

/// The encoded word at the very start of `input`. Spaces inside are let through: senders forget to encode them.
fn word(input: &[u8]) -> Option<Word<'_>> {
    let inner = input.strip_prefix(b"=?")?;
    let charset_len = inner.iter().take(80).position(|byte| *byte == b'?')?;
    let charset = &inner[..charset_len];
    if charset.is_empty() || !charset.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let rest = &inner[charset_len + 1..];
    let [encoding, b'?', rest @ ..] = rest else {
        return None;
    };
    let encoded_len = memchr::memmem::find(rest.get(..rest.len().min(MAX_WORD_BYTES))?, b"?=")?;
    let encoded = without_folds(&rest[..encoded_len], b"");
    let octets = match encoding {
        b'B' | b'b' => base64::decode(&encoded),
        b'Q' | b'q' => q(&encoded),
        _ => return None,
    };
    let charset = charset.split(|byte| *byte == b'*').next().unwrap_or(charset);
    Some(Word {
        charset,
        octets,
        len: 2 + charset_len + 3 + encoded_len + 2,
    })
}

/// Octets of the encoded text of one word. RFC 2047 says 75 for the whole word; some senders do not count.
const MAX_WORD_BYTES: usize = 4096;

/// `Q` (RFC 2047 §4.2): `_` is a space, `=XX` an octet.
fn q(encoded: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while let Some(byte) = encoded.get(at) {
        at += 1;
        let pair = encoded.get(at).zip(encoded.get(at + 1));
        match (byte, pair.and_then(|(high, low)| hex_pair(*high, *low))) {
            (b'=', Some(value)) => {
                octets.push(value);
                at += 2;
            }
            (b'_', _) => octets.push(b' '),
            (other, _) => octets.push(*other),
        }
    }
    octets
}
