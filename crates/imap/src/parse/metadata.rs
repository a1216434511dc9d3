//! GETMETADATA and SETMETADATA (RFC 5464 §4, §5).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use crate::command::{Command, GetMetadata, MetadataDepth, SetMetadata};
use crate::limits;
use crate::name::MailboxName;

#[derive(Default)]
struct Options {
    max_size_bytes: Option<u64>,
    depth: MetadataDepth,
}

/// `getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries`; [`quirk_options_after_mailbox`]
pub(super) fn get_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mut options = Options::default();
    if cursor.peek() == Some(b'(') {
        options = self::options(cursor)?;
        cursor.space()?;
    }
    let mailbox = mailbox_or_server(cursor)?;
    cursor.space()?;
    if quirk_options_after_mailbox(cursor) {
        options = self::options(cursor)?;
        cursor.space()?;
    }
    let entries = entries(cursor)?;
    Ok(Command::GetMetadata(GetMetadata {
        mailbox,
        entries,
        max_size_bytes: options.max_size_bytes,
        depth: options.depth,
    }))
}

/// Leniency: the examples of RFC 5464 §4.2.1 have the options behind the mailbox, its grammar has them before.
fn quirk_options_after_mailbox(cursor: &Cursor<'_>) -> bool {
    let rest = cursor.rest();
    let begins = |word: &[u8]| {
        rest.get(1..=word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    rest.starts_with(b"(") && (begins(b"MAXSIZE ") || begins(b"DEPTH "))
}

/// `getmetadata-options = "(" getmetadata-option *(SP getmetadata-option) ")"`, `maxsize-opt = "MAXSIZE" SP number`,
/// `scope-opt = "DEPTH" SP ("0" / "1" / "infinity")`
fn options(cursor: &mut Cursor<'_>) -> Parsed<Options> {
    let mut options = Options::default();
    cursor.filled_list(|cursor| {
        let name = cursor.word()?;
        cursor.space()?;
        match name.as_str() {
            "MAXSIZE" => options.max_size_bytes = Some(cursor.number64()?),
            "DEPTH" => {
                options.depth = match cursor.word()?.as_str() {
                    "0" => MetadataDepth::Exact,
                    "1" => MetadataDepth::Children,
                    "INFINITY" => MetadataDepth::Infinity,
                    _ => return Err(Trouble::bad("DEPTH is 0, 1 or infinity")),
                }
            }
            _ => return Err(Trouble::bad("Unknown GETMETADATA option")),
        }
        Ok(())
    })?;
    Ok(options)
}

/// `setmetadata = "SETMETADATA" SP mailbox SP entry-values`, `entry-values = "(" entry-value *(SP entry-value) ")"`,
/// `entry-value = entry SP value`, `value = nstring / literal8`
pub(super) fn set_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mailbox = mailbox_or_server(cursor)?;
    cursor.space()?;
    let entries = cursor.filled_list(|cursor| {
        let name = entry(cursor)?;
        cursor.space()?;
        let value = cursor.nstring_or_literal8()?;
        Ok((name, value.map(|value| value.into_owned())))
    })?;
    if entries.len() > limits::METADATA_ENTRIES {
        return Err(Trouble::bad("Too many entries"));
    }
    Ok(Command::SetMetadata(SetMetadata { mailbox, entries }))
}

/// RFC 5464 §4: the empty name is the server.
fn mailbox_or_server(cursor: &mut Cursor<'_>) -> Parsed<Option<MailboxName>> {
    let wire = cursor.astring()?;
    if wire.is_empty() {
        return Ok(None);
    }
    cursor.name(&wire).map(Some)
}

/// `entries = entry / "(" entry *(SP entry) ")"`; also the list of RETURN (METADATA …) (RFC 9590)
pub(super) fn entries(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    let entries = if cursor.peek() == Some(b'(') {
        cursor.filled_list(entry)?
    } else {
        vec![entry(cursor)?]
    };
    if entries.len() > limits::METADATA_ENTRIES {
        return Err(Trouble::bad("Too many entries"));
    }
    Ok(entries)
}

/// `entry = astring`: slash-separated, under `/private/` or `/shared/`, without `*` `%` `//` and without a slash at the end
/// (RFC 5464 §3.2, §5). Names are compared without case, so they are read in lower case.
fn entry(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let wire = cursor.astring()?;
    let clean = |byte: &u8| (0x20..0x7f).contains(byte) && !matches!(byte, b'*' | b'%');
    let name = String::from_utf8_lossy(&wire).to_ascii_lowercase();
    let shaped = wire.iter().all(clean) && !name.contains("//") && !name.ends_with('/');
    let placed = ["/private", "/shared"].iter().any(|top| {
        name.strip_prefix(top)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if shaped && placed && name.len() <= limits::METADATA_ENTRY_BYTES {
        Ok(name)
    } else {
        Err(Trouble::bad("Entries are called /private/... or /shared/..."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tests::command;

    #[test]
    fn getmetadata_is_read_in_both_orders() {
        for text in [
            "GETMETADATA (MAXSIZE 1024 DEPTH 1) INBOX (/private/A /shared/b)",
            "GETMETADATA INBOX (MAXSIZE 1024 DEPTH 1) (/private/a /SHARED/b)",
        ] {
            let wanted = GetMetadata {
                mailbox: Some(MailboxName::inbox()),
                entries: vec!["/private/a".to_owned(), "/shared/b".to_owned()],
                max_size_bytes: Some(1024),
                depth: MetadataDepth::Children,
            };
            assert_eq!(command(text), Some(Command::GetMetadata(wanted)), "{text}");
        }
        assert!(command("GETMETADATA \"\" /shared/comment").is_some());
        for bad in [
            "GETMETADATA INBOX",
            "GETMETADATA INBOX ()",
            "GETMETADATA INBOX /comment",
            "GETMETADATA INBOX /private//a",
            "GETMETADATA INBOX /private/a/",
            "GETMETADATA INBOX \"/private/*\"",
            "GETMETADATA INBOX /privateer/a",
            "GETMETADATA (DEPTH 2) INBOX /private/a",
            "GETMETADATA (MAXSIZE x) INBOX /private/a",
        ] {
            assert_eq!(command(bad), None, "{bad}");
        }
    }

    #[test]
    fn setmetadata_takes_text_octets_and_nil() {
        let text = "SETMETADATA INBOX (/private/a \"x\" /private/b NIL /private/c ~{3+}\r\na\0b /private/d {1+}\r\ny)";
        let Some(Command::SetMetadata(set)) = command(text) else {
            panic!("a command")
        };
        let values: Vec<Option<&[u8]>> = set.entries.iter().map(|(_, value)| value.as_deref()).collect();
        assert_eq!(values, [Some(&b"x"[..]), None, Some(b"a\0b"), Some(b"y")]);
        assert!(!format!("{set:?}").contains("120"), "values are not shown");
        for bad in [
            "SETMETADATA INBOX ()",
            "SETMETADATA INBOX (/private/a)",
            "SETMETADATA INBOX (/private/a {3+}\r\na\0b)",
            "SETMETADATA INBOX (/private/a ~\"x\")",
        ] {
            assert_eq!(command(bad), None, "{bad}");
        }
    }

    #[test]
    fn quota_and_language_are_read() {
        assert_eq!(command("GETQUOTA \"\""), Some(Command::GetQuota(Vec::new())));
        assert!(command("GETQUOTAROOT INBOX").is_some());
        assert!(
            command("SETQUOTA mail (STORAGE 512 MESSAGE 9)").is_some()
                && command("SETQUOTA mail ()").is_some()
        );
        assert!(command("SETQUOTA mail").is_none() && command("SETQUOTA mail (STORAGE)").is_none());
        assert_eq!(command("LANGUAGE"), Some(Command::Language(Vec::new())));
        let wanted = vec!["de-at".to_owned(), "*".to_owned()];
        assert_eq!(command("LANGUAGE DE-AT \"*\""), Some(Command::Language(wanted)));
        assert!(command(&format!("LANGUAGE{}", " de".repeat(21))).is_none());
    }
}
