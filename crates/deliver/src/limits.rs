//! Every limit of delivery, with its unit.

use std::time::Duration;

/// Waiting recipients claimed at once.
pub const CLAIMS: usize = 64;

/// After the store failed it is asked again after this.
pub const STORE_PAUSE: Duration = Duration::from_secs(5);

/// The worker looks at least this often, whatever the store said of the next one due.
pub const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Octets of a body that are read for its header; the header block's own limit.
pub const HEADER_BYTES: u64 = mail::limits::HEADER_BLOCK_BYTES as u64;

/// Octets of a message that goes back whole with a report of failure (RET=FULL); of a larger one only the header does.
pub const RETURNED_BYTES: u64 = 1024 * 1024;

/// Octets of a message's header that go back with a report.
pub const RETURNED_HEADER_BYTES: usize = 64 * 1024;

/// Lines of a server's reply that a report repeats.
pub const REPLY_LINES: usize = 20;

/// Octets of one line of a server's reply that a report repeats.
pub const REPLY_LINE_BYTES: usize = 600;

/// Octets of a Diagnostic-Code, an ENVID or an ORCPT in a report.
pub const DIAGNOSTIC_BYTES: usize = 2000;
