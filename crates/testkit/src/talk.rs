//! A blocking client that says exactly the octets it is told to and reads what comes back, over plaintext or TLS.
//!
//! For black-box tests against the real program on loopback: protocol abuse needs a client without manners.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long a read may wait before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One connection.
pub struct Talk {
    line: Option<Line>,
    received: Vec<u8>,
}

/// Roots and protocol choices of a TLS client.
#[derive(Clone)]
pub struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    /// Trusts the authority in this PEM file.
    pub fn trusting(ca: &Path) -> Self {
        Self::with(ca, &[], rustls::ALL_VERSIONS)
    }

    /// Trusts the authority, offers these ALPN protocols and only these TLS versions.
    pub fn with(ca: &Path, alpn: &[&str], versions: &[&'static rustls::SupportedProtocolVersion]) -> Self {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(ca).expect("the demo wrote its CA as PEM");
        roots.add(certificate).expect("the demo's CA is a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("ring supports TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self(Arc::new(config))
    }
}

impl Talk {
    /// Connects to a port on 127.0.0.1.
    pub fn connect(port: u16) -> Self {
        Self::connect_to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("the door is open")
    }

    /// Connects to a door anywhere.
    ///
    /// # Errors
    ///
    /// Nobody lets it in within the patience.
    #[allow(clippy::disallowed_methods, reason = "a test client needs a real socket")]
    pub fn connect_to(door: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&door, PATIENCE)?;
        stream.set_nodelay(true).expect("sockets take options");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("sockets take options");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("sockets take options");
        Ok(Self {
            line: Some(Line::Plain(stream)),
            received: Vec::new(),
        })
    }

    /// Connects and starts TLS at once (465, 993).
    pub fn connect_tls(port: u16, tls: &TlsClient) -> Self {
        let mut talk = Self::connect(port);
        talk.start_tls(tls).expect("the handshake succeeds");
        talk
    }

    /// The TLS handshake on a plaintext connection to the demo.
    pub fn start_tls(&mut self, tls: &TlsClient) -> std::io::Result<()> {
        self.start_tls_as(tls, "localhost")
    }

    /// The TLS handshake; the certificate has to be for `name`.
    pub fn start_tls_as(&mut self, tls: &TlsClient, name: &str) -> std::io::Result<()> {
        let Some(Line::Plain(mut stream)) = self.line.take() else {
            panic!("TLS is started once")
        };
        let name = ServerName::try_from(name.to_owned()).expect("a valid name");
        let mut connection =
            ClientConnection::new(Arc::clone(&tls.0), name).map_err(std::io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        self.line = Some(Line::Tls(Box::new(StreamOwned::new(connection, stream))));
        Ok(())
    }

    /// Octets that arrived and were not read yet.
    pub fn unread(&self) -> &[u8] {
        &self.received
    }

    /// Sends octets as they are. A closed connection is not an error here: the next read tells.
    pub fn say(&mut self, octets: impl AsRef<[u8]>) {
        let octets = octets.as_ref();
        let _ = match self.line.as_mut().expect("connected") {
            Line::Plain(stream) => stream.write_all(octets),
            Line::Tls(stream) => stream.write_all(octets).and_then(|()| stream.flush()),
        };
    }

    /// Ends our side (FIN).
    pub fn finish(&mut self) {
        if let Some(Line::Plain(stream)) = &self.line {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }

    fn read_more(&mut self) -> std::io::Result<usize> {
        let mut some = [0; 16 * 1024];
        let count = match self.line.as_mut().expect("connected") {
            Line::Plain(stream) => stream.read(&mut some)?,
            Line::Tls(stream) => match stream.read(&mut some) {
                // No close_notify: closed all the same.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
                other => other?,
            },
        };
        self.received.extend_from_slice(&some[..count]);
        Ok(count)
    }

    /// One line without its CRLF; `None` when the connection is closed or reset.
    pub fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.received.drain(..end + 2).take(end).collect();
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            match self.read_more() {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    panic!(
                        "no answer in {PATIENCE:?}; so far: {:?}",
                        String::from_utf8_lossy(&self.received)
                    )
                }
                Err(_) => return None,
            }
        }
    }

    /// One SMTP reply, its lines joined by LF; empty when the connection is closed.
    pub fn reply(&mut self) -> String {
        let mut lines = Vec::new();
        while let Some(line) = self.line() {
            let last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if last {
                break;
            }
        }
        lines.join("\n")
    }

    /// Says a line and reads the SMTP reply.
    pub fn ask(&mut self, line: &str) -> String {
        self.say(format!("{line}\r\n"));
        self.reply()
    }

    /// Says a tagged IMAP command and reads up to its tagged answer (the last line); literals are read inline.
    pub fn imap(&mut self, tag: &str, command: &str) -> Vec<String> {
        self.say(format!("{tag} {command}\r\n"));
        self.imap_answer(tag)
    }

    /// Reads up to the tagged answer, or to the end of the connection.
    pub fn imap_answer(&mut self, tag: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line() {
            let done = line.starts_with(&format!("{tag} "));
            lines.push(line);
            if done {
                break;
            }
        }
        lines
    }

    /// Reads to the end of the connection; everything that still came.
    pub fn rest(&mut self) -> String {
        while matches!(self.read_more(), Ok(count) if count > 0) {}
        String::from_utf8_lossy(&std::mem::take(&mut self.received)).into_owned()
    }

    /// Whether the server closes within the patience (or has reset the connection).
    pub fn is_closed(&mut self) -> bool {
        loop {
            match self.read_more() {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return !matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    );
                }
            }
        }
    }
}
