//! TLS for connections that come in: rustls with ring, versions 1.2 and 1.3 only (RFC 8996, RFC 9325).
//!
//! rustls has no renegotiation, no compression and no weak ciphers to turn off, refuses ClientHellos over 64 KiB, and gives its
//! read buffer back down to 4 KiB between messages.

use std::fmt;
use std::io;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CommonState, HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use tokio_rustls::TlsAcceptor;
use world::clock::{BoxFuture, UnixMs};
use world::net::{BoxWire, TlsFacts, TlsServer, TlsVersion};

use crate::keeper::{Bundle, KeptKey};
use crate::limits::TLS_BUFFER_MAX_BYTES;
use crate::tlsa::{self, KeyHash};

/// Why a certificate or key cannot be used. The text is for the operator.
#[derive(Debug)]
pub enum TlsSetupError {
    /// There is no certificate in the file.
    NoCertificate,
    /// The certificate file cannot be read as PEM.
    BadCertificate(String),
    /// The key file has no private key that can be read.
    BadKey(String),
    /// The key does not belong to the certificate, or is of a kind we cannot use.
    Unusable(rustls::Error),
    /// TLS itself could not be set up.
    Setup(rustls::Error),
    /// There must be one certificate at least.
    NothingToServe,
    /// The file of further authorities cannot be used.
    BadRoots(String),
}

impl fmt::Display for TlsSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str(
                "the certificate file has no certificate: it should be PEM with the whole chain, the server's own certificate first",
            ),
            Self::BadCertificate(why) => write!(f, "the certificate file is not valid PEM: {why}"),
            Self::BadKey(why) => write!(f, "the key file has no usable private key (PEM, not encrypted): {why}"),
            Self::Unusable(why) => write!(f, "the private key does not fit the certificate: {why}"),
            Self::Setup(why) => write!(f, "TLS could not be set up: {why}"),
            Self::NothingToServe => f.write_str("there is no certificate to serve"),
            Self::BadRoots(why) => write!(f, "the file of further certificate authorities cannot be used: {why}"),
        }
    }
}

impl std::error::Error for TlsSetupError {}

/// A certificate chain with its key, and the names it answers for.
#[derive(Clone)]
pub struct Identity {
    names: Vec<String>,
    key: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads a PEM chain and a PEM key, and checks that they belong together. `names` are DNS names this identity is chosen for
    /// (`mail.example.org`, `*.example.org` for one label); leave them empty for the only certificate.
    pub fn from_pem<N: AsRef<str>>(
        names: &[N],
        chain_pem: &[u8],
        key_pem: &[u8],
    ) -> Result<Self, TlsSetupError> {
        let chain = chain(chain_pem)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem)
            .map_err(|error| TlsSetupError::BadKey(error.to_string()))?;
        let provider = rustls::crypto::ring::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(TlsSetupError::Unusable)?;
        Ok(Self::of(names, key))
    }

    /// The same with a key that the keeper has.
    pub(crate) fn kept<N: AsRef<str>>(
        names: &[N],
        chain_pem: &[u8],
        key: &KeptKey,
    ) -> Result<Self, TlsSetupError> {
        let key = CertifiedKey::new(chain(chain_pem)?, Arc::new(key.clone()));
        key.keys_match().map_err(TlsSetupError::Unusable)?;
        Ok(Self::of(names, key))
    }

    /// The only certificate of a bundle: `chain_pem` with the key that came with it. `None` when no key is kept; the words say
    /// why the key cannot be used.
    pub fn from_keeper(
        bundle: &Bundle,
        chain_pem: &[u8],
    ) -> Option<Result<Result<Self, TlsSetupError>, String>> {
        let key = bundle.key.as_ref()?;
        Some(match key {
            Ok(key) => Ok(Self::kept::<&str>(&[], chain_pem, key)),
            Err(why) => Err(why.clone()),
        })
    }

    fn of<N: AsRef<str>>(names: &[N], key: CertifiedKey) -> Self {
        let names = names
            .iter()
            .map(|name| name.as_ref().to_ascii_lowercase())
            .collect();
        Self {
            names,
            key: Arc::new(key),
        }
    }

    /// When the certificate ends; `None` when it does not say so in a way that is understood.
    pub fn not_after(&self) -> Option<UnixMs> {
        self.key
            .end_entity_cert()
            .ok()
            .and_then(|certificate| crate::validity::not_after(certificate))
    }

    /// The hash of the certificate's key, as a TLSA record has it.
    pub fn key_hash(&self) -> Option<KeyHash> {
        self.key.end_entity_cert().ok().and_then(tlsa::of_certificate)
    }

    /// What is shown to clients in DER, the server's own certificate first.
    pub fn chain(&self) -> Vec<Vec<u8>> {
        self.key.cert.iter().map(|one| one.to_vec()).collect()
    }

    fn fits(&self, name: &str) -> bool {
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(parent) => name
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
            None => own == name,
        })
    }
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsSetupError::BadCertificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(TlsSetupError::NoCertificate);
    }
    Ok(chain)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// The certificates all doors serve. They may be exchanged while connections go on.
#[derive(Debug)]
pub struct Certificates {
    current: RwLock<Arc<[Identity]>>,
}

impl Certificates {
    /// The first identity is the default: it is served to clients that ask for no name or for a name nobody has.
    pub fn new(identities: Vec<Identity>) -> Result<Arc<Self>, TlsSetupError> {
        if identities.is_empty() {
            return Err(TlsSetupError::NothingToServe);
        }
        Ok(Arc::new(Self {
            current: RwLock::new(identities.into()),
        }))
    }

    /// New handshakes use this one alone; sessions that exist go on with what they have.
    pub fn put(&self, identity: Identity) {
        *self.current.write() = vec![identity].into();
    }

    /// New handshakes use these; sessions that exist go on with what they have.
    pub fn replace(&self, identities: Vec<Identity>) -> Result<(), TlsSetupError> {
        if identities.is_empty() {
            return Err(TlsSetupError::NothingToServe);
        }
        *self.current.write() = identities.into();
        Ok(())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let identities = Arc::clone(&self.current.read());
        let asked = hello.server_name().map(str::to_ascii_lowercase);
        let chosen = asked.and_then(|name| identities.iter().find(|identity| identity.fits(&name)));
        chosen
            .or(identities.first())
            .map(|identity| Arc::clone(&identity.key))
    }
}

/// The accepting side of TLS for one door.
pub struct ServerTls {
    acceptor: TlsAcceptor,
}

impl ServerTls {
    /// One door's TLS over shared certificates. `alpn` lists the application protocols the door speaks (`imap`, `smtp`): a client
    /// that offers only others is refused (ALPACA; RFC 9325 §3.7), one that offers none is welcome. An empty list refuses every offer.
    pub fn new(certificates: Arc<Certificates>, alpn: &[&str]) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(TlsSetupError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        if alpn.is_empty() {
            // rustls ignores offers when its own list is empty; this name, registered to nobody, makes it refuse them.
            config.alpn_protocols.push(b"\0none".to_vec());
        }
        // Tickets keep sessions at the client instead of in our memory. Each door has its own key: a session made at one
        // door cannot be resumed at another.
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(TlsSetupError::Setup)?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 1;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// The short way for one certificate.
    pub fn from_pem(chain_pem: &[u8], key_pem: &[u8], alpn: &[&str]) -> Result<Self, TlsSetupError> {
        let identity = Identity::from_pem::<&str>(&[], chain_pem, key_pem)?;
        Self::new(Certificates::new(vec![identity])?, alpn)
    }

    async fn handshake(&self, wire: BoxWire) -> io::Result<(BoxWire, TlsFacts)> {
        let small = |session: &mut ServerConnection| session.set_buffer_limit(Some(TLS_BUFFER_MAX_BYTES));
        let stream = self.acceptor.accept_with(wire, small).await?;
        let session = stream.get_ref().1;
        let sni = session.server_name().map(str::to_ascii_lowercase);
        let facts = facts_of(session, sni)?;
        Ok((Box::new(stream), facts))
    }
}

impl TlsServer for ServerTls {
    fn accept(&self, wire: BoxWire) -> BoxFuture<'_, io::Result<(BoxWire, TlsFacts)>> {
        Box::pin(self.handshake(wire))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

/// What either side's finished handshake agreed on. `sni` is the name that the client sent.
pub(crate) fn facts_of(session: &CommonState, sni: Option<String>) -> io::Result<TlsFacts> {
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
        Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
        other => {
            return Err(io::Error::other(format!(
                "a TLS version we do not speak was agreed on: {other:?}"
            )));
        }
    };
    let cipher = session
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str())
        .unwrap_or("unknown");
    Ok(TlsFacts {
        version,
        cipher,
        sni,
        alpn: session
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned()),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
    })
}
