//! The network door: byte streams, listeners and TLS as traits and plain types.
//!
//! Sockets live in `world-real`, simulated wires in `testkit`. Everything above sees a [`BoxWire`] and never knows which.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::clock::BoxFuture;
use crate::tlsa::TlsaRecord;

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

/// How much an outward handshake asks of the other side's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TlsPolicy {
    /// Encrypt with any certificate, and say what would not have verified (RFC 7435; RFC 3207 §4.1 for mail between servers).
    Opportunistic,
    /// The certificate must verify for the name, or there is no connection.
    Verified,
    /// The certificate must fit one of these records, or there is no connection (RFC 7672 §3).
    Dane {
        /// at least one
        records: Arc<[TlsaRecord]>,
        /// Where the record names an authority, the certificate must be valid for the server's name or one of these
        /// (RFC 7672 §3.2.2).
        names: Arc<[String]>,
    },
}

/// Why a certificate does not verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFault {
    /// which kind of reason
    pub kind: CertificateFaultKind,
    /// in words for the operator
    pub text: String,
}

/// Which kind of reason a certificate does not verify for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertificateFaultKind {
    /// Its time is over.
    Expired,
    /// It is for other names.
    OtherName,
    /// Nobody whom we trust issued it.
    NotTrusted,
    /// It fits no TLSA record.
    Tlsa,
    /// Anything else: it cannot be read, is not for servers, is not valid yet, …
    Other,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a finished outward handshake gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutwardTls {
    /// what was agreed on; `sni` is the name we sent
    pub facts: TlsFacts,
    /// whether the certificate verifies for the name by the authorities we trust, whatever the policy was; if not, why not
    pub verified: Result<(), CertificateFault>,
}

/// What an outward handshake failed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsFailureKind {
    /// The server had sent plaintext ahead of the handshake: injected by somebody in between, or a broken server. None of it
    /// was looked at (RFC 3207 §6, CVE-2021-38371).
    PlaintextAhead,
    /// What we had still to send could not be sent.
    Write,
    /// The handshake did not end in time.
    TimedOut,
    /// The other side closed or reset the connection during the handshake.
    Closed,
    /// The two sides agreed on nothing: no common version or cipher, an alert, or not TLS at all.
    Handshake,
    /// The certificate does not verify, and the policy requires it.
    Certificate,
    /// The connection failed below TLS.
    Io,
}

impl TlsFailureKind {
    /// The kind as one lower-case word, for events and the timeline of attempts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlaintextAhead => "plaintext-ahead",
            Self::Write => "write",
            Self::TimedOut => "timed-out",
            Self::Closed => "closed",
            Self::Handshake => "handshake",
            Self::Certificate => "certificate",
            Self::Io => "io",
        }
    }
}

/// Why there is no outward TLS connection. The wire is gone in every case: going on in the clear needs a new connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFailure {
    /// what kind of failure
    pub kind: TlsFailureKind,
    /// what happened, in words for the operator
    pub text: String,
    /// what is wrong with the certificate, where that is what it failed on
    pub certificate: Option<CertificateFaultKind>,
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for TlsFailure {}

/// The connecting side of TLS. What it trusts may be exchanged while it works.
pub trait TlsClient: Send + Sync + 'static {
    /// Performs the handshake as a client. `server_name` is what the certificate should name: a DNS name, which is also sent
    /// as SNI, or an IP address, which is not. The caller limits the time (see [`crate::line::Connection::start_tls`]); dropping
    /// the future closes the wire.
    fn connect<'a>(
        &'a self,
        wire: BoxWire,
        server_name: &'a str,
        policy: TlsPolicy,
    ) -> BoxFuture<'a, Result<(BoxWire, OutwardTls), TlsFailure>>;
}

/// The way out: connections we open.
pub trait Network: Send + Sync + 'static {
    /// Connects to `to`, from `from` if given. The caller limits the time by dropping the future.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] when nobody listens there, `HostUnreachable` and `NetworkUnreachable` when there is no
    /// way there, `TimedOut` when the system gave up first, `AddrNotAvailable` when `from` is not an address of this machine,
    /// and `InvalidInput` when `from` is of the other address family than `to`.
    fn connect(
        &self,
        to: SocketAddr,
        from: Option<std::net::IpAddr>,
    ) -> BoxFuture<'_, io::Result<(BoxWire, Peer)>>;
}
