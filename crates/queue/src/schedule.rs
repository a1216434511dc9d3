//! When to try again: pure functions.

use std::time::Duration;

use world::clock::UnixMs;

use crate::limits::{DELAY_NOTICE, FIRST_RETRY, GIVE_UP, JITTER_PERCENT, LONGEST_RETRY};

/// The times of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// between the first failed try and the second; then twice as long each time
    pub first: Duration,
    /// the longest distance between two tries
    pub longest: Duration,
    /// the sender is told of the delay after this
    pub delay_notice: Duration,
    /// the message is given up after this
    pub give_up: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            first: FIRST_RETRY,
            longest: LONGEST_RETRY,
            delay_notice: DELAY_NOTICE,
            give_up: GIVE_UP,
        }
    }
}

impl Schedule {
    /// The next try after `attempts` failed ones, at most [`JITTER_PERCENT`] sooner or later, as `chance` (any number) says.
    pub fn next_try(&self, now: UnixMs, attempts: u32, chance: u64) -> UnixMs {
        let factor = 1u32.checked_shl(attempts.min(30)).unwrap_or(u32::MAX);
        let wait = self.first.saturating_mul(factor).min(self.longest);
        later(now, jittered(wait, chance))
    }

    /// The longest time a recipient may have to wait for its next try.
    pub fn longest_wait(&self) -> Duration {
        jittered(self.longest.max(self.first), u64::MAX)
    }
}

/// `wait`, at most [`JITTER_PERCENT`] shorter or longer, so that what failed together is not tried together.
pub fn jittered(wait: Duration, chance: u64) -> Duration {
    let thousandths = 2 * 10 * JITTER_PERCENT;
    // `u64::MAX` gives the longest.
    let share = u32::try_from(chance % u64::from(thousandths + 1)).unwrap_or(0);
    let share = if chance == u64::MAX { thousandths } else { share };
    wait.saturating_mul(1000 - 10 * JITTER_PERCENT + share) / 1000
}

/// The next try after `attempts` failed ones by the default schedule, without jitter: for recipients of ours.
pub fn next_try(now: UnixMs, attempts: u32) -> UnixMs {
    let factor = 1u32.checked_shl(attempts.min(16)).unwrap_or(u32::MAX);
    later(now, FIRST_RETRY.saturating_mul(factor).min(LONGEST_RETRY))
}

/// A due time that no schedule gives was made while the clock was wrong: it is pulled in to the longest wait from now.
pub fn sane_due(now: UnixMs, due: UnixMs, longest: Duration) -> UnixMs {
    UnixMs(due.0.min(later(now, longest).0))
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

    const MIDDLE: u64 = 200;

    #[test]
    fn distances_grow_and_end() {
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
            assert_eq!(next_try(UnixMs(0), attempts).0 / 60_000, want, "{attempts}");
            let scheduled = Schedule::default().next_try(UnixMs(0), attempts, MIDDLE);
            assert_eq!(scheduled.0 / 60_000, want, "{attempts}");
        }
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        let minute = Duration::from_secs(60);
        let table = [
            (0, 48_000),
            (MIDDLE, 60_000),
            (400, 72_000),
            (401, 48_000),
            (u64::MAX, 72_000),
        ];
        for (chance, want) in table {
            assert_eq!(jittered(minute, chance).as_millis(), want, "{chance}");
        }
        assert_eq!(Schedule::default().longest_wait(), Duration::from_secs(17_280));
    }

    #[test]
    fn settings_are_followed() {
        let schedule = Schedule {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(5),
            ..Schedule::default()
        };
        let waits: Vec<u64> = (0..5)
            .map(|n| schedule.next_try(UnixMs(0), n, MIDDLE).0)
            .collect();
        assert_eq!(waits, [1000, 2000, 4000, 5000, 5000]);
    }

    #[test]
    fn q_12_a_due_time_made_by_a_wrong_clock_is_pulled_in() {
        let hour = Duration::from_secs(3600);
        let hour_ms = 3_600_000;
        let day_ms = 24 * hour_ms;
        let now = 20_000 * day_ms;
        let table = [
            ("past", now - day_ms, now - day_ms),
            ("soon", now + 1, now + 1),
            ("longest", now + hour_ms, now + hour_ms),
            ("a month ahead", now + 30 * day_ms, now + hour_ms),
            ("the year 2038 and more", 40_000 * day_ms, now + hour_ms),
            ("the end of time", u64::MAX, now + hour_ms),
        ];
        for (name, due, want) in table {
            assert_eq!(sane_due(UnixMs(now), UnixMs(due), hour), UnixMs(want), "{name}");
        }
        assert_eq!(
            sane_due(UnixMs(0), UnixMs(now), hour),
            UnixMs(hour_ms),
            "a clock at 1970"
        );
    }
}
