//! What stands in DNS of a domain and of this server: which records there should be, and whether they are there.
//!
//! 1. [`records::wanted`] makes the records of what the server knows of itself. Pure.
//! 2. [`zone::text`] writes them for a name server.
//! 3. [`gather::all`] asks DNS; [`judge::findings`] compares, record by record, with `msgauth`'s readers. Pure.
//!
//! What this server does not serve yet (the policy of MTA-STS, autoconfiguration: there is no door for HTTPS) is named apart and never
//! written into a zone.

pub mod gather;
pub mod judge;
pub mod records;
pub mod zone;
