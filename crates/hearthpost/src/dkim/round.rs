//! One round over all keys: every key takes its next step, the newest first, so that an older one hears of its successor at once. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::entry::Entry;
use super::life::{self, Facts, Next, Order, Seen, Stage};
use crate::limits::DKIM_SETTLE;

/// What is known beside the keys.
pub struct Known<'a> {
    /// milliseconds since 1970
    pub now_ms: u64,
    /// what DNS shows, by the record's name; what is not here was not asked
    pub seen: &'a BTreeMap<String, Seen>,
    /// whether keys of ours may sign for a domain
    pub wanted: &'a (dyn Fn(&str) -> bool + Sync),
    /// how long records stay for mail in flight
    pub keep: Duration,
    /// what an operator wishes of which record
    pub order: Option<(&'a str, Order)>,
}

/// A step that somebody should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// where the key's record is
    pub name: String,
    /// where it stood
    pub before: Stage,
    /// where it stands; `None`: it is forgotten
    pub after: Option<Stage>,
    /// what DNS shows
    pub seen: Seen,
}

/// Moves all keys on. What does not change is not told.
pub fn advance(entries: &mut Vec<Entry>, known: &Known<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    for place in (0..entries.len()).rev() {
        let facts = facts(entries, place, known);
        let entry = &mut entries[place];
        if facts.seen == Seen::Right {
            entry.seen_ms = Some(known.now_ms);
        }
        let (before, name) = (entry.stage, entry.name());
        match life::next(before, facts) {
            Next::To(after) if after == before => {}
            next => {
                let after = match next {
                    Next::To(after) => Some(after),
                    Next::Gone => None,
                };
                steps.push(Step {
                    name,
                    before,
                    after,
                    seen: facts.seen,
                });
                match after {
                    Some(after) => {
                        entry.stage = after;
                        entry.ended_by_operator |= facts.order == Some(Order::Retire);
                    }
                    None => drop(entries.remove(place)),
                }
            }
        }
    }
    steps
}

/// Keys stand in the order in which they were made.
fn facts(entries: &[Entry], place: usize, known: &Known<'_>) -> Facts {
    let entry = &entries[place];
    let name = entry.name();
    let signs = |other: &Entry| other.is_like(entry) && matches!(other.stage, Stage::Signing { .. });
    let newer_signs = entries[place + 1..].iter().any(signs);
    let order = known
        .order
        .filter(|(whose, _)| *whose == name)
        .map(|(_, order)| order);
    Facts {
        now_ms: known.now_ms,
        seen: known.seen.get(&name).copied().unwrap_or(Seen::Unknown),
        // A key that was lost cannot sign.
        wanted: (known.wanted)(&entry.domain) && (entry.key.is_some() || !entry.stage.needs_key()),
        newer_signs,
        another_signs: newer_signs || entries[..place].iter().any(signs),
        keep: known.keep,
        settle: DKIM_SETTLE,
        order,
    }
}
