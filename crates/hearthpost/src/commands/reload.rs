//! `hearthpost reload`

use super::{ask, parse, show};
use crate::cli::Common;
use crate::control::Request;
use crate::control::reload::Request as ReloadRequest;
use crate::exit::Outcome;
use crate::reload::Report;

/// Runs the command.
pub fn run(common: &Common) -> Outcome<()> {
    let report: Report = parse(ask(common, Request::Settings(ReloadRequest::Reload))?)?;
    show(common, &report, || lines(&report))
}

fn lines(report: &Report) -> Vec<String> {
    let mut lines = vec![match report.changed.as_slice() {
        [] => "No setting that counts at once has changed.".to_owned(),
        changed => format!("These count now: {}", changed.join(", ")),
    }];
    if report.certificates {
        lines.push("The certificate files were read again.".to_owned());
    }
    if !report.restart.is_empty() {
        lines.push(format!("These take a restart: {}", report.restart.join(", ")));
    }
    lines
}
