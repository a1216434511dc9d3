//! SELECT (RFC 3501 §6.3.1, RFC 4466 §2.1, RFC 7162 §3.1.8).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use crate::command::{Command, Select};

/// `select = "SELECT" SP mailbox [select-params]`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    mailbox_and_parameters(cursor).map(Command::Select)
}

/// `select-params = SP "(" select-param *(SP select-param) ")"`, `select-param = "CONDSTORE"`
pub(super) fn mailbox_and_parameters(cursor: &mut Cursor<'_>) -> Parsed<Select> {
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    let condstore = cursor.more() && !cursor.filled_list(parameter)?.is_empty();
    Ok(Select { mailbox, condstore })
}

fn parameter(cursor: &mut Cursor<'_>) -> Parsed<()> {
    cursor.token()?;
    if cursor.eat_word("CONDSTORE") {
        Ok(())
    } else {
        Err(Trouble::bad("Unknown SELECT parameter"))
    }
}
