//! The limits of this crate, with their units.

/// Rows in one chunk of a view.
pub const CHUNK_ROWS: usize = 1024;
/// Bytes of one level of a mailbox name, in UTF-8 after NFC.
pub const LEVEL_BYTES: usize = store::limits::MAILBOX_NAME_BYTES;
/// Bytes of a whole mailbox name; stricter than what the codec of IMAP takes.
pub const NAME_BYTES: usize = 1000;
/// Levels of a mailbox name.
pub const NAME_LEVELS: usize = 20;
/// Bytes of a message that one read returns at most.
pub const READ_BYTES: u64 = 1024 * 1024;
/// Bytes of a header section that are looked at; the rest counts as body. What is received has no more.
pub const HEADER_BYTES: u64 = mail::limits::HEADER_BLOCK_BYTES as u64;
/// Bytes of all messages larger than [`READ_BYTES`] that are held in memory at one time, in the whole process.
/// One message larger than this is read alone.
pub const HEAVY_READ_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of messages that all sessions together hold for their clients beyond what each has anyway ([`SHARE_BYTES`]): read ahead, or
/// waiting for a client that takes its time. Where none are left, messages go out in small pieces and nothing is read ahead.
pub const ANSWERS_BYTES: u64 = 128 * 1024 * 1024;
/// Bytes of messages that every session may hold for its client, whatever the others do.
pub const SHARE_BYTES: u64 = 64 * 1024;
/// Bytes of a message that are read at once where there is room for no more.
pub const PIECE_BYTES: u64 = 32 * 1024;
/// Accounts whose tree of mailboxes is kept in memory until the next commit.
pub const TREES: usize = 64;
/// Bytes of a body that is read together with others of its page; longer ones are read alone.
pub const READ_AHEAD_BODY_BYTES: u64 = 64 * 1024;
/// Bytes of all bodies that are read together. A session has two such pages at most: the one it sends, and the next; both count as
/// [`ANSWERS_BYTES`], and without these there is no next one and the other has [`SHARE_BYTES`].
pub const READ_AHEAD_BYTES: u64 = 512 * 1024;
/// Rows of a mailbox that is read from one end only; a larger one is read from two at a time.
pub const LOADED_AT_ONCE_ROWS: u32 = 1024;
/// A view forgets told expunges when its log has this many entries.
pub const LOG_TRIM_ENTRIES: usize = 1024;
/// How often a refresh is tried again when the store is busy.
pub const REFRESH_TRIES: u32 = 5;
/// Milliseconds between those tries.
pub const REFRESH_PAUSE_MS: u64 = 20;
/// Milliseconds for which a view stays in memory after its last session left it.
pub const KEPT_VIEW_MS: u64 = 300_000;
/// Bytes of all views that no session has open; those left first make room. One larger than this is not kept.
pub const KEPT_VIEW_BYTES: usize = 32 * 1024 * 1024;
