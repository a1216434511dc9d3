//! SORT and THREAD: two orders and two forests compared message by message.

use super::classes::CLASSES;
use super::compare::{self, Difference};
use super::mailset::Letter;
use super::session::Session;
use super::value::{self, Value};
use super::{Found, Pair};
use crate::report::Outcome;
use std::collections::BTreeMap;

/// What is sorted by.
const KEYS: &[&str] = &[
    "ARRIVAL",
    "DATE",
    "SUBJECT",
    "FROM",
    "TO",
    "CC",
    "SIZE",
    "REVERSE SUBJECT DATE",
];
/// Needs `SORT=DISPLAY` (RFC 5957).
const DISPLAYED: &[&str] = &["DISPLAYFROM", "DISPLAYTO"];
/// The algorithms of RFC 5256.
const THREADS: &[&str] = &["REFERENCES", "ORDEREDSUBJECT"];

/// So many places away a message may have moved because of one that it passed or stands beside.
const NEIGHBOURS: usize = 8;

/// Asks both for every order that both know.
pub fn compare(pair: &mut Pair<'_>, found: &mut Found) -> Outcome<()> {
    let both = |pair: &Pair<'_>, word: &str| pair.ours.can(word) && pair.theirs.can(word);
    let mut keys: Vec<&str> = Vec::new();
    if both(pair, "SORT") {
        keys.extend(KEYS);
    }
    if both(pair, "SORT=DISPLAY") {
        keys.extend(DISPLAYED);
    }
    for key in keys {
        sorted(pair, key, found)?;
    }
    for algorithm in THREADS {
        if both(pair, &format!("THREAD={algorithm}")) {
            threaded(pair, algorithm, found)?;
        }
    }
    Ok(())
}

/// The fewest messages that would have to move.
fn sorted(pair: &mut Pair<'_>, key: &str, found: &mut Found) -> Outcome<()> {
    let command = format!("UID SORT ({key}) UTF-8 ALL");
    let ours = compare::numbers(&pair.ours.demand(&command)?.untagged);
    let theirs = compare::numbers(&pair.theirs.demand(&command)?.untagged);
    let place_of: BTreeMap<u32, usize> = theirs
        .iter()
        .enumerate()
        .map(|(place, &uid)| (uid, place))
        .collect();
    let letters: BTreeMap<u32, (u32, &Letter)> = pair
        .letters
        .iter()
        .map(|&(ours, theirs, letter)| (ours, (theirs, letter)))
        .collect();
    let listed: Vec<(usize, &Letter)> = ours
        .iter()
        .filter_map(|uid| letters.get(uid))
        .filter_map(|(theirs, letter)| Some((*place_of.get(theirs)?, *letter)))
        .collect();
    found.compared += listed.len() as u64;
    if listed.len() != theirs.len() {
        let (ours, theirs) = (listed.len().to_string(), theirs.len().to_string());
        found.whole("SORT", key, &ours, &theirs);
    }
    let places: Vec<usize> = listed.iter().map(|(place, _)| *place).collect();
    for at in moved(&places) {
        let (place, letter) = listed[at];
        // With a few others it changed places: one of them may be the cause.
        let few = at.abs_diff(place) <= NEIGHBOURS;
        let near = at.min(place).saturating_sub(NEIGHBOURS)..=at.max(place) + NEIGHBOURS;
        let others = near.filter(|_| few).filter_map(|near| listed.get(near));
        let suspects = std::iter::once(letter).chain(others.map(|(_, letter)| *letter));
        blame(found, suspects, |letter| Difference {
            letter: Some(letter),
            item: format!("SORT {key}"),
            path: String::new(),
            ours: Value::Atom(at.to_string().into_bytes()),
            theirs: Value::Atom(place.to_string().into_bytes()),
        });
    }
    Ok(())
}

/// A message stands elsewhere because of what it is, or of what another is that it stands beside: the first that a class knows.
fn blame<'l>(
    found: &mut Found,
    suspects: impl Iterator<Item = &'l Letter>,
    difference: impl Fn(&'l Letter) -> Difference<'l>,
) {
    let differences: Vec<Difference<'l>> = suspects.map(difference).collect();
    let judged = |it: &&Difference<'l>| CLASSES.iter().any(|class| (class.fits)(it));
    if let Some(one) = differences.iter().find(judged).or(differences.first()) {
        found.add(one);
    }
}

/// Positions that are not in the longest ascending sequence.
fn moved(places: &[usize]) -> Vec<usize> {
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![usize::MAX; places.len()];
    for (at, place) in places.iter().enumerate() {
        let length = ends.partition_point(|&end| places[end] < *place);
        if length > 0 {
            before[at] = ends[length - 1];
        }
        if length == ends.len() {
            ends.push(at);
        } else {
            ends[length] = at;
        }
    }
    let mut kept = vec![false; places.len()];
    let mut next = ends.last().copied().unwrap_or(usize::MAX);
    while let Some(keep) = kept.get_mut(next) {
        *keep = true;
        next = before[next];
    }
    (0..places.len()).filter(|&at| !kept[at]).collect()
}

/// Each message's parent, and the first message of its thread.
fn threaded(pair: &mut Pair<'_>, algorithm: &str, found: &mut Found) -> Outcome<()> {
    let command = format!("UID THREAD {algorithm} UTF-8 ALL");
    let (ours, theirs) = (
        forest(&mut pair.ours, &command)?,
        forest(&mut pair.theirs, &command)?,
    );
    let our_names: BTreeMap<u32, &str> = pair
        .letters
        .iter()
        .map(|(uid, _, letter)| (*uid, letter.name.as_str()))
        .collect();
    let their_names: BTreeMap<u32, &str> = pair
        .letters
        .iter()
        .map(|(_, uid, letter)| (*uid, letter.name.as_str()))
        .collect();
    let shown = |place: Option<&Place>, names: &BTreeMap<u32, &str>| match place {
        None => Value::Nil,
        Some(place) => {
            let name =
                |uid: u32| Value::Text(names.get(&uid).copied().unwrap_or_default().as_bytes().to_vec());
            Value::List(vec![place.parent.map_or(Value::Nil, name), name(place.first)])
        }
    };
    for (our_uid, their_uid, letter) in &pair.letters {
        found.compared += 1;
        let (one, other) = (
            shown(ours.get(our_uid), &our_names),
            shown(theirs.get(their_uid), &their_names),
        );
        if one != other {
            let named = [&one, &other].map(|value| value.members().unwrap_or_default().to_vec());
            let named = named.concat();
            let is_named = |letter: &&Letter| {
                let name = Some(letter.name.as_bytes());
                named.iter().any(|value| value.octets() == name)
            };
            let others = pair.letters.iter().map(|(_, _, letter)| *letter).filter(is_named);
            blame(found, std::iter::once(*letter).chain(others), |letter| {
                Difference {
                    letter: Some(letter),
                    item: format!("THREAD {algorithm}"),
                    path: String::new(),
                    ours: one.clone(),
                    theirs: other.clone(),
                }
            });
        }
    }
    Ok(())
}

/// Where a message stands in its thread.
struct Place {
    parent: Option<u32>,
    first: u32,
}

fn forest(session: &mut Session, command: &str) -> Outcome<BTreeMap<u32, Place>> {
    let mut places = BTreeMap::new();
    for response in session.demand(command)?.untagged {
        if let Some(rest) = response.strip_prefix(b"* THREAD") {
            for thread in value::read(rest)? {
                let first = smallest(&thread);
                place(&thread, None, first, &mut places);
            }
        }
    }
    Ok(places)
}

/// `thread-list = "(" (thread-members / thread-nested) ")"` (RFC 5256 §5).
fn place(thread: &Value, above: Option<u32>, first: u32, places: &mut BTreeMap<u32, Place>) {
    let mut parent = above;
    for member in thread.members().unwrap_or_default() {
        match number(member) {
            Some(uid) => {
                places.insert(uid, Place { parent, first });
                parent = Some(uid);
            }
            None => place(member, parent, first, places),
        }
    }
}

fn smallest(thread: &Value) -> u32 {
    match thread {
        Value::List(members) => members.iter().map(smallest).min().unwrap_or(u32::MAX),
        other => number(other).unwrap_or(u32::MAX),
    }
}

fn number(value: &Value) -> Option<u32> {
    std::str::from_utf8(value.octets()?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_moved_is_named() {
        assert_eq!(moved(&[0, 1, 2, 3]), Vec::<usize>::new());
        assert_eq!(moved(&[0, 3, 1, 2]), vec![1]);
        assert_eq!(moved(&[]), Vec::<usize>::new());
    }

    #[test]
    fn parents_are_read_from_threads() {
        let threads = value::read(b"(2)(3 6 (4 23)(44 7))((8)(9))").unwrap();
        let mut places = BTreeMap::new();
        for thread in &threads {
            place(thread, None, smallest(thread), &mut places);
        }
        let parent = |uid: u32| places[&uid].parent;
        assert_eq!(
            (parent(2), parent(6), parent(4), parent(44), parent(7)),
            (None, Some(3), Some(6), Some(6), Some(44))
        );
        assert_eq!((parent(8), parent(9), places[&9].first), (None, None, 8));
    }
}
