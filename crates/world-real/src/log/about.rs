//! Finds the newest messages that the log's lines about somebody belong to, and all lines of these.
//!
//! Two walks through the files: the first, from the newest file back, finds which messages; the second collects their lines. Memory is
//! bounded by the numbers below, time by the size of the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use mail::ids::QueueId;

use super::file::existing;
use crate::limits::{LINES_OF_A_MESSAGE, LOG_READ_BYTES};

const ID: &str = "\"queue_id\":\"";

/// The lines of the newest `most` messages of which `wanted` says yes to at least one line, oldest line first. Only lines with `needle` in
/// them (ASCII letters of either case) are asked about. Of a message the first [`LINES_OF_A_MESSAGE`] lines are kept.
pub fn about(
    dir: &Path,
    needle: &str,
    wanted: impl Fn(&str) -> bool,
    most: usize,
) -> io::Result<BTreeMap<QueueId, Vec<String>>> {
    let needle = needle.to_ascii_lowercase();
    let mut ids = BTreeSet::new();
    let files = existing(dir);
    for path in files.iter().rev() {
        each_line(path, |line| {
            if has(line, &needle) && wanted(line) {
                ids.extend(id_of(line));
                if ids.len() > most {
                    ids.pop_first();
                }
            }
        })?;
        // Older files have older messages.
        if ids.len() >= most {
            break;
        }
    }
    let mut found: BTreeMap<QueueId, Vec<String>> = BTreeMap::new();
    for path in files.iter().filter(|_| !ids.is_empty()) {
        each_line(path, |line| {
            let Some(id) = id_of(line).filter(|id| ids.contains(id)) else {
                return;
            };
            let lines = found.entry(id).or_default();
            if lines.len() < LINES_OF_A_MESSAGE {
                lines.push(line.to_owned());
            }
        })?;
    }
    Ok(found)
}

fn has(line: &str, needle: &str) -> bool {
    let first = needle.as_bytes().first().copied();
    line.len() >= needle.len()
        && first.is_none_or(|first| {
            let windows = line.as_bytes().windows(needle.len());
            windows
                .filter(|window| window[0].eq_ignore_ascii_case(&first))
                .any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
        })
}

/// A mention in a text has its quotes escaped, so it is none.
fn id_of(line: &str) -> Option<QueueId> {
    let (_, rest) = line.split_once(ID)?;
    rest.split('"').next()?.parse().ok()
}

fn each_line(path: &Path, mut each: impl FnMut(&str)) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        // Rotated away meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::with_capacity(LOG_READ_BYTES, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        each(String::from_utf8_lossy(&line).trim_end_matches('\n'));
    }
}
