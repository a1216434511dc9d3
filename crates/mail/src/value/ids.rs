//! Message identifiers: Message-ID, In-Reply-To, References, Content-ID (RFC 5322 §3.6.4).

use crate::header::unfold;
use crate::limits::{FIELD_VALUE_BYTES, MESSAGE_IDS};

/// The identifiers of a field without their angle brackets, unfolded; at most [`MESSAGE_IDS`]. When the field has no
/// brackets at all, its first word is taken as one: old software writes them so.
pub fn message_ids(value: &[u8]) -> Vec<Vec<u8>> {
    let value = &value[..value.len().min(FIELD_VALUE_BYTES)];
    let mut ids = Vec::new();
    let mut rest = value;
    while let Some(open) = memchr::memchr(b'<', rest) {
        let inside = &rest[open + 1..];
        let Some(close) = memchr::memchr(b'>', inside) else {
            break;
        };
        // `<"from <a@b>`: an identifier holds no `<` but within quotes, which nobody writes.
        let begin = memchr::memrchr(b'<', &inside[..close]).map_or(0, |again| again + 1);
        let id = unfold(&inside[begin..close]);
        if !id.is_empty() {
            ids.push(id.into_owned());
        }
        rest = &inside[close + 1..];
        if ids.len() == MESSAGE_IDS {
            break;
        }
    }
    if ids.is_empty() && memchr::memchr(b'<', value).is_none() {
        let word = value.split(u8::is_ascii_whitespace).find(|word| !word.is_empty());
        ids.extend(word.map(<[u8]>::to_vec));
    }
    ids
}
