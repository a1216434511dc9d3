//! `hearthpost check message`: who a message is really from, with the evidence in words.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;

use config::NameServer;
use mail::address::{Path as ReversePath, Utf8};
use msgauth::evidence::Asked;
use msgauth::examine::{Doors, Envelope, Evidence, Examination};
use msgauth::policy::{Decision, decide};
use serde_json::{Value, json};
use world_real::clock::RealClock;
use world_real::dns::{DnsSettings, RealDns, Validation, system};

use super::check_rules::{Overrule, Rules};
use super::{block_on, print};
use crate::cli::{CheckMessageArgs, DEFAULT_CONFIG};
use crate::exit::{Failure, Outcome};
use crate::files::{self, Shelf};
use crate::limits::CHECKED_MESSAGE_BYTES;
use crate::{outward, serve};

/// Examines the message and prints what was found out. The exit code says whether that was possible, not what came of it.
pub fn message(args: &CheckMessageArgs, clock: &RealClock) -> Outcome<()> {
    let reverse_path = reverse_path(&args.mail_from)?;
    let message = read(&args.file)?;
    let config = args.config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG));
    let dns = name_servers(args.dns.as_deref(), config)?;
    // Last: asking for the domains of a server that is stopped may give rights up.
    let rules = Rules::of(args)?;
    let at = mail::header::body_start(&message);
    let mut examination = Examination::begin(&message[..at]);
    examination.body(&message[at..]);
    let envelope = Envelope {
        client: args.ip,
        hello: &args.helo,
        reverse_path: &reverse_path,
        receiver: rules.receiver(),
    };
    let evidence = block_on(async {
        let doors = Doors {
            dns: &*dns,
            clock,
            suffixes: rules.suffixes(),
        };
        Ok(examination.finish(doors, envelope).await)
    })?;
    let decision = decide(&evidence, &rules.local(args.ip));
    if args.json {
        return print(&as_json(&evidence, &decision, &rules).to_string());
    }
    print(&lines(&evidence, &decision, &rules).join("\n"))
}

/// Prints what must be published of the keys that the settings name: a line of a zone file each.
pub fn keys(file: &Path, as_json: bool) -> Outcome<()> {
    let settings = serve::read(file)?;
    let named = files::read(&settings, &Shelf::Disk)
        .map_err(|problems| Failure::Usage(serve::told(file, &problems)))?;
    if as_json {
        let records = named.signers.iter();
        let records: Vec<Value> = records
            .map(|key| json!({ "domain": key.domain(), "name": key.record_name(), "txt": key.record() }))
            .collect();
        return print(&Value::from(records).to_string());
    }
    if named.signers.is_empty() {
        return print(
            "The settings name no keys (dkim.keys). Those that the server makes with its domains: hearthpost dkim list",
        );
    }
    let lines: Vec<String> = named
        .signers
        .iter()
        .map(|key| {
            format!(
                "{}. TXT {}",
                key.record_name(),
                crate::dns::zone::quoted(&key.record())
            )
        })
        .collect();
    print(&lines.join("\n"))
}

/// `local@domain` without brackets, or nothing.
fn reverse_path(text: &str) -> Outcome<String> {
    let bare = text
        .strip_prefix('<')
        .and_then(|text| text.strip_suffix('>'))
        .unwrap_or(text);
    let path = format!("<{bare}>");
    let read = mail::path::reverse_path(path.as_bytes(), Utf8::Allowed);
    match read.map(|parsed| parsed.path) {
        Ok(ReversePath::Null) => Ok(String::new()),
        Ok(ReversePath::Mailbox(mailbox)) => Ok(format!("{}@{}", mailbox.local().as_str(), mailbox.domain())),
        Err(bad) => Err(Failure::Usage(format!(
            "{text:?} is no sender: {bad}. Write an address, or \"<>\" for none."
        ))),
    }
}

/// With CRLF line ends, as the message came over the wire.
fn read(file: &Path) -> Outcome<Vec<u8>> {
    let unreadable = |error| Failure::Usage(format!("{} cannot be read: {error}.", file.display()));
    let mut octets = Vec::new();
    let limit = CHECKED_MESSAGE_BYTES + 1;
    if file == Path::new("-") {
        std::io::stdin()
            .take(limit)
            .read_to_end(&mut octets)
            .map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(file).map_err(unreadable)?;
        file.take(limit).read_to_end(&mut octets).map_err(unreadable)?;
    }
    if octets.len() as u64 == limit {
        return Err(Failure::Usage(format!(
            "{} has more than {} MiB.",
            file.display(),
            CHECKED_MESSAGE_BYTES >> 20
        )));
    }
    Ok(on_the_wire(octets))
}

/// A line end without CR gets one; all others stay.
fn on_the_wire(octets: Vec<u8>) -> Vec<u8> {
    let mut lines = Vec::with_capacity(octets.len() + octets.len() / 32);
    let mut before = 0;
    for octet in octets {
        if octet == b'\n' && before != b'\r' {
            lines.push(b'\r');
        }
        lines.push(octet);
        before = octet;
    }
    lines
}

/// Whom a command asks: the server it was told, those of the settings (believed as the settings say), or the system's.
pub fn name_servers(told: Option<&str>, config: &Path) -> Outcome<std::sync::Arc<RealDns>> {
    let (servers, validation) = match told {
        Some(text) => {
            let server = NameServer::parse(text).ok_or_else(|| {
                Failure::Usage(format!(
                    "--dns {text:?} is not a name server and its port. Write it like localhost:5353 or 127.0.0.1:5353."
                ))
            })?;
            (vec![server], Validation::Off)
        }
        None if config.exists() => {
            let settings = serve::read(config)?.config;
            let anchor = files::anchor(&settings, &Shelf::Disk)
                .map_err(|wrong| Failure::Usage(format!("dns.trust_anchor: {wrong}")))?;
            let validation = outward::validation(&settings, anchor.as_deref());
            (settings.dns.servers, validation)
        }
        None => (Vec::new(), Validation::Off),
    };
    let settings = DnsSettings {
        servers: servers.iter().map(address_of).collect::<Outcome<_>>()?,
        validation,
        ..DnsSettings::default()
    };
    RealDns::new(&settings).map_err(|error| Failure::Usage(format!("{error}.")))
}

fn address_of(server: &NameServer) -> Outcome<SocketAddr> {
    match server {
        NameServer::At(address) => Ok(*address),
        NameServer::Named { host, port } => {
            let hosts = std::fs::read_to_string(system::HOSTS_FILE).unwrap_or_default();
            let found = system::address_of(host, &hosts);
            let address = found
                .map_err(|why| Failure::Usage(format!("{host}:{port} leads to no name server: {why}.")))?;
            Ok(SocketAddr::new(address, *port))
        }
    }
}

/// The results by their words of RFC 8601, then what they rest on.
fn as_json(evidence: &Evidence, decision: &Decision, rules: &Rules) -> Value {
    let Evidence {
        spf,
        dkim,
        dmarc,
        arc,
        iprev,
    } = evidence;
    let signatures: Vec<Value> = dkim
        .signatures
        .iter()
        .map(|one| {
            json!({
                "result": one.result.to_string(),
                "domain": one.domain,
                "selector": one.selector,
                "algorithm": one.algorithm.map(|algorithm| algorithm.word()),
                "key_bits": one.key_bits,
                "why": one.to_string(),
                "asked": asked(&one.asked),
            })
        })
        .collect();
    json!({
        "spf": spf.result.to_string(),
        "dkim": dkim.signatures.iter().map(|one| one.result.to_string()).collect::<Vec<_>>(),
        "dmarc": dmarc.result.to_string(),
        "arc": arc.result.to_string(),
        "iprev": iprev.result.to_string(),
        "verdict": decision.verdict.to_string(),
        "explanation": explained(evidence, decision, rules),
        "overrule": rules.overrule(evidence, decision),
        "settings": rules.file(),
        "authenticity": rules.mode(),
        "may_forward": decision.may_forward,
        "author": dmarc.author.domain(),
        "policy": dmarc.applied.as_ref().map(|applied| json!({
            "wants": applied.policy.to_string(),
            "tag": applied.tag,
            "domain": applied.domain,
            "testing": applied.testing,
        })),
        "evidence": {
            "spf": {
                "domain": spf.domain,
                "why": spf.to_string(),
                "explanation": spf.explanation,
                "asked": asked(&spf.asked),
            },
            "dkim": signatures,
            "dkim_not_looked_at": dkim.skipped,
            "dmarc": { "why": dmarc.to_string(), "organization": dmarc.organization, "asked": asked(&dmarc.asked) },
            "arc": { "why": arc.to_string(), "sealers": arc.sealers, "asked": asked(&arc.asked) },
            "iprev": { "why": iprev.to_string(), "name": iprev.name, "asked": asked(&iprev.asked) },
        },
    })
}

fn asked(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(ToString::to_string).collect()
}

/// The reason, and whose word it was where the operator's own decided.
fn explained(evidence: &Evidence, decision: &Decision, rules: &Rules) -> String {
    match rules.overrule(evidence, decision) {
        Some(Overrule { setting, entry }) => format!("{decision} ({setting} names {entry})"),
        None => decision.to_string(),
    }
}

fn lines(evidence: &Evidence, decision: &Decision, rules: &Rules) -> Vec<String> {
    let Evidence {
        spf,
        dkim,
        dmarc,
        arc,
        iprev,
    } = evidence;
    let mut lines = vec![format!(
        "verdict: {}: {}",
        decision.verdict,
        explained(evidence, decision, rules)
    )];
    let mut tell = |name: &str, result: String, why: String, asked: &[Asked]| {
        lines.push(format!("{name}: {result}: {why}"));
        lines.extend(asked.iter().map(|asked| format!("    {asked}")));
    };
    tell("spf", spf.result.to_string(), spf.to_string(), &spf.asked);
    if let Some(words) = &spf.explanation {
        tell("spf", "the domain says".to_owned(), format!("{words:?}"), &[]);
    }
    for one in &dkim.signatures {
        tell("dkim", one.result.to_string(), one.to_string(), &one.asked);
    }
    match (dkim.signatures.is_empty(), dkim.skipped) {
        (true, _) => tell(
            "dkim",
            "none".to_owned(),
            "the message has no signature".to_owned(),
            &[],
        ),
        (false, 0) => {}
        (false, more) => tell(
            "dkim",
            "not looked at".to_owned(),
            format!("{more} more signatures"),
            &[],
        ),
    }
    tell("dmarc", dmarc.result.to_string(), dmarc.to_string(), &dmarc.asked);
    tell("arc", arc.result.to_string(), arc.to_string(), &arc.asked);
    tell("iprev", iprev.result.to_string(), iprev.to_string(), &iprev.asked);
    lines.extend(rules.told());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_they_came_over_the_wire() {
        assert_eq!(
            on_the_wire(b"a\nb\r\nc\rd\n\n".to_vec()),
            b"a\r\nb\r\nc\rd\r\n\r\n"
        );
    }

    #[test]
    fn senders_are_read_with_and_without_brackets() {
        assert_eq!(reverse_path("<>").ok().as_deref(), Some(""));
        assert_eq!(reverse_path("").ok().as_deref(), Some(""));
        assert_eq!(reverse_path("<a@B.example>").ok().as_deref(), Some("a@b.example"));
        assert_eq!(
            reverse_path("\"a b\"@b.example").ok().as_deref(),
            Some("a b@b.example")
        );
        assert!(reverse_path("a").is_err());
    }
}
