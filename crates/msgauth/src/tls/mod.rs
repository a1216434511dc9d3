//! What TLS a message needs on its way to another server: evidence from DANE (RFC 7672), MTA-STS (RFC 8461), the list of domains that
//! must have TLS and the message itself (RFC 8689), and the one rule that is made of it.
//!
//! 1. [`dane`] asks for the TLSA records of one mail exchanger, where DNSSEC vouches for the way to them.
//! 2. [`DomainPolicies`] is asked what is known of the recipient's domain, and tells for each of its exchangers.
//! 3. [`policy::decide`] makes the rule: a pure function, with a table of tests. It is asked before any connection is made.
//! 4. [`attempt::TlsAttempt`] says how one attempt went, for reports (RFC 8460).
//!
//! [`keeper::Keeper`] is who answers in 2: it finds policies ([`sts`]), goes by the list ([`list`]), counts what it is told of attempts
//! ([`rpt`]), and remembers all that in its [`book`].
//!
//! Absent: connections, the handshake (the TLS door does it under the rule), the queue.

use world::clock::BoxFuture;

use attempt::TlsAttempt;
use policy::{Listed, Sts};

pub mod attempt;
pub mod book;
pub mod dane;
pub mod day;
pub mod dry_run;
pub mod keeper;
pub mod list;
pub mod policy;
mod record;
pub mod rpt;
pub mod settings;
pub mod shelf;
pub mod sts;
mod text;
pub mod timeline;

/// What is known of recipients' domains, kept by somebody who asks in time and remembers.
pub trait DomainPolicies: Send + Sync + 'static {
    /// What holds for mail to `domain` (lower case, A-labels) at each of `hosts`, which its MX records name (or `domain` itself where
    /// there are none). The answer has one entry for each host, in order. Ends by itself in bounded time: who cannot find
    /// a policy in time answers what it knows.
    fn of<'a>(&'a self, domain: &'a str, hosts: &'a [String]) -> BoxFuture<'a, Vec<OfDomain>>;

    /// Takes note of how TLS went with one host. Called once for each connection that was tried, and once for each host that the
    /// rule refused before any; must return at once.
    fn attempted(&self, attempt: &TlsAttempt);
}

/// What is known of a domain, for one of its hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfDomain {
    /// by MTA-STS
    pub sts: Sts,
    /// no policy is known, and there may be one: DNS or its web server did not answer
    pub sts_unsure: bool,
    /// on the list of domains that must have TLS
    pub listed: Listed,
}

/// Nothing is known of any domain.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPolicies;

impl DomainPolicies for NoPolicies {
    fn of<'a>(&'a self, _: &'a str, hosts: &'a [String]) -> BoxFuture<'a, Vec<OfDomain>> {
        Box::pin(async move { vec![OfDomain::default(); hosts.len()] })
    }

    fn attempted(&self, _: &TlsAttempt) {}
}
