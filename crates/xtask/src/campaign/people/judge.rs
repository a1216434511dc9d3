//! What may be found after a crash, of what was acknowledged before it and of the one change that was under way: wholly or not at
//! all (DUR-5). Pure; reading is `people.rs`.

use std::collections::{BTreeMap, BTreeSet};

/// Where a message is and how it is flagged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) folder: usize,
    pub(super) uid: u64,
    pub(super) flagged: bool,
}

/// The change that was sent and not yet answered.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    /// one message, or several in one command (RFC 3502)
    Append {
        folder: usize,
        seqs: Vec<u64>,
    },
    /// one message in the place of another (RFC 8508)
    Replace {
        old: u64,
        new: u64,
        folder: usize,
        flagged: bool,
    },
    Flag(u64),
    Move {
        seq: u64,
        to: usize,
    },
    Expunge(u64),
    /// the tree of folders gets this root
    Rename {
        to: usize,
    },
}

impl Pending {
    /// Which kind of change it is, for counting.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Append { seqs, .. } if seqs.len() > 1 => "APPEND of several",
            Self::Append { .. } => "APPEND",
            Self::Replace { .. } => "REPLACE",
            Self::Flag(_) => "STORE",
            Self::Move { .. } => "MOVE",
            Self::Expunge(_) => "EXPUNGE",
            Self::Rename { .. } => "RENAME",
        }
    }
}

/// The model before the crash.
pub(super) struct Before<'a> {
    /// messages that were acknowledged, by their sequence numbers
    pub(super) messages: &'a BTreeMap<u64, State>,
    /// messages that are known to be gone, or never to have come
    pub(super) gone: &'a BTreeSet<u64>,
    /// what was under way
    pub(super) pending: Option<&'a Pending>,
}

/// Compares with what was found. Returns what is wrong, in words.
pub(super) fn judge(before: &Before<'_>, found: &BTreeMap<u64, State>) -> Vec<String> {
    let kept = before
        .messages
        .iter()
        .filter_map(|(seq, wanted)| known(*seq, wanted, before.pending, found));
    let new = found
        .iter()
        .filter(|(seq, _)| !before.messages.contains_key(seq))
        .filter_map(|(seq, state)| unknown(*seq, state, before));
    kept.chain(new).chain(in_part(before.pending, found)).collect()
}

/// A message that was acknowledged.
fn known(
    seq: u64,
    wanted: &State,
    pending: Option<&Pending>,
    found: &BTreeMap<u64, State>,
) -> Option<String> {
    let successor = match pending {
        Some(Pending::Replace { old, new, .. }) if *old == seq => found.contains_key(new),
        _ => false,
    };
    let Some(state) = found.get(&seq) else {
        let may_be_gone = successor || matches!(pending, Some(Pending::Expunge(going)) if *going == seq);
        return (!may_be_gone).then(|| format!("message {seq} is lost (under way: {pending:?})"));
    };
    if successor {
        return Some(format!(
            "message {seq} was replaced and is still there: {pending:?}"
        ));
    }
    let flag_may_differ = matches!(pending, Some(Pending::Flag(under_way)) if *under_way == seq);
    if state.flagged != wanted.flagged && !flag_may_differ {
        return Some(format!(
            "message {seq} lost a flag change: {wanted:?}, found {state:?}"
        ));
    }
    let moved =
        matches!(pending, Some(Pending::Move { seq: moving, to }) if *moving == seq && *to == state.folder);
    ((state.folder, state.uid) != (wanted.folder, wanted.uid) && !moved)
        .then(|| format!("message {seq} is elsewhere: {wanted:?}, found {state:?}"))
}

/// A message that was not acknowledged and is there.
fn unknown(seq: u64, state: &State, before: &Before<'_>) -> Option<String> {
    let may_be = match before.pending {
        Some(Pending::Append { folder, seqs }) if seqs.contains(&seq) => Some((*folder, false)),
        Some(Pending::Replace {
            new, folder, flagged, ..
        }) if *new == seq => Some((*folder, *flagged)),
        _ => None,
    };
    match may_be {
        Some(wanted) if wanted == (state.folder, state.flagged) => None,
        Some(wanted) => Some(format!(
            "message {seq} came otherwise than sent: {wanted:?}, found {state:?}"
        )),
        None if before.gone.contains(&seq) => Some(format!("message {seq} was gone and came back")),
        None => Some(format!("message {seq} was never stored")),
    }
}

/// Several messages of one APPEND: all or none (RFC 3502).
fn in_part(pending: Option<&Pending>, found: &BTreeMap<u64, State>) -> Option<String> {
    let Some(Pending::Append { seqs, .. }) = pending else {
        return None;
    };
    let came = seqs.iter().filter(|seq| found.contains_key(seq)).count();
    (came != 0 && came != seqs.len()).then(|| format!("{came} of {} messages of one APPEND came", seqs.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found = Vec<(u64, State)>;

    fn at(folder: usize, uid: u64, flagged: bool) -> State {
        State { folder, uid, flagged }
    }

    /// What is found beside the one acknowledged message 1 (folder 0, UID 3, flagged) and message 9, which is gone.
    fn complaints(pending: Option<Pending>, found: &[(u64, State)]) -> Vec<String> {
        let messages = BTreeMap::from([(1, at(0, 3, true))]);
        let gone = BTreeSet::from([9]);
        let before = Before {
            messages: &messages,
            gone: &gone,
            pending: pending.as_ref(),
        };
        judge(&before, &found.iter().cloned().collect())
    }

    #[test]
    fn dur_5_what_is_under_way_may_hold_wholly_or_not_at_all() {
        let replace = || {
            Some(Pending::Replace {
                old: 1,
                new: 2,
                folder: 1,
                flagged: true,
            })
        };
        let append = || {
            Some(Pending::Append {
                folder: 1,
                seqs: vec![2, 3],
            })
        };
        let old = || (1, at(0, 3, true));
        let good: [(Option<Pending>, Found); 11] = [
            (None, vec![old()]),
            (Some(Pending::Flag(1)), vec![(1, at(0, 3, false))]),
            (Some(Pending::Move { seq: 1, to: 1 }), vec![(1, at(1, 8, true))]),
            (Some(Pending::Move { seq: 1, to: 1 }), vec![old()]),
            (Some(Pending::Expunge(1)), vec![]),
            (Some(Pending::Expunge(1)), vec![old()]),
            (Some(Pending::Rename { to: 1 }), vec![old()]),
            (replace(), vec![old()]),
            (replace(), vec![(2, at(1, 1, true))]),
            (append(), vec![old()]),
            (append(), vec![old(), (2, at(1, 1, false)), (3, at(1, 2, false))]),
        ];
        for (pending, found) in good {
            let told = format!("{pending:?} {found:?}");
            assert_eq!(complaints(pending, &found), [""; 0], "{told}");
        }
    }

    #[test]
    fn dur_5_what_was_acknowledged_and_halves_are_noticed() {
        let replace = || {
            Some(Pending::Replace {
                old: 1,
                new: 2,
                folder: 1,
                flagged: true,
            })
        };
        let append = Some(Pending::Append {
            folder: 1,
            seqs: vec![2, 3],
        });
        let old = || (1, at(0, 3, true));
        let bad: [(Option<Pending>, Found, &str); 11] = [
            (None, vec![], "is lost"),
            (None, vec![(1, at(0, 3, false))], "lost a flag change"),
            (None, vec![(1, at(1, 3, true))], "is elsewhere"),
            (None, vec![(1, at(0, 4, true))], "is elsewhere"),
            (None, vec![old(), (9, at(0, 4, true))], "came back"),
            (None, vec![old(), (8, at(0, 4, true))], "never stored"),
            (
                Some(Pending::Move { seq: 1, to: 1 }),
                vec![(1, at(2, 3, true))],
                "is elsewhere",
            ),
            (replace(), vec![], "is lost"),
            (replace(), vec![old(), (2, at(1, 1, true))], "still there"),
            (replace(), vec![(2, at(1, 1, false))], "otherwise than sent"),
            (append, vec![old(), (3, at(1, 1, false))], "1 of 2 messages"),
        ];
        for (pending, found, wanted) in bad {
            let told = format!("{pending:?} {found:?}");
            let complaints = complaints(pending, &found);
            assert!(
                complaints.len() == 1 && complaints[0].contains(wanted),
                "{told}: {complaints:?}"
            );
        }
    }
}
