//! Requests about what is kept ready of messages.

use serde::{Deserialize, Serialize};

use super::Answer;
use crate::demo;
use crate::services::Services;

/// What can be asked of the index.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// [`State`].
    Status,
    /// Makes it anew, in the background.
    Rebuild,
}

/// How much is indexed, and what it takes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// `complete`, `building`, `unusable` (the disk refuses it: searching reads messages)
    pub state: String,
    /// messages indexed
    pub messages: u64,
    /// segments they are in
    pub segments: u64,
    /// octets on disk
    pub disk_bytes: u64,
    /// octets in memory
    pub memory_bytes: u64,
    /// accounts with something that is not indexed
    pub accounts_behind: u64,
    /// messages indexed since the start of the server
    pub indexed: u64,
}

impl From<index::Status> for State {
    fn from(status: index::Status) -> Self {
        let state = match (status.usable, status.complete) {
            (false, _) => "unusable",
            (true, false) => "building",
            (true, true) => "complete",
        };
        Self {
            state: state.to_owned(),
            messages: status.messages,
            segments: status.segments,
            disk_bytes: status.disk_bytes,
            memory_bytes: status.memory_bytes,
            accounts_behind: status.accounts_behind,
            indexed: status.indexed,
        }
    }
}

/// What became of a wish to make it anew.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rebuilt {
    /// whether a server makes it now; otherwise the next one does when it starts
    pub running: bool,
}

/// Answers.
pub async fn answer(services: &Services, request: Request) -> Answer {
    let live = services.live.get();
    match (request, live) {
        (Request::Status, Some(live)) => Answer::done(State::from(live.index.status())),
        (Request::Status, None) => Answer::Refused(format!(
            "no server runs, and nobody else looks after the index. Start it: {}",
            demo::start_of(&services.data)
        )),
        (Request::Rebuild, Some(live)) => {
            live.index.rebuild("an operator wished it");
            Answer::done(Rebuilt { running: true })
        }
        (Request::Rebuild, None) => match index::remove(&services.data) {
            Ok(()) => Answer::done(Rebuilt { running: false }),
            Err(error) => Answer::Failed(format!("the index cannot be removed: {error}")),
        },
    }
}
