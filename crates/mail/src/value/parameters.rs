//! Reading `type/subtype; name=value; …` (RFC 2045 §5.1, RFC 2231) from left to right, once.

use super::{Joined, Parameter};
use crate::limits::COMMENT_DEPTH;

/// A place in the value of a field.
pub(super) struct Reader<'a> {
    value: &'a [u8],
    at: usize,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Skips a comment that opens at `at` and returns the offset behind it; an open one ends with the value.
pub(crate) fn skip_comment(value: &[u8], at: usize) -> usize {
    comment_end(value, at).0
}

/// As [`skip_comment`], and whether the comment has an end at all.
pub(crate) fn comment_end(value: &[u8], at: usize) -> (usize, bool) {
    let mut depth = 0_usize;
    let mut at = at;
    while let Some(byte) = value.get(at) {
        at += 1;
        match byte {
            b'\\' => at += 1,
            b'(' if depth < COMMENT_DEPTH => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (at.min(value.len()), true);
        }
    }
    (at.min(value.len()), false)
}

/// Reads the quoted string whose opening quote is at `at`: its content without CR, LF and NUL, and the offset behind it.
pub(super) fn quoted(value: &[u8], at: usize) -> (Vec<u8>, usize, bool) {
    let mut content = Vec::new();
    let mut at = at + 1;
    while let Some(byte) = value.get(at) {
        at += 1;
        match byte {
            b'"' => return (content, at, true),
            b'\\' => {
                content.extend(value.get(at).filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)));
                at += 1;
            }
            b'\r' | b'\n' | 0 => {}
            other => content.push(*other),
        }
    }
    (content, at.min(value.len()), false)
}

impl<'a> Reader<'a> {
    pub(super) fn new(value: &'a [u8]) -> Self {
        Self { value, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.value.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'(' => self.at = skip_comment(self.value, self.at),
                byte if is_space(byte) => self.at += 1,
                _ => break,
            }
        }
    }

    fn take_until(&mut self, stop: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.value[self.at..];
        let len = rest.iter().position(|byte| stop(*byte)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// `type "/" subtype`, in lower case.
    pub(super) fn media(&mut self) -> Option<(String, String)> {
        self.skip_space();
        let kind = lower(self.take_until(|byte| is_space(byte) || matches!(byte, b'/' | b';' | b'(')));
        self.skip_space();
        if kind.is_empty() || self.peek() != Some(b'/') {
            return None;
        }
        self.at += 1;
        let subtype = self.token()?;
        Some((kind, subtype))
    }

    /// A word up to white space, `;`, `(` or the end, in lower case.
    pub(super) fn token(&mut self) -> Option<String> {
        self.skip_space();
        let word = self.take_until(|byte| is_space(byte) || matches!(byte, b';' | b'('));
        (!word.is_empty()).then(|| lower(word))
    }

    /// All parameters from here on, at most `limit`.
    pub(super) fn parameters(&mut self, limit: usize) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        while parameters.len() < limit {
            self.skip_space();
            match self.peek() {
                None => break,
                Some(b';') => {
                    self.at += 1;
                    continue;
                }
                Some(_) => {}
            }
            let name = lower(self.take_until(|byte| is_space(byte) || matches!(byte, b'=' | b';' | b'(')));
            self.skip_space();
            if self.peek() != Some(b'=') {
                continue;
            }
            self.at += 1;
            let value = self.parameter_value(&name);
            if !name.is_empty() {
                parameters.push(Parameter { name, value });
            }
        }
        parameters
    }

    fn parameter_value(&mut self, name: &str) -> Vec<u8> {
        self.skip_space();
        if self.peek() == Some(b'"') {
            let (value, at, _) = quoted(self.value, self.at);
            self.at = at;
            return value;
        }
        let mut value = self.word();
        // File names are often written without the quotes they need: what follows belongs to them unless it is a
        // parameter itself.
        while matches!(name, "name" | "filename") && !value.is_empty() {
            let before = self.at;
            self.skip_space();
            let next = self.word();
            if next.is_empty() || (next.contains(&b'=') && !next.starts_with(b"=?")) {
                self.at = before;
                break;
            }
            value.push(b' ');
            value.extend_from_slice(&next);
        }
        value
    }

    fn word(&mut self) -> Vec<u8> {
        let word = self.take_until(|byte| is_space(byte) || byte == b';');
        word.iter().copied().filter(|byte| *byte != 0).collect()
    }

    /// The next item of a comma-separated list, without its comma; nothing at the end.
    pub(super) fn item(&mut self) -> Option<Vec<u8>> {
        self.peek()?;
        let mut item = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b',' => {
                    self.at += 1;
                    break;
                }
                b'(' => self.at = skip_comment(self.value, self.at),
                byte if is_space(byte) => {
                    self.skip_space();
                    if !item.is_empty() {
                        item.push(b' ');
                    }
                }
                other => {
                    item.push(other);
                    self.at += 1;
                }
            }
        }
        item.truncate(item.trim_ascii_end().len());
        Some(item)
    }
}

fn lower(word: &[u8]) -> String {
    String::from_utf8_lossy(word).to_ascii_lowercase()
}

/// One piece of a value: its number, whether its percent signs count, its octets.
struct Piece<'a> {
    number: u32,
    extended: bool,
    value: &'a [u8],
}

/// `name`, `name*`, `name*0`, `name*0*` → the number and whether it is extended (RFC 2231 §7).
fn piece<'a>(parameter: &'a Parameter, name: &str) -> Option<Piece<'a>> {
    let stars = parameter.name.strip_prefix(name)?;
    let (number, extended) = match stars.strip_prefix('*') {
        None if stars.is_empty() => return None,
        None => return None,
        Some("") => (0, true),
        Some(rest) => {
            let (digits, extended) = match rest.strip_suffix('*') {
                Some(digits) => (digits, true),
                None => (rest, false),
            };
            (digits.parse().ok()?, extended)
        }
    };
    Some(Piece {
        number,
        extended,
        value: &parameter.value,
    })
}

/// Joins the pieces of a parameter in the order of their numbers, whatever order they stand in; gaps are closed.
/// Pieces win over a plain `name` beside them (RFC 2231 §3 lets senders give both).
pub(super) fn joined(parameters: &[Parameter], name: &str) -> Option<Joined> {
    let mut pieces: Vec<Piece<'_>> = parameters
        .iter()
        .filter_map(|parameter| piece(parameter, name))
        .collect();
    if pieces.is_empty() {
        return super::find(parameters, name).map(|value| Joined {
            charset: None,
            value: value.to_vec(),
        });
    }
    pieces.sort_by_key(|piece| piece.number);
    pieces.dedup_by_key(|piece| piece.number);
    let mut charset = None;
    let mut value = Vec::new();
    for (place, piece) in pieces.iter().enumerate() {
        let mut octets = piece.value;
        if place == 0 && piece.extended {
            (charset, octets) = split_charset(octets);
        }
        if piece.extended {
            crate::decode::percent(octets, &mut value);
        } else {
            value.extend_from_slice(octets);
        }
    }
    Some(Joined { charset, value })
}

/// `charset'language'value` (RFC 2231 §4).
fn split_charset(octets: &[u8]) -> (Option<String>, &[u8]) {
    let mut parts = octets.splitn(3, |byte| *byte == b'\'');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(charset), Some(_language), Some(value)) => {
            let charset = lower(charset);
            ((!charset.is_empty()).then_some(charset), value)
        }
        _ => (None, octets),
    }
}
