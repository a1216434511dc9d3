//! The result options of SEARCH and SORT (RFC 4731 §3.1, RFC 5182 §2.1, RFC 5267 §4, RFC 5465 §7, RFC 9394 §3.1).

use std::num::NonZeroU32;

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use super::fetch;
use crate::command::{FetchItem, PartialRange, Returns};

/// `["RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" SP]`,
/// `search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE" / "PARTIAL" SP partial-range / "CONTEXT" / modifier-update`
///
/// ALL and PARTIAL exclude each other (RFC 9394 §3.1). With what is told of messages that come into the result.
pub(super) fn search_return(cursor: &mut Cursor<'_>) -> Parsed<(Option<Returns>, Vec<FetchItem>)> {
    if !cursor.eat_word("RETURN") {
        return Ok((None, Vec::new()));
    }
    cursor.space()?;
    let mut returns = Returns::default();
    let mut items = Vec::new();
    let options = cursor.list(|cursor| {
        if cursor.eat_word("UPDATE") {
            returns.update = true;
            items = update_items(cursor)?;
            return Ok(());
        }
        option(cursor, &mut returns)
    })?;
    if options.is_empty() {
        returns = Returns::ALL;
    }
    if returns.all && returns.partial.is_some() {
        return Err(Trouble::bad("ALL and PARTIAL cannot be asked for together"));
    }
    cursor.space()?;
    Ok((Some(returns), items))
}

/// `modifier-update = "UPDATE" [[SP] "(" fetch-att *(SP fetch-att) ")"]`: the grammar of RFC 5465 §8 has no space there, its examples have.
fn update_items(cursor: &mut Cursor<'_>) -> Parsed<Vec<FetchItem>> {
    if cursor.rest().starts_with(b" (") {
        cursor.space()?;
    }
    match cursor.peek() {
        Some(b'(') => fetch::attributes(cursor),
        _ => Ok(Vec::new()),
    }
}

fn option(cursor: &mut Cursor<'_>, returns: &mut Returns) -> Parsed<()> {
    match cursor.word()?.as_str() {
        "MIN" => returns.min = true,
        "MAX" => returns.max = true,
        "ALL" => returns.all = true,
        "COUNT" => returns.count = true,
        "SAVE" => returns.save = true,
        "CONTEXT" => returns.context = true,
        "PARTIAL" => {
            cursor.space()?;
            let again = returns.partial.replace(partial_range(cursor)?);
            if again.is_some() {
                return Err(Trouble::bad("PARTIAL can be asked for once"));
            }
        }
        _ => return Err(Trouble::bad("Unknown result option")),
    }
    Ok(())
}

/// `partial-range = partial-range-first / partial-range-last`, `partial-range-first = nz-number ":" nz-number`,
/// `partial-range-last = MINUS nz-number ":" MINUS nz-number`
pub(super) fn partial_range(cursor: &mut Cursor<'_>) -> Parsed<PartialRange> {
    let from_end = cursor.eat(b'-');
    let one = cursor.nonzero()?;
    cursor.need(b':', "A range looks like 1:100 or -1:-100")?;
    let other: NonZeroU32 = match cursor.eat(b'-') == from_end {
        true => cursor.nonzero()?,
        false => return Err(Trouble::bad("Both ends of a range count from the same side")),
    };
    Ok(PartialRange::new(from_end, one, other))
}
