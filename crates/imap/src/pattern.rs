//! LIST patterns: `*` matches anything, `%` anything but the separator (RFC 3501 §6.3.8).

use unicode_normalization::UnicodeNormalization;

use crate::limits;
use crate::name::{MailboxName, SEPARATOR};
use crate::utf7;

/// A pattern joined with its reference. Matching takes at most (characters of the pattern) × (characters of the name) steps,
/// both of which are bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPattern {
    /// what to match, runs of wildcards merged
    text: Vec<char>,
    /// the pattern itself was empty
    asks_separator: bool,
    /// the first level without wildcards is INBOX in some case
    inbox: bool,
}

impl ListPattern {
    /// The pattern, applied to the reference by putting the reference in front of it. What is not modified UTF-7
    /// matches nothing; `None` when it is longer than [`limits::PATTERN_BYTES`].
    pub fn new(reference: &[u8], pattern: &[u8]) -> Option<Self> {
        Self::read(reference, pattern, utf7::decode)
    }

    /// Like `new`, on a wire where names are UTF-8 (IMAP4rev2, UTF8=ACCEPT).
    pub fn new_utf8(reference: &[u8], pattern: &[u8]) -> Option<Self> {
        Self::read(reference, pattern, |joined| {
            std::str::from_utf8(joined).ok().map(str::to_owned)
        })
    }

    fn read(reference: &[u8], pattern: &[u8], decode: impl Fn(&[u8]) -> Option<String>) -> Option<Self> {
        if reference.len() + pattern.len() > limits::PATTERN_BYTES {
            return None;
        }
        let joined = [reference, pattern].concat();
        // A NUL is in no name, so this matches none.
        let text: String = decode(&joined).map_or_else(|| "\0".to_owned(), |text| text.nfc().collect());
        let first = text.split(SEPARATOR).next().unwrap_or_default();
        Some(Self {
            inbox: first.eq_ignore_ascii_case("INBOX"),
            text: merged_wildcards(&text),
            asks_separator: pattern.is_empty(),
        })
    }

    /// `LIST "" ""`: answer with the separator and the root of the reference, nothing else.
    pub fn asks_separator(&self) -> bool {
        self.asks_separator
    }

    /// What one comparison costs for each letter of a name, in steps.
    pub fn steps(&self) -> usize {
        self.text.len().max(1)
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &MailboxName) -> bool {
        let name: Vec<char> = name.as_str().chars().collect();
        if self.asks_separator {
            return false;
        }
        if glob(&self.text, &name) {
            return true;
        }
        self.inbox && glob(&upper_first_level(&self.text), &name)
            || is_in_inbox(&name) && glob(&upper_first_level(&self.text), &name)
    }

    /// Whether some name below `name` could match: lets a lister skip whole subtrees.
    pub fn may_match_below(&self, name: &MailboxName) -> bool {
        let mut start: Vec<char> = name.as_str().chars().collect();
        start.push(SEPARATOR);
        !self.asks_separator
            && (prefix_possible(&self.text, &start)
                || prefix_possible(&upper_first_level(&self.text), &start))
    }
}

/// `**`, `*%`, `%*` mean `*`; `%%` means `%`.
fn merged_wildcards(text: &str) -> Vec<char> {
    let mut merged: Vec<char> = Vec::with_capacity(text.len());
    for character in text.chars() {
        match (merged.last().copied(), character) {
            (Some('*'), '*' | '%') | (Some('%'), '%') => {}
            (Some('%'), '*') => {
                merged.pop();
                merged.push('*');
            }
            _ => merged.push(character),
        }
    }
    merged
}

fn is_in_inbox(name: &[char]) -> bool {
    let inbox: [char; 5] = ['I', 'N', 'B', 'O', 'X'];
    name.starts_with(&inbox) && name.get(5).is_none_or(|&next| next == SEPARATOR)
}

/// INBOX is compared without case, and it alone: `i*` matches it too.
fn upper_first_level(pattern: &[char]) -> Vec<char> {
    let first = pattern
        .iter()
        .position(|&character| character == SEPARATOR)
        .unwrap_or(pattern.len());
    let upper = pattern[..first].iter().map(char::to_ascii_uppercase);
    upper.chain(pattern[first..].iter().copied()).collect()
}

/// Whether the whole of `text` matches: one row of reachable positions, one pass over the pattern.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let mut row = first_row(text);
    for &wanted in pattern {
        step(&mut row, text, wanted);
        if !row.contains(&true) {
            return false;
        }
    }
    row[text.len()]
}

/// Whether `start` can be the beginning of a longer matching text.
fn prefix_possible(pattern: &[char], start: &[char]) -> bool {
    let mut row = first_row(start);
    pattern.iter().enumerate().any(|(at, &wanted)| {
        step(&mut row, start, wanted);
        row[start.len()] && (at + 1 < pattern.len() || wanted == '*')
    })
}

/// `row[i]`: the pattern so far matches the first `i` characters.
fn first_row(text: &[char]) -> Vec<bool> {
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    row
}

fn step(row: &mut [bool], text: &[char], wanted: char) {
    match wanted {
        '*' | '%' => spread(row, text, wanted == '%'),
        _ => advance(row, text, wanted),
    }
}

fn spread(row: &mut [bool], text: &[char], within_level: bool) {
    for at in 0..text.len() {
        row[at + 1] |= row[at] && !(within_level && text[at] == SEPARATOR);
    }
}

fn advance(row: &mut [bool], text: &[char], wanted: char) {
    for at in (0..text.len()).rev() {
        row[at + 1] = row[at] && text[at] == wanted;
    }
    row[0] = false;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(reference: &str, pattern: &str, name: &str) -> bool {
        let name = MailboxName::from_utf8(name).expect("a name");
        ListPattern::new(reference.as_bytes(), pattern.as_bytes())
            .expect("a pattern")
            .matches(&name)
    }

    #[test]
    fn patterns_match_as_rfc_3501_says() {
        for (reference, pattern, name, wanted) in [
            ("", "*", "INBOX", true),
            ("", "*", "a/b/c", true),
            ("", "%", "a", true),
            ("", "%", "a/b", false),
            ("", "%/%", "a/b", true),
            ("", "%/%", "a/b/c", false),
            ("", "a/%", "a/b", true),
            ("a/", "%", "a/b", true),
            ("a/", "%", "b", false),
            ("", "a*c", "a/b/c", true),
            ("", "a%c", "a/b/c", false),
            ("", "a%c", "abbc", true),
            ("", "inbox", "INBOX", true),
            ("", "InBox/x", "INBOX/x", true),
            ("", "i%", "INBOX", true),
            ("", "drafts", "Drafts", false),
            ("", "I*", "inboxes", false),
            ("", "Entw&APw-%", "Entwürfe", true),
            ("", "Entw&APw-", "Entwu", false),
            ("", "&AC8-", "x", false),
            ("", "", "INBOX", false),
            ("", "100%", "100%", true),
            ("", "*%*%*x", "a/b/x", true),
        ] {
            assert_eq!(
                matches(reference, pattern, name),
                wanted,
                "{reference:?} {pattern:?} {name:?}"
            );
        }
    }

    #[test]
    fn many_wildcards_cost_little() {
        let name = MailboxName::from_utf8(&"a".repeat(255)).expect("a name");
        let pattern = ListPattern::new(b"", "%a".repeat(500).as_bytes()).expect("a pattern");
        assert!(!pattern.matches(&name));
        assert!(ListPattern::new(b"", &[b'*'; limits::PATTERN_BYTES + 1]).is_none());
    }

    #[test]
    fn subtrees_can_be_skipped() {
        for (pattern, name, wanted) in [
            ("*", "a", true),
            ("%", "a", false),
            ("%/%", "a", true),
            ("b/%", "a", false),
            ("a/b/c", "a", true),
            ("a/b/c", "a/b/c", false),
            ("inbox/%", "INBOX", true),
        ] {
            let name = MailboxName::from_utf8(name).expect("a name");
            let pattern = ListPattern::new(b"", pattern.as_bytes()).expect("a pattern");
            assert_eq!(pattern.may_match_below(&name), wanted, "{pattern:?} {name:?}");
        }
    }
}
