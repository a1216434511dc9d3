//! A server's certificate held against TLSA records (RFC 7672 §3, RFC 6698 §2.1).
//!
//! 1. A record about the server itself (DANE-EE) that fits decides: neither the name nor the dates count (RFC 7672 §3.1.1).
//! 2. A record about an authority (DANE-TA) that fits one of the chain's other certificates, or is one itself, makes it an authority for this
//!    connection: from it the chain must verify, with dates, and for one of the names (§3.1.2, §3.2.2).
//! 3. Nothing fits: there is no connection.
//!
//! That the server has the certificate's key is checked by the handshake in every case. The public authorities have no say here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ring::digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use world::clock::UnixMs;
use world::tlsa::{Matching, Selector, TlsaRecord, Usage};

/// What no TLSA record fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRecordFits;

impl fmt::Display for NoRecordFits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate fits none of the TLSA records in DNS")
    }
}

impl std::error::Error for NoRecordFits {}

/// Holds certificates against these records.
#[derive(Debug)]
pub struct DaneVerifier {
    records: Arc<[TlsaRecord]>,
    names: Arc<[String]>,
    provider: Arc<CryptoProvider>,
}

impl DaneVerifier {
    /// `names` are those of [`world::net::TlsPolicy::Dane`].
    pub fn new(records: Arc<[TlsaRecord]>, names: Arc<[String]>, provider: Arc<CryptoProvider>) -> Arc<Self> {
        Arc::new(Self {
            records,
            names,
            provider,
        })
    }

    fn of(&self, usage: Usage) -> impl Iterator<Item = &TlsaRecord> {
        self.records.iter().filter(move |record| record.usage() == usage)
    }

    /// The authorities of this connection: certificates of the chain above the server's own that a record fits, and those that a
    /// record holds whole.
    fn authorities(&self, chain: &[CertificateDer<'_>]) -> Vec<TrustAnchor<'static>> {
        let fits = |certificate: &&CertificateDer<'_>| {
            let key = key_of_authority(certificate);
            self.of(Usage::Authority)
                .any(|record| fits(record, certificate, key.as_ref()))
        };
        let held = self
            .of(Usage::Authority)
            .filter(|record| {
                (record.selector(), record.matching()) == (Selector::Certificate, Matching::Whole)
            })
            .map(|record| CertificateDer::from(record.data()));
        let found = chain.iter().filter(fits).cloned().chain(held);
        found
            .filter_map(|certificate| {
                let anchor = webpki::anchor_from_trusted_cert(&certificate).ok()?;
                Some(anchor.to_owned())
            })
            .collect()
    }

    /// Whether the chain verifies from one of `authorities`, now, for the server's name or another of the names.
    fn up_to(
        &self,
        authorities: Vec<TrustAnchor<'static>>,
        (own, chain): (&CertificateDer<'_>, &[CertificateDer<'_>]),
        (asked, now): (&ServerName<'_>, UnixTime),
    ) -> Result<ServerCertVerified, Error> {
        let roots = Arc::new(RootCertStore { roots: authorities });
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        let as_asked = verifier.verify_server_cert(own, chain, asked, &[], now);
        if !is_for_others(&as_asked) {
            return as_asked;
        }
        let mut names = self
            .names
            .iter()
            .filter_map(|name| ServerName::try_from(name.as_str()).ok());
        names
            .find_map(|name| verifier.verify_server_cert(own, chain, &name, &[], now).ok())
            .map_or(as_asked, Ok)
    }
}

fn is_for_others(verified: &Result<ServerCertVerified, Error>) -> bool {
    matches!(
        verified,
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        ))
    )
}

fn key_of_server(certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
    Some(parsed.subject_public_key_info().into_owned())
}

fn key_of_authority(certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let anchor = webpki::anchor_from_trusted_cert(certificate).ok()?;
    Some(webpki::spki_for_anchor(&anchor))
}

/// RFC 6698 §2.1. Both are public, so the time that comparing takes tells nothing.
fn fits(
    record: &TlsaRecord,
    certificate: &CertificateDer<'_>,
    key: Option<&SubjectPublicKeyInfoDer<'_>>,
) -> bool {
    let shown: &[u8] = match (record.selector(), key) {
        (Selector::Certificate, _) => certificate,
        (Selector::Key, Some(key)) => key,
        (Selector::Key, None) => return false,
    };
    match record.matching() {
        Matching::Whole => record.data() == shown,
        Matching::Sha256 => record.data() == digest::digest(&digest::SHA256, shown).as_ref(),
        Matching::Sha512 => record.data() == digest::digest(&digest::SHA512, shown).as_ref(),
    }
}

/// Whether a sender that goes by this record alone believes a server of the name `host` that shows this chain (DER, its own certificate first).
///
/// # Errors
/// Why not, in words.
pub fn believes(record: &TlsaRecord, chain: &[Vec<u8>], host: &str, now: UnixMs) -> Result<(), String> {
    let (own, above) = chain.split_first().ok_or("there is no certificate")?;
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    let above: Vec<_> = above
        .iter()
        .map(|one| CertificateDer::from(one.as_slice()))
        .collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = DaneVerifier::new(vec![record.clone()].into(), Vec::new().into(), provider);
    let now = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
    let verified =
        verifier.verify_server_cert(&CertificateDer::from(own.as_slice()), &above, &name, &[], now);
    verified.map(drop).map_err(|error| match error {
        Error::InvalidCertificate(CertificateError::Other(other)) if other.0.is::<NoRecordFits>() => {
            "other data".to_owned()
        }
        other => other.to_string(),
    })
}

impl ServerCertVerifier for DaneVerifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        asked: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = key_of_server(own);
        if self
            .of(Usage::Server)
            .any(|record| fits(record, own, key.as_ref()))
        {
            return Ok(ServerCertVerified::assertion());
        }
        let authorities = self.authorities(chain);
        if authorities.is_empty() {
            let why = OtherError(Arc::new(NoRecordFits));
            return Err(Error::InvalidCertificate(CertificateError::Other(why)));
        }
        self.up_to(authorities, (own, chain), (asked, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// For the fuzzer: a record's fields and data, a server's certificate and one above it, all from the bytes. Whoever is believed fits.
pub(crate) fn fuzz(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_at_checked(7) else {
        return;
    };
    let length = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
    let (data, rest) = rest.split_at(length(3).min(rest.len()));
    let (own, above) = rest.split_at(length(5).min(rest.len()));
    let Ok(record) = TlsaRecord::new(head[0], head[1], head[2], data.to_vec()) else {
        return;
    };
    let (own, above) = (CertificateDer::from(own), CertificateDer::from(above));
    let believed_as_itself = fits(&record, &own, key_of_server(&own).as_ref());
    let usage = record.usage();
    let name = ServerName::try_from("mx.example.org").expect("a host name");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let names = vec!["mx.example.org".to_owned(), data_as_name(data)];
    let verifier = DaneVerifier::new(vec![record].into(), names.into(), provider);
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_000_000));
    let verified = verifier.verify_server_cert(&own, &[above], &name, &[], now);
    match usage {
        Usage::Server => assert_eq!(verified.is_ok(), believed_as_itself),
        // Nobody is believed whose certificate cannot be read.
        Usage::Authority => assert!(verified.is_err() || webpki::EndEntityCert::try_from(&own).is_ok()),
    }
}

/// Any text may stand among the names.
fn data_as_name(data: &[u8]) -> String {
    String::from_utf8_lossy(&data[..data.len().min(300)]).into_owned()
}
