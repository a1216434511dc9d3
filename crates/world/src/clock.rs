//! The clock door: wall time and monotonic time are apart, because only the second can be trusted to go forward.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A boxed future, as the doors return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Wall time: milliseconds since 1970-01-01T00:00:00Z. It may jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMs(pub u64);

/// Monotonic time since some fixed moment before the process began to work. It never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub Duration);

/// The clock door. `world-real` has the real one, `testkit` a simulated one.
pub trait Clock: Send + Sync + 'static {
    /// Wall time.
    fn now(&self) -> UnixMs;
    /// Monotonic time, for deadlines and durations.
    fn monotonic(&self) -> Monotonic;
    /// Completes at or after `deadline`.
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()>;
}

impl UnixMs {
    /// As RFC 3339 in UTC with milliseconds, always 24 characters before the year 10000: `2026-11-23T20:31:40.123Z`.
    pub fn rfc3339(self) -> String {
        let (seconds, ms) = (self.0 / 1000, self.0 % 1000);
        let (year, month, day) = civil_from_days(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }

    /// Reads exactly what [`UnixMs::rfc3339`] writes; `None` for anything else.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shape = bytes.len() == 24
            && bytes
                .iter()
                .zip(b"0000-00-00T00:00:00.000Z")
                .all(|(byte, form)| match form {
                    b'0' => byte.is_ascii_digit(),
                    _ => byte == form,
                });
        if !shape {
            return None;
        }
        let number = |from: usize, to: usize| {
            bytes[from..to]
                .iter()
                .fold(0u64, |n, b| n * 10 + u64::from(b - b'0'))
        };
        let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
        if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let seconds = number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19);
        Some(Self(
            (days_from_civil(year, month, day) * 86_400 + seconds) * 1000 + number(20, 23),
        ))
    }
}

/// Year, month and day of the proleptic Gregorian calendar. Years are counted from March, so that the leap day is the last.
fn civil_from_days(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments_read_as_they_should() {
        let known = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_465_900_123, "2026-11-23T20:31:40.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ];
        for (ms, text) in known {
            assert_eq!(UnixMs(ms).rfc3339(), text);
            assert_eq!(UnixMs::from_rfc3339(text), Some(UnixMs(ms)));
        }
        for bad in [
            "",
            "2026-11-23T20:31:40Z",
            "2026-13-23T20:31:40.123Z",
            "2026-11-23 20:31:40.123Z",
        ] {
            assert_eq!(UnixMs::from_rfc3339(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_round_trips(ms in 0u64..253_402_300_800_000) {
            prop_assert_eq!(UnixMs::from_rfc3339(&UnixMs(ms).rfc3339()), Some(UnixMs(ms)));
        }
    }
}
