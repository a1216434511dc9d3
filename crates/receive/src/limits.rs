//! Every limit of a session, with its unit. Those of the protocol itself are in [`smtp::limits`].

use std::time::Duration;

/// From the banner to EHLO (threat case SMT-3); absolute, whatever else is sent meanwhile.
pub const GREETING: Duration = Duration::from_secs(30);
/// Waiting for a command (RFC 5321 §4.5.3.2.7).
pub const COMMAND: Duration = Duration::from_secs(5 * 60);
/// A TLS handshake, from its first octet awaited to its end.
pub const HANDSHAKE: Duration = Duration::from_secs(30);
/// Sending replies that the client does not read.
pub const REPLY: Duration = Duration::from_secs(60);
/// A whole message, from 354 to its end, at most. Before that [`world::line::Pace`] asks for a minimum rate.
pub const MESSAGE: Duration = Duration::from_secs(60 * 60);
/// How long a closing connection waits for the client to have read the last reply.
pub const LINGER: Duration = Duration::from_secs(2);

/// Recipients of one message; the next is answered 452 4.5.3 (RFC 5321 §4.5.3.1.8 asks for at least 100).
pub const RECIPIENTS: usize = 1_000;
/// Recipients who do not exist, in one session. Above this the session is closed with 421, unless more recipients exist
/// than not: a list of many members may have many who left (threat case SMT-7).
pub const UNKNOWN_RECIPIENTS: u32 = 10;
/// The same, whatever else was asked.
pub const UNKNOWN_RECIPIENTS_EVER: u32 = 100;

/// A message's octets at a door that is not told another number; the program tells each door that of its setting
/// `limits.message_size`. Announced with SIZE, held at MAIL and while it comes (552).
pub const MESSAGE_BYTES: u64 = 25 * 1024 * 1024;
/// A message that is too large is read to its end, so that it can be refused properly, up to this factor of the limit;
/// then the connection is closed.
pub const OVERSIZE_FACTOR: u64 = 2;
/// The header block: 552 5.3.4 above. The same number as [`mail::limits::HEADER_BLOCK_BYTES`].
pub const HEADER_BYTES: usize = mail::limits::HEADER_BLOCK_BYTES;
/// Entries (addresses and the two ends of groups) of one From, Sender, Resent-From or Resent-Sender field of a
/// submission; from this on 550 5.6.0. Far below what the reader of address fields looks at.
pub const AUTHORS: usize = 100;
/// Received fields: 554 5.4.6 above (RFC 5321 §6.3).
pub const HOPS: usize = 50;

/// Examinations at once, over all doors. Each has at most four questions to DNS open.
pub const EXAMINATIONS: usize = 200;
/// Examinations at once for one client (an IPv6 line, a /64, is one).
pub const EXAMINATIONS_OF_ONE: usize = 20;
/// Examinations at once for all clients of one IPv6 /48, of which one tenant may have 65536 lines.
pub const EXAMINATIONS_OF_48: usize = 3 * EXAMINATIONS_OF_ONE;
/// How long an examination waits for its place.
pub const PLACE_WAIT: Duration = Duration::from_secs(15);
/// An examination that takes longer is slow. With a warm cache one takes milliseconds.
pub const EXAMINED_QUICKLY: Duration = Duration::from_secs(4);
/// Slow examinations at once, over all doors. They have places of their own.
pub const SLOW_EXAMINATIONS: usize = 50;
/// Slow examinations at once for one client.
pub const SLOW_EXAMINATIONS_OF_ONE: usize = 3;
/// Slow examinations at once for all clients of one IPv6 /48.
pub const SLOW_EXAMINATIONS_OF_48: usize = 3 * SLOW_EXAMINATIONS_OF_ONE;
/// How long the results are waited for where they are only noted.
pub const NOTE_WAIT: Duration = Duration::from_secs(10);
/// Recipients that the event of a refused message names.
pub const RECIPIENTS_IN_EVENT: usize = 5;
