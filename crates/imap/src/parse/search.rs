//! SEARCH and UID SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 5032, RFC 5182, RFC 5466, RFC 7162 §3.1.5, RFC 8474 §6, RFC 8514, RFC 9394).

use std::num::NonZeroU32;

use mail::decode::charset::Charset;

use super::Trouble;
use super::common::{date, field_name, keyword, object_id, sequence_set};
use super::cursor::{Cursor, Parsed};
use super::filter;
use super::search_return::search_return;
use crate::command::{Command, Numbers, Search, SearchKey};
use crate::flag::Flag;
use crate::out::Code;
use crate::set::{Bound, SequenceSet};

/// `search = "SEARCH" [SP "RETURN" SP search-return-opts] SP search-program`,
/// `search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)` (RFC 9051 §9)
///
/// Without CHARSET texts are read as UTF-8.
pub(super) fn arguments(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Command> {
    cursor.space()?;
    program(cursor, numbers).map(Command::Search)
}

/// `["RETURN" SP search-return-opts SP] search-program`
pub(super) fn program(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Search> {
    let (returns, update_items) = search_return(cursor)?;
    let mut texts = Charset::Utf8;
    if cursor.eat_word("CHARSET") {
        // RFC 9755 §3: once UTF-8 is agreed on there is nothing to name.
        if cursor.mode().utf8 {
            return Err(Trouble::bad("CHARSET has no place after UTF8=ACCEPT"));
        }
        cursor.space()?;
        texts = charset(cursor)?;
        cursor.space()?;
    }
    let keys = keys(cursor, texts)?;
    Ok(Search {
        numbers,
        returns,
        keys,
        update_items,
    })
}

/// `search-criteria = charset 1*(SP search-key)` (RFC 5256 §5): of SORT and THREAD, where the charset must be said.
pub(super) fn criteria(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Search> {
    let texts = charset(cursor)?;
    cursor.space()?;
    let keys = keys(cursor, texts)?;
    Ok(Search {
        numbers,
        returns: None,
        keys,
        update_items: Vec::new(),
    })
}

/// UIDs from here to there: `"UIDAFTER" SP uniqueid`, `"UIDBEFORE" SP uniqueid` (RFC 9738 §3.2). Without an end, none.
fn uids(first: Option<NonZeroU32>, last: Option<NonZeroU32>) -> SearchKey {
    let range = first.zip(last);
    let set =
        range.and_then(|(first, last)| SequenceSet::new(vec![(Bound::Number(first), Bound::Number(last))]));
    set.map_or_else(|| SearchKey::Not(Box::new(SearchKey::All)), SearchKey::Uid)
}

/// `charset = atom / quoted`. An unknown one is NO, not BAD (RFC 3501 §6.4.4).
fn charset(cursor: &mut Cursor<'_>) -> Parsed<Charset> {
    let name = cursor.astring()?;
    Charset::named(&name).ok_or(Trouble::no(Code::BadCharset, "That charset is not known here"))
}

/// `search-key *(SP search-key)`
pub(super) fn keys(cursor: &mut Cursor<'_>, texts: Charset) -> Parsed<Vec<SearchKey>> {
    let mut keys = vec![key(cursor, texts)?];
    while cursor.more() {
        keys.push(key(cursor, texts)?);
    }
    Ok(keys)
}

/// `search-key = "ALL" / "ANSWERED" / "BCC" SP astring / … / sequence-set / "(" search-key *(SP search-key) ")"`
fn key(cursor: &mut Cursor<'_>, texts: Charset) -> Parsed<SearchKey> {
    cursor.deeper(|cursor| match cursor.peek() {
        Some(b'(') => cursor
            .filled_list(|cursor| key(cursor, texts))
            .map(SearchKey::And),
        Some(b'*' | b'$' | b'0'..=b'9') => sequence_set(cursor).map(SearchKey::Sequence),
        _ => {
            let name = cursor.word()?;
            match flag_key(&name) {
                Some(key) => Ok(key),
                None => key_with_argument(&name, cursor, texts),
            }
        }
    })
}

fn flag_key(name: &str) -> Option<SearchKey> {
    Some(match name {
        "ALL" => SearchKey::All,
        "ANSWERED" => SearchKey::Has(Flag::Answered),
        "DELETED" => SearchKey::Has(Flag::Deleted),
        "DRAFT" => SearchKey::Has(Flag::Draft),
        "FLAGGED" => SearchKey::Has(Flag::Flagged),
        "SEEN" => SearchKey::Has(Flag::Seen),
        "UNANSWERED" => SearchKey::HasNot(Flag::Answered),
        "UNDELETED" => SearchKey::HasNot(Flag::Deleted),
        "UNDRAFT" => SearchKey::HasNot(Flag::Draft),
        "UNFLAGGED" => SearchKey::HasNot(Flag::Flagged),
        "UNSEEN" => SearchKey::HasNot(Flag::Seen),
        "NEW" => SearchKey::New,
        "OLD" => SearchKey::Old,
        "RECENT" => SearchKey::Recent,
        "SAVEDATESUPPORTED" => SearchKey::SaveDateSupported,
        _ => return None,
    })
}

fn key_with_argument(name: &str, cursor: &mut Cursor<'_>, texts: Charset) -> Parsed<SearchKey> {
    let argument = argument_of(name).ok_or(Trouble::bad("Unknown search key"))?;
    cursor.space()?;
    argument(cursor, texts)
}

type Argument = fn(&mut Cursor<'_>, Charset) -> Parsed<SearchKey>;

fn argument_of(name: &str) -> Option<Argument> {
    Some(match name {
        "BCC" => |cursor, texts| in_header("Bcc", cursor, texts),
        "CC" => |cursor, texts| in_header("Cc", cursor, texts),
        "FROM" => |cursor, texts| in_header("From", cursor, texts),
        "SUBJECT" => |cursor, texts| in_header("Subject", cursor, texts),
        "TO" => |cursor, texts| in_header("To", cursor, texts),
        "HEADER" => header,
        "BODY" => |cursor, texts| text(cursor, texts).map(SearchKey::Body),
        "TEXT" => |cursor, texts| text(cursor, texts).map(SearchKey::Text),
        "NOT" => |cursor, texts| Ok(SearchKey::Not(Box::new(key(cursor, texts)?))),
        "OR" => either,
        _ => return plain_argument_of(name),
    })
}

/// Keys whose argument is no text.
fn plain_argument_of(name: &str) -> Option<Argument> {
    Some(match name {
        "BEFORE" => |cursor, _| date(cursor).map(SearchKey::Before),
        "ON" => |cursor, _| date(cursor).map(SearchKey::On),
        "SINCE" => |cursor, _| date(cursor).map(SearchKey::Since),
        "SENTBEFORE" => |cursor, _| date(cursor).map(SearchKey::SentBefore),
        "SENTON" => |cursor, _| date(cursor).map(SearchKey::SentOn),
        "SENTSINCE" => |cursor, _| date(cursor).map(SearchKey::SentSince),
        "SAVEDBEFORE" => |cursor, _| date(cursor).map(SearchKey::SavedBefore),
        "SAVEDON" => |cursor, _| date(cursor).map(SearchKey::SavedOn),
        "SAVEDSINCE" => |cursor, _| date(cursor).map(SearchKey::SavedSince),
        "KEYWORD" => |cursor, _| keyword(cursor).map(SearchKey::Has),
        "UNKEYWORD" => |cursor, _| keyword(cursor).map(SearchKey::HasNot),
        "LARGER" => |cursor, _| cursor.number64().map(SearchKey::Larger),
        "SMALLER" => |cursor, _| cursor.number64().map(SearchKey::Smaller),
        "OLDER" => |cursor, _| cursor.nonzero().map(SearchKey::Older),
        "YOUNGER" => |cursor, _| cursor.nonzero().map(SearchKey::Younger),
        "UID" => |cursor, _| sequence_set(cursor).map(SearchKey::Uid),
        "UIDAFTER" => |cursor, _| Ok(uids(cursor.nonzero()?.checked_add(1), NonZeroU32::new(u32::MAX))),
        "UIDBEFORE" => |cursor, _| {
            let before = NonZeroU32::new(cursor.nonzero()?.get() - 1);
            Ok(uids(before.and(NonZeroU32::new(1)), before))
        },
        "MODSEQ" => |cursor, _| modseq(cursor),
        "EMAILID" => |cursor, _| object_id(cursor).map(SearchKey::EmailId),
        "THREADID" => |cursor, _| object_id(cursor).map(SearchKey::ThreadId),
        "FILTER" => |cursor, texts| filter::name(cursor, texts).map(SearchKey::Filter),
        _ => return None,
    })
}

/// `astring` in the charset of the command.
fn text(cursor: &mut Cursor<'_>, texts: Charset) -> Parsed<String> {
    let octets = cursor.astring()?;
    texts
        .decode(&octets)
        .ok_or(Trouble::bad("A text is not in the charset of the command"))
}

fn in_header(name: &str, cursor: &mut Cursor<'_>, texts: Charset) -> Parsed<SearchKey> {
    Ok(SearchKey::Header(name.to_owned(), text(cursor, texts)?))
}

/// `"HEADER" SP header-fld-name SP astring`
fn header(cursor: &mut Cursor<'_>, texts: Charset) -> Parsed<SearchKey> {
    let name = field_name(cursor)?;
    cursor.space()?;
    Ok(SearchKey::Header(name, text(cursor, texts)?))
}

/// `"OR" SP search-key SP search-key`
fn either(cursor: &mut Cursor<'_>, texts: Charset) -> Parsed<SearchKey> {
    let one = key(cursor, texts)?;
    cursor.space()?;
    let other = key(cursor, texts)?;
    Ok(SearchKey::Or(Box::new(one), Box::new(other)))
}

/// `"MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer`, `entry-name = DQUOTE "/flags/" attr-flag DQUOTE`,
/// `entry-type-req = "priv" / "shared" / "all"` (RFC 7162 §7). One mod-sequence per message: the entry makes no difference
/// (RFC 7162 §3.1.5 allows that).
fn modseq(cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
    if cursor.peek() == Some(b'"') {
        let entry = cursor.string()?;
        if !entry
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"/flags/"))
        {
            return Err(Trouble::bad("Unknown metadata entry"));
        }
        cursor.space()?;
        if !["priv", "shared", "all"].iter().any(|kind| cursor.eat_word(kind)) {
            return Err(Trouble::bad("Unknown metadata entry type"));
        }
        cursor.space()?;
    }
    cursor.number64().map(SearchKey::ModSeq)
}
