//! Signing: the header at once, the body as it streams by, one field for each key (RFC 6376 §5, RFC 8463).
//!
//! Who may be signed for is not decided here: the caller signs what an account submitted, never what a stranger brought.
//!
//! Fields that a reader sees are signed once more often than they are there, so that nobody can add one (RFC 6376 §8.15). Never with `l=`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::limits::PREFERRED_LINE_BYTES;
use ring::digest::{Context, SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};

use super::canon::{BodyCanon, Canon, header_field};
use super::header::Signable as SignableFields;
use crate::limits::DKIM_SIGNED_SAME;
use crate::names;

/// Signed once more often than they are there (threat case AUT-8).
pub const OVERSIGNED: [&str; 12] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Reply-To",
    "In-Reply-To",
    "References",
];
/// Signed as often as they are there: a list on the way may add its own.
pub const SIGNED: [&str; 8] = [
    "Sender",
    "List-Id",
    "List-Help",
    "List-Post",
    "List-Subscribe",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Auto-Submitted",
];

/// A private key of a domain.
pub struct SigningKey {
    domain: String,
    selector: String,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// What stands before the 32 octets of secret in PKCS#8 (RFC 8410 §7).
const ED25519_WRAPPING: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

impl fmt::Debug for SigningKey {
    /// Never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.algorithm().word(), self.record_name())
    }
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.record_name() == other.record_name() && self.record() == other.record()
    }
}

/// Why something is no signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSigningKey {
    /// the domain or selector is no name
    Name,
    /// no PKCS#8 key, or one that `ring` does not sign with: RSA has 2048 to 4096 bits
    Key,
}

impl SigningKey {
    /// An RSA key in PKCS#8 DER.
    pub fn rsa(domain: &str, selector: &str, pkcs8: &[u8]) -> Result<Self, BadSigningKey> {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| BadSigningKey::Key)?;
        Self::new(domain, selector, Pair::Rsa(Box::new(pair)))
    }

    /// An Ed25519 key by its 32 octets of secret (RFC 8032 §5.1.5).
    pub fn ed25519(domain: &str, selector: &str, seed: &[u8; 32]) -> Result<Self, BadSigningKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BadSigningKey::Key)?;
        Self::new(domain, selector, Pair::Ed25519(pair))
    }

    /// A private key in PEM (`PRIVATE KEY`, PKCS#8), as `openssl genpkey` writes it: RSA or Ed25519. `name` is where its record is
    /// published: `SELECTOR._domainkey.DOMAIN`.
    pub fn from_pem(name: &str, pem: &str) -> Result<Self, BadSigningKey> {
        let (selector, domain) = name.split_once("._domainkey.").ok_or(BadSigningKey::Name)?;
        let (_, rest) = pem
            .split_once("-----BEGIN PRIVATE KEY-----")
            .ok_or(BadSigningKey::Key)?;
        let (text, _) = rest
            .split_once("-----END PRIVATE KEY-----")
            .ok_or(BadSigningKey::Key)?;
        let der = crate::tags::base64(text.as_bytes()).ok_or(BadSigningKey::Key)?;
        match der
            .strip_prefix(&ED25519_WRAPPING)
            .and_then(|seed| seed.try_into().ok())
        {
            Some(seed) => Self::ed25519(domain, selector, seed),
            None => Self::rsa(domain, selector, &der),
        }
    }

    /// What tells it from the domain's other keys, canonical.
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// Whose mail it signs, canonical.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    fn new(domain: &str, selector: &str, pair: Pair) -> Result<Self, BadSigningKey> {
        let (domain, selector) = (names::canonical(domain), names::canonical(selector));
        if !names::is_plain(&domain) || !names::is_plain(&selector) {
            return Err(BadSigningKey::Name);
        }
        Ok(Self {
            domain,
            selector,
            pair,
        })
    }

    /// Where the record must be published.
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// What must be published there.
    pub fn record(&self) -> String {
        match &self.pair {
            Pair::Rsa(pair) => {
                let info = rsa_info(pair.public_key().as_ref());
                format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(info))
            }
            Pair::Ed25519(pair) => format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(pair.public_key())),
        }
    }

    fn algorithm(&self) -> super::signature::Algorithm {
        match self.pair {
            Pair::Rsa(_) => super::signature::Algorithm::RsaSha256,
            Pair::Ed25519(_) => super::signature::Algorithm::Ed25519Sha256,
        }
    }

    fn sign(&self, data: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(digest(&SHA256, data).as_ref()).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                // PKCS#1 v1.5 uses no chance; the function asks for a source for the paddings that do.
                let unused = ring::rand::SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &unused, data, &mut signature)
                    .expect("the buffer has the modulus' length");
                signature
            }
        }
    }
}

/// A SubjectPublicKeyInfo around an RSAPublicKey (RFC 5280 §4.1.2.7).
fn rsa_info(key: &[u8]) -> Vec<u8> {
    const RSA_ENCRYPTION: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let bits = der(0x03, &[&[0], key].concat());
    der(0x30, &[&RSA_ENCRYPTION[..], &bits].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        0x80..0x100 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(content);
    out
}

/// A message that is being signed.
pub struct Signing {
    /// `h=`
    listed: Vec<&'static str>,
    /// the signed fields, canonical
    data: Vec<u8>,
    body: BodyCanon,
    context: Context,
}

impl Signing {
    /// Starts with the header block as it will leave.
    pub fn begin(header: &[u8]) -> Self {
        let fields = SignableFields::of(header);
        let mut listed = Vec::new();
        for (names, more) in [(&OVERSIGNED[..], 1), (&SIGNED[..], 0)] {
            for name in names {
                let count = fields.count(&name.to_ascii_lowercase()).min(DKIM_SIGNED_SAME);
                listed.extend(std::iter::repeat_n(*name, count + more));
            }
        }
        let lower: Vec<String> = listed.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self {
            data: fields.data(&lower, None, Canon::Relaxed),
            listed,
            body: BodyCanon::new(Canon::Relaxed),
            context: Context::new(&SHA256),
        }
    }

    /// Takes octets of the body, with CRLF line ends, cut anywhere.
    pub fn body(&mut self, octets: &[u8]) {
        let context = &mut self.context;
        self.body.take(octets, &mut |octets| context.update(octets));
    }

    /// One DKIM-Signature field for each key, with line ends, to stand before the header. `now_s` is seconds since 1970.
    pub fn finish<'k>(mut self, keys: impl IntoIterator<Item = &'k SigningKey>, now_s: u64) -> Vec<u8> {
        let context = &mut self.context;
        self.body.finish(&mut |octets| context.update(octets));
        let body_hash = STANDARD.encode(self.context.finish());
        let mut fields = Vec::new();
        for key in keys {
            let unsigned = unsigned_field(key, &self.listed, &body_hash, now_s);
            let mut data = self.data.clone();
            header_field(Canon::Relaxed, unsigned.as_bytes(), &mut data);
            data.truncate(data.len() - 2);
            fields.extend_from_slice(unsigned.as_bytes());
            fields.extend_from_slice(folded(&STANDARD.encode(key.sign(&data))).as_bytes());
            fields.extend_from_slice(b"\r\n");
        }
        fields
    }
}

/// The field up to `b=`.
fn unsigned_field(key: &SigningKey, listed: &[&str], body_hash: &str, now_s: u64) -> String {
    let mut field = format!(
        "DKIM-Signature: v=1; a={}; c=relaxed/relaxed;\r\n d={};\r\n s={}; t={now_s};\r\n h=",
        key.algorithm().word(),
        key.domain,
        key.selector
    );
    let mut column = 3;
    for (place, name) in listed.iter().enumerate() {
        if place > 0 {
            field.push(':');
        }
        if column + name.len() + 1 > PREFERRED_LINE_BYTES {
            field.push_str("\r\n  ");
            column = 2;
        }
        field.push_str(name);
        column += name.len() + 1;
    }
    field.push_str(&format!(";\r\n bh={body_hash};\r\n b="));
    field
}

/// Base64 on lines that fit.
fn folded(text: &str) -> String {
    let mut out = String::new();
    for (place, letter) in text.chars().enumerate() {
        if place > 0 && place % (PREFERRED_LINE_BYTES - 6) == 0 {
            out.push_str("\r\n  ");
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_thousands_of_the_same_field_still_gets_a_signature_that_is_read() {
        let header = "From: a@there.example\r\n".repeat(3_000) + "\r\n";
        let key = SigningKey::ed25519("there.example", "k", &[7; 32]).expect("a key");
        let field = Signing::begin(header.as_bytes()).finish(&[key], 1);
        let field = mail::header::Fields::new(&field).next().expect("a field");
        let signature =
            crate::dkim::signature::Signature::parse(field.value()).expect("a signature that is read");
        let from = signature.signed.iter().filter(|name| name.as_str() == "from");
        assert_eq!(from.count(), DKIM_SIGNED_SAME + 1);
    }

    #[test]
    fn keys_are_read_as_openssl_writes_them() {
        let name = "h1._domainkey.example.org";
        let pem = |der: &[u8]| {
            format!(
                "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
                STANDARD.encode(der)
            )
        };
        let ed25519 = pem(&[&ED25519_WRAPPING[..], &[7; 32]].concat());
        let key = SigningKey::from_pem(name, &ed25519).expect("a key");
        assert_eq!(format!("{key:?}"), "ed25519-sha256 at h1._domainkey.example.org");
        assert_eq!(
            key,
            SigningKey::ed25519("example.org", "h1", &[7; 32]).expect("a key")
        );
        let rsa = pem(include_bytes!("../../tests/keys/rsa-2048.pk8"));
        assert!(
            SigningKey::from_pem(name, &rsa)
                .expect("a key")
                .record()
                .starts_with("v=DKIM1; k=rsa; p=MII")
        );
        assert_eq!(
            SigningKey::from_pem("h1.example.org", &rsa).err(),
            Some(BadSigningKey::Name)
        );
        assert_eq!(
            SigningKey::from_pem("a b._domainkey.example.org", &rsa).err(),
            Some(BadSigningKey::Name)
        );
        assert_eq!(SigningKey::from_pem(name, "").err(), Some(BadSigningKey::Key));
        assert_eq!(
            SigningKey::from_pem(name, &pem(&[1, 2, 3])).err(),
            Some(BadSigningKey::Key)
        );
    }
}
