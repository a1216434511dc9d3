//! From one TOML value to one typed value, with the reason and the next step when it does not fit.

use std::net::SocketAddr;
use std::path::PathBuf;

use mail::address::Domain;
use toml::Spanned;
use toml::de::DeValue;

/// The type of a setting, with its unit and bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// an absolute path
    AbsolutePath,
    /// a DNS name with at least one dot
    Hostname,
    /// a list of domain names
    Domains,
    /// a list of `address:port`, or `"off"`
    Addresses,
    /// bytes, written as a number or with a unit
    Size {
        /// in bytes
        least: u64,
        /// in bytes
        most: u64,
    },
    /// a whole number
    Number {
        /// at least
        least: u64,
        /// at most
        most: u64,
    },
    /// one of these words
    Choice(&'static [&'static str]),
}

/// A checked value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// of [`Kind::AbsolutePath`]
    Path(PathBuf),
    /// of [`Kind::Hostname`]
    Name(String),
    /// of [`Kind::Domains`]
    Names(Vec<String>),
    /// of [`Kind::Addresses`]
    Addresses(Vec<SocketAddr>),
    /// of [`Kind::Size`] (bytes) and [`Kind::Number`]
    Number(u64),
    /// of [`Kind::Choice`]
    Word(&'static str),
}

/// Why a value does not fit, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// what is wrong
    pub reason: String,
    /// what to do
    pub next_step: String,
}

fn wrong<T>(reason: String, next_step: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        reason,
        next_step: next_step.into(),
    })
}

impl Kind {
    /// For the reference.
    pub fn describe(self) -> String {
        match self {
            Self::AbsolutePath => "An absolute path".to_owned(),
            Self::Hostname => "A host name".to_owned(),
            Self::Domains => "A list of domain names".to_owned(),
            Self::Addresses => "A list of address:port, or \"off\"".to_owned(),
            Self::Size { least, most } => {
                format!(
                    "A size in bytes, KiB, MiB or GiB, from {} to {}",
                    size_text(least),
                    size_text(most)
                )
            }
            Self::Number { least, most } => format!("A whole number from {least} to {most}"),
            Self::Choice(words) => format!("One of {}", quoted(words)),
        }
    }

    /// Checks a value.
    pub fn read(self, value: &Spanned<DeValue<'_>>) -> Result<Value, Wrong> {
        let value = value.get_ref();
        match self {
            Self::AbsolutePath => path(value),
            Self::Hostname => hostname(value),
            Self::Domains => domains(value),
            Self::Addresses => addresses(value),
            Self::Size { least, most } => size(value, least, most),
            Self::Number { least, most } => number(value, least, most),
            Self::Choice(words) => choice(value, words),
        }
    }
}

fn text_of<'a>(value: &'a DeValue<'_>, example: &str) -> Result<&'a str, Wrong> {
    match value.as_str() {
        Some(text) => Ok(text),
        None => wrong(
            format!("this is {}, not text", with_article(value)),
            format!("Write it in quotes, like {example}."),
        ),
    }
}

fn with_article(value: &DeValue<'_>) -> String {
    match value.type_str() {
        "integer" => "a number".to_owned(),
        "array" => "a list".to_owned(),
        other => format!("a {other}"),
    }
}

fn path(value: &DeValue<'_>) -> Result<Value, Wrong> {
    let text = text_of(value, "\"/var/lib/hearthpost\"")?;
    let path = PathBuf::from(text);
    if path.is_absolute() && !text.contains('\0') {
        return Ok(Value::Path(path));
    }
    wrong(
        format!("{text:?} is not an absolute path"),
        "Begin it with /, so that it does not depend on where the server is started.",
    )
}

fn hostname(value: &DeValue<'_>) -> Result<Value, Wrong> {
    let text = text_of(value, "\"mail.example.org\"")?;
    match Domain::parse(text) {
        Ok(domain) if domain.literal().is_none() && text.contains('.') => {
            Ok(Value::Name(domain.as_str().to_owned()))
        }
        _ => wrong(
            format!("{text:?} is not a full host name"),
            "Write the name other servers find in DNS, like \"mail.example.org\".",
        ),
    }
}

fn domains(value: &DeValue<'_>) -> Result<Value, Wrong> {
    let Some(list) = value.as_array() else {
        return wrong(
            format!("this is {}, not a list", with_article(value)),
            "Write it like [\"example.org\"].",
        );
    };
    let mut names = Vec::new();
    for item in list.iter() {
        let text = text_of(item.get_ref(), "\"example.org\"")?;
        match Domain::parse(text) {
            Ok(domain) if domain.literal().is_none() => names.push(domain.as_str().to_owned()),
            _ => {
                return wrong(
                    format!("{text:?} is not a domain name"),
                    "Write it like \"example.org\", without a dot at the end.",
                );
            }
        }
    }
    Ok(Value::Names(names))
}

fn addresses(value: &DeValue<'_>) -> Result<Value, Wrong> {
    const EXAMPLE: &str = "Write it like [\"0.0.0.0:25\", \"[::]:25\"], or \"off\".";
    if value.as_str() == Some("off") || value.as_bool() == Some(false) {
        return Ok(Value::Addresses(Vec::new()));
    }
    let texts: Vec<&DeValue<'_>> = match value.as_array() {
        Some(list) => list.iter().map(Spanned::get_ref).collect(),
        None => vec![value],
    };
    let mut addresses = Vec::new();
    for text in texts {
        let Some(text) = text.as_str() else {
            return wrong(
                format!("this is {}, not an address with its port", with_article(text)),
                EXAMPLE,
            );
        };
        match text.parse::<SocketAddr>() {
            Ok(address) => addresses.push(address),
            Err(_) => return wrong(format!("{text:?} is not an address with its port"), EXAMPLE),
        }
    }
    Ok(Value::Addresses(addresses))
}

fn size(value: &DeValue<'_>, least: u64, most: u64) -> Result<Value, Wrong> {
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
        Some(bytes) if (least..=most).contains(&bytes) => Ok(Value::Number(bytes)),
        Some(bytes) => wrong(format!("{bytes} bytes is out of bounds"), bounds),
        None => wrong("this is not a size".to_owned(), bounds),
    }
}

fn size_of_text(text: &str) -> Option<u64> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "GiB" => 1024 * 1024 * 1024,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A size with the largest unit that divides it.
pub(crate) fn size_text(bytes: u64) -> String {
    let units = [("GiB", 1024 * 1024 * 1024), ("MiB", 1024 * 1024), ("KiB", 1024)];
    match units
        .iter()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
    {
        Some((unit, factor)) => format!("{} {unit}", bytes / factor),
        None => format!("{bytes} bytes"),
    }
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str().trim_start_matches('+'), number.radix()).ok()
}

fn number(value: &DeValue<'_>, least: u64, most: u64) -> Result<Value, Wrong> {
    let next_step = format!("Write a whole number from {least} to {most}, without quotes.");
    match integer(value) {
        Some(number) if (least..=most).contains(&number) => Ok(Value::Number(number)),
        Some(number) => wrong(format!("{number} is out of bounds"), next_step),
        None => wrong("this is not a whole number".to_owned(), next_step),
    }
}

fn choice(value: &DeValue<'_>, words: &'static [&'static str]) -> Result<Value, Wrong> {
    let text = text_of(value, &format!("{:?}", words[0]))?;
    match words.iter().find(|word| **word == text) {
        Some(word) => Ok(Value::Word(word)),
        None => wrong(
            format!("{text:?} is not known here"),
            format!("Write one of {}.", quoted(words)),
        ),
    }
}

fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("{word:?}"))
        .collect::<Vec<_>>()
        .join(", ")
}
