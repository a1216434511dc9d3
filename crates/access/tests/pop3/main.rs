//! POP3 sessions over a simulated wire, with IMAP sessions beside them.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../imap/support.rs"]
#[allow(dead_code, reason = "what IMAP's tests need of it is more")]
mod support;

mod client;
mod maildrop;
mod sign_in;
mod threats;
