//! Every limit of the real doors, with its unit.

use std::time::Duration;

/// How many finished handshakes of TCP may wait for `accept`. The kernel caps it at `net.core.somaxconn`.
pub const LISTEN_BACKLOG: i32 = 1024;

/// Pause after an `accept` that failed for want of descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A silent TCP peer is asked whether it is still there after this time (keep-alive), so that cut lines free their descriptors.
pub const TCP_KEEPALIVE_IDLE: Duration = Duration::from_secs(300);

/// How much unsent plaintext or ciphertext one TLS session may hold.
pub const TLS_BUFFER_MAX_BYTES: usize = 16 * 1024;

/// Bytes of log that may wait for the disk; what comes on top is dropped and counted.
pub const LOG_QUEUE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Lines are gathered for this long before they are written, unless one of them is an alert.
pub const LOG_GATHER: Duration = Duration::from_millis(50);

/// One value of a field is cut off after this many characters.
pub const LOG_VALUE_MAX_CHARS: usize = 2048;

/// A log file is rotated when it is larger than this.
pub const LOG_FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// How many rotated log files are kept beside the current one.
pub const LOG_FILES_KEPT: u32 = 8;
