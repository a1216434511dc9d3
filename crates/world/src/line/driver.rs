//! The connection and what it owns.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::clock::{BoxFuture, Clock, Monotonic};
use crate::net::{BoxWire, Peer, TlsFacts};

/// State of a connection that is not encrypted.
pub struct Plain(pub(super) ());

/// State of a connection inside TLS.
pub struct Secured {
    pub(super) facts: Box<TlsFacts>,
}

/// A connection in state `S`: [`Plain`] or [`Secured`]. Reading and writing are methods of [`Driver`], which it derefs to,
/// so that a session that does not care about the state takes `&mut Driver`.
pub struct Connection<S> {
    pub(super) driver: Driver,
    pub(super) state: S,
}

/// Buffered reading and writing with deadlines.
pub struct Driver {
    pub(super) wire: BoxWire,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) peer: Peer,
    pub(super) input: Buffer,
    pub(super) output: Buffer,
    /// The peer has finished sending.
    pub(super) ended: bool,
    /// How much of an overlong line was skipped, while its end is not found.
    pub(super) overlong_bytes: Option<usize>,
    pub(super) alarm: Alarm,
}

impl Connection<Plain> {
    /// A plaintext connection over `wire`.
    pub fn new(wire: BoxWire, peer: Peer, clock: Arc<dyn Clock>) -> Self {
        Self {
            driver: Driver::new(wire, peer, clock),
            state: Plain(()),
        }
    }
}

impl Connection<Secured> {
    /// What the handshake agreed on.
    pub fn tls(&self) -> &TlsFacts {
        &self.state.facts
    }
}

impl<S> Deref for Connection<S> {
    type Target = Driver;
    fn deref(&self) -> &Driver {
        &self.driver
    }
}

impl<S> DerefMut for Connection<S> {
    fn deref_mut(&mut self) -> &mut Driver {
        &mut self.driver
    }
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.driver.peer)
            .finish_non_exhaustive()
    }
}

impl Driver {
    pub(super) fn new(wire: BoxWire, peer: Peer, clock: Arc<dyn Clock>) -> Self {
        Self {
            wire,
            clock,
            peer,
            input: Buffer::default(),
            output: Buffer::default(),
            ended: false,
            overlong_bytes: None,
            alarm: Alarm::default(),
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The clock that the deadlines are measured with.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Heap bytes the two buffers hold now; 0 while the connection is idle.
    pub fn buffer_bytes(&self) -> usize {
        self.input.bytes.capacity() + self.output.bytes.capacity()
    }
}

/// Bytes with a consumed front. Gives its memory back when it becomes empty.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn push(&mut self, more: &[u8]) {
        if self.start > 0 && self.bytes.len() + more.len() > self.bytes.capacity() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(more);
    }

    /// As [`Buffer::push`]; takes their memory too where nothing else waits.
    pub(super) fn push_whole(&mut self, more: Vec<u8>) {
        if !self.is_empty() {
            self.push(&more);
        } else if !more.is_empty() {
            *self = Self {
                bytes: more,
                start: 0,
            };
        }
    }

    /// Drops the first `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        assert!(count <= self.len(), "only what is buffered can be consumed");
        self.start += count;
        if self.start == self.bytes.len() {
            *self = Self::default();
        }
    }
}

/// One timer for all waits of a connection. A new deadline that is later than the running timer reuses it: when it fires
/// early it is set again. So a session that reads many commands registers few timers.
#[derive(Default)]
pub(super) struct Alarm {
    running: Option<(Monotonic, BoxFuture<'static, ()>)>,
}

impl Alarm {
    /// Ready when `deadline` has passed. Otherwise the task is woken when it does.
    pub(super) fn poll(&mut self, clock: &dyn Clock, deadline: Monotonic, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if clock.monotonic() >= deadline {
                self.running = None;
                return Poll::Ready(());
            }
            if self.running.as_ref().is_none_or(|(at, _)| *at > deadline) {
                self.running = Some((deadline, clock.sleep_until(deadline)));
            }
            let Some((_, sleep)) = &mut self.running else {
                continue;
            };
            match Pin::new(sleep).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => self.running = None,
            }
        }
    }
}
