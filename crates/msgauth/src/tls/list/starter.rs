//! The list that comes with the program: large receivers that have said for years, in public, that they take mail under verified TLS
//! only. Each line names its sources; [`SHIPPED`] is the file itself.
//!
//! A list ages. Two years after its day it only warns: a program that nobody renews must not begin to hold mail back.

use std::collections::{BTreeMap, BTreeSet};

use super::Power;
use crate::limits::LIST_AGES_DAYS;
use crate::names;
use crate::tls::day::Day;

/// The file, as it is compiled in.
pub const SHIPPED: &str = include_str!("../../../data/mandatory-tls.txt");

/// A list that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Starter {
    /// when it was put together
    pub as_of: Day,
    /// where its knowledge comes from, by name
    pub sources: BTreeMap<String, String>,
    /// the domains
    pub domains: BTreeMap<String, Line>,
}

/// What the list says of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// how far it goes at most: `Require` or `Warn`
    pub power: Power,
    /// the names of its sources
    pub sources: Vec<String>,
}

impl Starter {
    /// The shipped one.
    pub fn shipped() -> Self {
        Self::parse(SHIPPED).expect("a test reads the list that is compiled in")
    }

    /// Reads a list.
    ///
    /// # Errors
    /// The first line that is wrong, with its number.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut list = Self::default();
        let mut dated = false;
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let wrong = |why: &str| Err(format!("line {}: {why}", number + 1));
            match words.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["as-of", day] => match Day::parse(day) {
                    Some(day) if !dated => (list.as_of, dated) = (day, true),
                    _ => return wrong("one day is expected, as YYYY-MM-DD"),
                },
                ["source", name, place, day] if Day::parse(day).is_some() => {
                    list.sources
                        .insert((*name).to_owned(), format!("{place} ({day})"));
                }
                ["source", ..] => return wrong("a name, a place and a day are expected"),
                [word @ ("require" | "warn"), domain, sources @ ..] => {
                    let power = if *word == "warn" {
                        Power::Warn
                    } else {
                        Power::Require
                    };
                    if let Err(why) = list.add(power, domain, sources) {
                        return wrong(why);
                    }
                }
                _ => return wrong("`require DOMAIN SOURCE` or `warn DOMAIN SOURCE` is expected"),
            }
        }
        if dated {
            Ok(list)
        } else {
            Err("there is no line \"as-of DAY\"".to_owned())
        }
    }

    fn add(&mut self, power: Power, domain: &str, sources: &[&str]) -> Result<(), &'static str> {
        let named: BTreeSet<&str> = sources.iter().copied().collect();
        if !names::is_plain(domain) || !names::is_qualified(domain) || domain != names::canonical(domain) {
            return Err("a domain in lower case is expected");
        }
        if named.is_empty() || !named.iter().all(|name| self.sources.contains_key(*name)) {
            return Err("every domain names a source that stands above");
        }
        let sources = sources.iter().map(|name| (*name).to_owned()).collect();
        match self.domains.insert(domain.to_owned(), Line { power, sources }) {
            None => Ok(()),
            Some(_) => Err("the domain stands twice"),
        }
    }

    /// How far the list goes for `domain` on a day, when the operator lets it go as far as `most`.
    pub fn power(&self, domain: &str, most: Power, today: Day) -> Power {
        let Some(line) = self.domains.get(domain) else {
            return Power::Off;
        };
        let is_old = today.since(self.as_of) > LIST_AGES_DAYS;
        let aged = if is_old { Power::Warn } else { Power::Require };
        most.min(line.power).min(aged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_that_is_compiled_in_is_read_and_every_domain_has_its_sources() {
        let list = Starter::parse(SHIPPED).unwrap();
        assert!(list.domains.len() >= 20, "{}", list.domains.len());
        for (domain, power) in [
            ("gmail.com", Power::Require),
            ("outlook.com", Power::Require),
            ("proton.me", Power::Require),
            ("comcast.net", Power::Warn),
        ] {
            assert_eq!(list.power(domain, Power::Require, list.as_of), power, "{domain}");
        }
        let dated =
            |line: &Line| line.power == Power::Warn || line.sources.iter().any(|name| name != "hints");
        assert!(list.domains.values().all(dated), "hints alone hold no mail back");
        for doubtful in ["yahoo.com", "fastmail.com"] {
            assert!(!list.domains.contains_key(doubtful), "{doubtful}");
        }
        assert!(list.as_of >= Day::parse("2026-11-26").unwrap());
    }

    #[test]
    fn a_list_that_is_wrong_says_where() {
        for (text, why) in [
            ("", "there is no line"),
            ("as-of yesterday", "line 1: one day"),
            ("as-of 2026-01-01\nas-of 2026-01-01", "line 2: one day"),
            ("source a b", "line 1: a name"),
            ("source a b 2026-13-01", "line 1: a name"),
            ("require example.org a", "line 1: every domain"),
            ("require example.org", "line 1: every domain"),
            ("example.org a", "line 1: `require DOMAIN"),
            ("require", "line 1: `require DOMAIN"),
            (
                "source a b 2026-01-01\nrequire Example.org a",
                "line 2: a domain in lower case",
            ),
            ("source a b 2026-01-01\nwarn org a", "line 2: a domain"),
            (
                "source a b 2026-01-01\nwarn a.b a\nrequire a.b a",
                "line 3: the domain stands twice",
            ),
        ] {
            let error = Starter::parse(text).unwrap_err();
            assert!(error.starts_with(why), "{text:?}: {error}");
        }
    }

    #[test]
    fn tls_4_an_old_list_holds_no_mail_back() {
        let list = Starter::parse(
            "as-of 2026-01-01\nsource a b 2026-01-01\nrequire example.org a\nwarn weak.test a",
        )
        .unwrap();
        let (young, last, old) = ("2026-01-01", "2028-01-01", "2028-01-02");
        for (domain, most, day, power) in [
            ("example.org", Power::Require, young, Power::Require),
            ("example.org", Power::Require, last, Power::Require),
            ("example.org", Power::Require, old, Power::Warn),
            ("example.org", Power::Off, old, Power::Off),
            ("example.net", Power::Require, young, Power::Off),
            ("weak.test", Power::Require, young, Power::Warn),
            ("weak.test", Power::Off, young, Power::Off),
        ] {
            let day = Day::parse(day).unwrap();
            assert_eq!(list.power(domain, most, day), power, "{domain} {day}");
        }
    }
}
