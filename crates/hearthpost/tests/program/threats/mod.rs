//! Threat cases against the real program, each over a list of doors, so that a later door joins by adding a line to `doors.rs`.
//!
//! Cases that need other means stand elsewhere under the same names: killing and bad disks in `cargo xtask crash` and
//! `cargo xtask diskfaults`, deadlines under simulated time in the crates.

mod authors;
mod content;
mod doors;
mod imap;
mod login;
mod relay;
mod session;
mod smuggling;
mod tls;
