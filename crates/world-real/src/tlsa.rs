//! What a TLSA record says of a certificate of ours: usage 3, selector 1, matching type 1, the hash of its public key (RFC 7671 §5.1).
//!
//! Such a record outlives the certificate as long as the key stays, and can be published before the certificate is there.

use ring::digest::{SHA256, digest};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::EndEntityCert;

pub use crate::dane::believes;

/// SHA-256 of a public key (a SubjectPublicKeyInfo).
pub type KeyHash = [u8; 32];

/// Of a certificate in DER; `None` when it is none.
pub fn of_certificate(certificate: &CertificateDer<'_>) -> Option<KeyHash> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    Some(hash(&certificate.subject_public_key_info()))
}

/// Of the first certificate of a PEM file, or of the public key in it (`openssl pkey -pubout`).
pub fn of_pem(pem: &[u8]) -> Option<KeyHash> {
    match CertificateDer::from_pem_slice(pem) {
        Ok(certificate) => of_certificate(&certificate),
        Err(_) => SubjectPublicKeyInfoDer::from_pem_slice(pem)
            .ok()
            .map(|key| hash(&key)),
    }
}

/// The certificates of a PEM file in DER, as they stand there; nothing when one of them cannot be read.
pub fn chain_of_pem(pem: &[u8]) -> Vec<Vec<u8>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.map_or_else(|_| Vec::new(), |all| all.iter().map(|one| one.to_vec()).collect())
}

fn hash(key: &[u8]) -> KeyHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, key).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_its_public_key_have_the_same_record_and_junk_has_none() {
        let made = rcgen::generate_simple_self_signed(vec!["mail.example.org".to_owned()]).unwrap();
        let certificate = of_pem(made.cert.pem().as_bytes()).unwrap();
        assert_eq!(
            of_pem(made.signing_key.public_key_pem().as_bytes()),
            Some(certificate)
        );
        assert_eq!(of_certificate(made.cert.der()), Some(certificate));
        let chain = format!("{}{}", made.cert.pem(), made.cert.pem());
        assert_eq!(
            chain_of_pem(chain.as_bytes()),
            [made.cert.der().to_vec(), made.cert.der().to_vec()]
        );
        assert_eq!(chain_of_pem(b"junk"), Vec::<Vec<u8>>::new());
        assert_eq!(of_pem(b""), None);
        assert_eq!(
            of_pem(made.signing_key.serialize_pem().as_bytes()),
            None,
            "a private key is no record"
        );
    }
}
