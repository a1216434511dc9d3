//! Sizes, durations, numbers.

use std::time::Duration;

use toml::de::DeValue;

use super::{Value, Wrong, integer, wrong};

pub(super) fn size(value: &DeValue<'_>, least: u64, most: u64) -> Result<Value, Wrong> {
    let bytes = match value.as_str() {
        Some(text) => size_of_text(text),
        None => integer(value),
    };
    let bounds = format!(
        "Write a size from {} to {}, like \"50 MiB\".",
        size_text(least),
        size_text(most)
    );
    match bytes {
        Some(bytes) if (least..=most).contains(&bytes) => Ok(Value::Bytes(bytes)),
        Some(bytes) => wrong(format!("{bytes} bytes is out of bounds"), bounds),
        None => wrong("this is not a size".to_owned(), bounds),
    }
}

/// A number and the unit behind it, without the spaces between them.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim()))
}

fn size_of_text(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "GiB" => 1024 * 1024 * 1024,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A size with the largest unit that divides it.
pub(super) fn size_text(bytes: u64) -> String {
    let units = [("GiB", 1024 * 1024 * 1024), ("MiB", 1024 * 1024), ("KiB", 1024)];
    match units
        .iter()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
    {
        Some((unit, factor)) => format!("{} {unit}", bytes / factor),
        None => format!("{bytes} bytes"),
    }
}

pub(super) fn duration(value: &DeValue<'_>, least_s: u64, most_s: u64) -> Result<Value, Wrong> {
    let text_of = |seconds| duration_text(Duration::from_secs(seconds));
    let bounds = format!(
        "Write a duration from {} to {} with its unit, like \"90 s\", \"5 min\", \"4 h\" or \"5 days\".",
        text_of(least_s),
        text_of(most_s)
    );
    match value.as_str().and_then(duration_of_text) {
        Some(seconds) if (least_s..=most_s).contains(&seconds) => {
            Ok(Value::Duration(Duration::from_secs(seconds)))
        }
        Some(seconds) => wrong(format!("{} is out of bounds", text_of(seconds)), bounds),
        None => wrong("this is not a duration".to_owned(), bounds),
    }
}

/// Seconds of a text with its unit; a number alone is none, because nobody would know its unit.
fn duration_of_text(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor: u64 = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 60 * 60,
        "day" | "days" => 24 * 60 * 60,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A duration with the largest unit that divides it; one day is written as 24 h.
pub(crate) fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("days", 24 * 60 * 60, 2), ("h", 60 * 60, 1), ("min", 60, 1)];
    match units
        .iter()
        .find(|(_, factor, least)| seconds >= factor * least && seconds.is_multiple_of(*factor))
    {
        Some((unit, factor, _)) => format!("{} {unit}", seconds / factor),
        None => format!("{seconds} s"),
    }
}

pub(super) fn number(value: &DeValue<'_>, least: u64, most: u64) -> Result<Value, Wrong> {
    let next_step = format!("Write a whole number from {least} to {most}, without quotes.");
    match integer(value) {
        Some(number) if (least..=most).contains(&number) => Ok(Value::Number(number)),
        Some(number) => wrong(format!("{number} is out of bounds"), next_step),
        None => wrong("this is not a whole number".to_owned(), next_step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, seconds, written) in [
            ("90 s", 90, "90 s"),
            ("60s", 60, "1 min"),
            ("240 min", 4 * 3600, "4 h"),
            ("1 day", 86_400, "24 h"),
            ("5 days", 5 * 86_400, "5 days"),
        ] {
            assert_eq!(duration_of_text(text), Some(seconds), "{text}");
            assert_eq!(duration_text(Duration::from_secs(seconds)), written);
            assert_eq!(duration_of_text(written), Some(seconds), "{written}");
        }
        for bad in [
            "",
            "4",
            "h",
            "4 hours",
            "-4 h",
            "1.5 h",
            "4 h 30 min",
            "99999999999999999 days",
        ] {
            assert_eq!(duration_of_text(bad), None, "{bad}");
        }
    }
}
