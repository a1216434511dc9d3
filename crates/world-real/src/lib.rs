//! The real side of the doors: clock, chance, sockets, TLS, the event log. The only crate that touches them.
//!
//! What the program does with it, in the order of a start:
//! 1. [`tcp::Bound::bind`] and [`unix::BoundControl::bind`] take the addresses while privileges are still there, before any runtime;
//! 2. [`keeper::Keeper::spawn`] leaves the private key and the reading of settings to a second process;
//!    [`tls::Identity::from_pem`] checks certificates and keys, [`tls::Certificates::new`] keeps them, [`tls::ServerTls::new`]
//!    makes one acceptor for each door, with the protocols (ALPN) that door speaks;
//! 3. [`confine::confine`] gives up every right that serving does not need, before the first thread;
//! 4. [`log::LogEvents::open`] starts the log, [`clock::RealClock::new`] and [`chance::RealChance`] open the small doors;
//! 5. inside the runtime, [`tcp::Bound::listen`] turns the sockets into [`world::net::Listener`]s, and
//!    [`signals::Signals::install`] hears what the operator wants;
//! 6. on the way out, [`dns::RealDns`] asks name servers, [`tcp::RealNetwork`] connects and [`tls_client::ClientTls`] encrypts;
//! 7. [`tls::Certificates::replace`], [`tls_client::ClientTls::replace`] and [`dns::RealDns::replace`] exchange what they hold while
//!    connections go on;
//! 8. [`log::LogEvents::close`] writes what is left.
//!
//! Afterwards [`log::trace::lines_of`] finds the life of one message in the log.
//!
//! Limits are in [`limits`]. Absent: protocols, decisions, retries of anything but `accept`.

pub mod chance;
pub mod clock;
pub mod confine;
mod dane;
pub mod dns;
pub mod keeper;
pub mod limits;
pub mod log;
pub mod signals;
pub mod systemd;
pub mod tcp;
pub mod tls;
pub mod tls_client;
pub mod tlsa;
pub mod unix;
mod validity;

/// Entries for the fuzzer.
#[doc(hidden)]
pub mod fuzzing {
    /// A name server's reply, as it came over the wire, to the question that it holds.
    pub fn fuzz_dns_reply(bytes: &[u8]) {
        crate::dns::fuzz_dns_reply(bytes);
    }

    /// A TLSA record and the certificates that are held against it.
    pub fn fuzz_dane(bytes: &[u8]) {
        crate::dane::fuzz(bytes);
    }
}
