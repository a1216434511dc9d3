//! `cargo xtask powercut [--cuts N] [--seed N] [--release] [--binary PATH]`: power cuts.

use crate::campaign::demo::Launch;
use crate::campaign::{binary, number, place, powercut};
use crate::report::{Outcome, Summary};

/// Runs the campaign.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let seed = number(args, "--seed", u64::from(std::process::id()))?;
    println!("  power cuts: seed {seed}");
    let options = powercut::Options {
        launch: Launch::plain(&binary(args)?, 8),
        place: place("powercut")?,
        cuts: number(args, "--cuts", 200)? as usize,
        seed,
    };
    let summary = powercut::run(&options);
    if summary.failed() == 0 {
        std::fs::remove_dir_all(&options.place)?;
    }
    Ok(summary)
}
