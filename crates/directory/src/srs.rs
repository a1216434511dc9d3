//! Return addresses of forwarded mail: the sender rewriting scheme, SRS.
//!
//! A message that a stranger sent to an address of ours and that goes on to another server cannot keep its envelope
//! sender: the next server would ask the stranger's domain whether we may send for it (SPF, RFC 7208 §2.4), and be told no.
//! It gets a sender at our own domain, from which the old one can be read again when a report comes back:
//!
//! ```text
//! SRS0=HHHHHH=TT=domain=local@ours       a first forwarding
//! SRS1=HHHHHH=first=…=HH=TT=domain=local@ours   of what `first` had rewritten: reports go back through it
//! ```
//!
//! `H` is a keyed hash (HMAC-SHA-256, 30 bits in base32), `T` the day, modulo 1024. Case does not count, because servers on
//! the way may change it. Reading takes any text: what is not ours, forged or older than [`SRS_VALID_DAYS`] is
//! nobody's address. A sender whose rewritten form has a local part of more than 64 octets is kept as it is.

use std::fmt;

use mail::address::{Domain, LocalPart, Mailbox, Utf8};
use ring::hmac;
use world::chance::Chance;
use world::clock::UnixMs;

use crate::limits::{SRS_HASH_LETTERS, SRS_VALID_DAYS};

/// RFC 4648 §6, in the case in which we write it.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const DAY_MS: u64 = 86_400_000;
/// Days after which the stamp begins anew: two letters of five bits.
const STAMP_DAYS: u64 = 1024;

/// The secret behind the hashes. Does not print.
pub struct SrsKey(hmac::Key);

/// Why a return address is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadReturn {
    /// not of this form
    Malformed,
    /// the hash is not ours
    Forged,
    /// too long ago
    Expired,
}

impl fmt::Debug for SrsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SrsKey(…)")
    }
}

impl SrsKey {
    /// From its 32 octets, which must be kept over restarts: reports come back for days.
    pub fn new(octets: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, octets))
    }

    /// A new one.
    pub fn generate(chance: &dyn Chance) -> Self {
        let mut octets = [0; 32];
        chance.fill(&mut octets);
        Self::new(&octets)
    }

    /// The sender under which mail of `sender` goes on from `domain`; nothing when it would be too long.
    pub fn rewrite(&self, sender: &Mailbox, domain: &Domain, now: UnixMs) -> Option<Mailbox> {
        let (local, from) = (sender.local().as_str(), sender.domain().as_str());
        let text = match (strip_tag(local, "SRS0"), strip_tag(local, "SRS1")) {
            (Some(rest), _) => {
                let hash = self.hash(&["1", from, rest]);
                format!("SRS1={hash}={from}={rest}")
            }
            (None, Some(rest)) => {
                // Its first forwarder stays; the hash of the second one is replaced by ours.
                let (_, known) = rest[1..].split_once('=')?;
                let (first, rest) = known.split_once('=')?;
                let hash = self.hash(&["1", first, rest]);
                format!("SRS1={hash}={first}={rest}")
            }
            (None, None) => {
                let stamp = stamp(now);
                let hash = self.hash(&["0", &stamp, from, local]);
                format!("SRS0={hash}={stamp}={from}={local}")
            }
        };
        let local = LocalPart::from_unquoted(&text, Utf8::Allowed).ok()?;
        Mailbox::new(local, domain.clone()).ok()
    }

    /// Whom a report to this local part of ours is for.
    pub fn read(&self, local: &str, now: UnixMs) -> Result<Mailbox, BadReturn> {
        if let Some(rest) = strip_tag(local, "SRS0") {
            return self.read_first(&rest[1..], now);
        }
        let rest = strip_tag(local, "SRS1").ok_or(BadReturn::Malformed)?;
        let (hash, rest) = rest[1..].split_once('=').ok_or(BadReturn::Malformed)?;
        let (first, rest) = rest.split_once('=').ok_or(BadReturn::Malformed)?;
        if !self.is_ours(hash, &["1", first, rest]) {
            return Err(BadReturn::Forged);
        }
        mailbox(&format!("SRS0{rest}"), first)
    }

    fn read_first(&self, text: &str, now: UnixMs) -> Result<Mailbox, BadReturn> {
        let mut parts = text.splitn(4, '=');
        let mut next = || parts.next().ok_or(BadReturn::Malformed);
        let (hash, stamp, domain, local) = (next()?, next()?, next()?, next()?);
        if !self.is_ours(hash, &["0", stamp, domain, local]) {
            return Err(BadReturn::Forged);
        }
        match age_days(stamp, now).ok_or(BadReturn::Malformed)? {
            age if age <= SRS_VALID_DAYS => mailbox(local, domain),
            // Made tomorrow: a clock was set back.
            age if age == STAMP_DAYS - 1 => mailbox(local, domain),
            _ => Err(BadReturn::Expired),
        }
    }

    /// A secret for another purpose, the same for the same text as long as the key is.
    pub(crate) fn derived(&self, purpose: &str, text: &str) -> [u8; 32] {
        let tag = hmac::sign(&self.0, format!("{purpose}\0{text}").as_bytes());
        let mut octets = [0; 32];
        octets.copy_from_slice(tag.as_ref());
        octets
    }

    fn hash(&self, parts: &[&str]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part.to_lowercase().as_bytes());
            context.update(&[0]);
        }
        let tag = context.sign();
        let bits = tag
            .as_ref()
            .iter()
            .take(8)
            .fold(0_u64, |bits, octet| bits << 8 | u64::from(*octet));
        let letter = |place: usize| letter(bits >> (59 - 5 * place));
        (0..SRS_HASH_LETTERS).map(letter).collect()
    }

    fn is_ours(&self, hash: &str, parts: &[&str]) -> bool {
        // Compared whole: how long it takes tells nothing of where the first wrong letter is.
        let (ours, theirs) = (self.hash(parts), hash.to_ascii_uppercase());
        ours.len() == theirs.len()
            && ours
                .bytes()
                .zip(theirs.bytes())
                .fold(0, |wrong, (ours, theirs)| wrong | (ours ^ theirs))
                == 0
    }
}

/// Whether a local part has the form of a return address.
pub(crate) fn has_form(local: &str) -> bool {
    strip_tag(local, "SRS0")
        .or_else(|| strip_tag(local, "SRS1"))
        .is_some()
}

/// What follows the tag, with the separator in front: `=`, `+` or `-`, as other programs write it.
fn strip_tag<'a>(local: &'a str, tag: &str) -> Option<&'a str> {
    let (start, rest) = local.split_at_checked(tag.len())?;
    let right = start.eq_ignore_ascii_case(tag) && rest.starts_with(['=', '+', '-']);
    right.then_some(rest)
}

fn mailbox(local: &str, domain: &str) -> Result<Mailbox, BadReturn> {
    let read = || {
        let domain = Domain::parse(domain).ok()?;
        Mailbox::new(LocalPart::from_unquoted(local, Utf8::Allowed).ok()?, domain).ok()
    };
    read().ok_or(BadReturn::Malformed)
}

fn letter(bits: u64) -> char {
    char::from(BASE32[(bits & 31) as usize])
}

fn stamp(now: UnixMs) -> String {
    let day = now.0 / DAY_MS % STAMP_DAYS;
    [letter(day >> 5), letter(day)].iter().collect()
}

fn age_days(stamp: &str, now: UnixMs) -> Option<u64> {
    let digit = |byte: u8| {
        BASE32
            .iter()
            .position(|letter| *letter == byte.to_ascii_uppercase())
    };
    let &[high, low] = stamp.as_bytes() else {
        return None;
    };
    let made = (digit(high)? * 32 + digit(low)?) as u64;
    let today = now.0 / DAY_MS % STAMP_DAYS;
    Some((today + STAMP_DAYS - made) % STAMP_DAYS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixMs = UnixMs(1_795_672_800_000);

    fn key() -> SrsKey {
        SrsKey::new(&[7; 32])
    }

    fn address(text: &str) -> Mailbox {
        text.parse().expect("an address")
    }

    fn ours() -> Domain {
        Domain::parse("example.org").expect("a domain")
    }

    fn later(days: u64) -> UnixMs {
        UnixMs(NOW.0 + days * DAY_MS)
    }

    #[test]
    fn a_sender_comes_back() {
        for sender in [
            "alice@example.com",
            "Alice=Bob+x@sub.example.com",
            "\"a b\"@example.com",
            "jörg@example.com",
            "SRS0=AAAA=BB=first.example=alice@second.example",
            "srs0+aaaa=bb=first.example=alice@second.example",
        ] {
            let rewritten = key()
                .rewrite(&address(sender), &ours(), NOW)
                .expect("short enough");
            assert_eq!(rewritten.domain(), &ours());
            let read = key().read(rewritten.local().as_str(), NOW).expect("ours");
            assert!(
                read.to_string().eq_ignore_ascii_case(sender),
                "{sender}: {rewritten} {read}"
            );
            let lower = rewritten.local().as_str().to_lowercase();
            assert!(key().read(&lower, NOW).is_ok(), "{lower}");
        }
    }

    #[test]
    fn the_forms_are_those_that_other_servers_know() {
        let first = key()
            .rewrite(&address("alice@example.com"), &ours(), NOW)
            .expect("short");
        let parts: Vec<&str> = first.local().as_str().split('=').collect();
        assert_eq!(parts.len(), 5, "{first}");
        assert_eq!((parts[0], parts[1].len(), parts[2].len()), ("SRS0", 6, 2));
        assert_eq!((parts[3], parts[4]), ("example.com", "alice"));
        // Forwarded on by others: the first forwarder stays, ours replaces the second.
        let second = Domain::parse("third.example").expect("a domain");
        let once = SrsKey::new(&[1; 32])
            .rewrite(&first, &second, NOW)
            .expect("short");
        assert!(once.local().as_str().starts_with("SRS1="), "{once}");
        let twice = key().rewrite(&once, &ours(), NOW).expect("short");
        assert!(twice.local().as_str().starts_with("SRS1="), "{twice}");
        assert_eq!(key().read(twice.local().as_str(), NOW), Ok(first));
    }

    #[test]
    fn what_is_not_ours_is_nobodys() {
        let made = key()
            .rewrite(&address("alice@example.com"), &ours(), NOW)
            .expect("short");
        let local = made.local().as_str();
        let other = SrsKey::new(&[8; 32]);
        let once = key().rewrite(&address("SRS0=A=BB=x.example=y@z.example"), &ours(), NOW);
        let once = once.expect("short");
        let table = [
            (key().read(local, later(21)), None),
            (key().read(local, later(22)), Some(BadReturn::Expired)),
            (key().read(local, UnixMs(NOW.0 - DAY_MS)), None),
            (
                key().read(local, UnixMs(NOW.0 - 3 * DAY_MS)),
                Some(BadReturn::Expired),
            ),
            (other.read(local, NOW), Some(BadReturn::Forged)),
            (other.read(once.local().as_str(), NOW), Some(BadReturn::Forged)),
            (
                key().read(&local.replace("alice", "mallory"), NOW),
                Some(BadReturn::Forged),
            ),
            (
                key().read(&local.replace("example.com", "example.net"), NOW),
                Some(BadReturn::Forged),
            ),
            (key().read("SRS0=", NOW), Some(BadReturn::Malformed)),
            (key().read("SRS1=a=b", NOW), Some(BadReturn::Malformed)),
            (key().read("SRS0", NOW), Some(BadReturn::Malformed)),
            (key().read("alice", NOW), Some(BadReturn::Malformed)),
        ];
        for (place, (got, want)) in table.into_iter().enumerate() {
            assert_eq!(got.err(), want, "line {place}");
        }
        let long = address(&format!("{}@example.com", "a".repeat(40)));
        assert_eq!(key().rewrite(&long, &ours(), NOW), None);
    }

    proptest! {
        #[test]
        fn every_sender_comes_back(local in "[A-Za-z0-9=+._-]{1,25}", domain in "[a-z]{1,8}\\.[a-z]{2,5}", days in 0_u64..=21) {
            prop_assume!(!has_form(&local));
            let domain = Domain::parse(&domain).expect("a domain");
            let local = LocalPart::from_unquoted(&local, Utf8::Refused).expect("short");
            let sender = Mailbox::new(local, domain).expect("short");
            let made = key().rewrite(&sender, &ours(), NOW).expect("short enough");
            prop_assert_eq!(key().read(made.local().as_str(), later(days)), Ok(sender));
        }

        #[test]
        fn no_change_is_taken(place in 5_usize..40, letter in "[A-Z2-7]") {
            let made = key().rewrite(&address("alice@example.com"), &ours(), NOW).expect("short");
            let mut text = made.local().as_str().to_owned();
            prop_assume!(place < text.len() && text.is_char_boundary(place));
            let old = text[place..=place].to_owned();
            text.replace_range(place..=place, &letter);
            prop_assume!(!old.eq_ignore_ascii_case(&letter));
            prop_assert!(key().read(&text, NOW).is_err(), "{}", text);
        }

        #[test]
        fn any_text_is_read(text in ".{0,80}") {
            let _ = key().read(&text, NOW);
        }
    }
}
