//! `hearthpost index …`

use super::{ask, counted, parse, show, size_text};
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
        "complete" => format!(
            "Index: complete, {}{}",
            counted(state.messages, "message"),
            just_now(state.accounts_behind)
        ),
        "building" => format!(
            "Index: {} so far, {} to go; searching works meanwhile, slower",
            counted(state.messages, "message"),
            counted(state.accounts_behind, "account")
        ),
        _ => "Index: the disk refuses it; searching works, slower. Look at the log".to_owned(),
    };
    let second = format!(
        "  {} on disk in {}, {} in memory; {} indexed since the start",
        size_text(state.disk_bytes),
        counted(state.segments, "segment"),
        size_text(state.memory_bytes),
        counted(state.indexed, "message")
    );
    vec![first, second]
}

/// While mail comes in steadily somebody always has some that is a moment old.
fn just_now(accounts: u64) -> String {
    match accounts {
        0 => String::new(),
        1 => "; 1 account has mail that is just being taken in".to_owned(),
        many => format!("; {many} accounts have mail that is just being taken in"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_that_is_just_coming_in_is_told_apart_from_an_index_that_is_made() {
        let first = |state: &str, messages, accounts_behind| {
            let state = State {
                state: state.to_owned(),
                messages,
                segments: 1,
                disk_bytes: 5 << 20,
                memory_bytes: 12,
                accounts_behind,
                indexed: 1,
            };
            let mut lines = lines(&state);
            assert_eq!(
                lines.pop().as_deref(),
                Some("  5.0 MiB on disk in 1 segment, 12 bytes in memory; 1 message indexed since the start")
            );
            lines.remove(0)
        };
        let table = [
            ("complete", 2, 0, "Index: complete, 2 messages"),
            (
                "complete",
                1,
                1,
                "Index: complete, 1 message; 1 account has mail that is just being taken in",
            ),
            (
                "complete",
                9,
                3,
                "Index: complete, 9 messages; 3 accounts have mail that is just being taken in",
            ),
            (
                "building",
                9,
                1,
                "Index: 9 messages so far, 1 account to go; searching works meanwhile, slower",
            ),
            (
                "unusable",
                0,
                1,
                "Index: the disk refuses it; searching works, slower. Look at the log",
            ),
        ];
        for (state, messages, behind, want) in table {
            assert_eq!(first(state, messages, behind), want);
        }
    }
}
