//! The campaigns: the real binary as a black box, killed, cut off from power, and given a bad disk.
//!
//! `crash`: kill -9 under load, then the oracle. `powercut`: recorded writes, every state a disk may show after a cut, then
//! the oracle. `diskfaults`: full, read-only, failing and lying disks. All three print what they counted and fail loudly.

#![allow(
    clippy::disallowed_methods,
    reason = "campaigns look at the program from outside, in real time, over real sockets"
)]

pub mod chance;
pub mod crash;
pub mod demo;
pub mod diskfaults;
pub mod imap_client;
pub mod ledger;
pub mod life;
pub mod load;
pub mod mailer;
pub mod names;
pub mod people;
pub mod plants;
pub mod powercut;
pub mod server;
pub mod smtp_client;

use crate::report::{Outcome, Summary};
use crate::tree;
use std::path::PathBuf;

/// Counts one named check and prints it.
pub fn told(summary: &mut Summary, name: &str, outcome: Result<String, String>) {
    match outcome {
        Ok(detail) => summary.pass(format!("{name}: {detail}")),
        Err(detail) => summary.fail(name, detail),
    }
}

/// The value after a flag, or the default.
pub fn number(args: &[String], flag: &str, default: u64) -> Outcome<u64> {
    match args.iter().position(|arg| arg == flag) {
        None => Ok(default),
        Some(at) => {
            let value = args.get(at + 1).ok_or_else(|| format!("{flag} wants a number"))?;
            value
                .parse()
                .map_err(|_| format!("{flag} wants a number, not {value:?}").into())
        }
    }
}

/// The program under test: `--binary PATH`, or the one cargo makes (`--release` for that profile).
pub fn binary(args: &[String]) -> Outcome<PathBuf> {
    if let Some(at) = args.iter().position(|arg| arg == "--binary") {
        return Ok(PathBuf::from(args.get(at + 1).ok_or("--binary wants a path")?));
    }
    tree::build(
        "hearthpost",
        if args.iter().any(|arg| arg == "--release") {
            "release"
        } else {
            "dev"
        },
    )
}

/// A fresh place for a campaign's directories, below `$HEARTHPOST_CAMPAIGN_DIR` or the system's place for temporary files.
pub fn place(name: &str) -> Outcome<PathBuf> {
    let base = std::env::var_os("HEARTHPOST_CAMPAIGN_DIR")
        .map_or_else(|| tree::root().join("target/campaign"), PathBuf::from);
    let place = base.join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&place)?;
    Ok(place)
}
