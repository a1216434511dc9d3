//! What stands in DNS of a domain and of this server: which records there should be, and whether they are there.
//!
//! 1. [`records::wanted`] makes the records of what the server knows of itself; [`leaving`] finds by whom else mail leaves. Pure.
//! 2. [`zone::text`] writes them for a name server.
//! 3. [`gather::all`] asks DNS.
//! 4. [`judge::findings`] compares, record by record, with `msgauth`'s readers ([`spf`], [`srv`] and [`tlsa`] have rules of their own). Pure.
//!
//! What this server does not serve yet (the policy of MTA-STS, autoconfiguration: there is no door for HTTPS) is named apart and never
//! written into a zone.

pub mod gather;
pub mod judge;
pub mod leaving;
pub mod records;
mod spf;
mod srv;
pub mod tlsa;
pub mod zone;
