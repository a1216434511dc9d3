//! RENAME (RFC 3501 §6.3.5).

use super::cursor::{Cursor, Parsed};
use crate::command::{Command, Rename};

/// `rename = "RENAME" SP mailbox SP mailbox`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let from = cursor.mailbox()?;
    cursor.space()?;
    let to = cursor.mailbox()?;
    Ok(Command::Rename(Rename { from, to }))
}
