//! The accept loop of one door.
//!
//! 1. A connection takes a place of the [`Guard`], or is sent away with the door's own temporary refusal.
//! 2. It is served in a task of its own; a panic there closes it alone, and is counted and logged (OPS-10).
//! 3. At the stop the listener closes first; the connections have [`crate::limits::DRAIN`] to end, then they are cut.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use guard::{Class, Guard, Refused};
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
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
    /// who comes through it
    pub class: Class,
    /// what a connection is told for which there is no place; empty under TLS, where nobody could read it
    pub full: &'static [u8],
    /// what it is told when its address has too many
    pub too_many: &'static [u8],
}

/// Places for connections over all doors, and what is counted of them.
pub struct Gate {
    guard: Arc<Guard>,
    panics: AtomicU64,
    cut: AtomicU64,
    events: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
}

impl Gate {
    /// With the guard's places.
    pub fn new(guard: Arc<Guard>, events: Arc<dyn Events>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            guard,
            panics: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            events,
            clock,
        })
    }

    /// Connections open now.
    pub fn open(&self) -> u64 {
        self.guard.open()
    }

    /// A place for a caller of this machine.
    pub fn place_here(&self) -> Option<guard::Place> {
        let here = std::net::Ipv4Addr::LOCALHOST.into();
        self.guard.admit(here, Class::User).ok()
    }

    /// Panics since the start.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Connections that were cut at the stop.
    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
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
    drain(door.name, &gate, connections, deadline).await;
    outcome
}

fn admit(door: &Door, gate: &Gate, connections: &mut JoinSet<()>, mut wire: BoxWire, peer: Peer) {
    let place = match gate.guard.admit(peer.addr.ip(), door.class) {
        Ok(place) => place,
        Err(refused) => {
            let answer = match refused {
                Refused::House => door.full,
                Refused::AtOnce | Refused::TooOften => door.too_many,
            };
            if !answer.is_empty() {
                // It fits into the empty socket buffer, so this does not wait; a peer that is gone needs no answer.
                connections.spawn(async move { drop(wire.write_all(answer).await) });
            }
            return;
        }
    };
    let served = (door.serve)(wire, peer);
    connections.spawn(async move {
        served.await;
        drop(place);
    });
}

/// Lets connections end by themselves until `deadline`, then cuts them.
pub async fn drain(door: &'static str, gate: &Gate, mut connections: JoinSet<()>, deadline: Monotonic) {
    let late = gate.clock.sleep_until(deadline);
    tokio::pin!(late);
    loop {
        tokio::select! {
            biased;
            how = connections.join_next() => match how {
                Some(how) => gate.ended(door, how),
                None => return,
            },
            () = &mut late => break,
        }
    }
    gate.cut.fetch_add(connections.len() as u64, Ordering::Relaxed);
    connections.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use testkit::clock::SimClock;
    use testkit::events::CollectEvents;
    use testkit::net::{SimNetwork, some_peer};
    use tokio::io::AsyncReadExt;
    use world::net::Network;

    use super::*;

    struct Place {
        clock: SimClock,
        events: Arc<CollectEvents>,
        net: SimNetwork,
        gate: Arc<Gate>,
        served: Arc<AtomicUsize>,
        stop: watch::Sender<bool>,
        door: tokio::task::JoinHandle<Result<(), ProgramEvent>>,
    }

    /// A door whose connections say `hi`, then do what their first byte says: `p` panics, anything else waits for ever.
    fn open(most: u64) -> Place {
        let (clock, events, net) = (SimClock::new(), Arc::new(CollectEvents::new()), SimNetwork::new());
        let settings = guard::Settings {
            places: most,
            lifted: true,
        };
        let guard = Guard::new(settings, clock.door(), events.clone());
        let gate = Gate::new(guard, events.clone(), clock.door());
        let served = Arc::new(AtomicUsize::new(0));
        let count = served.clone();
        let serve: Serve = Arc::new(move |mut wire, _| {
            let count = count.clone();
            Box::pin(async move {
                count.fetch_add(1, Ordering::Relaxed);
                wire.write_all(b"hi").await.unwrap();
                let order = wire.read_u8().await.unwrap_or(b'e');
                assert_ne!(order, b'p', "asked to");
                if order != b'e' {
                    std::future::pending::<()>().await;
                }
            })
        });
        let door = Door {
            name: "test",
            serve,
            class: Class::User,
            full: b"full",
            too_many: b"too many",
        };
        let (stop, stopped) = watch::channel(false);
        let listener = net.listen(some_peer().local);
        let door = tokio::spawn(run(door, Box::new(listener), gate.clone(), stopped));
        Place {
            clock,
            events,
            net,
            gate,
            served,
            stop,
            door,
        }
    }

    impl Place {
        async fn connect(&self, order: &[u8]) -> BoxWire {
            let (mut wire, _) = self.net.connect(some_peer().local, None).await.unwrap();
            wire.write_all(order).await.unwrap();
            wire
        }
    }

    async fn heard(wire: &mut BoxWire, bytes: usize) -> Vec<u8> {
        let mut heard = vec![0; bytes];
        wire.read_exact(&mut heard).await.unwrap();
        heard
    }

    #[tokio::test]
    async fn ops_10_a_panic_closes_its_own_connection_and_is_counted() {
        let place = open(10);
        let mut calm = place.connect(b"w").await;
        assert_eq!(heard(&mut calm, 2).await, b"hi");
        let mut loud = place.connect(b"p").await;
        let mut said = Vec::new();
        loud.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"hi", "then it is closed");
        let mut next = place.connect(b"w").await;
        assert_eq!(heard(&mut next, 2).await, b"hi", "the door goes on");
        while place.gate.panics() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!((place.gate.panics(), place.gate.open()), (1, 2));
        let told = place.events.named("program.panic");
        assert!(told[0].text("message").unwrap().contains("asked to"));
        assert_eq!(told[0].text("job"), Some("test"));
        assert_eq!(place.served.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn one_connection_too_many_is_told_so_and_room_comes_back() {
        let place = open(1);
        let mut first = place.connect(b"").await;
        assert_eq!(heard(&mut first, 2).await, b"hi");
        let mut second = place.connect(b"").await;
        let mut said = Vec::new();
        second.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"full");
        assert_eq!(place.events.named("guard.refused").len(), 1);
        first.write_all(b"e").await.unwrap();
        while place.gate.open() > 0 {
            tokio::task::yield_now().await;
        }
        let mut third = place.connect(b"").await;
        assert_eq!(heard(&mut third, 2).await, b"hi");
    }

    #[tokio::test]
    async fn dur_7_the_stop_waits_for_connections_but_not_for_ever() {
        let place = open(10);
        let mut polite = place.connect(b"").await;
        assert_eq!(heard(&mut polite, 2).await, b"hi");
        let mut stuck = place.connect(b"w").await;
        assert_eq!(heard(&mut stuck, 2).await, b"hi");
        place.stop.send_replace(true);
        place.clock.advance(DRAIN / 2).await;
        assert!(!place.door.is_finished());
        polite.write_all(b"e").await.unwrap();
        assert_eq!(
            polite.read_to_end(&mut Vec::new()).await.unwrap(),
            0,
            "it ended by itself"
        );
        assert!(!place.door.is_finished(), "the other one may still finish");
        place.clock.advance(DRAIN).await;
        assert_eq!(place.door.await.unwrap(), Ok(()));
        assert_eq!(place.gate.cut(), 1);
    }
}
