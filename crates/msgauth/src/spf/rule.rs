//! The rules by which an SPF check can end, as values; `Display` says them to people.

use std::fmt;

use world::dns::RecordType;

use super::record::BadTerm;
use crate::evidence::{kind_word, printable};

/// The rule that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// The name cannot be a mail domain (RFC 7208 §4.3).
    NotADomain,
    /// The domain has no record (§4.5).
    NoRecord,
    /// The domain has several (§4.5).
    SeveralRecords(String),
    /// The domain's record breaks the grammar (§4.6).
    Unreadable {
        /// whose record
        domain: String,
        /// which term
        term: BadTerm,
    },
    /// A term of the record of a domain matched (§4.6.2).
    Matched {
        /// whose record
        domain: String,
        /// as it stands there
        term: String,
    },
    /// No term matched, and the record leads nowhere else (§4.7).
    NothingMatched(String),
    /// `include` or `redirect` leads to a domain without a record (§5.2, §6.1).
    LeadsNowhere(String),
    /// More than ten terms ask DNS (§4.6.4).
    TooManyTerms,
    /// More than two terms found nothing (§4.6.4).
    TooManyVoids,
    /// An `mx` has more than ten exchangers (§4.6.4).
    TooManyExchangers(String),
    /// A macro grew over its limit.
    TooLong(String),
    /// DNS did not answer (§2.6.6).
    NoAnswer {
        /// about which name
        name: String,
        /// of which type
        kind: RecordType,
    },
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADomain => write!(f, "that is not the name of a mail domain"),
            Self::NoRecord => write!(f, "it has no SPF record"),
            Self::SeveralRecords(domain) => {
                write!(f, "{domain} has several SPF records, so none of them counts")
            }
            Self::Unreadable { domain, term } => {
                write!(
                    f,
                    "in the SPF record of {domain} the term \"{}\" {}",
                    term.term, term.why
                )
            }
            Self::Matched { domain, term } => write!(f, "\"{term}\" in the SPF record of {domain} matched"),
            Self::NothingMatched(domain) => write!(f, "nothing in the SPF record of {domain} matched"),
            Self::LeadsNowhere(domain) => {
                let domain = printable(domain.as_bytes());
                write!(f, "an SPF record leads to {domain}, which has none")
            }
            Self::TooManyTerms => write!(f, "its SPF records need more than 10 terms that ask DNS"),
            Self::TooManyVoids => write!(
                f,
                "more than 2 terms of its SPF records lead to names without records"
            ),
            Self::TooManyExchangers(domain) => {
                let domain = printable(domain.as_bytes());
                write!(
                    f,
                    "{domain} has more than 10 mail exchangers, too many for \"mx\""
                )
            }
            Self::TooLong(domain) => write!(f, "a macro in the SPF record of {domain} grows too long"),
            Self::NoAnswer { name, kind } => {
                let name = printable(name.as_bytes());
                write!(f, "DNS did not answer about {} of {name}", kind_word(*kind))
            }
        }
    }
}
