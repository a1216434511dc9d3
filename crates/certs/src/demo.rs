//! The demo's own authority: made once for its directory, so that a client that trusts it goes on trusting it.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::Pem;
use crate::files::{FileError, certificate, key as private_key, read_file, write_file};

/// The authority's certificate, for clients to trust.
pub const CA_FILE: &str = "ca.pem";
/// The authority's key. Nobody needs it after the first start except to make another certificate.
pub const CA_KEY_FILE: &str = "ca.key";
/// The server's chain.
pub const SERVER_FILE: &str = "server.pem";
/// The server's key.
pub const SERVER_KEY_FILE: &str = "server.key";
/// Names and addresses the server's certificate answers for.
pub const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "::1", "mail.example.test"];

/// The demo's certificates.
#[derive(Debug, Clone)]
pub struct DemoCertificates {
    /// file with the authority's certificate
    pub ca_file: PathBuf,
    /// the server's chain and key
    pub server: Pem,
}

/// Finds the certificates in `dir`, or makes them. The chain file is written last: if it is there, all are.
pub fn provide(dir: &Path) -> Result<DemoCertificates, FileError> {
    let (server, key) = (dir.join(SERVER_FILE), dir.join(SERVER_KEY_FILE));
    if !server.exists() {
        make(dir)?;
    }
    Ok(DemoCertificates {
        ca_file: dir.join(CA_FILE),
        server: Pem {
            chain: certificate(&server, read_file(&server))?,
            key: private_key(&key, read_file(&key))?,
        },
    })
}

fn make(dir: &Path) -> Result<(), FileError> {
    let ca_key = KeyPair::generate().map_err(FileError::Generation)?;
    let ca_params = authority()?;
    let ca = ca_params.self_signed(&ca_key).map_err(FileError::Generation)?;
    let ca_key_pem = ca_key.serialize_pem();
    let issuer = Issuer::new(ca_params, ca_key);
    let key = KeyPair::generate().map_err(FileError::Generation)?;
    let certificate = server()?
        .signed_by(&key, &issuer)
        .map_err(FileError::Generation)?;
    write_file(&dir.join(CA_KEY_FILE), ca_key_pem.as_bytes(), 0o600)?;
    write_file(&dir.join(CA_FILE), ca.pem().as_bytes(), 0o644)?;
    write_file(&dir.join(SERVER_KEY_FILE), key.serialize_pem().as_bytes(), 0o600)?;
    write_file(
        &dir.join(SERVER_FILE),
        format!("{}{}", certificate.pem(), ca.pem()).as_bytes(),
        0o644,
    )
}

/// May sign server certificates only, no further authorities.
fn authority() -> Result<CertificateParams, FileError> {
    let mut params = CertificateParams::new(Vec::<String>::new()).map_err(FileError::Generation)?;
    params.distinguished_name.push(
        DnType::CommonName,
        "Hearthpost demo authority (trust it for trying only)",
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for_years(&mut params);
    Ok(params)
}

fn server() -> Result<CertificateParams, FileError> {
    let names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(FileError::Generation)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "mail.example.test");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    valid_for_years(&mut params);
    Ok(params)
}

// Fixed dates: this crate reads no clock, and a demo directory should not stop working.
fn valid_for_years(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2045, 1, 1);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

    use super::*;

    #[test]
    fn made_once_and_found_again_with_private_keys() {
        let dir = tempfile::tempdir().unwrap();
        let first = provide(dir.path()).unwrap();
        let second = provide(dir.path()).unwrap();
        assert_eq!(first.server.chain, second.server.chain);
        assert_eq!(first.server.key, second.server.key);
        for name in [CA_KEY_FILE, SERVER_KEY_FILE] {
            let mode = std::fs::metadata(dir.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_start_that_was_killed_half_way_is_made_good() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(CA_FILE), "half").unwrap();
        std::fs::write(dir.path().join("server.key.new"), "half").unwrap();
        provide(dir.path()).unwrap();
    }

    #[test]
    fn a_client_that_trusts_the_authority_trusts_the_server_under_each_name() {
        let dir = tempfile::tempdir().unwrap();
        let made = provide(dir.path()).unwrap();
        let ca = CertificateDer::from_pem_file(&made.ca_file).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap();
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&made.server.chain)
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(PrivateKeyDer::from_pem_slice(&made.server.key).is_ok());
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_795_000_000));
        use rustls::client::danger::ServerCertVerifier;
        for name in NAMES {
            let name = ServerName::try_from(name).unwrap();
            verifier
                .verify_server_cert(&chain[0], &chain[1..], &name, &[], now)
                .unwrap();
        }
        let other = ServerName::try_from("other.example.test").unwrap();
        assert!(
            verifier
                .verify_server_cert(&chain[0], &chain[1..], &other, &[], now)
                .is_err()
        );
    }
}
