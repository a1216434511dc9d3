//! Names of mailboxes: levels apart by `/`, each NFC, 1 to 255 bytes. INBOX is the same in any case (RFC 9051 §5.1).
//! A name is data in a row, never a path of the file system; `.` and `..` are refused all the same, because somebody
//! will export mail to folders one day.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::limits::{LEVEL_BYTES, NAME_BYTES, NAME_LEVELS};

/// Separates the levels of a name.
pub const SEPARATOR: char = '/';
/// The inbox.
pub const INBOX: &str = "INBOX";

/// A name that a mailbox may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailboxName {
    levels: Vec<String>,
}

/// Why a text cannot be a mailbox name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the sentences of Display say it
pub enum BadName {
    Empty,
    EmptyLevel,
    TooLong,
    TooDeep,
    Control,
    Wildcard,
    Dots,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a mailbox name cannot be empty",
            Self::EmptyLevel => "a mailbox name cannot have an empty level",
            Self::TooLong => "this mailbox name is too long: 255 bytes a level and 1000 in all are allowed",
            Self::TooDeep => "this mailbox name has more than 20 levels",
            Self::Control => "a mailbox name cannot contain control characters",
            Self::Wildcard => "a mailbox name cannot contain % or *",
            Self::Dots => "a level of a mailbox name cannot be . or ..",
        })
    }
}

impl std::error::Error for BadName {}

impl MailboxName {
    /// Reads a name as a client gave it (decoded to UTF-8). One trailing separator is dropped (RFC 9051 §6.3.4).
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if text.len() > NAME_BYTES {
            return Err(BadName::TooLong);
        }
        let text = text.strip_suffix(SEPARATOR).unwrap_or(text);
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        let mut levels = text.split(SEPARATOR).map(level).collect::<Result<Vec<_>, _>>()?;
        if levels.len() > NAME_LEVELS {
            return Err(BadName::TooDeep);
        }
        if let Some(first) = levels
            .first_mut()
            .filter(|first| first.eq_ignore_ascii_case(INBOX))
        {
            INBOX.clone_into(first);
        }
        Ok(Self { levels })
    }

    /// INBOX.
    pub fn inbox() -> Self {
        Self {
            levels: vec![INBOX.to_owned()],
        }
    }

    /// Whether this is INBOX itself.
    pub fn is_inbox(&self) -> bool {
        matches!(self.levels.as_slice(), [only] if only == INBOX)
    }

    /// The levels, top first; at least one.
    pub fn levels(&self) -> &[String] {
        &self.levels
    }

    /// The last level.
    pub fn leaf(&self) -> &str {
        self.levels.last().map_or("", String::as_str)
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.levels.join("/"))
    }
}

fn level(text: &str) -> Result<String, BadName> {
    let level: String = text.nfc().collect();
    if level.is_empty() {
        return Err(BadName::EmptyLevel);
    }
    if level.len() > LEVEL_BYTES {
        return Err(BadName::TooLong);
    }
    // RFC 5198 §2: also the C1 controls and the line and paragraph separators.
    if level
        .chars()
        .any(|c| c.is_control() || c == '\u{2028}' || c == '\u{2029}')
    {
        return Err(BadName::Control);
    }
    if level.contains(['%', '*']) {
        return Err(BadName::Wildcard);
    }
    if level == "." || level == ".." {
        return Err(BadName::Dots);
    }
    Ok(level)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn imp_4_a_name_reads_back_as_itself(text in "[iInNbBoOxX./a-z%*\u{300}\u{e9}\u{1} ]{0,40}") {
            crate::fuzzing::fuzz_mailbox_name(text.as_bytes());
        }
    }

    #[test]
    fn names_are_read_or_refused() {
        for (text, expected) in [
            ("INBOX", Ok("INBOX")),
            ("inBox", Ok("INBOX")),
            ("inbox/Kids", Ok("INBOX/Kids")),
            ("Work/2026/", Ok("Work/2026")),
            ("e\u{301}te\u{301}", Ok("\u{e9}t\u{e9}")),
            ("etc.passwd", Ok("etc.passwd")),
            ("", Err(BadName::Empty)),
            ("/", Err(BadName::Empty)),
            ("/etc/passwd", Err(BadName::EmptyLevel)),
            ("a//b", Err(BadName::EmptyLevel)),
            ("../x", Err(BadName::Dots)),
            ("a/../../b", Err(BadName::Dots)),
            ("a\0b", Err(BadName::Control)),
            ("a\r\nA2 LOGOUT", Err(BadName::Control)),
            ("a\u{85}b", Err(BadName::Control)),
            ("a%", Err(BadName::Wildcard)),
            ("a*", Err(BadName::Wildcard)),
            ("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u", Err(BadName::TooDeep)),
        ] {
            assert_eq!(
                MailboxName::parse(text).map(|name| name.to_string()),
                expected.map(str::to_owned),
                "{text:?}"
            );
        }
        assert_eq!(MailboxName::parse(&"x".repeat(256)), Err(BadName::TooLong));
        assert_eq!(MailboxName::parse(&"x/".repeat(10_000)), Err(BadName::TooLong));
    }
}
