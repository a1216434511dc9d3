//! Who waits: for `hearthpost queue list`.

use mail::ids::{AccountId, QueueId};
use store::contract::{PAGE_ROWS, Result, Store, WaitingRow};
use world::clock::UnixMs;

use crate::limits::OPERATE_PAGES;
use crate::params::EnvelopeParams;
use crate::select::Selection;

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
    /// when the sender is told of the delay, or it is given up
    pub deadline: UnixMs,
    /// an operator holds it
    pub held: bool,
    /// destination and sending account, as the scheduler sees them
    pub lane: String,
    /// the account that submitted it
    pub account: Option<AccountId>,
    /// tries so far
    pub attempts: u32,
    /// why it waits
    pub reason: String,
}

/// A part of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// whom the selection means
    pub entries: Vec<Entry>,
    /// go on behind this row; `None` at the end
    pub next: Option<(QueueId, u32)>,
}

/// A part of those who wait and are meant, behind the given one, oldest first: of at most [`OPERATE_PAGES`] pages of the
/// store, at most one page's worth.
pub async fn page(
    store: &dyn Store,
    selection: &Selection,
    now: UnixMs,
    after: Option<(QueueId, u32)>,
) -> Result<Page> {
    let mut found = Page {
        next: after,
        ..Page::default()
    };
    for _ in 0..OPERATE_PAGES {
        let rows = store.waiting(found.next).await?;
        found.next = rows.last().map(|row| (row.queue_id, row.recipient));
        let meant = rows.into_iter().filter(|row| selection.matches(row, now));
        found.entries.extend(meant.map(entry));
        if found.next.is_none() || found.entries.len() >= PAGE_ROWS {
            break;
        }
    }
    Ok(found)
}

/// A row in words.
pub fn entry(row: WaitingRow) -> Entry {
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
        deadline: row.deadline,
        held: row.held,
        lane: row.lane,
        account: EnvelopeParams::read(&row.envelope).account,
        attempts: row.attempts,
        reason: row.reason,
    }
}
