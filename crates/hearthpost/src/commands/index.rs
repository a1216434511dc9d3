//! `hearthpost index …`

use super::{ask, parse, show, size_text};
use crate::cli::IndexCommand;
use crate::control::Request;
use crate::control::index::{Rebuilt, Request as IndexRequest, State};
use crate::exit::Outcome;

/// Runs the command.
pub fn run(command: IndexCommand) -> Outcome<()> {
    match command {
        IndexCommand::Status(common) => {
            let state: State = parse(ask(&common, Request::Index(IndexRequest::Status))?)?;
            show(&common, &state, || lines(&state))
        }
        IndexCommand::Rebuild(common) => {
            let rebuilt: Rebuilt = parse(ask(&common, Request::Index(IndexRequest::Rebuild))?)?;
            let line = if rebuilt.running {
                "The index is made anew. Searching works meanwhile, slower. Look: hearthpost index status"
            } else {
                "The index was removed. The server makes it anew when it starts."
            };
            show(&common, &rebuilt, || vec![line.to_owned()])
        }
    }
}

/// The first of them also stands in `hearthpost status`.
pub fn lines(state: &State) -> Vec<String> {
    let first = match state.state.as_str() {
        "complete" => format!("Index: all {} messages", state.messages),
        "building" => format!(
            "Index: {} messages so far, {} accounts to go; searching works meanwhile, slower",
            state.messages, state.accounts_behind
        ),
        _ => "Index: the disk refuses it; searching works, slower. Look at the log".to_owned(),
    };
    let second = format!(
        "  {} on disk in {} segments, {} in memory; {} messages indexed since the start",
        size_text(state.disk_bytes),
        state.segments,
        size_text(state.memory_bytes),
        state.indexed
    );
    vec![first, second]
}
