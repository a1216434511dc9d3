//! Step 1: a connection from its first octet to its last.

use std::sync::Arc;

use directory::LocalSender;
use smtp::{Reply, Session, Step};
use world::clock::Monotonic;
use world::line::{Connection, Driver, IntoTlsError, Plain, Secured};
use world::net::{BoxWire, Peer};

use crate::connection::{self, Greeting};
use crate::context::{Context, Door, DoorKind};
use crate::events::ReceiveEvent;
use crate::limits::{HANDSHAKE, REPLY};
use crate::talk::{self, End, Proof, Talk};
use crate::transaction::canonical;

/// Serves one connection until it is closed, by either side. Drop the future to cut it; nothing that was acknowledged
/// is lost by that, and nothing else is kept.
pub async fn serve_connection(context: Arc<Context>, door: Door, wire: BoxWire, peer: Peer) {
    if door.kind == DoorKind::Submissions {
        inside_tls(&context, &door, wire, peer).await;
    } else {
        let conn = Connection::new(wire, peer, context.queue.clock.clone());
        in_the_open(&context, &door, conn).await;
    }
}

/// Serves a program of this machine, whose user the kernel named. Otherwise as [`serve_connection`].
pub async fn serve_local(context: Arc<Context>, door: Door, wire: BoxWire, peer: Peer, sender: LocalSender) {
    let door = door.of_sender(&sender);
    let mut conn = Connection::new(wire, peer, context.queue.clock.clone());
    let session = Session::new(door.setup.clone(), false);
    if let Some(session) = greet(&context, &door, &mut conn, session).await {
        // STARTTLS is not offered here, so the only end is the last one.
        let _ = Talk::new(&context, &door, &mut conn, None)
            .for_local(sender)
            .run(session)
            .await;
    }
}

/// Port 465: TLS from the first octet (RFC 8314 §3.3).
async fn inside_tls(context: &Context, door: &Door, wire: BoxWire, peer: Peer) {
    let Some(tls) = &door.tls else { return };
    let clock = context.queue.clock.clone();
    let accepted = Connection::accept_tls(wire, peer, clock, tls.as_ref(), handshake_deadline(context)).await;
    match accepted {
        Ok(mut conn) => {
            let session = new_session(context, door, true);
            if let Some(session) = greet(context, door, &mut conn, session).await {
                secured(context, door, conn, session).await;
            }
        }
        Err(error) => tls_failed(context, door, peer, &error),
    }
}

async fn in_the_open(context: &Context, door: &Door, mut conn: Connection<Plain>) {
    let session = new_session(context, door, false);
    let Some(session) = greet(context, door, &mut conn, session).await else {
        return;
    };
    let End::StartTls(before) = Talk::new(context, door, &mut conn, None).run(session).await else {
        return;
    };
    let Some(tls) = &door.tls else { return };
    let (peer, deadline) = (conn.peer(), handshake_deadline(context));
    // Sends the 220; what came in before it is an injection and ends the connection (CVE-2011-0411).
    match conn.into_tls(tls.as_ref(), deadline).await {
        Ok(conn) => secured(context, door, conn, before.secured()).await,
        Err(error) => tls_failed(context, door, peer, &error),
    }
}

fn new_session(context: &Context, door: &Door, secured: bool) -> Session<Proof> {
    let now_unix_s = context.queue.clock.now().0 / 1000;
    Session::new(door.setup.clone(), secured)
        .begun_at(now_unix_s)
        .offering_scram(context.directory.offers_scram())
}

fn tls_failed(context: &Context, door: &Door, peer: Peer, error: &IntoTlsError) {
    context.queue.events.emit(&ReceiveEvent::SessionClosed {
        door: door.kind.name(),
        peer: canonical(peer.addr.ip()),
        reason: error.to_string(),
    });
}

async fn secured(context: &Context, door: &Door, mut conn: Connection<Secured>, session: Session<Proof>) {
    let facts = conn.tls().clone();
    // STARTTLS is refused inside TLS, so the only end here is the last one.
    let _ = Talk::new(context, door, &mut conn, Some(&facts))
        .run(session)
        .await;
}

/// The banner, or what stands in its place.
async fn greet(
    context: &Context,
    door: &Door,
    conn: &mut Driver,
    session: Session<Proof>,
) -> Option<Session<Proof>> {
    let spoke_first = conn.pending_input() && !conn.buffered().is_empty();
    let stopping = *context.shutdown.borrow();
    match connection::greet(connection::Evidence {
        door: door.kind,
        spoke_first,
        stopping,
    }) {
        Greeting::Welcome => {
            conn.write(session.banner().as_bytes());
            let deadline = Monotonic(conn.clock().monotonic().0 + REPLY);
            conn.flush(deadline).await.ok().map(|()| session)
        }
        Greeting::SpokeTooEarly => {
            let step: Step<Proof> = session.spoke_too_early();
            if let Step::Close(Some(reply)) = step {
                conn.write(reply.as_bytes());
            }
            talk::close(conn, true).await;
            None
        }
        Greeting::Stopping => {
            conn.write(Reply::closing(&door.setup.host_name).as_bytes());
            talk::close(conn, true).await;
            None
        }
    }
}

fn handshake_deadline(context: &Context) -> Monotonic {
    Monotonic(context.queue.clock.monotonic().0 + HANDSHAKE)
}
