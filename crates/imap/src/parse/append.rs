//! APPEND (RFC 3501 §6.3.11, RFC 3502, RFC 3516 §4.4, RFC 6855 §4) and REPLACE (RFC 8508).

use super::common::{bound, date_time, flag_list};
use super::cursor::{Cursor, Parsed};
use super::{Fault, Trouble};
use crate::command::{Append, Command, Numbers, Replace, Tag};
use crate::frame::announced;
use crate::mode::Mode;
use crate::name::MailboxName;
use crate::set::{Bound, SequenceSet};

/// `append = "APPEND" SP mailbox 1*append-message` (RFC 3502 §6.3.11)
///
/// The frame ends with the announcement of the first message; the octets come by the framer, and the others one by one
/// ([`another`]). A frame read before sign-in has them all.
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    Ok(Command::Append(message(cursor, mailbox)?))
}

/// `replace = "REPLACE" SP seq-number SP mailbox append-message`, `uid-replace = "UID" SP "REPLACE" SP uniqueid SP …`
pub(super) fn replace_arguments(cursor: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Command> {
    cursor.space()?;
    let number = bound(cursor)?;
    if numbers == Numbers::Uid && number == Bound::Largest {
        return Err(Trouble::bad("A UID is missing"));
    }
    let set = SequenceSet::new(vec![(number, number)]).ok_or(Trouble::bad("A message number is missing"))?;
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
    let append = message(cursor, mailbox)?;
    Ok(Command::Replace(Replace { numbers, set, append }))
}

/// The line between two messages of one APPEND, from the space behind the first to the announcement of the next.
///
/// # Errors
/// [`Fault`], with the tag of the command, says what to answer.
pub fn another_message(line: &[u8], mode: Mode, tag: &Tag, mailbox: &MailboxName) -> Result<Append, Fault> {
    let mut cursor = Cursor::new(line, mode);
    message(&mut cursor, mailbox.clone()).map_err(|Trouble { is_no, code, text }| Fault {
        tag: Some(tag.clone()),
        is_no,
        code,
        text,
    })
}

/// `append-message = append-opts SP append-data`, `append-opts = [SP flag-list] [SP date-time]`,
/// `append-data = literal / literal8 / "UTF8" SP "(" literal8 ")"`
fn message(cursor: &mut Cursor<'_>, mailbox: MailboxName) -> Parsed<Append> {
    cursor.space()?;
    let flags = if cursor.peek() == Some(b'(') {
        let flags = flag_list(cursor)?;
        cursor.space()?;
        flags
    } else {
        Vec::new()
    };
    let date = if cursor.peek() == Some(b'"') {
        let date = date_time(cursor)?;
        cursor.space()?;
        Some(date)
    } else {
        None
    };
    // RFC 9755 has no need of it any more; clients of RFC 6855 still write it.
    let in_utf8 = cursor.eat_word("UTF8");
    if in_utf8 {
        cursor.space()?;
        cursor.need(b'(', "UTF8 has its message in parentheses")?;
    }
    let (size_bytes, binary) = announcement(cursor)?;
    if in_utf8 && !binary {
        return Err(Trouble::bad("UTF8 takes a literal8, ~{...}"));
    }
    Ok(Append {
        mailbox,
        flags,
        date,
        size_bytes,
        // In UTF8 (…) the octets are text: NUL stays forbidden.
        binary: binary && !in_utf8,
    })
}

fn announcement(cursor: &mut Cursor<'_>) -> Parsed<(u64, bool)> {
    let missing = Trouble::bad("The message of APPEND is missing");
    let line_end = memchr::memmem::find(cursor.rest(), b"\r\n").ok_or(missing.clone())?;
    let header = &cursor.rest()[..line_end];
    let inside = header.strip_prefix(b"~").unwrap_or(header);
    let whole = inside
        .iter()
        .skip(1)
        .all(|&byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'}'));
    match announced(header) {
        Some(Ok(announced)) if whole && inside.starts_with(b"{") => {
            Ok((announced.size_bytes, announced.binary))
        }
        _ => Err(missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::request;

    fn command(text: &str) -> Option<Command> {
        request(format!("a {text}\r\n").as_bytes())
            .ok()
            .map(|request| request.command)
    }

    #[test]
    fn replace_names_one_message() {
        let Some(Command::Replace(replace)) = command("UID REPLACE 7 Drafts (\\Seen) {300}") else {
            panic!("a command")
        };
        assert_eq!(replace.numbers, Numbers::Uid);
        assert_eq!((replace.append.size_bytes, replace.append.flags.len()), (300, 1));
        assert!(command("REPLACE * Drafts {3+}").is_some());
        for bad in [
            "REPLACE 1:2 Drafts {3}",
            "REPLACE 1,2 Drafts {3}",
            "REPLACE 0 Drafts {3}",
            "UID REPLACE * Drafts {3}",
            "REPLACE 1 {3}",
            "REPLACE 1 Drafts",
        ] {
            assert_eq!(command(bad), None, "{bad}");
        }
    }

    #[test]
    fn utf8_messages_stand_in_parentheses() {
        let Some(Command::Append(append)) = command("APPEND Drafts UTF8 (~{300+}") else {
            panic!("a command")
        };
        assert!(append.size_bytes == 300 && !append.binary);
        assert_eq!(command("APPEND Drafts UTF8 ({300}"), None);
        assert_eq!(command("APPEND Drafts UTF8 ~{300}"), None);
    }

    #[test]
    fn further_messages_are_read_from_their_line() {
        let tag = Tag::new(b"a").unwrap();
        let read = |line: &[u8]| another_message(line, Mode::default(), &tag, &MailboxName::inbox());
        let append = read(b" (\\Flagged) \" 1-Jan-2020 00:00:00 +0000\" {12}\r\n").unwrap();
        assert!(append.mailbox.is_inbox() && append.date.is_some() && append.size_bytes == 12);
        assert!(read(b" {12}\r\n").is_ok() && read(b" ~{12+}\r\n").unwrap().binary);
        for bad in [&b" (\\Bogus) {12}\r\n"[..], b"{12}\r\n", b" x {12}\r\n", b" \r\n"] {
            assert_eq!(
                read(bad).unwrap_err().tag,
                Some(tag.clone()),
                "{}",
                bad.escape_ascii()
            );
        }
    }
}
