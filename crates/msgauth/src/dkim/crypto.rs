//! Public keys and the one question asked of them. The arithmetic is `ring`'s; the limits are ours (RFC 8301 §3.2).

use ring::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};

/// A public key that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// an RSAPublicKey (RFC 8017 §A.1.1), and its number of bits
    Rsa(Vec<u8>, usize),
    /// RFC 8032 §5.1.5
    Ed25519([u8; 32]),
}

impl PublicKey {
    /// Reads what `p=` of an RSA key holds: a SubjectPublicKeyInfo, or an RSAPublicKey alone (RFC 6376 §3.6.1 and its errata).
    pub fn rsa(der: &[u8]) -> Option<Self> {
        let key = rsa_in_info(der).unwrap_or(der);
        let (body, _) = element(key, 0x30)?;
        let (modulus, rest) = element(body, 0x02)?;
        element(rest, 0x02)?;
        let significant = modulus.iter().position(|byte| *byte != 0)?;
        let modulus = &modulus[significant..];
        let bits = modulus.len() * 8 - modulus[0].leading_zeros() as usize;
        Some(Self::Rsa(key.to_vec(), bits))
    }

    /// Reads what `p=` of an Ed25519 key holds (RFC 8463 §4).
    pub fn ed25519(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self::Ed25519)
    }

    /// Whether the holder of the private key signed `data`. For Ed25519 `data` is the hash of what was signed (RFC 8463 §3).
    pub fn verifies(&self, data: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(key, _) => UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, key)
                .verify(data, signature)
                .is_ok(),
            Self::Ed25519(key) => {
                let hash = ring::digest::digest(&ring::digest::SHA256, data);
                UnparsedPublicKey::new(&ED25519, key)
                    .verify(hash.as_ref(), signature)
                    .is_ok()
            }
        }
    }
}

/// `SEQUENCE { SEQUENCE { OID, … }, BIT STRING { 0, RSAPublicKey } }`
fn rsa_in_info(der: &[u8]) -> Option<&[u8]> {
    let (info, _) = element(der, 0x30)?;
    let (_, rest) = element(info, 0x30)?;
    let (bits, _) = element(rest, 0x03)?;
    bits.strip_prefix(&[0])
}

/// One DER element of a tag: its content and what follows. Lengths of at most two octets.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (
            usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?),
            &rest[2..],
        ),
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tags::base64;

    #[test]
    fn aut_7_keys_tell_their_bits() {
        let key = b"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
        let Some(PublicKey::Rsa(bare, 1024)) = PublicKey::rsa(&base64(key).expect("base64")) else {
            panic!("a key of 1024 bits");
        };
        assert_eq!(PublicKey::rsa(&bare), Some(PublicKey::Rsa(bare.clone(), 1024)));
        for cut in 0..bare.len() {
            assert_eq!(PublicKey::rsa(&bare[..cut]), None);
        }
        assert_eq!(PublicKey::ed25519(&[0; 31]), None);
    }
}
