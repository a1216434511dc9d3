//! SPF (RFC 7208): may this client use this domain in the envelope?
//!
//! [`check`] is the RFC's `check_host()`: it finds the record ([`record`]), goes through its terms, expands their names ([`macros`]) and
//! asks for them, within the limits of §4.6.4. The rule that decided is a value, [`rule::Rule`].

mod check;
pub mod macros;
pub mod record;
pub mod rule;

use std::fmt;
use std::net::IpAddr;

pub use check::check;
use rule::Rule;

use crate::evidence::Asked;

/// RFC 7208 §2.6; `Display` writes the words of RFC 8601 §2.7.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpfResult {
    /// no domain, or it says nothing
    None,
    /// the domain says nothing about this client
    Neutral,
    /// the client may
    Pass,
    /// the client may not
    Fail,
    /// the client probably may not
    SoftFail,
    /// DNS did not answer: another time
    TempError,
    /// the domain's records are wrong
    PermError,
}

impl fmt::Display for SpfResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        })
    }
}

/// Which part of the SMTP dialogue named the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// the reverse-path (RFC 7208 §2.4)
    MailFrom,
    /// the greeting, when there is no reverse-path (RFC 7208 §2.4)
    Hello,
}

/// Whose permission is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// `postmaster` when there is none (RFC 7208 §4.3)
    pub local: String,
    /// canonical
    pub domain: String,
    /// where it was named
    pub identity: Identity,
}

impl Sender {
    /// Of the reverse-path as `local@domain`, or of the greeting when it is empty (RFC 7208 §2.4).
    pub fn of(reverse_path: &str, hello: &str) -> Self {
        let (local, domain, identity) = match reverse_path.rsplit_once('@') {
            Some((local, domain)) => (local, domain, Identity::MailFrom),
            None if reverse_path.is_empty() => ("", hello, Identity::Hello),
            None => ("", reverse_path, Identity::MailFrom),
        };
        let local = if local.is_empty() { "postmaster" } else { local };
        Self {
            local: local.to_owned(),
            domain: crate::names::canonical(domain),
            identity,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// where the connection comes from
    pub client: IpAddr,
    /// what the client said in EHLO
    pub hello: &'a str,
    /// whose permission is asked for
    pub sender: Sender,
    /// our own name
    pub receiver: &'a str,
    /// seconds since 1970
    pub now_s: u64,
}

/// The answer and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpfEvidence {
    /// the answer
    pub result: SpfResult,
    /// which domain was asked, canonical; printable for evidence
    pub domain: String,
    /// where it was named
    pub identity: Identity,
    /// where the connection came from
    pub client: IpAddr,
    /// the rule that decided
    pub rule: Rule,
    /// what the domain says of a fail: ASCII, cut, and a stranger's words
    pub explanation: Option<String>,
    /// every question
    pub asked: Vec<Asked>,
}

impl fmt::Display for SpfEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = match self.identity {
            Identity::MailFrom => "the reverse-path's domain",
            Identity::Hello => "the greeting's domain",
        };
        let domain = match self.domain.as_str() {
            "" => "(none)",
            domain => domain,
        };
        write!(f, "{named} {domain} about {}: {}", self.client, self.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_name_is_told_as_none() {
        let evidence = SpfEvidence {
            result: SpfResult::None,
            domain: String::new(),
            identity: Identity::Hello,
            client: "192.0.2.1".parse().unwrap(),
            rule: Rule::NotADomain,
            explanation: None,
            asked: Vec::new(),
        };
        let told = evidence.to_string();
        assert!(
            told.starts_with("the greeting's domain (none) about 192.0.2.1: "),
            "{told}"
        );
    }
}
