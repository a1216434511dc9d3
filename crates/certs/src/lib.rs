//! Our certificates and keys: the demo's own authority, reading certificate files for `serve`, and making keys that sign mail.
//!
//! 1. [`demo::provide`] makes or finds the demo's authority and server certificate in its directory.
//! 2. [`files::certificate`] and [`files::key`] check the PEM files that settings name, with an error that says which file and what to do.
//! 3. [`signing::rsa`] and [`signing::ed25519`] make keys that sign mail (DKIM).
//!
//! Whether key and certificate fit together is checked where they are used (`world-real::tls`). Keys are written with
//! mode 0600. Absences: no ACME yet, no renewal, no choice by name.

pub mod demo;
pub mod files;
pub mod signing;

/// A certificate chain and its key, both PEM.
#[derive(Clone)]
pub struct Pem {
    /// our certificate first, then those between it and its root
    pub chain: Vec<u8>,
    /// the private key
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pem")
            .field("chain_bytes", &self.chain.len())
            .finish_non_exhaustive()
    }
}
