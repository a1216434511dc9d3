//! Dates of mail: reading RFC 5322 §3.3 and its old forms (§4.3), writing that and IMAP's internal date (RFC 9051
//! `date-time`). No clock: the time is given.

use std::fmt::Write as _;

use crate::calendar::{self, days_before};

/// A moment with the offset it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31, valid in its month.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60 (a leap second).
    pub second: u8,
    /// Minutes east of UTC, −5999 to 5999.
    pub offset_minutes: i16,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
/// Octets of a Date field that are looked at, and words in it.
const MAX_DATE_BYTES: usize = 1024;
const MAX_TOKENS: usize = 24;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

impl DateTime {
    /// The moment `unix_ms` (milliseconds since 1970, clamped to the years 1 to 9999) as seen `offset_minutes` east of
    /// UTC (clamped to what four digits can say).
    pub fn from_unix_ms(unix_ms: i64, offset_minutes: i16) -> Self {
        let offset_minutes = offset_minutes.clamp(-5999, 5999);
        let first = days_before(1, 1, 1) * DAY_MS;
        let last = (days_before(9999, 12, 31) + 1) * DAY_MS - 1;
        let local = unix_ms
            .saturating_add(i64::from(offset_minutes) * MINUTE_MS)
            .clamp(first, last);
        let (year, month, day) = civil(local.div_euclid(DAY_MS));
        let second = local.rem_euclid(DAY_MS) / 1000;
        Self {
            year,
            month,
            day,
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
            offset_minutes,
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; negative before.
    pub fn unix_ms(&self) -> i64 {
        let days = days_before(i64::from(self.year), self.month, self.day);
        let seconds = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        days * DAY_MS + seconds * 1000 - i64::from(self.offset_minutes) * MINUTE_MS
    }

    /// Reads the value of a Date field: day name, seconds and zone may be missing, years may have two or three digits,
    /// zones may be names, comments and folds may stand anywhere, the month may come first (asctime). An unknown zone is
    /// UTC (RFC 5322 §4.3). Nothing when day, month, year, hour or minute is missing or impossible.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let tokens = tokens(&value[..value.len().min(MAX_DATE_BYTES)]);
        let mut words = Words { tokens: &tokens };
        words.skip_day_name();
        let (day, month, year_first) = words.day_and_month()?;
        let year = if year_first { Some(words.year()?) } else { None };
        let (hour, minute, second) = words.time()?;
        // asctime puts the year behind the time; a zone may stand before it or not at all.
        let offset_minutes = if year_first { words.zone() } else { 0 };
        let year = match year {
            Some(year) => year,
            None => words.year()?,
        };
        let date = Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            offset_minutes,
        };
        date.is_possible().then_some(date)
    }

    /// Reads IMAP's `date-time` without its quotes: `17-Jul-1996 02:44:25 -0700`, the day with a space or a zero before
    /// it (RFC 9051 §9).
    pub fn parse_internal(text: &[u8]) -> Option<Self> {
        if text.len() != 26 || text[2] != b'-' || text[6] != b'-' || text[11] != b' ' || text[20] != b' ' {
            return None;
        }
        let number = |from: usize, to: usize| -> Option<u16> {
            let digits = &text[from..to];
            let all = digits.iter().all(u8::is_ascii_digit);
            all.then(|| {
                digits
                    .iter()
                    .fold(0, |value, digit| value * 10 + u16::from(digit - b'0'))
            })
        };
        let day = if text[0] == b' ' {
            number(1, 2)?
        } else {
            number(0, 2)?
        };
        let sign = match text[21] {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let minutes = number(22, 24)? * 60 + number(24, 26)?;
        let date = Self {
            year: number(7, 11)?,
            month: month(&text[3..6])?,
            day: day as u8,
            hour: number(12, 14)? as u8,
            minute: number(15, 17)? as u8,
            second: number(18, 20)? as u8,
            offset_minutes: sign * i16::try_from(minutes).ok()?,
        };
        (text[14] == b':' && text[17] == b':' && date.is_possible()).then_some(date)
    }

    /// Reads `date-time` of RFC 3339 §5.6: `2026-11-26T05:30:00.25+01:00`. Fractions of a second are dropped.
    pub fn parse_rfc3339(text: &[u8]) -> Option<Self> {
        let (date, rest) = text.split_at_checked(19)?;
        let marks = [(4, b"--"), (7, b"--"), (10, b"Tt"), (13, b"::"), (16, b"::")];
        if !marks.iter().all(|(at, either)| either.contains(&date[*at])) {
            return None;
        }
        let number = |from: usize, to: usize| digits(&date[from..to]);
        let date = Self {
            year: number(0, 4)?,
            month: number(5, 7)? as u8,
            day: number(8, 10)? as u8,
            hour: number(11, 13)? as u8,
            minute: number(14, 16)? as u8,
            second: number(17, 19)? as u8,
            offset_minutes: offset_rfc3339(rest)?,
        };
        date.is_possible().then_some(date)
    }

    /// `2026-11-26T05:30:00Z`, in UTC (RFC 3339 §5.6).
    pub fn to_rfc3339(&self) -> String {
        let utc = Self::from_unix_ms(self.unix_ms(), 0);
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second
        )
    }

    fn is_possible(&self) -> bool {
        (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && self.day >= 1
            && self.day <= days_in_month(self.year, self.month)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
            && self.offset_minutes.unsigned_abs() < 100 * 60
    }

    /// `Fri, 21 Nov 1997 09:55:06 -0600` (RFC 5322 §3.3).
    pub fn to_rfc5322(&self) -> String {
        let days = days_before(i64::from(self.year), self.month, self.day);
        let name = DAYS[days.rem_euclid(7) as usize];
        let month = MONTHS[usize::from(self.month - 1)];
        let mut text = String::with_capacity(31);
        // Writing to a String cannot fail.
        let _ = write!(text, "{name}, {} {month} {:04} ", self.day, self.year);
        self.write_time_and_zone(&mut text);
        text
    }

    /// `17-Jul-1996 02:44:25 -0700`, the day padded with a space, without quotes (RFC 9051 `date-time`).
    pub fn to_internal(&self) -> String {
        let month = MONTHS[usize::from(self.month - 1)];
        let mut text = String::with_capacity(26);
        let _ = write!(text, "{:>2}-{month}-{:04} ", self.day, self.year);
        self.write_time_and_zone(&mut text);
        text
    }

    fn write_time_and_zone(&self, text: &mut String) {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let minutes = self.offset_minutes.unsigned_abs();
        let _ = write!(
            text,
            "{:02}:{:02}:{:02} {sign}{:02}{:02}",
            self.hour,
            self.minute,
            self.second,
            minutes / 60,
            minutes % 60
        );
    }
}

/// A Date field for the moment `unix_ms`, in UTC written as `+0000`.
pub fn rfc5322(unix_ms: u64) -> String {
    DateTime::from_unix_ms(i64::try_from(unix_ms).unwrap_or(i64::MAX), 0).to_rfc5322()
}

/// IMAP INTERNALDATE for the moment `unix_ms`, in UTC, without quotes.
pub fn internal(unix_ms: u64) -> String {
    DateTime::from_unix_ms(i64::try_from(unix_ms).unwrap_or(i64::MAX), 0).to_internal()
}

/// At most five digits, and nothing else.
fn digits(text: &[u8]) -> Option<u16> {
    let all = (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let value = text.iter().try_fold(0_u32, |value, digit| {
        Some(value * 10 + u32::from(digit.checked_sub(b'0')?))
    });
    value.filter(|_| all).and_then(|value| u16::try_from(value).ok())
}

/// `[time-secfrac] time-offset`, in minutes east of UTC.
fn offset_rfc3339(text: &[u8]) -> Option<i16> {
    let zone = match text.split_first() {
        Some((b'.', rest)) => {
            let fraction = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (fraction > 0).then(|| &rest[fraction..])?
        }
        _ => text,
    };
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), hour @ .., b':', tens, ones] if hour.len() == 2 => {
            let (hours, minutes) = (digits(hour)?, digits(&[*tens, *ones])?);
            let minutes = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
            let minutes = i16::try_from(minutes).ok()?;
            Some(if *sign == b'-' { -minutes } else { minutes })
        }
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(i64::from(year)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day; the years 1 to 9999.
fn civil(days: i64) -> (u16, u8, u8) {
    let (year, month, day) = calendar::civil(days);
    (year.clamp(1, 9999) as u16, month, day)
}

fn month(word: &[u8]) -> Option<u8> {
    let start = word.get(..3)?;
    let found = MONTHS
        .iter()
        .position(|name| name.as_bytes().eq_ignore_ascii_case(start))?;
    Some(found as u8 + 1)
}

#[derive(Clone, Copy)]
enum Token<'a> {
    Number { value: u32, digits: usize },
    Word(&'a [u8]),
    Sign(i16),
    Colon,
}

/// Splits into numbers, words, signs and colons; comments, commas and white space are left out. A `-` between a number
/// and a word (`17-Jul-1996`) is no sign, which `zone` decides by what follows.
fn tokens(value: &[u8]) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(16);
    let mut at = 0;
    while at < value.len() && tokens.len() < MAX_TOKENS {
        let rest = &value[at..];
        let len = match rest[0] {
            b'(' => crate::value::skip_comment(value, at) - at,
            b'0'..=b'9' => {
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let value = rest[..digits.min(9)]
                    .iter()
                    .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
                tokens.push(Token::Number { value, digits });
                digits
            }
            byte if byte.is_ascii_alphabetic() => {
                let letters = rest
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric())
                    .count();
                tokens.push(Token::Word(&rest[..letters]));
                letters
            }
            b'+' => {
                tokens.push(Token::Sign(1));
                1
            }
            b'-' => {
                tokens.push(Token::Sign(-1));
                1
            }
            b':' => {
                tokens.push(Token::Colon);
                1
            }
            _ => 1,
        };
        at += len;
    }
    tokens
}

/// The words of a date that were not read yet.
struct Words<'t, 'a> {
    tokens: &'t [Token<'a>],
}

impl Words<'_, '_> {
    fn skip_day_name(&mut self) {
        if let [Token::Word(word), rest @ ..] = self.tokens
            && month(word).is_none()
        {
            self.tokens = rest;
        }
    }

    fn skip_dash(&mut self) {
        if let [Token::Sign(-1), rest @ ..] = self.tokens {
            self.tokens = rest;
        }
    }

    fn number(&mut self, max_digits: usize) -> Option<u32> {
        match self.tokens {
            [Token::Number { value, digits }, rest @ ..] if *digits <= max_digits => {
                self.tokens = rest;
                Some(*value)
            }
            _ => None,
        }
    }

    fn month(&mut self) -> Option<u8> {
        let [Token::Word(word), rest @ ..] = self.tokens else {
            return None;
        };
        let found = month(word)?;
        self.tokens = rest;
        Some(found)
    }

    /// `21 Nov`, `21-Nov-` (true: the year follows) or `Nov 21` (false: the time follows).
    fn day_and_month(&mut self) -> Option<(u8, u8, bool)> {
        if let Some(month) = self.month() {
            let day = self.number(2)?;
            return Some((day as u8, month, false));
        }
        let day = self.number(2)?;
        self.skip_dash();
        let month = self.month()?;
        self.skip_dash();
        Some((day as u8, month, true))
    }

    /// Two digits: 00–49 are 2000–2049, 50–99 are 1950–1999; three: 1900 is added (RFC 5322 §4.3).
    fn year(&mut self) -> Option<u16> {
        let [Token::Number { value, digits }, rest @ ..] = self.tokens else {
            return None;
        };
        self.tokens = rest;
        let year = match (digits, value) {
            (1 | 2, 0..=49) => value + 2000,
            (1..=3, _) => value + 1900,
            (4, _) => *value,
            _ => return None,
        };
        u16::try_from(year).ok()
    }

    fn time(&mut self) -> Option<(u8, u8, u8)> {
        let hour = self.number(2)?;
        self.colon()?;
        let minute = self.number(2)?;
        let second = if self.colon().is_some() {
            self.number(2)?
        } else {
            0
        };
        Some((hour as u8, minute as u8, second as u8))
    }

    fn colon(&mut self) -> Option<()> {
        let [Token::Colon, rest @ ..] = self.tokens else {
            return None;
        };
        self.tokens = rest;
        Some(())
    }

    fn zone(&mut self) -> i16 {
        match self.tokens {
            [Token::Sign(sign), Token::Number { value, digits: 4 }, ..] if value % 100 < 60 => {
                sign * (value / 100 * 60 + value % 100) as i16
            }
            [Token::Word(name), ..] => named_zone(name),
            _ => 0,
        }
    }
}

/// RFC 5322 §4.3. Military letters and unknown names are −0000: nobody knows what they meant.
fn named_zone(name: &[u8]) -> i16 {
    let hours = match name.to_ascii_uppercase().as_slice() {
        b"EDT" => -4,
        b"EST" | b"CDT" | b"EST5EDT" => -5,
        b"CST" | b"MDT" | b"CST6CDT" => -6,
        b"MST" | b"PDT" | b"MST7MDT" => -7,
        b"PST" | b"PST8PDT" => -8,
        _ => 0,
    };
    hours * 60
}

#[cfg(test)]
mod tests;
