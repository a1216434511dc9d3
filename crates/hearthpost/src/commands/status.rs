//! `hearthpost status`

use super::{ask, parse, show};
use crate::cli::Common;
use crate::control::Request;
use crate::control::status::{Request as StatusRequest, Status};
use crate::exit::Outcome;

/// Runs the command.
pub fn run(common: &Common) -> Outcome<()> {
    let status: Status = parse(ask(common, Request::Status(StatusRequest::Show))?)?;
    show(common, &status, || lines(&status))
}

fn lines(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    match (status.pid, status.uptime_s) {
        (Some(pid), Some(uptime)) => lines.push(format!(
            "Running: version {}, process {pid}, for {uptime} s",
            status.version
        )),
        _ => lines.push("Stopped. Start it with: hearthpost serve --config FILE".to_owned()),
    }
    for (door, addresses) in &status.doors {
        lines.push(format!("  {door:<12} {}", addresses.join(", ")));
    }
    lines.push(format!(
        "{}, {}",
        counted(status.domains, "domain"),
        counted(status.accounts, "account")
    ));
    if status.running {
        lines.push(format!(
            "{} connections, {} closed by a fault of ours",
            status.connections, status.panics
        ));
    }
    lines.push(
        if status.queue_waits {
            "Mail waits: hearthpost queue list"
        } else {
            "Nothing waits in the queue"
        }
        .to_owned(),
    );
    match status.admission.as_str() {
        "open" => {}
        "users-only" => {
            lines.push("Space is short: mail from other servers waits there. Free some.".to_owned())
        }
        _ => lines.push("The disk is full: only removing mail works. Free some space.".to_owned()),
    }
    lines
}

fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
