//! The project's own tool: `cargo xtask COMMAND`.
//!
//! What it is for: one command that a newcomer, a release and the build machine run alike, and the campaigns that take
//! longer than a test should. It drives the real `hearthpost` binary from outside and links none of the server's work,
//! so that it builds in seconds and cannot be fooled by the code it judges.
//!
//! The journey of `cargo xtask test` (in [`suite::run`]):
//!
//! 1. [`install::ensure`] installs the Debian packages the tests use, or names each that is missing;
//! 2. formatting, clippy and [`rules::run`]: the house rules as tests with reasons;
//! 3. unit, property, contract, compile-fail and story tests, then doc tests;
//! 4. [`clients::run`]: real mail programs against a real server; [`differential::run`]: Dovecot's answers beside ours;
//! 5. the crash, power-cut and disk-fault campaigns, short, [`imap_stress::run`], [`hostile::run`], [`internet::run`],
//!    [`systemd::run`], and [`fuzz::run`], short;
//! 6. the summary of [`report::Summary`]: `N passed, N failed, N skipped`.
//!
//! Guarantees: every step runs even when an earlier one failed; the exit code is non-zero when anything failed; with
//! `CI=true` a missing mail program is a failure, not a skip. Absences: it needs no network except the package managers'.

mod bench;
mod campaign;
mod clients;
mod crash;
mod demo;
mod differential;
mod diskfaults;
mod dovecot;
mod fuzz;
mod hostile;
mod imap_stress;
mod install;
mod internet;
mod journey;
mod life;
mod powercut;
mod process;
mod reference;
mod report;
mod rules;
mod suite;
mod systemd;
mod threats;
mod tree;
mod unit_tests;
mod words;

use report::{Outcome, Summary};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  test [--quick] [FILTER]   everything: packages, format, clippy, house rules, tests, real clients, campaigns, fuzzing
                            --quick leaves out clients, campaigns and fuzzing; FILTER chooses unit and story tests
  rules [--fix]             the house rules alone; --fix brings in step what they can
  journey [--fix]           check (or update) the line numbers of the journey in ARCHITECTURE.md
  threats [--fix]           check (or write) docs/reference/threats.md, the list of threat cases and their tests
  reference [--fix]         check (or write) the pages of docs/reference that the code writes itself
  clients [NAME...]         real mail programs against a real server
  differential [--short]    the same mail and IMAP commands to Debian's Dovecot and to us: every difference must be a judged one
                            --write: docs/reference/imap-differences.md, with all the mail there is
  crash [--cycles N]        kill the server again and again under load, then look for lost, torn and doubled mail
                            --plants: the test of the test, five planted faults that must be found
  life [--short]            the sync before each acknowledgement; SIGTERM and the kernel's kill under load
  powercut [--cuts N]       rebuild what a disk may show after a power cut, start on it, look for lost mail
  diskfaults [--only WORD]  full, failing, read-only and damaged disks
  hostile [--short]         send into servers that misbehave at every stage in every way: nothing lost, doubled, wrongly bounced
  imap-stress [--seconds N] many IMAP clients on shared mailboxes, every response checked against a model (--seed N; --plants)
  internet [--only WORD]    stories of several hosts in a test Internet of namespaces: every way, IPv6, refusals, partitions, kills
  systemd                   the units of packaging/ under a real systemd, in a small machine of namespaces
  fuzz [--minutes N]        feed mutated bytes to every parser (also --seconds N, --target NAME)
  bench [quick]             measure, beside Debian's Postfix and Dovecot, and write bench/RESULTS.md (--rows ROW,ROW: only these;
                            --essential, or --cases BYTES:SESSIONS:MAILBOXES,…: these, only shown;
                            --messages N, --mailbox N, --queued N, --connections N; --binary PATH)
  install                   only install the Debian packages that the tests use
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    if words::asks_for_help(rest) {
        print!("{}", words::help_of(HELP, command));
        return ExitCode::SUCCESS;
    }
    if let Some(fault) = words::fault(command, rest) {
        eprintln!(
            "cargo xtask {command}: {fault}\n{}",
            words::help_of(HELP, command)
        );
        return ExitCode::FAILURE;
    }
    match dispatch(command, rest) {
        Ok(Some(summary)) => {
            summary.print();
            if summary.failed() == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {command}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &str, args: &[String]) -> Outcome<Option<Summary>> {
    let summary = match command {
        "test" => suite::run(args)?,
        "rules" => rules::run(args)?,
        "journey" => journey::run(args)?,
        "threats" => threats::run(args)?,
        "reference" => reference::run(args)?,
        "clients" => clients::run(args)?,
        "differential" => differential::run(args)?,
        "crash" => crash::run(args)?,
        "life" => life::run(args)?,
        "powercut" => powercut::run(args)?,
        "diskfaults" => diskfaults::run(args)?,
        "hostile" => hostile::run(args)?,
        "imap-stress" => imap_stress::run(args)?,
        "internet" => internet::run(args)?,
        // Started by `internet`, in the middle of its net.
        "internet-inside" => {
            internet::inside(args)?;
            return Ok(None);
        }
        "systemd" => systemd::run(args)?,
        "fuzz" => fuzz::run(args)?,
        "bench" => bench::run(args)?,
        // Started by the benchmark, beside the servers it measures.
        "floor" => {
            bench::serve_floor(args)?;
            return Ok(None);
        }
        // Started by the benchmark, inside its namespace.
        "auth-inside" => {
            bench::auth_inside(args)?;
            return Ok(None);
        }
        "sending-inside" => {
            bench::sending_inside(args)?;
            return Ok(None);
        }
        "install" => install::run(args)?,
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            return Ok(None);
        }
        other => return Err(format!("no such command: {other}\n\n{HELP}").into()),
    };
    Ok(Some(summary))
}
