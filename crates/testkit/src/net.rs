//! Wires without sockets.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use world::clock::BoxFuture;
use world::net::{BoxWire, Listener, Network, Peer};

use crate::chance::Rng;

/// How many bytes may be under way in one direction.
const CAPACITY_BYTES: usize = 64 * 1024;

/// One end of a simulated connection.
pub struct SimWire {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

struct Pipe {
    bytes: VecDeque<u8>,
    capacity: usize,
    ended: bool,
    reset: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Delivers in random pieces.
    pieces: Option<Rng>,
}

/// Two connected wires. What one writes, the other reads, as it was written.
pub fn wire_pair() -> (SimWire, SimWire) {
    pair(CAPACITY_BYTES, None)
}

/// Two connected wires that deliver in random pieces, down to a single byte, with pauses.
pub fn wire_pair_in_pieces(seed: u64) -> (SimWire, SimWire) {
    pair(CAPACITY_BYTES, Some(seed))
}

/// Two connected wires that hold at most `capacity_bytes` in each direction: for peers that do not read.
pub fn wire_pair_with_capacity(capacity_bytes: usize) -> (SimWire, SimWire) {
    pair(capacity_bytes, None)
}

fn pair(capacity: usize, seed: Option<u64>) -> (SimWire, SimWire) {
    let pipe = |salt: u64| {
        Arc::new(Mutex::new(Pipe {
            bytes: VecDeque::new(),
            capacity,
            ended: false,
            reset: false,
            reader: None,
            writer: None,
            pieces: seed.map(|seed| Rng::new(seed ^ salt)),
        }))
    };
    let (one, other) = (pipe(0), pipe(1 << 63));
    (
        SimWire {
            incoming: Arc::clone(&one),
            outgoing: Arc::clone(&other),
        },
        SimWire {
            incoming: other,
            outgoing: one,
        },
    )
}

/// A peer for wires whose addresses do not matter: `192.0.2.1:1000` at `192.0.2.25:25` (RFC 5737).
pub fn some_peer() -> Peer {
    Peer {
        addr: ([192, 0, 2, 1], 1000).into(),
        local: ([192, 0, 2, 25], 25).into(),
    }
}

impl fmt::Debug for SimWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimWire").finish_non_exhaustive()
    }
}

impl SimWire {
    /// Ends the connection as a TCP reset does: the other side's next read or write fails, and what was under way is lost.
    pub fn reset(self) {
        for pipe in [&self.incoming, &self.outgoing] {
            let mut pipe = pipe.lock();
            pipe.reset = true;
            pipe.bytes.clear();
            pipe.end();
        }
    }
}

impl AsyncRead for SimWire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.incoming.lock();
        if pipe.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if pipe.bytes.is_empty() {
            if pipe.ended {
                return Poll::Ready(Ok(()));
            }
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut count = pipe.bytes.len().min(to.remaining());
        if let Some(pieces) = &mut pipe.pieces {
            if pieces.percent(25) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let largest = if pieces.percent(50) { 3 } else { 5000 };
            count = count.min(1 + usize::try_from(pieces.below(largest)).expect("a small number"));
        }
        let bytes: Vec<u8> = pipe.bytes.drain(..count).collect();
        to.put_slice(&bytes);
        if let Some(writer) = pipe.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SimWire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.outgoing.lock().poll_write(cx, &[IoSlice::new(from)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.outgoing.lock().poll_write(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.lock().end();
        Poll::Ready(Ok(()))
    }
}

impl Pipe {
    fn poll_write(&mut self, cx: &mut Context<'_>, from: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let offered: usize = from.iter().map(|slice| slice.len()).sum();
        let count = offered.min(self.capacity - self.bytes.len());
        if count == 0 && offered > 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.bytes
            .extend(from.iter().flat_map(|slice| slice.iter()).take(count));
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn end(&mut self) {
        self.ended = true;
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Drop for SimWire {
    fn drop(&mut self) {
        self.outgoing.lock().end();
        self.incoming.lock().end();
    }
}

type Waiting = (BoxWire, Peer);

/// What happens to whoever connects to an address, instead of reaching its listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody listens: `ConnectionRefused`. So it is at every address without a listener.
    Refused,
    /// No way there: `HostUnreachable`.
    Unreachable,
    /// Packets vanish: connecting never ends.
    BlackHole,
    /// The connection is made and reset at once.
    Reset,
}

/// A network of listeners by address.
#[derive(Default)]
pub struct SimNetwork {
    listeners: Mutex<HashMap<SocketAddr, mpsc::UnboundedSender<Waiting>>>,
    faults: Mutex<HashMap<SocketAddr, Fault>>,
    tried: Mutex<Vec<(SocketAddr, Option<IpAddr>)>>,
    seed: Option<u64>,
    ports: Mutex<u16>,
}

impl SimNetwork {
    /// Bytes arrive as they were sent.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes arrive in random pieces.
    pub fn in_pieces(seed: u64) -> Self {
        Self {
            seed: Some(seed),
            ..Self::default()
        }
    }

    /// Listens at `addr`.
    pub fn listen(&self, addr: SocketAddr) -> SimListener {
        let (sender, waiting) = mpsc::unbounded_channel();
        self.listeners.lock().insert(addr, sender);
        SimListener {
            addr,
            waiting: tokio::sync::Mutex::new(waiting),
        }
    }

    /// From now on this happens to whoever connects to `addr`. Connections that exist are not touched.
    pub fn break_at(&self, addr: SocketAddr, fault: Fault) {
        self.faults.lock().insert(addr, fault);
    }

    /// Ends what [`Self::break_at`] began.
    pub fn mend(&self, addr: SocketAddr) {
        self.faults.lock().remove(&addr);
    }

    /// Every attempt to connect so far, in order: where to, and from which address if one was asked for.
    pub fn tried(&self) -> Vec<(SocketAddr, Option<IpAddr>)> {
        self.tried.lock().clone()
    }

    async fn reach(&self, to: SocketAddr, from: Option<IpAddr>) -> io::Result<(BoxWire, Peer)> {
        self.tried.lock().push((to, from));
        let fault = self.faults.lock().get(&to).copied();
        match fault {
            None => self.open(to, from),
            Some(Fault::Refused) => Err(io::ErrorKind::ConnectionRefused.into()),
            Some(Fault::Unreachable) => Err(io::ErrorKind::HostUnreachable.into()),
            Some(Fault::BlackHole) => std::future::pending().await,
            Some(Fault::Reset) => {
                let (client, server) = wire_pair();
                server.reset();
                Ok((Box::new(client), self.ends(to, from)))
            }
        }
    }

    fn open(&self, to: SocketAddr, from: Option<IpAddr>) -> io::Result<Waiting> {
        let listeners = self.listeners.lock();
        let Some(listener) = listeners.get(&to) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let peer = self.ends(to, from);
        let (client, server) = match self.seed {
            Some(seed) => wire_pair_in_pieces(seed.wrapping_add(u64::from(peer.local.port()))),
            None => wire_pair(),
        };
        let seen = Peer {
            addr: peer.local,
            local: to,
        };
        listener
            .send((Box::new(server), seen))
            .map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok((Box::new(client), peer))
    }

    /// The two ends of a new connection, as its client sees them.
    fn ends(&self, to: SocketAddr, from: Option<IpAddr>) -> Peer {
        let mut ports = self.ports.lock();
        *ports = (*ports + 1) % 20_000;
        Peer {
            addr: to,
            local: SocketAddr::new(from.unwrap_or([192, 0, 2, 1].into()), 40_000 + *ports),
        }
    }
}

impl Network for SimNetwork {
    fn connect(&self, to: SocketAddr, from: Option<IpAddr>) -> BoxFuture<'_, io::Result<(BoxWire, Peer)>> {
        Box::pin(self.reach(to, from))
    }
}

/// A simulated listener.
pub struct SimListener {
    addr: SocketAddr,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Waiting>>,
}

impl Listener for SimListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<(BoxWire, Peer)>> {
        Box::pin(async {
            self.waiting
                .lock()
                .await
                .recv()
                .await
                .ok_or(io::ErrorKind::NotConnected.into())
        })
    }

    fn local_addr(&self) -> SocketAddr {
        self.addr
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn pieces_arrive_whole_and_in_order() {
        for seed in 0..32 {
            let (mut client, mut server) = wire_pair_in_pieces(seed);
            let sent: Vec<u8> = (0..20_000u32).map(|n| n.to_le_bytes()[0]).collect();
            let copy = sent.clone();
            let writing = tokio::spawn(async move {
                client.write_all(&copy).await.unwrap();
                client.shutdown().await.unwrap();
                client
            });
            let mut read = Vec::new();
            server.read_to_end(&mut read).await.unwrap();
            assert!(read == sent, "seed {seed}");
            writing.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_full_wire_holds_the_writer_until_the_other_side_reads() {
        let (mut client, mut server) = wire_pair_with_capacity(4);
        assert_eq!(client.write(b"123456").await.unwrap(), 4);
        let mut write = Box::pin(client.write(b"56"));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(write.as_mut().poll(&mut cx).is_pending());
        let mut bytes = [0; 4];
        server.read_exact(&mut bytes).await.unwrap();
        assert!(write.as_mut().poll(&mut cx).is_ready());
    }

    #[tokio::test]
    async fn the_network_connects_to_listeners_and_refuses_elsewhere() {
        let network = SimNetwork::new();
        let at: SocketAddr = "198.51.100.7:25".parse().unwrap();
        let listener = network.listen(at);
        let (mut client, peer) = network.connect(at, None).await.unwrap();
        let (mut server, seen) = listener.accept().await.unwrap();
        assert_eq!((peer.addr, seen.local, seen.addr), (at, at, peer.local));
        client.write_all(b"hi").await.unwrap();
        drop(client);
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hi");
        let nobody = network.connect("198.51.100.8:25".parse().unwrap(), None).await;
        assert_eq!(nobody.err().unwrap().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn broken_addresses_fail_as_told_until_they_are_mended() {
        let network = SimNetwork::new();
        let at: SocketAddr = "198.51.100.7:25".parse().unwrap();
        let _listener = network.listen(at);
        for (fault, expected) in [
            (Fault::Refused, io::ErrorKind::ConnectionRefused),
            (Fault::Unreachable, io::ErrorKind::HostUnreachable),
        ] {
            network.break_at(at, fault);
            assert_eq!(network.connect(at, None).await.err().unwrap().kind(), expected);
        }
        network.break_at(at, Fault::BlackHole);
        let mut connecting = network.connect(at, None);
        assert!(
            connecting
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        drop(connecting);
        network.break_at(at, Fault::Reset);
        let (mut wire, _) = network.connect(at, None).await.unwrap();
        let read = wire.read_u8().await.unwrap_err();
        assert_eq!(read.kind(), io::ErrorKind::ConnectionReset);
        network.mend(at);
        let own = "192.0.2.9".parse().unwrap();
        assert_eq!(network.connect(at, Some(own)).await.unwrap().1.local.ip(), own);
        assert_eq!(network.tried().len(), 5);
        assert_eq!(network.tried()[4], (at, Some(own)));
    }
}
