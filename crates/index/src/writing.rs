//! What the indexing thread does: messages that were read join the account's segment in the making (`fresh.rs`), which is written
//! when it is enough, when it is old, or when all of them together take too much memory; and written segments become one.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use mail::ids::{AccountId, Id as _, MailboxId, MessageId};
use store::contract::{Admission, MessageRow};
use world::clock::Monotonic;

use crate::account::Segment;
use crate::events::IndexEvent;
use crate::file::{Change, Marks, Packed};
use crate::fresh::Fresh;
use crate::index::Index;
use crate::limits::{FRESH_ACCOUNTS, FRESH_BYTES, FRESH_MS, MESSAGE_COLUMN_BYTES};
use crate::segment::{Builder, Part, merge};

/// A message as it was read.
pub(crate) struct Read {
    /// into whose index it goes
    pub(crate) account: AccountId,
    pub(crate) row: MessageRow,
    pub(crate) octets: Vec<u8>,
}

/// Says it once: the message is not tried again before the next start.
pub(crate) fn leave_out(index: &Index, message: MessageId, reason: String) {
    if index.leave_out(message.raw()) {
        let message = message.to_string();
        index
            .doors
            .events
            .emit(&IndexEvent::MessageLeftOut { message, reason });
    }
}

/// Up to where these mailboxes are indexed. `None` when the file does not say.
pub(crate) fn marks_of(index: &Index, mailboxes: &[(AccountId, MailboxId)]) -> Option<Vec<(MailboxId, u64)>> {
    let mark = |&(account, mailbox): &(AccountId, MailboxId)| {
        let fresh = index.fresh(account)?;
        let mark = fresh.lock().marks().get(&mailbox).copied();
        Some((mailbox, mark.unwrap_or(0)))
    };
    mailboxes.iter().map(mark).collect()
}

/// Moves marks on.
pub(crate) fn move_marks(index: &Index, marks: &[(AccountId, MailboxId, u64)], now: Monotonic) -> Option<()> {
    for &(account, mailbox, modseq) in marks {
        index.fresh(account)?.lock().move_mark(mailbox, modseq, now);
    }
    Some(())
}

/// Those of these messages, of one account after the other, that are neither indexed nor left out. `None` when the file does not say.
pub(crate) fn not_indexed(
    index: &Index,
    messages: &[(AccountId, MessageId)],
) -> Option<Vec<(AccountId, MessageId)>> {
    let mut left = Vec::with_capacity(messages.len());
    for of_one in messages.chunk_by(|one, next| one.0 == next.0) {
        let account = of_one[0].0;
        let (written, fresh) = (index.written(account)?, index.fresh(account)?);
        let fresh = fresh.lock();
        let is_new = |id: u64| !(written.covers(id) || fresh.covers(id) || index.is_left_out(id));
        left.extend(of_one.iter().filter(|(_, message)| is_new(message.raw())));
    }
    Some(left)
}

/// Adds messages, of one account after the other, each account's in the order of their ids. False when something that had to be
/// written was not.
pub(crate) fn add(index: &Index, messages: &[Read]) -> bool {
    let mut by_account = messages.chunk_by(|one, next| one.account == next.account);
    by_account.all(|of_one| add_some(index, of_one[0].account, of_one))
}

fn add_some(index: &Index, account: AccountId, messages: &[Read]) -> bool {
    let Some(fresh) = index.fresh(account) else {
        return false;
    };
    let now = index.doors.clock.monotonic();
    let progress = &index.progress;
    for Read { row, octets, .. } in messages {
        let mut fresh = fresh.lock();
        // The marks are before these messages, so they hold for each of several segments.
        if (fresh.is_before_last(row.id) || fresh.is_full()) && !write(index, account, &mut fresh) {
            return false;
        }
        let describe = index.doors.describe.as_ref();
        if fresh.add(row.id, row.internal_date.0, octets, describe, now) {
            progress.messages.fetch_add(1, Ordering::Relaxed);
            progress.bytes.fetch_add(octets.len() as u64, Ordering::Relaxed);
        } else {
            let most = MESSAGE_COLUMN_BYTES >> 20;
            leave_out(
                index,
                row.id,
                format!("what is kept of it is more than {most} MiB"),
            );
        }
    }
    let mut fresh = fresh.lock();
    !fresh.is_enough() || write(index, account, &mut fresh)
}

/// Indexes a message for nothing, to see whether that panics.
pub(crate) fn try_one(index: &Index, read: &Read) {
    let describe = index.doors.describe.as_ref();
    Builder::default().add(read.row.id, read.row.internal_date.0, &read.octets, describe);
}

/// What [`write_due`] did.
#[derive(Default)]
pub(crate) struct Written {
    /// accounts to be looked at again
    pub(crate) failed: BTreeSet<AccountId>,
    /// when the oldest of what is left is to be written
    pub(crate) next: Option<Monotonic>,
}

/// Writes what is old, and the largest when all together is too much.
pub(crate) fn write_due(index: &Index, now: Monotonic) -> Written {
    let mut written = Written::default();
    let mut left = Vec::new();
    let mut bytes = 0;
    for (account, fresh) in index.unwritten() {
        let mut locked = fresh.lock();
        let due = locked
            .since()
            .map(|since| Monotonic(since.0 + Duration::from_millis(FRESH_MS)));
        if due.is_none_or(|due| due > now) {
            bytes += locked.bytes();
            written.next = [written.next, due].into_iter().flatten().min();
            left.push((locked.bytes(), account));
        } else if !write(index, account, &mut locked) {
            written.failed.insert(account);
        }
    }
    if left.len() > FRESH_ACCOUNTS {
        written.failed.extend(write_all(index));
        index.forget_all_fresh();
    } else if bytes > FRESH_BYTES {
        left.sort_unstable();
        while let Some((size, account)) = left.pop().filter(|_| bytes > FRESH_BYTES / 2) {
            bytes -= size;
            let fresh = index.fresh(account);
            if !fresh.is_some_and(|fresh| write(index, account, &mut fresh.lock())) {
                written.failed.insert(account);
            }
        }
    }
    written
}

/// Writes everything; gives the accounts of which that failed.
pub(crate) fn write_all(index: &Index) -> BTreeSet<AccountId> {
    let unwritten = index.unwritten().into_iter();
    let failed = unwritten.filter(|(account, fresh)| !write(index, *account, &mut fresh.lock()));
    failed.map(|(account, _)| account).collect()
}

/// Writes what an account has. When it was not written it is forgotten, and the account has to be looked at again.
fn write(index: &Index, account: AccountId, fresh: &mut Fresh) -> bool {
    if fresh.since().is_none() {
        return true;
    }
    let taken = fresh.take();
    let mut ids = taken.ids;
    let packed = || Packed::new(&mut index.packer.lock(), ids.len(), &taken.columns);
    let new = if ids.is_empty() { None } else { packed() };
    if new.is_none() {
        for id in std::mem::take(&mut ids) {
            let reason = "its columns are too large".to_owned();
            leave_out(index, MessageId::from_raw(id), reason);
        }
    }
    let change = Change {
        account,
        new,
        replaced: &[],
        marks: fresh.marks(),
        gone: &taken.gone,
    };
    // A disk that is nearly full keeps its room for mail.
    let written = index.doors.store.admission() == Admission::Open && index.commit(&change, ids);
    if written {
        index.grown(account);
    } else {
        index.forget_fresh(account);
    }
    written
}

/// One segment of several, without the messages that are not there any more.
pub(crate) fn merge_now(index: &Index, account: AccountId, chosen: &[Segment], there: &HashSet<u64>) -> bool {
    let part = |segment: &Segment| {
        Some(Part {
            ids: segment.ids.to_vec(),
            stays: segment.ids.iter().map(|id| there.contains(id)).collect(),
            columns: index.columns(segment)?,
        })
    };
    let Some(parts) = chosen.iter().map(part).collect::<Option<Vec<Part>>>() else {
        return false;
    };
    let Some((ids, columns)) = merge(&parts) else {
        for segment in chosen {
            index.damaged_segment(segment.id, "a segment that was to be merged");
        }
        return false;
    };
    drop(parts);
    let new = Packed::new(&mut index.packer.lock(), ids.len(), &columns);
    if new.is_none() {
        return false;
    }
    let replaced: Vec<u64> = chosen.iter().map(|segment| segment.id).collect();
    let change = Change {
        account,
        new: new.filter(|_| !ids.is_empty()),
        replaced: &replaced,
        marks: &Marks::new(),
        gone: &[],
    };
    index.commit(&change, ids)
}
