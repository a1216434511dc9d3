//! `cargo xtask bench [quick] [--essential] [--cases BYTES:SESSIONS:MAILBOXES,…] [--rows inbound,sending,msgauth,signing,alone,calls,idle,start,memory,history,profile,imap,imap-alone,imap-idle,imap-million,bound] [--messages N] [--mailbox N] [--queued N] [--connections N] [--binary PATH]`
//!
//! Measures the release build beside Debian's Postfix and Dovecot, alternately in the same run, in a network namespace of
//! its own, and writes each row into its section of `bench/RESULTS.md`: every goal beside its figure, met or not. The load comes from the shared load
//! generator (`mailbench/mailbench.py`) when it is there; without it the comparison is skipped aloud.
//!
//! `--essential` leaves out the less telling combinations of size, sessions and mailboxes; `--cases 102400:1:100` takes only those it
//! names, and shows them without writing: a section of the page holds what one run measured.
//! `bound` tells how near to a server that only answers and syncs one could come that does the rest beside. It is measured only when named.
//! `imap-idle` (10,000 sessions) and `imap-million` (a mailbox of `--messages`) take long: they are measured only when named.
//! `quick` takes 3 runs of at least 2 s of the rows that matter most; the full form 5 runs of at least 5 s of every row.

mod auth;
mod floor;
mod imap;
mod imap_scale;
mod inbound;
mod lab;
mod peer;
mod postfix;
mod profile;
mod results;
mod sending;
mod single;
mod submission_peer;

use crate::install;
use crate::report::{Outcome, Summary};
use lab::Lab;
use results::Results;

pub use auth::inside as auth_inside;
pub use inbound::serve_floor;
pub use lab::status_kib;
pub use sending::inside as sending_inside;
use std::path::PathBuf;

/// What the command line asked for.
pub struct Options {
    /// Runs per figure; the median is given.
    pub runs: usize,
    /// Shortest run.
    pub run_s: f64,
    /// Only the combinations that matter most.
    pub essential: bool,
    /// Only these combinations of octets, sessions and mailboxes, if any are named.
    pub cases: Vec<[usize; 3]>,
    /// Short.
    pub quick: bool,
    /// Messages in the store for the start-up row.
    pub messages: usize,
    /// Messages in the mailbox of the IMAP rows.
    pub mailbox: usize,
    /// Messages for dead domains in the queue.
    pub queued: usize,
    /// Idle connections for the memory rows.
    pub connections: usize,
    /// A program that is built already, instead of the release build.
    pub binary: Option<PathBuf>,
    rows: Vec<String>,
}

const ROWS: &[&str] = &[
    "inbound",
    "sending",
    "msgauth",
    "signing",
    "alone",
    "calls",
    "idle",
    "start",
    "memory",
    "history",
    "profile",
    "imap",
    "imap-alone",
    "imap-idle",
    "imap-million",
    "bound",
];

impl Options {
    fn read(args: &[String]) -> Outcome<Self> {
        let quick = args.iter().any(|arg| arg == "quick");
        let value = |flag: &str| {
            args.iter()
                .position(|arg| arg == flag)
                .and_then(|at| args.get(at + 1))
        };
        let number = |flag: &str, default: usize| -> Outcome<usize> {
            value(flag).map_or(Ok(default), |text| {
                Ok(text.parse().map_err(|_| format!("{flag} wants a number"))?)
            })
        };
        let rows: Vec<String> = value("--rows").map_or_else(
            || {
                let asked = ROWS.iter().filter(|row| !LARGE.contains(row));
                asked.map(|row| (*row).to_owned()).collect()
            },
            |list| list.split(',').map(str::to_owned).collect(),
        );
        if let Some(unknown) = rows.iter().find(|row| !ROWS.contains(&row.as_str())) {
            return Err(format!("no such row: {unknown}; there are {}", ROWS.join(", ")).into());
        }
        let cases = value("--cases").map(|list| list.split(',').map(case).collect::<Outcome<_>>());
        Ok(Self {
            cases: cases.transpose()?.unwrap_or_default(),
            runs: if quick { 3 } else { 5 },
            run_s: if quick { 2.0 } else { 5.0 },
            essential: quick || args.iter().any(|arg| arg == "--essential"),
            quick,
            messages: number("--messages", if quick { 20_000 } else { 1_000_000 })?,
            mailbox: number("--mailbox", if quick { 10_000 } else { 50_000 })?,
            queued: number("--queued", if quick { 5_000 } else { 100_000 })?,
            connections: number("--connections", if quick { 2_000 } else { 10_000 })?,
            binary: value("--binary").map(PathBuf::from),
            rows,
        })
    }

    fn wants(&self, row: &str) -> bool {
        self.rows.iter().any(|wanted| wanted == row)
    }
}

fn case(text: &str) -> Outcome<[usize; 3]> {
    let numbers: Option<Vec<usize>> = text.split(':').map(|number| number.parse().ok()).collect();
    let case = numbers.and_then(|numbers| numbers.try_into().ok());
    case.ok_or_else(|| format!("--cases wants BYTES:SESSIONS:MAILBOXES, not {text}").into())
}

/// A row: its name, and what measures it.
type Row = (&'static str, fn(&Lab, &Options, &mut Results) -> Outcome<()>);

const MEASURES: &[Row] = &[
    ("inbound", inbound::compare),
    ("sending", sending::compare),
    ("msgauth", auth::compare),
    ("signing", sending::signing),
    ("alone", single::syncs_of_a_lone_message),
    ("calls", single::system_calls),
    ("idle", single::notices),
    ("start", single::starts),
    ("memory", single::idle_connections),
    ("history", single::long_history),
    ("profile", profile::inbound_path),
    ("imap", imap::compare),
    ("imap-alone", imap_scale::alone),
    ("imap-idle", imap_scale::idle),
    ("imap-million", imap_scale::million),
    ("bound", inbound::bound),
];
/// Rows that take long: only when they are named.
const LARGE: &[&str] = &["imap-idle", "imap-million", "bound"];

/// Measures and writes the results; a row that cannot be measured is a failure, a goal that is not met is not.
pub fn run(args: &[String]) -> Outcome<Summary> {
    let options = Options::read(args)?;
    let mut summary = Summary::new();
    if !install::is_root()? {
        return Err("the benchmark needs root, for its network namespace and for Postfix".into());
    }
    summary.merge(install::ensure(install::TOOLS)?);
    summary.merge(install::ensure(install::BENCH_TOOLS)?);
    let lab = Lab::new(options.binary.clone())?;
    let (mut met, mut missed) = (0, 0);
    for (name, measure) in MEASURES.iter().filter(|(name, _)| options.wants(name)) {
        println!("\n=== {name}");
        let mut results = Results::new(&lab, &options, name)?;
        match measure(&lab, &options, &mut results) {
            Ok(()) => summary.pass(format!("measured {name}")),
            Err(error) => {
                summary.fail(format!("measuring {name}"), &error);
                results.remark(format!(
                    "Row `{name}` was not measured: {}",
                    crate::process::tail(&error.to_string(), 3)
                ));
            }
        }
        if options.cases.is_empty() {
            results.write()?;
        } else {
            println!("{}", results.section());
        }
        let goals = results.goals();
        (met, missed) = (met + goals.0, missed + goals.1);
    }
    summary.note(format!("goals: {met} met, {missed} not met; see bench/"));
    Ok(summary)
}
