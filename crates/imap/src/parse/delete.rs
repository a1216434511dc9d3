//! DELETE (RFC 3501 §6.3.4).

use super::cursor::{Cursor, Parsed};
use crate::command::Command;

/// `delete = "DELETE" SP mailbox`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    cursor.mailbox().map(Command::Delete)
}
