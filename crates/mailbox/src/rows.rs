//! The rows of a mailbox as sessions share them: immutable, in chunks that are copied only when they change.

use std::collections::BTreeMap;
use std::sync::Arc;

use mail::ids::MessageId;
use store::contract::{FlagsRow, PlacementRow};
use store::flags::Flags;
use store::uids::UidSet;

use crate::limits::CHUNK_ROWS;

/// One message's place in a mailbox, without its rare keywords: 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // as in `store::contract::PlacementRow`
pub struct Row {
    pub modseq: u64,
    pub message: MessageId,
    pub uid: u32,
    pub bits: u32,
    /// RFC822.SIZE; what is larger than 4 GiB, which nothing takes in, counts as that
    pub size_bytes: u32,
}

/// What a chunk takes beside its rows: itself, its counts, its place in the list.
const CHUNK_BYTES: usize = size_of::<Chunk>() + 32;
/// What a rare keyword takes beside its letters.
const KEYWORD_BYTES: usize = 96;

#[derive(Debug, Clone, Default)]
struct Chunk {
    /// ascending by UID; never empty inside a snapshot
    rows: Vec<Row>,
    /// no row has a larger modseq
    max_modseq: u64,
}

/// A mailbox at one moment: every committed change up to `modseq`, none after.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    chunks: Vec<Arc<Chunk>>,
    /// rows before each chunk
    before: Vec<u32>,
    len: u32,
    modseq: u64,
    /// rare keywords, for the few messages that have some
    keywords: Arc<BTreeMap<u32, Vec<String>>>,
}

impl Snapshot {
    /// How many messages.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// HIGHESTMODSEQ at this moment.
    pub fn modseq(&self) -> u64 {
        self.modseq
    }

    /// Bytes of memory, near enough: what is shared with other snapshots counts too.
    pub(crate) fn bytes(&self) -> usize {
        let rows: usize = self.chunks.iter().map(|chunk| chunk.rows.capacity()).sum();
        let words = self
            .keywords
            .values()
            .flatten()
            .map(|word| word.len() + KEYWORD_BYTES);
        rows * size_of::<Row>() + self.chunks.len() * CHUNK_BYTES + words.sum::<usize>()
    }

    /// The largest UID; 0 when empty.
    pub fn last_uid(&self) -> u32 {
        self.chunks
            .last()
            .and_then(|chunk| chunk.rows.last())
            .map_or(0, |row| row.uid)
    }

    /// How many messages have a UID below `uid`.
    pub fn rank(&self, uid: u32) -> u32 {
        let after = self.chunks.partition_point(|chunk| chunk.rows[0].uid < uid);
        let Some(at) = after.checked_sub(1) else { return 0 };
        self.before[at] + self.chunks[at].rows.partition_point(|row| row.uid < uid) as u32
    }

    /// The row at a position, counted from 0 in UID order.
    pub fn at(&self, index: u32) -> Option<&Row> {
        if index >= self.len {
            return None;
        }
        let at = self.before.partition_point(|&before| before <= index) - 1;
        self.chunks[at].rows.get((index - self.before[at]) as usize)
    }

    /// The row of a UID.
    pub fn find(&self, uid: u32) -> Option<&Row> {
        let after = self.chunks.partition_point(|chunk| chunk.rows[0].uid <= uid);
        let rows = &self.chunks[after.checked_sub(1)?].rows;
        let at = rows.binary_search_by_key(&uid, |row| row.uid).ok()?;
        rows.get(at)
    }

    /// Rows from `first` to `last` (UIDs, inclusive), ascending.
    pub fn range(&self, first: u32, last: u32) -> impl Iterator<Item = &Row> {
        let start = self
            .chunks
            .partition_point(|chunk| chunk.rows.last().is_some_and(|row| row.uid < first));
        let chunks = self.chunks.get(start..).unwrap_or_default();
        chunks
            .iter()
            .flat_map(|chunk| chunk.rows.iter())
            .skip_while(move |row| row.uid < first)
            .take_while(move |row| row.uid <= last)
    }

    /// All rows, ascending by UID.
    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        self.chunks.iter().flat_map(|chunk| chunk.rows.iter())
    }

    /// Rows changed after `modseq`, ascending by UID; looks only into chunks that have some.
    pub fn changed_after(&self, modseq: u64) -> impl Iterator<Item = &Row> {
        let chunks = self.chunks.iter().filter(move |chunk| chunk.max_modseq > modseq);
        chunks
            .flat_map(|chunk| chunk.rows.iter())
            .filter(move |row| row.modseq > modseq)
    }

    /// The flags of a row, rare keywords included.
    pub fn flags(&self, row: &Row) -> Flags {
        Flags {
            bits: row.bits,
            keywords: self.rare(row.uid).to_vec(),
        }
    }

    /// The rare keywords of a UID.
    pub fn rare(&self, uid: u32) -> &[String] {
        if self.keywords.is_empty() {
            return &[];
        }
        self.keywords.get(&uid).map_or(&[], Vec::as_slice)
    }

    /// All rare keywords of all messages, with repetitions.
    pub fn rare_keywords(&self) -> impl Iterator<Item = &str> {
        self.keywords.values().flatten().map(String::as_str)
    }

    /// The snapshot after more changes were committed: newer rows replace older ones, vanished ones go. Returns the
    /// UIDs that were here and are gone, ascending. Idempotent, so that pages may overlap.
    pub(crate) fn apply(&mut self, rows: Vec<PlacementRow>, vanished: &UidSet, modseq: u64) -> Vec<u32> {
        for placement in rows {
            self.upsert(placement);
        }
        let gone = self.remove(vanished);
        self.modseq = self.modseq.max(modseq);
        self.count();
        gone
    }

    /// Rows that all come after those that are here.
    pub(crate) fn append(&mut self, later: Self) {
        debug_assert!(self.last_uid() < later.chunks.first().map_or(u32::MAX, |chunk| chunk.rows[0].uid));
        self.chunks.extend(later.chunks);
        if !later.keywords.is_empty() {
            Arc::make_mut(&mut self.keywords).extend(Arc::unwrap_or_clone(later.keywords));
        }
        self.modseq = self.modseq.max(later.modseq);
        self.count();
    }

    /// The snapshot after flags of known rows changed, up to `modseq`. False, and of no use any more, when a row is not known.
    pub(crate) fn reflag(&mut self, changed: &[FlagsRow], modseq: u64) -> bool {
        let mut rest = changed;
        for chunk in &mut self.chunks {
            let last = chunk.rows.last().map_or(0, |row| row.uid);
            let (here, later) = rest.split_at(rest.partition_point(|row| row.uid <= last));
            if !here.is_empty() && !Arc::make_mut(chunk).reflag(here) {
                return false;
            }
            rest = later;
        }
        for row in changed {
            self.set_rare(row.uid, &row.flags.keywords);
        }
        self.modseq = self.modseq.max(modseq);
        rest.is_empty()
    }

    fn upsert(&mut self, placement: PlacementRow) {
        let PlacementRow {
            uid,
            message,
            flags,
            modseq,
            size_bytes,
        } = placement;
        let row = Row {
            modseq,
            message,
            uid,
            bits: flags.bits,
            size_bytes: u32::try_from(size_bytes).unwrap_or(u32::MAX),
        };
        if self.place(row) {
            self.set_rare(uid, &flags.keywords);
        }
    }

    /// Whether the row was newer than what was there.
    fn place(&mut self, row: Row) -> bool {
        let (uid, modseq) = (row.uid, row.modseq);
        let at = self
            .chunks
            .partition_point(|chunk| chunk.rows[0].uid <= uid)
            .saturating_sub(1);
        let full = |chunk: &Arc<Chunk>| {
            chunk.rows.len() >= CHUNK_ROWS && chunk.rows.last().is_some_and(|last| last.uid < uid)
        };
        if self.chunks.is_empty() || (at + 1 == self.chunks.len() && full(&self.chunks[at])) {
            self.chunks.push(Arc::new(Chunk {
                rows: vec![row],
                max_modseq: modseq,
            }));
            return true;
        }
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        chunk.max_modseq = chunk.max_modseq.max(modseq);
        match chunk.rows.binary_search_by_key(&uid, |known| known.uid) {
            Ok(found) if chunk.rows[found].modseq > modseq => return false,
            Ok(found) => chunk.rows[found] = row,
            Err(place) => chunk.rows.insert(place, row),
        }
        true
    }

    fn set_rare(&mut self, uid: u32, keywords: &[String]) {
        if keywords.is_empty() {
            if self.keywords.contains_key(&uid) {
                Arc::make_mut(&mut self.keywords).remove(&uid);
            }
        } else if self.keywords.get(&uid).map(Vec::as_slice) != Some(keywords) {
            Arc::make_mut(&mut self.keywords).insert(uid, keywords.to_vec());
        }
    }

    fn remove(&mut self, vanished: &UidSet) -> Vec<u32> {
        let mut gone = Vec::new();
        for &(first, last) in vanished.ranges() {
            gone.extend(self.range(first, last).map(|row| row.uid));
        }
        if gone.is_empty() {
            return gone;
        }
        for chunk in &mut self.chunks {
            let (low, high) = (chunk.rows[0].uid, chunk.rows[chunk.rows.len() - 1].uid);
            let first = gone.partition_point(|&uid| uid < low);
            if gone.get(first).is_some_and(|&uid| uid <= high) {
                Arc::make_mut(chunk)
                    .rows
                    .retain(|row| gone.binary_search(&row.uid).is_err());
            }
        }
        self.chunks.retain(|chunk| !chunk.rows.is_empty());
        if gone.iter().any(|uid| self.keywords.contains_key(uid)) {
            Arc::make_mut(&mut self.keywords).retain(|uid, _| gone.binary_search(uid).is_err());
        }
        self.compact();
        gone
    }

    /// Joins chunks when expunges left many small ones.
    fn compact(&mut self) {
        let rows: usize = self.chunks.iter().map(|chunk| chunk.rows.len()).sum();
        if self.chunks.len() <= 2 * (rows / CHUNK_ROWS) + 2 {
            return;
        }
        let all: Vec<Row> = self.iter().copied().collect();
        self.chunks = all.chunks(CHUNK_ROWS).map(Chunk::of).map(Arc::new).collect();
    }

    fn count(&mut self) {
        self.before.clear();
        let mut before = 0;
        for chunk in &self.chunks {
            self.before.push(before);
            before += chunk.rows.len() as u32;
        }
        self.len = before;
    }
}

impl Chunk {
    /// New flags for rows of this chunk, both ascending; false when a row is not here.
    fn reflag(&mut self, changed: &[FlagsRow]) -> bool {
        let mut rows = self.rows.iter_mut();
        for new in changed {
            let Some(row) = rows
                .find(|row| row.uid >= new.uid)
                .filter(|row| row.uid == new.uid)
            else {
                return false;
            };
            (row.bits, row.modseq) = (new.flags.bits, new.modseq);
            self.max_modseq = self.max_modseq.max(new.modseq);
        }
        true
    }

    fn of(rows: &[Row]) -> Self {
        Self {
            rows: rows.to_vec(),
            max_modseq: rows.iter().map(|row| row.modseq).max().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use mail::ids::Id;
    use proptest::prelude::*;

    use super::*;

    fn placement(uid: u32, bits: u32, modseq: u64) -> PlacementRow {
        PlacementRow {
            uid,
            message: MessageId::from_raw(u64::from(uid)),
            flags: Flags::bits(bits),
            modseq,
            size_bytes: 0,
        }
    }

    #[test]
    fn a_row_has_32_bytes() {
        assert_eq!(size_of::<Row>(), 32);
    }

    #[test]
    fn flags_from_a_receipt_are_as_if_read_again() {
        let mut snapshot = Snapshot::default();
        let rows = |bits, modseq| (1..=3000).map(move |uid| placement(uid * 2, bits, modseq));
        snapshot.apply(rows(0, 1).collect(), &UidSet::new(), 1);
        let change = |uid, keyword: &str| FlagsRow {
            uid,
            flags: Flags {
                bits: 8,
                keywords: vec![keyword.to_owned()],
            },
            modseq: 5,
        };
        let mut read = snapshot.clone();
        let mut told = snapshot.clone();
        let changed = vec![change(2, "a"), change(2050, "b"), change(6000, "c")];
        let again = changed.iter().map(|row| PlacementRow {
            flags: row.flags.clone(),
            ..placement(row.uid, 0, 5)
        });
        read.apply(again.collect(), &UidSet::new(), 5);
        assert!(told.reflag(&changed, 5));
        assert!(read.iter().eq(told.iter()));
        assert_eq!((read.modseq(), told.modseq()), (5, 5));
        assert!(read.rare_keywords().eq(told.rare_keywords()));
        assert_eq!(told.changed_after(1).count(), 3);
        assert!(!snapshot.clone().reflag(&[change(3, "x")], 5), "not there");
        assert!(!snapshot.reflag(&[change(7000, "x")], 5), "behind the end");
    }

    #[test]
    fn two_halves_are_as_one() {
        let mut rows: Vec<PlacementRow> = (1..=5000)
            .map(|n| placement(n * 3, n & 7, u64::from(n)))
            .collect();
        for rare in [3, 2600, 4999] {
            rows[rare].flags.keywords = vec![format!("k{rare}")];
        }
        let none = UidSet::new();
        let mut whole = Snapshot::default();
        whole.apply(rows.clone(), &none, 9);
        for cut in [0, 1, 1024, 2500, 4999, 5000] {
            let (mut first, mut second) = (Snapshot::default(), Snapshot::default());
            first.apply(rows[..cut].to_vec(), &none, 4);
            second.apply(rows[cut..].to_vec(), &none, 9);
            first.append(second);
            assert!(first.iter().eq(whole.iter()), "cut at {cut}");
            assert_eq!((first.len(), first.modseq()), (5000, 9));
            assert!(first.rare_keywords().eq(whole.rare_keywords()));
            for n in [0, 1, 1023, 2499, 2500, 4999] {
                assert_eq!(first.at(n), whole.at(n));
                assert_eq!(first.rank(n * 3), whole.rank(n * 3));
            }
            first.apply(vec![placement(15_003, 0, 10)], &UidSet::from_uids([6]), 10);
            assert_eq!((first.len(), first.last_uid()), (5000, 15_003));
        }
    }

    #[test]
    fn chunks_are_shared_until_they_change() {
        let mut first = Snapshot::default();
        first.apply(
            (1..=5000).map(|uid| placement(uid, 0, 1)).collect(),
            &UidSet::new(),
            1,
        );
        let mut second = first.clone();
        second.apply(vec![placement(5001, 0, 2)], &UidSet::new(), 2);
        let shared = first
            .chunks
            .iter()
            .zip(&second.chunks)
            .filter(|(a, b)| Arc::ptr_eq(a, b))
            .count();
        assert_eq!((first.chunks.len(), shared), (5, 4));
        assert_eq!((first.len(), second.len()), (5000, 5001));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn a_snapshot_is_a_sorted_map(
            steps in prop::collection::vec((any::<bool>(), 1u32..400, 1u32..60, 0u32..32), 1..40),
        ) {
            let mut model: BTreeMap<u32, (u32, u64)> = BTreeMap::new();
            let mut snapshot = Snapshot::default();
            for (modseq, (add, first, count, bits)) in (1u64..).zip(steps) {
                let uids = first * 7..first * 7 + count * 9;
                if add {
                    model.extend(uids.clone().map(|uid| (uid, (bits, modseq))));
                    let gone = snapshot.apply(
                        uids.map(|uid| placement(uid, bits, modseq)).collect(), &UidSet::new(), modseq);
                    prop_assert!(gone.is_empty());
                } else {
                    let expected: Vec<u32> = model.range(uids.clone()).map(|(uid, _)| *uid).collect();
                    model.retain(|uid, _| !uids.contains(uid));
                    let set = UidSet::from_ranges([(uids.start, uids.end - 1)]);
                    prop_assert_eq!(snapshot.apply(Vec::new(), &set, modseq), expected);
                }
                let rows: Vec<_> = snapshot.iter().map(|row| (row.uid, (row.bits, row.modseq))).collect();
                let wanted: Vec<_> = model.iter().map(|(uid, value)| (*uid, *value)).collect();
                prop_assert_eq!(&rows, &wanted);
                prop_assert_eq!(snapshot.len() as usize, wanted.len());
                for (index, (uid, _)) in wanted.iter().enumerate() {
                    prop_assert_eq!(snapshot.rank(*uid) as usize, index);
                    prop_assert_eq!(snapshot.at(index as u32).map(|row| row.uid), Some(*uid));
                    prop_assert!(snapshot.find(*uid).is_some());
                }
                let changed = snapshot.changed_after(modseq - 1).count();
                prop_assert_eq!(changed, model.values().filter(|value| value.1 == modseq).count());
                let ranged = snapshot.range(100, 2000).count();
                prop_assert_eq!(ranged, model.range(100..=2000).count());
            }
        }
    }
}
