//! When a message is to leave and when to arrive, the same on both sides: [`Hold`] of FUTURERELEASE (RFC 4865) and
//! [`DeliverBy`] of DELIVERBY (RFC 2852).

use std::fmt;

use mail::date::DateTime;

/// HOLDFOR or HOLDUNTIL of MAIL (RFC 4865 §3): the message does not leave before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// so many seconds from now
    For(u32),
    /// this moment, in seconds since 1970
    Until(u64),
}

impl Hold {
    /// `future-release-integer = %x31-39 *8DIGIT`: seconds.
    pub fn parse_for(value: &str) -> Option<Self> {
        let good = (1..=9).contains(&value.len())
            && value.bytes().all(|byte| byte.is_ascii_digit())
            && !value.starts_with('0');
        good.then(|| value.parse().ok().map(Self::For))?
    }

    /// `date-time` of RFC 3339 §5.6 (erratum 2040).
    pub fn parse_until(value: &str) -> Option<Self> {
        let moment = DateTime::parse_rfc3339(value.as_bytes())?;
        u64::try_from(moment.unix_ms() / 1000).ok().map(Self::Until)
    }

    /// The moment before which the message does not leave, in seconds since 1970.
    pub fn until(self, now_unix_s: u64) -> u64 {
        match self {
            Self::For(seconds) => now_unix_s.saturating_add(u64::from(seconds)),
            Self::Until(moment) => moment,
        }
    }
}

/// BY of MAIL (RFC 2852 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverBy {
    /// seconds left; at most nine digits are read and written
    pub seconds: i32,
    /// what happens when they are over
    pub mode: DeliverByMode,
    /// whether relays tell of themselves
    pub trace: bool,
}

/// What happens when the time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliverByMode {
    /// the sender is told, delivery goes on
    Notify,
    /// the message goes back
    Return,
}

const NINE_DIGITS: i32 = 999_999_999;

impl DeliverBy {
    /// `by-value = by-time ";" by-mode [by-trace]`, `by-time = ["-" / "+"] 1*9DIGIT`, `by-mode = "N" / "R"`,
    /// `by-trace = "T"`.
    pub fn parse(value: &str) -> Option<Self> {
        let (time, mode) = value.split_once(';')?;
        let digits = time.strip_prefix(['-', '+']).unwrap_or(time);
        let good = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let (mode, trace) = match mode.to_ascii_uppercase().as_str() {
            "N" => (DeliverByMode::Notify, false),
            "NT" => (DeliverByMode::Notify, true),
            "R" => (DeliverByMode::Return, false),
            "RT" => (DeliverByMode::Return, true),
            _ => return None,
        };
        let seconds: i32 = good.then(|| digits.parse().ok())??;
        let seconds = if time.starts_with('-') { -seconds } else { seconds };
        Some(Self { seconds, mode, trace })
    }
}

impl fmt::Display for DeliverBy {
    /// The value on the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds.clamp(-NINE_DIGITS, NINE_DIGITS);
        let mode = match self.mode {
            DeliverByMode::Notify => 'N',
            DeliverByMode::Return => 'R',
        };
        let trace = if self.trace { "T" } else { "" };
        write!(f, "{seconds};{mode}{trace}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn holds_are_read_strictly() {
        let table: &[(&str, Option<Hold>)] = &[
            ("1", Some(Hold::For(1))),
            ("604800", Some(Hold::For(604_800))),
            ("999999999", Some(Hold::For(999_999_999))),
            ("1000000000", None),
            ("0", None),
            ("01", None),
            ("-1", None),
            ("+1", None),
            ("", None),
        ];
        for (value, want) in table {
            assert_eq!(Hold::parse_for(value), *want, "{value:?}");
        }
        let table: &[(&str, Option<u64>)] = &[
            ("1970-01-01T00:00:01Z", Some(1)),
            ("2026-11-26T05:30:00Z", Some(1_795_671_000)),
            ("2026-11-26T06:30:00+01:00", Some(1_795_671_000)),
            ("2026-11-26t05:30:00.5z", Some(1_795_671_000)),
            ("1969-12-31T23:59:00Z", None),
            ("2026-11-26", None),
            ("2026-11-31T05:30:00Z", None),
            ("2026-11-26T05:30:00", None),
        ];
        for (value, want) in table {
            assert_eq!(Hold::parse_until(value), want.map(Hold::Until), "{value:?}");
        }
        assert_eq!(Hold::For(60).until(1_000), 1_060);
        assert_eq!(Hold::Until(60).until(1_000), 60);
    }

    #[test]
    fn deliver_by_is_read_strictly() {
        use DeliverByMode::{Notify, Return};
        let table: &[(&str, Option<(i32, DeliverByMode, bool)>)] = &[
            ("120;R", Some((120, Return, false))),
            ("+120;n", Some((120, Notify, false))),
            ("-5;NT", Some((-5, Notify, true))),
            ("0;RT", Some((0, Return, true))),
            ("999999999;N", Some((999_999_999, Notify, false))),
            ("1000000000;N", None),
            ("120", None),
            ("120;", None),
            ("120;X", None),
            ("120;TN", None),
            (";N", None),
            ("--1;N", None),
            ("1 ;N", None),
        ];
        for (value, want) in table {
            let got = DeliverBy::parse(value).map(|by| (by.seconds, by.mode, by.trace));
            assert_eq!(got, *want, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in -999_999_999_i32..=999_999_999, back: bool, trace: bool) {
            let mode = if back { DeliverByMode::Return } else { DeliverByMode::Notify };
            let by = DeliverBy { seconds, mode, trace };
            prop_assert_eq!(DeliverBy::parse(&by.to_string()), Some(by));
        }
    }
}
