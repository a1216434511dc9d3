//! `hearthpost trace ID`

use std::path::PathBuf;

use mail::ids::QueueId;
use world_real::log::{human, trace};

use super::{block_on, data_dir, print};
use crate::cli::Common;
use crate::control::client::flush_log;
use crate::exit::{Failure, Outcome};
use crate::serve;

/// Prints every line of the log about the message, in order. With `--json` the lines as they are stored.
pub fn run(id: &str, common: &Common) -> Outcome<()> {
    let id: QueueId = id.parse().map_err(|_| {
        Failure::Usage(format!(
            "{id:?} is no queue id. It is the word with q behind \"id\" in Received."
        ))
    })?;
    let dir = log_dir(common)?;
    let data = data_dir(common)?;
    block_on(async {
        flush_log(&data).await;
        Ok(())
    })?;
    let lines = trace::lines_of(&dir, id)
        .map_err(|error| Failure::Disk(format!("the log in {} cannot be read: {error}.", dir.display())))?;
    if lines.is_empty() {
        return Err(Failure::Refused(format!(
            "the log in {} has nothing about {id}. Old log files are removed in time; check the id.",
            dir.display()
        )));
    }
    let shown: Vec<String> = if common.json {
        lines
    } else {
        lines.iter().map(|line| human(line)).collect()
    };
    print(&shown.join("\n"))
}

fn log_dir(common: &Common) -> Outcome<PathBuf> {
    match &common.data {
        Some(data) => Ok(data.join("log")),
        None => Ok(serve::log_dir(&serve::read(&common.config)?.config)),
    }
}
