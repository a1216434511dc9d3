//! Certificates for sinks: an authority of their own, and the three ways in which a certificate can be wrong. All servers of one authority
//! have the same key, so that a TLSA record about it fits the good one, the expired one and the one for another name.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::script::Fault;

/// Signs the certificates of sinks; a sender that shall believe them trusts [`Authority::pem`].
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
    pem: String,
    /// the key of every server, as PEM
    server_key: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new authority.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("ring makes keys");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names to be wrong");
        params
            .distinguished_name
            .push(DnType::CommonName, "Test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2045, 1, 1));
        let certificate = params.self_signed(&key).expect("a key signs its own certificate");
        let server_key = KeyPair::generate().expect("ring makes keys");
        Self {
            pem: certificate.pem(),
            certificate,
            issuer: Issuer::new(params, key),
            server_key: server_key.serialize_pem(),
        }
    }

    /// Its certificate, as a TLSA record with selector 0 holds it (DER).
    pub fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// The public key of its servers, as a TLSA record with selector 1 holds it (SubjectPublicKeyInfo).
    pub fn server_key(&self) -> Vec<u8> {
        self.key().subject_public_key_info()
    }

    fn key(&self) -> KeyPair {
        KeyPair::from_pem(&self.server_key).expect("it was written by us")
    }

    /// Its certificate, to be trusted.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Certificates, good and wrong, for these names.
    pub fn certificates(&self, names: &[&str]) -> Certificates {
        let stranger = Self::new();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let elsewhere = vec!["somewhere-else.invalid".to_owned()];
        Certificates {
            good: self.config(names.clone(), false),
            wrong_name: self.config(elsewhere, false),
            expired: self.config(names.clone(), true),
            unknown: stranger.config(names, false),
        }
    }

    /// Writes a chain and a key as PEM, for another program's use.
    ///
    /// # Errors
    ///
    /// The files cannot be written.
    pub fn write(&self, names: &[&str], chain: &Path, key: &Path) -> std::io::Result<()> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.write_by(self.key(), names, (chain, key))
    }

    /// The same with a key that no server had before.
    ///
    /// # Errors
    ///
    /// The files cannot be written.
    pub fn write_with_new_key(&self, names: &[&str], chain: &Path, key: &Path) -> std::io::Result<()> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let secret = KeyPair::generate().expect("ring makes keys");
        self.write_by(secret, names, (chain, key))
    }

    fn write_by(
        &self,
        secret: KeyPair,
        names: Vec<String>,
        (chain, key): (&Path, &Path),
    ) -> std::io::Result<()> {
        let certificate = self.sign(&secret, names, false);
        std::fs::write(chain, format!("{}{}", certificate.pem(), self.pem))?;
        std::fs::write(key, secret.serialize_pem())
    }

    fn sign(&self, key: &KeyPair, names: Vec<String>, expired: bool) -> rcgen::Certificate {
        let mut params = CertificateParams::new(names.clone()).expect("names of tests are names");
        if let Some(name) = names.first() {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = if expired {
            date_time_ymd(2021, 1, 1)
        } else {
            date_time_ymd(2045, 1, 1)
        };
        params
            .signed_by(key, &self.issuer)
            .expect("the authority may sign")
    }

    /// With the authority's certificate in the chain, as RFC 7672 §3.1.2 asks of servers with DANE-TA.
    fn config(&self, names: Vec<String>, is_expired: bool) -> Arc<ServerConfig> {
        let key = self.key();
        let certificate = self.sign(&key, names, is_expired);
        let chain = [certificate.der(), self.certificate.der()]
            .map(|der| CertificateDer::from(der.to_vec()))
            .to_vec();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .expect("ring supports TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("the key belongs to the certificate");
        Arc::new(config)
    }
}

/// What a sink shows in its handshakes.
#[derive(Clone)]
pub struct Certificates {
    good: Arc<ServerConfig>,
    wrong_name: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    unknown: Arc<ServerConfig>,
}

impl Certificates {
    pub(super) fn choose(&self, fault: Option<Fault>) -> Arc<ServerConfig> {
        Arc::clone(match fault {
            None => &self.good,
            Some(Fault::WrongName) => &self.wrong_name,
            Some(Fault::Expired) => &self.expired,
            Some(Fault::Unknown) => &self.unknown,
        })
    }
}
