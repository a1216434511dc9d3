//! MTA-STS (RFC 8461): what a domain asks of everybody who sends mail to it, found over DNS and HTTPS and remembered.
//!
//! 1. [`record`] reads the TXT record `_mta-sts.DOMAIN`: whether there is a policy, and which.
//! 2. [`fetch`] gets the policy from `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`, [`policy`] reads it.
//! 3. [`cache`] decides when to ask again, and what counts meanwhile: a policy that was fetched counts for its `max_age`, whatever
//!    becomes of DNS and HTTPS (threat case TLS-5).
//! 4. [`memory`] holds all domains within its bounds.
//!
//! All but `fetch` is pure. Who does it for deliveries is [`super::keeper`].

pub mod cache;
pub mod fetch;
pub mod memory;
pub mod policy;
pub mod record;
