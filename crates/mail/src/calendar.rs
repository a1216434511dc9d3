//! Days of the proleptic Gregorian calendar, as numbers. Pure; whoever knows which years may come clamps them.
//!
//! Both functions count in eras of 400 years that begin on 1 March, so that the leap day is the last of its year.

/// Days from 1970-01-01 to a day; negative before it. `month` counts from 1 to 12. A day beyond the end of its month is one of the next.
pub const fn days_before(year: i64, month: u8, day: u8) -> i64 {
    let (year, month) = if month <= 2 {
        (year - 1, month as i64 + 9)
    } else {
        (year, month as i64 - 3)
    };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day so many days after 1970-01-01: the inverse of [`days_before`].
pub const fn civil(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + (month <= 2) as i64;
    (year, month as u8, day as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days_have_their_numbers() {
        for (year, month, day, days) in [
            (1970, 1, 1, 0),
            (1969, 12, 31, -1),
            (2000, 2, 29, 11_016),
            (2000, 3, 1, 11_017),
            (1900, 3, 1, -25_508),
            (1, 1, 1, -719_162),
            (9999, 12, 31, 2_932_896),
        ] {
            assert_eq!(days_before(year, month, day), days, "{year}-{month}-{day}");
            assert_eq!(civil(days), (year, month, day), "{days}");
        }
    }

    proptest! {
        #[test]
        fn every_day_comes_back(days in -10_000_000_i64..10_000_000) {
            let (year, month, day) = civil(days);
            prop_assert_eq!(days_before(year, month, day), days);
        }
    }
}
