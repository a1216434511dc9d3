//! The line driver: framed reading with deadlines over a wire, and the one way from plaintext to TLS.
//!
//! A connection's journey:
//! 1. [`Connection::new`] takes a plaintext wire, [`Connection::accept_tls`] one that starts with a TLS handshake;
//! 2. [`Driver::pending_input`] tells whether the client talked before it was its turn;
//! 3. [`Driver::read_line`] reads commands, [`Driver::fill`] / [`Driver::buffered`] / [`Driver::consume`] read everything else;
//! 4. [`Driver::write`] collects replies, [`Driver::flush`] sends them in as few writes as possible;
//! 5. [`Connection::into_tls`] (as the server) and [`Connection::start_tls`] (as the client) end the plaintext connection: it is
//!    consumed, and nothing it had buffered survives; [`Connection::connect_tls`] opens one that starts with the handshake;
//! 6. [`Driver::close`] says goodbye.
//!
//! Guarantees: every wait has an absolute deadline; reading is cancel-safe (drop the future at any time, no byte is lost); a
//! connection that waits owns no buffer, because both are given back when they are empty; nothing grows past the limits
//! in [`limits`]. Lines end with CRLF only: a bare LF, a bare CR and a NUL are errors, so that two servers cannot disagree on
//! where a line ends.
//!
//! Absent on purpose: no retry, no logging, no protocol.

mod driver;
pub mod limits;
mod pace;
pub(crate) mod read;
mod tls;
mod write;

pub use driver::{Connection, Driver, Plain, Secured};
pub use pace::Pace;
pub use read::ReadError;
pub use tls::IntoTlsError;
pub use write::WriteError;
