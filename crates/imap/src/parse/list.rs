//! LIST (RFC 3501 §6.3.8), extended (RFC 5258), with STATUS (RFC 5819) and special use (RFC 6154).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use super::{metadata, status};
use crate::command::{Command, List, ListReturn, ListSelect};
use crate::limits;
use crate::pattern::ListPattern;

/// `list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let selecting = cursor.peek() == Some(b'(');
    let select = if selecting {
        selection(cursor)?
    } else {
        ListSelect::default()
    };
    let reference = cursor.astring()?.into_owned();
    cursor.space()?;
    let several = cursor.peek() == Some(b'(');
    let patterns = if several {
        patterns(cursor, &reference)?
    } else {
        vec![pattern(cursor, &reference)?]
    };
    let returning = cursor.more();
    let returns = if returning {
        return_options(cursor)?
    } else {
        ListReturn::default()
    };
    Ok(Command::List(List {
        patterns,
        select,
        returns,
        extended: selecting || several || returning,
    }))
}

/// `mbox-or-pat = list-mailbox / patterns`
pub(super) fn pattern(cursor: &mut Cursor<'_>, reference: &[u8]) -> Parsed<ListPattern> {
    let pattern = cursor.list_mailbox()?;
    let pattern = if cursor.mode().names_are_utf8() {
        ListPattern::new_utf8(reference, &pattern)
    } else {
        ListPattern::new(reference, &pattern)
    };
    pattern.ok_or(Trouble::bad("A mailbox pattern is too long"))
}

/// `patterns = "(" list-mailbox *(SP list-mailbox) ")"`
fn patterns(cursor: &mut Cursor<'_>, reference: &[u8]) -> Parsed<Vec<ListPattern>> {
    let patterns = cursor.filled_list(|cursor| pattern(cursor, reference))?;
    if patterns.len() > limits::PATTERNS {
        Err(Trouble::bad("Too many mailbox patterns"))
    } else {
        Ok(patterns)
    }
}

/// `list-select-opts = "(" [*(list-select-opt SP) …] ")"`: SUBSCRIBED, REMOTE, RECURSIVEMATCH, SPECIAL-USE
fn selection(cursor: &mut Cursor<'_>) -> Parsed<ListSelect> {
    let mut select = ListSelect::default();
    cursor.list(|cursor| {
        match cursor.word()?.as_str() {
            "SUBSCRIBED" => select.subscribed = true,
            "REMOTE" => select.remote = true,
            "RECURSIVEMATCH" => select.recursive_match = true,
            "SPECIAL-USE" => select.special_use = true,
            _ => return Err(Trouble::bad("Unknown LIST selection option")),
        }
        Ok(())
    })?;
    // RFC 5258 §3.1: RECURSIVEMATCH alone, or with REMOTE only, is BAD.
    if select.recursive_match && !select.subscribed && !select.special_use {
        return Err(Trouble::bad("RECURSIVEMATCH needs another selection option"));
    }
    cursor.space()?;
    Ok(select)
}

/// `list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"`, `return-option = "SUBSCRIBED" / "CHILDREN" /
/// "SPECIAL-USE" / "STATUS" SP "(" status-att *(SP status-att) ")" / "METADATA" SP entries / "MYRIGHTS"` (the last two: RFC 9590,
/// RFC 8440)
fn return_options(cursor: &mut Cursor<'_>) -> Parsed<ListReturn> {
    if !cursor.eat_word("RETURN") {
        return Err(Trouble::bad("Only RETURN may follow the patterns of LIST"));
    }
    cursor.space()?;
    let mut returns = ListReturn::default();
    cursor.list(|cursor| {
        match cursor.word()?.as_str() {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" => returns.children = true,
            "SPECIAL-USE" => returns.special_use = true,
            "STATUS" => {
                cursor.space()?;
                returns.status = status::items(cursor)?;
            }
            "METADATA" => {
                cursor.space()?;
                returns.metadata = metadata::entries(cursor)?;
            }
            "MYRIGHTS" => returns.my_rights = true,
            _ => return Err(Trouble::bad("Unknown LIST return option")),
        }
        Ok(())
    })?;
    Ok(returns)
}
