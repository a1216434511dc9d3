//! IMAP's dates: `1-Feb-1994` and `"17-Jul-1996 02:44:25 -0700"` (RFC 3501 §9, date and date-time).

use std::fmt;

use mail::calendar;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const SECONDS_A_DAY: i64 = 86_400;

/// A day that exists, of the years 0 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// `month` and `day` count from 1; `None` for a day that does not exist.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let exists = year <= 9999 && (1..=12).contains(&month) && day >= 1 && day <= days_in(year, month);
        exists.then_some(Self { year, month, day })
    }

    /// Year, month and day, counted from 1.
    pub fn year_month_day(self) -> (u16, u8, u8) {
        (self.year, self.month, self.day)
    }

    /// Days since 1 January 1970.
    pub fn days_since_1970(self) -> i64 {
        calendar::days_before(i64::from(self.year), self.month, self.day)
    }

    /// The day so many days after 1 January 1970; clamped to the years 0 to 9999.
    pub fn from_days_since_1970(days: i64) -> Self {
        let (year, month, day) = calendar::civil(days.clamp(-719_528, 2_932_896));
        Self {
            year: year as u16,
            month,
            day,
        }
    }

    /// The day on which a moment (seconds since 1970, UTC) falls in a zone so many minutes east of Greenwich.
    pub fn of_unix_seconds(seconds: i64, zone_minutes: i16) -> Self {
        let local = seconds.saturating_add(i64::from(zone_minutes) * 60);
        Self::from_days_since_1970(local.div_euclid(SECONDS_A_DAY))
    }

    /// A month by its English abbreviation in any case, counted from 1.
    pub fn month_named(name: &[u8]) -> Option<u8> {
        let at = MONTHS
            .iter()
            .position(|month| month.as_bytes().eq_ignore_ascii_case(name))?;
        u8::try_from(at + 1).ok()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = MONTHS[usize::from(self.month) - 1];
        write!(f, "{}-{month}-{:04}", self.day, self.year)
    }
}

/// A moment with its zone, as in INTERNALDATE and APPEND.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    /// seconds since 1970, UTC
    pub unix_seconds: i64,
    /// minutes east of Greenwich
    pub zone_minutes: i16,
}

impl DateTime {
    /// From the parts on the wire; `None` when one is out of range. A leap second counts as the one before.
    pub fn new(date: Date, hour: u8, minute: u8, second: u8, zone_minutes: i16) -> Option<Self> {
        if hour > 23 || minute > 59 || second > 60 || zone_minutes.abs() >= 24 * 60 {
            return None;
        }
        let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second.min(59));
        let unix_seconds = date.days_since_1970() * SECONDS_A_DAY + of_day - i64::from(zone_minutes) * 60;
        Some(Self {
            unix_seconds,
            zone_minutes,
        })
    }
}

impl fmt::Display for DateTime {
    /// `17-Jul-1996 02:44:25 -0700`, the day padded with a blank: always 26 octets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self
            .unix_seconds
            .saturating_add(i64::from(self.zone_minutes) * 60);
        let date = Date::from_days_since_1970(local.div_euclid(SECONDS_A_DAY));
        let second = local.rem_euclid(SECONDS_A_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let sign = if self.zone_minutes < 0 { '-' } else { '+' };
        let zone = self.zone_minutes.unsigned_abs();
        write!(
            f,
            "{:2}-{}-{:04} {hour:02}:{minute:02}:{second:02} {sign}{:02}{:02}",
            date.day,
            MONTHS[usize::from(date.month) - 1],
            date.year,
            zone / 60,
            zone % 60
        )
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_that_do_not_exist_are_refused() {
        assert!(Date::new(2024, 2, 29).is_some());
        for (year, month, day) in [
            (2023, 2, 29),
            (1900, 2, 29),
            (2024, 4, 31),
            (2024, 0, 1),
            (2024, 13, 1),
            (2024, 1, 0),
        ] {
            assert_eq!(Date::new(year, month, day), None);
        }
    }

    #[test]
    fn moments_are_written_as_rfc_3501_shows() {
        let date = Date::new(1996, 7, 17).expect("a day");
        let moment = DateTime::new(date, 2, 44, 25, -7 * 60).expect("a moment");
        assert_eq!(moment.unix_seconds, 837_596_665);
        assert_eq!(moment.to_string(), "17-Jul-1996 02:44:25 -0700");
        let early = DateTime {
            unix_seconds: 0,
            zone_minutes: 330,
        };
        assert_eq!(early.to_string(), " 1-Jan-1970 05:30:00 +0530");
        assert_eq!(Date::of_unix_seconds(0, -60).to_string(), "31-Dec-1969");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn days_round_trip(days in -719_528i64..=2_932_896) {
            let date = Date::from_days_since_1970(days);
            prop_assert_eq!(date.days_since_1970(), days);
            let (year, month, day) = date.year_month_day();
            prop_assert_eq!(Date::new(year, month, day), Some(date));
        }
    }
}
