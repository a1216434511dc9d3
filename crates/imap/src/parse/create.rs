//! CREATE (RFC 3501 §6.3.3) with special use (RFC 6154 §3).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use crate::command::{Command, Create, SpecialUse};

/// `create = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"]`,
/// `create-param = "USE" SP "(" [use-attr *(SP use-attr)] ")"`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let wire = cursor.astring()?;
    // RFC 3501 §6.3.3: a trailing separator declares that names will be created below; it is no part of the name.
    let name = wire
        .strip_suffix(b"/")
        .filter(|name| !name.is_empty())
        .unwrap_or(&wire);
    let mailbox = cursor.name(name)?;
    let parameters = if cursor.more() {
        cursor.filled_list(parameter)?
    } else {
        Vec::new()
    };
    Ok(Command::Create(Create {
        mailbox,
        special_use: parameters.concat(),
    }))
}

fn parameter(cursor: &mut Cursor<'_>) -> Parsed<Vec<SpecialUse>> {
    if !cursor.eat_word("USE") {
        return Err(Trouble::bad("Unknown CREATE parameter"));
    }
    cursor.space()?;
    cursor.list(special_use)
}

fn special_use(cursor: &mut Cursor<'_>) -> Parsed<SpecialUse> {
    cursor.need(b'\\', "A special use begins with a backslash")?;
    let name = cursor.atom()?;
    let known = SpecialUse::ALL
        .into_iter()
        .find(|known| known.name()[1..].eq_ignore_ascii_case(name));
    // RFC 6154 §3: a special use that the server does not know is NO [USEATTR].
    known.ok_or(Trouble::no(crate::out::Code::UseAttr, "Unknown special use"))
}
