//! EXAMINE (RFC 3501 §6.3.2).

use super::cursor::{Cursor, Parsed};
use super::select;
use crate::command::Command;

/// `examine = "EXAMINE" SP mailbox [select-params]`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    select::mailbox_and_parameters(cursor).map(Command::Examine)
}
