//! What a reply means for the name that was asked: a pure function with a table of tests.
//!
//! Only the answer section counts, and of it only what belongs to the name asked or to the alias it leads to; everything else a
//! server may add is not looked at.

use std::time::Duration;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::op::{DnsResponse, Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record as Wire, RecordType as Wanted};
use world::dns::{Absence, Failure, Lookup, Record, RecordType, Security};

use super::ask::wire;
use super::{denial, text_of};
use crate::limits::{
    DNS_CHAIN_MAX, DNS_NEGATIVE_TTL_DEFAULT, DNS_NEGATIVE_TTL_MAX, DNS_RECORDS_MAX, DNS_TTL_MAX,
};

/// Whose word on DNSSEC counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Believes {
    Nothing,
    AdBit,
    OwnProofs,
}

/// What was walked through to come to the name that is asked for now.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) chain: Vec<String>,
    ttl: Option<Duration>,
    security: Option<Security>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Done(Lookup),
    /// The name is an alias, and what it leads to was not in the reply.
    Follow(Name, Path),
}

pub(super) fn read(
    reply: Result<DnsResponse, NetError>,
    asked: &Name,
    kind: RecordType,
    believes: Believes,
    path: Path,
) -> Step {
    let is_about = |query: Option<&Query>| {
        query.is_some_and(|query| *query.name() == *asked && query.query_type() == wire(kind))
    };
    match reply {
        // Over UDP the pool drops such replies; over TCP it does not look.
        Ok(response) if !is_about(response.queries.first()) => failed(Failure::Malformed),
        Ok(response) => read_message(&response, asked, kind, believes, path),
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) if !is_about(Some(&none.query)) => {
            failed(Failure::Malformed)
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            // A referral: the server did not do what it was asked for, which proves nothing.
            if none.soa.is_none() && none.ns.is_some() {
                return failed(Failure::ServFail);
            }
            absent(
                none.response_code,
                none.negative_ttl,
                Security::Indeterminate,
                &path,
            )
        }
        // Denied in a way that is too dear to check: like not signed (RFC 9276 §3.2).
        Err(NetError::Dns(DnsError::Nsec {
            response,
            proof: Proof::Insecure,
            ..
        })) => read_message(&response, asked, kind, believes, path.unsigned()),
        Err(NetError::Dns(DnsError::Nsec { response, .. })) => {
            look_again(&response, asked, kind, believes, path)
        }
        Err(error) => failed(failure_of(&error)),
    }
}

fn read_message(
    message: &Message,
    asked: &Name,
    kind: RecordType,
    believes: Believes,
    mut path: Path,
) -> Step {
    let before = path.chain.len();
    let name = match end_of_aliases(message, asked, kind, believes, &mut path) {
        Ok(End::Records(fitting)) => return found(&fitting, message, believes, path),
        Ok(End::Nothing(name)) => name,
        Err(failure) => return failed(failure),
    };
    let moved = path.chain.len() > before;
    let about_others = !moved && !message.answers.is_empty() && negative_ttl(message).is_none();
    match message.metadata.response_code {
        // It may be that there is nothing at the end, or that the server did not go there.
        ResponseCode::NoError if moved => Step::Follow(name, path),
        // Records of other names only: no answer to what was asked, and no denial either.
        ResponseCode::NoError if about_others => failed(Failure::Malformed),
        code @ (ResponseCode::NoError | ResponseCode::NXDomain) => {
            match security_of_absence(message, believes) {
                Some(security) => absent(code, negative_ttl(message), security, &path),
                None => failed(Failure::Bogus),
            }
        }
        ResponseCode::Refused => failed(Failure::Refused),
        _ => failed(Failure::ServFail),
    }
}

/// What stands at the last name that a reply leads to.
enum End<'m> {
    Records(Vec<&'m Wire>),
    /// no record of the type asked for, and no alias
    Nothing(Name),
}

/// Follows the aliases of a reply from the name that was asked.
fn end_of_aliases<'m>(
    message: &'m Message,
    asked: &Name,
    kind: RecordType,
    believes: Believes,
    path: &mut Path,
) -> Result<End<'m>, Failure> {
    let mut name = asked.clone();
    loop {
        let of_name = || message.answers.iter().filter(|record| record.name == name);
        let fitting: Vec<&Wire> = of_name()
            .filter(|record| record.record_type() == wire(kind))
            .collect();
        if !fitting.is_empty() {
            return Ok(End::Records(fitting));
        }
        let alias = of_name().find_map(|record| match &record.data {
            RData::CNAME(target) => Some((record, target.0.clone())),
            _ => None,
        });
        let Some((record, target)) = alias else {
            return Ok(End::Nothing(name));
        };
        if path.walk(record, &target, message, believes).is_err() {
            return Err(Failure::Bogus);
        }
        if path.chain.len() > DNS_CHAIN_MAX {
            return Err(Failure::ServFail);
        }
        name = target;
    }
}

/// What is left of a reply whose denial proves nothing: records that stand by their own signatures.
fn look_again(message: &Message, asked: &Name, kind: RecordType, believes: Believes, mut path: Path) -> Step {
    let of_type = |wanted: Wanted| -> Vec<&Wire> {
        message
            .answers
            .iter()
            .filter(|record| record.name == *asked && record.record_type() == wanted)
            .filter(|record| record.proof == Proof::Secure)
            .collect()
    };
    let fitting = of_type(wire(kind));
    if !fitting.is_empty() && denial::may_stand(message, asked, wire(kind)) {
        return found(&fitting, message, believes, path);
    }
    let alias = of_type(Wanted::CNAME);
    if let (Some(record), true) = (alias.first(), denial::may_stand(message, asked, Wanted::CNAME))
        && let RData::CNAME(target) = &record.data
        && path.walk(record, &target.0, message, believes).is_ok()
    {
        // Asked for by its own name, the target's denial can be checked.
        return Step::Follow(target.0.clone(), path);
    }
    failed(Failure::Bogus)
}

impl Path {
    fn unsigned(mut self) -> Self {
        self.security = Some(
            self.security
                .map_or(Security::Insecure, |so_far| weaker(so_far, Security::Insecure)),
        );
        self
    }

    fn walk(
        &mut self,
        record: &Wire,
        target: &Name,
        message: &Message,
        believes: Believes,
    ) -> Result<(), ()> {
        self.join(record, message, believes)?;
        self.chain.push(text_of(target));
        Ok(())
    }

    /// A chain is as secure as its weakest link, and as old as its oldest one allows. An error is a false signature.
    fn join(&mut self, record: &Wire, message: &Message, believes: Believes) -> Result<(), ()> {
        let security = security_of(record, message, believes).ok_or(())?;
        self.security = Some(self.security.map_or(security, |so_far| weaker(so_far, security)));
        let ttl = Duration::from_secs(u64::from(record.ttl)).min(DNS_TTL_MAX);
        self.ttl = Some(self.ttl.map_or(ttl, |so_far| so_far.min(ttl)));
        Ok(())
    }
}

fn found(fitting: &[&Wire], message: &Message, believes: Believes, mut path: Path) -> Step {
    let mut records = Vec::with_capacity(fitting.len().min(DNS_RECORDS_MAX));
    for record in fitting.iter().take(DNS_RECORDS_MAX) {
        if path.join(record, message, believes).is_err() {
            return failed(Failure::Bogus);
        }
        match value_of(&record.data) {
            Some(value) => records.push(value),
            None => return failed(Failure::Malformed),
        }
    }
    Step::Done(Lookup::Answer {
        records,
        ttl: path.ttl.unwrap_or_default(),
        chain: path.chain,
        security: path.security.unwrap_or(Security::Indeterminate),
    })
}

fn absent(code: ResponseCode, ttl_s: Option<u32>, security: Security, path: &Path) -> Step {
    let absence = match code {
        ResponseCode::NXDomain => Absence::NxDomain,
        ResponseCode::NoError => Absence::NoData,
        ResponseCode::Refused => return failed(Failure::Refused),
        _ => return failed(Failure::ServFail),
    };
    let own = ttl_s.map_or(DNS_NEGATIVE_TTL_DEFAULT, |seconds| {
        Duration::from_secs(u64::from(seconds))
    });
    let ttl = own
        .min(DNS_NEGATIVE_TTL_MAX)
        .min(path.ttl.unwrap_or(DNS_NEGATIVE_TTL_MAX));
    Step::Done(Lookup::Negative {
        absence,
        security: path.security.map_or(security, |so_far| weaker(so_far, security)),
        ttl,
    })
}

fn failed(failure: Failure) -> Step {
    Step::Done(Lookup::Failed(failure))
}

fn value_of(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::A(address.0),
        RData::AAAA(address) => Record::Aaaa(address.0),
        RData::MX(mx) => Record::Mx(mx.preference, text_of(&mx.exchange)),
        RData::TXT(text) => Record::Txt(text.txt_data.concat()),
        RData::PTR(host) => Record::Ptr(text_of(&host.0)),
        RData::CNAME(target) => Record::Cname(text_of(&target.0)),
        RData::SRV(srv) => Record::Srv(srv.priority, srv.weight, srv.port, text_of(&srv.target)),
        RData::TLSA(tlsa) => Record::Tlsa(
            tlsa.cert_usage.into(),
            tlsa.selector.into(),
            tlsa.matching.into(),
            tlsa.cert_data.clone(),
        ),
        _ => return None,
    })
}

/// `None` is a false signature.
fn security_of(record: &Wire, message: &Message, believes: Believes) -> Option<Security> {
    match (believes, record.proof) {
        (Believes::Nothing, _) => Some(Security::Indeterminate),
        (Believes::AdBit, _) if message.metadata.authentic_data => Some(Security::Secure),
        (Believes::AdBit, _) => Some(Security::Insecure),
        (Believes::OwnProofs, Proof::Secure) => Some(Security::Secure),
        (Believes::OwnProofs, Proof::Insecure) => Some(Security::Insecure),
        (Believes::OwnProofs, Proof::Indeterminate) => Some(Security::Indeterminate),
        (Believes::OwnProofs, Proof::Bogus) => None,
    }
}

/// What the denial's records prove. None at all means that the validator has found the zone not to be signed.
fn security_of_absence(message: &Message, believes: Believes) -> Option<Security> {
    let bare = match believes {
        Believes::OwnProofs => Security::Insecure,
        Believes::Nothing | Believes::AdBit => Security::Indeterminate,
    };
    let mut proven = message
        .authorities
        .iter()
        .map(|record| security_of(record, message, believes));
    match proven.next() {
        None => Some(bare),
        Some(first) => proven.try_fold(first?, |so_far, next| Some(weaker(so_far, next?))),
    }
}

fn weaker(one: Security, other: Security) -> Security {
    let rank = |security| match security {
        Security::Secure => 2,
        Security::Insecure => 1,
        Security::Indeterminate => 0,
    };
    if rank(one) <= rank(other) { one } else { other }
}

fn negative_ttl(message: &Message) -> Option<u32> {
    message.authorities.iter().find_map(|record| match &record.data {
        // RFC 2308 §5
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    })
}

fn failure_of(error: &NetError) -> Failure {
    match error {
        NetError::Timeout | NetError::Io(_) | NetError::NoConnections | NetError::Busy => Failure::Timeout,
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => Failure::Refused,
        NetError::Dns(DnsError::Nsec { .. } | DnsError::DnssecBogus) => Failure::Bogus,
        NetError::Dns(_) => Failure::ServFail,
        _ => Failure::Malformed,
    }
}
