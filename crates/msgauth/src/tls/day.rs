//! Days in UTC: what evidence is kept by (RFC 8460 §4.1: reports are about one day, from midnight to midnight UTC).

use std::fmt;

use serde::{Deserialize, Serialize};
use world::clock::UnixMs;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// A day; the number counts from 1970-01-01.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(pub u32);

impl Day {
    /// The day of a moment.
    pub fn of(moment: UnixMs) -> Self {
        Self(u32::try_from(moment.0 / DAY_MS).unwrap_or(u32::MAX))
    }

    /// Reads `2026-11-26`.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = UnixMs::from_rfc3339(&format!("{text}T00:00:00.000Z"))?;
        // The thirtieth of February is no day.
        Some(Self::of(moment)).filter(|day| day.to_string() == text)
    }

    /// Its first moment.
    pub fn begins(self) -> UnixMs {
        UnixMs(u64::from(self.0) * DAY_MS)
    }

    /// Days from `other` to this one; 0 when that is later.
    pub fn since(self, other: Self) -> u32 {
        self.0.saturating_sub(other.0)
    }

    /// So many days earlier.
    #[must_use]
    pub fn before(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.begins().rfc3339()[..10])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_they_are_written() {
        for text in ["1970-01-01", "2024-02-29", "2026-11-26"] {
            assert_eq!(Day::parse(text).map(|day| day.to_string()).as_deref(), Some(text));
        }
        for bad in ["", "2026-11", "2026-02-30", "2026-11-26 ", "26-11-2026"] {
            assert_eq!(Day::parse(bad), None, "{bad:?}");
        }
        let day = Day::parse("2026-11-26").unwrap();
        assert_eq!(day.before(26).to_string(), "2026-10-31");
        assert_eq!((day.since(day.before(3)), day.before(3).since(day)), (3, 0));
        assert_eq!(Day::of(UnixMs(day.begins().0 + DAY_MS - 1)), day);
    }
}
