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
