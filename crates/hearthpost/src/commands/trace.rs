//! `hearthpost trace ID`, and the way to `hearthpost trace ADDRESS` ([`trace_address`]).

use std::cmp::Ordering;
use std::path::PathBuf;

use mail::ids::QueueId;
use world_real::log::{human, trace};

use super::queue::{attempt_json, attempt_lines, attempts};
use super::{block_on, data_dir, print, trace_address};
use crate::cli::Common;
use crate::control::client::{connect, flush_log};
use crate::control::queue::Attempt;
use crate::exit::{Failure, Outcome};
use crate::limits::TRACED_MOST;
use crate::serve;

/// Tells of a message, or with an address of the newest `limit` messages to and from it.
pub fn run(what: &str, limit: usize, common: &Common) -> Outcome<()> {
    if !what.contains('@') {
        return one(what, common);
    }
    let dir = log_dir(common)?;
    let data = data_dir(common)?;
    block_on(async {
        flush_log(&data).await;
        Ok(())
    })?;
    trace_address::run(&dir, what, limit.clamp(1, TRACED_MOST), common.json)
}

/// Prints every line of the log about the message and every attempt to deliver it, in the order of their times. With
/// `--json` the lines as they are stored.
fn one(id: &str, common: &Common) -> Outcome<()> {
    let id: QueueId = id.parse().map_err(|_| {
        Failure::Usage(format!(
            "{id:?} is neither a queue id nor an address. A queue id is the word with q behind \"id\" in Received."
        ))
    })?;
    let dir = log_dir(common)?;
    let data = data_dir(common)?;
    let tried = block_on(async {
        flush_log(&data).await;
        // The log tells its part also when nobody can say what was tried.
        let Ok(mut link) = connect(&data).await else {
            return Ok(Vec::new());
        };
        Ok(attempts(&mut link, &id.to_string()).await.unwrap_or_default())
    })?;
    let lines = trace::lines_of(&dir, id)
        .map_err(|error| Failure::Disk(format!("the log in {} cannot be read: {error}.", dir.display())))?;
    if lines.is_empty() && tried.is_empty() {
        return Err(Failure::Refused(format!(
            "the log in {} has nothing about {id}. Old log files are removed in time; check the id.",
            dir.display()
        )));
    }
    let shown: Vec<String> = in_order(&lines, &tried)
        .into_iter()
        .map(|part| match (part, common.json) {
            (Part::Line(line), true) => line.to_owned(),
            (Part::Line(line), false) => human(line),
            (Part::Attempt(attempt), true) => attempt_json(attempt),
            (Part::Attempt(attempt), false) => attempt_lines(attempt).join("\n"),
        })
        .collect();
    print(&shown.join("\n"))
}

/// A line of the log, or an attempt.
enum Part<'a> {
    Line(&'a str),
    Attempt(&'a Attempt),
}

/// Both in the order of their times; the log's lines keep theirs. Times are of one shape, so their texts compare.
fn in_order<'a>(lines: &'a [String], tried: &'a [Attempt]) -> Vec<Part<'a>> {
    let mut tried = tried.iter().peekable();
    let mut parts = Vec::with_capacity(lines.len() + tried.len());
    for line in lines {
        let (time, tells_of_attempts) = time_of(line);
        let is_before = |attempt: &&Attempt| match attempt.at.cmp(&time) {
            Ordering::Less => true,
            Ordering::Equal => tells_of_attempts,
            Ordering::Greater => false,
        };
        while let Some(attempt) = tried.next_if(is_before) {
            parts.push(Part::Attempt(attempt));
        }
        parts.push(Part::Line(line));
    }
    parts.extend(tried.map(Part::Attempt));
    parts
}

/// And whether the line is written after an attempt of the same moment.
fn time_of(line: &str) -> (String, bool) {
    let value: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    let event = text("event");
    let after = event.starts_with("deliver.") || event == "queue.operated";
    (text("time").to_owned(), after)
}

fn log_dir(common: &Common) -> Outcome<PathBuf> {
    match &common.data {
        Some(data) => Ok(data.join("log")),
        None => Ok(serve::log_dir(&serve::read(&common.config)?.config)),
    }
}
