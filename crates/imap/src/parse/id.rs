//! ID (RFC 2971).

use super::Trouble;
use super::common::utf8;
use super::cursor::{Cursor, Parsed};
use crate::command::Command;
use crate::limits;

/// `id = "ID" SP id-params-list`, `id-params-list = "(" *(string SP nstring) ")" / nil`
///
/// The RFC's list has no space between pairs; its examples and all clients have one.
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    if cursor.eat_word("NIL") {
        return Ok(Command::Id(None));
    }
    let pairs = cursor.list(pair)?;
    if pairs.len() > limits::ID_PAIRS {
        return Err(Trouble::bad("ID takes at most 30 pairs"));
    }
    Ok(Command::Id(Some(pairs)))
}

fn pair(cursor: &mut Cursor<'_>) -> Parsed<(String, Option<String>)> {
    let field = utf8(&cursor.string()?)?;
    cursor.space()?;
    let value = cursor.nstring()?.map(|value| utf8(&value)).transpose()?;
    let fits = value
        .as_ref()
        .is_none_or(|value| value.len() <= limits::ID_VALUE_BYTES);
    if field.len() > limits::ID_FIELD_BYTES || !fits {
        return Err(Trouble::bad("ID fields have at most 30 octets, values 1024"));
    }
    Ok((field, value))
}
