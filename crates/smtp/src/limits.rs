//! Every limit of the protocol, with its unit.

/// A command line with its CR LF. RFC 5321 §4.5.3.1.4 asks for 512 and more with extensions; 2,048 are tolerated by
/// most servers. A longer line is answered 500 5.5.6 and the connection is closed, since nothing after it can be trusted.
pub const COMMAND_LINE_BYTES: usize = 2_048;

/// A line of an AUTH exchange with its CR LF (RFC 4954 §4: 12,288).
pub const AUTH_LINE_BYTES: usize = 12_288;

/// A line of message text without its CR LF (RFC 5322 §2.1.1, RFC 5321 §4.5.3.1.6: 1,000 with it). A message with a
/// longer one is refused 550 5.6.0 at its end, not folded: folding would break its signatures.
pub const TEXT_LINE_BYTES: usize = mail::limits::LINE_BYTES;

/// The name in EHLO, HELO, LHLO (RFC 1035 §2.3.4 and some room for address literals).
pub const HELLO_NAME_BYTES: usize = 255;

/// Commands that are unknown, malformed, out of order or refused before the session is closed with 421 4.7.0.
/// Refused recipients do not count: the receiving side has its own limit for them.
pub const ERRORS_PER_SESSION: u32 = 10;

/// NOOP, RSET, VRFY, HELP, repeated greetings, empty chunks and refused recipients without a message accepted in
/// between, before the session is closed with 421 4.7.0.
pub const IDLE_COMMANDS: u32 = 100;

/// ESMTP parameters of one command.
pub const PARAMETERS: usize = 10;

/// A line of a reply without its CR LF (RFC 5321 §4.5.3.1.5: 512 with it). Longer text is cut.
pub const REPLY_LINE_BYTES: usize = 510;

/// ENVID of MAIL as it stands in the command, encoded (RFC 3461 §4.4).
pub const ENVID_BYTES: usize = 100;

/// ORCPT of RCPT as it stands in the command, with its type (RFC 3461 §4.2).
pub const ORCPT_BYTES: usize = 500;

/// HOLDFOR and HOLDUNTIL: how long a submission may be held, in seconds; announced with FUTURERELEASE (RFC 4865 §3).
pub const HOLD_SECONDS: u64 = 7 * 24 * 60 * 60;

/// BY with mode R: the least time to deliver in, in seconds; announced with DELIVERBY (RFC 2852 §4).
pub const DELIVER_BY_SECONDS: u32 = 60;

/// Client: octets of one line of a reply that are kept. The rest of a longer line is dropped (RFC 5321 §4.5.3.1.5 allows
/// 512).
pub const PEER_REPLY_LINE_BYTES: usize = 1_000;

/// Client: octets of one reply, all its lines with their ends. A larger one is a broken server (threat case Q-7).
pub const PEER_REPLY_BYTES: usize = 64 << 10;

/// Client: octets of commands that are sent in one group before their replies are read. Small enough for any send
/// buffer, so that client and server never wait for each other (RFC 2920 §3.1).
pub const GROUP_BYTES: usize = 8 << 10;

/// Client: octets of a command line with its CR LF up to which AUTH carries its response at once (RFC 4954 §4, RFC 5321
/// §4.5.3.1.4).
pub const AUTH_COMMAND_BYTES: usize = 512;
