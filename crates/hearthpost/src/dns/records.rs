//! The records that a domain needs, from what the server knows of itself.

use serde::Serialize;

use super::{spf, srv};
use crate::control::dns::{Facts, Server};

/// What a record is for: a stable word for machines, and the place of its explanation in `docs/run/dns.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Purpose {
    Mx,
    Spf,
    SpfHost,
    Dkim,
    Dmarc,
    TlsRpt,
    Tlsa,
    Srv,
    MtaSts,
    Autoconfig,
}

impl Purpose {
    /// Why it matters, in a sentence.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Mx => "Other servers look here for whom to bring mail to",
            Self::Spf => {
                "Says which servers may send for the domain; without it, its mail counts as unconfirmed"
            }
            Self::SpfHost => {
                "The same for the server's own name, which it says in its greeting and in reports"
            }
            Self::Dkim => {
                "The public half of a key that signs the domain's mail; without it no signature can be verified"
            }
            Self::Dmarc => "Says what to do with mail that claims to be from the domain and is not",
            Self::TlsRpt => "Other servers report here when they could not encrypt",
            Self::Tlsa => {
                "Lets other servers demand this server's very key (DANE); counts only where DNSSEC signs the name"
            }
            Self::Srv => {
                "Mail programs find the server by themselves; a point says that there is no such door"
            }
            Self::MtaSts => {
                "Other servers demand encryption and a certificate of this name; needs a page on HTTPS"
            }
            Self::Autoconfig => "Mail programs set themselves up; needs a page on HTTPS",
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// what it is for
    pub purpose: Purpose,
    /// whole name, without the last dot
    pub name: String,
    /// its type
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// what it says; of a TXT record the text in one piece
    pub value: String,
    /// where it stands in its life: of a key its state, of a TLSA record `served` or `next`
    pub state: Option<String>,
    /// what only the operator can do about it, in sentences
    pub remark: Option<String>,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// to be published
    pub records: Vec<Record>,
    /// not yet, because this server has no door for it
    pub not_yet: Vec<Record>,
    /// the policy that MTA-STS will need, and where it has to be served
    pub mta_sts_policy: (String, String),
}

/// About the record of MTA-STS (RFC 8461 §3.1).
const STS_ID: &str = "The id is an example: any 1 to 32 letters and digits, and others each time the policy's text changes, or nobody fetches it \
                      again.";

/// About its policy (RFC 8461 §5).
pub const STS_MODE: &str = "To begin with: failures are reported and stop nothing. When the reports are quiet: mode: enforce, and another id";

/// The records of a domain.
pub fn wanted(facts: &Facts, server: &Server) -> Wanted {
    let (domain, host) = (facts.domain.as_str(), server.hostname.as_str());
    let mut records = vec![
        record(Purpose::Mx, domain, "MX", format!("10 {host}.")),
        Record {
            remark: spf::remark(domain, server),
            ..record(Purpose::Spf, domain, "TXT", spf::wanted(server))
        },
    ];
    if host != domain {
        records.push(record(Purpose::SpfHost, host, "TXT", spf::wanted_of_host(server)));
    }
    records.extend(keys(facts));
    let to = format!("mailto:postmaster@{domain}");
    records.push(record(
        Purpose::Dmarc,
        &format!("_dmarc.{domain}"),
        "TXT",
        // Whoever publishes it before all senders of the domain are known would have honest mail refused.
        format!("v=DMARC1; p=none; rua={to}"),
    ));
    records.push(record(
        Purpose::TlsRpt,
        &format!("_smtp._tls.{domain}"),
        "TXT",
        format!("v=TLSRPTv1; rua={to}"),
    ));
    records.extend(tlsa(server));
    records.extend(srv(domain, server));
    Wanted {
        records,
        not_yet: not_yet(domain, host),
        mta_sts_policy: (
            format!("https://mta-sts.{domain}/.well-known/mta-sts.txt"),
            format!("version: STSv1\nmode: testing\nmx: {host}\nmax_age: 604800\n"),
        ),
    }
}

/// Keys whose record must be there, or come there. One that is not needed any more is not listed: it may go.
fn keys(facts: &Facts) -> impl Iterator<Item = Record> {
    let needed = facts.keys.iter().filter(|key| key.state != "removable");
    needed.map(|key| Record {
        state: Some(key.state.clone()),
        ..record(Purpose::Dkim, &key.name, "TXT", key.record.clone())
    })
}

/// The key that is served, and the one that will be: published before it is used (RFC 7671 §8.1).
fn tlsa(server: &Server) -> Vec<Record> {
    let name = format!("_25._tcp.{}", server.hostname);
    let one = |hash: &String, state: &str| Record {
        state: Some(state.to_owned()),
        ..record(Purpose::Tlsa, &name, "TLSA", format!("3 1 1 {hash}"))
    };
    let next = server
        .next_tlsa
        .as_ref()
        .filter(|next| server.tlsa.as_ref() != Some(next));
    let served = server.tlsa.iter().map(|hash| one(hash, "served"));
    served.chain(next.map(|hash| one(hash, "next"))).collect()
}

fn srv(domain: &str, server: &Server) -> impl Iterator<Item = Record> {
    let all = srv::wanted(domain, server).into_iter();
    all.map(|(name, value)| record(Purpose::Srv, &name, "SRV", value))
}

fn not_yet(domain: &str, host: &str) -> Vec<Record> {
    vec![
        Record {
            remark: Some(STS_ID.to_owned()),
            ..record(
                Purpose::MtaSts,
                &format!("_mta-sts.{domain}"),
                "TXT",
                "v=STSv1; id=1".to_owned(),
            )
        },
        record(
            Purpose::MtaSts,
            &format!("mta-sts.{domain}"),
            "CNAME",
            format!("{host}."),
        ),
        record(
            Purpose::Autoconfig,
            &format!("autoconfig.{domain}"),
            "CNAME",
            format!("{host}."),
        ),
    ]
}

fn record(purpose: Purpose, name: &str, kind: &'static str, value: String) -> Record {
    Record {
        purpose,
        name: name.to_owned(),
        kind,
        value,
        state: None,
        remark: None,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::control::dkim::Shown;

    /// A domain with one key that signs and one that waits.
    pub fn facts() -> Facts {
        let key = |selector: &str, state: &str| Shown {
            domain: "example.org".to_owned(),
            name: format!("{selector}._domainkey.example.org"),
            selector: selector.to_owned(),
            kind: "ed25519".to_owned(),
            state: state.to_owned(),
            since: None,
            seen: None,
            lost: None,
            record: format!(
                "v=DKIM1; k=ed25519; p={}",
                crate::dns::judge::tests::public_key(selector)
            ),
            nothing_signs: false,
        };
        Facts {
            domain: "example.org".to_owned(),
            keys: vec![key("a", "removable"), key("b", "signing"), key("c", "waiting")],
            server: Some(Server {
                hostname: "mail.example.org".to_owned(),
                doors: vec![
                    ("smtp".to_owned(), 25),
                    ("submissions".to_owned(), 465),
                    ("imaps".to_owned(), 993),
                ],
                tlsa: Some("ab".repeat(32)),
                next_tlsa: Some("cd".repeat(32)),
                ..Server::default()
            }),
        }
    }

    #[test]
    fn every_door_that_is_open_is_named_and_every_other_is_denied() {
        let facts = facts();
        let wanted = wanted(&facts, facts.server.as_ref().unwrap());
        let lines: Vec<String> = wanted
            .records
            .iter()
            .map(|one| format!("{} {} {}", one.name, one.kind, one.value))
            .collect();
        let has = |line: &str| assert!(lines.iter().any(|one| one == line), "{line}: {lines:#?}");
        has("example.org MX 10 mail.example.org.");
        has("mail.example.org TXT v=spf1 a -all");
        has("_submissions._tcp.example.org SRV 0 1 465 mail.example.org.");
        has("_submission._tcp.example.org SRV 0 0 0 .");
        has("_imap._tcp.example.org SRV 0 0 0 .");
        has("_dmarc.example.org TXT v=DMARC1; p=none; rua=mailto:postmaster@example.org");
        has(&format!(
            "_25._tcp.mail.example.org TLSA 3 1 1 {}",
            "ab".repeat(32)
        ));
        has(&format!(
            "_25._tcp.mail.example.org TLSA 3 1 1 {}",
            "cd".repeat(32)
        ));
        assert!(
            !lines.iter().any(|line| line.starts_with("a._domainkey")),
            "it may go"
        );
        assert!(
            lines.iter().any(|line| line.starts_with("c._domainkey")),
            "it must come"
        );
        assert!(
            !lines
                .iter()
                .any(|line| line.contains("mta-sts") || line.contains("autoconfig"))
        );
        assert_eq!(wanted.not_yet.len(), 3);
    }

    #[test]
    fn a_host_that_is_the_domain_has_one_spf_record_and_a_server_without_a_certificate_no_tlsa() {
        let facts = facts();
        let server = Server {
            hostname: "example.org".to_owned(),
            ..Server::default()
        };
        let records = wanted(&facts, &server).records;
        let count = |purpose| records.iter().filter(|one| one.purpose == purpose).count();
        assert_eq!(
            (count(Purpose::Spf), count(Purpose::SpfHost), count(Purpose::Tlsa)),
            (1, 0, 0)
        );
    }
}
