//! House rules as tests. Each says what it found and why the rule is there.

mod edges;
mod lengths;
pub use lengths::function_name;
mod licences;
mod words;

use crate::report::{Outcome, Summary};
use crate::{journey, reference, threats, tree};

/// `cargo xtask rules [--fix]`; `--fix` rewrites the lists that are generated.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let fix = args.iter().any(|arg| arg == "--fix");
    let mut summary = Summary::new();
    check(
        &mut summary,
        "crates use exactly the edges that ARCHITECTURE.md names",
        edges::follow_the_table()?,
    );
    check(
        &mut summary,
        "there is no `common`, `utils` or `core` crate",
        edges::no_drawer_crates()?,
    );
    check(
        &mut summary,
        "floor 0 does no I/O, reads no clock, waits for nothing",
        edges::floor_zero_is_pure()?,
    );
    check(
        &mut summary,
        "only `world-real` takes randomness from the system",
        edges::one_source_of_chance()?,
    );
    check(
        &mut summary,
        "every crate says at its top what it is for",
        words::crates_introduce_themselves()?,
    );
    check(
        &mut summary,
        "no address of a package registry and no path of one machine",
        words::no_foreign_places()?,
    );
    check(&mut summary, "no private keys in the tree", words::no_secrets()?);
    check(
        &mut summary,
        "no open ends: TODO, FIXME, XXX, commented-out code markers",
        words::no_open_ends()?,
    );
    check(
        &mut summary,
        "CHANGELOG.md has an Unreleased section",
        words::changelog_is_open()?,
    );
    check(
        &mut summary,
        "every parser of outside bytes is a fuzz target",
        words::every_parser_is_fuzzed()?,
    );
    check(
        &mut summary,
        "every decision is in the list of decisions",
        words::decisions_are_listed(fix)?,
    );
    check(
        &mut summary,
        "links between documents lead somewhere",
        words::links_lead_somewhere()?,
    );
    check(
        &mut summary,
        "licences of all dependencies are allowed by deny.toml",
        licences::allowed()?,
    );
    check(
        &mut summary,
        "one cryptography: no openssl, native-tls or aws-lc",
        licences::banned()?,
    );
    check(
        &mut summary,
        "the journey in ARCHITECTURE.md is where it says",
        journey::check(fix)?,
    );
    check(
        &mut summary,
        "docs/reference/threats.md is in step with the tests",
        threats::check(fix)?,
    );
    check(
        &mut summary,
        "docs/reference: limits and events are as the sources say",
        reference::check_sources(fix)?,
    );
    for line in lengths::long_functions()? {
        summary.note(format!("longer than {} lines: {line}", lengths::LONG_LINES));
    }
    println!(
        "  ({} crates, {} Rust files)",
        tree::crates()?.len(),
        tree::files_with("rs")?.len()
    );
    Ok(summary)
}

/// A rule's findings: empty when it holds.
pub type Findings = Vec<String>;

fn check(summary: &mut Summary, rule: &str, findings: Findings) {
    if findings.is_empty() {
        summary.pass(rule);
    } else {
        summary.fail(rule, format!("\n{}", findings.join("\n")));
    }
}
