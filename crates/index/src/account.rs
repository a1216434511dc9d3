//! What is known of an account's segments: which messages each has. An immutable value; a commit makes a new one.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use mail::ids::{Id as _, MessageId};

use crate::file::Listed;
use crate::limits::{MERGE_SEGMENTS, SEGMENT_BYTES, SEGMENT_MESSAGES};
use crate::segment::Column;

/// A segment and its messages, ascending.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) id: u64,
    pub(crate) ids: Arc<[u64]>,
    pub(crate) bytes: u64,
    /// its columns, when they are in memory only
    pub(crate) held: Option<Arc<[(Column, Bytes)]>>,
}

impl Segment {
    /// A column of a segment that is in memory only.
    pub(crate) fn held(&self, wanted: Column) -> Option<Bytes> {
        let columns = self.held.as_ref()?;
        let found = columns.iter().find(|(column, _)| *column == wanted);
        found.map(|(_, octets)| octets.clone())
    }
}

/// The segments of an account.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) segments: Vec<Segment>,
    covered: OnceLock<Arc<[u64]>>,
}

impl Account {
    pub(crate) fn new(listed: Vec<Listed>) -> Self {
        let segment = |listed: Listed| Segment {
            id: listed.segment,
            ids: listed.ids.into(),
            bytes: listed.bytes,
            held: None,
        };
        Self {
            segments: listed.into_iter().map(segment).collect(),
            covered: OnceLock::new(),
        }
    }

    /// After a commit; it may be known already.
    pub(crate) fn changed(&self, new: Option<Listed>, replaced: &[u64]) -> Self {
        let new = new.filter(|new| self.segments.iter().all(|segment| segment.id != new.segment));
        let stay = self
            .segments
            .iter()
            .filter(|segment| !replaced.contains(&segment.id));
        let mut changed = Self::new(new.into_iter().collect());
        changed.segments.splice(0..0, stay.cloned());
        changed
    }

    /// With one segment more.
    pub(crate) fn with(&self, segment: Segment) -> Self {
        let mut segments = self.segments.clone();
        segments.push(segment);
        Self {
            segments,
            covered: OnceLock::new(),
        }
    }

    /// All messages that are indexed, ascending.
    pub(crate) fn covered(&self) -> Arc<[u64]> {
        let merged = || {
            let mut all: Vec<u64> = self
                .segments
                .iter()
                .flat_map(|segment| segment.ids.iter().copied())
                .collect();
            // Runs that are in order already: the sort only merges them.
            all.sort();
            all.into()
        };
        Arc::clone(self.covered.get_or_init(merged))
    }

    pub(crate) fn messages(&self) -> usize {
        self.segments.iter().map(|segment| segment.ids.len()).sum()
    }

    /// Whether a message is indexed.
    pub(crate) fn covers(&self, id: u64) -> bool {
        self.segments
            .iter()
            .any(|segment| segment.ids.binary_search(&id).is_ok())
    }

    /// Where a message is: (segment, place in it), looked for first at the hint.
    pub(crate) fn find(&self, id: u64, hint: (usize, usize)) -> Option<(usize, usize)> {
        if self
            .segments
            .get(hint.0)
            .and_then(|segment| segment.ids.get(hint.1))
            == Some(&id)
        {
            return Some(hint);
        }
        let found = self.segments.iter().enumerate().rev();
        found
            .filter(|(_, segment)| segment.ids.first() <= Some(&id) && segment.ids.last() >= Some(&id))
            .find_map(|(at, segment)| Some((at, segment.ids.binary_search(&id).ok()?)))
    }

    /// Says of each message where it is.
    pub(crate) fn each_place(&self, messages: &[MessageId], mut say: impl FnMut(Option<(usize, usize)>)) {
        let mut hint = (0, 0);
        for id in messages {
            let place = self.find(id.raw(), hint);
            if let Some((segment, place)) = place {
                hint = (segment, place + 1);
            }
            say(place);
        }
    }

    /// The segments that should become one now, if any.
    pub(crate) fn merge(&self) -> Option<Vec<Segment>> {
        let sizes: Vec<(usize, u64)> = self
            .segments
            .iter()
            .map(|segment| (segment.ids.len(), segment.bytes))
            .collect();
        let chosen = choose(&sizes)?;
        Some(chosen.into_iter().map(|at| self.segments[at].clone()).collect())
    }
}

/// Which of these segments (messages, octets), the oldest first, become one. When there are [`MERGE_SEGMENTS`] of one size, as
/// many of them as fit; a size ends where its messages become more than a power of that number.
fn choose(segments: &[(usize, u64)]) -> Option<Vec<usize>> {
    let size = |messages: usize| messages.max(1).ilog(MERGE_SEGMENTS);
    let full = |&(messages, bytes): &(usize, u64)| {
        messages * 2 > SEGMENT_MESSAGES || bytes * 2 > SEGMENT_BYTES as u64
    };
    for wanted in 0..=SEGMENT_MESSAGES.ilog(MERGE_SEGMENTS) {
        let of_size = segments
            .iter()
            .enumerate()
            .filter(|(_, segment)| size(segment.0) == wanted && !full(segment));
        let of_size: Vec<usize> = of_size.map(|(at, _)| at).collect();
        if of_size.len() < MERGE_SEGMENTS {
            continue;
        }
        let (mut messages, mut bytes) = (0, 0);
        let fits = of_size.into_iter().take_while(|&at| {
            messages += segments[at].0;
            bytes += segments[at].1;
            messages <= SEGMENT_MESSAGES && bytes <= SEGMENT_BYTES as u64
        });
        return Some(fits.collect());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_one_size_become_one() {
        let all = |count: usize, size| vec![size; count];
        for (segments, chosen) in [
            (all(7, (1, 10)), None),
            (all(9, (1, 10)), Some((0..9).collect())),
            (
                [all(1, (64, 10)), all(8, (7, 10))].concat(),
                Some((1..9).collect()),
            ),
            (all(8, (256, 10)), Some((0..8).collect())),
            (all(8, (2048, 10)), Some((0..4).collect())),
            (all(20, (5000, 10)), None),
            (all(8, (256, 10 << 20)), Some((0..3).collect())),
            (all(8, (256, 17 << 20)), None),
        ] {
            assert_eq!(choose(&segments), chosen, "{segments:?}");
        }
    }

    #[test]
    fn messages_are_found_with_and_without_hints() {
        let listed = |segment, ids: &[u64]| Listed {
            segment,
            ids: ids.to_vec(),
            bytes: 0,
        };
        let account = Account::new(vec![listed(1, &[1, 3, 9]), listed(2, &[4, 5])]);
        for (id, hint, found) in [
            (3, (0, 1), Some((0, 1))),
            (3, (5, 5), Some((0, 1))),
            (5, (0, 0), Some((1, 1))),
            (6, (0, 0), None),
        ] {
            assert_eq!(account.find(id, hint), found);
        }
        assert_eq!(*account.covered(), [1, 3, 4, 5, 9]);
        let changed = account.changed(Some(listed(3, &[7])), &[1]);
        assert_eq!(*changed.covered(), [4, 5, 7]);
        assert!(changed.covers(7) && !changed.covers(1));
    }
}
