//! What an operator decides about the way out, as plain values. The program fills them from its settings file.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use mail::address::Domain;

use crate::limits;

/// Everything remote delivery asks of its operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// whether mail leaves at all
    pub road: Road,
    /// special ways, the first that fits is taken; without one mail goes by MX
    pub routes: Vec<Rule>,
    /// the port of the servers that MX records name
    pub port: u16,
    /// whether mail may go to private and loopback addresses: for test networks only
    pub allow_private: bool,
    /// from where IPv4 connections are made, and who we say we are there
    pub v4: Source<Ipv4Addr>,
    /// the same for IPv6; with an address of its own, IPv6 is tried first
    pub v6: Source<Ipv6Addr>,
    /// names and addresses that mean this server: an MX among them is never connected to
    pub ours: Ours,
    /// connections to all servers together
    pub connections: usize,
    /// connections to one destination
    pub connections_per_destination: usize,
}

/// Whether there is a way to other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Road {
    /// Mail leaves.
    Open,
    /// Mail for other servers waits, and says why.
    Closed {
        /// why, and what opens it, in words
        reason: String,
    },
}

/// One end of our connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source<A> {
    /// bound to before connecting; `None` leaves the choice to the system
    pub address: Option<A>,
    /// the name in EHLO: it should be what the address's PTR record says
    pub hello: String,
}

/// What means this server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ours {
    /// host names, lower case
    pub names: Vec<String>,
    /// addresses we listen on or send from
    pub addresses: Vec<IpAddr>,
}

/// A special way for some mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// its name in the log, in lanes and as another rule's fallback
    pub name: String,
    /// whose mail goes this way
    pub applies: Applies,
    /// where it goes
    pub way: Way,
    /// when and where else
    pub fallback: Option<Fallback>,
}

/// Whose mail a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applies {
    /// to these domains
    To(Vec<Domain>),
    /// from senders in these domains
    From(Vec<Domain>),
    /// everything that no other rule took
    Everything,
    /// nothing by itself: only the fallback of others
    FallbackOnly,
}

/// Where a rule sends mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// to the recipient domain's own servers
    Mx,
    /// to one server, which takes it from there
    Smarthost(Arc<Smarthost>),
}

/// A second way after trouble on the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// name of another rule; `mx` is always one
    pub to: String,
    /// taken after this many failed attempts, and at once while the first way cannot be reached
    pub after_attempts: u32,
}

/// A server that takes our mail for everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smarthost {
    /// the rule's name
    pub name: String,
    /// its name or address literal
    pub host: Domain,
    /// its port
    pub port: u16,
    /// how it is spoken to
    pub tls: SmarthostTls,
    /// how we sign in; only ever sent inside TLS that was verified
    pub login: Option<Login>,
}

/// TLS to a smarthost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmarthostTls {
    /// in the clear: on a trusted network only
    None,
    /// STARTTLS where it is offered, with any certificate
    Opportunistic,
    /// STARTTLS, and a certificate that fits the signed TLSA records of the host's name (DANE); where it has none, one that verifies for it
    Dane,
    /// STARTTLS, and a certificate that verifies for the host's name
    StartTls,
    /// TLS from the first byte (RFC 8314), and a certificate that verifies
    Implicit,
}

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// who we are there
    pub user: String,
    /// never shown
    pub password: String,
}

impl Settings {
    /// Mail leaves by MX; the rest as documented.
    pub fn new(hostname: &str) -> Self {
        Self {
            road: Road::Open,
            routes: Vec::new(),
            port: 25,
            allow_private: false,
            v4: Source::any(hostname),
            v6: Source::any(hostname),
            ours: Ours {
                names: vec![hostname.to_ascii_lowercase()],
                addresses: Vec::new(),
            },
            connections: limits::CONNECTIONS,
            connections_per_destination: limits::CONNECTIONS_PER_DESTINATION,
        }
    }

    /// The rule of that name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.routes.iter().find(|rule| rule.name == name)
    }
}

impl<A> Source<A> {
    /// The system chooses the address.
    pub fn any(hello: &str) -> Self {
        Self {
            address: None,
            hello: hello.to_owned(),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
