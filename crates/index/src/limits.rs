//! The limits of this crate, with their units.

/// Version of the file's format. A file of another version is made anew.
pub const FORMAT: u32 = 5;

/// Octets of a folded word that stand in a lexicon as one; a longer word stands there in pieces that overlap.
pub const PIECE_BYTES: usize = 96;
/// Octets by which two pieces of a word overlap. A longer fragment narrows the choice only, and messages are read.
pub const OVERLAP_BYTES: usize = 24;
/// Octets of distinct words of one message that a lexicon takes; a message with more is read at every search.
pub const MESSAGE_WORD_BYTES: usize = 1 << 20;
/// Octets of a message that is indexed; a larger one is read at every search.
pub const MESSAGE_BYTES: u64 = 32 << 20;
/// Octets of the message bodies in memory while a batch is indexed, unless one message alone is larger.
pub const BATCH_BYTES: u64 = 8 << 20;
/// Octets of a body up to which it is read together with others, in one question to the store: what the store reads at once.
pub const TOGETHER_BYTES: u64 = 1 << 20;
/// Messages in one segment.
pub const SEGMENT_MESSAGES: usize = 8192;
/// Octets of all columns of a segment, unpacked; a merge does not go beyond.
pub const SEGMENT_BYTES: usize = 32 << 20;
/// Octets of one column, unpacked: a larger one is neither written nor read.
pub const COLUMN_BYTES: usize = 2 * SEGMENT_BYTES;
/// Octets that one message may take in the columns with one string for each message; one with more is read at every search.
pub const MESSAGE_COLUMN_BYTES: usize = 4 << 20;
/// Messages left out that are remembered, so that they are not tried again before the next start.
pub const LEFT_OUT_MESSAGES: usize = 1 << 16;
/// Mailboxes of which is remembered how far they are indexed (some 50 octets each), so that changes of flags cost nothing.
pub const REACHED_MAILBOXES: usize = 1 << 16;
/// So many segments of one size become one of the next size; the sizes are its powers.
pub const MERGE_SEGMENTS: usize = 8;
/// Octets of unpacked columns kept in memory, in the whole process.
pub const CACHE_BYTES: usize = 64 << 20;
/// Octets of the orders and links of whole accounts kept in memory, in the whole process; some 12 octets a message each.
pub const ORDER_BYTES: usize = 32 << 20;
/// Orders and links are made only for at least one message in so many of an account.
pub const ORDER_ONE_IN: usize = 16;
/// Messages of all accounts together whose ids are kept in memory (16 octets each); one account alone may have more.
pub const LISTED_MESSAGES: usize = 2 << 20;
/// Milliseconds from a notice to the work: what arrives meanwhile is indexed together.
pub const GATHER_MS: u64 = 600;
/// Milliseconds from a notice to the work when mail comes in without a pause: the index is in step within a second.
pub const GATHER_MOST_MS: u64 = 800;
/// Milliseconds from one look for notices to the next meanwhile; one without a notice is a pause.
pub const GATHER_STEP_MS: u64 = 100;
/// Mailboxes that are looked at in one question after notices named them. Between two such questions notices are taken in, before
/// they are too many for their channel.
pub const TOGETHER_MAILBOXES: usize = 32;
/// Milliseconds that indexed messages stay in memory before they are written, so that segments are not small.
pub const FRESH_MS: u64 = 60_000;
/// Messages of an account that are enough to be written before that.
pub const FRESH_MESSAGES: usize = 512;
/// Octets of an account's columns in memory that are enough to be written before that.
pub const FRESH_ACCOUNT_BYTES: usize = 4 << 20;
/// Octets of columns not written yet, in the whole process; then the largest are written until half is left.
pub const FRESH_BYTES: usize = 24 << 20;
/// Accounts that are looked at, one by one, before it is seen whether that became too much.
pub const FRESH_LOOK_ACCOUNTS: u64 = 8;
/// Accounts of which something is kept in memory that is not written yet, or up to where they are indexed.
pub const FRESH_ACCOUNTS: usize = 4096;
/// Milliseconds from one look for segments of which much is gone to the next.
pub const CHECK_MS: u64 = 10_000;
/// Milliseconds from one look for accounts that are gone to the next; nobody gives notice of them.
pub const SWEEP_MS: u64 = 600_000;
/// A segment of which one message in so many is gone is written anew without them.
pub const GONE_ONE_IN: usize = 4;
/// Milliseconds until what failed is tried again.
pub const RETRY_MS: u64 = 5_000;
/// Of fewer messages than this, digests are given only if they are in memory: reading the messages is as fast.
pub const FEW_DIGESTS: usize = 16;
/// Pages of the file's log (4 KiB each) after which it is copied into the file, with the file's only syncs.
pub const LOG_PAGES: u32 = 4096;
/// Page cache of each connection, in KiB.
pub const PAGE_CACHE_KIB: u32 = 1024;
/// How much nicer than the rest of the process the indexing thread is.
pub const NICE: i32 = 10;
