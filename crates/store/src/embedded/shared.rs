//! What the threads of one store share.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::broadcast;
use world::clock::UnixMs;
use world::ids::IdSource;

use crate::contract::{Notice, Result, StoreError};
use crate::embedded::STORE_NODE;
use crate::embedded::blanks::Blanks;
use crate::embedded::claims::Claims;
use crate::embedded::layout::Layout;
use crate::embedded::options::Options;
use crate::embedded::schema;
use crate::embedded::space::Space;
use crate::events::StoreEvent;
use crate::limits::NOTICES;

/// What the threads of one store share.
pub(crate) struct Shared {
    pub options: Options,
    pub layout: Layout,
    pub claims: Claims,
    pub staged: Staged,
    pub blanks: Blanks,
    pub space: Space,
    pub ids: IdSource,
    pub notices: broadcast::Sender<Notice>,
    /// the number of the last notice, told before anybody is answered
    pub last_notice: AtomicU64,
    /// twice the commits so far, and one more while one is under way: see [`Shared::commits`]
    pub commits: AtomicU64,
    /// the largest identifier seen
    pub largest_id: AtomicU64,
}

impl Shared {
    /// At the opening. New identifiers are larger than this one.
    pub fn new(layout: Layout, options: Options, id_floor: u64) -> Self {
        Self {
            ids: IdSource::new(Arc::clone(&options.clock), STORE_NODE, id_floor),
            claims: Claims::default(),
            staged: Staged::default(),
            blanks: Blanks::default(),
            space: Space::new(),
            notices: broadcast::channel(NOTICES).0,
            last_notice: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            largest_id: AtomicU64::new(id_floor),
            layout,
            options,
        }
    }

    /// Wall time.
    pub fn now(&self) -> UnixMs {
        self.options.clock.now()
    }

    /// Tells the log.
    pub fn emit(&self, event: &StoreEvent) {
        self.options.events.emit(event);
    }

    /// Tells the log when what was read is damaged. Passes the result on.
    pub fn watch<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(StoreError::Damaged(what)) = &result {
            self.emit(&StoreEvent::Damaged { what: what.clone() });
        }
        result
    }

    /// From here on readers may see what is being committed. Only the writer says so.
    pub fn commit_begins(&self) {
        let counted = self.commits.load(Ordering::SeqCst);
        // Odd in any case, also when a commit before never ended.
        self.commits.store((counted + 1) | 1, Ordering::SeqCst);
    }

    /// Readers see it, or never will.
    pub fn commit_ended(&self) {
        let counted = self.commits.load(Ordering::SeqCst);
        self.commits.store((counted | 1) + 1, Ordering::SeqCst);
    }

    /// Counts them. `None` between [`Shared::commit_begins`] and [`Shared::commit_ended`]: a commit is seen before it can be counted.
    pub fn commits(&self) -> Option<u64> {
        let counted = self.commits.load(Ordering::SeqCst);
        counted.is_multiple_of(2).then_some(counted)
    }

    /// Numbers these notices, which the writer sends next.
    pub fn number(&self, notices: &mut [Notice]) {
        let last = self.last_notice.load(Ordering::Relaxed);
        for (notice, number) in notices.iter_mut().zip(last + 1..) {
            notice.number = number;
        }
        self.last_notice
            .store(last + notices.len() as u64, Ordering::Release);
    }

    /// An identifier is in use.
    pub fn saw_id(&self, raw: u64) {
        self.largest_id.fetch_max(raw, Ordering::Relaxed);
    }

    /// Writes down the largest identifier before rows that may hold it are removed.
    pub fn keep_id_floor(&self, conn: &Connection) -> Result<()> {
        schema::set_meta(conn, "id_floor", self.largest_id.load(Ordering::Relaxed) as i64)
    }
}

/// Large bodies that are on the disk but belong to no row yet, and packs being made: what upkeep must not take for
/// leftovers. By the body's name, or the pack's where it holds many.
#[derive(Default)]
pub(crate) struct Staged {
    files: Mutex<HashMap<u64, StagedFile>>,
}

struct StagedFile {
    pack: u64,
    size_bytes: u64,
    since: UnixMs,
    /// a commit tried to take it: a row may know it, whatever became of the commit
    entered: bool,
}

/// Whoever drops this needs the staged body no more.
pub(crate) struct Release {
    pub shared: Weak<Shared>,
    pub blob: u64,
}

impl Drop for Release {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        if let Some(pack) = shared.staged.give_up(self.blob) {
            // What cannot be removed now is a leftover of the next start.
            let _ = fs::remove_file(shared.layout.pack(pack));
        }
    }
}

impl Staged {
    /// A body lies whole in a pack that has its name in `packs/`, or is about to get it.
    pub fn add(&self, blob: u64, pack: u64, size_bytes: u64, since: UnixMs) {
        let file = StagedFile {
            pack,
            size_bytes,
            since,
            entered: false,
        };
        self.files.lock().insert(blob, file);
    }

    /// A commit is about to take it. Its pack and that file's size, while it belongs to no row.
    pub fn enter(&self, blob: u64) -> Option<(u64, u64)> {
        let mut files = self.files.lock();
        let file = files.get_mut(&blob)?;
        file.entered = true;
        Some((file.pack, file.size_bytes))
    }

    /// Nobody will commit it any more. The pack whose file can go at once; one that a commit tried to take is looked at by the
    /// next round of the collector.
    pub fn give_up(&self, blob: u64) -> Option<u64> {
        let mut files = self.files.lock();
        match files.get_mut(&blob) {
            Some(file) if file.entered => {
                file.since = UnixMs(0);
                None
            }
            _ => files.remove(&blob).map(|file| file.pack),
        }
    }

    /// It belongs to a row now, or is gone.
    pub fn remove(&self, blob: u64) {
        self.files.lock().remove(&blob);
    }

    /// Whether this pack waits for its row.
    pub fn holds(&self, pack: u64) -> bool {
        let files = self.files.lock();
        files.contains_key(&pack) || files.values().any(|file| file.pack == pack)
    }

    /// The packs that wait for their rows.
    pub fn packs(&self) -> HashSet<u64> {
        self.files.lock().values().map(|file| file.pack).collect()
    }

    /// Those nobody committed since `limit`, with their packs.
    pub fn abandoned(&self, limit: UnixMs) -> Vec<(u64, u64)> {
        let files = self.files.lock();
        files
            .iter()
            .filter(|(_, file)| file.since <= limit)
            .map(|(&blob, file)| (blob, file.pack))
            .collect()
    }
}
