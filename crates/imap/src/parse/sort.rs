//! SORT and UID SORT (RFC 5256 §3, §5; RFC 5957 §4; RFC 5267 §3).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use super::search::criteria;
use super::search_return::search_return;
use crate::command::{Command, Numbers, Search, Sort, SortCriterion, SortKey};
use crate::limits::SORT_CRITERIA;

/// `sort = "SORT" [SP "RETURN" SP search-return-opts] SP sort-criteria SP search-criteria`,
/// `sort-criteria = "(" sort-criterion *(SP sort-criterion) ")"`
pub(super) fn arguments(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Command> {
    cursor.space()?;
    let (returns, update_items) = search_return(cursor)?;
    let sorted_by = cursor.filled_list(criterion)?;
    if sorted_by.len() > SORT_CRITERIA {
        return Err(Trouble::bad("There are too many sort criteria"));
    }
    cursor.space()?;
    Ok(Command::Sort(Sort {
        returns,
        criteria: sorted_by,
        search: Search {
            update_items,
            ..criteria(cursor, numbers)?
        },
    }))
}

/// `sort-criterion = ["REVERSE" SP] sort-key`, `sort-key = "ARRIVAL" / "CC" / "DATE" / "FROM" / "SIZE" / "SUBJECT" / "TO"`,
/// `sort-key =/ "DISPLAYFROM" / "DISPLAYTO"`
fn criterion(cursor: &mut Cursor<'_>) -> Parsed<SortCriterion> {
    let reverse = cursor.eat_word("REVERSE");
    if reverse {
        cursor.space()?;
    }
    let key = match cursor.word()?.as_str() {
        "ARRIVAL" => SortKey::Arrival,
        "CC" => SortKey::Cc,
        "DATE" => SortKey::Date,
        "DISPLAYFROM" => SortKey::DisplayFrom,
        "DISPLAYTO" => SortKey::DisplayTo,
        "FROM" => SortKey::From,
        "SIZE" => SortKey::Size,
        "SUBJECT" => SortKey::Subject,
        "TO" => SortKey::To,
        _ => return Err(Trouble::bad("Unknown sort key")),
    };
    Ok(SortCriterion { reverse, key })
}
