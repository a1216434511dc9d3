//! STATUS (RFC 3501 §6.3.10, RFC 7162 §3.1.7, RFC 7889 §4, RFC 8438, RFC 8474 §4.3, RFC 9051 §6.3.11).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use crate::command::{Command, Status, StatusItem};

/// `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
    let items = items(cursor)?;
    Ok(Command::Status(Status { mailbox, items }))
}

/// `"(" status-att *(SP status-att) ")"`; an item asked twice is told once.
pub(super) fn items(cursor: &mut Cursor<'_>) -> Parsed<Vec<StatusItem>> {
    let asked = cursor.filled_list(item)?;
    let mut items: Vec<StatusItem> = Vec::with_capacity(StatusItem::ALL.len());
    for item in asked {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    Ok(items)
}

fn item(cursor: &mut Cursor<'_>) -> Parsed<StatusItem> {
    let name = cursor.atom()?;
    let known = StatusItem::ALL
        .into_iter()
        .find(|item| item.name().eq_ignore_ascii_case(name));
    known.ok_or(Trouble::bad("Unknown STATUS item"))
}
