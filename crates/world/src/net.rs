//! The network door: byte streams, listeners and TLS as traits and plain types.
//!
//! Sockets live in `world-real`, simulated wires in `testkit`. Everything above sees a [`BoxWire`] and never knows which.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::clock::BoxFuture;

/// A stream of bytes in both directions: a socket, a TLS session, a simulated pipe.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wire for T {}

/// Any wire.
pub type BoxWire = Box<dyn Wire>;

/// Who is at the other end, and where it reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer {
    /// the other side
    pub addr: SocketAddr,
    /// our side
    pub local: SocketAddr,
}

/// A bound listener.
pub trait Listener: Send + Sync + 'static {
    /// Waits for the next connection. Failures that pass by themselves (out of descriptors, a peer that left while it
    /// waited) are handled inside, with a pause instead of a spin; an error means that the listener is lost.
    fn accept(&self) -> BoxFuture<'_, io::Result<(BoxWire, Peer)>>;
    /// Where it listens; with the port the system chose when port 0 was asked for.
    fn local_addr(&self) -> SocketAddr;
}

/// The TLS versions we speak (RFC 8996 forbids the older ones).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// RFC 5246
    Tls12,
    /// RFC 8446
    Tls13,
}

impl TlsVersion {
    /// As RFC 8314 §4.3 and Received lines write it: `TLSv1.2`, `TLSv1.3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

/// What a finished handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// protocol version
    pub version: TlsVersion,
    /// IANA name of the cipher suite, for example `TLS13_AES_256_GCM_SHA384`
    pub cipher: &'static str,
    /// the server name the client asked for, lower case; already checked to be a DNS name
    pub sni: Option<String>,
    /// the application protocol both sides agreed on
    pub alpn: Option<String>,
    /// whether an earlier session was resumed
    pub resumed: bool,
}

/// The accepting side of TLS, with its certificates. What it holds may be exchanged while it serves (renewal).
pub trait TlsServer: Send + Sync + 'static {
    /// Performs the handshake. The caller limits the time (see [`crate::line::Connection::into_tls`]); dropping the
    /// future closes the wire.
    fn accept(&self, wire: BoxWire) -> BoxFuture<'_, io::Result<(BoxWire, TlsFacts)>>;
}

/// The way out: connections we open.
pub trait Network: Send + Sync + 'static {
    /// Connects to `to`, from `from` if given. The caller limits the time by dropping the future.
    fn connect(
        &self,
        to: SocketAddr,
        from: Option<std::net::IpAddr>,
    ) -> BoxFuture<'_, io::Result<(BoxWire, Peer)>>;
}
