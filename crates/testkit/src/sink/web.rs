//! A web server that says one text to whoever asks for MTA-STS policies (RFC 8461 §3.3), with the certificates of sinks.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::script::Fault;
use super::tls::Certificates;

/// What it answers for.
const PATH: &str = "GET /.well-known/mta-sts.txt HTTP/1.1\r\n";
/// A request is shorter.
const REQUEST_OCTETS: usize = 4 << 10;
/// A client that says nothing for so long is left.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running web server. Dropping it closes the door.
pub struct PolicyServer {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    acceptor: Option<JoinHandle<()>>,
}

impl PolicyServer {
    /// Says `policy` at `address` (port 0: any), with a good certificate or one with a fault (`wrong-name`, `expired`, `unknown`).
    ///
    /// # Errors
    ///
    /// The address cannot be listened on, or there is no such fault.
    pub fn start(
        address: SocketAddr,
        policy: String,
        certificates: &Certificates,
        fault: Option<&str>,
    ) -> io::Result<Self> {
        let fault = fault.map(Fault::read).transpose().map_err(io::Error::other)?;
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let (stopped, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let config = certificates.choose(fault);
        let (theirs, counted) = (stopped.clone(), served.clone());
        let acceptor = std::thread::spawn(move || {
            for caller in listener.incoming() {
                if theirs.load(Ordering::Acquire) {
                    break;
                }
                let answered = caller.and_then(|caller| answer(caller, &config, &policy));
                counted.fetch_add(u64::from(answered.is_ok()), Ordering::AcqRel);
            }
        });
        Ok(Self {
            address,
            stopped,
            served,
            acceptor: Some(acceptor),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often it said its text.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Acquire)
    }
}

impl Drop for PolicyServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address)); // wakes who waits for callers
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

/// One caller after the other: tests have few.
fn answer(caller: TcpStream, config: &Arc<ServerConfig>, policy: &str) -> io::Result<()> {
    caller.set_read_timeout(Some(PATIENCE))?;
    caller.set_write_timeout(Some(PATIENCE))?;
    let session = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, caller);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet)?;
        request.push(octet[0]);
        if request.len() > REQUEST_OCTETS {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let (status, body) = match request.starts_with(PATH.as_bytes()) {
        true => ("200 OK", policy),
        false => ("404 Not Found", ""),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}

#[cfg(test)]
mod tests {
    use rustls::ClientConnection;
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};

    use super::super::Authority;
    use super::*;

    #[test]
    fn the_policy_is_said_under_tls_and_nothing_else_is() {
        let authority = Authority::new();
        let certificates = authority.certificates(&["mta-sts.s.test"]);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = PolicyServer::start(any, "version: STSv1\n".to_owned(), &certificates, None).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        let ask = |path: &str| {
            let name = "mta-sts.s.test".try_into().unwrap();
            let session = ClientConnection::new(config.clone(), name).unwrap();
            let mut stream = StreamOwned::new(session, TcpStream::connect(server.address()).unwrap());
            write!(stream, "GET {path} HTTP/1.1\r\nHost: mta-sts.s.test\r\n\r\n").unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).unwrap();
            said
        };
        let said = ask("/.well-known/mta-sts.txt");
        assert!(
            said.starts_with("HTTP/1.1 200 ") && said.ends_with("\r\n\r\nversion: STSv1\n"),
            "{said}"
        );
        assert!(ask("/").starts_with("HTTP/1.1 404 "));
        assert!(PolicyServer::start(any, String::new(), &certificates, Some("odd")).is_err());
    }
}
