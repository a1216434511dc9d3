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
//! - Output never piles up beyond 64 KiB: commands wait for the client to read, and no read transaction waits with them.
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
mod part;
mod ranks;
mod refusal;
mod results;
mod rights;
pub(crate) mod search;
mod session;
mod sort;
mod updates;

use std::sync::Arc;

use directory::Directory;
use guard::Guard;
use mailbox::Mailboxes;
use tokio::sync::watch;
use world::clock::{Clock, Monotonic};
use world::events::Events;
use world::line::{Connection, IntoTlsError, Plain};
use world::net::{BoxWire, Peer, TlsServer};

use crate::events::AccessEvent;
use crate::limits::BEFORE_SIGN_IN;
use session::{End, Session};

pub use crate::Security;
pub use ahead::Ahead;
pub use imap::capability::MessageLimit;

/// What the IMAP doors need: one value for all connections.
#[derive(Clone)]
pub struct Context {
    /// who may sign in
    pub directory: Arc<Directory>,
    /// counts wrong passwords for each address
    pub guard: Arc<Guard>,
    /// their mail
    pub mailboxes: Arc<Mailboxes>,
    /// the time
    pub clock: Arc<dyn Clock>,
    /// where events go
    pub events: Arc<dyn Events>,
    /// our certificates; without them STARTTLS is not offered
    pub tls: Option<Arc<dyn TlsServer>>,
    /// sign-in without TLS: for the demo on loopback alone
    pub insecure_auth: bool,
    /// commands before sign-in are not slowed down: for the demo under a load generator
    pub unpaced: bool,
    /// largest message that APPEND takes (octets)
    pub append_limit_bytes: u64,
    /// how many messages one command takes, if that is limited
    pub message_limit: Option<MessageLimit>,
    /// becomes true when the server is about to stop: connections say BYE
    pub shutdown: watch::Receiver<bool>,
}

/// Serves one client until it leaves, is sent away, or the server stops.
pub async fn serve_connection(ctx: &Arc<Context>, wire: BoxWire, peer: Peer, security: Security) {
    let begun = ctx.clock.monotonic();
    let until = Monotonic(begun.0 + BEFORE_SIGN_IN);
    match security {
        Security::ImplicitTls => {
            let Some(tls) = &ctx.tls else { return };
            let handshake = Connection::accept_tls(wire, peer, Arc::clone(&ctx.clock), tls.as_ref(), until);
            match Box::pin(handshake).await {
                Ok(mut secured) => {
                    let mut session = Session::new(ctx, peer, begun, true, false);
                    session.greet(&mut secured).await;
                }
                Err(error) => tls_failed(ctx, peer, &error),
            }
        }
        Security::StartTls | Security::Plain => {
            let can_start_tls = security == Security::StartTls && ctx.tls.is_some();
            let plain = Connection::<Plain>::new(wire, peer, Arc::clone(&ctx.clock));
            serve_plain(ctx, plain, begun, can_start_tls).await;
        }
    }
}

async fn serve_plain(
    ctx: &Arc<Context>,
    mut plain: Connection<Plain>,
    begun: Monotonic,
    can_start_tls: bool,
) {
    let peer = plain.peer();
    let mut session = Session::new(ctx, peer, begun, ctx.insecure_auth, can_start_tls);
    let End::StartTls = session.greet(&mut plain).await else {
        return;
    };
    drop(session);
    let Some(tls) = &ctx.tls else { return };
    // `into_tls` consumes the plaintext connection; the session that follows knows nothing of the one before.
    match Box::pin(plain.into_tls(tls.as_ref(), Monotonic(begun.0 + BEFORE_SIGN_IN))).await {
        Ok(mut secured) => {
            let mut session = Session::new(ctx, peer, begun, true, false);
            session.serve(&mut secured).await;
        }
        Err(error) => tls_failed(ctx, peer, &error),
    }
}

fn tls_failed(ctx: &Context, peer: Peer, error: &IntoTlsError) {
    let peer = peer.addr.ip();
    let event = match error {
        IntoTlsError::PlaintextAfterStarttls => AccessEvent::PlaintextAfterStarttls { peer },
        other => AccessEvent::TlsFailed {
            peer,
            reason: other.to_string(),
        },
    };
    ctx.events.emit(&event);
}
