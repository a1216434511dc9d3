//! Sequence sets: `1:5,7,9:*` (RFC 3501 §9).

use std::num::NonZeroU32;

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// a number
    Number(NonZeroU32),
    /// `*`: the largest number in use
    Largest,
}

impl Bound {
    fn value(self, largest: u32) -> u32 {
        match self {
            Self::Number(number) => number.get(),
            Self::Largest => largest,
        }
    }
}

/// A set of message numbers as the client wrote it: ranges in any order, either way round; or `$`, what the last SEARCH
/// with SAVE found (RFC 5182 §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceSet {
    /// none stands for `$`
    ranges: Vec<(Bound, Bound)>,
}

impl SequenceSet {
    /// From ranges; at least one, else `None`.
    pub fn new(ranges: Vec<(Bound, Bound)>) -> Option<Self> {
        (!ranges.is_empty()).then_some(Self { ranges })
    }

    /// `$`.
    pub const fn saved() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Whether it is `$`: who resolves sets must look there first, as here it names nothing.
    pub fn is_saved(&self) -> bool {
        self.ranges.is_empty()
    }

    /// As written; nothing for `$`.
    pub fn as_written(&self) -> &[(Bound, Bound)] {
        &self.ranges
    }

    /// Ascending, disjoint, non-adjacent inclusive ranges, where `*` is `largest`. With `largest` 0 (an empty mailbox)
    /// `*` names nothing. Numbers above `largest` stay in: for UIDs they are no error, and `n:*` includes
    /// `largest` even when `n` is greater (RFC 3501 §6.4.8).
    pub fn resolve(&self, largest: u32) -> Vec<(u32, u32)> {
        let mut sorted: Vec<(u32, u32)> = self
            .ranges
            .iter()
            .map(|&(from, to)| (from.value(largest), to.value(largest)))
            .filter(|&(from, to)| from != 0 && to != 0)
            .map(|(from, to)| (from.min(to), from.max(to)))
            .collect();
        sorted.sort_unstable();
        merge(sorted)
    }

    /// For message sequence numbers: `None` when one is beyond `count`, which is the client's fault (RFC 3501 §9:
    /// "the server should respond with a tagged BAD"). An empty mailbox refuses everything.
    pub fn resolve_within(&self, count: u32) -> Option<Vec<(u32, u32)>> {
        let beyond = |bound: Bound| bound.value(count) > count || count == 0;
        let wrong = self.ranges.iter().any(|&(from, to)| beyond(from) || beyond(to));
        (!wrong).then(|| self.resolve(count))
    }
}

fn merge(sorted: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (first, last) in sorted {
        match merged.last_mut() {
            Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// Ascending, disjoint, non-adjacent ranges of ascending numbers; for responses that carry sets.
pub fn ranges_of(numbers: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut sorted: Vec<(u32, u32)> = numbers.into_iter().map(|number| (number, number)).collect();
    sorted.sort_unstable();
    merge(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> SequenceSet {
        crate::parse::sequence_set(text.as_bytes()).expect("a sequence set")
    }

    /// RFC 3501 §9, the examples at sequence-set and seq-range.
    #[test]
    fn rfc_examples_resolve() {
        for (text, largest, wanted) in [
            ("2,4:7,9,12:*", 15, vec![(2, 2), (4, 7), (9, 9), (12, 15)]),
            ("2:4", 9, vec![(2, 4)]),
            ("4:2", 9, vec![(2, 4)]),
            ("*:4,5:7", 10, vec![(4, 10)]),
            ("3291:*", 120, vec![(120, 3291)]),
            ("*", 0, vec![]),
            ("*:*", 0, vec![]),
            ("1:4294967295", 3, vec![(1, u32::MAX)]),
            ("5,5,5,4,6", 9, vec![(4, 6)]),
        ] {
            assert_eq!(set(text).resolve(largest), wanted, "{text}");
        }
    }

    #[test]
    fn sequence_numbers_must_exist() {
        assert_eq!(set("1:3").resolve_within(3), Some(vec![(1, 3)]));
        assert_eq!(set("2:*").resolve_within(3), Some(vec![(2, 3)]));
        assert_eq!(set("4").resolve_within(3), None);
        assert_eq!(set("1:*").resolve_within(0), None);
        assert_eq!(set("4:*").resolve_within(3), None);
    }

    #[test]
    fn numbers_become_ranges() {
        assert_eq!(ranges_of([5, 1, 2, 3, 7]), vec![(1, 3), (5, 5), (7, 7)]);
        assert!(ranges_of([]).is_empty());
    }
}
