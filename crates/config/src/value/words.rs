//! Paths, names, choices.

use std::path::PathBuf;

use mail::address::{Domain, Mailbox, Utf8};
use toml::de::DeValue;

use super::network::MX;
use super::{Value, Wrong, text_of, with_article, wrong};

/// Longest name of the operator's choice, in letters.
const LABEL_LETTERS: usize = 32;
/// Longest line of text, in octets.
const LINE_OCTETS: usize = 255;
/// Labels that mean something already.
const TAKEN: [&str; 2] = [MX, "local"];

pub(super) fn path(value: &DeValue<'_>) -> Result<Value, Wrong> {
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

pub(super) fn paths(value: &DeValue<'_>) -> Result<Value, Wrong> {
    let Some(list) = value.as_array() else {
        return wrong(
            format!("this is {}, not a list", with_article(value)),
            "Write it like [\"/etc/hearthpost/file\"].",
        );
    };
    let mut paths = Vec::new();
    for item in list.iter() {
        let text = text_of(item.get_ref(), "\"/etc/hearthpost/file\"")?;
        path(item.get_ref())?;
        paths.push(text.to_owned());
    }
    Ok(Value::Names(paths))
}

/// The trust anchors that are compiled in, as a value of [`anchor`].
pub(crate) const ROOT: &str = "root";

pub(super) fn anchor(value: &DeValue<'_>) -> Result<Value, Wrong> {
    if value.as_str() == Some(ROOT) {
        return Ok(Value::Path(PathBuf::from(ROOT)));
    }
    path(value).map_err(|wrong| Wrong {
        next_step: format!("Begin it with /, or write \"{ROOT}\" for those of the Internet."),
        ..wrong
    })
}

pub(super) fn hostname(value: &DeValue<'_>) -> Result<Value, Wrong> {
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

pub(super) fn domains(value: &DeValue<'_>) -> Result<Value, Wrong> {
    let Some(list) = value.as_array() else {
        return wrong(
            format!("this is {}, not a list", with_article(value)),
            "Write it like [\"example.org\"].",
        );
    };
    let names: Result<Vec<String>, Wrong> = list.iter().map(|item| domain(item.get_ref())).collect();
    names.map(Value::Names)
}

fn domain(value: &DeValue<'_>) -> Result<String, Wrong> {
    let text = text_of(value, "\"example.org\"")?;
    match Domain::parse(text) {
        Ok(domain) if domain.literal().is_none() => Ok(domain.as_str().to_owned()),
        _ => wrong(
            format!("{text:?} is not a domain name"),
            "Write it like \"example.org\", without a dot at the end.",
        ),
    }
}

pub(super) fn label(value: &DeValue<'_>) -> Result<Value, Wrong> {
    let text = text_of(value, "\"smarthost\"")?;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if TAKEN.contains(&text) {
        return wrong(
            format!("{text:?} is a name with a meaning of its own"),
            "Take another one.",
        );
    }
    if !text.is_empty() && text.len() <= LABEL_LETTERS && text.chars().all(fits) {
        return Ok(Value::Name(text.to_owned()));
    }
    wrong(
        format!("{text:?} is no name"),
        format!("Write 1 to {LABEL_LETTERS} of the letters a-z, A-Z, 0-9, - and _, like \"smarthost\"."),
    )
}

pub(super) fn line(value: &DeValue<'_>) -> Result<Value, Wrong> {
    let text = text_of(value, "\"relay@example.org\"")?;
    if !text.is_empty() && text.len() <= LINE_OCTETS && !text.chars().any(char::is_control) {
        return Ok(Value::Name(text.to_owned()));
    }
    wrong(
        "this is not one line of text".to_owned(),
        format!("Write 1 to {LINE_OCTETS} octets without control characters."),
    )
}

/// Letters of user names (useradd(8)), or a number, or two.
fn is_user(text: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().is_ok();
    let named = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "_.-$".contains(letter));
    named
        || text
            .split_once(':')
            .map_or(number(text), |(uid, gid)| number(uid) && number(gid))
}

pub(super) fn user(value: &DeValue<'_>) -> Result<Value, Wrong> {
    let text = text_of(value, "\"hearthpost\"")?;
    if is_user(text) {
        return Ok(Value::Name(text.to_owned()));
    }
    wrong(
        format!("{text:?} is not the name of a user"),
        "Write a name as in /etc/passwd, a number, or uid:gid, like \"990:990\".",
    )
}

pub(super) fn socket_path(value: &DeValue<'_>) -> Result<Value, Wrong> {
    if value.as_str() == Some("off") || value.as_bool() == Some(false) {
        return Ok(Value::Path(PathBuf::new()));
    }
    path(value)
}

pub(super) fn local_users(value: &DeValue<'_>) -> Result<Value, Wrong> {
    const EXAMPLE: &str = "Write it like [\"backup: ops@example.org\"].";
    let Some(list) = value.as_array() else {
        return wrong(format!("this is {}, not a list", with_article(value)), EXAMPLE);
    };
    let mut pairs = Vec::new();
    for item in list.iter() {
        let text = text_of(item.get_ref(), "\"backup: ops@example.org\"")?;
        let pair = text.split_once(':').and_then(|(user, address)| {
            let mailbox = Mailbox::parse(address.trim(), Utf8::Allowed).ok()?;
            is_user(user.trim()).then(|| format!("{}: {mailbox}", user.trim()))
        });
        match pair {
            Some(pair) => pairs.push(pair),
            None => return wrong(format!("{text:?} is not a user and an address"), EXAMPLE),
        }
    }
    Ok(Value::Names(pairs))
}

pub(super) fn flag(value: &DeValue<'_>) -> Result<Value, Wrong> {
    match value.as_bool() {
        Some(flag) => Ok(Value::Flag(flag)),
        None => wrong(
            format!("this is {}, not true or false", with_article(value)),
            "Write true or false, without quotes.",
        ),
    }
}

pub(super) fn choice(value: &DeValue<'_>, words: &'static [&'static str]) -> Result<Value, Wrong> {
    let text = text_of(value, &format!("{:?}", words[0]))?;
    match words.iter().find(|word| **word == text) {
        Some(word) => Ok(Value::Word(word)),
        None => wrong(
            format!("{text:?} is not known here"),
            format!("Write one of {}.", quoted(words)),
        ),
    }
}

pub(super) fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("{word:?}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A TOML basic string.
pub(super) fn written(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
