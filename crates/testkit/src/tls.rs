//! TLS without cryptography: a client and a server over simulated wires, with an outcome that the test sets.
//!
//! The handshake is one line in each direction. Afterwards every octet is flipped on the wire, so that a side that believes to
//! be in the clear understands nothing: mixing up the two is noticed as with real TLS. Nothing is secret.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use world::clock::BoxFuture;
use world::net::{
    BoxWire, CertificateFault, CertificateFaultKind, OutwardTls, TlsClient, TlsFacts, TlsFailure,
    TlsFailureKind, TlsPolicy, TlsServer, TlsVersion,
};

/// A handshake line is not longer than this.
const LINE_MAX_BYTES: usize = 1024;
/// What is added to every octet on the wire, modulo 2.
const FLIP: u8 = 0xa5;

/// What the server does with a client's handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Shows a certificate that verifies.
    Good,
    /// Shows a certificate that does not, for this reason.
    Unverified(String),
    /// Shows a certificate with this as its key's hash, for TLSA records; it verifies otherwise, or does not for a reason.
    Keyed(Vec<u8>, Result<(), String>),
    /// Closes the wire after the client's first message.
    Abort,
    /// Sends octets that are no handshake.
    Garbage,
    /// Says nothing and keeps the wire.
    Silent,
}

/// The accepting side.
#[derive(Debug)]
pub struct SimTlsServer {
    answer: Mutex<Answer>,
}

impl SimTlsServer {
    /// A server that answers every handshake like this.
    pub fn new(answer: Answer) -> Arc<Self> {
        Arc::new(Self {
            answer: Mutex::new(answer),
        })
    }

    /// Answers the next handshakes like this.
    pub fn set(&self, answer: Answer) {
        *self.answer.lock() = answer;
    }

    async fn shake(&self, mut wire: BoxWire) -> io::Result<(BoxWire, TlsFacts)> {
        let hello = read_line(&mut wire).await?;
        let Some(name) = hello.strip_prefix("HELLO ").map(str::to_owned) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a handshake"));
        };
        let answer = self.answer.lock().clone();
        let line = match &answer {
            Answer::Good => "GOOD\n".to_owned(),
            Answer::Unverified(why) => format!("UNVERIFIED {why}\n"),
            Answer::Keyed(key, Ok(())) => format!("KEY {} GOOD\n", hex(key)),
            Answer::Keyed(key, Err(why)) => format!("KEY {} UNVERIFIED {why}\n", hex(key)),
            Answer::Garbage => "500 what?\r\n".to_owned(),
            Answer::Abort => return Err(io::ErrorKind::ConnectionAborted.into()),
            Answer::Silent => return std::future::pending().await,
        };
        wire.write_all(line.as_bytes()).await?;
        if answer == Answer::Garbage {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok((
            Box::new(Flipped::new(wire)),
            facts(Some(name).filter(|name| name != "-")),
        ))
    }
}

impl TlsServer for SimTlsServer {
    fn accept(&self, wire: BoxWire) -> BoxFuture<'_, io::Result<(BoxWire, TlsFacts)>> {
        Box::pin(self.shake(wire))
    }
}

/// The connecting side.
#[derive(Debug, Default)]
pub struct SimTlsClient {
    asked: Mutex<Vec<(String, TlsPolicy)>>,
}

impl SimTlsClient {
    /// A client that believes what the server's line says of its certificate.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The names and policies of all handshakes so far, in order.
    pub fn asked(&self) -> Vec<(String, TlsPolicy)> {
        self.asked.lock().clone()
    }

    async fn shake(
        &self,
        mut wire: BoxWire,
        name: &str,
        policy: TlsPolicy,
    ) -> Result<(BoxWire, OutwardTls), TlsFailure> {
        self.asked.lock().push((name.to_owned(), policy.clone()));
        let sni = name.parse::<std::net::IpAddr>().is_err().then(|| name.to_owned());
        let hello = format!("HELLO {}\n", sni.as_deref().unwrap_or("-"));
        let exchanged = async {
            wire.write_all(hello.as_bytes()).await?;
            read_line(&mut wire).await
        };
        let line = exchanged.await.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => failure(TlsFailureKind::Handshake, &error.to_string()),
            _ => failure(
                TlsFailureKind::Closed,
                "the server closed the connection during the handshake",
            ),
        })?;
        let (key, line) = match line.strip_prefix("KEY ").and_then(|rest| rest.split_once(' ')) {
            Some((key, rest)) => (Some(key), rest),
            None => (None, line.as_str()),
        };
        let verified = match line.split_once(' ') {
            None if line == "GOOD" => Ok(()),
            Some(("UNVERIFIED", why)) => Err(fault(why)),
            _ => {
                return Err(failure(
                    TlsFailureKind::Handshake,
                    "the server did not answer with a handshake",
                ));
            }
        };
        refused(&policy, key, &verified)?;
        let outward = OutwardTls {
            facts: facts(sni),
            verified,
        };
        Ok((Box::new(Flipped::new(wire)), outward))
    }
}

impl TlsClient for SimTlsClient {
    fn connect<'a>(
        &'a self,
        wire: BoxWire,
        server_name: &'a str,
        policy: TlsPolicy,
    ) -> BoxFuture<'a, Result<(BoxWire, OutwardTls), TlsFailure>> {
        Box::pin(self.shake(wire, server_name, policy))
    }
}

/// Whether the policy forbids this certificate.
fn refused(
    policy: &TlsPolicy,
    key: Option<&str>,
    verified: &Result<(), CertificateFault>,
) -> Result<(), TlsFailure> {
    let (kind, text) = match (policy, verified) {
        (TlsPolicy::Opportunistic, _) | (TlsPolicy::Verified, Ok(())) => return Ok(()),
        (TlsPolicy::Verified, Err(why)) => (why.kind, why.text.as_str()),
        (TlsPolicy::Dane { records, .. }, _) => {
            if records
                .iter()
                .any(|record| Some(hex(record.data()).as_str()) == key)
            {
                return Ok(());
            }
            (CertificateFaultKind::Tlsa, "the certificate fits no record")
        }
    };
    Err(TlsFailure {
        certificate: Some(kind),
        ..failure(TlsFailureKind::Certificate, text)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn facts(sni: Option<String>) -> TlsFacts {
    TlsFacts {
        version: TlsVersion::Tls13,
        cipher: "TLS13_AES_256_GCM_SHA384",
        sni,
        alpn: None,
        resumed: false,
    }
}

/// Of the reason that a test gives; `expired` and `other name` are understood.
fn fault(why: &str) -> CertificateFault {
    let kind = match why {
        "expired" => CertificateFaultKind::Expired,
        "other name" => CertificateFaultKind::OtherName,
        _ => CertificateFaultKind::NotTrusted,
    };
    CertificateFault {
        kind,
        text: why.to_owned(),
    }
}

fn failure(kind: TlsFailureKind, text: &str) -> TlsFailure {
    TlsFailure {
        kind,
        text: text.to_owned(),
        certificate: None,
    }
}

async fn read_line(wire: &mut BoxWire) -> io::Result<String> {
    let mut line = Vec::new();
    loop {
        match wire.read_u8().await? {
            b'\n' => break,
            _ if line.len() == LINE_MAX_BYTES => return Err(io::ErrorKind::InvalidData.into()),
            byte => line.push(byte),
        }
    }
    String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// A wire whose octets are flipped on the way.
struct Flipped {
    wire: BoxWire,
    /// Flipped octets that the wire has not taken yet.
    unsent: Vec<u8>,
}

impl Flipped {
    fn new(wire: BoxWire) -> Self {
        Self {
            wire,
            unsent: Vec::new(),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let count = ready!(Pin::new(&mut self.wire).poll_write(cx, &self.unsent))?;
            self.unsent.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Flipped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = to.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(cx, to))?;
        for byte in &mut to.filled_mut()[before..] {
            *byte ^= FLIP;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flipped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        self.unsent = from.iter().map(|byte| byte ^ FLIP).collect();
        // What the wire does not take now goes with the next write, flush or shutdown.
        match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(from.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use world::clock::Monotonic;
    use world::line::{Connection, Plain};

    use super::*;
    use crate::clock::TokioClock;
    use crate::net::{SimWire, some_peer, wire_pair, wire_pair_in_pieces};

    const DEADLINE: Monotonic = Monotonic(Duration::from_secs(30));

    fn plain(wire: SimWire) -> Connection<Plain> {
        Connection::new(Box::new(wire), some_peer(), Arc::new(TokioClock::new()))
    }

    #[tokio::test(start_paused = true)]
    async fn every_answer_of_the_server_gives_its_outcome() {
        let why = || "self-signed".to_owned();
        let kind = TlsFailureKind::Certificate;
        let table = [
            (Answer::Good, TlsPolicy::Verified, Ok(Ok(()))),
            (
                Answer::Unverified(why()),
                TlsPolicy::Opportunistic,
                Ok(Err(why())),
            ),
            (Answer::Unverified(why()), TlsPolicy::Verified, Err(kind)),
            (
                Answer::Abort,
                TlsPolicy::Opportunistic,
                Err(TlsFailureKind::Closed),
            ),
            (
                Answer::Garbage,
                TlsPolicy::Opportunistic,
                Err(TlsFailureKind::Handshake),
            ),
            (
                Answer::Silent,
                TlsPolicy::Opportunistic,
                Err(TlsFailureKind::TimedOut),
            ),
        ];
        for (answer, policy, expected) in table {
            let (client, server) = wire_pair();
            let tls = SimTlsServer::new(answer.clone());
            let accepting = tokio::spawn(async move { plain(server).into_tls(&*tls, DEADLINE).await });
            let connected = plain(client)
                .start_tls(&*SimTlsClient::new(), "mx.example.org", policy, DEADLINE)
                .await;
            let outcome = connected
                .map(|(_, outward)| outward.verified.map_err(|fault| fault.text))
                .map_err(|failure| failure.kind);
            assert_eq!(outcome, expected, "{answer:?}");
            accepting.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_inside_arrives_and_is_not_understood_outside() {
        let (client, server) = wire_pair_in_pieces(7);
        let tls = SimTlsServer::new(Answer::Good);
        let accepting = tokio::spawn(async move { plain(server).into_tls(&*tls, DEADLINE).await });
        let started = plain(client)
            .start_tls(
                &*SimTlsClient::new(),
                "mx.example.org",
                TlsPolicy::Verified,
                DEADLINE,
            )
            .await;
        let (mut client, outward) = started.unwrap();
        assert_eq!(outward.facts.sni.as_deref(), Some("mx.example.org"));
        let mut server = accepting.await.unwrap().unwrap();
        assert_eq!(server.tls().sni.as_deref(), Some("mx.example.org"));
        client.write(&[b"x".repeat(200_000).as_slice(), b"\r\n"].concat());
        let (sent, line) = tokio::join!(client.flush(DEADLINE), server.read_line(300_000, DEADLINE));
        sent.unwrap();
        assert_eq!(line.unwrap().len(), 200_000);

        let (outside, mut inside) = wire_pair();
        Flipped::new(Box::new(outside))
            .write_all(b"EHLO\r\n")
            .await
            .unwrap();
        let mut seen = Vec::new();
        inside.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen.len(), 6);
        assert_ne!(seen, b"EHLO\r\n");
    }
}
