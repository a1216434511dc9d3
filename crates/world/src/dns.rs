//! The DNS door: questions as plain values, answers that keep "proven absent", "failed" and "not signed" apart.
//!
//! Names in answers are in lower case and without their last dot; the root is `.`. Octets that are no text are escaped, so that such
//! a name is found nowhere. What an answer says is data: whether mail may go to an address is not decided here.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::clock::BoxFuture;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordType {
    /// IPv4 address
    A,
    /// IPv6 address
    Aaaa,
    /// mail exchanger
    Mx,
    /// text
    Txt,
    /// name of an address
    Ptr,
    /// TLS association (RFC 6698)
    Tlsa,
    /// alias
    Cname,
    /// where a service is (RFC 2782)
    Srv,
}

/// One record's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Record {
    /// IPv4 address
    A(Ipv4Addr),
    /// IPv6 address
    Aaaa(Ipv6Addr),
    /// preference and host; the null MX (RFC 7505) has the host `.`
    Mx(u16, String),
    /// the strings, joined
    Txt(Vec<u8>),
    /// host name
    Ptr(String),
    /// usage, selector, matching type, data
    Tlsa(u8, u8, u8, Vec<u8>),
    /// target
    Cname(String),
    /// priority, weight, port and host; the host `.` says that there is no such service (RFC 2782)
    Srv(u16, u16, u16, String),
}

/// What DNSSEC says of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Security {
    /// Validated from the trust anchor down.
    Secure,
    /// Provably unsigned.
    Insecure,
    /// Could not be decided.
    Indeterminate,
}

/// Why a name or type is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Absence {
    /// The name does not exist.
    NxDomain,
    /// The name exists, the type does not.
    NoData,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Nobody answered in time, or no server could be reached.
    Timeout,
    /// SERVFAIL
    ServFail,
    /// REFUSED
    Refused,
    /// DNSSEC validation failed.
    Bogus,
    /// The answer could not be read.
    Malformed,
}

/// The outcome of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// There are records.
    Answer {
        /// at least one
        records: Vec<Record>,
        /// how long it may be kept
        ttl: Duration,
        /// CNAMEs that were followed, first to last
        chain: Vec<String>,
        /// what DNSSEC says
        security: Security,
    },
    /// There are none, and a server said so. Mail is returned on the strength of this, so nothing else may end here.
    Negative {
        /// how it is absent
        absence: Absence,
        /// what DNSSEC says
        security: Security,
        /// how long it may be kept
        ttl: Duration,
    },
    /// Nothing is known.
    Failed(Failure),
}

/// The DNS door.
pub trait Dns: Send + Sync + 'static {
    /// Looks `name` up. Follows CNAMEs, at most 10.
    fn lookup<'a>(&'a self, name: &'a str, kind: RecordType) -> BoxFuture<'a, Lookup>;
}
