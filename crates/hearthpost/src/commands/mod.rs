//! The command line's nouns: each asks the server (or, when it is stopped, the store) and prints the answer.

pub mod account;
pub mod alias;
pub mod check;
mod check_rules;
pub mod config;
pub mod dkim;
pub mod dns;
pub mod domain;
mod domain_alias;
pub mod history;
pub mod index;
pub mod mailbox;
pub mod queue;
pub mod reload;
pub mod self_test;
mod send_as;
pub mod status;
pub mod store;
pub mod tls;
pub mod trace;
mod trace_address;

use std::future::Future;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::Common;
use crate::control::Request;
use crate::control::client::connect;
use crate::csv;
use crate::exit::{Failure, Outcome};
use crate::limits::CSV_BYTES;
use crate::serve;

/// The data directory that is meant.
pub fn data_dir(common: &Common) -> Outcome<PathBuf> {
    match &common.data {
        Some(data) => Ok(data.clone()),
        None if is_missing(&common.config) => Err(Failure::Usage(format!(
            "which server is meant? There are no settings in {}. Name its settings with --config FILE, or its data directory (a demo's --dir) with \
             --data DIR.",
            common.config.display()
        ))),
        None => Ok(serve::read(&common.config)?.config.data_dir),
    }
}

fn is_missing(file: &Path) -> bool {
    file.try_exists().is_ok_and(|exists| !exists)
}

/// Asks once.
pub fn ask(common: &Common, request: Request) -> Outcome<Value> {
    let data = data_dir(common)?;
    block_on(async { connect(&data).await?.ask(request).await })
}

/// Runs one command's work.
pub fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Disk(format!("the runtime cannot start: {error}.")))?;
    runtime.block_on(work)
}

/// The answer as the type it is.
pub fn parse<T: DeserializeOwned>(value: Value) -> Outcome<T> {
    serde_json::from_value(value).map_err(|error| {
        Failure::Unreachable(format!(
            "the server's answer cannot be read: {error}. Use the hearthpost of the server's version."
        ))
    })
}

/// Prints lines for people, or the value as JSON.
pub fn show(common: &Common, value: &impl Serialize, lines: impl FnOnce() -> Vec<String>) -> Outcome<()> {
    let text = if common.json {
        serde_json::to_string(value).expect("plain values are always JSON")
    } else {
        lines().join("\n")
    };
    print(&text)
}

/// After what would be changed was counted and shown: it is not done, and a script must see that.
pub fn not_done(what: &str) -> Outcome<()> {
    Err(Failure::Refused(format!(
        "nothing was changed yet. To {what}, say the same with --yes."
    )))
}

/// Prints a text and a line end; nothing for an empty text.
pub fn print(text: &str) -> Outcome<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    match out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Disk(format!(
            "standard output cannot be written: {error}."
        ))),
        _ => Ok(()),
    }
}

/// Reads a CSV file.
pub fn read_csv(path: &Path) -> Outcome<Vec<csv::Line>> {
    let unreadable =
        |error: std::io::Error| Failure::Usage(format!("{} cannot be read: {error}.", path.display()));
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(CSV_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > CSV_BYTES {
        return Err(Failure::Usage(format!(
            "{} is larger than 16 MiB. Split it.",
            path.display()
        )));
    }
    csv::read(&text).map_err(|problem| Failure::Usage(format!("{}: {problem}", path.display())))
}

/// A size like `5GiB`, `500 MiB` or `0`.
pub fn size(text: &str) -> Outcome<u64> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: Option<u64> = match unit.trim() {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "TiB" => Some(1 << 40),
        _ => None,
    };
    let bytes = factor.and_then(|factor| number.parse::<u64>().ok()?.checked_mul(factor));
    // The store keeps it as an SQL integer.
    bytes
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| {
            Failure::Usage(format!(
                "{text:?} is not a size. Write it like 500MiB, 5GiB, or 0 for no limit."
            ))
        })
}

/// A size for people.
pub fn size_text(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.iter().find(|(_, shift)| bytes >= 1 << shift) {
        Some((unit, shift)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// How many of a thing whose many end in s.
pub fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Columns of equal width.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(head.to_vec())];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(String::as_str).collect())),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("5GiB", 5 << 30),
            ("500 MiB", 500 << 20),
            ("1TiB", 1 << 40),
        ] {
            assert_eq!(size(text).unwrap(), bytes);
        }
        for bad in [
            "",
            "5GB",
            "-1",
            "GiB",
            "99999999999999999999",
            "9223372036854775808",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!(size_text(5 << 30), "5.0 GiB");
        assert_eq!(size_text(1536), "1.5 KiB");
        assert_eq!(size_text(12), "12 bytes");
    }

    #[test]
    fn tables_line_up() {
        let rows = vec![
            vec!["a".to_owned(), "bb".to_owned()],
            vec!["ccc".to_owned(), "d".to_owned()],
        ];
        assert_eq!(table(&["x", "y"], &rows), ["x    y", "a    bb", "ccc  d"]);
    }
}
