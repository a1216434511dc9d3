//! DANE for mail between servers (RFC 7672): the TLSA records of one mail exchanger.
//!
//! 1. [`base_of`] decides under which names they may stand: only where DNSSEC vouches for the host's addresses (§2.2.2). An alias is
//!    followed as far as it is signed (§2.2.3). Whether it vouches for the MX records that name the host is another question, which
//!    [`super::policy`] answers: their owner may have an unsigned domain at a provider whose hosts are signed (§2.2.1).
//! 2. [`find`] asks there, and [`finding`] decides what the answer means.
//!
//! Only a signed answer counts, and only a proven or unsigned absence is one: a question that fails makes the host unusable for now,
//! because who can make it fail could otherwise turn DANE off.

use world::clock::{Clock, Monotonic};
use world::dns::{Dns, Failure, Lookup, Record, RecordType, Security};
use world::tlsa::{Matching, TlsaRecord};

use super::policy::Dane;
use crate::limits::{DANE_TIME, TLSA_RECORDS};
use crate::names;

/// A mail exchanger, or an operator's smarthost, whose TLSA records are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    /// the domain that the mail is for; a smarthost's own name
    pub domain: &'a str,
    /// the host's name, lower case
    pub name: &'a str,
    /// the answer for its IPv4 addresses
    pub v4: &'a Lookup,
    /// the answer for its IPv6 addresses
    pub v6: &'a Lookup,
    /// the port that is connected to
    pub port: u16,
}

/// Finds the TLSA records of `host`. Ends within [`DANE_TIME`].
pub async fn find(dns: &dyn Dns, clock: &dyn Clock, host: Host<'_>) -> Dane {
    let until = Monotonic(clock.monotonic().0 + DANE_TIME);
    tokio::select! {
        found = find_in_time(dns, host) => found,
        () = clock.sleep_until(until) => Dane::Failed {
            base: host.name.to_owned(),
            failure: Failure::Timeout,
        },
    }
}

async fn find_in_time(dns: &dyn Dns, host: Host<'_>) -> Dane {
    let mut bases = match base_of(host) {
        Base::None => return Dane::Insecure,
        Base::Names(names) => names,
        Base::IfAliasIsSigned => match dns.lookup(host.name, RecordType::Cname).await {
            Lookup::Answer {
                security: Security::Secure,
                ..
            } => vec![host.name.to_owned()],
            Lookup::Answer { .. } | Lookup::Negative { .. } => return Dane::Insecure,
            Lookup::Failed(failure) => {
                let base = host.name.to_owned();
                return Dane::Failed { base, failure };
            }
        },
    };
    bases.retain(|base| names::can_be_asked(&question(base, host.port)));
    for base in bases {
        let answer = dns.lookup(&question(&base, host.port), RecordType::Tlsa).await;
        let found = finding(&answer, &base, host);
        if found != Dane::Absent {
            return found;
        }
    }
    Dane::Absent
}

fn question(base: &str, port: u16) -> String {
    format!("_{port}._tcp.{base}")
}

/// Under which names TLSA records count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// under none: DNSSEC does not vouch for the host's addresses
    None,
    /// under these, the first that has some counts
    Names(Vec<String>),
    /// under the host's own name, if that is an alias in a signed zone (its target is not in one)
    IfAliasIsSigned,
}

/// Decides under which names TLSA records count (RFC 7672 §2.2.2 and §2.2.3).
pub fn base_of(host: Host<'_>) -> Base {
    let answers = [host.v4, host.v6].into_iter().filter_map(|lookup| match lookup {
        Lookup::Answer { chain, security, .. } => Some((chain, *security)),
        Lookup::Negative { .. } | Lookup::Failed(_) => None,
    });
    let (mut target, mut secure, mut alias) = (None, true, false);
    for (chain, security) in answers {
        secure &= security == Security::Secure;
        alias |= !chain.is_empty();
        target = target.or(chain.last());
    }
    match (secure, alias, target) {
        (true, _, Some(target)) => Base::Names(vec![target.clone(), host.name.to_owned()]),
        (true, _, None) => Base::Names(vec![host.name.to_owned()]),
        (false, true, _) => Base::IfAliasIsSigned,
        (false, false, _) => Base::None,
    }
}

/// Decides what the answer to the question for TLSA records under `base` means (RFC 7672 §2.1, §2.2).
pub fn finding(answer: &Lookup, base: &str, host: Host<'_>) -> Dane {
    let base = base.to_owned();
    let failed = |failure| Dane::Failed {
        base: base.clone(),
        failure,
    };
    match answer {
        Lookup::Answer {
            records,
            security: Security::Secure,
            ..
        } => sorted(records, base, host),
        Lookup::Answer {
            security: Security::Insecure,
            ..
        }
        | Lookup::Negative {
            security: Security::Secure | Security::Insecure,
            ..
        } => Dane::Absent,
        // The way here was signed, so it could be decided: somebody keeps the proof from us.
        Lookup::Answer { .. } | Lookup::Negative { .. } => failed(Failure::Bogus),
        Lookup::Failed(failure) => failed(*failure),
    }
}

fn sorted(records: &[Record], base: String, host: Host<'_>) -> Dane {
    let usable: Vec<TlsaRecord> = records
        .iter()
        .filter_map(|record| match record {
            Record::Tlsa(usage, selector, matching, data) => {
                TlsaRecord::new(*usage, *selector, *matching, data.clone()).ok()
            }
            _ => None,
        })
        .take(TLSA_RECORDS)
        .collect();
    if usable.is_empty() {
        return Dane::Unusable { base };
    }
    let mut names = vec![base.clone()];
    names.extend([host.name, host.domain].map(str::to_owned));
    names.dedup();
    Dane::Usable {
        records: strongest(usable).into(),
        base,
        names: names.into(),
    }
}

/// Of two hashes of the same thing the longer one counts (RFC 7671 §9).
pub fn strongest(records: Vec<TlsaRecord>) -> Vec<TlsaRecord> {
    let kind = |record: &TlsaRecord| (record.usage(), record.selector());
    let long: Vec<_> = records
        .iter()
        .filter(|record| record.matching() == Matching::Sha512)
        .map(kind)
        .collect();
    records
        .into_iter()
        .filter(|record| record.matching() != Matching::Sha256 || !long.contains(&kind(record)))
        .collect()
}

#[cfg(test)]
#[path = "dane_tests.rs"]
mod tests;
