//! `QRESYNC (…)` of SELECT and EXAMINE (RFC 7162 §3.2.5, §7).

use super::Trouble;
use super::common::sequence_set;
use super::cursor::{Cursor, Parsed};
use crate::command::Resync;
use crate::set::{Bound, SequenceSet};

/// `SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`,
/// `seq-match-data = "(" known-sequence-set SP known-uid-set ")"`; no set may hold `*` or be `$`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Resync> {
    cursor.space()?;
    cursor.token()?;
    cursor.need(
        b'(',
        "QRESYNC wants UIDVALIDITY and a mod-sequence in parentheses",
    )?;
    let uidvalidity = cursor.nonzero()?;
    cursor.space()?;
    let modseq = cursor.number64()?;
    let (mut known_uids, mut matches) = (None, None);
    if cursor.eat(b' ') {
        if cursor.peek() != Some(b'(') {
            known_uids = Some(plain_set(cursor)?);
            if cursor.eat(b' ') {
                matches = Some(pairs(cursor)?);
            }
        } else {
            matches = Some(pairs(cursor)?);
        }
    }
    cursor.need(b')', "The parameters of QRESYNC do not end")?;
    Ok(Resync {
        uidvalidity,
        modseq,
        known_uids,
        matches,
    })
}

fn pairs(cursor: &mut Cursor<'_>) -> Parsed<(SequenceSet, SequenceSet)> {
    cursor.token()?;
    cursor.need(b'(', "Sequence numbers and UIDs in parentheses are missing")?;
    let numbers = plain_set(cursor)?;
    cursor.space()?;
    let uids = plain_set(cursor)?;
    cursor.need(b')', "The sequence numbers and UIDs do not end")?;
    Ok((numbers, uids))
}

fn plain_set(cursor: &mut Cursor<'_>) -> Parsed<SequenceSet> {
    let set = sequence_set(cursor)?;
    let star = |&(from, to): &(Bound, Bound)| from == Bound::Largest || to == Bound::Largest;
    if set.is_saved() || set.as_written().iter().any(star) {
        Err(Trouble::bad("What a client remembers cannot be * or $"))
    } else {
        Ok(set)
    }
}
