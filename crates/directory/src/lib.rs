//! Who is here: domains, accounts, aliases, credentials.
//!
//! What a message and a sign-in ask of it, in order:
//! 1. [`Directory::open`] loads everything from the store into memory, by pages.
//! 2. [`Directory::resolve_from`] says to whom an address of an envelope belongs ([`mod@resolve`]): no I/O, so RCPT costs no
//!    query. What leads to another server is a [`Forward`], with a sender of ours ([`srs`]).
//! 3. [`Directory::reserve`] holds room in a mailbox for one message ([`quota`]).
//! 4. [`sasl`] reads PLAIN and LOGIN; [`Directory::authenticate`] checks the password ([`sign_in`], [`hashing`]). [`scram`] takes a
//!    proof instead.
//! 5. [`SignedIn::may_send_as`] says whether an address is somebody's own, or granted.
//! 6. [`admin`] changes domains, accounts and aliases: one commit, then the memory follows.
//!
//! Guarantees: an address resolves to each account at most once; alias loops end; `postmaster@` of a domain of ours is
//! delivered as long as one account is enabled; an unknown user, a disabled one and a wrong password cost the same hash;
//! hashing never takes more than (cores × 19 MiB); passwords do not print and are wiped.
//!
//! Limits: [`limits`]. Absences: no application passwords, no bans (they are `guard`'s). [`LocalRecipient`], [`Forward`] and
//! [`SignedIn`] have no public constructor: holding one proves that the directory was asked.

pub mod admin;
mod directory;
pub mod events;
mod forward;
pub mod hashing;
pub mod limits;
mod local;
pub mod noted;
pub mod password;
pub mod quota;
pub mod resolve;
pub mod sasl;
pub mod scram;
pub mod sign_in;
mod snapshot;
pub mod srs;
pub mod url_keys;

pub use admin::{AccountSpec, AccountView, AdminError, AliasView, Credential, DomainView};
pub use directory::{Directory, Doors};
pub use forward::{Forward, Vouched};
pub use local::{LocalCaller, LocalRules, LocalSender, TrustedUser};
pub use noted::{Change, noted};
pub use password::{Password, Verifier};
pub use quota::Reservation;
pub use resolve::{LocalRecipient, Reached, Resolution};
pub use sign_in::{AuthFailure, Origin, SignedIn};
pub use snapshot::DomainSettings;
pub use srs::SrsKey;

#[doc(hidden)]
pub mod fuzzing {
    //! Entries for fuzz targets.

    /// Runs both SASL machines over the lines of `bytes`.
    pub fn fuzz_sasl(bytes: &[u8]) {
        for mechanism in crate::sasl::Mechanism::ALL {
            let mut lines = bytes.split(|byte| *byte == b'\n');
            let mut step = crate::sasl::start(mechanism, lines.next().filter(|line| !line.is_empty()));
            while let (crate::sasl::Step::Challenge(_, exchange), Some(line)) = (step, lines.next()) {
                step = exchange.respond(line);
            }
        }
    }

    /// Reads a return address of forwarded mail, and rewrites the sender that it is.
    pub fn fuzz_srs(bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        let (key, now) = (
            crate::SrsKey::new(&[7; 32]),
            world::clock::UnixMs(1_795_672_800_000),
        );
        let _ = key.read(text, now);
        let domain = mail::address::Domain::parse("example.org").expect("a domain");
        let Ok(sender) = text.parse::<mail::address::Mailbox>() else {
            return;
        };
        let passed_on = srs_tag(&sender, "SRS1");
        if let Some(made) = key.rewrite(&sender, &domain, now) {
            let read = key.read(made.local().as_str(), now).map(|read| read.to_string());
            let same = read.is_ok_and(|read| read.eq_ignore_ascii_case(&sender.to_string()));
            assert!(passed_on || same, "{sender} was made {made}");
        }
    }

    fn srs_tag(sender: &mail::address::Mailbox, tag: &str) -> bool {
        let start = sender.local().as_str().get(..tag.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(tag))
    }

    /// Reads both messages of a SCRAM client: one on each line.
    pub fn fuzz_scram(bytes: &[u8]) {
        let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
        let first = crate::scram::ClientFirst::read(lines.next().unwrap_or_default());
        if let Ok(first) = first {
            let keys = crate::scram::Keys::nobody([7; 32]);
            let (_, exchange) = first.answer(keys, &Nothing);
            let right = exchange.check(lines.next().unwrap_or_default());
            assert!(!matches!(right, Ok(Some(_))), "nobody signs in as nobody");
        }
    }

    struct Nothing;

    impl world::chance::Chance for Nothing {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    /// Reads a stored verifier.
    pub fn fuzz_verifier(bytes: &[u8]) {
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Ok(verifier) = crate::Verifier::parse(text)
        {
            assert_eq!(crate::Verifier::parse(&verifier.to_string()), Ok(verifier));
        }
    }
}

#[cfg(test)]
mod tests;
