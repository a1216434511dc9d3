//! TLS for connections that we open: rustls with ring, versions 1.2 and 1.3, in three policies.
//!
//! 1. [`ClientTls::new`] puts the public authorities and the operator's own together, [`ClientTls::replace`] exchanges them;
//! 2. the handshake takes any certificate (opportunistic), only one that verifies (verified), or only one that fits a TLSA record (DANE,
//!    [`crate::dane`]); that the server has the certificate's key is checked in all of them;
//! 3. afterwards the chain is judged again, so that a resumed session with an expired certificate is noticed too;
//! 4. what went wrong, or would have, is said in words.
//!
//! The policies share no sessions: what was resumed under one was checked under that one, and under DANE nothing is resumed, because
//! records change. Absent: which policy holds, revocation lists, client certificates.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_rustls::TlsConnector;
use world::clock::{BoxFuture, UnixMs};
use world::net::{
    BoxWire, CertificateFault, CertificateFaultKind, OutwardTls, TlsClient, TlsFailure, TlsFailureKind,
    TlsPolicy,
};
use world::tlsa::TlsaRecord;

use crate::dane::{DaneVerifier, NoRecordFits};
use crate::limits::{TLS_BUFFER_MAX_BYTES, TLS_NAMES_TOLD, TLS_SESSIONS_KEPT};
use crate::tls::{TlsSetupError, facts_of};

/// The connecting side of TLS.
pub struct ClientTls {
    current: RwLock<Arc<Current>>,
}

struct Current {
    provider: Arc<CryptoProvider>,
    opportunistic: TlsConnector,
    verified: TlsConnector,
    judge: Arc<WebPkiServerVerifier>,
}

/// Whom to trust, checked and not in force yet.
pub struct Trust(Current);

impl ClientTls {
    /// Trusts the public authorities (Mozilla's list, compiled in) and those in `extra_roots_pem`: the content of the operator's
    /// PEM file, or nothing.
    pub fn new(extra_roots_pem: &[u8]) -> Result<Arc<Self>, TlsSetupError> {
        Ok(Arc::new(Self {
            current: RwLock::new(Arc::new(Current::new(extra_roots_pem)?)),
        }))
    }

    /// Another file, checked, for [`ClientTls::put`].
    pub fn prepare(extra_roots_pem: &[u8]) -> Result<Trust, TlsSetupError> {
        Ok(Trust(Current::new(extra_roots_pem)?))
    }

    /// New handshakes trust these, and resume nothing that was agreed on before; connections that exist go on.
    pub fn put(&self, trust: Trust) {
        *self.current.write() = Arc::new(trust.0);
    }

    /// Prepares and puts.
    pub fn replace(&self, extra_roots_pem: &[u8]) -> Result<(), TlsSetupError> {
        self.put(Self::prepare(extra_roots_pem)?);
        Ok(())
    }

    async fn handshake(
        &self,
        wire: BoxWire,
        server_name: &str,
        policy: TlsPolicy,
    ) -> Result<(BoxWire, OutwardTls), TlsFailure> {
        let current = Arc::clone(&self.current.read());
        let connector = match &policy {
            TlsPolicy::Opportunistic => current.opportunistic.clone(),
            TlsPolicy::Verified => current.verified.clone(),
            TlsPolicy::Dane { records, names } => current.held_against(records, names)?,
        };
        let name = match (Name::of(server_name), &policy) {
            (Name::Usable(name), _) => name,
            // No SNI can be sent and no certificate can fit, but octets on the wire need not be readable for that.
            (Name::Unusable, TlsPolicy::Opportunistic) => {
                ServerName::IpAddress(IpAddr::from([0, 0, 0, 0]).into())
            }
            (Name::Unusable, TlsPolicy::Verified | TlsPolicy::Dane { .. }) => {
                let text = format!("no certificate can be for {server_name:?}: it is not a host name");
                return Err(refused(&fault(CertificateFaultKind::OtherName, text)));
            }
        };
        let small = |session: &mut ClientConnection| session.set_buffer_limit(Some(TLS_BUFFER_MAX_BYTES));
        let stream = connector
            .connect_with(name.clone(), wire, small)
            .await
            .map_err(|error| explain(&error, server_name))?;
        let session = stream.get_ref().1;
        let verified = current.judge(
            session.peer_certificates().unwrap_or_default(),
            &name,
            server_name,
        );
        if let (TlsPolicy::Verified, Err(why)) = (&policy, &verified) {
            return Err(refused(why));
        }
        let sni = match &name {
            ServerName::DnsName(name) => Some(name.as_ref().to_ascii_lowercase()),
            _ => None,
        };
        let facts =
            facts_of(session, sni).map_err(|error| failure(TlsFailureKind::Handshake, error.to_string()))?;
        Ok((Box::new(stream), OutwardTls { facts, verified }))
    }
}

impl TlsClient for ClientTls {
    fn connect<'a>(
        &'a self,
        wire: BoxWire,
        server_name: &'a str,
        policy: TlsPolicy,
    ) -> BoxFuture<'a, Result<(BoxWire, OutwardTls), TlsFailure>> {
        Box::pin(self.handshake(wire, server_name, policy))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

enum Name {
    Usable(ServerName<'static>),
    Unusable,
}

impl Name {
    /// A DNS name without its last dot, or an IP address with or without the brackets of an address literal.
    fn of(text: &str) -> Self {
        let bare = text.strip_suffix('.').unwrap_or(text);
        ServerName::try_from(bare.to_owned()).map_or(Self::Unusable, Self::Usable)
    }
}

impl Current {
    fn new(extra_roots_pem: &[u8]) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(roots(extra_roots_pem)?);
        let judge = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| TlsSetupError::BadRoots(error.to_string()))?;
        let any = Arc::new(AnyCertificate {
            provider: Arc::clone(&provider),
        });
        Ok(Self {
            opportunistic: connector(&provider, any)?,
            verified: connector(&provider, Arc::clone(&judge) as Arc<dyn ServerCertVerifier>)?,
            judge,
            provider,
        })
    }

    /// For one connection under DANE.
    fn held_against(
        &self,
        records: &Arc<[TlsaRecord]>,
        names: &Arc<[String]>,
    ) -> Result<TlsConnector, TlsFailure> {
        let verifier = DaneVerifier::new(Arc::clone(records), Arc::clone(names), Arc::clone(&self.provider));
        let mut config = config(&self.provider, verifier)
            .map_err(|error| failure(TlsFailureKind::Handshake, error.to_string()))?;
        config.resumption = Resumption::disabled();
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// Whether `chain` verifies for `name`, now.
    fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        asked: &str,
    ) -> Result<(), CertificateFault> {
        let Some((own, intermediates)) = chain.split_first() else {
            let text = "the server showed no certificate";
            return Err(fault(CertificateFaultKind::Other, text));
        };
        match self
            .judge
            .verify_server_cert(own, intermediates, name, &[], UnixTime::now())
        {
            Ok(_) => Ok(()),
            Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) if signs_itself(own) => {
                let text = "the certificate is self-signed";
                Err(fault(CertificateFaultKind::NotTrusted, text))
            }
            Err(rustls::Error::InvalidCertificate(error)) => Err(fault_of(&error, asked)),
            Err(error) => Err(fault(
                CertificateFaultKind::Other,
                format!("the certificate does not verify: {error}"),
            )),
        }
    }
}

fn roots(extra_pem: &[u8]) -> Result<RootCertStore, TlsSetupError> {
    let mut store = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if extra_pem.is_empty() {
        return Ok(store);
    }
    let before = store.len();
    for certificate in CertificateDer::pem_slice_iter(extra_pem) {
        certificate
            .map_err(|error| format!("it is not valid PEM: {error}"))
            .and_then(|certificate| store.add(certificate).map_err(|error| error.to_string()))
            .map_err(TlsSetupError::BadRoots)?;
    }
    if store.len() == before {
        return Err(TlsSetupError::BadRoots("there is no certificate in it".into()));
    }
    Ok(store)
}

fn config(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, TlsSetupError> {
    Ok(ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsSetupError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn connector(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<TlsConnector, TlsSetupError> {
    let mut config = config(provider, verifier)?;
    config.resumption = Resumption::in_memory_sessions(TLS_SESSIONS_KEPT);
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes any certificate, but only from somebody who has its key: otherwise one could not even say whom we talked to.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn signs_itself(certificate: &CertificateDer<'_>) -> bool {
    webpki::EndEntityCert::try_from(certificate).is_ok_and(|cert| cert.issuer() == cert.subject())
}

/// Whose fault a failed handshake is, and what happened.
fn explain(error: &io::Error, asked: &str) -> TlsFailure {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (inner, error.kind()) {
        (Some(rustls::Error::InvalidCertificate(error)), _) => refused(&fault_of(error, asked)),
        (Some(rustls::Error::AlertReceived(alert)), _) => failure(
            TlsFailureKind::Handshake,
            format!("the server broke the TLS handshake off (alert {alert:?})"),
        ),
        (Some(rustls::Error::InvalidMessage(_)), _) => {
            failure(TlsFailureKind::Handshake, "what the server sent is not TLS")
        }
        (Some(error), _) => failure(
            TlsFailureKind::Handshake,
            format!("the TLS handshake failed: {error}"),
        ),
        (
            None,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe,
        ) => failure(
            TlsFailureKind::Closed,
            "the server closed the connection during the TLS handshake",
        ),
        (None, _) => failure(
            TlsFailureKind::Io,
            format!("the connection failed during the TLS handshake: {error}"),
        ),
    }
}

/// What is wrong with a certificate that was shown for `asked`, by kind and in words.
fn fault_of(error: &CertificateError, asked: &str) -> CertificateFault {
    let kind = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => CertificateFaultKind::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateFaultKind::OtherName
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => CertificateFaultKind::NotTrusted,
        CertificateError::Other(other) if other.0.is::<NoRecordFits>() => CertificateFaultKind::Tlsa,
        _ => CertificateFaultKind::Other,
    };
    fault(kind, in_words(error, asked))
}

/// What is wrong with a certificate that was shown for `asked`.
fn in_words(error: &CertificateError, asked: &str) -> String {
    let day = |time: &UnixTime| UnixMs(time.as_secs().saturating_mul(1000)).rfc3339()[..10].to_owned();
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate expired on {}", day(not_after))
        }
        CertificateError::Expired => "the certificate has expired".into(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is valid from {} on only", day(not_before))
        }
        CertificateError::NotValidYet => "the certificate is not valid yet".into(),
        CertificateError::NotValidForNameContext { presented, .. } => names_in_words(presented, asked),
        CertificateError::NotValidForName => format!("the certificate is not for {asked}"),
        CertificateError::UnknownIssuer => "the certificate was issued by nobody we trust".into(),
        CertificateError::BadSignature => "a signature in the certificate's chain is wrong".into(),
        CertificateError::BadEncoding => "the certificate cannot be read".into(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not for servers".into()
        }
        CertificateError::Other(other) if other.0.is::<NoRecordFits>() => NoRecordFits.to_string(),
        CertificateError::Other(other) => {
            format!(
                "the certificate does not verify: {}",
                one_ascii_line(&other.to_string())
            )
        }
        other => format!(
            "the certificate does not verify: {}",
            one_ascii_line(&other.to_string())
        ),
    }
}

fn names_in_words(presented: &[String], asked: &str) -> String {
    let names: Vec<String> = presented
        .iter()
        .take(TLS_NAMES_TOLD)
        .map(|name| bare(name))
        .collect();
    let more = if presented.len() > names.len() {
        " and others"
    } else {
        ""
    };
    match names.is_empty() {
        true => format!("the certificate is not for {asked}: it has no names"),
        false => format!(
            "the certificate is for {}{more}, not for {asked}",
            names.join(", ")
        ),
    }
}

/// rustls writes the names of a certificate as `DnsName("mx.example.org")`.
fn bare(name: &str) -> String {
    let inner = name
        .split_once("(\"")
        .and_then(|(_, rest)| rest.strip_suffix("\")"));
    one_ascii_line(inner.unwrap_or(name))
}

/// What a certificate says goes into logs and reports: one line of ASCII.
fn one_ascii_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .take(255)
        .collect()
}

fn fault(kind: CertificateFaultKind, text: impl Into<String>) -> CertificateFault {
    CertificateFault {
        kind,
        text: text.into(),
    }
}

fn refused(fault: &CertificateFault) -> TlsFailure {
    TlsFailure {
        certificate: Some(fault.kind),
        ..failure(TlsFailureKind::Certificate, fault.text.clone())
    }
}

fn failure(kind: TlsFailureKind, text: impl Into<String>) -> TlsFailure {
    TlsFailure {
        kind,
        text: text.into(),
        certificate: None,
    }
}
