//! POP3 (RFC 1939) for one client at a time: the INBOX as it was at the sign-in, and what QUIT removes of it.
//!
//! # The journey of a connection
//!
//! 1. [`serve_connection`] takes a wire; TLS comes first or by STLS, which forgets everything said before (TLS-1, TLS-3).
//! 2. `io::Io::line` reads one line; it waits without a buffer, and for not longer than the state allows.
//! 3. `session::Session::line` parses it, asks `pop3::state::permit` whether it is its time, and calls its file in `commands/`.
//! 4. A sign-in takes the account's one place ([`Taken`]; a second session hears `[IN-USE]`) and a snapshot of the INBOX: numbers
//!    stay, whatever happens over IMAP meanwhile.
//! 5. QUIT removes what DELE marked, in one commit; `+OK` needs the store's proof. A session that ends otherwise removes nothing.
//!
//! # Guarantees
//!
//! - Passwords are taken under TLS only; wrong ones are counted with those of all other doors.
//! - Nothing is read of a message before it is asked for; of a long one at most 256 KiB are in memory, and no read transaction waits
//!   for the client.
//! - Reading changes nothing: no flag is set, nothing becomes old.

mod commands;
mod io;
mod maildrop;
mod refusal;
mod session;
mod taken;

use std::sync::Arc;

use world::net::{BoxWire, Peer};

use crate::door;
use crate::{Security, With};
use session::Session;

pub use taken::Taken;

/// What the POP3 doors need beside what every door needs: who has a session. One value for all connections.
pub type Context = With<Arc<Taken>>;

/// Serves one client until it leaves, is sent away, or the server stops.
pub async fn serve_connection(ctx: &Arc<Context>, wire: BoxWire, peer: Peer, security: Security) {
    door::serve(ctx, (wire, peer), security, |start| Session::new(ctx, start)).await;
}
