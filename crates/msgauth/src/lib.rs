//! Who a message is really from: SPF, DKIM, DMARC, ARC and iprev, as evidence.
//!
//! What happens to one message, in the order in which a receiver does it:
//! 1. [`spf::check`] asks whether the client may use the envelope's domain (RFC 7208).
//! 2. [`dkim::Verifying`] takes the header, then the body as it streams by, then asks for the keys (RFC 6376).
//! 3. [`author::Author::of`] reads whose message it claims to be; [`dmarc::check`] asks whether one of the first two may vouch for that
//!    domain, and what the domain wants done if not (RFC 9989).
//! 4. [`arc::Verifying`] takes the message as DKIM does and tells who sealed what they saw of it (RFC 8617).
//! 5. [`iprev::check`] asks whether the client's address has a name that leads back to it (RFC 8601).
//! 6. [`policy::decide`] makes the verdict: a pure function, with a table of tests.
//! 7. [`results`] finds forged Authentication-Results and writes ours (RFC 8601).
//!
//! [`tls`] is about the other direction: what TLS mail of ours needs on its way to another server (decision 0035).
//!
//! [`examine::Examination`] does 1 to 5 for a message that streams by.
//!
//! Every result carries what was asked, what was answered and the rule that decided; the verdict and its explanation are made of that
//! and of nothing else (decision 0030). Questions go through a [`desk::Desk`], which has a number of questions and a time and
//! notes each of them. Parsing and deciding are pure functions.
//!
//! Guarantees: no result is better because DNS failed; what strangers wrote (records, explanations, names) is bounded and never
//! reaches a header field or a reply unchecked. Limits are in [`limits`].
//!
//! Absent: sockets, the store, the words of SMTP replies, reports.

pub mod arc;
pub mod author;
pub mod desk;
pub mod dkim;
pub mod dmarc;
pub mod events;
pub mod evidence;
pub mod examine;
#[doc(hidden)]
pub mod fuzzing;
pub mod iprev;
pub mod limits;
pub mod names;
pub mod network;
pub mod policy;
pub mod results;
pub mod spf;
pub mod suffixes;
pub mod tags;
pub mod tls;
