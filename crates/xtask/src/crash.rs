//! `cargo xtask crash [--cycles N] [--seed N] [--release] [--binary PATH] [--plants]`: the crash campaign. With `--plants`, a binary
//! that is named must have been built with the feature `planted-faults`.

use crate::campaign::demo::Launch;
use crate::campaign::{binary, crash, number, place, plants};
use crate::report::{Outcome, Summary};
use crate::tree;

/// Runs the campaign, or with `--plants` the test of the test.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let seed = number(args, "--seed", u64::from(std::process::id()))?;
    println!("  crash: seed {seed}");
    let place = place("crash")?;
    let summary = if args.iter().any(|arg| arg == "--plants") {
        let planted = match args.iter().any(|arg| arg == "--binary") {
            true => binary(args)?,
            false => tree::build_with("hearthpost", "dev", &["planted-faults"])?,
        };
        plants::run(&planted, &place, seed)?
    } else {
        let cycles = number(args, "--cycles", 200)? as usize;
        let launch = Launch::plain(&binary(args)?, 12);
        crash::run(&crash::Options {
            launch,
            cycles,
            seed,
            place: place.clone(),
            stop_at_first: false,
        })?
        .1
    };
    if summary.failed() == 0 {
        std::fs::remove_dir_all(&place)?;
    } else {
        println!("  the directories are kept in {}", place.display());
    }
    Ok(summary)
}
