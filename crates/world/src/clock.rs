//! The clock door: wall time and monotonic time are apart, because only the second can be trusted to go forward.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use mail::calendar;

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
        let (year, month, day) = calendar::civil((seconds / 86_400).cast_signed());
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
        let (year, month, day) = (number(0, 4), number(5, 7) as u8, number(8, 10) as u8);
        if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let seconds = number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19);
        let days = calendar::days_before(year.cast_signed(), month, day);
        Some(Self(
            (days.unsigned_abs() * 86_400 + seconds) * 1000 + number(20, 23),
        ))
    }
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
