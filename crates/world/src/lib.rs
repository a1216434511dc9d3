//! The doors to the world as traits and plain types, and the line driver on top of them.
//!
//! A door is a small trait with a real side (`world-real`) and a simulated one (`testkit`): the clock ([`clock`]), chance
//! ([`chance`]), names ([`dns`]), connections and TLS ([`net`]), and what is told to the operator ([`events`]). Whoever needs
//! one is given it; nobody reaches around it (`clippy.toml` and the house rules see to that).
//!
//! On top stands the line driver ([`line`]), which every protocol's session reads and writes through:
//! 1. `fill` waits for octets with a deadline, holding no buffer while it waits;
//! 2. `read_line` cuts a line that ends in CR LF and nothing else, within a limit;
//! 3. `write` collects, `flush` sends with a deadline;
//! 4. `into_tls` consumes the plaintext connection and fails when anything was sent ahead of the handshake.
//!
//! Guarantees: every wait has a deadline; buffers are given back when they are empty; what came before TLS is never read
//! after it. Absences: no socket, no system clock, no randomness, no name server: those are `world-real`.

pub mod chance;
pub mod clock;
pub mod dns;
pub mod events;
pub mod ids;
pub mod line;
pub mod net;
pub mod tlsa;

/// Entries for the fuzzer.
#[doc(hidden)]
pub mod fuzzing {
    /// Lines with a limit; the first byte is the limit.
    pub fn fuzz_lines(bytes: &[u8]) {
        crate::line::read::fuzz_lines(bytes);
    }
}
