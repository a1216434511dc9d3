//! Keeps the index in step with the store.
//!
//! 1. At the start every account is looked at; later those that a notice names.
//! 2. `catch_up`: of each mailbox whose modseq is not the mark, `changes_since` the mark, page by page. A lost notice costs
//!    nothing but time: whoever searches reads what is not indexed.
//! 3. `take_in`: messages that are not indexed are read, a batch at a time, and become a segment.
//! 4. `merge`: small segments become larger ones; messages the store has no more are left out.
//! 5. `check_one`: now and then one segment is looked at, and written anew if much of it is gone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mail::ids::{AccountId, Id as _, MailboxId, MessageId};
use store::contract::{Admission, Changes, Conflict, MessageRow, Notice, PAGE_ROWS, StoreError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;
use world::clock::Monotonic;

use crate::account::{Account, Segment};
use crate::events::IndexEvent;
use crate::file::{Change, Marks, Packed};
use crate::index::Index;
use crate::limits::{
    BATCH_BYTES, CHECK_MS, GATHER_MS, GONE_ONE_IN, MESSAGE_BYTES, MESSAGE_COLUMN_BYTES, RETRY_MS,
    SEGMENT_BYTES, SWEEP_MS,
};
use crate::segment::{Builder, Part, merge};

/// Why an account is not up to date: it is tried again later.
struct Later;

impl From<StoreError> for Later {
    fn from(_: StoreError) -> Self {
        Self
    }
}

/// Runs until `stop` becomes true or the store is gone.
pub(crate) async fn run(index: Arc<Index>, mut stop: watch::Receiver<bool>) {
    let mut notices = index.doors.store.subscribe();
    let mut work = Work::new(index);
    work.all = true;
    while !*stop.borrow() {
        work.round(&mut notices, &stop).await;
        let pause = work.pause();
        tokio::select! {
            _ = stop.changed() => {}
            () = work.index.wake.notified() => {}
            () = pause => {}
            notice = notices.recv(), if !work.failed => match notice {
                Ok(notice) => {
                    work.behind.insert(notice.account);
                    work.gather().await;
                }
                Err(RecvError::Lagged(_)) => work.all = true,
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// What is to be done.
struct Work {
    index: Arc<Index>,
    behind: BTreeSet<AccountId>,
    /// every account is to be looked at
    all: bool,
    /// something is to be tried again
    failed: bool,
    /// when this stretch of work began
    began: Option<Monotonic>,
    /// when a segment was looked at last, and which of each account
    checked_at: Option<Monotonic>,
    checked: BTreeMap<AccountId, u64>,
    /// when accounts that are gone were looked for last
    swept_at: Option<Monotonic>,
}

impl Work {
    fn new(index: Arc<Index>) -> Self {
        Self {
            index,
            behind: BTreeSet::new(),
            all: false,
            failed: false,
            began: None,
            checked_at: None,
            checked: BTreeMap::new(),
            swept_at: None,
        }
    }

    /// Brings everybody up to date who is behind.
    async fn round(&mut self, notices: &mut Receiver<Notice>, stop: &watch::Receiver<bool>) {
        let index = Arc::clone(&self.index);
        self.failed = false;
        let preparing = Arc::clone(&index);
        let prepared = index.worker.run(move || (preparing.prepare(), preparing.mend()));
        let (anew, mended) = prepared.await.unwrap_or_default();
        self.all |= anew;
        self.behind.extend(mended);
        let looked = if self.all {
            self.everybody().await
        } else if self.sweep_is_due() {
            self.sweep().await.map(drop)
        } else {
            Ok(())
        };
        if looked.is_err() {
            self.failed = true;
            return;
        }
        let mut again = BTreeSet::new();
        while let Some(account) = self.behind.pop_first() {
            let behind = self.behind.len() as u64 + 1;
            index.progress.accounts_behind.store(behind, Ordering::Relaxed);
            if *stop.borrow() {
                return;
            }
            if catch_up(&index, account, stop).await.is_err() || self.check_one(account).await.is_err() {
                again.insert(account);
            }
            self.note(notices);
        }
        self.failed |= !again.is_empty();
        self.behind = again;
        let left = self.behind.len() as u64;
        index.progress.accounts_behind.store(left, Ordering::Relaxed);
        if !self.failed && !self.all {
            self.completed();
        }
    }

    /// Looks, not too often, at the next segment of an account, whether the store still has its messages.
    async fn check_one(&mut self, account: AccountId) -> Result<(), Later> {
        let now = self.index.doors.clock.monotonic();
        let due = |last: Monotonic| now.0.saturating_sub(last.0) >= Duration::from_millis(CHECK_MS);
        if !self.checked_at.is_none_or(due) {
            return Ok(());
        }
        let known = known(&self.index, account).await?;
        let after = self.checked.get(&account).copied().unwrap_or(0);
        let later = known.segments.iter().find(|segment| segment.id > after);
        let Some(segment) = later.or(known.segments.first()) else {
            self.checked.remove(&account);
            return Ok(());
        };
        self.checked_at = Some(now);
        self.checked.insert(account, segment.id);
        shrink(&self.index, account, segment.clone()).await
    }

    fn completed(&mut self) {
        let progress = &self.index.progress;
        let began = self.began.take();
        let indexed = progress.messages.load(Ordering::Relaxed);
        if progress.complete.swap(true, Ordering::Relaxed) || indexed == 0 {
            return;
        }
        let now = self.index.doors.clock.monotonic();
        let took = began.map_or(Duration::ZERO, |began| now.0.saturating_sub(began.0));
        self.index.doors.events.emit(&IndexEvent::Complete {
            messages: indexed,
            size_bytes: progress.bytes.load(Ordering::Relaxed),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
    }

    /// Everybody is behind until looked at.
    async fn everybody(&mut self) -> Result<(), Later> {
        self.began = Some(self.index.doors.clock.monotonic());
        let accounts = self.sweep().await?;
        self.behind.extend(accounts);
        self.all = false;
        Ok(())
    }

    /// Whether accounts that are gone should be looked for.
    fn sweep_is_due(&self) -> bool {
        let now = self.index.doors.clock.monotonic();
        let due = |last: Monotonic| now.0.saturating_sub(last.0) >= Duration::from_millis(SWEEP_MS);
        self.swept_at.is_none_or(due)
    }

    /// Forgets accounts that are gone; gives those that are there.
    async fn sweep(&mut self) -> Result<Vec<AccountId>, Later> {
        let now = self.index.doors.clock.monotonic();
        let mut accounts = Vec::new();
        loop {
            let page = self.index.doors.store.accounts(accounts.last().copied()).await?;
            if page.is_empty() {
                break;
            }
            accounts.extend(page.into_iter().map(|row| row.id));
        }
        let index = Arc::clone(&self.index);
        let kept = self.index.worker.run(move || {
            index.keep_only(&accounts);
            accounts
        });
        let accounts = kept.await.ok_or(Later)?;
        self.checked
            .retain(|account, _| accounts.binary_search(account).is_ok());
        self.swept_at = Some(now);
        Ok(accounts)
    }

    /// Takes in what notices came meanwhile.
    fn note(&mut self, notices: &mut Receiver<Notice>) {
        loop {
            match notices.try_recv() {
                Ok(notice) => drop(self.behind.insert(notice.account)),
                Err(TryRecvError::Lagged(_)) => self.all = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// What arrives in the next moments is indexed together.
    async fn gather(&self) {
        let clock = &self.index.doors.clock;
        let until = clock.monotonic().0 + Duration::from_millis(GATHER_MS);
        clock.sleep_until(Monotonic(until)).await;
    }

    /// Ends when something is to be tried again; never, if nothing is.
    fn pause(&self) -> impl Future<Output = ()> + use<> {
        let clock = Arc::clone(&self.index.doors.clock);
        let (failed, all) = (self.failed, self.all);
        async move {
            if all && !failed {
                return;
            }
            if !failed {
                return std::future::pending().await;
            }
            let until = clock.monotonic().0 + Duration::from_millis(RETRY_MS);
            clock.sleep_until(Monotonic(until)).await;
        }
    }
}

/// Indexes what is new in an account's mailboxes.
async fn catch_up(index: &Arc<Index>, account: AccountId, stop: &watch::Receiver<bool>) -> Result<(), Later> {
    let (reading, store) = (Arc::clone(index), &index.doors.store);
    let marks = index.worker.run(move || reading.marks(account)).await.flatten();
    let mut marks = marks.ok_or(Later)?;
    let before = marks.clone();
    let mailboxes = store.mailboxes(account).await?;
    if mailboxes.is_empty() && store.account(account).await?.is_none() {
        let forgetting = Arc::clone(index);
        let forgotten = index.worker.run(move || forgetting.forget(account)).await;
        return forgotten.ok_or(Later);
    }
    marks.retain(|marked, _| mailboxes.iter().any(|mailbox| mailbox.id == *marked));
    for mailbox in mailboxes {
        let mark = marks.get(&mailbox.id).copied().unwrap_or(0);
        // A store brought back from a copy may be older than the index.
        let mut mark = if mark > mailbox.modseq { 0 } else { mark };
        while mark < mailbox.modseq {
            let changes = match store.changes_since(mailbox.id, mark).await {
                Err(StoreError::Conflict(Conflict::NoSuchMailbox)) => break,
                other => other?,
            };
            mark = if changes.too_old {
                everything(index, account, mailbox.id, &marks).await?;
                changes.highest
            } else {
                let upto = changes.upto;
                take_in(index, account, messages_of(changes), &marks).await?;
                upto
            };
            marks.insert(mailbox.id, mark);
            if *stop.borrow() {
                return Err(Later);
            }
        }
    }
    if marks != before {
        let gone = before.into_keys().filter(|marked| !marks.contains_key(marked));
        let gone = gone.collect();
        write_marks(index, account, marks, gone).await?;
    }
    merge_small(index, account).await
}

fn messages_of(changes: Changes) -> Vec<MessageId> {
    changes.rows.into_iter().map(|row| row.message).collect()
}

/// All of a mailbox, when what changed is not known any more.
async fn everything(
    index: &Arc<Index>,
    account: AccountId,
    mailbox: MailboxId,
    marks: &Marks,
) -> Result<(), Later> {
    let mut after = 0;
    loop {
        let page = index.doors.store.placements(mailbox, after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.uid;
        let messages = page.into_iter().map(|row| row.message).collect();
        take_in(index, account, messages, marks).await?;
    }
}

/// Indexes those messages of a page that are not indexed.
async fn take_in(
    index: &Arc<Index>,
    account: AccountId,
    mut messages: Vec<MessageId>,
    marks: &Marks,
) -> Result<(), Later> {
    let known = known(index, account).await?;
    messages.retain(|message| !known.covers(message.raw()) && !index.is_left_out(message.raw()));
    messages.sort_unstable();
    messages.dedup();
    if messages.is_empty() {
        return Ok(());
    }
    // A disk that is nearly full keeps its room for mail.
    if index.doors.store.admission() != Admission::Open {
        return Err(Later);
    }
    let mut batch = Vec::new();
    let mut bytes = 0;
    for row in index.doors.store.messages(messages).await? {
        let size = row.prefix.len() as u64 + row.body_bytes;
        if bytes + size > BATCH_BYTES && !batch.is_empty() {
            write(index, account, std::mem::take(&mut batch), marks.clone()).await?;
            bytes = 0;
        }
        if let Some(message) = read(index, &row, size).await? {
            bytes += size;
            batch.push((row, message));
        }
    }
    write(index, account, batch, marks.clone()).await
}

/// An account's segments; the file is read on the thread for that.
async fn known(index: &Arc<Index>, account: AccountId) -> Result<Arc<Account>, Later> {
    let reading = Arc::clone(index);
    let known = index.worker.run(move || reading.account(account)).await;
    known.flatten().ok_or(Later)
}

/// Says it once: the message is not tried again before the next start.
fn leave_out(index: &Index, message: MessageId, reason: String) {
    if index.leave_out(message.raw()) {
        let message = message.to_string();
        index
            .doors
            .events
            .emit(&IndexEvent::MessageLeftOut { message, reason });
    }
}

/// The octets of a message; `None` when it is left out.
async fn read(index: &Index, row: &MessageRow, size: u64) -> Result<Option<Vec<u8>>, Later> {
    let leave_out = |reason: String| {
        leave_out(index, row.id, reason);
        Ok(None)
    };
    if size > MESSAGE_BYTES {
        return leave_out(format!("it is larger than {} MiB", MESSAGE_BYTES >> 20));
    }
    let mut octets = row.prefix.to_vec();
    while (octets.len() as u64) < size {
        let at = octets.len() as u64 - row.prefix.len() as u64;
        match index
            .doors
            .store
            .read_body(row.blob, at, row.body_bytes - at)
            .await
        {
            Ok(part) if part.is_empty() => return leave_out("its body is too short".to_owned()),
            Ok(part) => octets.extend_from_slice(&part),
            Err(StoreError::Damaged(reason)) => return leave_out(reason),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(Some(octets))
}

/// A message as it was read.
type Read = (MessageRow, Vec<u8>);

/// Indexes messages. When that panics, they are indexed one by one, and the one at fault is left out.
async fn write(index: &Arc<Index>, account: AccountId, batch: Vec<Read>, marks: Marks) -> Result<(), Later> {
    if batch.is_empty() {
        return Ok(());
    }
    let (batch, marks) = (Arc::new(batch), Arc::new(marks));
    if let Some(written) = write_some(index, account, &batch, 0..batch.len(), &marks).await {
        return if written { Ok(()) } else { Err(Later) };
    }
    for at in 0..batch.len() {
        match write_some(index, account, &batch, at..at + 1, &marks).await {
            Some(true) => {}
            Some(false) => return Err(Later),
            None => leave_out(index, batch[at].0.id, "it cannot be taken apart".to_owned()),
        }
    }
    Ok(())
}

/// Whether they were written; `None` when the work panicked.
async fn write_some(
    index: &Arc<Index>,
    account: AccountId,
    batch: &Arc<Vec<Read>>,
    which: Range<usize>,
    marks: &Arc<Marks>,
) -> Option<bool> {
    let (writing, batch, marks) = (Arc::clone(index), Arc::clone(batch), Arc::clone(marks));
    let written = index
        .worker
        .run(move || write_now(&writing, account, &batch[which], &marks));
    written.await
}

fn write_now(index: &Index, account: AccountId, messages: &[Read], marks: &Marks) -> bool {
    // The marks are before these messages, so they hold for each of several segments.
    let mut builder = Builder::new();
    let mut bytes = 0;
    for (row, message) in messages {
        let describe = index.doors.describe.as_ref();
        if !builder.add(row.id, row.internal_date.0, message, describe) {
            let reason = format!(
                "what is kept of it is more than {} MiB",
                MESSAGE_COLUMN_BYTES >> 20
            );
            leave_out(index, row.id, reason);
            continue;
        }
        bytes += message.len() as u64;
        if builder.bytes() >= SEGMENT_BYTES {
            if !write_segment(
                index,
                account,
                std::mem::replace(&mut builder, Builder::new()),
                bytes,
                marks,
            ) {
                return false;
            }
            bytes = 0;
        }
    }
    builder.messages() == 0 || write_segment(index, account, builder, bytes, marks)
}

fn write_segment(index: &Index, account: AccountId, builder: Builder, bytes: u64, marks: &Marks) -> bool {
    let (ids, columns) = builder.finish();
    let messages = ids.len();
    let Some(packed) = Packed::new(messages, &columns) else {
        for id in ids {
            leave_out(
                index,
                MessageId::from_raw(id),
                "its columns are too large".to_owned(),
            );
        }
        return true;
    };
    let change = Change {
        account,
        new: Some(packed),
        replaced: &[],
        marks,
        gone: &[],
    };
    let written = index.commit(&change, ids);
    if written {
        let progress = &index.progress;
        progress.messages.fetch_add(messages as u64, Ordering::Relaxed);
        progress.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
    written
}

/// What was looked at needs not be looked at again, though nothing in it was new.
async fn write_marks(
    index: &Arc<Index>,
    account: AccountId,
    marks: Marks,
    gone: Vec<MailboxId>,
) -> Result<(), Later> {
    let writing = Arc::clone(index);
    let written = index.worker.run(move || {
        let change = Change {
            account,
            new: None,
            replaced: &[],
            marks: &marks,
            gone: &gone,
        };
        writing.commit(&change, Vec::new())
    });
    written.await.filter(|written| *written).map(|_| ()).ok_or(Later)
}

/// Merges until no segments of one size are too many.
async fn merge_small(index: &Arc<Index>, account: AccountId) -> Result<(), Later> {
    loop {
        let known = known(index, account).await?;
        let Some(chosen) = known.merge() else {
            return Ok(());
        };
        let there = still_there(index, &chosen).await?;
        let merging = Arc::clone(index);
        let merged = index
            .worker
            .run(move || merge_now(&merging, account, &chosen, &there));
        merged.await.filter(|merged| *merged).ok_or(Later)?;
    }
}

/// Writes a segment anew when much of it is gone.
async fn shrink(index: &Arc<Index>, account: AccountId, segment: Segment) -> Result<(), Later> {
    let chosen = [segment];
    let there = still_there(index, &chosen).await?;
    let all = chosen[0].ids.len();
    if (all - there.len().min(all)) * GONE_ONE_IN < all {
        return Ok(());
    }
    let merging = Arc::clone(index);
    let merged = index
        .worker
        .run(move || merge_now(&merging, account, &chosen, &there));
    merged.await.filter(|merged| *merged).map(|_| ()).ok_or(Later)
}

/// Which of their messages the store still has.
async fn still_there(index: &Index, segments: &[Segment]) -> Result<HashSet<u64>, Later> {
    let ids: Vec<MessageId> = segments
        .iter()
        .flat_map(|segment| segment.ids.iter().map(|&id| MessageId::from_raw(id)))
        .collect();
    let mut there = HashSet::with_capacity(ids.len());
    for page in ids.chunks(PAGE_ROWS) {
        let rows = index.doors.store.messages(page.to_vec()).await?;
        there.extend(rows.into_iter().map(|row| row.id.raw()));
    }
    Ok(there)
}

fn merge_now(index: &Index, account: AccountId, chosen: &[Segment], there: &HashSet<u64>) -> bool {
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
    let new = Packed::new(ids.len(), &columns);
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

/// Looks at everybody once; for tests.
#[cfg(test)]
pub(crate) async fn once(index: &Arc<Index>) {
    let mut notices = index.doors.store.subscribe();
    let (_stopping, stop) = watch::channel(false);
    let mut work = Work::new(Arc::clone(index));
    work.all = true;
    work.round(&mut notices, &stop).await;
    // What was damaged is noticed while it is read, and made anew in the next round.
    work.round(&mut notices, &stop).await;
}

/// One round, as after a notice of an account or when nobody looked for long; for tests.
#[cfg(test)]
pub(crate) async fn one(index: &Arc<Index>, account: Option<AccountId>) {
    let mut notices = index.doors.store.subscribe();
    let (_stopping, stop) = watch::channel(false);
    let mut work = Work::new(Arc::clone(index));
    work.behind.extend(account);
    work.swept_at = account.map(|_| index.doors.clock.monotonic());
    work.round(&mut notices, &stop).await;
}
