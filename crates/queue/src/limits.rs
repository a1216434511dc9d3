//! Every limit of the queue, with its unit.

use std::time::Duration;

/// A recipient whose plan failed is tried again after this, then at growing distances (see [`crate::schedule`]).
pub const FIRST_RETRY: Duration = Duration::from_secs(60);

/// The longest distance between two tries.
pub const LONGEST_RETRY: Duration = Duration::from_secs(4 * 3600);

/// How often a recipient on another server is looked at while there is no road to other servers.
pub const NO_ROAD_RETRY: Duration = Duration::from_secs(6 * 3600);

/// Recipients named in one log event; the rest is counted.
pub const RECIPIENTS_IN_EVENT: usize = 5;
