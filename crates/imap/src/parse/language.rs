//! LANGUAGE (RFC 5255 §3.2).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use crate::command::Command;
use crate::limits;

/// `language-cmd = "LANGUAGE" *(SP lang-range-quoted)`, `lang-range-quoted = astring`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mut ranges = Vec::new();
    while cursor.more() {
        let range = String::from_utf8_lossy(&cursor.astring()?).to_ascii_lowercase();
        if ranges.len() == limits::LANGUAGES || range.len() > limits::LANGUAGE_BYTES {
            return Err(Trouble::bad("Too many languages, or one of too many letters"));
        }
        ranges.push(range);
    }
    Ok(Command::Language(ranges))
}
