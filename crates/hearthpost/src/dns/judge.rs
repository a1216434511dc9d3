//! Comparing what should be in DNS with what is there: one finding for each record, with what to do about it. Pure.

use msgauth::dkim::key::Key;
use msgauth::dmarc::record::{DmarcRecord, Policy};
use msgauth::evidence::printable;
use msgauth::iprev::IprevResult;
use msgauth::spf::record::is_record;
use serde::Serialize;
use world::dns::{Lookup, Record as Answer, Security};

use super::gather::Evidence;
use super::records::{Purpose, Record, Wanted};
use super::tlsa::Served;
use super::{spf, srv, tlsa};
use crate::control::dns::Server;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Good,
    /// It works; it could be better.
    Note,
    /// DNS did not answer, so nothing is known.
    Unknown,
    /// Mail suffers.
    Wrong,
}

impl Level {
    /// A stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Unknown => "unknown",
            Self::Wrong => "wrong",
        }
    }
}

/// One record, or one property of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// how it is
    pub level: Level,
    /// what was looked at: a purpose of a record, `host`, `iprev`
    pub about: String,
    /// the name
    pub name: String,
    /// the type
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// what should be there
    pub wanted: String,
    /// what is there
    pub found: String,
    /// why it matters
    pub why: &'static str,
    /// what to do; empty when there is nothing to do
    pub fix: String,
}

/// Everything, in the order of the records.
pub fn findings(domain: &str, server: &Server, wanted: &Wanted, evidence: &Evidence) -> Vec<Finding> {
    let mut findings = vec![host(server, evidence)];
    let served = Served::of(server, evidence.now);
    let mut tlsa = Vec::new();
    for record in &wanted.records {
        let lookup = evidence.lookup(&record.name, record.kind);
        match record.purpose {
            Purpose::Mx => findings.push(of(record, lookup, |found| mx(server, found))),
            Purpose::Spf => findings.push(spf::judge(domain, server, record, (lookup, evidence))),
            Purpose::SpfHost => findings.push(of(record, lookup, spf_of_host)),
            Purpose::Dkim => findings.push(of(record, lookup, |found| dkim(record, found))),
            Purpose::Dmarc => findings.push(of(record, lookup, dmarc)),
            Purpose::TlsRpt => findings.push(of(record, lookup, tls_rpt)),
            Purpose::Tlsa => tlsa.push((record, lookup)),
            Purpose::Srv => findings.push(of(record, lookup, |found| srv::judge(server, record, found))),
            Purpose::MtaSts | Purpose::Autoconfig => {}
        }
    }
    findings.extend(
        tlsa.iter()
            .map(|(record, lookup)| of(record, *lookup, |found| tlsa::judge(&served, record, found))),
    );
    if let Some((record, lookup)) = tlsa.first() {
        findings.extend(tlsa::others(&served, &record.name, *lookup));
    }
    findings.extend(evidence.iprev.iter().map(|one| iprev(server, one)));
    findings
}

/// What a record's own rule says: how it is, and what to do.
pub(super) type Said = (Level, String);

/// What is there, as the rules of the records look at it.
pub(super) struct Found<'a> {
    pub(super) records: &'a [Answer],
    pub(super) security: Security,
}

impl Found<'_> {
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().filter_map(|record| match record {
            Answer::Txt(text) => Some(text.as_slice()),
            _ => None,
        })
    }
}

/// Joins a record, what was answered and its rule. Without an answer nothing is known.
pub(super) fn of(record: &Record, lookup: Option<&Lookup>, rule: impl FnOnce(&Found<'_>) -> Said) -> Finding {
    let (found, (level, fix)) = match lookup {
        Some(Lookup::Answer {
            records, security, ..
        }) => {
            let found = Found {
                records,
                security: *security,
            };
            (shown(records), rule(&found))
        }
        Some(Lookup::Negative { security, .. }) => {
            let found = Found {
                records: &[],
                security: *security,
            };
            ("nothing".to_owned(), rule(&found))
        }
        Some(Lookup::Failed(_)) | None => (
            "no answer".to_owned(),
            (
                Level::Unknown,
                "Ask again later, or another name server (--dns)".to_owned(),
            ),
        ),
    };
    Finding {
        level,
        about: word(record.purpose),
        name: record.name.clone(),
        kind: record.kind,
        wanted: record.value.clone(),
        found,
        why: record.purpose.why(),
        fix,
    }
}

fn word(purpose: Purpose) -> String {
    let value = serde_json::to_value(purpose).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// Strangers' texts are cut and made printable.
pub(super) fn shown(records: &[Answer]) -> String {
    let one = |record: &Answer| match record {
        Answer::Txt(text) => printable(text),
        Answer::Mx(preference, host) => format!("{preference} {}", printable(host.as_bytes())),
        Answer::Tlsa(usage, selector, matching, data) => {
            let data: String = data.iter().take(64).map(|octet| format!("{octet:02x}")).collect();
            format!("{usage} {selector} {matching} {data}")
        }
        Answer::A(address) => address.to_string(),
        Answer::Aaaa(address) => address.to_string(),
        Answer::Ptr(name) | Answer::Cname(name) => printable(name.as_bytes()),
        Answer::Srv(priority, weight, port, host) => {
            format!("{priority} {weight} {port} {}", printable(host.as_bytes()))
        }
    };
    let all: Vec<String> = records.iter().take(SHOWN).map(one).collect();
    let more = match records.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" | and {more} more"),
    };
    format!("{}{more}", all.join(" | "))
}

/// Records of one answer that are shown.
const SHOWN: usize = 8;

pub(super) fn good() -> Said {
    (Level::Good, String::new())
}

pub(super) fn wrong(fix: &str) -> Said {
    (Level::Wrong, fix.to_owned())
}

pub(super) fn note(fix: &str) -> Said {
    (Level::Note, fix.to_owned())
}

/// The server's own name: an address, and no alias (RFC 2181 §10.3).
fn host(server: &Server, evidence: &Evidence) -> Finding {
    let name = &server.hostname;
    let lookup = |kind| evidence.lookup(name, kind);
    let alias = matches!(lookup("CNAME"), Some(Lookup::Answer { .. }));
    let failed = ["A", "AAAA"]
        .iter()
        .any(|kind| matches!(lookup(kind), Some(Lookup::Failed(_)) | None));
    let (level, fix) = match (alias, evidence.addresses.is_empty(), failed) {
        (true, ..) => wrong(
            "Give the server's name an address of its own (A, AAAA) instead of a CNAME: MX must not lead to an alias",
        ),
        (false, false, _) => good(),
        (false, true, true) => (
            Level::Unknown,
            "Ask again later, or another name server (--dns)".to_owned(),
        ),
        (false, true, false) => wrong("Publish an A or AAAA record with the server's public address"),
    };
    let addresses: Vec<String> = evidence.addresses.iter().map(ToString::to_string).collect();
    Finding {
        level,
        about: "host".to_owned(),
        name: name.clone(),
        kind: "A, AAAA",
        wanted: "the server's public address".to_owned(),
        found: match (alias, addresses.is_empty(), failed) {
            (true, ..) => "an alias (CNAME)".to_owned(),
            (false, true, true) => "no answer".to_owned(),
            (false, true, false) => "nothing".to_owned(),
            (false, false, _) => addresses.join(" | "),
        },
        why: "Other servers connect to what it leads to",
        fix,
    }
}

fn mx(server: &Server, found: &Found<'_>) -> Said {
    let hosts: Vec<&str> = found
        .records
        .iter()
        .filter_map(|record| match record {
            Answer::Mx(_, host) => Some(host.as_str()),
            _ => None,
        })
        .collect();
    let ours = hosts
        .iter()
        .any(|host| host.eq_ignore_ascii_case(&server.hostname));
    match (hosts.as_slice(), ours) {
        ([], _) => {
            wrong("Publish it: without it other servers try the domain's own address, or bring nothing")
        }
        (["."], _) => wrong("Replace it: a null MX says that the domain takes no mail (RFC 7505)"),
        (_, false) => wrong("Add this server: mail for the domain goes to others"),
        ([_], true) => good(),
        (_, true) => note("Mail also goes to the other hosts: each must bring it here"),
    }
}

fn spf_of_host(found: &Found<'_>) -> Said {
    match found.texts().filter(|text| is_record(text)).count() {
        0 => note("Publish it, so that this server's own reports are confirmed"),
        1 => good(),
        _ => wrong("Leave one: with several SPF records none counts (RFC 7208 §4.5)"),
    }
}

/// A key that signs must be there; one that waits should come.
fn dkim(record: &Record, found: &Found<'_>) -> Said {
    let ours = Key::parse(record.value.as_bytes()).map(|key| key.public);
    let texts: Vec<&[u8]> = found.texts().collect();
    let same = match texts.as_slice() {
        [only] => ours.is_ok() && Key::parse(only).map(|key| key.public) == ours,
        _ => false,
    };
    let state = record.state.as_deref().unwrap_or_default();
    match (same, texts.is_empty(), state) {
        (true, ..) => good(),
        (false, true, "waiting") => note("Publish it: until it is seen, this key does not sign"),
        (false, true, "retiring") => wrong("Publish it again: mail that this key signed is still on its way"),
        (false, true, _) => wrong("Publish it again: this key signs, and nobody can verify it"),
        (false, false, "waiting") => {
            wrong("Replace what is there: it is not this key, or there are several records")
        }
        (false, false, _) => wrong(
            "Replace what is there: it is another key, or there are several records, so signatures fail",
        ),
    }
}

fn dmarc(found: &Found<'_>) -> Said {
    let all: Vec<DmarcRecord> = found.texts().filter_map(DmarcRecord::parse).collect();
    match (all.as_slice(), found.texts().count()) {
        ([], 0) => wrong("Publish it. Begin with p=none, read the reports for a while, then p=reject"),
        ([], _) => wrong("Correct it: it must begin with v=DMARC1 and can be read by nobody"),
        ([_, _, ..], _) => wrong("Leave one: several DMARC records count as none (RFC 9989 §4.7)"),
        ([only], _) => match only.policy {
            None => wrong("Correct it: its policy p= cannot be read"),
            Some(Policy::None) => {
                note("p=none asks for reports only. When they show that all your mail passes: p=reject")
            }
            Some(_) if only.testing => {
                note("t=y says that it is only tried. Take it out when all your mail passes")
            }
            Some(_) => good(),
        },
    }
}

fn tls_rpt(found: &Found<'_>) -> Said {
    let is = |text: &&[u8]| text.trim_ascii_start().starts_with(b"v=TLSRPTv1");
    match found.texts().filter(is).count() {
        0 => note("Publish it, to hear of servers that could not encrypt"),
        1 => good(),
        _ => wrong("Leave one: several such records count as none (RFC 8460 §3)"),
    }
}

fn iprev(server: &Server, evidence: &msgauth::iprev::IprevEvidence) -> Finding {
    let name = evidence.name.as_deref();
    let (level, fix) = match (evidence.result, name) {
        (IprevResult::Pass, Some(name)) if name.eq_ignore_ascii_case(&server.hostname) => good(),
        (IprevResult::Pass, _) => note(
            "It leads to another name than the server says in its greeting; the same name would be better",
        ),
        (IprevResult::TempError, _) => (
            Level::Unknown,
            "Ask again later, or another name server (--dns)".to_owned(),
        ),
        (IprevResult::Fail | IprevResult::PermError, _) => wrong(
            "Have whoever gave you the address set its name (PTR) to the server's: many servers take no mail without",
        ),
    };
    Finding {
        level,
        about: "iprev".to_owned(),
        name: evidence.client.to_string(),
        kind: "PTR",
        wanted: server.hostname.clone(),
        found: evidence.to_string(),
        why: "Other servers look whether the address has a name that leads back to it",
        fix,
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
pub mod tests;
