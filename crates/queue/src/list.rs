//! Who waits: for `hearthpost queue list`.

use mail::ids::QueueId;
use store::contract::{Result, Store, WaitingRow};
use world::clock::UnixMs;

/// One waiting recipient, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// whose message
    pub queue_id: QueueId,
    /// position among the message's recipients
    pub recipient: u32,
    /// envelope sender; `<>` for none
    pub from: String,
    /// whom it is for
    pub to: String,
    /// whether `to` is one of ours
    pub local: bool,
    /// octets of the message, without what we add
    pub size_bytes: u64,
    /// when it came
    pub received_at: UnixMs,
    /// when it is tried next
    pub due: UnixMs,
    /// tries so far
    pub attempts: u32,
    /// why it waits
    pub reason: String,
}

/// A page of those who wait, after the given one, oldest first; empty at the end.
pub async fn page(store: &dyn Store, after: Option<(QueueId, u32)>) -> Result<Vec<Entry>> {
    Ok(store.waiting(after).await?.into_iter().map(entry).collect())
}

fn entry(row: WaitingRow) -> Entry {
    Entry {
        queue_id: row.queue_id,
        recipient: row.recipient,
        from: if row.reverse_path.is_empty() {
            "<>".to_owned()
        } else {
            row.reverse_path
        },
        to: row.address,
        local: row.account.is_some(),
        size_bytes: row.body_bytes,
        received_at: row.received_at,
        due: row.due,
        attempts: row.attempts,
        reason: row.reason,
    }
}
