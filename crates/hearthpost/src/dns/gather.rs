//! Asking DNS for what stands there: the same questions whatever the answers, so that the judgement can be made without DNS.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr};
use std::task::Poll;

use deliver::remote::hosts::is_public;
use msgauth::desk::Desk;
use msgauth::iprev::{self, IprevEvidence};
use msgauth::limits::{IPREV_QUESTIONS, IPREV_TIME, SPF_QUESTIONS, SPF_TIME};
use msgauth::spf::{self, Question, Sender, SpfEvidence};
use world::clock::{Clock, UnixMs};
use world::dns::{Dns, Lookup, Record as Answer, RecordType};

use super::records::Wanted;
use crate::control::dns::Server;
use crate::limits::{DNS_CHECK_ADDRESSES, DNS_CHECK_SMARTHOSTS};

/// An address that is nobody's (RFC 5737): what SPF says of it has to read the whole record.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// What DNS said.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// by name and type
    pub lookups: BTreeMap<(String, &'static str), Lookup>,
    /// the server's addresses
    pub addresses: Vec<IpAddr>,
    /// what SPF says of each of them, and of those that the settings make mail leave from
    pub spf: Vec<SpfEvidence>,
    /// what it says of the addresses of each smarthost, by its name
    pub smarthosts: Vec<(String, Vec<SpfEvidence>)>,
    /// what it says of somebody else
    pub spf_of_nobody: Option<SpfEvidence>,
    /// whether each address has a name that leads back
    pub iprev: Vec<IprevEvidence>,
    /// when it was asked
    pub now: UnixMs,
}

impl Evidence {
    /// What was answered about a name.
    pub fn lookup(&self, name: &str, kind: &'static str) -> Option<&Lookup> {
        self.lookups.get(&(name.to_owned(), kind))
    }
}

/// Asks for everything, at once: silent name servers cost one wait, and not one for each question.
pub async fn all(
    dns: &dyn Dns,
    clock: &dyn Clock,
    domain: &str,
    server: &Server,
    wanted: &Wanted,
) -> Evidence {
    let mut evidence = Evidence {
        now: clock.now(),
        ..Evidence::default()
    };
    let questions = questions(server, wanted);
    let lookups = together(questions.iter().map(|((name, _), kind)| dns.lookup(name, *kind))).await;
    evidence.lookups = questions.keys().cloned().zip(lookups).collect();
    evidence.addresses = addresses(&evidence, &server.hostname);
    let spf_of = |client| spf(dns, clock, domain, server, client);
    let clients = own_clients(server, &evidence).into_iter().chain([NOBODY]);
    evidence.spf = together(clients.map(spf_of)).await;
    evidence.spf_of_nobody = evidence.spf.pop();
    for (host, addresses) in smarthosts(server, &evidence) {
        let all = together(addresses.into_iter().map(spf_of)).await;
        evidence.smarthosts.push((host, all));
    }
    let names = evidence
        .addresses
        .iter()
        .map(|address| iprev(dns, clock, *address));
    evidence.iprev = together(names).await;
    evidence
}

/// Each name and type once.
fn questions(server: &Server, wanted: &Wanted) -> BTreeMap<(String, &'static str), RecordType> {
    let own = ["A", "AAAA", "CNAME"].map(|kind| (server.hostname.as_str(), kind));
    let records = wanted.records.iter().map(|one| (one.name.as_str(), one.kind));
    let hosts = named_smarthosts(server).flat_map(|host| ["A", "AAAA"].map(|kind| (host, kind)));
    let asked = records.chain(own).chain(hosts);
    asked
        .filter_map(|(name, kind)| Some(((name.to_owned(), kind), type_of(kind)?)))
        .collect()
}

/// Waits for all of them, in one task.
async fn together<T>(waits: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waits: Vec<_> = waits.map(|wait| (Box::pin(wait), None)).collect();
    poll_fn(|cx| {
        for (wait, result) in waits.iter_mut().filter(|(_, result)| result.is_none()) {
            if let Poll::Ready(ready) = wait.as_mut().poll(cx) {
                *result = Some(ready);
            }
        }
        match waits.iter().all(|(_, result)| result.is_some()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    waits.into_iter().filter_map(|(_, result)| result).collect()
}

/// Smarthosts that are told by name, so that DNS knows their addresses.
fn named_smarthosts(server: &Server) -> impl Iterator<Item = &str> {
    let hosts = server.leaving.smarthosts.iter().map(|one| one.host.as_str());
    hosts
        .filter(|host| host.parse::<IpAddr>().is_err())
        .take(DNS_CHECK_SMARTHOSTS)
}

/// Each smarthost, with what it may be known by: its address, or those of its name.
fn smarthosts(server: &Server, evidence: &Evidence) -> Vec<(String, Vec<IpAddr>)> {
    let all = server.leaving.smarthosts.iter().take(DNS_CHECK_SMARTHOSTS);
    let of = |host: &str| match host.parse() {
        Ok(address) => vec![address],
        Err(_) => addresses(evidence, host),
    };
    all.map(|one| (one.host.clone(), of(&one.host))).collect()
}

/// Where mail that leaves straight from here comes from: the addresses of our name, and those of the settings.
fn own_clients(server: &Server, evidence: &Evidence) -> Vec<IpAddr> {
    let sources = server
        .sources
        .iter()
        .copied()
        .filter(|address| is_public(*address));
    let mut clients = evidence.addresses.clone();
    clients.extend(sources.filter(|source| !evidence.addresses.contains(source)));
    clients
}

/// Types that can be asked for.
fn type_of(kind: &str) -> Option<RecordType> {
    match kind {
        "MX" => Some(RecordType::Mx),
        "TXT" => Some(RecordType::Txt),
        "TLSA" => Some(RecordType::Tlsa),
        "A" => Some(RecordType::A),
        "AAAA" => Some(RecordType::Aaaa),
        "CNAME" => Some(RecordType::Cname),
        "SRV" => Some(RecordType::Srv),
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

async fn iprev(dns: &dyn Dns, clock: &dyn Clock, address: IpAddr) -> IprevEvidence {
    let mut desk = Desk::new(dns, clock, IPREV_QUESTIONS, IPREV_TIME);
    iprev::check(&mut desk, address).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use testkit::clock::SimClock;
    use testkit::dns::SimDns;

    use super::*;
    use crate::dns::judge::{Level, findings};
    use crate::dns::records::tests::facts;
    use crate::dns::records::wanted;

    #[tokio::test]
    async fn name_servers_that_answer_late_or_never_cost_one_wait_and_not_one_for_each_question() {
        let clock = SimClock::new();
        let late =
            "*.example.org !delay 9s\n*.example.org !timeout\nexample.org !delay 9s\nexample.org !timeout";
        let dns = SimDns::new(clock.door(), late).unwrap();
        let facts = facts();
        let server = facts.server.clone().unwrap();
        let wanted = wanted(&facts, &server);
        let door = clock.door();
        let check = all(&dns, &*door, &facts.domain, &server, &wanted);
        let time = async { while clock.advance_to_next().await {} };
        let (evidence, ()) = tokio::join!(check, time);
        let failed = |lookup: &Lookup| matches!(lookup, Lookup::Failed(_));
        assert!(evidence.lookups.len() > 8 && evidence.lookups.values().all(failed));
        let took = clock.door().monotonic().0;
        assert!(took < Duration::from_secs(60), "{took:?}");
        let told = findings(&facts.domain, &server, &wanted, &evidence);
        assert!(
            told.iter()
                .all(|one| one.level == Level::Unknown && one.found == "no answer"),
            "{told:#?}"
        );
    }
}
