//! IMAP: frames, codec, session states, response building. Pure: no I/O, no clock, no async.
//!
//! IMAP4rev1 (RFC 3501) and, as a mode ([`mode`]), IMAP4rev2 (RFC 9051), with the extensions of one table ([`capability::EXTENSIONS`]).
//!
//! The journey of one command:
//! 1. [`frame::Framer::feed`] takes octets off the wire and says when a whole command is there, when a literal wants its
//!    continuation, when the message of an APPEND begins, and what must be thrown away.
//! 2. [`parse::request`] turns a frame into a [`command::Request`]; one file per command, the grammar above its parser.
//! 3. [`state::permit`] says whether the command is allowed now.
//! 4. [`answer::Answer::to`] makes the one answer this command will get: of a reading command, or of a change, whose `OK`
//!    wants a proof that something durable happened.
//! 5. The driver does the work, writing untagged responses with [`out::Out`]; message parts are found by [`section::resolve`].
//! 6. The answer is given: `ok`, `no` or `bad`, exactly once.
//!
//! Guarantees: nothing allocates by a number the client announced; a refused command is drained or the connection closes, its
//! octets are never parsed as a command; every parser has a budget ([`limits`]); nothing but the builders of `out` makes
//! bytes for the wire, and no CR, LF or NUL of a value reaches it outside a literal.
//!
//! Absences: no knowledge of accounts, passwords or mailboxes' contents; no I/O; charsets are `mail`'s.

pub mod answer;
pub mod capability;
pub mod command;
pub mod date;
pub mod describe;
pub mod filter;
pub mod flag;
pub mod frame;
pub mod limits;
pub mod mode;
pub mod name;
pub mod notify;
pub mod out;
pub mod parse;
pub mod pattern;
pub mod search;
pub mod section;
pub mod set;
pub mod state;
mod uid_only;
pub mod url;
pub mod utf7;
mod verb;

#[cfg(test)]
mod oracle;

#[doc(hidden)]
pub mod fuzzing;
