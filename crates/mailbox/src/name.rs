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

/// Above the mailboxes of others: `#shared/bob@example.org/INBOX`. No mailbox of one's own begins with `#`, since RFC 3501 §5.1.2
/// keeps that for namespaces: so nothing of anybody's is hidden by it.
pub const OTHERS: &str = "#shared";

/// Levels above another's mailbox.
const OTHERS_LEVELS: usize = 2;

/// Whether a whole name is in the namespace of others' mailboxes.
pub fn is_of_others(name: &str) -> bool {
    name.split(SEPARATOR).next() == Some(OTHERS)
}

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
        let above = if is_of_others(text) { OTHERS_LEVELS } else { 0 };
        if text.len() > NAME_BYTES + above * (LEVEL_BYTES + 1) {
            return Err(BadName::TooLong);
        }
        let text = text.strip_suffix(SEPARATOR).unwrap_or(text);
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        let mut levels = text.split(SEPARATOR).map(level).collect::<Result<Vec<_>, _>>()?;
        if levels.len() > NAME_LEVELS + above {
            return Err(BadName::TooDeep);
        }
        if let Some(first) = levels
            .get_mut(above)
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

    /// Whether it is in the namespace of others' mailboxes.
    pub fn is_of_others(&self) -> bool {
        self.levels.first().is_some_and(|first| first == OTHERS)
    }

    /// Of another's mailbox: what its owner is called, and the owner's name for it.
    pub fn owner_and_own(&self) -> Option<(&str, Self)> {
        match self.levels.as_slice() {
            [first, owner, own @ ..] if first == OTHERS && !own.is_empty() => {
                Some((owner, Self { levels: own.to_vec() }))
            }
            _ => None,
        }
    }

    /// The name without its last level; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.levels.split_last()?;
        (!above.is_empty()).then(|| Self {
            levels: above.to_vec(),
        })
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
            ("#shared/bob@x.test/inbox", Ok("#shared/bob@x.test/INBOX")),
            ("#shared/inbox/inbox/Kids", Ok("#shared/inbox/INBOX/Kids")),
            ("#shared/a//b", Err(BadName::EmptyLevel)),
            ("#shared/../b", Err(BadName::Dots)),
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
