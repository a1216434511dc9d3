//! Keys that sign mail, made here: RSA of 2048 bits and Ed25519 (RFC 8301 §3.2, RFC 8463), as PEM (PKCS#8).
//!
//! `ring` makes no RSA keys, so the `rsa` crate finds the primes; everything that is signed later is signed by `ring`. Making an RSA key
//! takes from a tenth of a second to seconds: not for a task of the runtime. Chance comes from the caller.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::rand_core::{CryptoRng, Error, RngCore};
use zeroize::Zeroizing;

/// Bits of an RSA key: what every receiver takes, and what fits into a TXT record of a few strings.
pub const RSA_BITS: usize = 2048;
/// Letters on a line of PEM (RFC 7468 §2).
const PEM_LINE: usize = 64;
/// What stands before the 32 octets of secret in PKCS#8 (RFC 8410 §7).
const ED25519_WRAPPING: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A private key in PEM. Wiped when dropped, never printed.
pub struct PrivatePem(Zeroizing<String>);

impl PrivatePem {
    /// For the file that keeps it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivatePem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a private key")
    }
}

/// Random octets of the caller's.
pub type Fill<'a> = &'a mut dyn FnMut(&mut [u8]);

/// Makes an RSA key of [`RSA_BITS`].
pub fn rsa(fill: Fill<'_>) -> PrivatePem {
    let key = rsa::RsaPrivateKey::new(&mut Chance(fill), RSA_BITS)
        .expect("2048 bits and the usual exponent are always possible");
    let document = key.to_pkcs8_der().expect("a key that was just made has a form");
    pem(document.as_bytes())
}

/// Makes an Ed25519 key.
pub fn ed25519(fill: Fill<'_>) -> PrivatePem {
    let mut document = Zeroizing::new([0; 48]);
    document[..16].copy_from_slice(&ED25519_WRAPPING);
    fill(&mut document[16..]);
    pem(document.as_slice())
}

fn pem(document: &[u8]) -> PrivatePem {
    let letters = Zeroizing::new(STANDARD.encode(document));
    let mut text = Zeroizing::new(String::with_capacity(letters.len() * 2 + 64));
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    for (place, letter) in letters.chars().enumerate() {
        if place > 0 && place % PEM_LINE == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str("\n-----END PRIVATE KEY-----\n");
    PrivatePem(text)
}

struct Chance<'a>(Fill<'a>);

impl RngCore for Chance<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut octets = [0; 4];
        (self.0)(&mut octets);
        u32::from_le_bytes(octets)
    }

    fn next_u64(&mut self) -> u64 {
        let mut octets = [0; 8];
        (self.0)(&mut octets);
        u64::from_le_bytes(octets)
    }

    fn fill_bytes(&mut self, octets: &mut [u8]) {
        (self.0)(octets);
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Error> {
        (self.0)(octets);
        Ok(())
    }
}

/// The caller's chance is the operating system's, or a test's.
impl CryptoRng for Chance<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not chance, but well mixed (SplitMix64).
    fn fill(state: &mut u64, octets: &mut [u8]) {
        for octet in octets {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *octet = (mixed >> 40) as u8;
        }
    }

    fn der(pem: &PrivatePem) -> Vec<u8> {
        let lines: Vec<&str> = pem.reveal().lines().collect();
        assert!(
            lines.iter().all(|line| line.len() <= PEM_LINE),
            "{} lines",
            lines.len()
        );
        let inner = &lines[1..lines.len() - 1];
        STANDARD.decode(inner.concat()).expect("base64")
    }

    #[test]
    fn aut_7_keys_that_are_made_have_2048_bits_or_are_ed25519_and_no_two_are_alike() {
        use rsa::pkcs8::DecodePrivateKey as _;
        use rsa::traits::PublicKeyParts as _;
        let mut state = 7;
        let mut chance = |octets: &mut [u8]| fill(&mut state, octets);
        let made = rsa(&mut chance);
        let key = rsa::RsaPrivateKey::from_pkcs8_der(&der(&made)).expect("PKCS#8");
        assert_eq!(key.n().bits(), RSA_BITS);
        let (one, other) = (ed25519(&mut chance), ed25519(&mut chance));
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!((der(&one).len(), &der(&one)[..16]), (48, &ED25519_WRAPPING[..]));
        assert_eq!(format!("{one:?}"), "a private key");
    }
}
