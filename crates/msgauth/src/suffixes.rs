//! The public suffix list as a value (publicsuffix.org/list): where registries end and customers begin. Pure; the list is given.

use std::collections::HashSet;

use mail::address::Domain;

use crate::limits::SUFFIX_LIST_BYTES;

/// A list that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicSuffixes {
    plain: HashSet<String>,
    /// without their `*.`
    wild: HashSet<String>,
    /// without their `!`
    except: HashSet<String>,
}

impl PublicSuffixes {
    /// Reads a list: a rule a line, `//` comments, U-labels or A-labels. Lines that are no rule are left out.
    pub fn parse(text: &str) -> Self {
        let mut list = Self::default();
        if text.len() > SUFFIX_LIST_BYTES {
            return list;
        }
        for line in text.lines() {
            let rule = line.split_whitespace().next().unwrap_or_default();
            if rule.is_empty() || rule.starts_with("//") {
                continue;
            }
            let (set, name) = match (rule.strip_prefix("*."), rule.strip_prefix('!')) {
                (Some(name), _) => (&mut list.wild, name),
                (_, Some(name)) => (&mut list.except, name),
                _ => (&mut list.plain, rule),
            };
            if let Ok(domain) = Domain::parse(name) {
                set.insert(domain.as_str().to_owned());
            }
        }
        list
    }

    /// Whether it has no rule at all.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.wild.is_empty()
    }

    /// The public suffix of a canonical name: by the longest rule, or its last label.
    pub fn suffix_of<'n>(&self, name: &'n str) -> &'n str {
        let mut parent = name;
        let mut below: Option<&str> = None;
        loop {
            if self.except.contains(parent) {
                return parent.split_once('.').map_or(parent, |(_, rest)| rest);
            }
            if let (Some(below), true) = (below, self.wild.contains(parent))
                && !self.except.contains(below)
            {
                return below;
            }
            if self.plain.contains(parent) {
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
}
