//! LSUB (RFC 3501 §6.3.9).

use super::cursor::{Cursor, Parsed};
use super::list;
use crate::command::Command;

/// `lsub = "LSUB" SP mailbox SP list-mailbox`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let reference = cursor.astring()?.into_owned();
    cursor.space()?;
    list::pattern(cursor, &reference).map(Command::Lsub)
}
