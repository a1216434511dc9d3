//! The order of SORT (RFC 5256 §3): a pure function of what is known of the messages, and reading what must be known.

use std::cmp::Ordering;

use imap::command::{SortCriterion, SortKey};
use index::{SortField, SortValue};
use mailbox::Person;

use super::digests::{self, Digest, Needs};
use super::find::{Halt, Hit};
use super::io::Stop;
use super::ranks::ranks;
use super::session::{Cx, User};

/// A message with the keys it is sorted by, one for each criterion.
#[derive(Debug)]
pub(crate) struct Sortable {
    hit: Hit,
    keys: Vec<Key>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(Box<str>),
}

/// What the criteria need to know.
pub(crate) fn needs(criteria: &[SortCriterion]) -> Needs {
    let of_row = |criterion: &SortCriterion| matches!(criterion.key, SortKey::Arrival | SortKey::Size);
    if criteria.iter().all(of_row) {
        Needs::Row
    } else {
        Needs::Keys
    }
}

impl Sortable {
    pub(crate) fn new(hit: Hit, digest: &Digest, criteria: &[SortCriterion]) -> Self {
        let keys = criteria
            .iter()
            .map(|criterion| key(digest, criterion.key))
            .collect();
        Self { hit, keys }
    }
}

/// What the index calls a key.
pub(crate) fn field(key: SortKey) -> SortField {
    match key {
        SortKey::Arrival => SortField::Arrival,
        SortKey::Cc => SortField::Cc,
        SortKey::Date => SortField::Sent,
        SortKey::DisplayFrom => SortField::DisplayFrom,
        SortKey::DisplayTo => SortField::DisplayTo,
        SortKey::From => SortField::From,
        SortKey::Size => SortField::Size,
        SortKey::Subject => SortField::Subject,
        SortKey::To => SortField::To,
    }
}

/// The key of a message that the index does not know.
pub(crate) fn value(digest: &Digest, of: SortKey) -> SortValue {
    match key(digest, of) {
        Key::Number(number) => SortValue::Number(number),
        Key::Text(text) => SortValue::Text(text.into()),
    }
}

/// As [`sorted`], by a number that stands for each key: of each criterion one for each message.
pub(crate) fn sorted_by_ranks(
    hits: &[Hit],
    criteria: &[SortCriterion],
    mut ranks: Vec<Vec<u64>>,
) -> Vec<Hit> {
    for (criterion, ranks) in criteria.iter().zip(&mut ranks) {
        if criterion.reverse {
            ranks.iter_mut().for_each(|rank| *rank = !*rank);
        }
    }
    let mut places: Vec<u32> = (0..hits.len() as u32).collect();
    match ranks.as_slice() {
        [only] => {
            let mut keyed: Vec<(u64, u32)> = only.iter().copied().zip(places).collect();
            keyed.sort_unstable();
            return keyed.into_iter().map(|(_, place)| hits[place as usize]).collect();
        }
        several => places.sort_unstable_by(|&one, &other| {
            let by_keys = several
                .iter()
                .map(|ranks| ranks[one as usize].cmp(&ranks[other as usize]));
            by_keys
                .into_iter()
                .find(|order| *order != Ordering::Equal)
                .unwrap_or_else(|| one.cmp(&other))
        }),
    }
    places.into_iter().map(|place| hits[place as usize]).collect()
}

fn key(digest: &Digest, key: SortKey) -> Key {
    let keys = &digest.keys;
    let text = match key {
        SortKey::Arrival => return Key::Number(digest.arrival_ms),
        SortKey::Date => return Key::Number(digest.sent_ms()),
        SortKey::Size => return Key::Number(i64::try_from(digest.size_bytes).unwrap_or(i64::MAX)),
        SortKey::Cc => &keys.cc,
        SortKey::DisplayFrom => &keys.display_from,
        SortKey::DisplayTo => &keys.display_to,
        SortKey::From => &keys.from,
        SortKey::Subject => &keys.subject,
        SortKey::To => &keys.to,
    };
    Key::Text(text.as_str().into())
}

/// In the order of the criteria; equal ones in the order of the mailbox, whatever is reversed (RFC 5256 §3).
pub(crate) fn sorted(mut messages: Vec<Sortable>, criteria: &[SortCriterion]) -> Vec<Hit> {
    messages.sort_unstable_by(|one, other| compare(one, other, criteria));
    messages.into_iter().map(|message| message.hit).collect()
}

/// Which of two messages comes first.
pub(crate) fn compare(one: &Sortable, other: &Sortable, criteria: &[SortCriterion]) -> Ordering {
    let by_keys = criteria.iter().zip(one.keys.iter().zip(&other.keys));
    by_keys
        .map(|(criterion, (one, other))| match criterion.reverse {
            false => one.cmp(other),
            true => other.cmp(one),
        })
        .find(|order| *order != Ordering::Equal)
        .unwrap_or_else(|| one.hit.seq.cmp(&other.hit.seq))
}

/// Messages in the order of the criteria.
pub(crate) async fn ordered(
    cx: &mut Cx<'_, '_>,
    who: (&User, &Person),
    hits: &[Hit],
    criteria: &[SortCriterion],
) -> Result<Vec<Hit>, Halt> {
    if let Some(ranks) = ranks(cx, who, hits, criteria).await? {
        let (hits, criteria) = (hits.to_vec(), criteria.to_vec());
        return beside(move || sorted_by_ranks(&hits, &criteria, ranks)).await;
    }
    let mut messages = Vec::with_capacity(hits.len());
    digests::each(cx, who, hits, needs(criteria), |hit, digest| {
        messages.push(Sortable::new(*hit, digest, criteria));
    })
    .await?;
    let criteria = criteria.to_vec();
    beside(move || sorted(messages, &criteria)).await
}

/// Comparing very many messages takes its time: not on the threads that serve others.
async fn beside(work: impl FnOnce() -> Vec<Hit> + Send + 'static) -> Result<Vec<Hit>, Halt> {
    let ordering = tokio::task::spawn_blocking(work);
    ordering.await.map_err(|_| Halt::Stop(Stop::Gone))
}

#[cfg(test)]
mod tests {
    use mail::ids::{Id as _, MessageId};
    use mail::sort_keys::SortKeys;

    use super::*;

    fn message(seq: u32, header: &str, arrival_ms: i64) -> (Hit, Digest) {
        let hit = Hit {
            seq,
            uid: seq + 10,
            modseq: 1,
            message: MessageId::from_raw(u64::from(seq)),
        };
        let digest = Digest {
            arrival_ms,
            size_bytes: header.len() as u64,
            keys: SortKeys::of(header.as_bytes()),
            ..Digest::default()
        };
        (hit, digest)
    }

    fn order(messages: &[(Hit, Digest)], criteria: &[(bool, SortKey)]) -> Vec<u32> {
        let criteria: Vec<SortCriterion> = criteria
            .iter()
            .map(|&(reverse, key)| SortCriterion { reverse, key })
            .collect();
        let sortable = messages
            .iter()
            .map(|(hit, digest)| Sortable::new(*hit, digest, &criteria));
        let hits = sorted(sortable.collect(), &criteria);
        let all: Vec<Hit> = messages.iter().map(|(hit, _)| *hit).collect();
        assert_eq!(sorted_by_ranks(&all, &criteria, ranks(messages, &criteria)), hits);
        hits.iter().map(|hit| hit.seq).collect()
    }

    /// As the index would number the keys.
    fn ranks(messages: &[(Hit, Digest)], criteria: &[SortCriterion]) -> Vec<Vec<u64>> {
        let rank = |of: SortKey, digest: &Digest| {
            let smaller = messages
                .iter()
                .filter(|(_, other)| key(other, of) < key(digest, of));
            smaller.count() as u64
        };
        let of_all = |criterion: &SortCriterion| {
            messages
                .iter()
                .map(|(_, digest)| rank(criterion.key, digest))
                .collect()
        };
        criteria.iter().map(of_all).collect()
    }

    #[test]
    fn messages_are_ordered_by_every_key() {
        use SortKey::{Arrival, Cc, Date, DisplayFrom, DisplayTo, From, Size, Subject, To};
        let messages = [
            message(
                1,
                "From: Zoe <a@x>\r\nTo: b@x\r\nSubject: Re: beta\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n\r\n",
                5000,
            ),
            message(
                2,
                "From: c@x\r\nTo: Anna <z@x>\r\nCc: m@x\r\nSubject: alpha\r\nDate: Mon, 23 Nov 2026 09:30:00 +0000\r\n\r\n",
                4000,
            ),
            message(
                3,
                "From: \"\u{e4}nne\" <b@x>\r\nSubject: BETA (fwd)\r\n\r\n",
                3000,
            ),
            message(4, "Subject: \u{c4}pfel\r\n\r\n", 2000),
        ];
        for (criteria, expected) in [
            (&[(false, Arrival)][..], [4, 3, 2, 1]),
            (&[(true, Arrival)], [1, 2, 3, 4]),
            (&[(false, Subject)], [2, 4, 1, 3]),
            (&[(true, Subject)], [1, 3, 4, 2]),
            (&[(false, Subject), (true, Date)], [2, 4, 1, 3]),
            // Without a Date field the internal date counts, which is long ago here.
            (&[(false, Date)], [4, 3, 1, 2]),
            (&[(false, From)], [4, 1, 3, 2]),
            (&[(false, To)], [3, 4, 1, 2]),
            (&[(false, Cc)], [1, 3, 4, 2]),
            (&[(true, Cc)], [2, 1, 3, 4]),
            (&[(false, DisplayFrom)], [4, 3, 2, 1]),
            (&[(false, DisplayTo)], [3, 4, 2, 1]),
            (&[(false, Size)], [4, 3, 1, 2]),
        ] {
            assert_eq!(order(&messages, criteria), expected, "{criteria:?}");
        }
    }
}
