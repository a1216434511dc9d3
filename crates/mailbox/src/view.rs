//! The view of one mailbox that all its sessions share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use mail::ids::{AccountId, MailboxId};
use parking_lot::{Mutex, MutexGuard};
use store::contract::{Conflict, PAGE_ROWS, Store, StoreError};
use store::uids::UidSet;
use tokio::sync::{Notify, watch};
use world::clock::Clock;

use crate::changes::FlagsSet;
use crate::error::Result;
use crate::kept::Kept;
use crate::limits::{LOADED_AT_ONCE_ROWS, LOG_TRIM_ENTRIES};
use crate::rows::Snapshot;

/// What a session last saw of a view's log: shared with the view, so that told entries can be forgotten.
pub(crate) type LogPosition = Arc<AtomicU64>;

/// All views: held weakly while sessions have them open, and for a while after the last of them left ([`Kept`]).
pub(crate) struct Registry {
    clock: Arc<dyn Clock>,
    views: Mutex<HashMap<MailboxId, Weak<View>>>,
    kept: Mutex<Kept>,
    /// told when a view is kept
    kept_one: Arc<Notify>,
    /// Per mailbox: UIDs up to here were told to some session since the program started (`\Recent`, RFC 3501 §2.3.2).
    recent: Mutex<HashMap<MailboxId, u32>>,
}

impl Registry {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            views: Mutex::default(),
            kept: Mutex::default(),
            kept_one: Arc::default(),
            recent: Mutex::default(),
        }
    }

    /// A seat at the view of a mailbox; the view is made (not yet loaded) when it is not in memory.
    pub(crate) fn seat(self: &Arc<Self>, account: AccountId, id: MailboxId) -> Seat {
        let mut views = self.views.lock();
        let kept = self.kept.lock().take(id);
        let view = match kept.or_else(|| views.get(&id).and_then(Weak::upgrade)) {
            Some(view) => view,
            None => {
                let view = Arc::new(View::new(id, account, Arc::clone(self)));
                views.insert(id, Arc::downgrade(&view));
                view
            }
        };
        view.sessions.fetch_add(1, Ordering::AcqRel);
        Seat(view)
    }

    /// The view of a mailbox, if somebody has it open.
    pub(crate) fn open_view(&self, id: MailboxId) -> Option<Arc<View>> {
        let view = self.views.lock().get(&id).and_then(Weak::upgrade);
        view.filter(|view| view.is_open())
    }

    /// All open views, of one account or of everybody.
    pub(crate) fn open_views(&self, account: Option<AccountId>) -> Vec<Arc<View>> {
        let all: Vec<Arc<View>> = self.views.lock().values().filter_map(Weak::upgrade).collect();
        let wanted = |view: &Arc<View>| account.is_none_or(|wanted| wanted == view.account);
        all.into_iter()
            .filter(|view| view.is_open() && wanted(view))
            .collect()
    }

    /// Views that nobody has open.
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock()
    }

    /// Keeps nothing any more, and wakes who waits for something to be kept.
    pub(crate) fn close(&self) -> Vec<Arc<View>> {
        let gone = self.kept.lock().close();
        self.kept_one.notify_one();
        gone
    }

    pub(crate) fn kept_one(&self) -> Arc<Notify> {
        Arc::clone(&self.kept_one)
    }

    /// One session less.
    fn leave(&self, view: &Arc<View>) {
        let views = self.views.lock();
        if view.sessions.fetch_sub(1, Ordering::AcqRel) > 1 || !view.is_worth_keeping() {
            return;
        }
        let gone = self.kept.lock().keep(Arc::clone(view), self.clock.monotonic());
        drop(views);
        // A view that is dropped looks at the registry.
        drop(gone);
        self.kept_one.notify_one();
    }

    /// UIDs up to here are not recent any more.
    pub(crate) fn recent_above(&self, id: MailboxId) -> u32 {
        self.recent.lock().get(&id).copied().unwrap_or(0)
    }

    /// A session is told of messages up to `uid`: they are recent to it alone. Returns the mark before.
    pub(crate) fn claim_recent(&self, id: MailboxId, uid: u32) -> u32 {
        let mut recent = self.recent.lock();
        let mark = recent.entry(id).or_insert(0);
        let before = *mark;
        *mark = before.max(uid);
        before
    }
}

/// A session's hold on a view: while there is one, the view is kept up to date.
pub(crate) struct Seat(Arc<View>);

impl Seat {
    pub(crate) fn shared(&self) -> Arc<View> {
        Arc::clone(&self.0)
    }
}

impl std::ops::Deref for Seat {
    type Target = View;

    fn deref(&self) -> &View {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.registry.leave(&self.0);
    }
}

/// One mailbox in memory.
pub(crate) struct View {
    pub(crate) id: MailboxId,
    pub(crate) account: AccountId,
    registry: Arc<Registry>,
    /// who has it open
    sessions: AtomicUsize,
    state: Mutex<State>,
    /// one refresh at a time
    refreshing: tokio::sync::Mutex<()>,
    /// the hub has asked for a refresh that has not begun
    queued: AtomicBool,
    /// counts changes; sessions wait on it
    wake: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    loaded: bool,
    gone: bool,
    snapshot: Arc<Snapshot>,
    /// UIDs that were here and are gone, in the order of their commits; `log_start` is the position of the first
    log: Vec<u32>,
    log_start: u64,
    readers: Vec<Weak<AtomicU64>>,
    /// changes under way whose receipts the view will take in, so that nobody need read them
    own_changes: u32,
    /// the largest modseq of a notice that was left to them
    owed: u64,
}

/// What a session reads of the view in one moment.
pub(crate) struct Glance {
    pub(crate) snapshot: Arc<Snapshot>,
    /// expunged since the session looked last, unsorted
    pub(crate) expunged: Vec<u32>,
    /// the mailbox was deleted
    pub(crate) gone: bool,
}

impl View {
    fn new(id: MailboxId, account: AccountId, registry: Arc<Registry>) -> Self {
        Self {
            id,
            account,
            registry,
            sessions: AtomicUsize::new(0),
            state: Mutex::default(),
            refreshing: tokio::sync::Mutex::new(()),
            queued: AtomicBool::new(false),
            wake: watch::Sender::new(0),
        }
    }

    /// A view that has read its mailbox.
    #[cfg(test)]
    pub(crate) fn loaded(
        id: MailboxId,
        account: AccountId,
        registry: Arc<Registry>,
        snapshot: Snapshot,
    ) -> Arc<Self> {
        let view = Self::new(id, account, registry);
        view.publish(snapshot, Vec::new());
        view.state.lock().loaded = true;
        Arc::new(view)
    }

    /// Whether some session has it open.
    fn is_open(&self) -> bool {
        self.sessions.load(Ordering::Acquire) > 0
    }

    fn is_worth_keeping(&self) -> bool {
        let state = self.state.lock();
        state.loaded && !state.gone
    }

    /// Bytes of memory, near enough.
    pub(crate) fn bytes(&self) -> usize {
        let state = self.state.lock();
        size_of::<Self>()
            + size_of::<State>()
            + state.snapshot.bytes()
            + state.log.capacity() * size_of::<u32>()
    }

    /// A place in the log for a new session, and something to wait on.
    pub(crate) fn join(&self) -> (LogPosition, watch::Receiver<u64>) {
        let mut state = self.state.lock();
        let position = Arc::new(AtomicU64::new(state.log_start + state.log.len() as u64));
        state.readers.push(Arc::downgrade(&position));
        (position, self.wake.subscribe())
    }

    /// The present snapshot, and what went since `position`, which moves on.
    pub(crate) fn glance(&self, position: &LogPosition) -> Glance {
        let state = self.state.lock();
        let seen = position.load(Ordering::Relaxed).saturating_sub(state.log_start) as usize;
        let expunged = state.log.get(seen..).unwrap_or_default().to_vec();
        position.store(state.log_start + state.log.len() as u64, Ordering::Relaxed);
        Glance {
            snapshot: Arc::clone(&state.snapshot),
            expunged,
            gone: state.gone,
        }
    }

    /// The modseq this view has reached.
    pub(crate) fn modseq(&self) -> u64 {
        self.state.lock().snapshot.modseq()
    }

    /// Wakes who waits for something to change.
    pub(crate) fn wake(&self) {
        self.wake.send_modify(|count| *count += 1);
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Marks a refresh as wanted; true for the first who asks, who must see to it.
    pub(crate) fn queue_refresh(&self) -> bool {
        !self.queued.swap(true, Ordering::AcqRel)
    }

    /// A session begins a change whose receipt goes to [`View::take_in`]. Ends with [`View::own_change_ends`].
    pub(crate) fn own_change_begins(&self) {
        self.state.lock().own_changes += 1;
    }

    /// True when somebody must refresh the view, because a notice was left to a change that did not bring it so far.
    pub(crate) fn own_change_ends(&self) -> bool {
        let mut state = self.state.lock();
        state.own_changes -= 1;
        let owed = if state.own_changes == 0 {
            std::mem::take(&mut state.owed)
        } else {
            0
        };
        owed > state.snapshot.modseq()
    }

    /// Whether a notice may be left to a change under way.
    pub(crate) fn leave_to_own_change(&self, modseq: u64) -> bool {
        let mut state = self.state.lock();
        let under_way = state.own_changes > 0;
        if under_way {
            state.owed = state.owed.max(modseq);
        }
        under_way
    }

    /// Brings the view up to what is committed; loads it if it is new.
    pub(crate) async fn refresh(&self, store: &dyn Store) -> Result<()> {
        let _one = self.refreshing.lock().await;
        self.queued.store(false, Ordering::Release);
        if !self.state.lock().loaded {
            return self.load(store).await;
        }
        self.catch_up(store).await
    }

    /// Takes in a change of flags from its receipt, without reading it again; reads when more than that happened.
    pub(crate) async fn take_in(&self, set: &FlagsSet, store: &dyn Store) -> Result<()> {
        let one = self.refreshing.lock().await;
        let snapshot = Arc::clone(&self.state.lock().snapshot);
        let (have, loaded) = (snapshot.modseq(), self.state.lock().loaded);
        if loaded && have >= set.modseq {
            return Ok(());
        }
        if loaded && have >= set.before {
            let mut next = Snapshot::clone(&snapshot);
            drop(snapshot);
            if next.reflag(&set.changed, set.modseq) {
                self.publish(next, Vec::new());
                return Ok(());
            }
        }
        drop(one);
        self.refresh(store).await
    }

    /// Reads pages first and then what changed since before the first page: each page is its own snapshot.
    async fn load(&self, store: &dyn Store) -> Result<()> {
        let Some(row) = store.mailbox(self.id).await? else {
            return self.lost();
        };
        // A large one from two ends: the store answers more than one question at a time.
        let middle = match row.messages {
            few if few <= LOADED_AT_ONCE_ROWS => u32::MAX,
            _ => row.uidnext / 2,
        };
        let (first, second) = (
            self.read_rows(store, 0, middle),
            self.read_rows(store, middle, u32::MAX),
        );
        let (mut snapshot, second) = tokio::try_join!(first, second)?;
        snapshot.append(second);
        snapshot.apply(Vec::new(), &UidSet::new(), row.modseq);
        self.publish(snapshot, Vec::new());
        self.state.lock().loaded = true;
        self.catch_up(store).await
    }

    /// Rows with UIDs above `after` up to `last`, page by page.
    async fn read_rows(&self, store: &dyn Store, mut after: u32, last: u32) -> Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        while after < last {
            let mut page = store.placements(self.id, after).await?;
            let full = page.len() >= PAGE_ROWS;
            after = page.last().filter(|_| full).map_or(last, |row| row.uid);
            page.truncate(page.partition_point(|row| row.uid <= last));
            snapshot.apply(page, &UidSet::new(), 0);
        }
        Ok(snapshot)
    }

    async fn catch_up(&self, store: &dyn Store) -> Result<()> {
        loop {
            let snapshot = Arc::clone(&self.state.lock().snapshot);
            let changes = match store.changes_since(self.id, snapshot.modseq()).await {
                Err(StoreError::Conflict(Conflict::NoSuchMailbox)) => return self.lost(),
                other => other?,
            };
            if changes.too_old {
                return self.reload(store, &snapshot).await;
            }
            let done = changes.upto >= changes.highest;
            if snapshot.modseq() < changes.upto {
                let mut next = Snapshot::clone(&snapshot);
                drop(snapshot);
                let gone = next.apply(changes.rows, &changes.vanished, changes.upto);
                self.publish(next, gone);
            }
            if done {
                return Ok(());
            }
        }
    }

    /// Too much was forgotten to catch up: reads all again; what is missing now was expunged.
    async fn reload(&self, store: &dyn Store, before: &Snapshot) -> Result<()> {
        let fresh = Self::new(self.id, self.account, Arc::clone(&self.registry));
        Box::pin(fresh.load(store)).await?;
        let snapshot = Snapshot::clone(&fresh.state.lock().snapshot);
        let gone = before
            .iter()
            .map(|row| row.uid)
            .filter(|&uid| snapshot.find(uid).is_none())
            .collect();
        self.publish(snapshot, gone);
        Ok(())
    }

    fn lost(&self) -> Result<()> {
        self.state.lock().gone = true;
        self.wake.send_modify(|count| *count += 1);
        Err(crate::error::Error::NoSuchMailbox)
    }

    fn publish(&self, snapshot: Snapshot, gone: Vec<u32>) {
        let mut state = self.state.lock();
        state.snapshot = Arc::new(snapshot);
        state.log.extend(gone);
        if state.log.len() >= LOG_TRIM_ENTRIES {
            state.trim();
        }
        drop(state);
        self.wake.send_modify(|count| *count += 1);
    }
}

impl State {
    /// Forgets what every session has seen.
    fn trim(&mut self) {
        let end = self.log_start + self.log.len() as u64;
        let mut oldest = end;
        self.readers.retain(|reader| {
            let position = reader.upgrade().map(|position| position.load(Ordering::Relaxed));
            oldest = oldest.min(position.unwrap_or(end));
            position.is_some()
        });
        self.log.drain(..(oldest - self.log_start) as usize);
        self.log_start = oldest;
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let mut views = self.registry.views.lock();
        if views.get(&self.id).is_some_and(|view| view.strong_count() == 0) {
            views.remove(&self.id);
        }
    }
}
