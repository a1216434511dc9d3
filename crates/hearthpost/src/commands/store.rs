//! `hearthpost store …`

use super::{ask, parse, show};
use crate::cli::StoreCommand;
use crate::control::Request;
use crate::control::store::{Checked, Request as StoreRequest};
use crate::exit::{Failure, Outcome};

/// Runs the command. Damage is exit code 4.
pub fn run(command: StoreCommand) -> Outcome<()> {
    let StoreCommand::Check(common) = command;
    let found: Checked = parse(ask(&common, Request::Store(StoreRequest::Check))?)?;
    show(&common, &found, || {
        let mut lines = vec![format!(
            "Verified {} bodies and {} rows.",
            found.bodies, found.rows
        )];
        lines.extend(found.damaged.iter().map(|what| format!("  damaged: {what}")));
        lines
    })?;
    match found.damaged.len() {
        0 => Ok(()),
        many => Err(Failure::Disk(format!(
            "{many} things are damaged. Restore them from a backup and check the disk."
        ))),
    }
}
