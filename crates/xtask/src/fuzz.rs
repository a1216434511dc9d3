//! `cargo xtask fuzz`: builds the fuzzer, runs every target for its share of the time, brings failing inputs home.
//!
//! The fuzzer is the package `fuzz`: it links the parsers, this tool does not. One process per target: a parser that
//! overflows its stack, runs out of memory or hangs takes only that process with it, and the input it was fed is on disk.

use crate::process;
use crate::report::{Outcome, Summary};
use crate::tree;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Time beyond its share after which a fuzzing process counts as hanging.
const GRACE: Duration = Duration::from_secs(60);

/// Runs the fuzzer: `--minutes N`, `--seconds N` (all targets together), `--target NAME`, `--seed N`.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let options = Options::read(args)?;
    let mut summary = Summary::new();
    let fuzzer = tree::build("fuzz", options.profile)?;
    let listed = process::must(Command::new(&fuzzer).arg("list"), GRACE)?;
    let targets: Vec<&str> = listed.stdout.lines().filter(|name| options.wants(name)).collect();
    if targets.is_empty() {
        return Err(format!("no such target; there are:\n{}", listed.stdout).into());
    }
    let each = (options.seconds / targets.len() as u64).max(1);
    println!(
        "  {} targets, {each} s each, seed {}",
        targets.len(),
        options.seed
    );
    for target in &targets {
        match fuzz_one(&fuzzer, target, each, options.seed) {
            Ok(line) => summary.pass(format!("{target}: {line}")),
            Err(error) => summary.fail(target, error),
        }
    }
    summary.note(format!(
        "fuzzing: {} targets, {} s in all, kept corpus fuzz/corpus",
        targets.len(),
        each * targets.len() as u64
    ));
    Ok(summary)
}

struct Options {
    /// The short run uses what the tests built; the long one is worth an optimised build with checks.
    profile: &'static str,
    seconds: u64,
    seed: u64,
    target: Option<String>,
}

impl Options {
    fn read(args: &[String]) -> Outcome<Self> {
        let mut options = Self {
            profile: "dev",
            seconds: 60,
            seed: u64::from(std::process::id()),
            target: None,
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            match word.as_str() {
                "--minutes" => {
                    options.seconds = value.parse::<u64>()? * 60;
                    options.profile = "fuzz";
                }
                "--seconds" => options.seconds = value.parse()?,
                "--seed" => options.seed = value.parse()?,
                "--target" => options.target = Some(value.clone()),
                other => return Err(format!("fuzz has no option {other}").into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.target.as_deref().is_none_or(|target| target == name)
    }
}

fn fuzz_one(fuzzer: &Path, target: &str, seconds: u64, seed: u64) -> Outcome<String> {
    let fuzz = tree::root().join("fuzz");
    let crashes = fuzz.join("crashes");
    std::fs::create_dir_all(&crashes)?;
    let current = crashes.join(format!("{target}.running"));
    let mut command = Command::new(fuzzer);
    command
        .arg("run")
        .arg(target)
        .arg("--corpus")
        .arg(fuzz.join("corpus").join(target));
    command.arg("--current").arg(&current).args([
        "--seconds",
        &seconds.to_string(),
        "--seed",
        &seed.to_string(),
    ]);
    let finished = process::run(&mut command, Duration::from_secs(seconds) + GRACE)?;
    if finished.status.success() {
        // Nothing was running when it ended.
        let _ = std::fs::remove_file(&current);
        return Ok(process::tail(&finished.stdout, 1));
    }
    let kept = crashes.join(format!("{target}-{seed}"));
    std::fs::rename(&current, &kept)?;
    Err(format!(
        "{}; the input is {}\n{}",
        finished.status,
        tree::shown(&kept),
        process::tail(&finished.both(), 15)
    )
    .into())
}
