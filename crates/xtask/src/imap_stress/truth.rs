//! What all clients together know: which message each UID is, what went, what was promised. Nobody may contradict it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Mutex;

use super::sight::Known;

/// One message's place: account, UIDVALIDITY, UID.
pub type Place = (usize, u32, u32);

/// Shared by all clients.
#[derive(Default)]
pub struct Truth {
    inner: Mutex<Inner>,
}

/// How many wrong things are told; one is enough to fail.
const TOLD: usize = 20;

#[derive(Default)]
struct Inner {
    markers: HashMap<Place, String>,
    /// places that an answer promised
    placed: HashSet<Place>,
    gone: HashSet<Place>,
    /// CLOSE expunges without saying what
    may_be_gone: HashSet<Place>,
    replaced: HashSet<Place>,
    /// the keyword that only one client sets, as last acknowledged
    keywords: HashMap<(Place, usize), bool>,
    flags_at: HashMap<(Place, u64), (BTreeSet<String>, String)>,
    /// the largest UIDNEXT and HIGHESTMODSEQ told of a mailbox
    highest: HashMap<(usize, u32), (u32, u64)>,
    names: HashMap<String, u32>,
    validities: HashMap<(usize, u32), String>,
    delivered: BTreeMap<String, usize>,
    wrong: Vec<String>,
    found: usize,
    /// things done, by name
    done: BTreeMap<&'static str, u64>,
}

impl Truth {
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// Something is wrong.
    pub fn wrong(&self, what: String) {
        self.with(|inner| {
            inner.found += 1;
            if inner.wrong.len() < TOLD {
                inner.wrong.push(what);
            }
        });
    }

    /// Counts something done.
    pub fn count(&self, what: &'static str) {
        self.with(|inner| *inner.done.entry(what).or_default() += 1);
    }

    /// A place was seen to hold a message.
    pub fn marker(&self, place: Place, marker: &str) {
        let before = self.with(|inner| inner.markers.insert(place, marker.to_owned()));
        if before.as_deref().is_some_and(|before| before != marker) {
            self.wrong(format!("{place:?} was message {before:?} and is {marker:?}"));
        }
    }

    /// Which message is at a place, if somebody saw it.
    pub fn marker_of(&self, place: Place) -> Option<String> {
        self.with(|inner| inner.markers.get(&place).cloned())
    }

    /// An answer promised that a message is at this place: a new one.
    pub fn placed(&self, place: Place, marker: Option<&str>) {
        if !self.with(|inner| inner.placed.insert(place)) {
            self.wrong(format!("{place:?} was given twice"));
        }
        if let Some(marker) = marker {
            self.marker(place, marker);
        }
    }

    /// Somebody was told that it went.
    pub fn gone(&self, place: Place) {
        self.with(|inner| inner.gone.insert(place));
    }

    /// It may have gone.
    pub fn may_be_gone(&self, place: Place) {
        self.with(|inner| inner.may_be_gone.insert(place));
    }

    /// Somebody is about to replace its flags: keywords may be lost.
    pub fn replaced(&self, place: Place) {
        self.with(|inner| inner.replaced.insert(place));
    }

    /// A client's own keyword was acknowledged.
    pub fn keyword(&self, place: Place, client: usize, set: bool) {
        self.with(|inner| inner.keywords.insert((place, client), set));
    }

    /// One mod-sequence of a message means one set of flags, for everybody.
    pub fn flags(&self, place: Place, known: &Known, who: &str) {
        let Some(flags) = &known.flags else { return };
        if known.modseq == 0 || known.modseq != known.flags_at {
            return;
        }
        let now = (flags.clone(), who.to_owned());
        let before = self.with(|inner| inner.flags_at.insert((place, known.modseq), now));
        if let Some((before, other)) = before.filter(|(before, _)| before != flags) {
            let modseq = known.modseq;
            self.wrong(format!(
                "{place:?} at MODSEQ {modseq}: {flags:?} {who}; {before:?} {other}"
            ));
        }
    }

    /// What was told of a mailbox so far: nothing later may be less.
    pub fn highest(&self, mailbox: (usize, u32)) -> (u32, u64) {
        self.with(|inner| inner.highest.get(&mailbox).copied().unwrap_or_default())
    }

    /// UIDNEXT and HIGHESTMODSEQ as told now; `before` is what was known when the question was sent.
    pub fn tell_highest(&self, mailbox: (usize, u32), before: (u32, u64), now: (u32, u64)) {
        if now.0 < before.0 || now.1 < before.1 {
            self.wrong(format!(
                "{mailbox:?}: UIDNEXT and HIGHESTMODSEQ fell from {before:?} to {now:?}"
            ));
        }
        self.with(|inner| {
            let highest = inner.highest.entry(mailbox).or_default();
            *highest = (highest.0.max(now.0), highest.1.max(now.1));
        });
    }

    /// A mailbox's identifier and UIDVALIDITY belong together.
    pub fn identity(&self, account: usize, id: &str, validity: u32) {
        let (by_id, by_validity) = self.with(|inner| {
            (
                inner.names.insert(id.to_owned(), validity),
                inner.validities.insert((account, validity), id.to_owned()),
            )
        });
        if by_id.is_some_and(|before| before != validity) || by_validity.is_some_and(|before| before != id) {
            self.wrong(format!(
                "mailbox {id} and UIDVALIDITY {validity} do not belong together any more"
            ));
        }
    }

    /// A delivery was acknowledged.
    pub fn delivered(&self, marker: &str, account: usize) {
        self.with(|inner| inner.delivered.insert(marker.to_owned(), account));
    }

    /// At the end: what is in a mailbox now must be what was promised.
    pub fn compare(&self, mailbox: (usize, u32), present: &BTreeMap<u32, Known>) {
        let mut wrong = Vec::new();
        self.with(|inner| {
            let here = |place: &&Place| (place.0, place.1) == mailbox;
            for place in inner.placed.iter().filter(here) {
                let excused = inner.gone.contains(place) || inner.may_be_gone.contains(place);
                if !excused && !present.contains_key(&place.2) {
                    wrong.push(format!("{place:?} was promised and is not there"));
                }
            }
            for place in inner.gone.iter().filter(here) {
                if present.contains_key(&place.2) {
                    wrong.push(format!("{place:?} went and is there"));
                }
            }
            for ((place, client), set) in inner.keywords.iter().filter(|((place, _), _)| here(&place)) {
                let flags = present.get(&place.2).and_then(|known| known.flags.as_ref());
                let kept = flags.is_none_or(|flags| flags.contains(&keyword(*client)) == *set);
                if !kept && !inner.replaced.contains(place) {
                    wrong.push(format!("{place:?} lost a change of client {client}"));
                }
            }
        });
        wrong.into_iter().for_each(|what| self.wrong(what));
    }

    /// At the end, when all that is there has been seen: every acknowledged delivery was.
    pub fn compare_deliveries(&self) {
        let lost = self.with(|inner| {
            let seen: HashSet<&String> = inner.markers.values().collect();
            let lost = inner.delivered.keys().filter(|marker| !seen.contains(marker));
            lost.cloned().collect::<Vec<_>>()
        });
        for marker in lost {
            self.wrong(format!("{marker} was delivered and nobody ever saw it"));
        }
    }

    /// What was done, and what was found wrong.
    pub fn report(&self) -> (String, usize, Vec<String>) {
        self.with(|inner| {
            let done: Vec<String> = inner
                .done
                .iter()
                .map(|(what, times)| format!("{what} {times}"))
                .collect();
            (done.join(", "), inner.found, inner.wrong.clone())
        })
    }
}

/// The keyword that only this client sets.
pub fn keyword(client: usize) -> String {
    format!("client{client}")
}
