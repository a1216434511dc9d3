//! Requests about the queue.

use mail::ids::QueueId;
use queue::list::{Entry, page};
use serde::{Deserialize, Serialize};
use store::contract::Store;

use super::Answer;

/// What can be asked of the queue.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Who still waits after the given row: one page, oldest first. An empty page is the end.
    List {
        /// queue id and position of the last row seen
        after: Option<(String, u32)>,
    },
}

/// One waiting recipient.
#[derive(Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// whose message
    pub queue_id: String,
    /// position among the message's recipients
    pub recipient: u32,
    /// envelope sender; `<>` for none
    pub from: String,
    /// whom it is for
    pub to: String,
    /// whether that is one of ours
    pub local: bool,
    /// octets of the message
    pub size_bytes: u64,
    /// when it came (RFC 3339)
    pub received_at: String,
    /// when it is tried next (RFC 3339)
    pub due: String,
    /// tries so far
    pub attempts: u32,
    /// why it waits
    pub reason: String,
}

/// Answers.
pub async fn answer(store: &dyn Store, request: Request) -> Answer {
    let Request::List { after } = request;
    let after = match after.map(|(id, recipient)| id.parse::<QueueId>().map(|id| (id, recipient))) {
        None => None,
        Some(Ok(after)) => Some(after),
        Some(Err(error)) => return Answer::Refused(error.to_string()),
    };
    match page(store, after).await {
        Ok(entries) => Answer::done(entries.into_iter().map(Waiting::from).collect::<Vec<_>>()),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

impl From<Entry> for Waiting {
    fn from(entry: Entry) -> Self {
        Self {
            queue_id: entry.queue_id.to_string(),
            recipient: entry.recipient,
            from: entry.from,
            to: entry.to,
            local: entry.local,
            size_bytes: entry.size_bytes,
            received_at: entry.received_at.rfc3339(),
            due: entry.due.rfc3339(),
            attempts: entry.attempts,
            reason: entry.reason,
        }
    }
}
