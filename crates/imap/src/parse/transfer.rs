//! COPY, MOVE and their UID forms (RFC 3501 §6.4.7, RFC 6851 §3).

use super::common::sequence_set;
use super::cursor::{Cursor, Parsed};
use crate::command::{Command, Numbers, Transfer};

/// `copy = "COPY" SP sequence-set SP mailbox`
pub(super) fn copy_arguments(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Command> {
    transfer(cursor, numbers).map(Command::Copy)
}

/// `move = "MOVE" SP sequence-set SP mailbox`
pub(super) fn move_arguments(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Command> {
    transfer(cursor, numbers).map(Command::Move)
}

fn transfer(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Transfer> {
    cursor.space()?;
    let set = sequence_set(cursor)?;
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    Ok(Transfer {
        numbers,
        set,
        mailbox,
    })
}
