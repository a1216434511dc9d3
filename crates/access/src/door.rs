//! The beginning of a connection, whatever is spoken behind its door: TLS first, or plaintext until STARTTLS or STLS.
//!
//! 1. [`serve`] takes a wire, and a function that makes the protocol's [`Conversation`], which greets.
//! 2. [`start_tls`] follows one that ended with [`End::StartTls`]. The conversation behind the handshake is a new one, which knows
//!    nothing of what was said before (TLS-1, TLS-3).

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use directory::Directory;
use guard::Guard;
use mailbox::Mailboxes;
use tokio::sync::watch;
use world::clock::{Clock, Monotonic};
use world::events::Events;
use world::line::{Connection, Driver, IntoTlsError, Plain, Secured};
use world::net::{BoxWire, Peer, TlsServer};

use crate::events::AccessEvent;
use crate::limits::BEFORE_SIGN_IN;

/// How a door begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first octet (RFC 8314): ports 993 and 995
    ImplicitTls,
    /// plaintext, with STARTTLS or STLS when there is a certificate: ports 143 and 110
    StartTls,
    /// plaintext only
    Plain,
}

/// What every door needs, whatever is spoken there.
#[derive(Clone)]
pub struct Doors {
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
    /// our certificates; without them STARTTLS and STLS are not offered
    pub tls: Option<Arc<dyn TlsServer>>,
    /// sign-in without TLS: for the demo on loopback alone
    pub insecure_auth: bool,
    /// commands before sign-in are not slowed down: for the demo under a load generator
    pub unpaced: bool,
    /// becomes true when the server is about to stop
    pub shutdown: watch::Receiver<bool>,
}

/// What the doors of one protocol need: what every door needs, and what is its own.
#[derive(Clone)]
pub struct With<T> {
    /// what every door needs
    pub doors: Doors,
    /// what this protocol has beside it
    pub own: T,
}

impl<T> Deref for With<T> {
    type Target = Doors;

    fn deref(&self) -> &Doors {
        &self.doors
    }
}

impl<T> DerefMut for With<T> {
    fn deref_mut(&mut self) -> &mut Doors {
        &mut self.doors
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection is closed.
    Closed,
    /// The go-ahead for TLS waits in the driver.
    StartTls,
}

/// How a session begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) peer: Peer,
    /// when the connection came
    pub(crate) begun: Monotonic,
    /// passwords may be said
    pub(crate) private: bool,
    /// there is no TLS below, and there may be
    pub(crate) can_start_tls: bool,
}

impl Start {
    /// Until when the sign-in must be done.
    fn sign_in_until(&self) -> Monotonic {
        Monotonic(self.begun.0 + BEFORE_SIGN_IN)
    }
}

/// What is said over a connection, in the open or under TLS: a protocol's session.
pub(crate) trait Conversation {
    /// Greets, then serves.
    fn greet(&mut self, driver: &mut Driver) -> impl Future<Output = End> + Send;

    /// Serves commands until the end.
    fn serve(&mut self, driver: &mut Driver) -> impl Future<Output = End> + Send;
}

/// Serves one client until it leaves, is sent away, or the server stops.
pub(crate) async fn serve<C: Conversation>(
    doors: &Doors,
    (wire, peer): (BoxWire, Peer),
    security: Security,
    conversation: impl Fn(Start) -> C,
) {
    let start = Start {
        peer,
        begun: doors.clock.monotonic(),
        private: true,
        can_start_tls: false,
    };
    if security == Security::ImplicitTls {
        if let Some(mut secured) = accept_tls(doors, wire, start).await {
            conversation(start).greet(&mut secured).await;
        }
        return;
    }
    let in_the_open = Start {
        private: doors.insecure_auth,
        can_start_tls: security == Security::StartTls && doors.tls.is_some(),
        ..start
    };
    let mut plain = Connection::<Plain>::new(wire, peer, Arc::clone(&doors.clock));
    if conversation(in_the_open).greet(&mut plain).await == End::Closed {
        return;
    }
    // No second greeting (RFC 3501 §6.2.1, RFC 2595 §4).
    if let Some(mut secured) = start_tls(doors, plain, start).await {
        conversation(start).serve(&mut secured).await;
    }
}

/// TLS from the first octet (RFC 8314).
async fn accept_tls(doors: &Doors, wire: BoxWire, start: Start) -> Option<Connection<Secured>> {
    let tls = doors.tls.as_ref()?;
    let clock = Arc::clone(&doors.clock);
    let handshake = Connection::accept_tls(wire, start.peer, clock, tls.as_ref(), start.sign_in_until());
    match Box::pin(handshake).await {
        Ok(secured) => Some(secured),
        Err(error) => tls_failed(doors, start.peer, &error),
    }
}

/// Goes over to TLS, when the session in the open said so. It is over: `into_tls` consumes the plaintext connection.
async fn start_tls(doors: &Doors, plain: Connection<Plain>, start: Start) -> Option<Connection<Secured>> {
    let tls = doors.tls.as_ref()?;
    match Box::pin(plain.into_tls(tls.as_ref(), start.sign_in_until())).await {
        Ok(secured) => Some(secured),
        Err(error) => tls_failed(doors, start.peer, &error),
    }
}

fn tls_failed<T>(doors: &Doors, peer: Peer, error: &IntoTlsError) -> Option<T> {
    let peer = peer.addr.ip();
    let event = match error {
        IntoTlsError::PlaintextAfterStarttls => AccessEvent::PlaintextAfterStarttls { peer },
        other => AccessEvent::TlsFailed {
            peer,
            reason: other.to_string(),
        },
    };
    doors.events.emit(&event);
    None
}
