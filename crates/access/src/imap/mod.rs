//! IMAP4rev1 and, for who enables it, IMAP4rev2, for one client at a time.
//!
//! # The journey of a connection
//!
//! 1. [`serve_connection`] takes a wire; TLS comes first or by STARTTLS, which forgets everything said before (TLS-1, TLS-3).
//! 2. [`io::Io::next`] frames one command; it waits without a buffer, and for not longer than the state allows.
//! 3. `session::Session::command` parses it, asks `imap::state::permit` whether it is its time, and calls its file in
//!    `commands/` (by way of `dispatch.rs`): one verb, one file.
//! 4. The command does its work through [`mailbox::Person`] and writes responses; whatever changes something can say `OK` only
//!    with the store's proof (`imap::answer::Change`).
//! 5. `updates::tell` reports what others changed, EXPUNGE only where RFC 3501 §7.4.1 allows.
//!
//! # Guarantees
//!
//! - Before sign-in a client makes the server hold at most 64 KiB and has 60 seconds, 10 commands a second (IMP-1).
//! - Nothing is held by an idle connection but its future (below 4 KiB; a test measures it) and its place in the view.
//! - Commands wait for the client to read when more than 64 KiB of output wait, and no read transaction waits with them. What a session
//!   holds of messages meanwhile is 64 KiB more, and beyond that a part of a budget that all sessions share (OPS-11, `pages.rs`,
//!   `response.rs`).
//! - A refused command's octets are never parsed as a command (IMP-9).
//! - A message that cannot be read costs a `NO` that names it; the rest of the mailbox works (DSK-5).

mod ahead;
mod commands;
mod compress;
mod content;
mod contexts;
mod differences;
mod digests;
mod dispatch;
mod filters;
mod find;
mod io;
mod notices;
mod pages;
mod part;
mod ranks;
mod refusal;
mod response;
mod results;
mod rights;
pub(crate) mod search;
mod session;
mod sort;
mod updates;

use std::sync::Arc;

use world::net::{BoxWire, Peer};

use crate::door;
use session::Session;

pub use crate::{Doors, Security, With};
pub use ahead::Ahead;
pub use imap::capability::MessageLimit;

/// What the IMAP doors need: one value for all connections.
pub type Context = With<Terms>;

/// What IMAP has beside what every door needs.
#[derive(Clone)]
pub struct Terms {
    /// largest message that APPEND takes (octets)
    pub append_limit_bytes: u64,
    /// how many messages one command takes, if that is limited
    pub message_limit: Option<MessageLimit>,
}

/// Serves one client until it leaves, is sent away, or the server stops: then it says BYE.
pub async fn serve_connection(ctx: &Arc<Context>, wire: BoxWire, peer: Peer, security: Security) {
    door::serve(ctx, (wire, peer), security, |start| Session::new(ctx, start)).await;
}
