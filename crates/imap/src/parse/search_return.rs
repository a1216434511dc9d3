//! The result options of SEARCH and SORT (RFC 4731 §3.1, RFC 5182 §2.1, RFC 9394 §3.1).

use std::num::NonZeroU32;

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use crate::command::{PartialRange, Returns};

/// `["RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" SP]`,
/// `search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE" / "PARTIAL" SP partial-range`
///
/// ALL and PARTIAL exclude each other (RFC 9394 §3.1).
pub(super) fn search_return(cursor: &mut Cursor<'_>) -> Parsed<Option<Returns>> {
    if !cursor.eat_word("RETURN") {
        return Ok(None);
    }
    cursor.space()?;
    let mut returns = Returns::default();
    let options = cursor.list(|cursor| option(cursor, &mut returns))?;
    if options.is_empty() {
        returns = Returns::ALL;
    }
    if returns.all && returns.partial.is_some() {
        return Err(Trouble::bad("ALL and PARTIAL cannot be asked for together"));
    }
    cursor.space()?;
    Ok(Some(returns))
}

fn option(cursor: &mut Cursor<'_>, returns: &mut Returns) -> Parsed<()> {
    match cursor.word()?.as_str() {
        "MIN" => returns.min = true,
        "MAX" => returns.max = true,
        "ALL" => returns.all = true,
        "COUNT" => returns.count = true,
        "SAVE" => returns.save = true,
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
