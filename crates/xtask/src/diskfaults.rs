//! `cargo xtask diskfaults [--short] [--release] [--binary PATH]`: bad disks.

use crate::campaign::{binary, diskfaults, place};
use crate::report::{Outcome, Summary};

/// Runs every case; the short form fills the disk fewer times.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let rounds = if args.iter().any(|arg| arg == "--short") {
        4
    } else {
        20
    };
    let options = diskfaults::Options {
        binary: binary(args)?,
        place: place("diskfaults")?,
        rounds,
    };
    let summary = diskfaults::run(&options)?;
    if summary.failed() == 0 {
        std::fs::remove_dir_all(&options.place)?;
    }
    Ok(summary)
}
