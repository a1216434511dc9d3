//! `hearthpost dns …`

use serde_json::{Value, json};
use world_real::clock::RealClock;
use world_real::tlsa;

use super::{ask, block_on, check, parse, print, table};
use crate::cli::{Common, DnsCommand};
use crate::control::Request;
use crate::control::dns::{Facts, Request as DnsRequest, Server, hex};
use crate::dns::gather;
use crate::dns::judge::{Finding, Level, findings};
use crate::dns::records::{Record, Wanted, wanted};
use crate::dns::zone;
use crate::exit::{Failure, Outcome};
use crate::files::read_at_most;
use crate::limits::NAMED_FILE_BYTES;
use crate::serve;
use crate::server::Kind;

/// Runs the command.
pub fn run(command: DnsCommand, clock: &RealClock) -> Outcome<()> {
    match command {
        DnsCommand::Records { domain, zone, common } => records(&domain, zone, &common),
        DnsCommand::Check { domain, dns, common } => check(&domain, dns.as_deref(), &common, clock),
    }
}

fn records(domain: &str, as_zone: bool, common: &Common) -> Outcome<()> {
    let (facts, server) = facts(domain, common)?;
    let wanted = wanted(&facts, &server);
    if as_zone {
        return print(&zone::text(&facts.domain, &wanted.records));
    }
    if common.json {
        return print(&as_json(&facts, &server, &wanted).to_string());
    }
    print(&lines(&wanted).join("\n"))
}

fn check(domain: &str, dns: Option<&str>, common: &Common, clock: &RealClock) -> Outcome<()> {
    let (facts, server) = facts(domain, common)?;
    let wanted = wanted(&facts, &server);
    let dns = check::name_servers(dns, &common.config)?;
    let evidence = block_on(async { Ok(gather::all(&*dns, clock, &facts.domain, &server, &wanted).await) })?;
    let findings = findings(&facts.domain, &server, &wanted, &evidence);
    let worst = findings.iter().map(|one| one.level).max().unwrap_or(Level::Good);
    if common.json {
        let told = json!({ "domain": facts.domain, "level": worst.word(), "findings": findings });
        print(&told.to_string())?;
    } else {
        print(&findings.iter().flat_map(told).collect::<Vec<_>>().join("\n"))?;
    }
    let count = |level| findings.iter().filter(|one| one.level == level).count();
    match worst {
        Level::Good | Level::Note => Ok(()),
        Level::Wrong => Err(Failure::Refused(format!(
            "{} of {} looked at are wrong. Do what stands behind each \"do\".",
            count(Level::Wrong),
            findings.len()
        ))),
        Level::Unknown => Err(Failure::Unreachable(format!(
            "DNS did not answer about {} of {}. Ask again later.",
            count(Level::Unknown),
            findings.len()
        ))),
    }
}

/// What the running server says, or the settings when none runs.
fn facts(domain: &str, common: &Common) -> Outcome<(Facts, Server)> {
    let request = DnsRequest::Facts {
        domain: domain.to_owned(),
    };
    let facts: Facts = parse(ask(common, Request::Dns(request))?)?;
    let server = match &facts.server {
        Some(server) => server.clone(),
        None => of_settings(common)?,
    };
    Ok((facts, server))
}

fn of_settings(common: &Common) -> Outcome<Server> {
    let config = serve::read(&common.config)?.config;
    let doors = Kind::ALL.into_iter().flat_map(|kind| {
        let addresses = serve::addresses(&config, kind).iter();
        addresses.map(move |address| (kind.name().to_owned(), address.port()))
    });
    // A file that cannot be read is `config check`'s to complain of.
    let hash = |path: &std::path::Path| {
        let contents = read_at_most(path, NAMED_FILE_BYTES).ok()?;
        tlsa::of_pem(&contents.bytes).map(hex)
    };
    Ok(Server {
        doors: doors.collect(),
        tlsa: config.tls.as_ref().and_then(|files| hash(&files.certificate)),
        next_tlsa: config.next_certificate.as_deref().and_then(hash),
        hostname: config.hostname,
    })
}

fn as_json(facts: &Facts, server: &Server, wanted: &Wanted) -> Value {
    let one = |record: &Record| {
        let mut value = serde_json::to_value(record).unwrap_or_default();
        value["zone"] = zone::line(record).into();
        value["why"] = record.purpose.why().into();
        value
    };
    let (address, policy) = &wanted.mta_sts_policy;
    json!({
        "domain": facts.domain,
        "host": server.hostname,
        "records": wanted.records.iter().map(one).collect::<Vec<_>>(),
        "not_yet": wanted.not_yet.iter().map(one).collect::<Vec<_>>(),
        "mta_sts_policy": { "url": address, "text": policy },
    })
}

fn lines(wanted: &Wanted) -> Vec<String> {
    let row = |record: &Record| {
        vec![
            record.name.clone(),
            record.kind.to_owned(),
            record.state.clone().unwrap_or_default(),
            zone::data(record),
        ]
    };
    let head = ["NAME", "TYPE", "STATE", "VALUE"];
    let mut lines = table(&head, &wanted.records.iter().map(row).collect::<Vec<_>>());
    lines.push(String::new());
    lines.push("Not yet, because this server has no door for HTTPS:".to_owned());
    lines.extend(table(&head, &wanted.not_yet.iter().map(row).collect::<Vec<_>>()));
    let (address, policy) = &wanted.mta_sts_policy;
    lines.push(format!("MTA-STS also needs this text at {address}:"));
    lines.extend(policy.lines().map(|line| format!("  {line}")));
    lines
}

fn told(finding: &Finding) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<7}  {}  {} {}",
        finding.level.word(),
        finding.about,
        finding.name,
        finding.kind
    )];
    if finding.level != Level::Good {
        lines.push(format!("    wanted: {}", finding.wanted));
        lines.push(format!("    found:  {}", finding.found));
        lines.push(format!("    why:    {}.", finding.why));
        lines.push(format!("    do:     {}.", finding.fix));
    }
    lines
}
