//! The accept loop of one door.
//!
//! 1. A connection takes one of the [`Gate`]'s places, or is sent away with the door's own temporary refusal.
//! 2. It is served in a task of its own; a panic there closes it alone, and is counted and logged (OPS-10).
//! 3. At the stop the listener closes first; the connections have [`crate::limits::DRAIN`] to end, then they are cut.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use world::clock::{BoxFuture, Clock, Monotonic};
use world::events::Events;
use world::net::{BoxWire, Listener, Peer};

use crate::events::ProgramEvent;
use crate::limits::DRAIN;

/// Serves one connection to its end.
pub type Serve = Arc<dyn Fn(BoxWire, Peer) -> BoxFuture<'static, ()> + Send + Sync>;

/// One door.
pub struct Door {
    /// its name, as in settings
    pub name: &'static str,
    /// what happens to a connection
    pub serve: Serve,
    /// what a connection is told for which there is no place; empty under TLS, where nobody could read it
    pub full: &'static [u8],
}

/// Places for connections over all doors, and what is counted of them.
pub struct Gate {
    places: Arc<Semaphore>,
    most: u64,
    is_full: AtomicBool,
    panics: AtomicU64,
    cut: AtomicU64,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
}

impl Gate {
    /// With `most` places.
    pub fn new(most: u64, events: Arc<dyn Events>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let places = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            places: Arc::new(Semaphore::new(places)),
            most,
            is_full: AtomicBool::new(false),
            panics: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            events,
            clock,
        })
    }

    /// Connections open now.
    pub fn open(&self) -> u64 {
        self.most.saturating_sub(self.places.available_permits() as u64)
    }

    /// Panics since the start.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Connections that were cut at the stop.
    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        match self.places.clone().try_acquire_owned() {
            Ok(place) => {
                self.is_full.store(false, Ordering::Relaxed);
                Some(place)
            }
            Err(_) => {
                if !self.is_full.swap(true, Ordering::Relaxed) {
                    self.events.emit(&ProgramEvent::Full {
                        connections: self.most,
                    });
                }
                None
            }
        }
    }

    /// Takes note of a task that ended.
    pub fn ended(&self, job: &'static str, how: Result<(), JoinError>) {
        if let Err(error) = how
            && error.is_panic()
        {
            self.panics.fetch_add(1, Ordering::Relaxed);
            let message = panic_text(error.into_panic().as_ref());
            self.events.emit(&ProgramEvent::Panic { job, message });
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no text").to_owned()
}

/// Runs a door until `stop` turns true. Returns early, as an error, only when the listener is lost.
pub async fn run(
    door: Door,
    listener: Box<dyn Listener>,
    gate: Arc<Gate>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ProgramEvent> {
    let mut connections = JoinSet::new();
    let outcome = loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stopping| *stopping) => break Ok(()),
            Some(how) = connections.join_next() => gate.ended(door.name, how),
            accepted = listener.accept() => match accepted {
                Ok((wire, peer)) => admit(&door, &gate, &mut connections, wire, peer),
                Err(error) => break Err(ProgramEvent::DoorLost { door: door.name, reason: error.to_string() }),
            },
        }
    };
    drop(listener);
    let deadline = Monotonic(gate.clock.monotonic().0 + DRAIN);
    drain(&door, &gate, connections, deadline).await;
    outcome
}

fn admit(door: &Door, gate: &Gate, connections: &mut JoinSet<()>, mut wire: BoxWire, peer: Peer) {
    let Some(place) = gate.place() else {
        if !door.full.is_empty() {
            let full = door.full;
            // It fits into the empty socket buffer, so this does not wait; a peer that is gone needs no answer.
            connections.spawn(async move { drop(wire.write_all(full).await) });
        }
        return;
    };
    let served = (door.serve)(wire, peer);
    connections.spawn(async move {
        served.await;
        drop(place);
    });
}

async fn drain(door: &Door, gate: &Gate, mut connections: JoinSet<()>, deadline: Monotonic) {
    let late = gate.clock.sleep_until(deadline);
    tokio::pin!(late);
    loop {
        tokio::select! {
            biased;
            how = connections.join_next() => match how {
                Some(how) => gate.ended(door.name, how),
                None => return,
            },
            () = &mut late => break,
        }
    }
    gate.cut.fetch_add(connections.len() as u64, Ordering::Relaxed);
    connections.shutdown().await;
}
