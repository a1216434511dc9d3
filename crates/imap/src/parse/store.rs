//! STORE and UID STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3).

use super::Trouble;
use super::common::{flag, flag_list, sequence_set};
use super::cursor::{Cursor, Parsed};
use crate::command::{Command, Numbers, Store, StoreAction};
use crate::flag::Flag;

/// `store = "STORE" SP sequence-set [SP "(" store-modifier *(SP store-modifier) ")"] SP store-att-flags`
pub(super) fn arguments(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Command> {
    cursor.space()?;
    let set = sequence_set(cursor)?;
    cursor.space()?;
    let unchanged_since = if cursor.peek() == Some(b'(') {
        let modifiers = cursor.filled_list(modifier)?;
        cursor.space()?;
        modifiers.last().copied()
    } else {
        None
    };
    let (action, silent) = action(cursor)?;
    cursor.space()?;
    let flags = flags(cursor)?;
    Ok(Command::Store(Store {
        numbers,
        set,
        unchanged_since,
        action,
        silent,
        flags,
    }))
}

/// `store-modifier = "UNCHANGEDSINCE" SP mod-sequence-valzer` (RFC 7162 §7)
fn modifier(cursor: &mut Cursor<'_>) -> Parsed<u64> {
    cursor.token()?;
    if !cursor.eat_word("UNCHANGEDSINCE") {
        return Err(Trouble::bad("Unknown STORE modifier"));
    }
    cursor.space()?;
    cursor.number64()
}

/// `store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))`
fn action(cursor: &mut Cursor<'_>) -> Parsed<(StoreAction, bool)> {
    let action = match cursor.peek() {
        Some(b'+') => StoreAction::Add,
        Some(b'-') => StoreAction::Remove,
        _ => StoreAction::Replace,
    };
    if action != StoreAction::Replace {
        let _sign = cursor.eat(b'+') || cursor.eat(b'-');
    }
    match cursor.word()?.as_str() {
        "FLAGS" => Ok((action, false)),
        "FLAGS.SILENT" => Ok((action, true)),
        _ => Err(Trouble::bad("STORE changes FLAGS only")),
    }
}

fn flags(cursor: &mut Cursor<'_>) -> Parsed<Vec<Flag>> {
    if cursor.peek() == Some(b'(') {
        return flag_list(cursor);
    }
    let mut flags = vec![flag(cursor)?];
    while cursor.more() {
        flags.push(flag(cursor)?);
    }
    Ok(flags.into_iter().flatten().collect())
}
