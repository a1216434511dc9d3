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

// ---- The way out ----

/// Lanes held in memory, each with some hundred octets; of more, the least urgent are found again later.
pub const LANES: usize = 20_000;

/// Lanes that were left out are looked for when one in so many places is free …
pub const LANES_ROOM_SHARE: usize = 4;

/// … and this often.
pub const LEFT_OUT_RESCAN: Duration = Duration::from_secs(30);

/// Waiting recipients claimed from a lane at once.
pub const LANE_CLAIMS: usize = 64;

/// Jobs that may wait for a connection to a destination when more come from lanes that lead elsewhere first.
pub const READY_FROM_ELSEWHERE: usize = 256;

/// A job waits for a connection this long at most; then its recipients are free again, for their deadlines above all.
pub const READY_LONGEST: Duration = Duration::from_secs(120);

/// A lane whose mail finds no room on its second way is looked at again after this.
pub const NO_ROOM: Duration = Duration::from_secs(30);

/// Connections to all servers together, unless the settings say otherwise.
pub const CONNECTIONS: usize = 100;

/// Connections to one destination, unless the settings say otherwise.
pub const CONNECTIONS_PER_DESTINATION: usize = 20;

/// Connections to a destination of which nothing is known yet.
pub const CONNECTIONS_AT_FIRST: u32 = 2;

/// Of all connections, one in so many is kept for destinations that have none yet.
pub const FIRST_CONNECTIONS_SHARE: u32 = 4;

/// Destinations that were down have at most one in so many of all connections.
pub const TROUBLED_SHARE: u32 = 2;

/// Every so many starts go to a destination that was down, if its time has come.
pub const TROUBLED_TURN: u64 = 8;

/// A connection that has waited for its peer longer than this is slow: it takes no room from others.
pub const SLOW_AFTER: Duration = Duration::from_secs(2);

/// While somebody waits for room, connections that became slow are looked for this often.
pub const SLOW_LOOK: Duration = Duration::from_millis(500);

/// There may be so many times as many slow connections as there may be others.
pub const SLOW_SHARE: u32 = 3;

/// A destination that cannot be reached is left alone for this long, then twice as long each time, ±20 %.
pub const PARK_FIRST: Duration = Duration::from_secs(60);

/// The longest time for which a destination is left alone, ±20 %.
pub const PARK_LONGEST: Duration = Duration::from_secs(3600);

/// While others wait for a connection, one ends after so many messages.
pub const TURN_MESSAGES: u32 = 8;

/// Messages on one connection.
pub const MESSAGES_PER_CONNECTION: u32 = 100;

/// Recipients of one message on one connection (RFC 5321 §4.5.3.1.8 has every server take 100).
pub const RECIPIENTS_PER_TRANSACTION: usize = 100;

/// A connection without work waits this long for more.
pub const IDLE: Duration = Duration::from_secs(2);

/// MX hosts tried in one attempt.
pub const HOSTS: usize = 10;

/// MX hosts whose addresses are looked up.
pub const HOSTS_LOOKED_UP: usize = 30;

/// Names that could not be found are asked for once more after this; longer than a failure is remembered (RFC 9520 §3.2).
pub const NAMES_AGAIN: Duration = Duration::from_secs(2);

/// Addresses of one host tried in one attempt.
pub const ADDRESSES: usize = 4;

/// For connecting to one address.
pub const CONNECT: Duration = Duration::from_secs(30);

/// For connecting to an address while one of the other family is left: the first family may have no road that works.
pub const CONNECT_BEFORE_OTHER_FAMILY: Duration = Duration::from_secs(5);

/// A family of a host that did not answer comes after the other one for so long.
pub const SILENT_FOR: Duration = Duration::from_secs(600);

/// Families of hosts that are remembered as silent.
pub const SILENT_FAMILIES: usize = 1000;

/// For a TLS handshake.
pub const HANDSHAKE: Duration = Duration::from_secs(60);

/// For the banner, the greeting, MAIL and RCPT (RFC 5321 §4.5.3.2.1 to 3).
pub const COMMAND: Duration = Duration::from_secs(300);

/// For the answer to DATA (RFC 5321 §4.5.3.2.4).
pub const DATA: Duration = Duration::from_secs(120);

/// For a block of the message to be taken (RFC 5321 §4.5.3.2.5).
pub const BLOCK: Duration = Duration::from_secs(180);

/// For the answer to the end of the message (RFC 5321 §4.5.3.2.6).
pub const FINAL: Duration = Duration::from_secs(600);

/// For leaving politely.
pub const QUIT: Duration = Duration::from_secs(5);

/// For one message on one connection, from its first command; and a second more for each [`TOTAL_BYTES_PER_SECOND`].
pub const TOTAL: Duration = Duration::from_secs(1800);

/// The least pace of a message in the long run, in octets a second.
pub const TOTAL_BYTES_PER_SECOND: u64 = 8 * 1024;

/// A message is read from the store in pieces of this many octets.
pub const PIECE_BYTES: u64 = 256 * 1024;

/// Messages that are re-encoded at the same time: each is in memory as a whole.
pub const RECODING: usize = 2;

/// The largest message that is re-encoded for a server without 8BITMIME.
pub const RECODED_BYTES: u64 = 50 * 1024 * 1024;

/// Characters of a reply that stand in a reason.
pub const REASON_CHARS: usize = 400;

/// Replies kept of one conversation.
pub const REPLIES_KEPT: usize = 16;

/// All lanes are looked at this often, whatever was told of single ones.
pub const RESCAN: Duration = Duration::from_secs(300);

/// Recipients whose deadline has passed that are claimed at once.
pub const OVERDUE_CLAIMS: usize = 64;

/// A report that found no room is tried again after this.
pub const REPORT_AGAIN: Duration = Duration::from_secs(60);

/// While nobody is overdue they are looked for this often: deadlines of new mail are not told, and a recipient in delivery is not seen.
pub const OVERDUE_SLEEP: Duration = Duration::from_secs(5);

/// A wall clock that differs by more than this from what passed has jumped.
pub const CLOCK_JUMP: Duration = Duration::from_secs(300);

/// After a jump of the clock nothing is given up for this long.
pub const CLOCK_PATIENCE: Duration = Duration::from_secs(3600);

/// When the program stops, a message whose end was sent has this long to be answered.
pub const DRAIN: Duration = Duration::from_secs(6);

/// While connections end, it is looked this often whether the last message is answered.
pub const DRAIN_LOOK: Duration = Duration::from_millis(50);

/// Copies of double bounces that postmaster gets in an hour.
pub const DOUBLE_BOUNCES_PER_HOUR: u32 = 20;

/// A message that has passed through so many servers (Received fields) is not sent on.
pub const HOPS: usize = 50;
