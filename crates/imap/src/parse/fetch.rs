//! FETCH and UID FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4, §3.2.6, RFC 8474 §5, RFC 9394 §3.3).

use super::Trouble;
use super::common::{item_name, sequence_set};
use super::cursor::{Cursor, Parsed};
use super::search_return::partial_range;
use super::section;
use crate::command::{Command, Fetch, FetchItem, FetchSection, Numbers, PartialRange};
use crate::limits;

/// `fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
/// [SP "(" fetch-modifier *(SP fetch-modifier) ")"]`
pub(super) fn arguments(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Command> {
    cursor.space()?;
    let set = sequence_set(cursor)?;
    cursor.space()?;
    let items = items(cursor)?;
    let modifiers = if cursor.more() {
        cursor.filled_list(modifier)?
    } else {
        Vec::new()
    };
    let mut fetch = Fetch {
        numbers,
        set,
        items,
        changed_since: None,
        vanished: false,
        partial: None,
    };
    for modifier in modifiers {
        match modifier {
            Modifier::ChangedSince(modseq) => fetch.changed_since = Some(modseq),
            Modifier::Vanished => fetch.vanished = true,
            Modifier::Partial(range) => fetch.partial = Some(range),
        }
    }
    check(&fetch)?;
    Ok(Command::Fetch(fetch))
}

enum Modifier {
    ChangedSince(u64),
    Vanished,
    Partial(PartialRange),
}

/// RFC 7162 §3.2.6: VANISHED only with UID FETCH and CHANGEDSINCE. RFC 9394 §3.3: PARTIAL only with UID FETCH.
fn check(fetch: &Fetch) -> Parsed<()> {
    if fetch.vanished && (fetch.numbers == Numbers::Sequence || fetch.changed_since.is_none()) {
        return Err(Trouble::bad("VANISHED belongs to UID FETCH with CHANGEDSINCE"));
    }
    if fetch.partial.is_some() && fetch.numbers == Numbers::Sequence {
        return Err(Trouble::bad("PARTIAL belongs to UID FETCH"));
    }
    Ok(())
}

fn items(cursor: &mut Cursor<'_>) -> Parsed<Vec<FetchItem>> {
    for (name, items) in MACROS {
        if cursor.eat_word(name) {
            return Ok(items.to_vec());
        }
    }
    if cursor.peek() == Some(b'(') {
        attributes(cursor)
    } else {
        Ok(vec![item(cursor)?])
    }
}

/// `"(" fetch-att *(SP fetch-att) ")"`
pub(super) fn attributes(cursor: &mut Cursor<'_>) -> Parsed<Vec<FetchItem>> {
    cursor.filled_list(item).and_then(each_once)
}

/// An item asked twice is told once, and there is an end to asking: an item may be the whole message.
fn each_once(asked: Vec<FetchItem>) -> Parsed<Vec<FetchItem>> {
    if asked.len() > limits::FETCH_ITEMS {
        return Err(Trouble::bad("Too many FETCH items"));
    }
    let mut items = Vec::with_capacity(asked.len());
    for item in asked {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    let decodes = |item: &&FetchItem| matches!(item, FetchItem::Binary(_));
    if items.iter().filter(decodes).count() > limits::FETCH_BINARIES {
        return Err(Trouble::bad(
            "Too many BINARY items; ask for at most 16 in one FETCH",
        ));
    }
    Ok(items)
}

/// RFC 3501 §6.4.5: macros stand alone, not in a list.
const MACROS: [(&str, &[FetchItem]); 3] = [
    (
        "FAST",
        &[FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size],
    ),
    (
        "ALL",
        &[
            FetchItem::Flags,
            FetchItem::InternalDate,
            FetchItem::Rfc822Size,
            FetchItem::Envelope,
        ],
    ),
    (
        "FULL",
        &[
            FetchItem::Flags,
            FetchItem::InternalDate,
            FetchItem::Rfc822Size,
            FetchItem::Envelope,
            FetchItem::Body,
        ],
    ),
];

/// `fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] / "BODY" ["STRUCTURE"] / "UID" /
/// "BODY" section ["<" number "." nz-number ">"] / "BODY.PEEK" section ["<" number "." nz-number ">"]`, and `"MODSEQ" / "EMAILID" /
/// "THREADID" / "SAVEDATE"`, `"BINARY" [".PEEK"] section-binary [partial] / "BINARY.SIZE" section-binary` (RFC 3516 §7)
fn item(cursor: &mut Cursor<'_>) -> Parsed<FetchItem> {
    let name = item_name(cursor)?;
    let sectioned = cursor.peek() == Some(b'[');
    match (name.as_str(), sectioned) {
        ("BODY" | "BODY.PEEK", true) => {
            let (section, partial) = section::section_and_partial(cursor)?;
            Ok(FetchItem::Section(FetchSection {
                peek: name.ends_with("PEEK"),
                section,
                partial,
            }))
        }
        ("BINARY" | "BINARY.PEEK", true) => {
            let (section, partial) = section::section_and_partial(cursor)?;
            Ok(FetchItem::Binary(FetchSection {
                peek: name.ends_with("PEEK"),
                section: section::of_part(section)?,
                partial,
            }))
        }
        ("BINARY.SIZE", true) => Ok(FetchItem::BinarySize(section::of_part(section::section(
            cursor,
        )?)?)),
        ("PREVIEW", false) => preview(cursor),
        (name, false) => plain_item(name).ok_or(Trouble::bad("Unknown FETCH item")),
        _ => Err(Trouble::bad("Unknown FETCH item")),
    }
}

/// `"PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"]`, `preview-mod = "LAZY"` (RFC 8970 §4)
fn preview(cursor: &mut Cursor<'_>) -> Parsed<FetchItem> {
    // Without a list around the items, a list behind PREVIEW may be that of the FETCH modifiers.
    let lazy = cursor
        .rest()
        .get(..6)
        .is_some_and(|next| next.eq_ignore_ascii_case(b" (LAZY"));
    if lazy {
        cursor.space()?;
        let modifier = |cursor: &mut Cursor<'_>| match cursor.eat_word("LAZY") {
            true => Ok(()),
            false => Err(Trouble::bad("Unknown modifier of PREVIEW")),
        };
        cursor.filled_list(modifier)?;
    }
    Ok(FetchItem::Preview)
}

fn plain_item(name: &str) -> Option<FetchItem> {
    Some(match name {
        "ENVELOPE" => FetchItem::Envelope,
        "FLAGS" => FetchItem::Flags,
        "INTERNALDATE" => FetchItem::InternalDate,
        "RFC822" => FetchItem::Rfc822,
        "RFC822.HEADER" => FetchItem::Rfc822Header,
        "RFC822.SIZE" => FetchItem::Rfc822Size,
        "RFC822.TEXT" => FetchItem::Rfc822Text,
        "BODY" => FetchItem::Body,
        "BODYSTRUCTURE" => FetchItem::BodyStructure,
        "UID" => FetchItem::Uid,
        "MODSEQ" => FetchItem::ModSeq,
        "EMAILID" => FetchItem::EmailId,
        "THREADID" => FetchItem::ThreadId,
        "SAVEDATE" => FetchItem::SaveDate,
        _ => return None,
    })
}

/// `fetch-modifier = "CHANGEDSINCE" SP mod-sequence-value / "VANISHED" / "PARTIAL" SP partial-range` (RFC 7162 §7, RFC 9394 §4)
fn modifier(cursor: &mut Cursor<'_>) -> Parsed<Modifier> {
    cursor.token()?;
    if cursor.eat_word("VANISHED") {
        return Ok(Modifier::Vanished);
    }
    if cursor.eat_word("PARTIAL") {
        cursor.space()?;
        return partial_range(cursor).map(Modifier::Partial);
    }
    if !cursor.eat_word("CHANGEDSINCE") {
        return Err(Trouble::bad("Unknown FETCH modifier"));
    }
    cursor.space()?;
    cursor.number64().map(Modifier::ChangedSince)
}
