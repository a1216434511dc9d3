//! What the store tells the log. Names are stable.

use mail::ids::QueueId;
use world::events::{Event, Severity, Value};

/// One thing that happened in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreEvent {
    /// `store.opened`: the store is open; what recovery found and did.
    Opened {
        /// a new, empty store was made
        created: bool,
        /// pages found in the log and taken over
        wal_frames_recovered: u64,
        /// unfinished files removed from `staging/`
        staging_files_removed: u64,
        /// how long it took
        duration_ms: u64,
    },
    /// `store.log-damaged`: the log is damaged in the middle: commits behind the damage cannot be replayed. A copy was kept.
    LogDamaged {
        /// commits behind the damage
        commits_lost: u64,
        /// where the copy is
        copy: String,
    },
    /// `store.log-large`: the log grew past its alarm size: a reader holds it, or the disk is too slow.
    LogLarge {
        /// its size
        size_bytes: u64,
    },
    /// `store.damaged`: a checksum did not match, or something is missing.
    Damaged {
        /// which row, body or file
        what: String,
    },
    /// `store.sync-failed`: a sync failed; the batch was refused, the log was overwritten and proven, work goes on.
    SyncFailed {
        /// batches refused
        batches: u64,
        /// what the disk said
        reason: String,
    },
    /// `store.writing-stopped`: the store stopped writing. Reads work.
    WritingStopped {
        /// what the disk said
        reason: String,
    },
    /// `store.writing-resumed`: writing works again.
    WritingResumed,
    /// `store.disk-full`: the disk is full, or nearly.
    DiskFull {
        /// bytes free
        free_bytes: u64,
        /// inodes free
        free_inodes: u64,
    },
    /// `store.disk-has-room`: there is room again.
    DiskHasRoom {
        /// bytes free
        free_bytes: u64,
    },
    /// `store.reserve-released`: the ballast was given up so that deleting works.
    ReserveReleased,
    /// `store.reserve-refilled`: the ballast is back.
    ReserveRefilled,
    /// `store.settled`: bodies were copied into a pack.
    Settled {
        /// how many
        bodies: u64,
        /// size of the pack
        pack_bytes: u64,
    },
    /// `store.collected`: what nobody needs any more was removed.
    Collected {
        /// message rows
        messages: u64,
        /// bodies
        bodies: u64,
        /// files
        packs: u64,
    },
    /// `store.scrubbed`: the scrubber went through everything once.
    Scrubbed {
        /// bodies verified
        bodies: u64,
        /// rows verified
        rows: u64,
        /// damages found
        damaged: u64,
    },
}

impl Event for StoreEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "store.opened",
            Self::LogDamaged { .. } => "store.log-damaged",
            Self::LogLarge { .. } => "store.log-large",
            Self::Damaged { .. } => "store.damaged",
            Self::SyncFailed { .. } => "store.sync-failed",
            Self::WritingStopped { .. } => "store.writing-stopped",
            Self::WritingResumed => "store.writing-resumed",
            Self::DiskFull { .. } => "store.disk-full",
            Self::DiskHasRoom { .. } => "store.disk-has-room",
            Self::ReserveReleased => "store.reserve-released",
            Self::ReserveRefilled => "store.reserve-refilled",
            Self::Settled { .. } => "store.settled",
            Self::Collected { .. } => "store.collected",
            Self::Scrubbed { .. } => "store.scrubbed",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::LogDamaged { .. }
            | Self::LogLarge { .. }
            | Self::Damaged { .. }
            | Self::SyncFailed { .. }
            | Self::WritingStopped { .. }
            | Self::DiskFull { .. } => Severity::Alert,
            Self::ReserveReleased => Severity::Warning,
            Self::Scrubbed { damaged, .. } if *damaged > 0 => Severity::Alert,
            _ => Severity::Info,
        }
    }

    fn queue_id(&self) -> Option<QueueId> {
        None
    }

    fn sentence(&self) -> String {
        match self {
            Self::Opened { created: true, .. } => "A new store was made.".to_owned(),
            Self::Opened {
                wal_frames_recovered,
                staging_files_removed,
                ..
            } => format!(
                "The store is open: {wal_frames_recovered} pages were taken over from its log, \
                 {staging_files_removed} unfinished files were removed."
            ),
            Self::LogDamaged { commits_lost, copy } => format!(
                "The store's log is damaged: {commits_lost} commits behind the damage are lost; restore them from a backup. \
                 The damaged log was kept as {copy}."
            ),
            Self::LogLarge { size_bytes } => format!(
                "The store's log has grown to {} MiB: the disk is slower than the mail that comes in.",
                size_bytes >> 20
            ),
            Self::Damaged { what } => {
                format!("{what} is damaged on the disk: restore it from a backup and check the disk.")
            }
            Self::SyncFailed { batches, reason } => format!(
                "The disk failed to sync ({reason}): {batches} changes were refused, the log was repaired. Check the disk."
            ),
            Self::WritingStopped { reason } => {
                format!(
                    "The store stopped writing ({reason}). Mail can be read; check the disk, writing is tried again."
                )
            }
            Self::WritingResumed => "The store writes again.".to_owned(),
            Self::DiskFull {
                free_bytes,
                free_inodes,
            } => format!(
                "The disk is full or nearly ({} MiB, {free_inodes} inodes free): make room.",
                free_bytes >> 20
            ),
            Self::DiskHasRoom { free_bytes } => {
                format!("The disk has room again ({} MiB free).", free_bytes >> 20)
            }
            Self::ReserveReleased => "The reserve was given up so that people can delete mail.".to_owned(),
            Self::ReserveRefilled => "The reserve is back.".to_owned(),
            Self::Settled { bodies, pack_bytes } => {
                format!("{bodies} bodies settled into a pack of {pack_bytes} bytes.")
            }
            Self::Collected {
                messages,
                bodies,
                packs,
            } => {
                format!("Removed for good: {messages} messages, {bodies} bodies, {packs} files.")
            }
            Self::Scrubbed {
                bodies,
                rows,
                damaged,
            } => {
                format!("Everything was verified: {bodies} bodies, {rows} rows, {damaged} damaged.")
            }
        }
    }

    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            Self::Opened {
                created,
                wal_frames_recovered,
                staging_files_removed,
                duration_ms,
            } => {
                field("created", Value::Flag(*created));
                field("wal_frames_recovered", Value::Number(*wal_frames_recovered));
                field("staging_files_removed", Value::Number(*staging_files_removed));
                field("duration_ms", Value::Number(*duration_ms));
            }
            Self::LogDamaged { commits_lost, copy } => {
                field("commits_lost", Value::Number(*commits_lost));
                field("copy", Value::Text(copy));
            }
            Self::LogLarge { size_bytes } => field("size_bytes", Value::Number(*size_bytes)),
            Self::Damaged { what } => field("what", Value::Text(what)),
            Self::SyncFailed { batches, reason } => {
                field("batches", Value::Number(*batches));
                field("reason", Value::Text(reason));
            }
            Self::WritingStopped { reason } => field("reason", Value::Text(reason)),
            Self::WritingResumed | Self::ReserveReleased | Self::ReserveRefilled => {}
            Self::DiskFull {
                free_bytes,
                free_inodes,
            } => {
                field("free_bytes", Value::Number(*free_bytes));
                field("free_inodes", Value::Number(*free_inodes));
            }
            Self::DiskHasRoom { free_bytes } => field("free_bytes", Value::Number(*free_bytes)),
            Self::Settled { bodies, pack_bytes } => {
                field("bodies", Value::Number(*bodies));
                field("pack_bytes", Value::Number(*pack_bytes));
            }
            Self::Collected {
                messages,
                bodies,
                packs,
            } => {
                field("messages", Value::Number(*messages));
                field("bodies", Value::Number(*bodies));
                field("packs", Value::Number(*packs));
            }
            Self::Scrubbed {
                bodies,
                rows,
                damaged,
            } => {
                field("bodies", Value::Number(*bodies));
                field("rows", Value::Number(*rows));
                field("damaged", Value::Number(*damaged));
            }
        }
    }
}
