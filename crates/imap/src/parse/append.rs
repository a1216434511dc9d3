//! APPEND (RFC 3501 §6.3.11, RFC 3502, RFC 3516 §4.4, RFC 4469, RFC 6855 §4) and REPLACE (RFC 8508).

use super::common::{bound, date_time, flag_list};
use super::cursor::{Cursor, Parsed};
use super::{Fault, Trouble};
use crate::command::{Append, Begin, Command, Numbers, Piece, Replace, Tag};
use crate::frame::announced;
use crate::mode::Mode;
use crate::set::{Bound, SequenceSet};

/// `append = "APPEND" SP mailbox 1*append-message` (RFC 3502 §6.3.11)
///
/// The frame ends with the announcement of the first octets that are a message or a part of one; they come by the framer, and what is
/// behind them line by line ([`further_messages`]). A frame read before sign-in has them all.
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    Ok(Command::Append(append(cursor)?))
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
    let append = append(cursor)?;
    Ok(Command::Replace(Replace { numbers, set, append }))
}

fn append(cursor: &mut Cursor<'_>) -> Parsed<Append> {
    let mailbox = cursor.mailbox()?;
    let mut pieces = Vec::new();
    messages(cursor, &mut pieces)?;
    Ok(Append { mailbox, pieces })
}

/// A line of APPEND behind octets of a message, up to the next announcement or the end of the command. `is_open`: the octets were a
/// part of a catenated message ([`crate::command::is_open_after`]).
///
/// # Errors
/// [`Fault`], with the tag of the command, says what to answer.
pub fn further_messages(line: &[u8], mode: Mode, tag: &Tag, is_open: bool) -> Result<Vec<Piece>, Fault> {
    let mut cursor = Cursor::new(line, mode);
    let mut pieces = Vec::new();
    let read = if is_open {
        parts(&mut cursor, &mut pieces, false).and_then(|ends| match ends {
            true if cursor.end().is_err() => messages(&mut cursor, &mut pieces),
            _ => Ok(()),
        })
    } else {
        messages(&mut cursor, &mut pieces)
    };
    match read {
        Ok(()) => Ok(pieces),
        Err(Trouble { is_no, code, text }) => Err(Fault {
            tag: Some(tag.clone()),
            is_no,
            code,
            text,
        }),
    }
}

/// `1*append-message`, `append-message = append-opts SP append-data`, `append-opts = [SP flag-list] [SP date-time]`,
/// `append-data = literal / literal8 / "UTF8" SP "(" literal8 ")" / "CATENATE" SP "(" cat-part *(SP cat-part) ")"`
///
/// Ends behind the line's end, or before octets that were announced.
fn messages(cursor: &mut Cursor<'_>, pieces: &mut Vec<Piece>) -> Parsed<()> {
    loop {
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
        let catenated = cursor.eat_word("CATENATE");
        pieces.push(Piece::Begin(Begin {
            flags,
            date,
            catenated,
        }));
        if !catenated {
            pieces.push(message(cursor)?);
            return Ok(());
        }
        cursor.space()?;
        cursor.need(b'(', "CATENATE has its parts in parentheses")?;
        if !parts(cursor, pieces, true)? || cursor.end().is_ok() {
            return Ok(());
        }
    }
}

/// The octets of a message that is not catenated.
fn message(cursor: &mut Cursor<'_>) -> Parsed<Piece> {
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
    // In UTF8 (…) the octets are text: NUL stays forbidden.
    let binary = binary && !in_utf8;
    Ok(Piece::Octets { size_bytes, binary })
}

/// `cat-part *(SP cat-part) ")"`, `cat-part = "TEXT" SP (literal / literal8) / "URL" SP astring` (RFC 4469 §5)
///
/// Whether the message ends in this line; if not, octets of a part are announced here.
fn parts(cursor: &mut Cursor<'_>, pieces: &mut Vec<Piece>, mut first: bool) -> Parsed<bool> {
    loop {
        if !first {
            if cursor.eat(b')') {
                pieces.push(Piece::End);
                return Ok(true);
            }
            cursor.space()?;
        }
        first = false;
        if cursor.eat_word("URL") {
            cursor.space()?;
            pieces.push(Piece::Url(cursor.astring()?.into_owned()));
        } else if cursor.eat_word("TEXT") {
            cursor.space()?;
            let (size_bytes, binary) = announcement(cursor)?;
            pieces.push(Piece::Octets { size_bytes, binary });
            return Ok(false);
        } else {
            return Err(Trouble::bad(
                "A part of CATENATE is TEXT and a literal, or URL and a URL",
            ));
        }
    }
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
    use crate::flag::Flag;
    use crate::parse::tests::command;

    #[test]
    fn replace_names_one_message() {
        let Some(Command::Replace(replace)) = command("UID REPLACE 7 Drafts (\\Seen) {300}") else {
            panic!("a command")
        };
        assert_eq!(replace.numbers, Numbers::Uid);
        assert_eq!(replace.append.pieces, [begin(&[Flag::Seen]), octets(300, false)]);
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
        assert_eq!(append.pieces[1], octets(300, false));
        assert_eq!(command("APPEND Drafts UTF8 ({300}"), None);
        assert_eq!(command("APPEND Drafts UTF8 ~{300}"), None);
    }

    #[test]
    fn further_messages_are_read_from_their_line() {
        let tag = Tag::new(b"a").unwrap();
        let read = |line: &[u8]| further_messages(line, Mode::default(), &tag, false);
        let pieces = read(b" (\\Flagged) \" 1-Jan-2020 00:00:00 +0000\" {12}\r\n").unwrap();
        assert!(matches!(&pieces[0], Piece::Begin(begin) if begin.date.is_some()));
        assert_eq!(pieces[1], octets(12, false));
        assert!(read(b" {12}\r\n").is_ok());
        assert_eq!(read(b" ~{12+}\r\n").unwrap()[1], octets(12, true));
        for bad in [
            &b" (\\Bogus) {12}\r\n"[..],
            b"{12}\r\n",
            b" x {12}\r\n",
            b" \r\n",
            b"\r\n",
            b")\r\n",
        ] {
            assert_eq!(
                read(bad).unwrap_err().tag,
                Some(tag.clone()),
                "{}",
                bad.escape_ascii()
            );
        }
    }

    /// RFC 4469 §5.
    #[test]
    fn catenated_messages_have_parts() {
        let Some(Command::Append(append)) =
            command("APPEND Drafts (\\Seen) CATENATE (URL \"/Drafts/;UID=20/;SECTION=HEADER\" TEXT {42}")
        else {
            panic!("a command")
        };
        let url = |text: &str| Piece::Url(text.as_bytes().to_vec());
        let begins = |flags: &[Flag]| match begin(flags) {
            Piece::Begin(begin) => Piece::Begin(Begin {
                catenated: true,
                ..begin
            }),
            other => other,
        };
        assert_eq!(
            append.pieces,
            [
                begins(&[Flag::Seen]),
                url("/Drafts/;UID=20/;SECTION=HEADER"),
                octets(42, false)
            ]
        );
        let tag = Tag::new(b"a").unwrap();
        let further = |line: &str, is_open| further_messages(line.as_bytes(), Mode::default(), &tag, is_open);
        assert_eq!(
            further(" URL {3}\r\n/a; text ~{2+}\r\n", true),
            Ok(vec![url("/a;"), octets(2, true)])
        );
        assert_eq!(further(")\r\n", true), Ok(vec![Piece::End]));
        assert_eq!(
            further(" URL a) CATENATE (url b) () {5}\r\n", true),
            Ok(vec![
                url("a"),
                Piece::End,
                begins(&[]),
                url("b"),
                Piece::End,
                begin(&[]),
                octets(5, false)
            ])
        );
        let whole = command("REPLACE 3 Drafts CATENATE (URL a URL b)");
        assert!(matches!(whole, Some(Command::Replace(replace)) if replace.append.pieces.len() == 4));
        for bad in [
            "APPEND a CATENATE",
            "APPEND a CATENATE ()",
            "APPEND a CATENATE (URL)",
            "APPEND a CATENATE (TEXT abc)",
            "APPEND a CATENATE (TEXT \"abc\")",
            "APPEND a CATENATE (URL a",
            "APPEND a CATENATE (URL a) x",
            "APPEND a CATENATE (URL a)URL b)",
            "APPEND a CATENATE (BOGUS a)",
            "APPEND a CATENATE {3}",
            "APPEND a CATENATE ({3}",
        ] {
            assert_eq!(command(bad), None, "{bad}");
        }
        for (bad, is_open) in [
            ("\r\n", true),
            (" ()\r\n", true),
            (") x\r\n", true),
            (" URL a)\r\n", false),
        ] {
            assert!(further(bad, is_open).is_err(), "{bad}");
        }
    }

    fn begin(flags: &[Flag]) -> Piece {
        Piece::Begin(Begin {
            flags: flags.to_vec(),
            date: None,
            catenated: false,
        })
    }

    fn octets(size_bytes: u64, binary: bool) -> Piece {
        Piece::Octets { size_bytes, binary }
    }
}
