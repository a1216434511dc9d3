//! The limits of this crate, with their units. The sizes of commands and literals are in `imap::limits`.

use std::time::Duration;

/// From the connection to a successful sign-in, TLS handshake included.
pub const BEFORE_SIGN_IN: Duration = Duration::from_secs(60);
/// Before sign-in: commands taken in one second; more wait for the next one.
pub const COMMANDS_A_SECOND: u32 = 10;
/// Without a command, also inside IDLE, after sign-in (RFC 9051 §5.4: at least 30 minutes).
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// For the client to take what we send, each time 64 KiB wait.
pub const WRITE: Duration = Duration::from_secs(300);
/// For the goodbye.
pub const GOODBYE: Duration = Duration::from_secs(5);
/// For more octets of an APPEND.
pub const APPEND_PAUSE: Duration = Duration::from_secs(300);
/// Output that waits before it is sent (octets).
pub const OUTPUT_BYTES: usize = 64 * 1024;
/// Protocol errors of one connection before sign-in; then it closes.
pub const ERRORS_BEFORE_SIGN_IN: u32 = 5;
/// Protocol errors of one connection after sign-in; then it closes.
pub const ERRORS: u32 = 50;
/// Refused sign-ins of one connection; then it closes.
pub const SIGN_INS: u32 = 3;
/// Wait after a refused sign-in, times the number of refusals so far.
pub const SIGN_IN_PAUSE: Duration = Duration::from_secs(1);
/// Messages whose rows and bodies FETCH and SEARCH ask for at once. FETCH lets others have their turn after so many, and has asked for
/// as many more by then.
pub const PAGE_MESSAGES: usize = 64;
/// So many messages that rows do not decide are worth asking the index about.
pub const LOOK_UP_MESSAGES: usize = 16;
/// Keys of one SEARCH that look into text (HEADER and its kin, BODY, TEXT); more are refused with `NO [LIMIT]`.
pub const SEARCH_TEXTS: usize = 64;
/// Octets that a client sends ahead while a long command runs, beyond which they are not read any more until it is over. (When the
/// client then leaves, that is noticed at the next `INPROGRESS`.)
pub const SENT_AHEAD_BYTES: usize = 64 * 1024;
/// Keys of one SEARCH, lists, `NOT` and `OR` counted as keys; more are refused with `NO [LIMIT]`.
pub const SEARCH_KEYS: usize = 1000;
/// Mailboxes that one session may watch (RFC 5465); a NOTIFY that covers more is refused with `NO [NOTIFICATIONOVERFLOW]`.
pub const NOTIFY_MAILBOXES: usize = 1000;
/// Responses that a NOTIFY makes for one moment, FETCH of new messages among them; with more, `NOTIFICATIONOVERFLOW` takes their place.
pub const NOTIFY_EVENTS: usize = 1000;
/// Results of searches that one session has kept up to date (RFC 5267); more are found and not kept (`NOUPDATE`).
pub const UPDATE_CONTEXTS: usize = 8;
/// Messages in all of them together; the first may have any number.
pub const UPDATE_MESSAGES: usize = 1_000_000;
/// Numbers in one ADDTO or REMOVEFROM.
pub const UPDATE_NUMBERS: usize = 500;
/// Messages of a sorted result that may be looked at to place a new one; where that is more than all of them, all are sorted anew.
pub const SORT_PROBES: usize = 20;
/// Saved searches inside saved searches (RFC 5466 §3.1: at least 3); what lies deeper is undefined.
pub const FILTER_PASSES: usize = 8;
/// Keys that a SEARCH compares before it lets others have the processor.
pub const SEARCH_KEYS_AT_ONCE: usize = 50_000;
/// Ranges of UIDs in one VANISHED response.
pub const VANISHED_RANGES: usize = 500;
/// Octets of one FETCH response that are made before they are sent; the message is then read again for the rest.
pub const FETCH_AT_ONCE_BYTES: usize = 1024 * 1024;
/// Letters of all patterns of one LIST together; more are refused with `NO [LIMIT]`.
pub const LIST_PATTERN_LETTERS: usize = 4096;
/// Steps of comparing names with patterns before LIST and LSUB let others have the processor.
pub const LIST_STEPS_AT_ONCE: usize = 1_000_000;
/// Messages of one APPEND (RFC 3502); more are refused with `NO [LIMIT]`.
pub const APPEND_MESSAGES: usize = 500;
/// All messages of one APPEND together: at most so many times what one may have.
pub const APPEND_SUM: u64 = 2;
/// Octets of the small messages of one APPEND that are in memory until all came; beyond, another message is refused.
pub const APPEND_KEPT_BYTES: usize = 8 * 1024 * 1024;
/// URLs in one APPEND or REPLACE (RFC 4469); more are refused with `NO [LIMIT]`.
pub const CATENATE_URLS: usize = 500;
/// Octets of messages that are looked through for the parts that the URLs of one command name; more are refused with `NO [LIMIT]`.
pub const URL_SEARCHED_BYTES: u64 = 512 * 1024 * 1024;
/// Batches told in one answer to UIDBATCHES; more are refused with `NO [TOOMANY]`.
pub const UID_BATCHES: usize = 10_000;
/// Messages that a batch has at least; fewer are refused with `NO [TOOFEW]` (RFC 10022 lets a client ask for 500).
pub const UID_BATCH_MESSAGES: u32 = 500;
/// Octets that are decompressed before they are read (RFC 4978): however much a client's octets swell, no more wait.
pub const INFLATED_BYTES: usize = 16 * 1024;
/// A command that takes longer tells so, again and again after so long (RFC 9585 §4: not more often than every 10 seconds).
pub const IN_PROGRESS: Duration = Duration::from_secs(15);
/// POP3: without a command after sign-in (RFC 1939 §3: at least 10 minutes).
pub const POP3_IDLE: Duration = Duration::from_secs(10 * 60);
/// POP3: octets of a message that are read before they are sent.
pub const POP3_READ_BYTES: u64 = 256 * 1024;
/// POP3: lines of LIST and UIDL that are made before others have the processor.
pub const POP3_LINES_AT_ONCE: usize = 4096;
/// Of fewer messages SORT and THREAD read the keys one by one instead of asking for the order of the whole account.
pub const RANKED_MESSAGES: usize = 16;
/// When the index does not know one message in so many of a SORT, all keys are read one by one.
pub const READ_ONE_IN: usize = 8;
