//! Certificates for sinks: an authority of their own, and the three ways in which a certificate can be wrong.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::script::Fault;

/// Signs the certificates of sinks; a sender that shall believe them trusts [`Authority::pem`].
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
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
        Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
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
            good: config(self.sign(names.clone(), false)),
            wrong_name: config(self.sign(elsewhere, false)),
            expired: config(self.sign(names.clone(), true)),
            unknown: config(stranger.sign(names, false)),
        }
    }

    /// Writes a chain and a key as PEM, for another program's use.
    ///
    /// # Errors
    ///
    /// The files cannot be written.
    pub fn write(&self, names: &[&str], chain: &Path, key: &Path) -> std::io::Result<()> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (certificate, secret) = self.sign(names, false);
        std::fs::write(chain, format!("{}{}", certificate.pem(), self.pem))?;
        std::fs::write(key, secret.serialize_pem())
    }

    fn sign(&self, names: Vec<String>, expired: bool) -> (rcgen::Certificate, KeyPair) {
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
        let key = KeyPair::generate().expect("ring makes keys");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the authority may sign");
        (certificate, key)
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

fn config((certificate, key): (rcgen::Certificate, KeyPair)) -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
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
