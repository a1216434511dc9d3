//! SCRAM-SHA-256 (RFC 5802, RFC 7677): somebody proves that they know a password without sending it.
//!
//! 1. [`ClientFirst::read`] reads who it is and their nonce.
//! 2. [`crate::Directory::scram_begin`] answers with a salt, the same for everybody who is not there as for who is.
//! 3. [`crate::Directory::scram_finish`] checks the proof and proves in turn that the server knows the keys.
//!
//! Keys are kept only of passwords that this program generated: they have 100 bits, so it does no harm that 4,096 rounds are
//! cheaper to try than argon2id. Without channel binding (no `-PLUS`).

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use world::chance::Chance;
use zeroize::Zeroizing;

use crate::limits::{SALT_BYTES, SASL_LINE_BYTES, SCRAM_ROUNDS};
use crate::password::Password;
use crate::sasl::Refusal;

/// As announced.
pub const NAME: &str = "SCRAM-SHA-256";

const ROUNDS: NonZeroU32 = match NonZeroU32::new(SCRAM_ROUNDS) {
    Some(rounds) => rounds,
    None => NonZeroU32::MIN,
};

/// What is kept of a password: enough to check a proof, not enough to make one (RFC 5802 §3). As text in the form of RFC 5803.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    salt: Vec<u8>,
    stored: [u8; 32],
    server: [u8; 32],
}

impl Keys {
    /// Of a password, under a new salt. Generated passwords are plain ASCII, which SASLprep leaves as it is.
    pub(crate) fn of(password: &Password, chance: &dyn Chance) -> Self {
        let mut salt = vec![0; SALT_BYTES];
        chance.fill(&mut salt);
        Self::with_salt(password, salt)
    }

    fn with_salt(password: &Password, salt: Vec<u8>) -> Self {
        let salted = salted(password, &salt, ROUNDS);
        let client = sign(salted.as_ref(), b"Client Key");
        Self {
            salt,
            stored: sha256(&client),
            server: sign(salted.as_ref(), b"Server Key"),
        }
    }

    /// For somebody who is not there, or has no keys: no proof fits them. `secret` must be the same for the same name.
    pub(crate) fn nobody(secret: [u8; 32]) -> Self {
        Self {
            salt: secret[..SALT_BYTES].to_vec(),
            stored: sign(&secret, b"stored"),
            server: sign(&secret, b"server"),
        }
    }

    /// The keys in a credential's text, if it has any: they stand behind the verifier.
    pub(crate) fn in_credential(text: &str) -> Option<Self> {
        let (_, keys) = text.split_once(' ')?;
        Self::parse(keys)
    }

    /// `SCRAM-SHA-256$4096:salt$stored:server` (RFC 5803 §3)
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(NAME)?.strip_prefix('$')?;
        let (rounds_and_salt, keys) = rest.split_once('$')?;
        let (rounds, salt) = rounds_and_salt.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let key = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        let salt = STANDARD.decode(salt).ok()?;
        let known = rounds.parse() == Ok(SCRAM_ROUNDS) && (8..=64).contains(&salt.len());
        known.then_some(Self {
            salt,
            stored: key(stored)?,
            server: key(server)?,
        })
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored, &self.server].map(|key| STANDARD.encode(key));
        write!(f, "{NAME}${SCRAM_ROUNDS}:{salt}${stored}:{server}")
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(redacted)")
    }
}

/// The client's first message: `gs2-header client-first-message-bare` (RFC 5802 §7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFirst {
    /// as sent, `=2C` and `=3D` undone; not yet an address
    pub user: String,
    /// `n,,` or what stood there
    header: String,
    bare: String,
    nonce: String,
}

impl ClientFirst {
    /// Reads it, decoded from base64.
    ///
    /// # Errors
    /// [`Refusal`]: it is none, asks for channel binding, or to act for another.
    pub fn read(message: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(message).map_err(|_| Refusal::Malformed)?;
        if text.len() > SASL_LINE_BYTES {
            return Err(Refusal::TooLong);
        }
        let mut parts = text.splitn(3, ',');
        let (binding, acting_for, bare) = (parts.next(), parts.next(), parts.next());
        let (Some(binding), Some(acting_for), Some(bare)) = (binding, acting_for, bare) else {
            return Err(Refusal::Malformed);
        };
        // `y`: the client could bind and thinks that we cannot, which is true.
        if !matches!(binding, "n" | "y") {
            return Err(Refusal::Malformed);
        }
        let mut fields = bare.split(',');
        let user = fields
            .next()
            .and_then(|field| field.strip_prefix("n="))
            .and_then(name);
        let nonce = fields.next().and_then(|field| field.strip_prefix("r="));
        let (Some(user), Some(nonce)) = (user, nonce.filter(|nonce| is_nonce(nonce))) else {
            return Err(Refusal::Malformed);
        };
        let named = acting_for.strip_prefix("a=").map(name);
        match named {
            None if acting_for.is_empty() => {}
            Some(Some(other)) if other == user => {}
            Some(Some(_)) => return Err(Refusal::ActingForAnother),
            _ => return Err(Refusal::Malformed),
        }
        Ok(Self {
            user,
            header: format!("{binding},{acting_for},"),
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
        })
    }

    /// The server's first message, and what to keep for the last one.
    pub(crate) fn answer(self, keys: Keys, chance: &dyn Chance) -> (String, Exchange) {
        let mut ours = [0; 18];
        chance.fill(&mut ours);
        self.answer_with(keys, &STANDARD.encode(ours))
    }

    fn answer_with(self, keys: Keys, ours: &str) -> (String, Exchange) {
        let nonce = format!("{}{ours}", self.nonce);
        let first = format!("r={nonce},s={},i={SCRAM_ROUNDS}", STANDARD.encode(&keys.salt));
        let exchange = Exchange {
            header: self.header,
            nonce,
            so_far: format!("{},{first}", self.bare),
            keys,
        };
        (first, exchange)
    }
}

/// Between the server's first message and the client's last.
#[derive(Debug)]
pub struct Exchange {
    header: String,
    nonce: String,
    so_far: String,
    keys: Keys,
}

impl Exchange {
    /// Reads `client-final-message`. `Ok(Some)`: the proof is right, and this is the server's (`v=…`); `Ok(None)`: it is wrong.
    pub(crate) fn check(&self, message: &[u8]) -> Result<Option<String>, Refusal> {
        let text = std::str::from_utf8(message).map_err(|_| Refusal::Malformed)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Refusal::Malformed)?;
        let mut fields = without_proof.split(',');
        let binding = fields.next().and_then(|field| field.strip_prefix("c="));
        let nonce = fields.next().and_then(|field| field.strip_prefix("r="));
        let proof: Option<[u8; 32]> = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok());
        let (Some(binding), Some(nonce), Some(proof)) = (binding, nonce, proof) else {
            return Err(Refusal::Malformed);
        };
        // RFC 5802 §5.1: both must be what was agreed on, else somebody stands between.
        if STANDARD.decode(binding).ok().as_deref() != Some(self.header.as_bytes()) || nonce != self.nonce {
            return Err(Refusal::Malformed);
        }
        let signed = format!("{},{without_proof}", self.so_far);
        let mut client = sign(&self.keys.stored, signed.as_bytes());
        client
            .iter_mut()
            .zip(proof)
            .for_each(|(octet, proof)| *octet ^= proof);
        let right = same(&sha256(&client), &self.keys.stored);
        let ours = STANDARD.encode(sign(&self.keys.server, signed.as_bytes()));
        Ok(right.then(|| format!("v={ours}")))
    }
}

/// What a client says last to somebody's first message; the other side of [`Exchange`], for tests.
#[doc(hidden)]
pub fn client_final(password: &str, bare: &str, server_first: &str) -> Option<String> {
    let mut fields = server_first.split(',');
    let nonce = fields.next()?.strip_prefix("r=")?;
    let salt = STANDARD.decode(fields.next()?.strip_prefix("s=")?).ok()?;
    let rounds = NonZeroU32::new(fields.next()?.strip_prefix("i=")?.parse().ok()?)?;
    let salted = salted(&Password::new(password), &salt, rounds);
    let mut proof = sign(salted.as_ref(), b"Client Key");
    let without_proof = format!("c=biws,r={nonce}");
    let signed = format!("{bare},{server_first},{without_proof}");
    let signature = sign(&sha256(&proof), signed.as_bytes());
    proof
        .iter_mut()
        .zip(signature)
        .for_each(|(octet, signature)| *octet ^= signature);
    Some(format!("{without_proof},p={}", STANDARD.encode(proof)))
}

/// `saslname`: `,` and `=` are written `=2C` and `=3D`.
fn name(text: &str) -> Option<String> {
    let undone = text.replace("=2C", ",").replace("=3D", "=");
    let escaped = undone.replace('=', "=3D").replace(',', "=2C");
    (escaped == text && !text.is_empty() && !text.contains('\0')).then_some(undone)
}

/// `1*( %x21-2B / %x2D-7E )`
fn is_nonce(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| matches!(byte, 0x21..=0x7e) && byte != b',')
}

fn salted(password: &Password, salt: &[u8], rounds: NonZeroU32) -> Zeroizing<[u8; 32]> {
    let mut salted = Zeroizing::new([0; 32]);
    let text = password.reveal().as_bytes();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, text, salted.as_mut());
    salted
}

fn sign(key: &[u8], text: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    let mut octets = [0; 32];
    octets.copy_from_slice(tag.as_ref());
    octets
}

fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, octets).as_ref());
    hash
}

/// Compares in constant time.
fn same(left: &[u8; 32], right: &[u8; 32]) -> bool {
    let difference = left
        .iter()
        .zip(right)
        .fold(0, |bits, (left, right)| bits | (left ^ right));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_7677_example() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let keys = Keys::with_salt(&Password::new("pencil"), salt);
        let first = ClientFirst::read(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!(first.user, "user");
        let (said, exchange) = first.answer_with(keys, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
        assert_eq!(
            said,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(
            client_final("pencil", "n=user,r=rOprNGfwEbeRWgbNEkqO", &said).as_deref(),
            Some(last)
        );
        assert_eq!(
            exchange.check(last.as_bytes()),
            Ok(Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".to_owned()))
        );
        let wrong = last.replace("p=dHzb", "p=dHzc");
        assert_eq!(exchange.check(wrong.as_bytes()), Ok(None));
        for bad in [
            "c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzb",
            "",
        ] {
            assert_eq!(exchange.check(bad.as_bytes()), Err(Refusal::Malformed), "{bad}");
        }
    }

    #[test]
    fn log_4_first_messages_are_read_or_refused() {
        for (text, wanted) in [
            ("n,,n=a,r=b", Ok("a")),
            ("y,,n=a=2Cb=3Dc,r=b,x=ext", Ok("a,b=c")),
            ("n,a=a,n=a,r=b", Ok("a")),
            ("n,a=c,n=a,r=b", Err(Refusal::ActingForAnother)),
            ("n,c,n=a,r=b", Err(Refusal::Malformed)),
            ("p=tls-unique,,n=a,r=b", Err(Refusal::Malformed)),
            ("n,,n=,r=b", Err(Refusal::Malformed)),
            ("n,,n=a=2,r=b", Err(Refusal::Malformed)),
            ("n,,n=a,r=", Err(Refusal::Malformed)),
            ("n,,m=x,n=a,r=b", Err(Refusal::Malformed)),
            ("n,,r=b,n=a", Err(Refusal::Malformed)),
            ("", Err(Refusal::Malformed)),
        ] {
            let read = ClientFirst::read(text.as_bytes());
            assert_eq!(
                read.as_ref()
                    .map(|first| first.user.as_str())
                    .map_err(|refusal| *refusal),
                wanted,
                "{text}"
            );
        }
    }

    #[test]
    fn keys_round_trip_as_text() {
        let keys = Keys::nobody([7; 32]);
        assert_eq!(Keys::parse(&keys.to_string()), Some(keys.clone()));
        assert_eq!(Keys::in_credential(&format!("$argon2id$x {keys}")), Some(keys));
        for bad in [
            "",
            "SCRAM-SHA-256$4096:AA==$AA==:AA==",
            "SCRAM-SHA-1$4096:AAAAAAAAAAA=$:",
        ] {
            assert_eq!(Keys::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn log_4_no_bytes_confuse_it(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            crate::fuzzing::fuzz_scram(&bytes);
        }
    }
}
