//! Every limit of the queue, with its unit.

use std::time::Duration;

/// A recipient that was not delivered is tried again after this, then at growing distances (see [`crate::schedule`]).
pub const FIRST_RETRY: Duration = Duration::from_secs(60);

/// The longest distance between two tries.
pub const LONGEST_RETRY: Duration = Duration::from_secs(4 * 3600);

/// How much sooner or later than planned a try may be, in percent.
pub const JITTER_PERCENT: u32 = 20;

/// The sender is told of the delay after this.
pub const DELAY_NOTICE: Duration = Duration::from_secs(4 * 3600);

/// A message is given up after this (RFC 5321 §4.5.4.1: at least 4 to 5 days).
pub const GIVE_UP: Duration = Duration::from_secs(5 * 24 * 3600);

/// Time for a last try before a recipient that nobody tried lately is given up.
pub const LAST_TRY_GRACE: Duration = Duration::from_secs(3600);

/// A stamp that lies further ahead than this was made by a clock that was wrong; deadlines are right within it.
pub const STAMP_TOLERANCE: Duration = Duration::from_secs(300);

/// Recipients named in one log event; the rest is counted.
pub const RECIPIENTS_IN_EVENT: usize = 5;

/// A recipient that was held gets at least this time before it is given up.
pub const RELEASE_GRACE: Duration = Duration::from_secs(4 * 3600);

/// Pages of the store (256 rows each) one request of an operator goes through.
pub const OPERATE_PAGES: usize = 8;

/// Recipients an operator is shown before a change.
pub const OPERATE_SAMPLE: usize = 5;

/// Lanes named to the scheduler between two of its looks; with more it looks at all.
pub const NEWS_LANES: usize = 4096;

/// Octets of an attempt's record above which it is cut.
pub const ATTEMPT_BYTES: usize = 16 * 1024;

/// Conversations that stay in a record that is cut: the first and the last ones.
pub const ATTEMPT_TALKS: usize = 6;

/// Replies of a conversation, and lines of the one that decided, that stay in a record that is cut.
pub const ATTEMPT_REPLIES: usize = 8;

/// Characters of a reply that stay in a record that is cut.
pub const ATTEMPT_WORDS: usize = 200;
