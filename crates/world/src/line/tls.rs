//! From plaintext to TLS, as the accepting and as the connecting side: by STARTTLS, or from the first byte on.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;

use super::driver::{Alarm, Connection, Driver, Plain, Secured};
use super::write::WriteError;
use crate::clock::{BoxFuture, Clock, Monotonic};
use crate::net::{BoxWire, OutwardTls, Peer, TlsClient, TlsFailure, TlsFailureKind, TlsPolicy, TlsServer};

/// Why there is no TLS connection. The plaintext one is gone in every case.
#[derive(Debug)]
pub enum IntoTlsError {
    /// The client sent plaintext after STARTTLS, before the handshake: an injection attempt (CVE-2011-0411) or a broken
    /// client. None of it was looked at.
    PlaintextAfterStarttls,
    /// Our go-ahead could not be sent.
    Write(WriteError),
    /// The handshake did not end in time.
    TimedOut,
    /// The handshake failed.
    Handshake(io::Error),
}

impl fmt::Display for IntoTlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlaintextAfterStarttls => f.write_str("the client sent plaintext after STARTTLS"),
            Self::Write(error) => write!(f, "the go-ahead for TLS could not be sent: {error}"),
            Self::TimedOut => f.write_str("the TLS handshake did not end in time"),
            Self::Handshake(error) => write!(f, "the TLS handshake failed: {error}"),
        }
    }
}

impl std::error::Error for IntoTlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Write(error) => Some(error),
            Self::Handshake(error) => Some(error),
            Self::PlaintextAfterStarttls | Self::TimedOut => None,
        }
    }
}

impl Connection<Plain> {
    /// Goes on inside TLS. Consumes the plaintext connection: nothing that was said before can be carried over (RFC 3207 §4.2).
    ///
    /// Write the go-ahead (`220`, `OK`) with [`Driver::write`] and do not flush it: it is sent here, after a look at whether
    /// the client talked before it was allowed to. Fails with [`IntoTlsError::PlaintextAfterStarttls`] when bytes are
    /// buffered or have arrived before the go-ahead. Plaintext that arrives later still makes the handshake fail.
    pub async fn into_tls(
        mut self,
        tls: &dyn TlsServer,
        deadline: Monotonic,
    ) -> Result<Connection<Secured>, IntoTlsError> {
        // Once the go-ahead is out, bytes in the socket are the handshake and must stay there.
        let too_early = if self.driver.unsent() > 0 {
            self.driver.pending_input() && !self.driver.buffered().is_empty()
        } else {
            !self.driver.buffered().is_empty()
        };
        if too_early {
            return Err(IntoTlsError::PlaintextAfterStarttls);
        }
        self.driver.flush(deadline).await.map_err(IntoTlsError::Write)?;
        let Driver {
            wire, peer, clock, ..
        } = self.driver;
        Connection::accept_tls(wire, peer, clock, tls, deadline).await
    }

    /// Goes on inside TLS as the client. Consumes the plaintext connection: nothing that was said before can be carried over
    /// (RFC 3207 §4.2). Call it right after the server's go-ahead was read.
    ///
    /// Fails with [`TlsFailureKind::PlaintextAhead`] when anything is buffered or has arrived behind the go-ahead: the server may
    /// not speak before our handshake. The other failures are in [`TlsFailureKind`].
    pub async fn start_tls(
        mut self,
        tls: &dyn TlsClient,
        server_name: &str,
        policy: TlsPolicy,
        deadline: Monotonic,
    ) -> Result<(Connection<Secured>, OutwardTls), TlsFailure> {
        let spoke = self.driver.pending_input();
        if !self.driver.buffered().is_empty() {
            return Err(failure(
                TlsFailureKind::PlaintextAhead,
                "the server sent plaintext after its go-ahead for TLS, before the handshake",
            ));
        }
        if spoke {
            return Err(failure(
                TlsFailureKind::Closed,
                "the server closed the connection after its go-ahead for TLS",
            ));
        }
        self.driver.flush(deadline).await.map_err(|error| {
            failure(
                TlsFailureKind::Write,
                format!("what comes before the TLS handshake could not be sent: {error}"),
            )
        })?;
        let Driver {
            wire, peer, clock, ..
        } = self.driver;
        Connection::connect_tls(wire, peer, clock, tls, server_name, policy, deadline).await
    }
}

impl Connection<Secured> {
    /// A connection that starts with the TLS handshake (RFC 8314 "implicit TLS"). Ends with [`IntoTlsError::TimedOut`] and
    /// closes the wire when the handshake is not done by `deadline`.
    pub async fn accept_tls(
        wire: BoxWire,
        peer: Peer,
        clock: Arc<dyn Clock>,
        tls: &dyn TlsServer,
        deadline: Monotonic,
    ) -> Result<Self, IntoTlsError> {
        let handshake = tls.accept(wire);
        let (wire, facts) = in_time(handshake, &*clock, deadline)
            .await
            .ok_or(IntoTlsError::TimedOut)?
            .map_err(IntoTlsError::Handshake)?;
        Ok(Self {
            driver: Driver::new(wire, peer, clock),
            state: Secured {
                facts: Box::new(facts),
            },
        })
    }

    /// A connection that we start with the TLS handshake (RFC 8314 "implicit TLS"), for a smarthost on 465. `server_name` and
    /// `policy` as in [`TlsClient::connect`]. Ends with [`TlsFailureKind::TimedOut`] and closes the wire when the handshake is not
    /// done by `deadline`.
    pub async fn connect_tls(
        wire: BoxWire,
        peer: Peer,
        clock: Arc<dyn Clock>,
        tls: &dyn TlsClient,
        server_name: &str,
        policy: TlsPolicy,
        deadline: Monotonic,
    ) -> Result<(Self, OutwardTls), TlsFailure> {
        let handshake = tls.connect(wire, server_name, policy);
        let (wire, outward) = in_time(handshake, &*clock, deadline).await.unwrap_or_else(|| {
            Err(failure(
                TlsFailureKind::TimedOut,
                "the TLS handshake did not end in time",
            ))
        })?;
        let connection = Self {
            driver: Driver::new(wire, peer, clock),
            state: Secured {
                facts: Box::new(outward.facts.clone()),
            },
        };
        Ok((connection, outward))
    }
}

/// What `handshake` gives, or nothing when `deadline` comes first. The handshake is dropped then, and its wire with it.
async fn in_time<T>(mut handshake: BoxFuture<'_, T>, clock: &dyn Clock, deadline: Monotonic) -> Option<T> {
    let mut alarm = Alarm::default();
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = handshake.as_mut().poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        alarm.poll(clock, deadline, cx).map(|()| None)
    })
    .await
}

fn failure(kind: TlsFailureKind, text: impl Into<String>) -> TlsFailure {
    TlsFailure {
        kind,
        text: text.into(),
        certificate: None,
    }
}
