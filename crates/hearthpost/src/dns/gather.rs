//! Asking DNS for what stands there: the same questions whatever the answers, so that the judgement can be made without DNS.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use msgauth::desk::Desk;
use msgauth::iprev::{self, IprevEvidence};
use msgauth::limits::{IPREV_QUESTIONS, IPREV_TIME, SPF_QUESTIONS, SPF_TIME};
use msgauth::spf::{self, Question, Sender, SpfEvidence};
use world::clock::Clock;
use world::dns::{Dns, Lookup, Record as Answer, RecordType};

use super::records::Wanted;
use crate::control::dns::Server;
use crate::limits::DNS_CHECK_ADDRESSES;

/// An address that is nobody's (RFC 5737): what SPF says of it has to read the whole record.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// What DNS said.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// by name and type
    pub lookups: BTreeMap<(String, &'static str), Lookup>,
    /// the server's addresses
    pub addresses: Vec<IpAddr>,
    /// what SPF says of each of them
    pub spf: Vec<SpfEvidence>,
    /// what it says of somebody else
    pub spf_of_nobody: Option<SpfEvidence>,
    /// whether each address has a name that leads back
    pub iprev: Vec<IprevEvidence>,
}

impl Evidence {
    /// What was answered about a name.
    pub fn lookup(&self, name: &str, kind: &'static str) -> Option<&Lookup> {
        self.lookups.get(&(name.to_owned(), kind))
    }
}

/// Asks for everything.
pub async fn all(
    dns: &dyn Dns,
    clock: &dyn Clock,
    domain: &str,
    server: &Server,
    wanted: &Wanted,
) -> Evidence {
    let mut evidence = Evidence::default();
    let kinds = wanted
        .records
        .iter()
        .filter_map(|record| Some((record.name.clone(), record.kind, type_of(record.kind)?)));
    let host = &server.hostname;
    let own = [
        ("A", RecordType::A),
        ("AAAA", RecordType::Aaaa),
        ("CNAME", RecordType::Cname),
    ];
    let own = own.map(|(word, kind)| (host.clone(), word, kind));
    for (name, word, kind) in kinds.chain(own) {
        if !evidence.lookups.contains_key(&(name.clone(), word)) {
            let lookup = dns.lookup(&name, kind).await;
            evidence.lookups.insert((name, word), lookup);
        }
    }
    evidence.addresses = addresses(&evidence, host);
    for address in evidence.addresses.clone() {
        evidence.spf.push(spf(dns, clock, domain, server, address).await);
        let mut desk = Desk::new(dns, clock, IPREV_QUESTIONS, IPREV_TIME);
        evidence.iprev.push(iprev::check(&mut desk, address).await);
    }
    evidence.spf_of_nobody = Some(spf(dns, clock, domain, server, NOBODY).await);
    evidence
}

/// Types that can be asked for; SRV cannot, so such records are not checked.
fn type_of(kind: &str) -> Option<RecordType> {
    match kind {
        "MX" => Some(RecordType::Mx),
        "TXT" => Some(RecordType::Txt),
        "TLSA" => Some(RecordType::Tlsa),
        _ => None,
    }
}

fn addresses(evidence: &Evidence, host: &str) -> Vec<IpAddr> {
    let answers = ["A", "AAAA"]
        .into_iter()
        .filter_map(|kind| evidence.lookup(host, kind));
    let records = answers.flat_map(|lookup| match lookup {
        Lookup::Answer { records, .. } => records.as_slice(),
        Lookup::Negative { .. } | Lookup::Failed(_) => &[],
    });
    let addresses = records.filter_map(|record| match record {
        Answer::A(address) => Some(IpAddr::V4(*address)),
        Answer::Aaaa(address) => Some(IpAddr::V6(*address)),
        _ => None,
    });
    addresses.take(DNS_CHECK_ADDRESSES).collect()
}

async fn spf(dns: &dyn Dns, clock: &dyn Clock, domain: &str, server: &Server, client: IpAddr) -> SpfEvidence {
    let mut desk = Desk::new(dns, clock, SPF_QUESTIONS, SPF_TIME);
    let question = Question {
        client,
        hello: &server.hostname,
        sender: Sender::of(&format!("postmaster@{domain}"), &server.hostname),
        receiver: &server.hostname,
        now_s: clock.now().0 / 1000,
    };
    spf::check(&mut desk, &question).await
}
