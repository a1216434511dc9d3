//! Finds everything the log says about one message.
//!
//! A [`QueueId`] holds the moment it was made, and lines stand in the order of their times: so a binary search finds the first
//! line that can matter, and only the rest is read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use mail::ids::{Id, QueueId};
use world::clock::UnixMs;

/// How far lines may be out of order, because the wall clock was set.
const SLACK_MS: u64 = 10 * 60 * 1000;

/// All lines of `id` in the log under `dir`, oldest first, without line feeds. Looks through everything when the fast way
/// finds nothing, because the clock may have jumped.
pub fn lines_of(dir: &Path, id: QueueId) -> io::Result<Vec<String>> {
    let wanted = format!("\"queue_id\":\"{id}\"");
    let found = search(dir, &wanted, id.unix_ms().saturating_sub(SLACK_MS))?;
    if found.is_empty() {
        search(dir, &wanted, 0)
    } else {
        Ok(found)
    }
}

fn search(dir: &Path, wanted: &str, from_ms: u64) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for path in super::file::existing(dir) {
        let mut file = match File::open(&path) {
            Ok(file) => file,
            // Rotated away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let start = if from_ms == 0 {
            0
        } else {
            first_line_from(&mut file, from_ms)?
        };
        collect(&mut file, start, wanted, &mut found)?;
    }
    Ok(found)
}

/// Reads line after line; a line that was not kept leaves no allocation.
fn collect(file: &mut File, start: u64, wanted: &str, found: &mut Vec<String>) -> io::Result<()> {
    file.seek(SeekFrom::Start(start))?;
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        if text.contains(wanted) {
            found.push(text.trim_end_matches('\n').to_owned());
        }
    }
}

/// The offset of a line at or before the first one that is not older than `from_ms`.
fn first_line_from(file: &mut File, from_ms: u64) -> io::Result<u64> {
    let (mut low, mut high) = (0, file.metadata()?.len());
    // Invariant: lines that start before `low` are older, except perhaps the one that holds `low`.
    while high - low > 64 * 1024 {
        let middle = low + (high - low) / 2;
        match time_of_line_after(file, middle, high)? {
            Some(time) if time.0 < from_ms => low = middle,
            _ => high = middle,
        }
    }
    start_of_line(file, low)
}

/// The time of the first readable line that starts after `offset` and before `end`.
fn time_of_line_after(file: &mut File, offset: u64, end: u64) -> io::Result<Option<UnixMs>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::new(file.take(end - offset));
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if let Some(time) = time_of(&line) {
            return Ok(Some(time));
        }
    }
}

fn time_of(line: &[u8]) -> Option<UnixMs> {
    let text = line.strip_prefix(b"{\"time\":\"")?.get(..24)?;
    UnixMs::from_rfc3339(std::str::from_utf8(text).ok()?)
}

/// The first line start at or after `offset`; 0 is one.
fn start_of_line(file: &mut File, offset: u64) -> io::Result<u64> {
    if offset == 0 {
        return Ok(0);
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut skipped = Vec::new();
    let count = BufReader::new(file).read_until(b'\n', &mut skipped)?;
    Ok(offset + count as u64)
}
