//! `hearthpost trace ADDRESS`: the newest messages to and from somebody, and what became of each.
//!
//! 1. [`world_real::log::about`] finds the messages and their lines; [`names`] says whether a line names the address.
//! 2. [`summary`] makes one row for each recipient that the lines tell of.

use std::collections::BTreeMap;
use std::path::Path;

use mail::ids::QueueId;
use serde::Serialize;
use serde_json::Value;
use world_real::log::about;

use super::{print, table};
use crate::exit::{Failure, Outcome};

/// One recipient of one message.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    id: String,
    /// when the first line about it was written (RFC 3339)
    at: String,
    from: String,
    to: String,
    /// `accepted`, `delivered`, `sent`, `waits`, `failed`, `refused`, or what an operator did
    what: String,
    /// the server's or our words
    why: String,
    /// the report about a failure
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<String>,
}

/// Prints at most `most` messages, the newest first.
pub fn run(dir: &Path, address: &str, most: usize, json: bool) -> Outcome<()> {
    let found = about::about(dir, address, |line| names(line, address), most)
        .map_err(|error| Failure::Disk(format!("the log in {} cannot be read: {error}.", dir.display())))?;
    let rows: Vec<Row> = found
        .iter()
        .rev()
        .flat_map(|(id, lines)| summary(*id, lines, address))
        .collect();
    if json {
        let text = serde_json::to_string(&rows).expect("plain values are always JSON");
        return print(&text);
    }
    if rows.is_empty() {
        return Err(Failure::Refused(format!(
            "the log in {} has no message to or from {address}. Old log files are removed in time; what other programs say \
             of the address (a tag, another spelling) may differ.",
            dir.display()
        )));
    }
    let cells = |row: &Row| {
        vec![
            row.id.clone(),
            row.at.clone(),
            row.from.clone(),
            row.to.clone(),
            outcome(row),
        ]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    print(&table(&["ID", "CAME", "FROM", "TO", "WHAT"], &rows).join("\n"))
}

/// For people; what an operator did in the words of `trace ID` and `queue show`.
fn outcome(row: &Row) -> String {
    let done = match row.what.as_str() {
        "purge" => "removed",
        "hold" => "held",
        "release" => "released",
        "retry" => "tried now,",
        what => {
            return match (row.why.as_str(), &row.report) {
                ("", _) => what.to_owned(),
                (why, Some(report)) => format!("{what}: {why} (told in {report})"),
                (why, None) => format!("{what}: {why}"),
            };
        }
    };
    format!("{done} {}", row.why)
}

/// Whether a line of the log is about this sender or recipient.
fn names(line: &str, address: &str) -> bool {
    let Ok(line) = serde_json::from_str::<Value>(line) else {
        return false;
    };
    let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let is_it = |one: &str| one.eq_ignore_ascii_case(address);
    is_it(&text("from")) || text("to").split(", ").any(is_it)
}

fn summary(id: QueueId, lines: &[String], address: &str) -> Vec<Row> {
    let lines: Vec<Value> = lines
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let first = |field: &str| {
        lines
            .iter()
            .map(|line| text(line, field))
            .find(|text| !text.is_empty())
    };
    let from = first("from").unwrap_or_default();
    let at = first("time").unwrap_or_default();
    // What was last told of each recipient, in the order in which they were told of first.
    let mut order: Vec<String> = Vec::new();
    let mut last: BTreeMap<String, Row> = BTreeMap::new();
    for line in &lines {
        for (to, what, why) in told(line) {
            if !last.contains_key(&to) {
                order.push(to.clone());
            }
            let row = Row {
                id: id.to_string(),
                at: at.clone(),
                from: from.clone(),
                to: to.clone(),
                what,
                why,
                report: line["report"].as_str().map(str::to_owned),
            };
            last.insert(to, row);
        }
    }
    let is_sender = from.eq_ignore_ascii_case(address);
    order
        .iter()
        .filter_map(|to| last.remove(to))
        .filter(|row| is_sender || row.to.is_empty() || row.to.eq_ignore_ascii_case(address))
        .collect()
}

/// Of whom a line tells what, and why.
fn told(line: &Value) -> Vec<(String, String, String)> {
    let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
    let what = match text("event").as_str() {
        "queue.accepted" if line["waiting"] == 0 => "delivered",
        "queue.accepted" => "accepted",
        "queue.delivered" => "delivered",
        "deliver.sent" => "sent",
        "queue.postponed" | "deliver.postponed" => "waits",
        "deliver.report-waits" | "deliver.failed" => "failed",
        "receive.sender-refused" | "receive.recipient-refused" | "receive.message-refused" => "refused",
        "queue.operated" => return vec![(text("to"), text("act"), format!("by {}", text("by")))],
        _ => return Vec::new(),
    };
    let why = match (text("host").as_str(), text("reply").as_str()) {
        ("", _) => text("reason"),
        (host, reply) => format!("{host} said {reply}"),
    };
    let to = text("to");
    let all = to.split(", ");
    all.map(|to| (to.to_owned(), what.to_owned(), why.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use mail::ids::Id;

    use super::*;

    fn line(event: &str, rest: &str) -> String {
        format!(r#"{{"time":"2026-11-26T06:54:21.716Z","event":"{event}",{rest}}}"#)
    }

    fn rows(lines: &[String], address: &str) -> Vec<(String, String, String)> {
        let rows = summary(QueueId::from_raw(1 << 21), lines, address);
        rows.into_iter().map(|row| (row.to, row.what, row.why)).collect()
    }

    #[test]
    fn a_line_names_senders_and_recipients_and_nobody_in_a_text() {
        let accepted = line("queue.accepted", r#""from":"a@x.test","to":"b@y.test, c@y.test""#);
        for (address, want) in [
            ("A@X.test", true),
            ("c@y.test", true),
            ("b@y.test, c@y.test", false),
            ("y.test", false),
            ("d@y.test", false),
        ] {
            assert_eq!(names(&accepted, address), want, "{address}");
        }
        let mentioned = line("deliver.postponed", r#""to":"d@z.test","reason":"a@x.test""#);
        assert!(!names(&mentioned, "a@x.test"));
        assert!(!names("no JSON", "a@x.test"));
    }

    #[test]
    fn each_recipient_has_what_was_told_of_it_last() {
        let lines = [
            line(
                "queue.accepted",
                r#""from":"a@x.test","to":"b@y.test, c@y.test","waiting":2"#,
            ),
            line("deliver.postponed", r#""to":"b@y.test","reason":"greylisted""#),
            line(
                "deliver.failed",
                r#""to":"c@y.test","reason":"nobody","report":"qaaaaaaaaaaaaa""#,
            ),
            line(
                "deliver.sent",
                r#""to":"b@y.test","host":"mx.y.test","reply":"250 ok""#,
            ),
            line("queue.operated", r#""to":"d@y.test","act":"purge","by":"uid 0""#),
        ];
        let row = |to: &str, what: &str, why: &str| (to.to_owned(), what.to_owned(), why.to_owned());
        let all = [
            row("b@y.test", "sent", "mx.y.test said 250 ok"),
            row("c@y.test", "failed", "nobody"),
            row("d@y.test", "purge", "by uid 0"),
        ];
        assert_eq!(rows(&lines, "a@x.test"), all);
        assert_eq!(rows(&lines, "B@y.test"), all[..1]);
        let purged = summary(QueueId::from_raw(1 << 21), &lines, "d@y.test");
        assert_eq!(outcome(&purged[0]), "removed by uid 0");
        let here = [line("queue.accepted", r#""from":"","to":"a@x.test","waiting":0"#)];
        assert_eq!(rows(&here, "a@x.test"), [row("a@x.test", "delivered", "")]);
    }
}
