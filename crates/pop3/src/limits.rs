//! The limits of the protocol, with their units.

/// A command line with its CR LF. RFC 2449 §4 asks for 255; names and passwords in UTF-8 (RFC 6856) may need more.
pub const COMMAND_LINE_BYTES: usize = 1_024;
/// A line of an AUTH exchange with its CR LF (RFC 4954 §4: 12,288; RFC 5034 §4 names no number).
pub const AUTH_LINE_BYTES: usize = 12_288;
/// A line of a reply without its CR LF (RFC 2449 §4: 512 with it). Longer text is cut.
pub const REPLY_LINE_BYTES: usize = 510;
