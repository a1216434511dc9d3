//! From a frame to a command.
pub(crate) mod chars;
