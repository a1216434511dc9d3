//! `hearthpost status`

use std::time::Duration;

use world::clock::UnixMs;

use super::{ask, counted, data_dir, parse, show, size_text, table};
use crate::cli::Common;
use crate::control::Request;
use crate::control::status::{Request as StatusRequest, Status, Waiting};
use crate::demo;
use crate::exit::Outcome;

/// Days before the end of a certificate from which on it is said that a new one is due.
const CERTIFICATE_DAYS: u64 = crate::limits::CERTIFICATE_DAYS[0];

/// Runs the command.
pub fn run(common: &Common) -> Outcome<()> {
    let status: Status = parse(ask(common, Request::Status(StatusRequest::Show))?)?;
    let start = demo::start_of(&data_dir(common)?);
    show(common, &status, || lines(&status, &start))
}

/// `start`: the command that starts it.
fn lines(status: &Status, start: &str) -> Vec<String> {
    let mut lines = Vec::new();
    match (status.pid, status.uptime_s, &status.since) {
        (Some(pid), Some(uptime), Some(since)) => lines.push(format!(
            "Running: version {}, process {pid}, since {} ({})",
            status.version,
            short(since),
            time(Duration::from_secs(uptime))
        )),
        _ => lines.push(format!("Stopped. Start it with: {start}")),
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
            "{} in, {} out, {} closed by a fault of ours",
            counted(status.connections, "connection"),
            status.connections_out,
            status.panics
        ));
    }
    lines.extend(queue(&status.queue));
    lines.extend(status.parked.iter().map(|parked| {
        format!(
            "{} cannot be reached: left alone, and tried again in {}",
            parked.destination,
            time(Duration::from_secs(parked.again_s))
        )
    }));
    lines.extend(disk(status));
    lines.extend(
        status
            .index
            .iter()
            .flat_map(|state| super::index::lines(state).into_iter().take(1)),
    );
    lines.extend(certificate(status));
    lines.extend(status.notes.iter().map(|note| format!("Note: {note}")));
    if !status.troubles.is_empty() {
        lines.push("What somebody should look at, newest first:".to_owned());
    }
    for trouble in &status.troubles {
        let times = match trouble.times {
            1 => String::new(),
            many => format!(" ({many} times)"),
        };
        let (at, event) = (short(&trouble.at), &trouble.event);
        lines.push(format!("  {at}  {event}{times}: {}", trouble.sentence));
    }
    lines
}

fn queue(queue: &Waiting) -> Vec<String> {
    if queue.waiting == 0 {
        return vec!["Nothing waits in the queue".to_owned()];
    }
    let least = if queue.all_counted { "" } else { "at least " };
    let wait = if queue.waiting == 1 { "waits" } else { "wait" };
    let mut lines = vec![format!(
        "{least}{} {wait}: {} due, {} held, {} for accounts here. Look: hearthpost queue list",
        counted(queue.waiting, "recipient"),
        queue.due,
        queue.held,
        queue.local
    )];
    let rows = queue.destinations.iter().map(|destination| {
        vec![
            format!("  {}", destination.destination),
            destination.waiting.to_string(),
            destination.next.as_deref().map_or("held".to_owned(), short),
            destination.reason.clone(),
        ]
    });
    lines.extend(table(&["  TO", "WAIT", "NEXT", "WHY"], &rows.collect::<Vec<_>>()));
    lines
}

fn disk(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(free) = status.disk_free_bytes {
        lines.push(format!(
            "Disk: {} free; the log takes {}",
            size_text(free),
            size_text(status.log_bytes)
        ));
    }
    match status.admission.as_str() {
        "open" => {}
        "users-only" => {
            lines.push("Space is short: mail from other servers waits there. Free some.".to_owned())
        }
        _ => lines.push("The disk is full: only removing mail works. Free some space.".to_owned()),
    }
    lines
}

fn certificate(status: &Status) -> Option<String> {
    let until = status.certificate_until.as_deref()?;
    let now = UnixMs::from_rfc3339(status.since.as_deref()?)?.0 + status.uptime_s? * 1000;
    let left_days = UnixMs::from_rfc3339(until)?
        .0
        .checked_sub(now)
        .map(|ms| ms / 86_400_000);
    let day = until.get(..10).unwrap_or(until);
    Some(match left_days {
        None => format!("The certificate ended on {day}. Get a new one, then: hearthpost reload"),
        Some(days) if days <= CERTIFICATE_DAYS => {
            format!(
                "The certificate ends on {day}, in {}. Get a new one, then: hearthpost reload",
                counted(days, "day")
            )
        }
        Some(days) => format!(
            "The certificate is good until {day}, for {}",
            counted(days, "day")
        ),
    })
}

/// To the second.
fn short(at: &str) -> String {
    match at.get(..19) {
        Some(text) => format!("{text}Z"),
        None => at.to_owned(),
    }
}

/// The two largest units.
fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{} {hours} h", counted(days, "day")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units() {
        for (seconds, text) in [
            (5, "5 s"),
            (300, "5 min"),
            (7500, "2 h 5 min"),
            (90_000, "1 day 1 h"),
        ] {
            assert_eq!(time(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_certificate_is_spoken_of_in_days() {
        let status = |until: &str| {
            let text = format!(
                r#"{{"version":"0","running":true,"pid":1,"since":"2026-01-01T00:00:00.000Z","uptime_s":86400,"doors":{{}},
                "connections":0,"connections_out":0,"parked":[],"panics":0,"domains":0,"accounts":0,"queue_waits":false,"queue":{{"waiting":0,"due":0,"held":0,
                "local":0,"all_counted":true,"destinations":[]}},"admission":"open","disk_free_bytes":null,"log_bytes":0,
                "certificate_until":"{until}","troubles":[]}}"#
            );
            certificate(&serde_json::from_str(&text).unwrap()).unwrap()
        };
        assert_eq!(
            status("2026-03-01T00:00:00.000Z"),
            "The certificate is good until 2026-03-01, for 58 days"
        );
        assert_eq!(
            status("2026-01-03T00:00:00.000Z"),
            "The certificate ends on 2026-01-03, in 1 day. Get a new one, then: hearthpost reload"
        );
        assert_eq!(
            status("2026-01-01T00:00:00.000Z"),
            "The certificate ended on 2026-01-01. Get a new one, then: hearthpost reload"
        );
    }
}
