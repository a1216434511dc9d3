//! What is wrong with a configuration, in words: line, setting, reason, next step.

use std::fmt;

use crate::setting::Setting;
use crate::table::Values;
use crate::value::Wrong;

/// One thing to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// from 1; `None` when something is missing
    pub line: Option<usize>,
    /// dotted name of the setting, if it is about one
    pub setting: Option<String>,
    /// what is wrong
    pub reason: String,
    /// what to do
    pub next_step: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(setting) = &self.setting {
            write!(f, "{setting}: ")?;
        }
        write!(f, "{}. {}", self.reason, self.next_step)
    }
}

impl Problem {
    pub(crate) fn syntax(error: &toml::de::Error, lines: &Lines) -> Self {
        let line = error.span().map(|span| lines.line(span.start));
        let reason = error
            .message()
            .lines()
            .next()
            .unwrap_or("this is not TOML")
            .trim_end_matches('.')
            .to_owned();
        let next_step = "Each line is name = value, text stands in quotes, sections in brackets.".to_owned();
        Self {
            line,
            setting: None,
            reason,
            next_step,
        }
    }

    pub(crate) fn of_setting(line: usize, name: &str, wrong: Wrong) -> Self {
        let Wrong { reason, next_step } = wrong;
        Self {
            line: Some(line),
            setting: Some(name.to_owned()),
            reason,
            next_step,
        }
    }

    /// About a setting of the file, on the line that gives it.
    pub(crate) fn at(
        values: &Values,
        name: &str,
        reason: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self {
            line: values.line_of(name),
            setting: Some(name.to_owned()),
            reason: reason.into(),
            next_step: next_step.into(),
        }
    }

    /// Of the whole file when `prefix` is empty, else of the table on `line`.
    pub(crate) fn missing(setting: &Setting, prefix: &str, line: usize) -> Self {
        let (line, without) = if prefix.is_empty() {
            (None, "the server cannot start without it")
        } else {
            (Some(line), "this table means nothing without it")
        };
        Self {
            line,
            setting: Some(format!("{prefix}{}", setting.name)),
            reason: format!("it is missing, and {without}"),
            next_step: format!("Add: {} = {}", setting.name, setting.example),
        }
    }

    pub(crate) fn not_a_table(line: usize, name: &str, what: &str) -> Self {
        Self {
            line: Some(line),
            setting: Some(name.to_owned()),
            reason: format!("the list has {what} where a table belongs"),
            next_step: format!(
                "Write [[{name}]] on a line of its own and its settings below, once for each."
            ),
        }
    }

    pub(crate) fn secret(line: usize, name: &str) -> Self {
        Self {
            line: Some(line),
            setting: Some(name.to_owned()),
            reason: "secrets do not stand in this file, which many may read".to_owned(),
            next_step:
                "Write it into a file that only the server's user can read, and name that with password_file."
                    .to_owned(),
        }
    }

    pub(crate) fn not_a_section(line: usize, name: &str) -> Self {
        Self {
            line: Some(line),
            setting: Some(name.to_owned()),
            reason: "this is a section, not a value".to_owned(),
            next_step: format!("Write [{name}] on a line of its own and its settings below."),
        }
    }

    pub(crate) fn unknown(line: usize, name: &str, nearest: Option<&str>) -> Self {
        let next_step = match nearest {
            Some(known) => suggestion(known),
            None => "See all settings with: hearthpost config reference".to_owned(),
        };
        Self {
            line: Some(line),
            setting: Some(name.to_owned()),
            reason: "there is no such setting".to_owned(),
            next_step,
        }
    }
}

fn suggestion(known: &str) -> String {
    format!("Did you mean {known}?")
}

/// Where lines begin.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub fn of(text: &str) -> Self {
        Self(
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at)
                .collect(),
        )
    }

    /// The line, from 1, of a byte offset.
    pub fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|newline| *newline < offset) + 1
    }
}

/// The known setting whose name is nearest, if one is near: by the whole name, or the same last part in another section.
pub(crate) fn nearest(name: &str, settings: &'static [Setting]) -> Option<&'static str> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let distance = |known: &str| edits(name, known).min(edits(&last(name), &last(known)) + 1);
    let (known, edits) = settings
        .iter()
        .map(|setting| (setting.name, distance(setting.name)))
        .min_by_key(|(_, d)| *d)?;
    (edits <= 3 && edits < name.len()).then_some(known)
}

/// The nearest of some names, if one is near.
pub(crate) fn nearest_of<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (known, edits) = known
        .map(|known| (known, edits(name, known)))
        .min_by_key(|(_, d)| *d)?;
    (edits <= 2 && edits < name.len()).then_some(known)
}

/// Levenshtein distance, on names cut at 64 letters.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (up, letter) in left.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = up + 1;
        for (at, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
