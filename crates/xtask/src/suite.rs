//! `cargo xtask test`: every step in order, none left out because an earlier one failed.

use crate::report::{Outcome, Summary, step};
use crate::unit_tests::{Counts, failures, libtest_counts, nextest_counts};
use crate::{
    clients, crash, diskfaults, fuzz, hostile, imap_stress, install, internet, life, powercut, process,
    reference, rules, systemd, tree,
};
use std::time::Duration;

/// Crash cycles, power cuts and fuzzing seconds of the short campaigns; the long ones are commands of their own.
const SHORT_CRASH: &[&str] = &["--cycles", "12"];
const SHORT_POWERCUT: &[&str] = &["--cuts", "25"];
const SHORT_DISKFAULTS: &[&str] = &["--short"];
const SHORT_STRESS: &[&str] = &["--seconds", "30"];
const SHORT_FUZZ: &[&str] = &["--seconds", "75"];
/// A build and all unit tests from a cold target on two cores take about ten minutes.
const TESTS_LIMIT: Duration = Duration::from_secs(45 * 60);

/// Runs the whole suite.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let quick = args.iter().any(|arg| arg == "--quick");
    let filter = args.iter().find(|arg| !arg.starts_with("--")).map(String::as_str);
    let mut total = Summary::new();
    if filter.is_none() {
        if !quick {
            step(&mut total, "packages", || install::ensure(install::TOOLS));
        }
        step(&mut total, "format", format);
        step(&mut total, "clippy", clippy);
        step(&mut total, "house rules", || rules::run(&[]));
    }
    step(
        &mut total,
        "unit, property, contract, compile-fail and story tests",
        || tests(filter),
    );
    if filter.is_none() {
        step(&mut total, "doc tests", doc_tests);
        step(&mut total, "reference pages", || reference::run(&[]));
    }
    if !quick && filter.is_none() {
        step(&mut total, "real clients", || clients::run(&[]));
        step(&mut total, "the same mail to Dovecot, short", || {
            crate::differential::run(&owned(&["--short"]))
        });
        step(&mut total, "crash campaign, short", || {
            crash::run(&owned(SHORT_CRASH))
        });
        step(&mut total, "test of the crash test: five planted faults", || {
            crash::run(&owned(&["--plants"]))
        });
        step(&mut total, "acknowledgement and end of life, short", || {
            life::run(&owned(&["--short"]))
        });
        step(&mut total, "power cuts, short", || {
            powercut::run(&owned(SHORT_POWERCUT))
        });
        step(&mut total, "disk faults, short", || {
            diskfaults::run(&owned(SHORT_DISKFAULTS))
        });
        step(&mut total, "many IMAP clients on shared mailboxes", || {
            imap_stress::run(&owned(SHORT_STRESS))
        });
        step(&mut total, "test of that test: three planted faults", || {
            imap_stress::run(&owned(&["--plants"]))
        });
        step(&mut total, "the hostile world, short", || {
            hostile::run(&owned(&["--short"]))
        });
        step(&mut total, "the test Internet", || internet::run(&[]));
        step(&mut total, "the units under systemd", || systemd::run(&[]));
        step(&mut total, "fuzzing, short", || fuzz::run(&owned(SHORT_FUZZ)));
    }
    Ok(total)
}

fn owned(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

fn format() -> Outcome<Summary> {
    let mut summary = Summary::new();
    let finished = process::run(
        tree::cargo().args(["fmt", "--all", "--", "--check"]),
        Duration::from_secs(120),
    )?;
    if finished.status.success() {
        summary.pass("cargo fmt --check");
    } else {
        summary.fail(
            "cargo fmt --check",
            format!("run `cargo fmt`\n{}", process::tail(&finished.both(), 20)),
        );
    }
    Ok(summary)
}

fn clippy() -> Outcome<Summary> {
    let mut summary = Summary::new();
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    let status = process::show(tree::cargo().args(arguments))?;
    if status.success() {
        summary.pass("cargo clippy --workspace --all-targets -- -D warnings");
    } else {
        summary.fail("cargo clippy", "warnings are errors, see above");
    }
    Ok(summary)
}

fn tests(filter: Option<&str>) -> Outcome<Summary> {
    let nextest = process::run(
        tree::cargo().args(["nextest", "--version"]),
        Duration::from_secs(30),
    )
    .is_ok_and(|finished| finished.status.success());
    let arguments: &[&str] = if nextest {
        &[
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--status-level",
            "fail",
            "--show-progress",
            "none",
        ]
    } else {
        &[
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--no-fail-fast",
        ]
    };
    // Progress goes to our own terminal while it happens; the counts are read from a copy.
    let finished = process::run_shown(tree::cargo().args(arguments).args(filter), TESTS_LIMIT)?;
    let text = finished.both();
    let counts = if nextest {
        nextest_counts(&text)
    } else {
        libtest_counts(&text)
    };
    counted(counts, finished.status.success(), ("tests", &text))
}

fn doc_tests() -> Outcome<Summary> {
    let finished = process::run_shown(
        tree::cargo().args(["test", "--workspace", "--doc", "--no-fail-fast", "--quiet"]),
        TESTS_LIMIT,
    )?;
    let text = finished.both();
    counted(
        libtest_counts(&text),
        finished.status.success(),
        ("doc tests", &text),
    )
}

/// Counts what another program has judged; it printed each failure when it came, and `text` is all that it said.
fn counted(counts: Option<Counts>, success: bool, (name, text): (&str, &str)) -> Outcome<Summary> {
    let mut summary = Summary::new();
    let (passed, failed, skipped) = counts.unwrap_or_default();
    summary.pass_quietly(passed);
    summary.fail_quietly(failed, &failures(text), name);
    summary.skip_quietly(skipped, name);
    if !success && failed == 0 {
        summary.fail(name, "did not build or did not run, see above");
    }
    Ok(summary)
}
