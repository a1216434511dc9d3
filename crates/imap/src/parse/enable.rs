//! ENABLE (RFC 5161 §3.1).

use super::cursor::{Cursor, Parsed};
use crate::command::Command;

/// `enable = "ENABLE" 1*(SP capability)`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mut names = vec![cursor.word()?];
    while cursor.more() {
        names.push(cursor.word()?);
    }
    Ok(Command::Enable(names))
}
