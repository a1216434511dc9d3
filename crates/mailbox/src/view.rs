//! The view of one open mailbox that all its sessions share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use mail::ids::{AccountId, MailboxId};
use parking_lot::Mutex;
use store::contract::{Conflict, PAGE_ROWS, Store, StoreError};
use store::uids::UidSet;
use tokio::sync::watch;

use crate::changes::FlagsSet;
use crate::error::Result;
use crate::limits::LOG_TRIM_ENTRIES;
use crate::rows::Snapshot;

/// What a session last saw of a view's log: shared with the view, so that told entries can be forgotten.
pub(crate) type LogPosition = Arc<AtomicU64>;

/// All open views, held weakly: the last session that leaves drops its view.
#[derive(Default)]
pub(crate) struct Registry {
    views: Mutex<HashMap<MailboxId, Weak<View>>>,
    /// Per mailbox: UIDs up to here were told to some session since the program started (`\Recent`, RFC 3501 §2.3.2).
    recent: Mutex<HashMap<MailboxId, u32>>,
}

impl Registry {
    /// The view of a mailbox; made (not yet loaded) when nobody has it open.
    pub(crate) fn view(self: &Arc<Self>, account: AccountId, id: MailboxId) -> Arc<View> {
        let mut views = self.views.lock();
        if let Some(view) = views.get(&id).and_then(Weak::upgrade) {
            return view;
        }
        let view = Arc::new(View {
            id,
            account,
            registry: Arc::clone(self),
            state: Mutex::default(),
            refreshing: tokio::sync::Mutex::new(()),
            queued: AtomicBool::new(false),
            wake: watch::Sender::new(0),
        });
        views.insert(id, Arc::downgrade(&view));
        view
    }

    /// The view of a mailbox, if somebody has it open.
    pub(crate) fn open_view(&self, id: MailboxId) -> Option<Arc<View>> {
        self.views.lock().get(&id).and_then(Weak::upgrade)
    }

    /// All open views, of one account or of everybody.
    pub(crate) fn open_views(&self, account: Option<AccountId>) -> Vec<Arc<View>> {
        let views = self.views.lock();
        let all = views.values().filter_map(Weak::upgrade);
        all.filter(|view| account.is_none_or(|wanted| wanted == view.account))
            .collect()
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

/// One open mailbox.
pub(crate) struct View {
    pub(crate) id: MailboxId,
    pub(crate) account: AccountId,
    registry: Arc<Registry>,
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

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Marks a refresh as wanted; true for the first who asks, who must see to it.
    pub(crate) fn queue_refresh(&self) -> bool {
        !self.queued.swap(true, Ordering::AcqRel)
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
        let mut snapshot = Snapshot::default();
        let mut after_uid = 0;
        loop {
            let page = store.placements(self.id, after_uid).await?;
            let full = page.len() >= PAGE_ROWS;
            after_uid = page.last().map_or(after_uid, |last| last.uid);
            snapshot.apply(page, &UidSet::new(), 0);
            if !full {
                break;
            }
        }
        snapshot.apply(Vec::new(), &UidSet::new(), row.modseq);
        self.publish(snapshot, Vec::new());
        self.state.lock().loaded = true;
        self.catch_up(store).await
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
        let fresh = Arc::new(Self {
            id: self.id,
            account: self.account,
            registry: Arc::default(),
            state: Mutex::default(),
            refreshing: tokio::sync::Mutex::new(()),
            queued: AtomicBool::new(false),
            wake: watch::Sender::new(0),
        });
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
