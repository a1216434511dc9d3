//! The hostile sink (recipe R8): a mail server on a real socket that misbehaves as its script says, and counts what it took.
//!
//! ```text
//! # one rule a line: STAGE [which]: BEHAVIOUR
//! offer: PIPELINING SIZE=1000 STARTTLS      # what EHLO announces; default: all but AUTH and CHUNKING
//! banner: reply 421 4.3.2 come back later
//! first 2 mail: reply 451 4.3.0 greylisted  # the first two MAIL commands only
//! rcpt bob@*: reply 550 5.1.1 nobody here   # recipients by pattern …
//! rcpt 2: reply 450 4.2.1 busy              # … or by their place in the transaction
//! data: silence
//! after-dot: close
//! tls: abort
//! ```
//!
//! Stages: `connect banner ehlo helo starttls tls auth mail rcpt data body after-dot rset quit`.
//!
//! Behaviours: `reply CODE TEXT` (lines separated by ` | `), `twice CODE TEXT`, `close`, `reset`, `silence`, `drip SECONDS` (one
//! octet each), `endless` (`250-` lines for ever), `flood` (1 GiB without an end of line), `garbage`, `late-close SECONDS` (a good
//! answer, then closed), `good`; at `connect` also `refuse` and `black-hole`; at `tls` also `abort` (closes after ClientHello) and
//! `certificate wrong-name|expired|unknown`.
//!
//! The first rule that fits decides; without one the sink behaves well. [`Sink::set`] changes the script while connections are
//! open; those that hang in a behaviour end then, so that a cell can turn healthy at once.
//!
//! 1. [`Script::read`] reads the text;
//! 2. [`Sink::start`] opens the door, a thread for each connection;
//! 3. `session` plays the server, `behave` performs what is not good;
//! 4. [`Sink::accepted`], [`Sink::counts`] and [`Sink::statistics`] tell what happened.
//!
//! It is strict where a server may be: octets above 127 without 8BITMIME, lines above 998 octets, a lone CR or LF, a command sent
//! ahead although PIPELINING was not offered, and parameters that were not offered are [`Statistics::violations`].

#![allow(
    clippy::disallowed_methods,
    reason = "a server for black-box tests has real sockets, threads and time"
)]

mod behave;
mod record;
mod script;
mod session;
mod tls;
mod web;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};

pub use record::{Accepted, Statistics};
pub use script::Script;
pub use tls::{Authority, Certificates};
pub use web::PolicyServer;

use record::Record;
use script::{Behaviour, Stage};

/// Octets of a message that are kept; the rest is only counted.
const KEPT_OCTETS: usize = 256 << 10;
/// The thread of a connection needs little.
const STACK_BYTES: usize = 256 << 10;

/// What all connections of a sink share.
struct Shared {
    script: RwLock<Arc<Script>>,
    /// Grows with each new script.
    generation: AtomicU64,
    stopped: AtomicBool,
    /// How often each rule with `first N` has fired.
    fired: Mutex<BTreeMap<usize, u64>>,
    record: Record,
    certificates: Option<Certificates>,
    kept_octets: usize,
    /// Held while the door is looked at; told when the script changes.
    door: (Mutex<()>, Condvar),
    /// Where the last call came from that only gets the acceptor out of its wait; held while it is made.
    wake_call: Mutex<Option<SocketAddr>>,
}

impl Shared {
    fn script(&self) -> Arc<Script> {
        Arc::clone(&self.script.read())
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether whoever hangs since `generation` shall end.
    fn is_over(&self, generation: u64) -> bool {
        self.stopped.load(Ordering::Acquire) || self.generation() != generation
    }

    /// What the script says for this moment.
    fn behaviour(&self, stage: Stage, place: usize, address: &str) -> Behaviour {
        let script = self.script();
        for (number, rule) in script.rules.iter().enumerate() {
            if !rule.fits(stage, place, address) {
                continue;
            }
            let Some(limit) = rule.first else {
                return rule.behaviour.clone();
            };
            let mut fired = self.fired.lock();
            let count = fired.entry(number).or_default();
            if *count < limit {
                *count += 1;
                return rule.behaviour.clone();
            }
        }
        Behaviour::Good
    }
}

/// A listening sink. Dropping it closes the door and ends every connection.
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Sink {
    /// Opens the door at `address` (port 0: any), without TLS.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on.
    pub fn start(address: SocketAddr, script: Script) -> io::Result<Self> {
        Self::open(address, script, None, KEPT_OCTETS)
    }

    /// Opens the door with STARTTLS.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on.
    pub fn start_with_tls(
        address: SocketAddr,
        script: Script,
        certificates: Certificates,
    ) -> io::Result<Self> {
        Self::open(address, script, Some(certificates), KEPT_OCTETS)
    }

    /// Opens the door and keeps nothing of a message but who, to whom and how long: for measurements.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on.
    pub fn start_counting(
        address: SocketAddr,
        script: Script,
        certificates: Option<Certificates>,
    ) -> io::Result<Self> {
        Self::open(address, script, certificates, 0)
    }

    fn open(
        address: SocketAddr,
        script: Script,
        certificates: Option<Certificates>,
        kept_octets: usize,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script: RwLock::new(Arc::new(script)),
            generation: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            fired: Mutex::new(BTreeMap::new()),
            record: Record::default(),
            certificates,
            kept_octets,
            door: (Mutex::new(()), Condvar::new()),
            wake_call: Mutex::new(None),
        });
        let theirs = Arc::clone(&shared);
        let acceptor = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || keep_door(listener, address, &theirs))?;
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Another script, at once; connections that hang in a behaviour of the old one end.
    pub fn set(&self, script: Script) {
        *self.shared.script.write() = Arc::new(script);
        self.shared.fired.lock().clear();
        self.shared.generation.fetch_add(1, Ordering::AcqRel);
        self.wake();
    }

    /// Every message that was answered 2yz after the dot, in that order.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.shared.record.accepted()
    }

    /// How many messages were taken, without copying them.
    pub fn accepted_count(&self) -> u64 {
        self.shared.record.accepted_count()
    }

    /// How often each (message-id, recipient) was accepted. A message without a Message-ID counts under the empty one.
    pub fn counts(&self) -> BTreeMap<(String, String), u64> {
        self.shared.record.counts()
    }

    /// Connections, transactions, and what the client did wrong.
    pub fn statistics(&self) -> Statistics {
        self.shared.record.statistics()
    }

    /// Gets the acceptor out of its wait.
    fn wake(&self) {
        let _held = self.shared.door.0.lock();
        self.shared.door.1.notify_all();
        let mut from = self.shared.wake_call.lock();
        // Not connected is as good: then it does not wait in accept().
        let call = TcpStream::connect_timeout(&self.address, Duration::from_millis(50));
        *from = call.and_then(|call| call.local_addr()).ok();
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        self.wake();
        if let Some(acceptor) = self.acceptor.take() {
            // A panicking acceptor has already failed the test by not answering.
            let _ = acceptor.join();
        }
    }
}

/// Accepts until the sink is stopped; closes the door while the script says so.
fn keep_door(listener: TcpListener, address: SocketAddr, shared: &Arc<Shared>) {
    let mut listener = Some(listener);
    while !shared.stopped.load(Ordering::Acquire) {
        let generation = shared.generation();
        match shared.script().door() {
            Behaviour::Refuse => {
                listener = None;
                wait_for_another(shared, generation);
            }
            Behaviour::BlackHole => {
                let _filled = listener.as_ref().map(|open| behave::fill_backlog(open, address));
                wait_for_another(shared, generation);
                // What waits in the backlog was never served: a new door forgets it.
                listener = None;
            }
            _ => match open_again(&mut listener, address) {
                Ok(open) => accept_one(open, shared),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            },
        }
    }
}

fn open_again(listener: &mut Option<TcpListener>, address: SocketAddr) -> io::Result<&TcpListener> {
    let open = match listener.take() {
        Some(open) => open,
        None => TcpListener::bind(address)?,
    };
    Ok(listener.insert(open))
}

fn wait_for_another(shared: &Shared, generation: u64) {
    let mut held = shared.door.0.lock();
    while !shared.is_over(generation) {
        shared.door.1.wait_for(&mut held, Duration::from_millis(500));
    }
}

fn accept_one(listener: &TcpListener, shared: &Arc<Shared>) {
    let Ok((stream, peer)) = listener.accept() else {
        return;
    };
    if shared.wake_call.lock().take_if(|from| *from == peer).is_some() {
        return;
    }
    let theirs = Arc::clone(shared);
    let started = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || session::serve(stream, &theirs));
    // No thread: the connection closes, which a sender has to bear.
    drop(started);
}

#[cfg(test)]
mod tests;
