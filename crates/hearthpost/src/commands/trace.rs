//! `hearthpost trace ID`

use std::path::PathBuf;

use mail::ids::QueueId;
use world_real::log::{human, trace};

use super::queue::{attempt_json, attempt_lines, attempts};
use super::{block_on, data_dir, print};
use crate::cli::Common;
use crate::control::client::{connect, flush_log};
use crate::control::queue::Attempt;
use crate::exit::{Failure, Outcome};
use crate::serve;

/// Prints every line of the log about the message and every attempt to deliver it, in the order of their times. With
/// `--json` the lines as they are stored.
pub fn run(id: &str, common: &Common) -> Outcome<()> {
    let id: QueueId = id.parse().map_err(|_| {
        Failure::Usage(format!(
            "{id:?} is no queue id. It is the word with q behind \"id\" in Received."
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
        let time = time_of(line);
        while let Some(attempt) = tried.next_if(|attempt| attempt.at.as_str() < time.as_str()) {
            parts.push(Part::Attempt(attempt));
        }
        parts.push(Part::Line(line));
    }
    parts.extend(tried.map(Part::Attempt));
    parts
}

fn time_of(line: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    value["time"].as_str().unwrap_or_default().to_owned()
}

fn log_dir(common: &Common) -> Outcome<PathBuf> {
    match &common.data {
        Some(data) => Ok(data.join("log")),
        None => Ok(serve::log_dir(&serve::read(&common.config)?.config)),
    }
}
