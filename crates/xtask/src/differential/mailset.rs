//! The mail that both servers are given: messages we wrote, then the shared suites and corpora when they are there.

use crate::process::{self, Scratch};
use crate::report::{Outcome, Summary};
use crate::tree;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Largest message that is compared; the corpora have few larger ones.
const SIZE_BYTES: usize = 1 << 20;
/// Of the corpora, the short form takes this many messages.
const SHORT: usize = 150;

/// One message, with CRLF ends of lines.
pub struct Letter {
    /// Where it comes from; what a difference is reported with.
    pub name: String,
    /// Its octets.
    pub octets: Vec<u8>,
    /// Whether we wrote it: its text may be shown.
    pub own: bool,
}

/// All letters, our own first; says aloud what is missing.
pub fn gather(short: bool, summary: &mut Summary) -> Outcome<Vec<Letter>> {
    let mut letters = Vec::new();
    take(
        &tree::root().join("crates/xtask/differential"),
        true,
        1,
        &mut letters,
    )?;
    if letters.is_empty() {
        return Err("crates/xtask/differential holds no messages".into());
    }
    let Some(shared) = tree::shared() else {
        summary.skip(
            "comparison over the shared mail",
            "no ../shared: set HEARTHPOST_SHARED to the directory with corpora/ and suites/",
        );
        return Ok(letters);
    };
    for suite in [
        "suites/mime-mailparser",
        "suites/dkim-vectors",
        "suites/arc-validation",
    ] {
        take(&shared.join(suite), false, 1, &mut letters)?;
    }
    let bounces = if short { 10 } else { 1 };
    take(
        &shared.join("suites/bounces-sisimai"),
        false,
        bounces,
        &mut letters,
    )?;
    let unpacked = Scratch::new("corpora")?;
    for archive in files(&shared.join("corpora"))? {
        if archive.extension().is_some_and(|end| end == "zst") {
            let mut tar = Command::new("tar");
            tar.arg("--zstd")
                .arg("-xf")
                .arg(&archive)
                .arg("-C")
                .arg(unpacked.path());
            process::must(&mut tar, Duration::from_secs(120))?;
        }
    }
    let every = if short {
        files(unpacked.path())?.len().div_ceil(SHORT).max(1)
    } else {
        1
    };
    take(unpacked.path(), false, every, &mut letters)?;
    Ok(letters)
}

fn take(dir: &Path, own: bool, every: usize, letters: &mut Vec<Letter>) -> Outcome<()> {
    for file in files(dir)?.into_iter().step_by(every) {
        let name = file.strip_prefix(dir).unwrap_or(&file).display().to_string();
        if !name.ends_with(".eml") {
            continue;
        }
        let octets = with_crlf(&std::fs::read(&file)?);
        // IMAP has no way to append a NUL (RFC 3501 §9: CHAR8), and what a lone CR is, nobody agrees on.
        let plain = !octets.contains(&0) && !lone_cr(&octets) && !octets.is_empty();
        if plain && octets.len() <= SIZE_BYTES {
            letters.push(Letter { name, octets, own });
        }
    }
    Ok(())
}

fn files(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Ok(found);
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 32);
    let mut before = 0;
    for &octet in octets {
        if octet == b'\n' && before != b'\r' {
            out.push(b'\r');
        }
        out.push(octet);
        before = octet;
    }
    out
}

fn lone_cr(octets: &[u8]) -> bool {
    let mut pairs = octets.windows(2);
    pairs.any(|pair| pair[0] == b'\r' && pair[1] != b'\n') || octets.last() == Some(&b'\r')
}
