//! Mailbox names: levels separated by `/`, checked once, then trusted (RFC 3501 §5.1, threat case IMP-4).
//!
//! A name is a path in our own tree, never a path of a file system; what could be mistaken for one is refused anyway.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::limits;
use crate::utf7;

/// The hierarchy separator.
pub const SEPARATOR: char = '/';

/// Above the mailboxes of others: `#shared/bob@example.org/INBOX` (RFC 3501 §5.1.2, RFC 2342 §5).
pub const OTHERS: &str = "#shared";

/// Levels above another's mailbox.
const OTHERS_LEVELS: usize = 2;

/// Why a text is no mailbox name. `Display` is a sentence for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadName {
    /// nothing at all
    Empty,
    /// not the canonical form of modified UTF-7
    Encoding,
    /// an empty level: `/a`, `a/`, `a//b`
    EmptyLevel,
    /// `.` or `..` as a level
    DotLevel,
    /// a level of more than 255 octets
    LongLevel,
    /// more than 20 levels
    TooDeep,
    /// a control character or line separator
    Control,
    /// `#` at the start, and not [`OTHERS`]: reserved for namespaces that there are none of (RFC 3501 §5.1.2)
    Namespace,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "A mailbox name cannot be empty",
            Self::Encoding => {
                "Mailbox name is neither canonical modified UTF-7 nor, once that was enabled, UTF-8"
            }
            Self::EmptyLevel => "A mailbox name cannot start or end with / or have // in it",
            Self::DotLevel => "A mailbox cannot be named . or ..",
            Self::LongLevel => "One level of a mailbox name is at most 255 octets",
            Self::TooDeep => "A mailbox name has at most 20 levels",
            Self::Control => "A mailbox name cannot have control characters in it",
            Self::Namespace => "Mailbox names that start with # are reserved",
        })
    }
}

impl std::error::Error for BadName {}

/// A mailbox name: 1..=20 levels, each 1..=255 octets of NFC without control characters. `INBOX` in any case, alone or as first
/// level, is `INBOX`. Two equal names are the same mailbox.
#[derive(Clone)]
pub struct MailboxName(Box<str>, Option<Box<str>>);

impl PartialEq for MailboxName {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for MailboxName {}

impl std::hash::Hash for MailboxName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialOrd for MailboxName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MailboxName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl MailboxName {
    /// `INBOX`
    pub fn inbox() -> Self {
        Self("INBOX".into(), None)
    }

    /// From an IMAP4rev1 wire: modified UTF-7.
    ///
    /// # Errors
    /// [`BadName`] says why it is none.
    pub fn from_wire(wire: &[u8]) -> Result<Self, BadName> {
        if wire.len() > limits::NAME_BYTES * 3 {
            return Err(BadName::LongLevel);
        }
        Self::from_utf8(&utf7::decode(wire).ok_or_else(|| why_undecodable(wire))?)
    }

    /// From a wire on which names are UTF-8 (IMAP4rev2, UTF8=ACCEPT).
    ///
    /// # Errors
    /// [`BadName`] says why it is none.
    pub fn from_utf8_wire(wire: &[u8]) -> Result<Self, BadName> {
        if wire.len() > limits::NAME_BYTES * 3 {
            return Err(BadName::LongLevel);
        }
        Self::from_utf8(std::str::from_utf8(wire).map_err(|_| why_undecodable(wire))?)
    }

    /// From text; normalised to NFC.
    ///
    /// # Errors
    /// [`BadName`] says why it is none.
    pub fn from_utf8(text: &str) -> Result<Self, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.len() > limits::NAME_BYTES * 3 {
            return Err(BadName::LongLevel);
        }
        let of_others = text.split(SEPARATOR).next() == Some(OTHERS);
        if text.starts_with('#') && !of_others {
            return Err(BadName::Namespace);
        }
        let given = text;
        let text: String = text.nfc().collect();
        let above = if of_others { OTHERS_LEVELS } else { 0 };
        if text.split(SEPARATOR).count() > limits::NAME_LEVELS + above {
            return Err(BadName::TooDeep);
        }
        text.split(SEPARATOR).try_for_each(check_level)?;
        let given = (text != given).then(|| given.into());
        Ok(Self(canonical_inbox(text, above).into(), given))
    }

    /// As the client wrote it, where that was not NFC: the old name of RFC 9051 §6.3.9.7.
    pub fn denormalised(&self) -> Option<&str> {
        self.1.as_deref()
    }

    /// As UTF-8 in NFC, levels separated by `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As modified UTF-7, for an IMAP4rev1 wire. Always printable ASCII.
    pub fn to_wire(&self) -> String {
        utf7::encode(&self.0)
    }

    /// Whether it is INBOX itself.
    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    /// The levels, outermost first.
    pub fn levels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split(SEPARATOR)
    }

    /// The last level.
    pub fn leaf(&self) -> &str {
        self.0.rsplit(SEPARATOR).next().unwrap_or(&self.0)
    }

    /// The name without its last level; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        self.0
            .rsplit_once(SEPARATOR)
            .map(|(parent, _)| Self(parent.into(), None))
    }

    /// The name with one level more.
    ///
    /// # Errors
    /// [`BadName`] when `level` is no level or the name would become too deep.
    pub fn child(&self, level: &str) -> Result<Self, BadName> {
        check_level(level)?;
        Self::from_utf8(&format!("{}{SEPARATOR}{level}", self.0))
    }

    /// Whether `self` is somewhere below `ancestor`.
    pub fn is_below(&self, ancestor: &Self) -> bool {
        self.0
            .strip_prefix(&*ancestor.0)
            .is_some_and(|rest| rest.starts_with(SEPARATOR))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Says the more helpful of two truths: control characters cannot be decoded either.
fn why_undecodable(wire: &[u8]) -> BadName {
    if wire.iter().any(u8::is_ascii_control) {
        BadName::Control
    } else {
        BadName::Encoding
    }
}

fn check_level(level: &str) -> Result<(), BadName> {
    // RFC 5198 §2 forbids the controls and the two separators.
    let forbidden = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    match level {
        "" => Err(BadName::EmptyLevel),
        "." | ".." => Err(BadName::DotLevel),
        _ if level.len() > limits::NAME_LEVEL_BYTES => Err(BadName::LongLevel),
        _ if level.contains(forbidden) => Err(BadName::Control),
        _ if level.contains(SEPARATOR) => Err(BadName::EmptyLevel),
        _ => Ok(()),
    }
}

/// RFC 3501 §5.1 makes INBOX case-insensitive; so is it as first level, lest `inbox/x` and `INBOX/x` be two.
/// Another's has two levels above it.
fn canonical_inbox(mut text: String, above: usize) -> String {
    let mut start = 0;
    for _ in 0..above {
        let Some(end) = text[start..].find(SEPARATOR) else {
            return text;
        };
        start += end + 1;
    }
    let end = text[start..]
        .find(SEPARATOR)
        .map_or(text.len(), |end| start + end);
    if text[start..end].eq_ignore_ascii_case("INBOX") {
        text.replace_range(start..end, "INBOX");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn imp_4_names_that_traverse_or_alias_are_refused_or_plain() {
        let long_level = "a".repeat(256);
        let long_name = "x".repeat(10 * 1024);
        let deep = vec!["d"; 21].join("/");
        for (wire, wanted) in [
            ("../x", BadName::DotLevel),
            ("x/..", BadName::DotLevel),
            ("a/../../b", BadName::DotLevel),
            ("./x", BadName::DotLevel),
            ("/etc/passwd", BadName::EmptyLevel),
            ("a//b", BadName::EmptyLevel),
            ("a/", BadName::EmptyLevel),
            ("/", BadName::EmptyLevel),
            ("", BadName::Empty),
            ("a\0b", BadName::Control),
            ("a\r\nb", BadName::Control),
            ("a\nb", BadName::Control),
            ("a\x7fb", BadName::Control),
            ("&AAA-", BadName::Control),
            ("&AA0ACg-", BadName::Control),
            ("&AIU-", BadName::Control),
            ("&ICg-", BadName::Control),
            ("&AC8-etc&AC8-passwd", BadName::Encoding),
            ("&AC4ALg-/x", BadName::Encoding),
            ("&AGkAbgBiAG8AeA-", BadName::Encoding),
            ("#news/x", BadName::Namespace),
            ("#sharedx", BadName::Namespace),
            ("#shared/../x", BadName::DotLevel),
            ("#shared//x", BadName::EmptyLevel),
            (&long_level, BadName::LongLevel),
            (&long_name, BadName::LongLevel),
            (&deep, BadName::TooDeep),
        ] {
            assert_eq!(MailboxName::from_wire(wire.as_bytes()), Err(wanted), "{wire:?}");
        }
        for plain in [
            "...", "..x", "x..y", "~root", "C:\\x", "a\\..\\b", "%2e%2e", "100%", "a*b",
        ] {
            let name = MailboxName::from_wire(plain.as_bytes()).expect(plain);
            assert_eq!(name.as_str(), plain);
            assert_eq!(name.levels().count(), 1);
        }
    }

    #[test]
    fn inbox_has_one_spelling() {
        for spelling in ["INBOX", "inbox", "InBoX"] {
            assert_eq!(
                MailboxName::from_wire(spelling.as_bytes()),
                Ok(MailboxName::inbox())
            );
        }
        let below = MailboxName::from_wire(b"inbox/Lists").expect("a name");
        assert_eq!(below.as_str(), "INBOX/Lists");
        let other = MailboxName::from_wire(b"#shared/inbox/inbox/Lists").expect("a name");
        assert_eq!(other.as_str(), "#shared/inbox/INBOX/Lists");
        assert!(!other.is_inbox());
        assert!(below.is_below(&MailboxName::inbox()));
        assert!(!below.is_inbox());
        assert_eq!(
            MailboxName::from_wire(b"inboxes").expect("a name").as_str(),
            "inboxes"
        );
    }

    #[test]
    fn names_are_composed() {
        let composed = MailboxName::from_utf8("Entw\u{fc}rfe");
        assert_eq!(MailboxName::from_utf8("Entwu\u{308}rfe"), composed);
        assert_eq!(composed.expect("a name").to_wire(), "Entw&APw-rfe");
    }

    #[test]
    fn levels_parents_children() {
        let name = MailboxName::from_utf8("a/b/c").expect("a name");
        assert_eq!(name.leaf(), "c");
        assert_eq!(name.parent().expect("a parent").as_str(), "a/b");
        assert_eq!(name.levels().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(name.child("d").expect("a child").as_str(), "a/b/c/d");
        assert_eq!(name.child("d/e"), Err(BadName::EmptyLevel));
        assert_eq!(name.child(".."), Err(BadName::DotLevel));
        assert!(
            !MailboxName::from_utf8("ab")
                .expect("a name")
                .is_below(&MailboxName::from_utf8("a").expect("a name"))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn names_round_trip_over_the_wire(text in "[a-zé☺台. &/~#]{1,30}") {
            if let Ok(name) = MailboxName::from_utf8(&text) {
                prop_assert_eq!(MailboxName::from_wire(name.to_wire().as_bytes()), Ok(name));
            }
        }
    }
}
