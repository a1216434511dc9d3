//! Who is here: domains, accounts, aliases, credentials.
//!
//! What a message and a sign-in ask of it, in order:
//! 1. [`Directory::open`] loads everything from the store into memory, by pages.
//! 2. [`Directory::resolve`] says to whom an address of an envelope belongs ([`mod@resolve`]): no I/O, so RCPT costs no query.
//! 3. [`Directory::reserve`] holds room in a mailbox for one message ([`quota`]).
//! 4. [`sasl`] reads PLAIN and LOGIN; [`Directory::authenticate`] checks the password ([`sign_in`], [`hashing`]).
//! 5. [`SignedIn::may_send_as`] says whether an address is somebody's own.
//! 6. [`admin`] changes domains, accounts and aliases: one commit, then the memory follows.
//!
//! Guarantees: an address resolves to each account at most once; alias loops end; `postmaster@` of a domain of ours is
//! delivered as long as one account is enabled; an unknown user, a disabled one and a wrong password cost the same hash;
//! hashing never takes more than (cores × 19 MiB); passwords do not print and are wiped.
//!
//! Limits: [`limits`]. Absences: no remote alias targets yet, no application passwords, no bans (they are `guard`'s).
//! [`LocalRecipient`] and [`SignedIn`] have no public constructor: holding one proves that the directory was asked.

pub mod admin;
mod directory;
pub mod events;
pub mod hashing;
pub mod limits;
pub mod password;
pub mod quota;
pub mod resolve;
pub mod sasl;
pub mod sign_in;
mod snapshot;

pub use admin::{AccountSpec, AccountView, AdminError, AliasView, Credential, DomainView};
pub use directory::{Directory, Doors};
pub use password::{Password, Verifier};
pub use quota::Reservation;
pub use resolve::{LocalRecipient, Resolution};
pub use sign_in::{AuthFailure, Origin, SignedIn};
pub use snapshot::DomainSettings;

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
