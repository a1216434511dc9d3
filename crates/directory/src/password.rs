//! Passwords and their verifiers: redacted when printed, wiped when dropped.

use std::fmt;
use std::fmt::Write as _;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use world::chance::Chance;
use zeroize::Zeroizing;

use crate::limits;

/// A password in the clear. Never printed by `Debug`; its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>, Origin);

/// Who thought of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Somebody,
    /// [`Password::generate`]
    Us,
}

impl Password {
    /// Takes any text, as a client sent it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()), Origin::Somebody)
    }

    /// A new one of 100 unpredictable bits, easy to read aloud: 20 letters and digits in five groups.
    pub fn generate(chance: &dyn Chance) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut bytes = Zeroizing::new([0u8; limits::GENERATED_PASSWORD_CHARS]);
        chance.fill(bytes.as_mut());
        let mut text = String::with_capacity(limits::GENERATED_PASSWORD_CHARS + 4);
        for (place, byte) in bytes.iter().enumerate() {
            if place > 0 && place % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(byte & 31)]));
        }
        Self(Zeroizing::new(text), Origin::Us)
    }

    /// Whether it was made by [`Password::generate`], and so has 100 bits.
    pub fn is_generated(&self) -> bool {
        self.1 == Origin::Us
    }

    /// The text. Handle with care: it must reach neither a log nor the disk, except where its owner asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

/// What is kept of a password: an argon2id PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`).
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// The text was not an argon2id verifier this program accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadVerifier;

impl Verifier {
    /// Hashes `password` under a new salt. Costs 19 MiB and tens of milliseconds: only on a blocking thread.
    pub fn hash(password: &Password, chance: &dyn Chance) -> Self {
        let mut salt = vec![0u8; limits::SALT_BYTES];
        chance.fill(&mut salt);
        let mut new = Self {
            memory_kib: limits::ARGON2_MEMORY_KIB,
            passes: limits::ARGON2_PASSES,
            lanes: limits::ARGON2_LANES,
            salt,
            hash: vec![0; limits::HASH_BYTES],
        };
        new.hash = new
            .digest(password)
            .expect("our own parameters are valid for argon2");
        new
    }

    /// A verifier no password matches, which costs as much to try as a real one.
    pub fn unmatchable(chance: &dyn Chance) -> Self {
        let mut random = vec![0u8; limits::SALT_BYTES + limits::HASH_BYTES];
        chance.fill(&mut random);
        let hash = random.split_off(limits::SALT_BYTES);
        Self {
            memory_kib: limits::ARGON2_MEMORY_KIB,
            passes: limits::ARGON2_PASSES,
            lanes: limits::ARGON2_LANES,
            salt: random,
            hash,
        }
    }

    /// Reads a PHC string. Parameters above ours are refused, so that a stored text cannot ask for any amount of memory.
    pub fn parse(text: &str) -> Result<Self, BadVerifier> {
        // Keys for SCRAM may stand behind it.
        let text = text.split(' ').next().unwrap_or_default();
        let mut parts = text
            .strip_prefix("$argon2id$v=19$")
            .ok_or(BadVerifier)?
            .split('$');
        let (parameters, salt, hash) = (parts.next(), parts.next(), parts.next());
        let (Some(parameters), Some(salt), Some(hash), None) = (parameters, salt, hash, parts.next()) else {
            return Err(BadVerifier);
        };
        let mut numbers = parameters.split(',').zip(["m=", "t=", "p="]).map(|(part, name)| {
            part.strip_prefix(name)
                .and_then(|number| number.parse::<u32>().ok())
                .ok_or(BadVerifier)
        });
        let mut number = || numbers.next().unwrap_or(Err(BadVerifier));
        let (memory_kib, passes, lanes) = (number()?, number()?, number()?);
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| BadVerifier)?;
        let hash = STANDARD_NO_PAD.decode(hash).map_err(|_| BadVerifier)?;
        let within = (8..=limits::ARGON2_MEMORY_KIB).contains(&memory_kib)
            && (1..=8).contains(&passes)
            && lanes == 1
            && (8..=64).contains(&salt.len())
            && (16..=64).contains(&hash.len())
            && parameters.matches(',').count() == 2;
        if within {
            Ok(Self {
                memory_kib,
                passes,
                lanes,
                salt,
                hash,
            })
        } else {
            Err(BadVerifier)
        }
    }

    /// Whether `password` is the one. Compares in constant time. Costs as much as [`Verifier::hash`].
    pub fn matches(&self, password: &Password) -> bool {
        let Some(digest) = self.digest(password) else {
            return false;
        };
        let mut difference = digest.len() ^ self.hash.len();
        for (left, right) in digest.iter().zip(&self.hash) {
            difference |= usize::from(left ^ right);
        }
        std::hint::black_box(difference) == 0
    }

    fn digest(&self, password: &Password) -> Option<Vec<u8>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(self.hash.len())).ok()?;
        let mut digest = vec![0u8; self.hash.len()];
        let mut memory = own_pages(params.block_count());
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                password.reveal().as_bytes(),
                &self.salt,
                &mut digest,
                &mut memory,
            )
            .ok()?;
        Some(digest)
    }
}

/// Memory for one hash that goes back to the system when it is dropped. The C library's allocator keeps freed blocks of
/// this size for each thread, unless they are so large that it always maps them on their own: the surplus is never
/// touched, so it costs address space alone.
fn own_pages(blocks: usize) -> Vec<Block> {
    let mut memory = Vec::with_capacity(blocks.max(limits::OWN_PAGES_BYTES / Block::SIZE + 1));
    memory.resize(blocks, Block::new());
    memory
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "$argon2id$v=19$m={},t={},p={}$",
            self.memory_kib, self.passes, self.lanes
        )?;
        f.write_str(&STANDARD_NO_PAD.encode(&self.salt))?;
        f.write_char('$')?;
        f.write_str(&STANDARD_NO_PAD.encode(&self.hash))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;
    impl Chance for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (place, byte) in bytes.iter_mut().enumerate() {
                *byte = place as u8;
            }
        }
    }

    #[test]
    fn log_3_a_new_verifier_is_argon2id_with_19_mib_and_two_passes() {
        let verifier = Verifier::hash(&Password::new("correct horse"), &Counting);
        let text = verifier.to_string();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        let read = Verifier::parse(&text).unwrap();
        assert!(read.matches(&Password::new("correct horse")));
        assert!(!read.matches(&Password::new("correct horse ")));
        assert!(!Verifier::unmatchable(&Counting).matches(&Password::new("")));
    }

    #[test]
    fn agrees_with_the_reference_implementation() {
        // argon2-reference: echo -n password | argon2 somesalt -id -t 2 -k 256 -p 1 -l 32 (test vector of its test.c)
        let known = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert!(
            Verifier::parse(known)
                .unwrap()
                .matches(&Password::new("password"))
        );
        assert!(
            !Verifier::parse(known)
                .unwrap()
                .matches(&Password::new("Password"))
        );
    }

    #[test]
    fn verifiers_that_ask_for_too_much_or_are_torn_are_refused() {
        for bad in [
            "",
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=2$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=2,p=1,x=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR$x",
        ] {
            assert!(Verifier::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Password::new("secret")), "Password(redacted)");
        assert_eq!(Password::generate(&Counting).reveal(), "abcd-efgh-ijkm-npqr-stuv");
    }
}
