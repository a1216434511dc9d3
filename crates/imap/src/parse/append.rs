//! APPEND (RFC 3501 §6.3.11, RFC 3516 §4.4).

use super::Trouble;
use super::common::{date_time, flag_list};
use super::cursor::{Cursor, Parsed};
use crate::command::{Append, Command};
use crate::frame::announced;

/// `append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal`, where the literal may be `literal8`
///
/// The frame ends with the announcement; the octets come by the framer. A frame read before sign-in has them too.
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mailbox = cursor.mailbox()?;
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
    let (size_bytes, binary) = announcement(cursor)?;
    Ok(Command::Append(Append {
        mailbox,
        flags,
        date,
        size_bytes,
        binary,
    }))
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
