//! Every limit of the line driver, with its unit.

use std::time::Duration;

/// One read takes at most this many bytes from the wire.
pub const READ_CHUNK_BYTES: usize = 16 * 1024;

/// [`super::Driver::fill`] refuses to hold more unread bytes than this: the caller has to consume first.
pub const BUFFERED_MAX_BYTES: usize = 256 * 1024;

/// How much of an overlong line is skipped to find its end before the connection is given up.
pub const OVERLONG_SKIP_MAX_BYTES: usize = 64 * 1024;

/// Replies that wait unsent beyond this should be flushed before more are made ([`super::Driver::flush_if_over`]).
pub const REPLIES_MAX_BYTES: usize = 16 * 1024;

/// How many bytes a closing connection still reads and throws away, so that our last reply is not lost to a reset.
pub const LINGER_MAX_BYTES: usize = 64 * 1024;

/// One window of the minimum data rate (RFC 5321 §4.5.3.2.5 gives a DATA block three minutes).
pub const PACE_WINDOW: Duration = Duration::from_secs(180);

/// What a client must send in one [`PACE_WINDOW`]: 100 bytes per second.
pub const PACE_WINDOW_MIN_BYTES: u64 = 18_000;
