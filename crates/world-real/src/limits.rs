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

/// Servers whose TLS session is kept for resumption, for each policy.
pub const TLS_SESSIONS_KEPT: usize = 256;

/// Names of a certificate that are told when none of them fits.
pub const TLS_NAMES_TOLD: usize = 5;

/// One lookup ends after this time whatever name servers do: retries, TCP, CNAMEs and validation included.
pub const DNS_LOOKUP_DEADLINE: Duration = Duration::from_secs(12);

/// How long the system's name servers are asked where a name in the settings leads.
pub const SYSTEM_LOOKUP_DEADLINE: Duration = Duration::from_secs(5);

/// How long one try at the name servers may take; there are [`DNS_TRIES`].
pub const DNS_TRY_TIMEOUT: Duration = Duration::from_secs(3);

/// How often a question is asked before it counts as not answered.
pub const DNS_TRIES: usize = 3;

/// CNAMEs that are followed for one lookup, as the door promises.
pub const DNS_CHAIN_MAX: usize = 10;

/// Records of one answer that are handed on. More of one type at one name is nothing that mail could use.
pub const DNS_RECORDS_MAX: usize = 1000;

/// Questions that may be under way at one name server.
pub const DNS_ACTIVE_MAX: usize = 256;

/// Octets a name server may send in one UDP packet, so that it is never fragmented (RFC 9715).
pub const DNS_UDP_PAYLOAD_BYTES: u16 = 1232;

/// Answers that are kept.
pub const DNS_CACHE_ENTRIES_MAX: usize = 20_000;

/// Octets of the answers that are kept, roughly.
pub const DNS_CACHE_MAX_BYTES: usize = 16 * 1024 * 1024;

/// No answer is kept for longer, whatever its TTL says.
pub const DNS_TTL_MAX: Duration = Duration::from_secs(24 * 3600);

/// Nor is "there is none" (RFC 2308 §5).
pub const DNS_NEGATIVE_TTL_MAX: Duration = Duration::from_secs(3600);

/// How long "there is none" is kept when the answer does not say it.
pub const DNS_NEGATIVE_TTL_DEFAULT: Duration = Duration::from_secs(60);

/// How long a failure is kept, so that many messages to a broken domain ask once (RFC 9520 §3.2).
pub const DNS_FAILURE_TTL: Duration = Duration::from_secs(1);

/// NSEC3 iterations above which a denial counts as not signed (RFC 9276 §3.2); above five times as many it counts as false.
pub const DNS_NSEC3_ITERATIONS_MAX: u16 = 100;

/// Lines kept of one message when many are looked at.
pub const LINES_OF_A_MESSAGE: usize = 500;

/// Octets of the log that are read at once.
pub const LOG_READ_BYTES: usize = 256 * 1024;
