//! SELECT (RFC 3501 §6.3.1, RFC 4466 §2.1, RFC 7162 §3.1.8, §3.2.5).

use super::cursor::{Cursor, Parsed};
use super::{Trouble, qresync};
use crate::command::{Command, Resync, Select};

/// `select = "SELECT" SP mailbox [select-params]`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    mailbox_and_parameters(cursor).map(Command::Select)
}

/// `select-params = SP "(" select-param *(SP select-param) ")"`, `select-param = "CONDSTORE" / "QRESYNC" …`
pub(super) fn mailbox_and_parameters(cursor: &mut Cursor<'_>) -> Parsed<Select> {
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    let parameters = if cursor.more() {
        cursor.filled_list(parameter)?
    } else {
        Vec::new()
    };
    Ok(Select {
        mailbox,
        condstore: !parameters.is_empty(),
        resync: parameters.into_iter().flatten().next_back(),
    })
}

/// QRESYNC means CONDSTORE too (RFC 7162 §3.2.5).
fn parameter(cursor: &mut Cursor<'_>) -> Parsed<Option<Resync>> {
    cursor.token()?;
    if cursor.eat_word("CONDSTORE") {
        Ok(None)
    } else if cursor.eat_word("QRESYNC") {
        qresync::arguments(cursor).map(Some)
    } else {
        Err(Trouble::bad("Unknown SELECT parameter"))
    }
}
