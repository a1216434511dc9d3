//! `hearthpost tls …`

use serde_json::Value;

use super::{ask, block_on, data_dir, parse, print, show, table};
use crate::cli::{Common, TlsCommand};
use crate::control::Request;
use crate::control::client::connect;
use crate::control::tls::{OfDomain, Page, Request as TlsRequest, Trials};
use crate::exit::Outcome;

/// Runs the command.
pub fn run(command: TlsCommand) -> Outcome<()> {
    match command {
        TlsCommand::List(common) => list(&common),
        TlsCommand::Show { domain, common } => {
            let shown = one(&common, TlsRequest::Show { domain })?;
            show(&common, &shown, || told(&shown))
        }
        TlsCommand::Require {
            domain,
            mx,
            any_certificate,
            common,
        } => {
            let request = TlsRequest::Require {
                domain,
                hosts: mx,
                any_certificate,
            };
            let required = one(&common, request)?;
            show(&common, &required, || vec![now_required(&required)])
        }
        TlsCommand::Remove { domain, common } => {
            let removed = one(&common, TlsRequest::Remove { domain })?;
            show(&common, &removed, || {
                vec![format!(
                    "The list asks no TLS of {} any more. What the domain itself asks (DANE, MTA-STS) still counts.",
                    removed.domain
                )]
            })
        }
        TlsCommand::DryRun { days, common } => {
            let found: Trials = parse(ask(&common, Request::Tls(TlsRequest::DryRun { days }))?)?;
            show(&common, &found, || tried(&found))
        }
        TlsCommand::Report { domain, day, common } => {
            let report: Value = ask(&common, Request::Tls(TlsRequest::Report { domain, day }))?;
            let text = match common.json {
                true => serde_json::to_string(&report),
                false => serde_json::to_string_pretty(&report),
            };
            print(&text.expect("plain values are always JSON"))
        }
    }
}

fn now_required(required: &OfDomain) -> String {
    let domain = &required.domain;
    let what = match required.any_certificate {
        true => "TLS",
        false => "TLS with a certificate that verifies",
    };
    match required.unchanged {
        true => format!("Nothing to change: mail for {domain} goes only under {what} already."),
        false => format!("Mail for {domain} goes only under {what} from now on."),
    }
}

fn one(common: &Common, request: TlsRequest) -> Outcome<OfDomain> {
    parse(ask(common, Request::Tls(request))?)
}

fn list(common: &Common) -> Outcome<()> {
    let data = data_dir(common)?;
    let whole = block_on(async {
        let mut link = connect(&data).await?;
        let mut whole: Option<Page> = None;
        loop {
            let after = whole
                .as_ref()
                .and_then(|page| page.next.clone())
                .unwrap_or_default();
            let page: Page = parse(link.ask(Request::Tls(TlsRequest::List { after })).await?)?;
            let more = page.next.is_some();
            match &mut whole {
                None => whole = Some(page),
                Some(whole) => {
                    whole.domains.extend(page.domains);
                    whole.next = page.next;
                }
            }
            if let Some(whole) = whole.take_if(|_| !more) {
                return Ok(whole);
            }
        }
    })?;
    show(common, &whole, || listed(&whole))
}

fn listed(page: &Page) -> Vec<String> {
    let rows: Vec<Vec<String>> = page
        .domains
        .iter()
        .map(|domain| {
            let days = domain
                .seen
                .as_ref()
                .map_or(String::new(), |seen| seen.good_days.to_string());
            let sts = domain
                .mta_sts
                .as_ref()
                .map_or(String::new(), |policy| policy.mode.clone());
            vec![
                domain.domain.clone(),
                domain.stage.clone(),
                domain.by.clone().unwrap_or_default(),
                days,
                sts,
            ]
        })
        .collect();
    let mut lines = table(&["domain", "stage", "by", "good days", "MTA-STS"], &rows);
    lines.push(format!(
        "The list that comes with the program is of {}.",
        page.shipped_list_of
    ));
    if !page.running {
        lines.push("No server runs: this is by the default settings, not by its own.".to_owned());
    }
    lines
}

/// One domain, in words.
fn told(domain: &OfDomain) -> Vec<String> {
    let by = match domain.by.as_deref() {
        Some("operator") => ", by the operator",
        Some("settings") => ", by the settings",
        Some("shipped") => ", by the list that comes with the program",
        Some("learned") => ", learned",
        _ => "",
    };
    let stage = match domain.stage.as_str() {
        "nothing" => "no TLS is required of it here",
        stage => stage,
    };
    let mut lines = vec![format!("{}: {stage}{by}", domain.domain)];
    if let (Some(since), Some(user)) = (&domain.since, &domain.user) {
        lines.push(format!("  said on {} by {user}", &since[..10.min(since.len())]));
    }
    if domain.any_certificate {
        lines.push("  any certificate will do".to_owned());
    }
    if !domain.hosts.is_empty() {
        lines.push(format!("  only at: {}", domain.hosts.join(", ")));
    }
    lines.extend(domain.sources.iter().map(|source| format!("  source: {source}")));
    lines.extend(seen(domain));
    lines.extend(policy(domain));
    if !domain.wants_reports_at.is_empty() {
        lines.push(format!(
            "Wants reports at: {}",
            domain.wants_reports_at.join(", ")
        ));
    }
    lines
}

fn seen(domain: &OfDomain) -> Vec<String> {
    let Some(seen) = &domain.seen else {
        return vec!["Nothing was seen of its TLS yet.".to_owned()];
    };
    let mut lines = vec![match &seen.good_since {
        Some(since) => format!(
            "Verified TLS on {} days since {since}, {} connections; last mail on {}",
            seen.good_days, seen.good_sessions, seen.last
        ),
        None => format!("No verified TLS the last time, on {}", seen.last),
    }];
    if !seen.hosts.is_empty() {
        lines.push(format!("  at: {}", seen.hosts.join(", ")));
    }
    if let Some(loss) = &seen.loss {
        lines.push(format!(
            "  on {}, after {} such days, without: {}: {}",
            loss.day, loss.after_days, loss.host, loss.what
        ));
    }
    lines
}

fn policy(domain: &OfDomain) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(policy) = &domain.mta_sts {
        lines.push(format!(
            "MTA-STS: {} (id {}), until {}",
            policy.mode, policy.id, policy.until
        ));
        if !policy.mx.is_empty() {
            lines.push(format!("  at: {}", policy.mx.join(", ")));
        }
    }
    if let Some(trouble) = &domain.mta_sts_trouble {
        lines.push(format!("MTA-STS could not be fetched: {trouble}"));
    }
    lines
}

fn tried(found: &Trials) -> Vec<String> {
    let Trials { from, to, domains } = found;
    if domains.is_empty() {
        return vec![format!(
            "From {from} to {to} no proposed domain had mail. What is proposed: hearthpost tls list"
        )];
    }
    let failing = domains.iter().filter(|trial| trial.would_fail > 0).count();
    let mut lines = vec![format!(
        "From {from} to {to}, if the {} proposed domains with mail had been required: {failing} of them would have had mail wait.",
        domains.len()
    )];
    for trial in domains {
        let (failed, all) = (trial.would_fail, trial.sessions);
        lines.push(format!(
            "{} ({}): {failed} of {all} connections",
            trial.domain, trial.stage
        ));
        lines.extend(
            trial
                .reasons
                .iter()
                .map(|(reason, count)| format!("  {count} × {reason}")),
        );
    }
    lines
}
