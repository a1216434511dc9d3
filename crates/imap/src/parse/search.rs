//! SEARCH and UID SEARCH (RFC 3501 §6.4.4, RFC 5032, RFC 7162 §3.1.5, RFC 8474 §6).

use super::Trouble;
use super::common::{date, field_name, keyword, object_id, sequence_set, utf8};
use super::cursor::{Cursor, Parsed};
use crate::command::{Command, Numbers, Search, SearchKey};
use crate::flag::Flag;
use crate::out::Code;

/// `search = "SEARCH" [SP "CHARSET" SP astring] 1*(SP search-key)`
pub(super) fn arguments(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Command> {
    cursor.space()?;
    if cursor.eat_word("CHARSET") {
        cursor.space()?;
        check_charset(&cursor.astring()?)?;
        cursor.space()?;
    }
    let mut keys = vec![key(cursor)?];
    while cursor.more() {
        keys.push(key(cursor)?);
    }
    Ok(Command::Search(Search { numbers, keys }))
}

/// RFC 3501 §6.4.4: US-ASCII must be known; an unknown one is NO. Without CHARSET, texts are read as UTF-8 all the same.
fn check_charset(name: &[u8]) -> Parsed<()> {
    let known = [&b"US-ASCII"[..], b"UTF-8"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name));
    if known {
        Ok(())
    } else {
        Err(Trouble::no(Code::BadCharset, "Texts are searched in UTF-8"))
    }
}

/// `search-key = "ALL" / "ANSWERED" / "BCC" SP astring / … / sequence-set / "(" search-key *(SP search-key) ")"`
fn key(cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
    cursor.deeper(|cursor| match cursor.peek() {
        Some(b'(') => cursor.filled_list(key).map(SearchKey::And),
        Some(b'*' | b'0'..=b'9') => sequence_set(cursor).map(SearchKey::Sequence),
        _ => {
            let name = cursor.word()?;
            match flag_key(&name) {
                Some(key) => Ok(key),
                None => key_with_argument(&name, cursor),
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
        _ => return None,
    })
}

fn key_with_argument(name: &str, cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
    let argument = argument_of(name).ok_or(Trouble::bad("Unknown search key"))?;
    cursor.space()?;
    argument(cursor)
}

type Argument = fn(&mut Cursor<'_>) -> Parsed<SearchKey>;

fn argument_of(name: &str) -> Option<Argument> {
    Some(match name {
        "BCC" => |cursor| in_header("Bcc", cursor),
        "CC" => |cursor| in_header("Cc", cursor),
        "FROM" => |cursor| in_header("From", cursor),
        "SUBJECT" => |cursor| in_header("Subject", cursor),
        "TO" => |cursor| in_header("To", cursor),
        "HEADER" => header,
        "BODY" => |cursor| text(cursor).map(SearchKey::Body),
        "TEXT" => |cursor| text(cursor).map(SearchKey::Text),
        "BEFORE" => |cursor| date(cursor).map(SearchKey::Before),
        "ON" => |cursor| date(cursor).map(SearchKey::On),
        "SINCE" => |cursor| date(cursor).map(SearchKey::Since),
        "SENTBEFORE" => |cursor| date(cursor).map(SearchKey::SentBefore),
        "SENTON" => |cursor| date(cursor).map(SearchKey::SentOn),
        "SENTSINCE" => |cursor| date(cursor).map(SearchKey::SentSince),
        "KEYWORD" => |cursor| keyword(cursor).map(SearchKey::Has),
        "UNKEYWORD" => |cursor| keyword(cursor).map(SearchKey::HasNot),
        "LARGER" => |cursor| cursor.number64().map(SearchKey::Larger),
        "SMALLER" => |cursor| cursor.number64().map(SearchKey::Smaller),
        "OLDER" => |cursor| cursor.nonzero().map(SearchKey::Older),
        "YOUNGER" => |cursor| cursor.nonzero().map(SearchKey::Younger),
        "UID" => |cursor| sequence_set(cursor).map(SearchKey::Uid),
        "NOT" => |cursor| Ok(SearchKey::Not(Box::new(key(cursor)?))),
        "OR" => either,
        "MODSEQ" => modseq,
        "EMAILID" => |cursor| object_id(cursor).map(SearchKey::EmailId),
        "THREADID" => |cursor| object_id(cursor).map(SearchKey::ThreadId),
        _ => return None,
    })
}

fn text(cursor: &mut Cursor<'_>) -> Parsed<String> {
    utf8(&cursor.astring()?)
}

fn in_header(name: &str, cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
    Ok(SearchKey::Header(name.to_owned(), text(cursor)?))
}

/// `"HEADER" SP header-fld-name SP astring`
fn header(cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
    let name = field_name(cursor)?;
    cursor.space()?;
    Ok(SearchKey::Header(name, text(cursor)?))
}

/// `"OR" SP search-key SP search-key`
fn either(cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
    let one = key(cursor)?;
    cursor.space()?;
    let other = key(cursor)?;
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
