//! CANCELUPDATE (RFC 5267 §4.3.5).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use crate::command::{Command, Tag};

/// `"CANCELUPDATE" 1*(SP quoted)`: the tags of the commands that asked for updates.
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mut tags = Vec::new();
    cursor.space()?;
    loop {
        let tag = cursor.astring()?;
        tags.push(Tag::new(&tag).ok_or(Trouble::bad("That is no tag"))?);
        if !cursor.more() {
            return Ok(Command::CancelUpdate(tags));
        }
    }
}
