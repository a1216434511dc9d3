//! Telling and keeping what SEARCH and SORT found (RFC 4731 §3, RFC 5182 §2, RFC 7162 §3.1.10, RFC 9394 §3.1).

use imap::command::{Numbers, Returns, Tag};
use imap::name::MailboxName;
use imap::out::{Esearch, Out};
use store::uids::UidSet;

use super::find::Hit;

/// Writes the ESEARCH response that `returns` asks for, of hits in their order; none when it only asks to keep them.
pub(crate) fn tell(out: &mut Out, tag: &Tag, hits: &[Hit], how: (Numbers, Returns, bool)) {
    tell_of(out, (tag, None), hits, how);
}

/// The same, which says of which mailbox, with its UIDVALIDITY (RFC 7377 §2.1).
pub(crate) fn tell_of(
    out: &mut Out,
    (tag, mailbox): (&Tag, Option<(&MailboxName, u32)>),
    hits: &[Hit],
    (numbers, returns, with_modseq): (Numbers, Returns, bool),
) {
    if !returns.wants_answer() {
        return;
    }
    let number = |hit: &Hit| number_of(hit, numbers);
    let all: Option<Vec<u32>> = returns.all.then(|| hits.iter().map(number).collect());
    let partial = returns.partial.map(|range| {
        let part: Vec<u32> = range.of(hits).iter().map(number).collect();
        (range, part)
    });
    let highest = chosen(hits, returns).map(|hit| hit.modseq).max();
    out.esearch(&Esearch {
        tag,
        mailbox,
        uid: numbers == Numbers::Uid,
        min: hits.first().filter(|_| returns.min).map(number),
        max: hits.last().filter(|_| returns.max).map(number),
        count: returns.count.then_some(hits.len() as u32),
        all: all.as_deref(),
        partial: partial.as_ref().map(|(range, part)| (*range, part.as_slice())),
        modseq: highest.filter(|_| with_modseq),
    });
}

/// What `$` is after `SAVE`.
pub(crate) fn kept(hits: &[Hit], returns: Returns) -> UidSet {
    UidSet::from_uids(chosen(hits, returns).map(|hit| hit.uid))
}

/// The number that the client wants to hear.
pub(crate) fn number_of(hit: &Hit, numbers: Numbers) -> u32 {
    match numbers {
        Numbers::Uid => hit.uid,
        Numbers::Sequence => hit.seq,
    }
}

/// The messages that the options are about: MIN, MAX and PARTIAL alone are about the messages they name, everything else is about
/// all (RFC 5182 §2.4, RFC 7162 §3.1.10, RFC 9394 §3.4).
fn chosen(hits: &[Hit], returns: Returns) -> impl Iterator<Item = &Hit> {
    let some = returns.min || returns.max || returns.partial.is_some();
    let everything = returns.all || returns.count || !some;
    let part = |wanted: bool, part: &'_ [Hit]| if wanted { part.len() } else { 0 };
    let (all, first, last) = (
        part(everything, hits),
        part(returns.min, hits),
        part(returns.max, hits),
    );
    let partial = returns.partial.map_or(&[][..], |range| range.of(hits));
    hits[..all]
        .iter()
        .chain(hits.iter().take(first.min(1)))
        .chain(hits.iter().rev().take(last.min(1)))
        .chain(partial)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use imap::command::PartialRange;
    use mail::ids::{Id as _, MessageId};

    use super::*;

    fn hits(uids: &[u32]) -> Vec<Hit> {
        let hit = |(at, &uid): (usize, &u32)| Hit {
            seq: at as u32 + 1,
            uid,
            modseq: u64::from(100 - uid),
            message: MessageId::from_raw(u64::from(uid)),
        };
        uids.iter().enumerate().map(hit).collect()
    }

    /// Options, of a search that found the UIDs 3, 5, 6, 9; the answer; what is kept.
    #[test]
    fn options_say_what_is_told_and_kept() {
        let nothing = Returns::default();
        let place = |place| NonZeroU32::new(place).expect("not 0");
        let partial = |from_end, one, other| {
            let range = PartialRange::new(from_end, place(one), place(other));
            Returns {
                partial: Some(range),
                ..nothing
            }
        };
        let min = Returns { min: true, ..nothing };
        let max = Returns { max: true, ..nothing };
        let count = Returns {
            count: true,
            ..nothing
        };
        for (returns, told, kept_uids) in [
            (nothing, "", &[3, 5, 6, 9][..]),
            (Returns::ALL, "ALL 3,5:6,9 MODSEQ 97", &[3, 5, 6, 9]),
            (min, "MIN 3 MODSEQ 97", &[3]),
            (max, "MAX 9 MODSEQ 91", &[9]),
            (Returns { max: true, ..min }, "MIN 3 MAX 9 MODSEQ 97", &[3, 9]),
            (
                Returns { min: true, ..count },
                "MIN 3 COUNT 4 MODSEQ 97",
                &[3, 5, 6, 9],
            ),
            (count, "COUNT 4 MODSEQ 97", &[3, 5, 6, 9]),
            (partial(false, 2, 3), "PARTIAL (2:3 5:6) MODSEQ 95", &[5, 6]),
            (partial(true, 1, 2), "PARTIAL (-1:-2 6,9) MODSEQ 94", &[6, 9]),
            (partial(false, 5, 6), "PARTIAL (5:6 NIL)", &[]),
            (
                Returns {
                    min: true,
                    ..partial(true, 1, 1)
                },
                "MIN 3 PARTIAL (-1:-1 9) MODSEQ 97",
                &[3, 9],
            ),
        ] {
            let hits = hits(&[3, 5, 6, 9]);
            let mut out = Out::new();
            let tag = Tag::new(b"a").unwrap();
            tell(&mut out, &tag, &hits, (Numbers::Uid, returns, true));
            let line = String::from_utf8(out.take()).unwrap();
            let expected = match told {
                "" => String::new(),
                told => format!("* ESEARCH (TAG \"a\") UID {told}\r\n"),
            };
            assert_eq!(line, expected, "{returns:?}");
            let wanted = UidSet::from_uids(kept_uids.iter().copied());
            assert_eq!(kept(&hits, returns), wanted, "{returns:?}");
        }
    }

    #[test]
    fn of_nothing_only_the_count_is_told() {
        let asked = Returns {
            min: true,
            max: true,
            count: true,
            ..Returns::ALL
        };
        let mut out = Out::new();
        let tag = Tag::new(b"a").unwrap();
        tell(&mut out, &tag, &[], (Numbers::Sequence, asked, true));
        assert_eq!(out.bytes(), b"* ESEARCH (TAG \"a\") COUNT 0\r\n");
        assert!(kept(&[], asked).is_empty());
    }
}
