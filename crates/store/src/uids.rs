//! Sets of UIDs as sorted, disjoint, non-adjacent ranges.

/// A set of UIDs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UidSet {
    ranges: Vec<(u32, u32)>,
}

impl UidSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// From ranges in any order; a range may be reversed (`9:3`).
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut sorted: Vec<(u32, u32)> = ranges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// From UIDs in any order.
    pub fn from_uids(uids: impl IntoIterator<Item = u32>) -> Self {
        Self::from_ranges(uids.into_iter().map(|uid| (uid, uid)))
    }

    /// Inclusive ranges, ascending.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether `uid` is in it.
    pub fn contains(&self, uid: u32) -> bool {
        let after = self.ranges.partition_point(|range| range.0 <= uid);
        after > 0 && self.ranges[after - 1].1 >= uid
    }

    /// How many UIDs.
    pub fn len(&self) -> u64 {
        self.ranges
            .iter()
            .map(|(first, last)| u64::from(last - first) + 1)
            .sum()
    }

    /// What is in both.
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut at, mut beside) = (0, 0);
        let mut ranges = Vec::new();
        while let (Some(one), Some(two)) = (self.ranges.get(at), other.ranges.get(beside)) {
            let (first, last) = (one.0.max(two.0), one.1.min(two.1));
            if first <= last {
                ranges.push((first, last));
            }
            if one.1 <= two.1 {
                at += 1;
            } else {
                beside += 1;
            }
        }
        Self { ranges }
    }

    /// Without these, which ascend.
    pub fn without(&self, ascending: impl IntoIterator<Item = u32>) -> Self {
        let mut out = ascending.into_iter().peekable();
        let mut ranges = Vec::new();
        for &(first, last) in &self.ranges {
            let mut next = Some(first);
            while let Some(uid) = out.next_if(|&uid| uid <= last) {
                let Some(from) = next.filter(|&from| from <= uid) else {
                    continue;
                };
                if from < uid {
                    ranges.push((from, uid - 1));
                }
                next = uid.checked_add(1);
            }
            ranges.extend(next.filter(|&from| from <= last).map(|from| (from, last)));
        }
        Self { ranges }
    }

    /// Every UID, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|&(first, last)| first..=last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_cut_and_joined() {
        let set = |ranges: &[(u32, u32)]| UidSet::from_ranges(ranges.iter().copied());
        let all = set(&[(1, 9), (20, u32::MAX)]);
        for (one, two, both) in [
            (set(&[]), all.clone(), set(&[])),
            (set(&[(5, 25)]), all.clone(), set(&[(5, 9), (20, 25)])),
            (set(&[(1, u32::MAX)]), all.clone(), all.clone()),
            (
                set(&[(3, 4), (6, 7), (30, 31)]),
                all.clone(),
                set(&[(3, 4), (6, 7), (30, 31)]),
            ),
            (set(&[(10, 19)]), all.clone(), set(&[])),
        ] {
            assert_eq!(one.intersection(&two), both);
            assert_eq!(two.intersection(&one), both);
        }
        assert_eq!(all.without([]), all);
        assert_eq!(
            all.without([1, 5, 9, 15, 20, u32::MAX]),
            set(&[(2, 4), (6, 8), (21, u32::MAX - 1)])
        );
        assert_eq!(set(&[(3, 3), (7, 8)]).without([3, 7, 8]), set(&[]));
    }
}
