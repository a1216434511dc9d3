//! The rule for one host: a pure function from evidence to what TLS must be, with its reason. Threat cases TLS-4, TLS-6, TLS-12, Q-5.
//!
//! In order:
//! 1. A route that the operator set has its own setting, and nobody else's word counts but REQUIRETLS; a setting may leave the word to the
//!    TLSA records of the server that it names.
//! 2. What the recipient's side says: DANE, and where DANE has no usable record MTA-STS (RFC 8461 §2: MTA-STS never outweighs a
//!    DANE validation that fails). Where nobody vouches for the host's name, records of that host satisfy no policy that names others: whoever
//!    forges MX records has a host with such records. A message that says `TLS-Required: No` leaves this out (RFC 8689 §4.2).
//! 3. The list of domains that must have TLS raises what came out, and never lowers it.
//! 4. REQUIRETLS raises it to a verified certificate at a host whose name is itself beyond doubt (RFC 8689 §4.2.1).
//!
//! Whether a rule may be followed by plaintext is [`Demand::may_be_clear`]'s to say, and nobody else's.

use std::fmt;
use std::sync::Arc;

use world::dns::Failure;
use world::tlsa::TlsaRecord;

/// All that counts for one message at one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// how the host's name was found
    pub found: Found,
    /// its TLSA records
    pub dane: Dane,
    /// the recipient domain's MTA-STS policy
    pub sts: Sts,
    /// none is known, and there may be one: DNS or its web server did not answer
    pub sts_unsure: bool,
    /// the list of domains that must have TLS
    pub listed: Listed,
    /// what the message asks
    pub wish: Wish,
}

/// How we know which host to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// by MX records (or the domain's own address) that DNSSEC vouches for
    Secure,
    /// by MX records that anybody could have forged
    Insecure,
    /// the operator named it, and how it is spoken to
    Route(RouteTls),
}

/// How the operator's route is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteTls {
    /// in the clear
    None,
    /// TLS where it is offered, with any certificate
    Opportunistic,
    /// TLS with a certificate that verifies
    Verified,
    /// TLS with a certificate that fits the TLSA records of its name, where there are usable ones; else one that verifies
    DaneOrVerified,
}

/// What DNS says of a host's certificate (RFC 7672 §2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Dane {
    /// DNSSEC does not vouch for the host's addresses, so its TLSA records mean nothing and were not asked for
    #[default]
    Insecure,
    /// there are none, and that is proven or unsigned
    Absent,
    /// the certificate must fit one of these
    Usable {
        /// the usable ones
        records: Arc<[TlsaRecord]>,
        /// the name they stand under, without `_25._tcp.` (RFC 7672 §2.2.3)
        base: String,
        /// names by which the certificate may be valid where a record names an authority (RFC 7672 §3.2.2); the base is the first
        names: Arc<[String]>,
    },
    /// there are some, and none can be used: TLS with any certificate (RFC 7672 §2.2)
    Unusable {
        /// the name they stand under
        base: String,
    },
    /// it could not be found out: this host is not asked now (RFC 7672 §2.2)
    Failed {
        /// the name that was asked for
        base: String,
        /// why
        failure: Failure,
    },
}

/// What the recipient domain's MTA-STS policy says (RFC 8461).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sts {
    /// none is known, or its mode is `none`
    #[default]
    None,
    /// its record says that there is one, and there was no place to fetch it yet: too many others were fetched
    Awaited,
    /// mode `testing`: nothing is refused for its sake
    Testing(StsHost),
    /// mode `enforce`
    Enforce(StsHost),
}

/// Whether a policy names the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsHost {
    /// one of the policy's `mx` patterns fits the host's name
    pub fits: bool,
    /// the policy's id, for reports
    pub id: String,
    /// the policy's patterns, for reports
    pub patterns: Arc<[String]>,
}

/// What the list of domains that must have TLS says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Listed {
    /// nothing
    #[default]
    No,
    /// The domain must have TLS.
    Required {
        /// who says so
        by: ListedBy,
        /// how much
        what: Required,
        /// whether the entry's host names fit this host; true where it has none
        fits: bool,
    },
}

/// Who put a domain on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedBy {
    /// this server's operator
    Operator,
    /// the list that comes with the program
    Shipped,
    /// the program, because the domain has always had it
    Learned,
}

/// What the list requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// TLS, with any certificate
    Encrypted,
    /// TLS with a certificate that verifies for the host's name
    Verified,
}

/// What the message asks (RFC 8689).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Wish {
    /// nothing
    #[default]
    Nothing,
    /// REQUIRETLS
    RequireTls,
    /// a report about a message that asked REQUIRETLS: it asks so too where that is offered, and is not thrown away where it is not
    /// (RFC 8689 §5)
    RequireTlsReport,
    /// `TLS-Required: No`: rather in the clear than not at all
    NotRequired,
}

/// What must be, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// what
    pub demand: Demand,
    /// why
    pub reason: Reason,
}

/// What a connection must be, from the least to the most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// in the clear, TLS is not even tried: the operator's word
    Clear,
    /// TLS where it is offered, with any certificate; else in the clear (RFC 7435)
    Opportunistic,
    /// TLS, with any certificate
    Encrypted,
    /// TLS with a certificate that verifies for the host's name
    WebPki,
    /// TLS with a certificate that fits a TLSA record
    Dane {
        /// the records
        records: Arc<[TlsaRecord]>,
        /// names for records that name an authority; the first is the one to ask the server for (RFC 7672 §8.1)
        names: Arc<[String]>,
    },
    /// no connection to this host
    Refuse(Refusal),
}

/// For how long a host is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// waiting may help
    Later,
    /// waiting does not help
    Never,
}

/// Who demands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// nobody asks for anything
    Nobody,
    /// the operator's route
    Route,
    /// usable TLSA records
    Dane,
    /// usable TLSA records of a host that MX records name which nobody vouches for
    DaneOfHost,
    /// TLSA records of which none can be used
    DaneUnusable,
    /// the question for TLSA records failed
    DaneFailed(Failure),
    /// MTA-STS, mode `enforce`
    Sts,
    /// MTA-STS, mode `enforce`, and the policy does not name the host
    StsHost,
    /// MTA-STS, and what the policy says is not known yet
    StsAwaited,
    /// the list
    Listed(ListedBy),
    /// the list, and the entry's host names do not fit
    ListedHost(ListedBy),
    /// REQUIRETLS
    RequireTls,
    /// REQUIRETLS, and the host's name may be forged
    RequireTlsForgeable,
    /// REQUIRETLS, and the operator's route is in the clear
    RequireTlsRoute,
    /// `TLS-Required: No` put what the recipient's side says aside
    NotRequired,
}

/// Makes the rule.
pub fn decide(evidence: &Evidence) -> Rule {
    let demanded = match evidence.found {
        Found::Route(tls) => return by_route(tls, &evidence.dane, evidence.wish),
        Found::Secure | Found::Insecure if evidence.wish == Wish::NotRequired => {
            Rule::new(Demand::Opportunistic, Reason::NotRequired)
        }
        Found::Secure => by_recipient(&evidence.dane, &evidence.sts),
        Found::Insecure => by_unvouched_host(&evidence.dane, &evidence.sts),
    };
    let listed = demanded.raised(by_list(evidence.listed));
    match evidence.wish {
        Wish::RequireTls => listed.raised(by_requiretls(evidence)),
        Wish::Nothing | Wish::RequireTlsReport | Wish::NotRequired => listed,
    }
}

fn by_route(tls: RouteTls, dane: &Dane, wish: Wish) -> Rule {
    match (tls, wish) {
        (RouteTls::DaneOrVerified, _) => match dane {
            Dane::Usable { .. } | Dane::Failed { .. } => by_recipient(dane, &Sts::None),
            Dane::Insecure | Dane::Absent | Dane::Unusable { .. } => Rule::new(Demand::WebPki, Reason::Route),
        },
        (RouteTls::None, Wish::RequireTls) => {
            Rule::new(Demand::Refuse(Refusal::Never), Reason::RequireTlsRoute)
        }
        (RouteTls::Opportunistic, Wish::RequireTls) => Rule::new(Demand::WebPki, Reason::RequireTls),
        (RouteTls::None, _) => Rule::new(Demand::Clear, Reason::Route),
        (RouteTls::Opportunistic, _) => Rule::new(Demand::Opportunistic, Reason::Route),
        (RouteTls::Verified, _) => Rule::new(Demand::WebPki, Reason::Route),
    }
}

fn by_recipient(dane: &Dane, sts: &Sts) -> Rule {
    match (dane, sts) {
        (Dane::Failed { failure, .. }, _) => {
            Rule::new(Demand::Refuse(Refusal::Later), Reason::DaneFailed(*failure))
        }
        (Dane::Usable { records, names, .. }, _) => {
            let (records, names) = (records.clone(), names.clone());
            Rule::new(Demand::Dane { records, names }, Reason::Dane)
        }
        (_, Sts::Enforce(host)) if host.fits => Rule::new(Demand::WebPki, Reason::Sts),
        (_, Sts::Enforce(_)) => Rule::new(Demand::Refuse(Refusal::Later), Reason::StsHost),
        (_, Sts::Awaited) => Rule::new(Demand::Refuse(Refusal::Later), Reason::StsAwaited),
        (Dane::Unusable { .. }, _) => Rule::new(Demand::Encrypted, Reason::DaneUnusable),
        (Dane::Insecure | Dane::Absent, _) => Rule::new(Demand::Opportunistic, Reason::Nobody),
    }
}

/// RFC 7672 §2.2.1: the records of a host may be used where the MX records that name it are not signed. They say that it is this host, and not
/// that this host is the domain's; a policy says that, and is not satisfied by a host that it does not name.
fn by_unvouched_host(dane: &Dane, sts: &Sts) -> Rule {
    match (dane, sts) {
        (Dane::Usable { .. }, Sts::Enforce(host)) if !host.fits => by_recipient(&Dane::Absent, sts),
        (Dane::Usable { .. }, Sts::Awaited) => by_recipient(&Dane::Absent, sts),
        (Dane::Usable { records, names, .. }, Sts::None | Sts::Testing(_)) => {
            let (records, names) = (records.clone(), names.clone());
            Rule::new(Demand::Dane { records, names }, Reason::DaneOfHost)
        }
        _ => by_recipient(dane, sts),
    }
}

fn by_list(listed: Listed) -> Option<Rule> {
    let Listed::Required { by, what, fits } = listed else {
        return None;
    };
    if !fits {
        return Some(Rule::new(Demand::Refuse(Refusal::Later), Reason::ListedHost(by)));
    }
    let demand = match what {
        Required::Encrypted => Demand::Encrypted,
        Required::Verified => Demand::WebPki,
    };
    Some(Rule::new(demand, Reason::Listed(by)))
}

/// RFC 8689 §4.2.1: the host's name is known by DNSSEC or by MTA-STS, and its certificate verifies.
fn by_requiretls(evidence: &Evidence) -> Option<Rule> {
    let named_by_policy = matches!(&evidence.sts, Sts::Enforce(host) | Sts::Testing(host) if host.fits);
    Some(if evidence.found == Found::Secure || named_by_policy {
        Rule::new(Demand::WebPki, Reason::RequireTls)
    } else if evidence.sts_unsure {
        Rule::new(Demand::Refuse(Refusal::Later), Reason::RequireTlsForgeable)
    } else {
        Rule::new(Demand::Refuse(Refusal::Never), Reason::RequireTlsForgeable)
    })
}

impl Rule {
    fn new(demand: Demand, reason: Reason) -> Self {
        Self { demand, reason }
    }

    /// The stricter of the two; of equals the first.
    fn raised(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.demand.strength() > self.demand.strength() => other,
            _ => self,
        }
    }
}

impl Demand {
    /// Whether a message may go in the clear where TLS is not offered or did not come about.
    pub fn may_be_clear(&self) -> bool {
        matches!(self, Self::Clear | Self::Opportunistic)
    }

    /// Whether a connection that is `grade` already meets it.
    pub fn is_met_by(&self, grade: Grade) -> bool {
        match self {
            Self::Clear | Self::Opportunistic => true,
            Self::Encrypted => grade != Grade::Clear,
            Self::WebPki => matches!(grade, Grade::WebPki | Grade::Both),
            Self::Dane { .. } => matches!(grade, Grade::Dane | Grade::Both),
            Self::Refuse(_) => false,
        }
    }

    fn strength(&self) -> u8 {
        match self {
            Self::Clear => 0,
            Self::Opportunistic => 1,
            Self::Encrypted => 2,
            Self::WebPki => 3,
            // RFC 7672: DNSSEC vouches for the name and for the key.
            Self::Dane { .. } => 4,
            Self::Refuse(Refusal::Later) => 5,
            Self::Refuse(Refusal::Never) => 6,
        }
    }
}

/// What a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// in the clear
    Clear,
    /// encrypted, to whoever it is
    Encrypted,
    /// the certificate verifies for the host's name
    WebPki,
    /// the certificate fits a TLSA record
    Dane,
    /// both of the last two
    Both,
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "no TLS",
            Self::Opportunistic => "TLS where it is offered",
            Self::Encrypted => "TLS with any certificate",
            Self::WebPki => "TLS with a certificate that verifies",
            Self::Dane { .. } => "TLS with a certificate that DNS vouches for",
            Self::Refuse(_) => "no connection",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "nobody asks for more",
            Self::Route => "the setting of the route says so",
            Self::Dane => "its TLSA records in DNS say so (DANE)",
            Self::DaneOfHost => {
                "its TLSA records in DNS say so (DANE); that it is the domain's host is not proven: the MX records are not signed"
            }
            Self::DaneUnusable => "it has TLSA records in DNS, though none that can be used (DANE)",
            Self::DaneFailed(failure) => {
                return write!(
                    f,
                    "its TLSA records (DANE) could not be looked up: {}",
                    in_words(*failure)
                );
            }
            Self::Sts => "the recipient's domain says so (MTA-STS)",
            Self::StsHost => "the recipient's domain does not name this host in its policy (MTA-STS)",
            Self::StsAwaited => {
                "the recipient's domain has a policy (MTA-STS) that is not fetched yet: too many others are being fetched"
            }
            Self::Listed(ListedBy::Operator) => {
                "the domain is on this server's list of domains that must have TLS"
            }
            Self::Listed(ListedBy::Shipped) => {
                "the domain is on the list of domains that must have TLS that comes with Hearthpost"
            }
            Self::Listed(ListedBy::Learned) => "the domain has always had it, and is required to since",
            Self::ListedHost(_) => {
                "the list of domains that must have TLS names other hosts for this domain"
            }
            Self::RequireTls => "the sender requires it (REQUIRETLS)",
            Self::RequireTlsForgeable => {
                "the sender requires TLS all the way (REQUIRETLS), and neither DNSSEC nor MTA-STS vouches for the host's name"
            }
            Self::RequireTlsRoute => {
                "the sender requires TLS all the way (REQUIRETLS), and the route that is set for this mail has none"
            }
            Self::NotRequired => "the sender would rather have it sent in the clear than not at all (TLS-Required: No)",
        })
    }
}

fn in_words(failure: Failure) -> &'static str {
    match failure {
        Failure::Timeout => "no name server answered in time",
        Failure::ServFail => "its name servers answered SERVFAIL",
        Failure::Refused => "its name servers refused to answer",
        Failure::Bogus => "the answer did not verify (DNSSEC)",
        Failure::Malformed => "the answer could not be read",
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
