//! What the embedded backend can be told.

use std::sync::Arc;

use world::clock::Clock;
use world::events::Events;

/// How the embedded backend works. [`Options::new`] gives the defaults; change fields as needed.
#[derive(Clone)]
pub struct Options {
    /// where time comes from
    pub clock: Arc<dyn Clock>,
    /// where events go
    pub events: Arc<dyn Events>,
    /// days for which removed messages are kept
    pub undelete_days: u64,
    /// days for which tombstones of expunged UIDs are kept
    pub tombstone_days: u64,
    /// milliseconds after which a body nobody points to is removed
    pub unreferenced_ms: u64,
    /// size of the ballast that makes deleting possible on a full disk; at most a 16th of the disk. Keep it above
    /// `wal_checkpoint_bytes`, because emptying the log may lengthen the database by as much
    pub reserve_bytes: u64,
    /// below this, strangers' mail waits; at most a 16th of the disk
    pub users_only_below_bytes: u64,
    /// below this, only deleting is taken; at most a 64th of the disk
    pub deleting_only_below_bytes: u64,
    /// below this many free inodes, strangers' mail waits; at most a 16th of all
    pub users_only_below_inodes: u64,
    /// inline bodies older than this are settled into packs
    pub settle_after_ms: u64,
    /// days in which the scrubber goes through everything
    pub scrub_days: u64,
    /// whether upkeep runs by itself; tests turn it off and call the steps
    pub upkeep: bool,
    /// size of the log at which it is copied into the database; at most a 32nd of the disk
    pub wal_checkpoint_bytes: u64,
    /// threads that answer reads
    pub reader_threads: usize,
}

impl Options {
    /// The defaults.
    pub fn new(clock: Arc<dyn Clock>, events: Arc<dyn Events>) -> Self {
        Self {
            clock,
            events,
            undelete_days: 7,
            tombstone_days: 90,
            unreferenced_ms: crate::limits::DAY_MS,
            reserve_bytes: 24 << 20,
            users_only_below_bytes: 64 << 20,
            deleting_only_below_bytes: 16 << 20,
            users_only_below_inodes: 1000,
            settle_after_ms: 10 * 60 * 1000,
            scrub_days: 30,
            upkeep: true,
            wal_checkpoint_bytes: crate::limits::WAL_CHECKPOINT_BYTES,
            reader_threads: crate::limits::READER_THREADS,
        }
    }
}
