//! Saved searches (RFC 5466): they are kept as metadata of the account, and their keys are put in the place of FILTER before a
//! search begins. What one holds counts as if it stood in parentheses.

use imap::answer::Answer;
use imap::command::{Command, SearchKey, SetMetadata};
use imap::filter::FilterName;
use imap::limits::FILTER_BYTES;
use imap::out::Code;
use imap::parse::saved_search;
use mailbox::Opened;
use store::contract::MetadataRow;
use store::uids::UidSet;

use super::session::{Cx, Proof, User};
use crate::limits::{FILTER_PASSES, SEARCH_KEYS};

/// Whether the command names a saved search.
pub(crate) fn are_in(command: &Command) -> bool {
    keys_of(command).is_some_and(|keys| keys.iter().any(SearchKey::uses_filter))
}

/// Puts the keys of saved searches in their place. `None`: it was refused, and answered so; a result that was to be kept is
/// empty then (RFC 5182 §2.1).
pub(crate) async fn put_in(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: Option<&mut Opened>,
    command: &mut Command,
    answer: Answer<Proof>,
) -> Option<Answer<Proof>> {
    let keys = keys_of(command).unwrap_or_default();
    let found = match user.person.metadata().await {
        Ok(rows) => substituted(keys, |name| value_of(&rows, name)),
        Err(error) => {
            let refusal = cx.refusal(user, &error);
            answer.no(&mut cx.io.out, refusal.code, &refusal.text);
            return None;
        }
    };
    let out = &mut cx.io.out;
    match found {
        Ok(keys) => put(command, keys),
        Err(trouble) => {
            if let Some(opened) = opened.filter(|_| saves(command)) {
                opened.save(UidSet::new());
            }
            match trouble {
                Trouble::Undefined(name) => {
                    let text = "There is no saved search of that name, or it is not whole";
                    answer.no(out, Some(Code::UndefinedFilter(&name)), text);
                }
                Trouble::TooMuch => {
                    let text = format!("With its saved searches it has more than {SEARCH_KEYS} keys");
                    answer.no(out, Some(Code::Limit), &text);
                }
            }
            return None;
        }
    }
    if speaks_of_selected(command) {
        let text = "A saved search speaks of sequence numbers, which belong to the open mailbox";
        answer.bad(out, None, text);
        return None;
    }
    Some(answer)
}

/// Why SETMETADATA would save something that is no search (RFC 5466 §3.2).
pub(crate) fn refusal(set: &SetMetadata) -> Option<(Code<'static>, &'static str)> {
    if set.mailbox.is_some() {
        return None;
    }
    set.entries.iter().find_map(|(entry, value)| {
        let name = FilterName::of_entry(entry)?;
        let value = value.as_deref()?;
        if name.is_none() {
            return Some((Code::Cannot, "That cannot be the name of a saved search"));
        }
        if value.len() > FILTER_BYTES {
            let code = Code::MetadataMaxSize(FILTER_BYTES as u64);
            return Some((code, "A saved search is not that long"));
        }
        let whole = saved_search(value).is_some();
        (!whole).then_some((Code::Cannot, "That is no whole search, or not in UTF-8"))
    })
}

fn keys_of(command: &Command) -> Option<&[SearchKey]> {
    match command {
        Command::Search(search) => Some(&search.keys),
        Command::Sort(sort) => Some(&sort.search.keys),
        Command::Thread(thread) => Some(&thread.search.keys),
        Command::MultiSearch(asked) => Some(&asked.search.keys),
        _ => None,
    }
}

fn put(command: &mut Command, keys: Vec<SearchKey>) {
    match command {
        Command::Search(search) => search.keys = keys,
        Command::Sort(sort) => sort.search.keys = keys,
        Command::Thread(thread) => thread.search.keys = keys,
        Command::MultiSearch(asked) => asked.search.keys = keys,
        _ => {}
    }
}

fn saves(command: &Command) -> bool {
    let returns = match command {
        Command::Search(search) => search.returns,
        Command::Sort(sort) => sort.returns,
        Command::MultiSearch(asked) => asked.search.returns,
        _ => None,
    };
    returns.is_some_and(|returns| returns.save)
}

/// What the parser refuses in a search of several mailboxes, and cannot see in a saved search (RFC 7377 §2.2).
fn speaks_of_selected(command: &Command) -> bool {
    match command {
        Command::MultiSearch(asked) => {
            !asked.only_selected() && asked.search.keys.iter().any(SearchKey::is_of_selected)
        }
        _ => false,
    }
}

/// A person's own counts before everybody's (RFC 5466 §1).
fn value_of<'r>(rows: &'r [MetadataRow], name: &FilterName) -> Option<&'r [u8]> {
    let [own, shared] = name.entries();
    let find = |entry: &str| {
        rows.iter()
            .find(|row| row.mailbox.is_none() && row.entry == entry)
    };
    find(&own).or_else(|| find(&shared)).map(|row| row.value.as_ref())
}

/// Why saved searches cannot be put in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// it is not there, is no search, or lies too deep (RFC 5466 §3.1)
    Undefined(FilterName),
    /// there are too many keys
    TooMuch,
}

/// The keys without FILTER. A circle is too deep in the end.
fn substituted<'v>(
    keys: &[SearchKey],
    value_of: impl Fn(&FilterName) -> Option<&'v [u8]>,
) -> Result<Vec<SearchKey>, Trouble> {
    let mut substitution = Substitution {
        value_of,
        keys_left: SEARCH_KEYS,
    };
    substitution.all(keys, FILTER_PASSES)
}

struct Substitution<F> {
    value_of: F,
    keys_left: usize,
}

impl<'v, F: Fn(&FilterName) -> Option<&'v [u8]>> Substitution<F> {
    fn all(&mut self, keys: &[SearchKey], passes_left: usize) -> Result<Vec<SearchKey>, Trouble> {
        keys.iter().map(|key| self.one(key, passes_left)).collect()
    }

    fn one(&mut self, key: &SearchKey, passes_left: usize) -> Result<SearchKey, Trouble> {
        self.keys_left = self.keys_left.checked_sub(1).ok_or(Trouble::TooMuch)?;
        Ok(match key {
            SearchKey::And(keys) => SearchKey::And(self.all(keys, passes_left)?),
            SearchKey::Not(key) => SearchKey::Not(Box::new(self.one(key, passes_left)?)),
            SearchKey::Or(one, other) => SearchKey::Or(
                Box::new(self.one(one, passes_left)?),
                Box::new(self.one(other, passes_left)?),
            ),
            SearchKey::Filter(name) => {
                let undefined = || Trouble::Undefined(name.clone());
                let passes_left = passes_left.checked_sub(1).ok_or_else(undefined)?;
                let value = (self.value_of)(name).ok_or_else(undefined)?;
                let keys = saved_search(value).ok_or_else(undefined)?;
                SearchKey::And(self.all(&keys, passes_left)?)
            }
            other => other.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FilterName {
        FilterName::new(text.as_bytes()).unwrap()
    }

    fn row(entry: &str, value: &str) -> MetadataRow {
        MetadataRow {
            mailbox: None,
            entry: entry.to_owned(),
            value: value.as_bytes().to_vec().into(),
        }
    }

    /// What a search is with some saved ones, given as `name=value`.
    fn with(saved: &[(&str, &str)], search: &str) -> Result<Vec<SearchKey>, Trouble> {
        let keys = saved_search(search.as_bytes()).unwrap();
        substituted(&keys, |wanted| {
            let found = saved.iter().find(|(name, _)| *name == wanted.as_str());
            found.map(|(_, value)| value.as_bytes())
        })
    }

    #[test]
    fn saved_searches_stand_as_if_in_parentheses() {
        let saved = [
            ("boss", "OR SMALLER 5000 FROM \"boss\""),
            ("two", "SEEN FLAGGED"),
            ("deep", "NOT FILTER boss"),
        ];
        for (search, same_as) in [
            ("UID 1:9 FILTER boss", "UID 1:9 (OR SMALLER 5000 FROM \"boss\")"),
            ("NOT FILTER two", "NOT (SEEN FLAGGED)"),
            (
                "OR FILTER two FILTER deep",
                "OR (SEEN FLAGGED) (NOT (OR SMALLER 5000 FROM \"boss\"))",
            ),
            ("(ALL FILTER two)", "(ALL (SEEN FLAGGED))"),
        ] {
            let wanted = saved_search(same_as.as_bytes()).unwrap();
            assert_eq!(with(&saved, search), Ok(wanted), "{search}");
        }
    }

    #[test]
    fn imp_3_saved_searches_do_not_swell() {
        let many = "FILTER b ".repeat(100);
        let saved = [
            ("circle", "FILTER circle"),
            ("ping", "FILTER pong"),
            ("pong", "FILTER ping"),
            ("broken", "OR SMALLER"),
            ("a", many.trim_end()),
            ("b", "SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN"),
        ];
        for (search, trouble) in [
            ("FILTER circle", Trouble::Undefined(name("circle"))),
            ("FILTER ping", Trouble::Undefined(name("ping"))),
            ("FILTER absent", Trouble::Undefined(name("absent"))),
            ("FILTER broken", Trouble::Undefined(name("broken"))),
            ("FILTER a", Trouble::TooMuch),
        ] {
            assert_eq!(with(&saved, search), Err(trouble), "{search}");
        }
    }

    #[test]
    fn three_passes_are_made_at_least() {
        let saved: Vec<(String, String)> = (0..FILTER_PASSES)
            .map(|at| (format!("f{at}"), format!("FILTER f{}", at + 1)))
            .chain([(format!("f{FILTER_PASSES}"), "SEEN".to_owned())])
            .collect();
        let saved: Vec<(&str, &str)> = saved
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert!(FILTER_PASSES >= 3 && with(&saved, "FILTER f1").is_ok());
        let last = name(&format!("f{FILTER_PASSES}"));
        assert_eq!(with(&saved, "FILTER f0"), Err(Trouble::Undefined(last)));
    }

    #[test]
    fn ones_own_counts_before_everybodys() {
        let own = row("/private/filters/values/x", "SEEN");
        let shared = row("/shared/filters/values/x", "UNSEEN");
        let of_mailbox = MetadataRow {
            mailbox: Some(mail::ids::Id::from_raw(1)),
            ..own.clone()
        };
        let rows = [of_mailbox, shared.clone(), own];
        assert_eq!(value_of(&rows, &name("X")), Some(&b"SEEN"[..]));
        assert_eq!(value_of(&[shared], &name("x")), Some(&b"UNSEEN"[..]));
        assert_eq!(value_of(&rows[..1], &name("x")), None);
    }
}
