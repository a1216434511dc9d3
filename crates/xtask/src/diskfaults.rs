//! `cargo xtask diskfaults [--short] [--only WORD] [--release] [--binary PATH]`: bad disks.

use crate::campaign::{binary, diskfaults, place};
use crate::report::{Outcome, Summary};

/// Runs every case; the short form fills the disk fewer times.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let rounds = if args.iter().any(|arg| arg == "--short") {
        4
    } else {
        20
    };
    let only = args.iter().position(|arg| arg == "--only");
    let options = diskfaults::Options {
        binary: binary(args)?,
        place: place("diskfaults")?,
        rounds,
        only: only.and_then(|at| args.get(at + 1)).cloned().unwrap_or_default(),
    };
    let summary = diskfaults::run(&options)?;
    if summary.failed() == 0 {
        std::fs::remove_dir_all(&options.place)?;
    }
    Ok(summary)
}
