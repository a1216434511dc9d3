//! The SPF record of a domain: what it should say, and whether what it says lets the domain's own mail through and nobody else's.
//!
//! Mail that leaves straight from here comes from this server's addresses. Mail that a smarthost takes comes from that one's, which only whoever runs
//! it knows: the record is evaluated for the addresses of its name, and where those do not pass, only a term that names somebody else can help.

use std::net::IpAddr;

use deliver::remote::hosts::is_public;
use msgauth::network::Network;
use msgauth::spf::macros::MacroString;
use msgauth::spf::record::{Mechanism, SpfRecord, is_record};
use msgauth::spf::rule::Rule;
use msgauth::spf::{SpfEvidence, SpfResult};
use world::dns::{Lookup, Record as Answer};

use super::gather::Evidence;
use super::judge::{Finding, Level, Said, good, note, of, wrong};
use super::leaving::Smarthost;
use super::records::Record;
use crate::control::dns::Server;

/// What the record of a domain says: this server by its MX record. Where a smarthost takes mail, others are only suspected, until the record
/// names that one too: who published `-all` first would have all of that mail refused.
pub fn wanted(server: &Server) -> String {
    let all = match server.leaving.smarthosts.is_empty() {
        true => "-all",
        false => "~all",
    };
    format!("v=spf1 mx{} {all}", own_sources(server))
}

/// What the record of the server's own name says.
pub fn wanted_of_host(server: &Server) -> String {
    format!("v=spf1 a{} -all", own_sources(server))
}

/// Addresses that the settings make mail leave from: they need not be those of the server's name.
fn own_sources(server: &Server) -> String {
    let terms = server
        .sources
        .iter()
        .filter(|address| is_public(**address))
        .map(|address| {
            let family = if address.is_ipv6() { "ip6" } else { "ip4" };
            format!(" {family}:{address}")
        });
    terms.collect()
}

/// What only the operator can add to the record.
pub fn remark(domain: &str, server: &Server) -> Option<String> {
    let smarthosts = &server.leaving.smarthosts;
    let first = smarthosts.first()?;
    let names: Vec<String> = smarthosts
        .iter()
        .map(|one| format!("{} (route {:?})", one.host, one.route))
        .collect();
    let how_much = match first.by_default {
        true => format!("Mail from {domain} leaves by"),
        false => format!("Some mail from {domain} leaves by"),
    };
    Some(format!(
        "{how_much} {}, whose addresses are not in this record. Ask whoever runs it what to put before ~all (often one include:…; providers have it \
         in their help under SPF), and end the record with -all once it is there. Without it, receivers suspect that mail; with -all alone they \
         would refuse it.",
        names.join(", ")
    ))
}

/// What is there, judged.
pub fn judge(
    domain: &str,
    server: &Server,
    record: &Record,
    (lookup, evidence): (Option<&Lookup>, &Evidence),
) -> Finding {
    let mut finding = of(record, lookup, |found| {
        match found.texts().filter(|text| is_record(text)).count() {
            0 => wrong("Publish it: it names this server by its MX record"),
            1 => good(),
            _ => wrong("Leave one: with several SPF records none counts (RFC 7208 §4.5)"),
        }
    });
    if finding.level == Level::Good {
        (finding.level, finding.fix) = whole(evidence)
            .or_else(|| own(server, evidence))
            .or_else(|| everybody(domain, evidence))
            .or_else(|| smarthosts(domain, server, (lookup, evidence)))
            .or_else(|| end(evidence))
            .unwrap_or_else(good);
    }
    finding
}

/// Whether it can be evaluated at all.
fn whole(evidence: &Evidence) -> Option<Said> {
    let all = || {
        let smarthosts = evidence.smarthosts.iter().flat_map(|(_, all)| all);
        evidence
            .spf
            .iter()
            .chain(&evidence.spf_of_nobody)
            .chain(smarthosts)
    };
    if let Some(broken) = all().find(|one| one.result == SpfResult::PermError) {
        let shorter = match broken.rule {
            Rule::TooManyTerms | Rule::TooManyVoids => {
                ". Name addresses (ip4:, ip6:) in place of include:, a and mx"
            }
            _ => "",
        };
        return Some(wrong(&format!("Correct it: {broken}{shorter}")));
    }
    let unanswered = all().find(|one| one.result == SpfResult::TempError)?;
    Some((Level::Unknown, format!("Ask again later: {unanswered}")))
}

/// This server's own addresses, where mail leaves straight from here.
fn own(server: &Server, evidence: &Evidence) -> Option<Said> {
    if server.leaving.never_directly {
        return None;
    }
    let foreign = evidence.spf.iter().find(|one| one.result != SpfResult::Pass)?;
    Some(wrong(&format!("Name {} in it: {foreign}", foreign.client)))
}

fn everybody(domain: &str, evidence: &Evidence) -> Option<Said> {
    let passes = of_nobody(evidence) == Some(SpfResult::Pass);
    passes.then(|| wrong(&format!("Narrow it: it lets everybody send for {domain}")))
}

/// Servers that take mail from here: the addresses of their names pass, or the record names others, or it cannot be right.
fn smarthosts(
    domain: &str,
    server: &Server,
    (lookup, evidence): (Option<&Lookup>, &Evidence),
) -> Option<Said> {
    let passes = |host: &Smarthost| {
        let known = evidence.smarthosts.iter().find(|(name, _)| *name == host.host);
        known.is_some_and(|(_, all)| all.iter().any(|one| one.result == SpfResult::Pass))
    };
    let missing = server.leaving.smarthosts.iter().find(|host| !passes(host))?;
    let Smarthost { host, by_default, .. } = missing;
    if names_others(&[domain, &server.hostname], lookup, evidence) {
        return Some(note(&format!(
            "Mail leaves by {host}: whether the addresses that it sends from are among those named cannot be seen from here. Compare with what whoever \
             runs it says"
        )));
    }
    let fix = format!("Put in what whoever runs {host} names for it (often include:…): mail leaves by it");
    match (of_nobody(evidence), by_default) {
        (Some(SpfResult::Fail), true) => Some(wrong(&format!(
            "{fix}, and as the record is, receivers refuse that mail"
        ))),
        _ => Some(note(&format!(
            "{fix}, and as the record is, receivers suspect or refuse that mail"
        ))),
    }
}

/// Whether a term lets somebody pass who is neither this server nor a host of the domain's MX, by whatever name of ours.
fn names_others(ours: &[&str], lookup: Option<&Lookup>, evidence: &Evidence) -> bool {
    let Some(Lookup::Answer { records, .. }) = lookup else {
        return false;
    };
    let texts = records.iter().filter_map(|one| match one {
        // Names are compared: capitals make no other one.
        Answer::Txt(text) if is_record(text) => SpfRecord::parse(&text.to_ascii_lowercase()).ok(),
        _ => None,
    });
    let ours: Vec<Option<MacroString>> = ours
        .iter()
        .map(|name| MacroString::parse_domain(name.as_bytes()))
        .collect();
    let own: Vec<IpAddr> = evidence.spf.iter().map(|one| one.client).collect();
    let other = |mechanism: &Mechanism| match mechanism {
        Mechanism::All | Mechanism::Ptr(None) => false,
        Mechanism::A(target) | Mechanism::Mx(target) => {
            target.domain.is_some() && !ours.contains(&target.domain)
        }
        Mechanism::Ip(address, bits) => {
            let network = Network::new(*address, *bits);
            !own.iter().any(|own| network.contains(*own))
        }
        Mechanism::Include(_) | Mechanism::Exists(_) | Mechanism::Ptr(Some(_)) => true,
    };
    texts.into_iter().any(|record| {
        let mut passing = record
            .directives
            .iter()
            .filter(|one| one.result == SpfResult::Pass);
        record.redirect.is_some() || passing.any(|one| other(&one.mechanism))
    })
}

/// What it says of everybody else.
fn end(evidence: &Evidence) -> Option<Said> {
    let says_nothing = matches!(of_nobody(evidence), Some(SpfResult::Neutral | SpfResult::None));
    says_nothing.then(|| note("End it with -all (or ~all): as it is, it says nothing of other senders"))
}

fn of_nobody(evidence: &Evidence) -> Option<SpfResult> {
    evidence
        .spf_of_nobody
        .as_ref()
        .map(|one: &SpfEvidence| one.result)
}
