//! The doors through which people read their mail: IMAP.
//!
//! [`imap::serve_connection`] takes a wire and serves one client until it leaves; see there for the journey.

pub mod events;
pub mod imap;
pub mod limits;
