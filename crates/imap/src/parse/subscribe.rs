//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7).

use super::cursor::{Cursor, Parsed};
use crate::command::Command;

/// `subscribe = "SUBSCRIBE" SP mailbox`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    cursor.mailbox().map(Command::Subscribe)
}

/// `unsubscribe = "UNSUBSCRIBE" SP mailbox`
pub(super) fn unsubscribe_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    cursor.mailbox().map(Command::Unsubscribe)
}
