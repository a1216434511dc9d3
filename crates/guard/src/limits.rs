//! Every limit, with its unit.

use std::time::Duration;

/// Addresses that are remembered, at most; about 130 octets each.
pub const SOURCES: usize = 32_768;
/// Addresses of successful sign-ins that are remembered, at most.
pub const TRUSTED: usize = 16_384;

/// Of a hundred places, those kept for the doors of our own users.
pub const RESERVE_PERCENT: u64 = 25;

/// Connections of one address at once, where strangers come in.
pub const STRANGER_AT_ONCE: u32 = 50;
/// New connections of one address in [`MINUTE`], where strangers come in.
pub const STRANGER_A_MINUTE: u32 = 300;
/// Connections of one address at once, at the doors of our own users: an office behind one address opens several for each.
pub const USER_AT_ONCE: u32 = 1_000;
/// New connections of one address in [`MINUTE`], at the doors of our own users.
pub const USER_A_MINUTE: u32 = 3_000;
/// The window of new connections.
pub const MINUTE: Duration = Duration::from_secs(60);

/// Recipients who do not exist, of one address in [`GUESSING`]. Above this the address is sent away, unless it named more who
/// do exist: a list of many members may have many who left.
pub const UNKNOWN: u32 = 10;
/// The same, whatever else it named.
pub const UNKNOWN_EVER: u32 = 100;
/// The window of unknown recipients, and how long an address is sent away.
pub const GUESSING: Duration = Duration::from_secs(60 * 60);

/// Failed sign-ins of one address in [`SIGN_IN`].
pub const FAILURES: u32 = 20;
/// The same where somebody signed in within [`TRUST`].
pub const FAILURES_TRUSTED: u32 = 200;
/// The window of failed sign-ins, and how long the address waits.
pub const SIGN_IN: Duration = Duration::from_secs(10 * 60);
/// How long a successful sign-in speaks for its address.
pub const TRUST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
