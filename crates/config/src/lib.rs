//! The settings of `hearthpost serve`: each defined once, with its type, unit, default, doc and check.
//!
//! 1. [`setting::SETTINGS`] is the one list; the reference ([`reference()`]), the check and the reader all come from it.
//! 2. [`read`] takes the text of `hearthpost.toml` and gives a [`Config`] or every [`Problem`] at once, each with its
//!    line, the reason and the next step.
//! 3. [`value`] turns one TOML value into a typed one; [`whole`] checks what several settings must agree on.
//!
//! Pure: it reads no file. Whether certificate files can be read is checked where they are read.
//! Domains, accounts and aliases are not settings: they live in the store and are changed by the command line.

pub mod problem;
pub mod setting;
pub mod value;
mod whole;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use problem::Problem;
pub use setting::{SETTINGS, Setting, reference};

use crate::problem::{Lines, nearest};
use crate::value::Value;

/// Everything `serve` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// where everything is kept
    pub data_dir: PathBuf,
    /// the name this server says of itself
    pub hostname: String,
    /// domains made at the start when they are missing
    pub domains: Vec<String>,
    /// where it listens
    pub doors: Doors,
    /// certificate and key files in PEM
    pub tls: Option<TlsFiles>,
    /// largest message taken, in bytes
    pub message_bytes: u64,
    /// most connections at once, over all doors
    pub connections: u64,
    /// what happens to bare CR and LF in incoming mail
    pub bare_newlines: BareNewlines,
    /// what of the log goes to standard error
    pub log_stderr: LogStderr,
    /// directory of the log files; `None` is `log` in the data directory
    pub log_dir: Option<PathBuf>,
}

/// Addresses of each door; empty is off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // documented in SETTINGS under the same names
pub struct Doors {
    pub smtp: Vec<SocketAddr>,
    pub submission: Vec<SocketAddr>,
    pub submissions: Vec<SocketAddr>,
    pub lmtp: Vec<SocketAddr>,
    pub imap: Vec<SocketAddr>,
    pub imaps: Vec<SocketAddr>,
}

impl Doors {
    /// Each door's name and addresses.
    pub fn each(&self) -> [(&'static str, &[SocketAddr]); 6] {
        [
            ("smtp", &self.smtp),
            ("submission", &self.submission),
            ("submissions", &self.submissions),
            ("lmtp", &self.lmtp),
            ("imap", &self.imap),
            ("imaps", &self.imaps),
        ]
    }
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// our certificate and those that lead to its root
    pub certificate: PathBuf,
    /// its private key
    pub key: PathBuf,
}

/// What happens to bare CR and LF in incoming mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareNewlines {
    /// `550 5.6.0`
    Refuse,
    /// Each becomes CRLF, after the end of the message was found by CRLF.CRLF alone.
    Normalise,
}

/// What of the log goes to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStderr {
    /// lines for people
    Human,
    /// one JSON object a line
    Json,
    /// nothing
    Off,
}

/// Reads `hearthpost.toml`. All problems are reported, in the order of their lines.
pub fn read(text: &str) -> Result<Config, Vec<Problem>> {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| Problem::syntax(error, &lines))
        .collect();
    let mut given = BTreeMap::new();
    walk("", table.get_ref(), &lines, &mut given, &mut problems);
    let mut values: BTreeMap<&'static str, (Value, Option<usize>)> = BTreeMap::new();
    for setting in SETTINGS {
        match given.remove(setting.name) {
            Some((value, line)) => match setting.kind.read(&value) {
                Ok(value) => drop(values.insert(setting.name, (value, Some(line)))),
                Err(wrong) => problems.push(Problem::of_setting(line, setting.name, wrong)),
            },
            None => match setting.default_value() {
                Some(value) => drop(values.insert(setting.name, (value, None))),
                // A misspelled one was reported already, with its right name.
                None if setting.required
                    && errors.is_empty()
                    && !Problem::any_suggests(&problems, setting.name) =>
                {
                    problems.push(Problem::missing(setting))
                }
                None => {}
            },
        }
    }
    whole::check(&values, &mut problems);
    if problems.is_empty() {
        return Ok(whole::build(values));
    }
    problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
    Err(problems)
}

/// Collects settings under their dotted names; unknown ones become problems that name the nearest known one.
fn walk<'a>(
    prefix: &str,
    table: &DeTable<'a>,
    lines: &Lines,
    given: &mut BTreeMap<&'static str, (Spanned<DeValue<'a>>, usize)>,
    problems: &mut Vec<Problem>,
) {
    for (key, value) in table {
        let name = if prefix.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{prefix}.{}", key.get_ref())
        };
        let line = lines.line(key.span().start);
        let section = format!("{name}.");
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) {
            given.insert(setting.name, (value.clone(), line));
        } else if SETTINGS.iter().any(|setting| setting.name.starts_with(&section)) {
            match value.get_ref().as_table() {
                Some(inner) => walk(&name, inner, lines, given, problems),
                None => problems.push(Problem::not_a_section(line, &name)),
            }
        } else {
            problems.push(Problem::unknown(line, &name, nearest(&name)));
        }
    }
}

#[doc(hidden)]
pub mod fuzzing {
    //! Entries for fuzz targets.

    /// Reads any text as a configuration.
    pub fn fuzz_config(bytes: &[u8]) {
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Err(problems) = crate::read(text)
        {
            assert!(!problems.is_empty());
        }
    }
}

#[cfg(test)]
mod tests;
