//! UID EXPUNGE (RFC 4315 §2.1).

use super::common::sequence_set;
use super::cursor::{Cursor, Parsed};
use crate::command::Command;

/// `uid-expunge = "UID" SP "EXPUNGE" SP sequence-set`
pub(super) fn uid_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    sequence_set(cursor).map(Command::UidExpunge)
}
