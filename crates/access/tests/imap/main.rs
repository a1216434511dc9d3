//! Conversations with the IMAP door over simulated wires and the real store. Every response is read by a second decoder.

#![allow(clippy::unwrap_used, reason = "this is all test")]

mod abuse;
mod bodies;
mod catenate;
mod changes;
mod clients;
mod compress;
mod contents;
mod contexts;
mod filters;
mod folders;
mod idle;
mod indexed;
mod mailboxes;
mod matrix;
mod message_limit;
mod messages;
mod multi_search;
mod notify;
mod registered;
mod resync;
mod rev2;
mod search;
mod sharing;
mod sign_in;
mod sort_thread;
mod stalled;
mod support;
mod threats;
mod uid_batches;
mod urlauth;
