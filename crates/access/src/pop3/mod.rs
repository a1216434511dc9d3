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

use directory::Directory;
use guard::Guard;
use mailbox::Mailboxes;
use tokio::sync::watch;
use world::clock::{Clock, Monotonic};
use world::events::Events;
use world::line::{Connection, IntoTlsError, Plain};
use world::net::{BoxWire, Peer, TlsServer};

use crate::Security;
use crate::events::AccessEvent;
use crate::limits::BEFORE_SIGN_IN;
use session::{End, Session};

pub use taken::Taken;

/// What the POP3 doors need: one value for all connections.
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
    /// our certificates; without them STLS is not offered
    pub tls: Option<Arc<dyn TlsServer>>,
    /// sign-in without TLS: for the demo on loopback alone
    pub insecure_auth: bool,
    /// commands before sign-in are not slowed down: for the demo under a load generator
    pub unpaced: bool,
    /// who has a session
    pub taken: Arc<Taken>,
    /// becomes true when the server is about to stop
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
            // RFC 2595 §4: no second greeting.
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
