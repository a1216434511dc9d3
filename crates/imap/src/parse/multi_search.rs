//! ESEARCH (RFC 7377 §2): SEARCH in several mailboxes.

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use super::search::program;
use crate::command::{Command, MultiSearch, Numbers, Returns, Source};
use crate::limits::SEARCH_SOURCES;
use crate::name::MailboxName;

/// `esearch = "ESEARCH" [SP "IN" SP "(" source-mbox [SP "(" scope-options ")"] ")"] [SP search-return-opts] SP search-program`,
/// `source-mbox = filter-mailboxes *(SP filter-mailboxes)`
///
/// No scope option exists, so none is taken. Without IN the open mailbox is meant, without RETURN all is told.
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mut sources = vec![Source::Selected];
    if cursor.eat_word("IN") {
        cursor.space()?;
        sources = cursor.filled_list(source)?;
        cursor.space()?;
    }
    let names = sources.iter().map(names_in).sum::<usize>();
    if sources.len() > SEARCH_SOURCES || names > SEARCH_SOURCES {
        return Err(Trouble::bad(
            "There are too many mailboxes; ask in several commands",
        ));
    }
    let mut search = program(cursor, Numbers::Uid)?;
    let returns = *search.returns.get_or_insert(Returns::ALL);
    let asked = MultiSearch { sources, search };
    let selected_only = returns.save || asked.search.keys.iter().any(|key| key.is_of_selected());
    if selected_only && !asked.only_selected() {
        return Err(Trouble::bad(
            "Sequence numbers and saved results belong to the open mailbox: ask IN (selected)",
        ));
    }
    Ok(Command::MultiSearch(asked))
}

/// `filter-mailboxes = "selected" / "inboxes" / "personal" / "subscribed" / ("subtree" / "subtree-one" / "mailboxes")
/// SP one-or-more-mailbox` (RFC 5465 §8, RFC 7377 §5)
pub(super) fn source(cursor: &mut Cursor<'_>) -> Parsed<Source> {
    let named: fn(Vec<MailboxName>) -> Source = match cursor.word()?.as_str() {
        "SELECTED" => return Ok(Source::Selected),
        "INBOXES" => return Ok(Source::Inboxes),
        "PERSONAL" => return Ok(Source::Personal),
        "SUBSCRIBED" => return Ok(Source::Subscribed),
        "SUBTREE" => Source::Subtree,
        "SUBTREE-ONE" => Source::SubtreeOne,
        "MAILBOXES" => Source::Mailboxes,
        _ => return Err(Trouble::bad("Unknown source of a search")),
    };
    cursor.space()?;
    one_or_more(cursor).map(named)
}

/// `one-or-more-mailbox = mailbox / many-mailboxes`, `many-mailboxes = "(" mailbox *(SP mailbox) ")"`
fn one_or_more(cursor: &mut Cursor<'_>) -> Parsed<Vec<MailboxName>> {
    if cursor.peek() == Some(b'(') {
        cursor.filled_list(Cursor::mailbox)
    } else {
        Ok(vec![cursor.mailbox()?])
    }
}

pub(super) fn names_in(source: &Source) -> usize {
    match source {
        Source::Subtree(names) | Source::SubtreeOne(names) | Source::Mailboxes(names) => names.len(),
        Source::Selected | Source::Inboxes | Source::Personal | Source::Subscribed => 0,
    }
}
