//! `hearthpost dkim …`

use super::{ask, parse, show, table};
use crate::cli::{Common, DkimCommand};
use crate::control::Request;
use crate::control::dkim::{Request as DkimRequest, Shown};
use crate::exit::Outcome;

/// Runs the command.
pub fn run(command: DkimCommand) -> Outcome<()> {
    match command {
        DkimCommand::List { domain, common } => {
            let keys = keys(&common, DkimRequest::List { domain })?;
            show(&common, &keys, || lines(&keys))
        }
        DkimCommand::Show { domain, common } => {
            let keys = keys(&common, DkimRequest::List { domain: Some(domain) })?;
            show(&common, &keys, || keys.iter().flat_map(whole).collect())
        }
        DkimCommand::Make { domain, common } => tell(&common, DkimRequest::Make { domain }),
        DkimCommand::Rotate { domain, common } => tell(&common, DkimRequest::Rotate { domain }),
        DkimCommand::Retire {
            domain,
            selector,
            common,
        } => tell(&common, DkimRequest::Retire { domain, selector }),
        DkimCommand::SignNow {
            domain,
            selector,
            common,
        } => tell(&common, DkimRequest::SignNow { domain, selector }),
        DkimCommand::Look { domain, common } => tell(&common, DkimRequest::Look { domain }),
    }
}

fn keys(common: &Common, request: DkimRequest) -> Outcome<Vec<Shown>> {
    parse(ask(common, Request::Dkim(request))?)
}

/// Does it, and shows the domain's keys as they are now.
fn tell(common: &Common, request: DkimRequest) -> Outcome<()> {
    let keys = keys(common, request)?;
    show(common, &keys, || lines(&keys))
}

fn lines(keys: &[Shown]) -> Vec<String> {
    if keys.is_empty() {
        return vec!["There is no key. Keys come with domains: hearthpost domain add example.org".to_owned()];
    }
    let row = |key: &Shown| {
        vec![
            key.name.clone(),
            key.kind.clone(),
            key.state.clone(),
            key.since.as_deref().map_or(String::new(), day),
            next(key),
        ]
    };
    let rows: Vec<Vec<String>> = keys.iter().map(row).collect();
    table(&["RECORD", "KIND", "STATE", "SINCE", "NEXT"], &rows)
}

/// What an operator does next, if anything.
fn next(key: &Shown) -> String {
    let domain = &key.domain;
    let silence = format!("nothing signs for this domain: hearthpost dkim rotate {domain}");
    match (of_itself(key), key.nothing_signs) {
        (own, false) => own,
        (own, true) if own.is_empty() => silence,
        (own, true) => format!("{own}; {silence}"),
    }
}

/// What is to be done about this very key.
fn of_itself(key: &Shown) -> String {
    match (key.state.as_str(), &key.lost) {
        ("signing", Some(_)) => "its record is not in DNS: publish it again".to_owned(),
        ("waiting", _) => format!("publish its record: hearthpost dns records {}", key.domain),
        ("published", _) => "signs when its record is still there in an hour".to_owned(),
        ("retiring", _) => "leave its record: mail is still on its way".to_owned(),
        ("removable", _) => "take its record out of DNS".to_owned(),
        _ => String::new(),
    }
}

fn whole(key: &Shown) -> Vec<String> {
    let time = |at: &Option<String>| at.clone().unwrap_or_else(|| "never".to_owned());
    let mut lines = vec![
        format!("{} ({}, {})", key.name, key.kind, key.state),
        format!("  TXT {}", crate::dns::zone::quoted(&key.record)),
    ];
    if key.state != "settings" {
        lines.push(format!("  in this state since {}", time(&key.since)));
        lines.push(format!("  record last seen {}", time(&key.seen)));
    }
    if let Some(lost) = &key.lost {
        lines.push(format!("  record missing or another one since {lost}"));
    }
    let next = next(key);
    if !next.is_empty() {
        lines.push(format!("  next: {next}"));
    }
    lines
}

fn day(at: &str) -> String {
    at.get(..10).unwrap_or(at).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_for_which_nothing_signs_is_told_so_and_what_to_do() {
        let key = |state: &str, nothing_signs| Shown {
            domain: "example.org".to_owned(),
            name: "s._domainkey.example.org".to_owned(),
            selector: "s".to_owned(),
            kind: "rsa".to_owned(),
            state: state.to_owned(),
            since: None,
            seen: None,
            lost: None,
            record: String::new(),
            nothing_signs,
        };
        for (state, nothing_signs, want) in [
            ("signing", false, ""),
            ("retiring", false, "leave its record: mail is still on its way"),
            (
                "retiring",
                true,
                "leave its record: mail is still on its way; nothing signs for this domain: hearthpost dkim rotate example.org",
            ),
            (
                "signing",
                true,
                "nothing signs for this domain: hearthpost dkim rotate example.org",
            ),
        ] {
            assert_eq!(next(&key(state, nothing_signs)), want);
        }
    }
}
