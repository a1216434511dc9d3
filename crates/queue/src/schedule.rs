//! When to try again: a pure function.

use std::time::Duration;

use world::clock::UnixMs;

use crate::limits::{FIRST_RETRY, LONGEST_RETRY};

/// The next try after `attempts` failed ones: 1 minute, then twice as long each time, at most 4 hours.
pub fn next_try(now: UnixMs, attempts: u32) -> UnixMs {
    let factor = 1u32.checked_shl(attempts.min(16)).unwrap_or(u32::MAX);
    later(now, FIRST_RETRY.saturating_mul(factor).min(LONGEST_RETRY))
}

/// `wait` after `now`.
pub fn later(now: UnixMs, wait: Duration) -> UnixMs {
    UnixMs(
        now.0
            .saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_grow_and_end() {
        let minutes = |attempts| next_try(UnixMs(0), attempts).0 / 60_000;
        let table = [
            (0, 1),
            (1, 2),
            (2, 4),
            (7, 128),
            (8, 240),
            (16, 240),
            (u32::MAX, 240),
        ];
        for (attempts, want) in table {
            assert_eq!(minutes(attempts), want, "{attempts}");
        }
    }
}
