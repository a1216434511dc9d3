//! Comparing what should be in DNS with what is there: one finding for each record, with what to do about it. Pure.

use msgauth::dkim::key::Key;
use msgauth::dmarc::record::{DmarcRecord, Policy};
use msgauth::evidence::printable;
use msgauth::iprev::IprevResult;
use msgauth::spf::rule::Rule;
use msgauth::spf::{SpfResult, record::is_record};
use serde::Serialize;
use world::dns::{Lookup, Record as Answer, Security};

use super::gather::Evidence;
use super::records::{Purpose, Record, Wanted};
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
    let mut tlsa = Vec::new();
    for record in &wanted.records {
        let lookup = evidence.lookup(&record.name, record.kind);
        match record.purpose {
            Purpose::Mx => findings.push(of(record, lookup, |found| mx(server, found))),
            Purpose::Spf => findings.push(spf(domain, record, lookup, evidence)),
            Purpose::SpfHost => findings.push(of(record, lookup, spf_of_host)),
            Purpose::Dkim => findings.push(of(record, lookup, |found| dkim(record, found))),
            Purpose::Dmarc => findings.push(of(record, lookup, dmarc)),
            Purpose::TlsRpt => findings.push(of(record, lookup, tls_rpt)),
            Purpose::Tlsa => tlsa.push((record, lookup)),
            Purpose::Srv | Purpose::MtaSts | Purpose::Autoconfig => {}
        }
    }
    findings.extend(
        tlsa.iter()
            .map(|(record, lookup)| of(record, *lookup, |found| self::tlsa(record, found))),
    );
    findings.extend(evidence.iprev.iter().map(|one| iprev(server, one)));
    findings
}

/// What a record's own rule says: how it is, and what to do.
type Said = (Level, String);

/// What is there, as the rules of the records look at it.
struct Found<'a> {
    records: &'a [Answer],
    security: Security,
}

impl Found<'_> {
    fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().filter_map(|record| match record {
            Answer::Txt(text) => Some(text.as_slice()),
            _ => None,
        })
    }
}

/// Joins a record, what was answered and its rule. Without an answer nothing is known.
fn of(record: &Record, lookup: Option<&Lookup>, rule: impl FnOnce(&Found<'_>) -> Said) -> Finding {
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
fn shown(records: &[Answer]) -> String {
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

fn good() -> Said {
    (Level::Good, String::new())
}

fn wrong(fix: &str) -> Said {
    (Level::Wrong, fix.to_owned())
}

fn note(fix: &str) -> Said {
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

fn spf(domain: &str, record: &Record, lookup: Option<&Lookup>, evidence: &Evidence) -> Finding {
    let mut finding = of(record, lookup, |found| {
        match found.texts().filter(|text| is_record(text)).count() {
            0 => wrong("Publish it: it names this server by its MX record"),
            1 => good(),
            _ => wrong("Leave one: with several SPF records none counts (RFC 7208 §4.5)"),
        }
    });
    if finding.level != Level::Good {
        return finding;
    }
    let all = evidence.spf.iter().chain(&evidence.spf_of_nobody);
    let broken = all.clone().find(|one| one.result == SpfResult::PermError);
    let unanswered = all.clone().find(|one| one.result == SpfResult::TempError);
    let nobody = evidence.spf_of_nobody.as_ref().map(|one| one.result);
    let foreign = evidence.spf.iter().find(|one| one.result != SpfResult::Pass);
    (finding.level, finding.fix) = if let Some(broken) = broken {
        let shorter = match broken.rule {
            Rule::TooManyTerms | Rule::TooManyVoids => {
                ". Name addresses (ip4:, ip6:) in place of include:, a and mx"
            }
            _ => "",
        };
        wrong(&format!("Correct it: {broken}{shorter}"))
    } else if let Some(unanswered) = unanswered {
        (Level::Unknown, format!("Ask again later: {unanswered}"))
    } else if let Some(foreign) = foreign {
        wrong(&format!("Name {} in it: {foreign}", foreign.client))
    } else if nobody == Some(SpfResult::Pass) {
        wrong(&format!("Narrow it: it lets everybody send for {domain}"))
    } else if matches!(nobody, Some(SpfResult::Neutral | SpfResult::None)) {
        note("End it with -all (or ~all): as it is, it says nothing of other senders")
    } else {
        good()
    };
    finding
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

/// DANE binds: where there are records, one must be of the key that is served, and one of the key that comes next, before it comes.
fn tlsa(record: &Record, found: &Found<'_>) -> Said {
    let (is_next, wanted) = (record.state.as_deref() == Some("next"), record.value.as_str());
    let listed = found
        .records
        .iter()
        .any(|one| shown(std::slice::from_ref(one)) == wanted);
    let any = found.records.iter().any(|one| matches!(one, Answer::Tlsa(..)));
    let others = found
        .records
        .iter()
        .any(|one| matches!(one, Answer::Tlsa(usage, selector, matching, _) if (*usage, *selector, *matching) != (3, 1, 1)));
    match (listed, any, is_next, found.security) {
        (true, _, _, Security::Secure) => good(),
        (true, ..) => note("It counts only where DNSSEC signs the name, which this answer did not show"),
        (false, true, false, _) if others => {
            note("No record 3 1 1 has the served key; whether one of the others fits is not checked here")
        }
        (false, true, false, _) => wrong(
            "Publish it now: none of the records has the key that is served, so servers that check DANE bring no mail",
        ),
        (false, true, true, _) => wrong(
            "Publish it, and wait for a day, before that certificate is used: else servers that check DANE bring no mail",
        ),
        (false, false, ..) => note("Publish it where DNSSEC signs the name"),
    }
}

/// Whether there are records that bind, of the form that is checked here, and none fits.
pub fn tlsa_lacks(lookup: &Lookup, hash: &str) -> bool {
    let Lookup::Answer { records, .. } = lookup else {
        return false;
    };
    let wanted = format!("3 1 1 {hash}");
    let of_form = records.iter().all(|one| matches!(one, Answer::Tlsa(3, 1, 1, _)));
    of_form
        && !records
            .iter()
            .any(|one| shown(std::slice::from_ref(one)) == wanted)
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
pub mod tests {
    use msgauth::dkim::sign::SigningKey;
    use testkit::clock::SimClock;
    use testkit::dns::SimDns;

    use super::super::gather;
    use super::super::records::tests::facts;
    use super::super::records::wanted;
    use super::*;

    /// Of a key of this name, as a record has it.
    pub fn public_key(name: &str) -> String {
        let seed = [name.as_bytes().first().copied().unwrap_or(1); 32];
        let key = SigningKey::ed25519("example.org", name, &seed).unwrap();
        key.record().rsplit("p=").next().unwrap_or_default().to_owned()
    }

    /// A zone in which everything is right.
    fn zone() -> String {
        let (b, c) = (public_key("b"), public_key("c"));
        let (served, next) = ("ab".repeat(32), "cd".repeat(32));
        format!(
            r#"
            $security secure
            example.org TXT "v=spf1 mx -all"
            example.org MX 10 mail.example.org
            mail.example.org A 192.0.2.25
            mail.example.org TXT "v=spf1 a -all"
            25.2.0.192.in-addr.arpa PTR mail.example.org
            b._domainkey.example.org TXT "v=DKIM1; k=ed25519; p={b}"
            c._domainkey.example.org TXT "v=DKIM1; k=ed25519; p={c}"
            _dmarc.example.org TXT "v=DMARC1; p=reject"
            _smtp._tls.example.org TXT "v=TLSRPTv1; rua=mailto:postmaster@example.org"
            _25._tcp.mail.example.org TLSA 3 1 1 {served}
            _25._tcp.mail.example.org TLSA 3 1 1 {next}
            "#
        )
    }

    /// What is not good in a zone: what about, how, and the first word of what to do.
    async fn found(zone: &str) -> Vec<(String, Level, String)> {
        let clock = SimClock::new();
        let dns = SimDns::new(clock.door(), zone).unwrap();
        let facts = facts();
        let server = facts.server.clone().unwrap();
        let wanted = wanted(&facts, &server);
        let evidence = gather::all(&dns, &*clock.door(), &facts.domain, &server, &wanted).await;
        let all = findings(&facts.domain, &server, &wanted, &evidence);
        let bad = all.into_iter().filter(|one| one.level != Level::Good);
        bad.map(|one| (one.about, one.level, one.fix)).collect()
    }

    #[tokio::test]
    async fn a_zone_in_which_everything_is_right_has_nothing_to_do() {
        assert_eq!(found(&zone()).await, []);
    }

    #[tokio::test]
    async fn each_fault_is_found_alone_and_said_with_what_to_do() {
        use Level::{Note, Unknown, Wrong};
        let key = public_key("b");
        let long = "include:a.example.org ".repeat(11);
        let table: &[(&str, &str, &str, Level, &str)] = &[
            // what is replaced, by what, which finding, how, how its advice begins
            (
                "example.org MX 10 mail.example.org",
                "",
                "mx",
                Wrong,
                "Publish it",
            ),
            (
                "MX 10 mail.example.org",
                "MX 0 .",
                "mx",
                Wrong,
                "Replace it: a null MX",
            ),
            (
                "MX 10 mail.example.org",
                "MX 10 other.example",
                "mx",
                Wrong,
                "Add this server",
            ),
            (
                "v=spf1 mx -all",
                "v=spf1 ip4:192.0.2.77 -all",
                "spf",
                Wrong,
                "Name 192.0.2.25 in it",
            ),
            ("v=spf1 mx -all", "v=spf1 mx +all", "spf", Wrong, "Narrow it"),
            ("v=spf1 mx -all", "v=spf1 mx", "spf", Note, "End it with -all"),
            ("v=spf1 mx -all", "v=spf1 mix -all", "spf", Wrong, "Correct it"),
            ("v=spf1 a -all", "v=x", "spf-host", Note, "Publish it"),
            (
                &key,
                "AAAA",
                "dkim",
                Wrong,
                "Replace what is there: it is another key",
            ),
            (
                "c._domainkey.example.org",
                "x._domainkey.example.org",
                "dkim",
                Note,
                "Publish it: until it is seen",
            ),
            (
                "b._domainkey.example.org",
                "x._domainkey.example.org",
                "dkim",
                Wrong,
                "Publish it again",
            ),
            ("p=reject", "p=none", "dmarc", Note, "p=none asks"),
            ("p=reject", "p=rejekt", "dmarc", Wrong, "Correct it"),
            ("v=DMARC1", "v=DMARC", "dmarc", Wrong, "Correct it"),
            (
                "_dmarc.example.org",
                "x.example.org",
                "dmarc",
                Wrong,
                "Publish it",
            ),
            ("v=TLSRPTv1", "v=x", "tls-rpt", Note, "Publish it"),
            (
                "PTR mail.example.org",
                "PTR other.example",
                "iprev",
                Wrong,
                "Have whoever gave you",
            ),
            (
                "$security secure",
                "$security insecure",
                "tlsa",
                Note,
                "It counts only",
            ),
            (
                "_dmarc.example.org TXT \"v=DMARC1; p=reject\"",
                "_dmarc.example.org !timeout",
                "dmarc",
                Unknown,
                "Ask again",
            ),
        ];
        for (from, to, about, level, fix) in table {
            let all = found(&zone().replacen(from, to, 1)).await;
            let fits = all
                .iter()
                .any(|(a, l, f)| a == about && l == level && f.starts_with(fix));
            assert!(fits, "{from} -> {to}: {all:?}");
        }
        let many = zone().replace("v=spf1 mx -all", &format!("v=spf1 mx {long}-all"))
            + "\na.example.org TXT \"v=spf1 -all\"\n";
        let all = found(&many).await;
        assert!(
            all.iter()
                .any(|(_, level, fix)| *level == Wrong && fix.contains("more than 10 terms")),
            "{all:?}"
        );
        let two = zone() + "\nexample.org TXT \"v=spf1 -all\"\n_dmarc.example.org TXT \"v=DMARC1; p=none\"\n";
        let all = found(&two).await;
        assert_eq!(
            all.iter()
                .filter(|(.., fix)| fix.starts_with("Leave one"))
                .count(),
            2,
            "{all:?}"
        );
        let alias = zone().replace(
            "mail.example.org A 192.0.2.25",
            "mail.example.org CNAME h.example.org\nh.example.org A 192.0.2.25",
        );
        let alias = alias.replace("mail.example.org TXT", "h.example.org TXT");
        let all = found(&alias).await;
        assert!(
            all.iter()
                .any(|(about, level, _)| about == "host" && *level == Wrong),
            "{all:?}"
        );
    }

    #[tokio::test]
    async fn tls_11_a_certificate_without_its_record_is_wrong_before_it_is_used_and_while_it_is() {
        let said = |all: &[(String, Level, String)]| -> Vec<(Level, String)> {
            let tlsa = all.iter().filter(|(about, ..)| about == "tlsa");
            tlsa.map(|(_, level, fix)| (*level, fix.split(':').next().unwrap_or_default().to_owned()))
                .collect()
        };
        let without = |digits: &str| {
            let line = format!("_25._tcp.mail.example.org TLSA 3 1 1 {}", digits.repeat(32));
            zone().replace(&line, "")
        };
        let next = said(&found(&without("cd")).await);
        assert_eq!(next.len(), 1, "the served one is there: {next:?}");
        assert!(
            next[0].0 == Level::Wrong && next[0].1.contains("before that certificate is used"),
            "{next:?}"
        );
        let served = said(&found(&without("ab")).await);
        assert_eq!(served, [(Level::Wrong, "Publish it now".to_owned())]);
        let none = without("ab").replace(
            &format!("_25._tcp.mail.example.org TLSA 3 1 1 {}", "cd".repeat(32)),
            "",
        );
        let none = said(&found(&none).await);
        assert!(
            none.iter().all(|(level, _)| *level == Level::Note),
            "who publishes none promises nothing: {none:?}"
        );
    }
}
