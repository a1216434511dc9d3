//! The public suffix list as a value (publicsuffix.org/list): where registries end and customers begin. Pure; the list is given.

use std::collections::HashSet;
use std::sync::LazyLock;

use mail::address::Domain;

use crate::limits::SUFFIX_LIST_BYTES;

/// A list that was read, or is read when the first name is held against it.
#[derive(Debug)]
pub struct PublicSuffixes {
    rules: LazyLock<Rules, Box<dyn FnOnce() -> Rules + Send>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Rules {
    plain: HashSet<String>,
    /// without their `*.`
    wild: HashSet<String>,
    /// without their `!`
    except: HashSet<String>,
}

impl PublicSuffixes {
    /// Reads a list: a rule a line, `//` comments, U-labels or A-labels. Lines that are no rule are left out.
    pub fn parse(text: &str) -> Self {
        let rules = Rules::of(text);
        let list = Self {
            rules: LazyLock::new(Box::new(|| rules)),
        };
        LazyLock::force(&list.rules);
        list
    }

    /// [`PublicSuffixes::parse`] when it is needed first, which takes some milliseconds then: many who have the list never look into it.
    pub fn later(text: String) -> Self {
        Self {
            rules: LazyLock::new(Box::new(move || Rules::of(&text))),
        }
    }

    /// Whether a text has a rule that names a suffix at all; quick where it has many.
    pub fn are_in(text: &str) -> bool {
        lines(text).any(|line| !matches!(line, Line::Except(_)) && line.domain().is_some())
    }

    /// The public suffix of a canonical name: by the longest rule, or its last label.
    pub fn suffix_of<'n>(&self, name: &'n str) -> &'n str {
        let mut parent = name;
        let mut below: Option<&str> = None;
        loop {
            if self.rules.except.contains(parent) {
                return parent.split_once('.').map_or(parent, |(_, rest)| rest);
            }
            if let (Some(below), true) = (below, self.rules.wild.contains(parent))
                && !self.rules.except.contains(below)
            {
                return below;
            }
            if self.rules.plain.contains(parent) {
                return parent;
            }
            match parent.split_once('.') {
                Some((_, rest)) => (below, parent) = (Some(parent), rest),
                None => return parent,
            }
        }
    }

    /// The suffix and one label more; nothing for a suffix itself.
    pub fn registrable<'n>(&self, name: &'n str) -> Option<&'n str> {
        let suffix = self.suffix_of(name);
        let before = name[..name.len() - suffix.len()].strip_suffix('.')?;
        let label = before.rfind('.').map_or(0, |dot| dot + 1);
        Some(&name[label..])
    }

    /// Whether the name itself is a public suffix.
    pub fn is_suffix(&self, name: &str) -> bool {
        self.suffix_of(name) == name
    }
}

impl PartialEq for PublicSuffixes {
    fn eq(&self, other: &Self) -> bool {
        *self.rules == *other.rules
    }
}

impl Eq for PublicSuffixes {}

impl Rules {
    fn of(text: &str) -> Self {
        let mut rules = Self::default();
        for line in lines(text) {
            let Some(name) = line.domain() else { continue };
            match line {
                Line::Plain(_) => rules.plain.insert(name),
                Line::Wild(_) => rules.wild.insert(name),
                Line::Except(_) => rules.except.insert(name),
            };
        }
        rules
    }
}

/// A line that may be a rule: its name without what stands before it.
enum Line<'t> {
    Plain(&'t str),
    Wild(&'t str),
    Except(&'t str),
}

impl Line<'_> {
    /// The name in its canonical form, if it is one.
    fn domain(&self) -> Option<String> {
        let (Self::Plain(name) | Self::Wild(name) | Self::Except(name)) = self;
        Some(Domain::parse(name).ok()?.as_str().to_owned())
    }
}

/// Nothing of a text that is too long.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let text = if text.len() > SUFFIX_LIST_BYTES { "" } else { text };
    let rules = text
        .lines()
        .map(|line| line.split_whitespace().next().unwrap_or_default())
        .filter(|rule| !rule.is_empty() && !rule.starts_with("//"));
    rules.map(|rule| match (rule.strip_prefix("*."), rule.strip_prefix('!')) {
        (Some(name), _) => Line::Wild(name),
        (_, Some(name)) => Line::Except(name),
        _ => Line::Plain(rule),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rule_decides() {
        let list = PublicSuffixes::parse(
            "// a comment\ncom\njp\nkobe.jp\n*.kobe.jp\n!city.kobe.jp\nck\n*.ck\n!www.ck\nco.uk\nuk",
        );
        for (name, want) in [
            ("com", None),
            ("a.b.com", Some("b.com")),
            ("unlisted", None),
            ("a.b.unlisted", Some("b.unlisted")),
            ("c.kobe.jp", None),
            ("b.c.kobe.jp", Some("b.c.kobe.jp")),
            ("city.kobe.jp", Some("city.kobe.jp")),
            ("x.city.kobe.jp", Some("city.kobe.jp")),
            ("ck", None),
            ("test.ck", None),
            ("b.test.ck", Some("b.test.ck")),
            ("www.ck", Some("www.ck")),
            ("x.co.uk", Some("x.co.uk")),
        ] {
            assert_eq!(list.registrable(name), want, "{name}");
        }
    }

    #[test]
    fn a_list_that_is_read_later_says_the_same() {
        let text = "// a comment\ncom\n*.ck\n!www.ck\n";
        let (now, later) = (
            PublicSuffixes::parse(text),
            PublicSuffixes::later(text.to_owned()),
        );
        assert_eq!(later.registrable("a.b.com"), Some("b.com"));
        assert_eq!(now, later);
        assert_ne!(now, PublicSuffixes::later("com".to_owned()));
    }

    #[test]
    fn a_text_without_a_suffix_is_no_list() {
        let long = "com\n".repeat(SUFFIX_LIST_BYTES / 4 + 1);
        for (text, want) in [
            ("", false),
            ("// com", false),
            ("!www.ck", false),
            ("..\n", false),
            ("*.ck", true),
            ("..\n// a comment\n com x", true),
            (&long, false),
        ] {
            assert_eq!(PublicSuffixes::are_in(text), want, "{:.20}", text);
        }
    }
}
