//! `cargo xtask life [--short] [--release] [--binary PATH]`: acknowledgement and end of life.

use crate::campaign::{binary, life, place};
use crate::report::{Outcome, Summary};

/// Runs every case; the short form stops the server fewer times.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let stops = if args.iter().any(|arg| arg == "--short") {
        8
    } else {
        50
    };
    let options = life::Options {
        binary: binary(args)?,
        place: place("life")?,
        stops,
    };
    let summary = life::run(&options);
    if summary.failed() == 0 {
        std::fs::remove_dir_all(&options.place)?;
    }
    Ok(summary)
}
