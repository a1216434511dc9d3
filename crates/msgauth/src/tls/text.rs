//! What records, policies and evidence of this family have in common: names, values, white space, words of others. Pure.

use crate::limits::EVIDENCE_TEXT;

/// One line of bounded length: what other servers say goes into files, logs and reports.
pub(super) fn shortened(text: &str) -> String {
    text.chars()
        .take(EVIDENCE_TEXT)
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect()
}

/// Without blanks and tabs at both ends: the WSP of RFC 5234, and nothing else.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &&u8| matches!(**byte, b' ' | b'\t');
    let begin = text.iter().take_while(is_blank).count();
    let end = text.len() - text[begin..].iter().rev().take_while(is_blank).count();
    &text[begin..end]
}

/// A name of letters, digits, `_`, `-` and `.`, and the value behind `sign`; neither is empty.
pub(super) fn pair(text: &[u8], sign: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(sign, text)?;
    let (name, value) = (trim(&text[..at]), trim(&text[at + 1..]));
    let is_name = !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte));
    (is_name && !value.is_empty()).then_some((name, value))
}
