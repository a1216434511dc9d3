//! Making keys: both kinds for a domain, each with a selector that no other key here has.

use std::sync::Arc;

use certs::signing::{self, PrivatePem};
use msgauth::dkim::sign::SigningKey;
use world::chance::Chance;
use world::clock::UnixMs;

use super::entry::{Entry, Kind};
use super::life::Stage;
use super::shelf::Shelf;

/// Letters that nobody takes for others.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Makes a pair for each domain and keeps the private halves. Takes up to seconds: not for a task of the runtime.
///
/// # Errors
/// The disk, in words.
pub fn pairs(
    shelf: &Shelf,
    chance: &dyn Chance,
    now: UnixMs,
    domains: &[String],
) -> Result<Vec<Entry>, String> {
    let mut made = Vec::with_capacity(domains.len() * Kind::ALL.len());
    for domain in domains {
        let letters = unused(chance, |letters| shelf.has(&selector(now, letters, Kind::Rsa)));
        for kind in Kind::ALL {
            let selector = selector(now, &letters, kind);
            let pem = private(kind, chance);
            let name = format!("{selector}._domainkey.{domain}");
            let key = SigningKey::from_pem(&name, pem.reveal()).map_err(|_| {
                format!("a key that was just made for {domain} cannot be used: please report it")
            })?;
            shelf.put(&selector, &pem)?;
            made.push(Entry {
                domain: domain.clone(),
                selector,
                kind,
                record: key.record(),
                made_ms: now.0,
                stage: Stage::Waiting { since_ms: now.0 },
                seen_ms: None,
                ended_by_operator: false,
                key: Some(Arc::new(key)),
                looked_ms: None,
            });
        }
    }
    Ok(made)
}

fn private(kind: Kind, chance: &dyn Chance) -> PrivatePem {
    let mut fill = |octets: &mut [u8]| chance.fill(octets);
    match kind {
        Kind::Rsa => signing::rsa(&mut fill),
        Kind::Ed25519 => signing::ed25519(&mut fill),
    }
}

/// Letters that no key here has: two among ten thousand domains of a month may well draw the same, and a file is named by them alone.
fn unused(chance: &dyn Chance, taken: impl Fn(&str) -> bool) -> String {
    loop {
        let letters = letters(chance);
        if !taken(&letters) {
            return letters;
        }
    }
}

/// Six of 32 letters: a billion.
fn letters(chance: &dyn Chance) -> String {
    let mut octets = [0; 6];
    chance.fill(&mut octets);
    let letters = octets
        .iter()
        .map(|octet| char::from(LETTERS[usize::from(octet % 32)]));
    letters.collect()
}

/// `h202611-k7qd2m-rsa`: a person sees how old it is.
fn selector(now: UnixMs, letters: &str, kind: Kind) -> String {
    let month: String = now
        .rfc3339()
        .chars()
        .take(7)
        .filter(|letter| *letter != '-')
        .collect();
    format!("h{month}-{letters}-{}", kind.word())
}

#[cfg(test)]
mod tests {
    use testkit::chance::SeededChance;

    use super::*;

    #[test]
    fn letters_that_a_key_has_are_drawn_again() {
        let first = letters(&SeededChance::new(1));
        let got = unused(&SeededChance::new(1), |letters| letters == first);
        assert_ne!(got, first);
        assert_eq!(unused(&SeededChance::new(1), |_| false), first);
    }
}
