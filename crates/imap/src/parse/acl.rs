//! SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 §3, §7).

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use crate::command::{AclEntry, Command, RightsSign, SetAcl};
use crate::limits;
use crate::name::MailboxName;

/// The rights of RFC 4314 §2.1, and the obsolete ones of §2.1.1.
const RIGHTS: &[u8; 13] = b"lrswipkxteacd";

/// `setacl = "SETACL" SP mailbox SP identifier SP mod-rights`, `mod-rights = astring` (`+rights`, `-rights` or `rights`)
pub(super) fn set_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let entry = entry(cursor)?;
    cursor.space()?;
    let text = cursor.astring()?;
    let (sign, letters) = match text.split_first() {
        Some((b'+', rest)) => (RightsSign::Add, rest),
        Some((b'-', rest)) => (RightsSign::Remove, rest),
        _ => (RightsSign::Set, &text[..]),
    };
    if !letters.iter().all(|letter| RIGHTS.contains(letter)) {
        return Err(Trouble::bad(
            "Only these rights exist, in small letters: lrswipkxtea, and cd",
        ));
    }
    let letters = String::from_utf8_lossy(letters).into_owned();
    Ok(Command::SetAcl(SetAcl { entry, sign, letters }))
}

/// `deleteacl = "DELETEACL" SP mailbox SP identifier`
pub(super) fn delete_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    Ok(Command::DeleteAcl(entry(cursor)?))
}

/// `getacl = "GETACL" SP mailbox`
pub(super) fn get_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    Ok(Command::GetAcl(mailbox(cursor)?))
}

/// `listrights = "LISTRIGHTS" SP mailbox SP identifier`
pub(super) fn list_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    Ok(Command::ListRights(entry(cursor)?))
}

/// `myrights = "MYRIGHTS" SP mailbox`
pub(super) fn my_arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    Ok(Command::MyRights(mailbox(cursor)?))
}

fn mailbox(cursor: &mut Cursor<'_>) -> Parsed<MailboxName> {
    cursor.space()?;
    cursor.mailbox()
}

/// `mailbox SP identifier`, `identifier = astring`; what SASLprep would refuse is refused (RFC 4314 §3).
fn entry(cursor: &mut Cursor<'_>) -> Parsed<AclEntry> {
    let mailbox = mailbox(cursor)?;
    cursor.space()?;
    let identifier = cursor.astring()?;
    let identifier = std::str::from_utf8(&identifier).map_err(|_| Trouble::bad("An identifier is UTF-8"))?;
    if identifier.is_empty() || identifier == "-" || identifier.chars().any(char::is_control) {
        return Err(Trouble::bad("An identifier is an account's address, or anyone"));
    }
    if identifier.len() > limits::IDENTIFIER_BYTES {
        return Err(Trouble::bad("The identifier is too long"));
    }
    Ok(AclEntry {
        mailbox,
        identifier: identifier.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tests::command;

    fn of(identifier: &str) -> AclEntry {
        AclEntry {
            mailbox: MailboxName::inbox(),
            identifier: identifier.to_owned(),
        }
    }

    #[test]
    fn rights_are_set_added_and_removed() {
        for (text, identifier, sign, letters) in [
            (
                "SETACL INBOX bob@x.test lrs",
                "bob@x.test",
                RightsSign::Set,
                "lrs",
            ),
            ("setacl inbox anyone +cda", "anyone", RightsSign::Add, "cda"),
            (
                "SETACL INBOX \"-bob@x.test\" -w",
                "-bob@x.test",
                RightsSign::Remove,
                "w",
            ),
            ("SETACL INBOX anyone \"\"", "anyone", RightsSign::Set, ""),
            ("SETACL INBOX anyone +", "anyone", RightsSign::Add, ""),
            ("SETACL INBOX {6+}\r\nanyone lr", "anyone", RightsSign::Set, "lr"),
        ] {
            let wanted = SetAcl {
                entry: of(identifier),
                sign,
                letters: letters.to_owned(),
            };
            assert_eq!(command(text), Some(Command::SetAcl(wanted)), "{text}");
        }
    }

    /// RFC 4314 §3.1: an unrecognised right is BAD, never ignored.
    #[test]
    fn what_is_no_right_and_no_identifier_is_bad() {
        for text in [
            "SETACL INBOX bob lrQ",
            "SETACL INBOX bob lrq",
            "SETACL INBOX bob l+r",
            "SETACL INBOX bob lr0",
            "SETACL INBOX bob",
            "SETACL INBOX \"\" lr",
            "SETACL INBOX - lr",
            "SETACL INBOX",
            "DELETEACL INBOX",
            "LISTRIGHTS INBOX",
            "GETACL",
            "MYRIGHTS",
            "MYRIGHTS INBOX INBOX",
        ] {
            assert_eq!(command(text), None, "{text}");
        }
        let long = format!("DELETEACL INBOX {}", "x".repeat(limits::IDENTIFIER_BYTES + 1));
        assert_eq!(command(&long), None);
    }

    #[test]
    fn the_others_take_a_mailbox_and_perhaps_an_identifier() {
        let inbox = MailboxName::inbox;
        for (text, wanted) in [
            ("DELETEACL INBOX bob", Command::DeleteAcl(of("bob"))),
            ("LISTRIGHTS INBOX -bob", Command::ListRights(of("-bob"))),
            ("GETACL INBOX", Command::GetAcl(inbox())),
            ("MYRIGHTS INBOX", Command::MyRights(inbox())),
        ] {
            assert_eq!(command(text), Some(wanted), "{text}");
        }
    }
}
