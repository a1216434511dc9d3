//! What a run says at its end: counts, failures by name, and what each real client was asked to do.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Any error of the tool, as text for the person who ran it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// The result of a step that may not have been able to run at all.
pub type Outcome<T> = Result<T, Failure>;

/// Characters of a failure in the list at the very end.
const SHORT_CHARS: usize = 500;

/// Counts and remarks of one step, or of all steps together.
#[derive(Default, Debug)]
pub struct Summary {
    passed: u64,
    failed: u64,
    skipped: u64,
    failures: Vec<String>,
    skips: Vec<String>,
    notes: Vec<String>,
}

impl Summary {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many checks failed.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Counts one check that held, and says so.
    pub fn pass(&mut self, name: impl Display) {
        println!("  ok    {name}");
        self.passed += 1;
    }

    /// Counts checks that held without a line for each.
    pub fn pass_quietly(&mut self, how_many: u64) {
        self.passed += how_many;
    }

    /// Counts one check that did not hold, and says why.
    pub fn fail(&mut self, name: impl Display, why: impl Display) {
        println!("  FAIL  {name}: {why}");
        self.failed += 1;
        self.failures.push(format!("{name}: {why}"));
    }

    /// Counts failures that another program has printed; `known` are those of which the reason is known.
    pub fn fail_quietly(&mut self, how_many: u64, known: &[String], name: impl Display) {
        self.failed += how_many;
        self.failures.extend_from_slice(known);
        if how_many > known.len() as u64 {
            self.failures
                .push(format!("{name}: {how_many} failed, see above"));
        }
    }

    /// Counts one check that could not be made here, and says what is needed.
    pub fn skip(&mut self, name: impl Display, why: impl Display) {
        println!("  skip  {name}: {why}");
        self.skipped += 1;
        self.skips.push(format!("{name}: {why}"));
    }

    /// Counts skipped tests that another program reported.
    pub fn skip_quietly(&mut self, how_many: u64, name: impl Display) {
        if how_many > 0 {
            self.skipped += how_many;
            self.skips.push(format!("{name}: {how_many} skipped or ignored"));
        }
    }

    /// A line for the closing summary that is neither a pass nor a failure.
    pub fn note(&mut self, line: impl Display) {
        self.notes.push(line.to_string());
    }

    /// Adds another summary's counts and lines.
    pub fn merge(&mut self, other: Summary) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
        self.skips.extend(other.skips);
        self.notes.extend(other.notes);
    }

    /// Prints the closing summary. Of a long output often only the end is kept: behind everything else each failure stands once more on a
    /// line of its own, and the counts alone on the last one.
    pub fn print(&self) {
        println!();
        for line in &self.notes {
            println!("{line}");
        }
        for (title, lines) in [("skipped", &self.skips), ("FAILED", &self.failures)] {
            if !lines.is_empty() {
                println!("{title}:");
                for line in lines {
                    println!("  - {}", line.trim_end().replace('\n', "\n    "));
                }
            }
        }
        if !self.failures.is_empty() {
            println!("in short:");
        }
        for failure in &self.failures {
            println!("  FAILED {}", in_short(failure));
        }
        println!("{}", self.counts());
    }

    fn counts(&self) -> String {
        format!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// One line: the beginning of a text that may have many.
fn in_short(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let line = lines.join(" / ");
    match line.char_indices().nth(SHORT_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Runs one named step with a headline and its time; a step that cannot run at all is one failure.
pub fn step(total: &mut Summary, name: &str, run: impl FnOnce() -> Outcome<Summary>) {
    println!("\n=== {name}");
    let started = Stopwatch::start();
    let summary = run().unwrap_or_else(|error| {
        let mut failed = Summary::new();
        failed.fail(name, error);
        failed
    });
    println!(
        "--- {name}: {} in {:.1} s",
        summary.counts(),
        started.elapsed().as_secs_f64()
    );
    total.note(format!(
        "{name}: {} in {:.1} s",
        summary.counts(),
        started.elapsed().as_secs_f64()
    ));
    total.merge(summary);
}

/// Real time, for people and deadlines of this tool; the server's code has the clock door instead.
#[derive(Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the tool measures real time from outside the server"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[expect(
        clippy::disallowed_methods,
        reason = "the tool measures real time from outside the server"
    )]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}

/// Waits in real time, for programs that cannot tell when they are ready.
#[expect(
    clippy::disallowed_methods,
    reason = "other programs are waited for in real time"
)]
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_over_merged_steps() {
        let mut total = Summary::new();
        let mut one = Summary::new();
        one.pass_quietly(3);
        one.skip_quietly(1, "x");
        total.merge(one);
        step(&mut total, "cannot run", || Err("no".into()));
        assert_eq!(total.counts(), "3 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn a_long_failure_is_one_line_that_begins_as_it_does() {
        assert_eq!(
            in_short("a story: line 7\n\n  and why\n"),
            "a story: line 7 / and why"
        );
        let short = in_short(&"ä".repeat(1000));
        assert_eq!(short.chars().count(), SHORT_CHARS + 1);
        assert!(short.ends_with('…'));
    }
}
