//! `hearthpost dns …`

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail::address::Domain;
use serde_json::{Value, json};
use world_real::clock::RealClock;
use world_real::tlsa;

use super::{ask, block_on, check, data_dir, parse, print, table};
use crate::cli::{Common, DnsCommand};
use crate::control::Request;
use crate::control::client::has_store;
use crate::control::dns::{Facts, Request as DnsRequest, Server, hex};
use crate::demo;
use crate::dns::gather;
use crate::dns::judge::{Finding, Level, findings};
use crate::dns::leaving;
use crate::dns::records::{Record, STS_MODE, Wanted, wanted};
use crate::dns::zone;
use crate::exit::{Failure, Outcome};
use crate::files::read_at_most;
use crate::limits::NAMED_FILE_BYTES;
use crate::server::Kind;
use crate::{outward, serve};

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
    let data = data_dir(common)?;
    // Asking would make a store; the keys, which stand among the records, come with a server's first start.
    if !has_store(&data) {
        return Err(Failure::Unreachable(format!(
            "no server has run in {} yet. Start it once, its keys are made then; or say which server is meant with --data DIR or --config FILE.",
            data.display()
        )));
    }
    let request = DnsRequest::Facts {
        domain: domain.to_owned(),
    };
    let asked = ask(common, Request::Dns(request));
    let facts: Facts = parse(asked.map_err(|failure| not_started_with(domain, common, failure))?)?;
    let server = match &facts.server {
        Some(server) => server.clone(),
        None => of_settings(common, (&data, &facts.domain))?,
    };
    Ok((facts, server))
}

/// A domain that the settings name comes with the next start or reload.
fn not_started_with(domain: &str, common: &Common, refused: Failure) -> Failure {
    let named = || {
        let settings = serve::read(&common.config).ok()?;
        let domain = Domain::parse(domain).ok()?;
        let mut named = settings.config.domains.iter();
        named.any(|name| name == domain.as_str()).then_some(domain)
    };
    match (refused, named()) {
        (Failure::Refused(_), Some(domain)) => Failure::Refused(format!(
            "the settings in {} name {domain}, but no server has read them since. Start it once (or where it runs: hearthpost reload), the \
             domain's keys are made then.",
            common.config.display()
        )),
        (failure, _) => failure,
    }
}

fn of_settings(common: &Common, (data, domain): (&Path, &str)) -> Outcome<Server> {
    if demo::is_in(data) {
        return Err(Failure::Unreachable(format!(
            "the demo in {} is stopped, and only a running one knows its doors. Start it: {}",
            data.display(),
            demo::start_of(data)
        )));
    }
    let settings = serve::read(&common.config).map_err(|failure| match failure {
        Failure::Usage(text) => Failure::Usage(format!(
            "no server runs in {}, so its settings have to say what it is like: {text}",
            data.display()
        )),
        other => other,
    });
    let config = settings?.config;
    let doors = Kind::ALL.into_iter().flat_map(|kind| {
        let addresses = serve::addresses(&config, kind).iter();
        addresses.map(move |address| (kind.name().to_owned(), address.port()))
    });
    // A file that cannot be read is `config check`'s to complain of.
    let pem = |path: &Path| Some(read_at_most(path, NAMED_FILE_BYTES).ok()?.bytes);
    let hash = |path: &Path| tlsa::of_pem(&pem(path)?).map(hex);
    let files = config.tls.as_ref();
    let chain = files.and_then(|files| pem(&files.certificate));
    Ok(Server {
        doors: doors.collect(),
        tlsa: files.and_then(|files| hash(&files.certificate)),
        chain: chain.map_or_else(Vec::new, |pem| {
            tlsa::chain_of_pem(&pem)
                .iter()
                .map(|one| STANDARD.encode(one))
                .collect()
        }),
        next_tlsa: config.next_certificate.as_deref().and_then(hash),
        sources: [config.deliver.source_v4, config.deliver.source_v6]
            .into_iter()
            .flatten()
            .collect(),
        leaving: leaving::of(&outward::rules(&config), domain),
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
        "mta_sts_policy": { "url": address, "text": policy, "remark": STS_MODE },
    })
}

fn lines(wanted: &Wanted) -> Vec<String> {
    let mut lines = rows(&wanted.records);
    lines.push(String::new());
    lines.push("Not yet, because this server has no door for HTTPS:".to_owned());
    lines.extend(rows(&wanted.not_yet));
    let (address, policy) = &wanted.mta_sts_policy;
    lines.push(format!("MTA-STS also needs a text like this at {address}:"));
    lines.extend(policy.lines().map(|line| format!("  {line}")));
    lines.push(format!("  ! {STS_MODE}."));
    lines
}

/// A table, with what there is to remark below a record.
fn rows(records: &[Record]) -> Vec<String> {
    let row = |record: &Record| {
        vec![
            record.name.clone(),
            record.kind.to_owned(),
            record.state.clone().unwrap_or_default(),
            zone::data(record),
        ]
    };
    let head = ["NAME", "TYPE", "STATE", "VALUE"];
    let rows = table(&head, &records.iter().map(row).collect::<Vec<_>>());
    let remarks = records.iter().map(|record| record.remark.as_ref());
    let mut lines = Vec::new();
    for (row, remark) in rows.into_iter().zip([None].into_iter().chain(remarks)) {
        lines.push(row);
        lines.extend(remark.map(|remark| format!("  ! {remark}")));
    }
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
