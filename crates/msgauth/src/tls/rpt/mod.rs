//! Reporting on TLS (RFC 8460): what was seen of other domains' TLS, one day at a time, and the document that says so.
//!
//! 1. [`record`] reads where a domain wants its reports (`_smtp._tls.DOMAIN`).
//! 2. [`evidence`] counts attempts by day, domain, policy, host and result, within bounds.
//! 3. [`pages`] decides which days are old enough to be removed.
//! 4. [`document`] makes the JSON of RFC 8460 §4.4 of one domain's day.
//!
//! Pure. Absent: sending reports.

pub mod document;
pub mod evidence;
pub mod pages;
pub mod record;
