//! The limits of the embedded backend, with their units. Those of the contract stand in [`crate::contract`].

/// Batches that may wait for the writer; more are answered with `Busy`.
pub const QUEUE_BATCHES: usize = 4096;
/// Bytes of inline bodies that may wait for the writer.
pub const QUEUE_BYTES: usize = 64 << 20;
/// Batches in one group commit.
pub const GROUP_BATCHES: usize = 256;
/// Bytes of inline bodies in one group commit.
pub const GROUP_BYTES: usize = 4 << 20;
/// How long lazy work waits for company, in milliseconds.
pub const LAZY_MS: u64 = 5;
/// A lone task that commits by itself blocks its worker of the runtime as it is when its last commit took at most this long,
/// in milliseconds; on a slower disk it hands its worker's other tasks over first.
pub const QUICK_MS: u64 = 5;
/// How often is looked whether a commit got stuck that blocks a worker as it is, in milliseconds.
pub const WATCH_MS: u64 = 20;

/// Size of the log at which it is copied into the database.
pub const WAL_CHECKPOINT_BYTES: u64 = 16 << 20;
/// Size of the log at which an alert is raised and the writer itself empties it.
pub const WAL_ALARM_BYTES: u64 = 256 << 20;
/// Step by which the log grows ahead of its end.
pub const WAL_STEP_BYTES: u64 = 1 << 20;

/// Page cache of the writer, in KiB.
pub const WRITER_CACHE_KIB: u32 = 4096;
/// Page cache of each reader, in KiB.
pub const READER_CACHE_KIB: u32 = 1024;
/// Threads that answer reads, each with a connection.
pub const READER_THREADS: usize = 2;
/// Reads that may wait; more are answered with `Busy`.
pub const READ_QUEUE: usize = 65_536;

/// Longest answer of one `read_body`.
pub const READ_BODY_BYTES: u64 = 1 << 20;
/// Bytes of a large body in one checksummed chunk, and in one write.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Blank packs made at a time, each an empty file that is kept open.
pub const BLANK_PACKS: usize = 64;
/// More blank packs are made when fewer than this are left.
pub const BLANK_PACKS_LOW: usize = 16;
/// How long closing the store waits for blank packs that are being made, in milliseconds.
pub const BLANK_PACKS_WAIT_MS: u64 = 5_000;
/// Bytes of a pack that are read at once when the bodies of many messages are; each reader keeps a buffer of that size.
pub const SPAN_BYTES: u64 = 128 * 1024;
/// A pack the settler makes is closed at this size.
pub const PACK_BYTES: u64 = 8 << 20;
/// Rows switched to a pack in one transaction, and rows the collector handles in one.
pub const SLICE_ROWS: usize = 128;
/// A pack is rewritten when less than this share of it is alive, in percent.
pub const PACK_ALIVE_PERCENT: u64 = 50;

/// Mailboxes of one account.
pub const MAILBOXES_PER_ACCOUNT: usize = 10_000;
/// Longest name of one mailbox level, in bytes.
pub const MAILBOX_NAME_BYTES: usize = 255;
/// Longest name of an entry of metadata, in bytes.
pub const METADATA_ENTRY_BYTES: usize = 1024;
/// Levels of the mailbox tree.
pub const MAILBOX_DEPTH: usize = 64;
/// Rows that share one modseq, so that a page of changes always advances.
pub const ROWS_PER_MODSEQ: u32 = crate::contract::PAGE_ROWS as u32;
/// Ranges of vanished UIDs in one page of changes.
pub const TOMBSTONES_PER_PAGE: usize = 4096;
/// Notices a slow listener may fall behind before it is told that it lagged.
pub const NOTICES: usize = 4096;
/// Mailboxes and accounts the writer remembers between commits.
pub const LEDGER_ROWS: usize = 4096;

/// Days for which the keys against replays are kept.
pub const DELIVERY_KEY_DAYS: u64 = 30;
/// Milliseconds between two looks of the upkeep thread.
pub const UPKEEP_TICK_MS: u64 = 10_000;
/// Milliseconds for which an answer about free space is believed.
pub const SPACE_FRESH_MS: u64 = 1000;
/// Milliseconds for which a refusal of the disk ("full") is remembered.
pub const FULL_STICKY_MS: u64 = 3000;
/// A recipient taken over from a version without deadlines is looked at after this, in milliseconds: it gets a try first.
pub const MIGRATED_DEADLINE_MS: u64 = 4 * 3_600_000;
/// One day, in milliseconds.
pub const DAY_MS: u64 = 86_400_000;

/// Recipients remembered that may have their message although no outcome says so; of more, the oldest are delivered again.
pub const ABANDONED_KEPT: usize = 10_000;
/// How long a staged body waits for its commit when the disk is short (ms).
pub const ABANDONED_PRESSED_MS: u64 = 10 * 60 * 1000;
