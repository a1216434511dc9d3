//! `fuzz list` and `fuzz run TARGET --corpus DIR --current FILE --seconds N --seed N`; `cargo xtask fuzz` calls both.

use fuzz::mutate::Mutator;
use fuzz::{INPUT_LIMIT, MEMORY_LIMIT_KIB, TARGETS, entry};
use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Inputs between two looks at memory.
const BATCH: usize = 128;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["list"] => {
            TARGETS.iter().for_each(|(name, _)| println!("{name}"));
            Ok(())
        }
        [
            "run",
            target,
            "--corpus",
            corpus,
            "--current",
            current,
            "--seconds",
            seconds,
            "--seed",
            seed,
        ] => run(target, Path::new(corpus), PathBuf::from(current), seconds, seed),
        _ => Err("fuzz list | fuzz run TARGET --corpus DIR --current FILE --seconds N --seed N".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn run(target: &str, corpus: &Path, current: PathBuf, seconds: &str, seed: &str) -> Outcome<()> {
    let entry = entry(target).ok_or("no such target")?;
    let inputs = load(corpus)?;
    let mut mutator = Mutator::new(seed.parse()?);
    let mut file = File::create(&current)?;
    let clock = Clock::start();
    let limit = Duration::from_secs(seconds.parse()?);
    let watch = watchdog(clock);
    let (mut done, mut most_kib) = (0_u64, 0);
    while clock.elapsed() < limit {
        forget_peak_memory();
        let before = memory_kib("VmRSS:");
        let batch: Vec<Vec<u8>> = (0..BATCH).map(|_| mutator.input(&inputs)).collect();
        for input in &batch {
            note(&mut file, input)?;
            watch.store(clock.millis(), Ordering::Relaxed);
            entry(input);
            watch.store(u64::MAX, Ordering::Relaxed);
        }
        done += batch.len() as u64;
        let grown = memory_kib("VmHWM:").saturating_sub(before);
        most_kib = most_kib.max(grown);
        if grown > MEMORY_LIMIT_KIB {
            greediest(entry, &batch, &mut file)?;
        }
    }
    let rate = done as f64 / clock.elapsed().as_secs_f64();
    println!(
        "{done} inputs, {rate:.0} a second, {} in the corpus, at most {most_kib} KiB more memory",
        inputs.len()
    );
    Ok(())
}

/// The kept corpus, and the empty input.
fn load(corpus: &Path) -> Outcome<Vec<Vec<u8>>> {
    let mut inputs = vec![Vec::new()];
    if corpus.is_dir() {
        let mut files: Vec<PathBuf> = std::fs::read_dir(corpus)?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        files.sort();
        for file in files {
            inputs.push(std::fs::read(file)?);
        }
    }
    Ok(inputs)
}

/// Leaves the input where it can be found when this process does not survive it.
fn note(file: &mut File, input: &[u8]) -> std::io::Result<()> {
    file.rewind()?;
    file.write_all(input)?;
    file.set_len(input.len() as u64)
}

/// Ends the process when one input takes too long.
fn watchdog(clock: Clock) -> Arc<AtomicU64> {
    let started = Arc::new(AtomicU64::new(u64::MAX));
    let seen = Arc::clone(&started);
    std::thread::spawn(move || {
        loop {
            nap();
            let since = seen.load(Ordering::Relaxed);
            if since != u64::MAX && clock.millis().saturating_sub(since) > INPUT_LIMIT.as_millis() as u64 {
                hang();
            }
        }
    });
    started
}

#[expect(
    clippy::disallowed_methods,
    reason = "the thread that hangs cannot end itself"
)]
fn hang() -> ! {
    eprintln!("one input takes longer than {} s", INPUT_LIMIT.as_secs());
    std::process::exit(3)
}

#[expect(clippy::disallowed_methods, reason = "the watchdog measures real time")]
fn nap() {
    std::thread::sleep(Duration::from_millis(250));
}

/// Runs a batch once more, one by one, and ends with the input that took the memory.
fn greediest(entry: fn(&[u8]), batch: &[Vec<u8>], file: &mut File) -> Outcome<()> {
    for input in batch {
        note(file, input)?;
        forget_peak_memory();
        let before = memory_kib("VmRSS:");
        entry(input);
        let grown = memory_kib("VmHWM:").saturating_sub(before);
        if grown > MEMORY_LIMIT_KIB {
            return Err(format!("one input of {} octets took {grown} KiB of memory", input.len()).into());
        }
    }
    Ok(())
}

fn forget_peak_memory() {
    // Where the kernel does not offer it the peak only grows, which is on the safe side.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn memory_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .unwrap_or_default();
    line.split_whitespace()
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

/// Real time: a hang is one whatever the parsers believe.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the watchdog measures real time")]
    fn start() -> Self {
        Self(Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "the watchdog measures real time")]
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn millis(&self) -> u64 {
        self.elapsed().as_millis() as u64
    }
}
