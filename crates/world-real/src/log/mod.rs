//! The event log: JSON lines in a file, and optionally the same on stderr, for people or machines.
//!
//! [`LogEvents::emit`] formats the line where the event happened and appends it to a bounded queue; a thread of its own writes
//! what has gathered, so that the path of a message makes no system call for its log. What the disk is too slow for is
//! dropped and counted, and the count is logged. A kill loses at most [`crate::limits::LOG_GATHER`] of lines.
//!
//! The file is `<dir>/hearthpost.jsonl`; older ones are `hearthpost.jsonl.1` (newest) to `hearthpost.jsonl.8`.

pub mod about;
mod file;
mod line;
pub mod trace;
mod writer;

pub use file::FILE_NAME;
pub use line::human;
pub use writer::{LogEvents, Options, Stderr};
