//! `hearthpost domain …`

use serde::{Deserialize, Serialize};

use super::{ask, domain_alias, parse, show, table};
use crate::cli::{DomainArgs, DomainCommand};
use crate::control::Request;
use crate::control::domain::{Change, Request as DomainRequest};
use crate::exit::Outcome;

/// A domain as it is answered.
#[derive(Serialize, Deserialize)]
struct Domain {
    name: String,
    separator: Option<char>,
    postmaster: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alias_of: Option<String>,
    accounts: u64,
}

/// Runs the command.
pub fn run(command: DomainCommand) -> Outcome<()> {
    match command {
        DomainCommand::Add {
            name,
            settings,
            common,
        } => {
            let request = DomainRequest::Add {
                name,
                change: settings.into(),
            };
            let made: Domain = parse(ask(&common, Request::Domain(request))?)?;
            show(&common, &made, || {
                vec![format!(
                    "Added the domain {name}. Its records in DNS: hearthpost dns records {name}. Next: hearthpost account add someone@{name}",
                    name = made.name
                )]
            })
        }
        DomainCommand::Set {
            name,
            settings,
            common,
        } => {
            let request = DomainRequest::Set {
                name,
                change: settings.into(),
            };
            let set: Domain = parse(ask(&common, Request::Domain(request))?)?;
            show(&common, &set, || {
                vec![format!("Changed the domain {}.", set.name)]
            })
        }
        DomainCommand::List(common) => {
            let all: Vec<Domain> = parse(ask(&common, Request::Domain(DomainRequest::List))?)?;
            show(&common, &all, || lines(&all))
        }
        DomainCommand::Show { name, common } => {
            let one: Domain = parse(ask(&common, Request::Domain(DomainRequest::Show { name }))?)?;
            show(&common, &one, || lines(std::slice::from_ref(&one)))
        }
        DomainCommand::Remove { name, common } => {
            let done = ask(
                &common,
                Request::Domain(DomainRequest::Remove { name: name.clone() }),
            )?;
            show(&common, &done, || vec![format!("Removed the domain {name}.")])
        }
        DomainCommand::Alias(command) => domain_alias::run(command),
    }
}

impl From<DomainArgs> for Change {
    fn from(args: DomainArgs) -> Self {
        Self {
            separator: args.separator,
            postmaster: args.postmaster,
        }
    }
}

fn lines(domains: &[Domain]) -> Vec<String> {
    if domains.is_empty() {
        return vec!["There is no domain yet. Add one: hearthpost domain add example.org".to_owned()];
    }
    let row = |domain: &Domain| {
        if let Some(of) = &domain.alias_of {
            let (name, nothing) = (domain.name.clone(), String::new);
            return vec![name, format!("as {of}"), nothing(), nothing()];
        }
        vec![
            domain.name.clone(),
            domain.accounts.to_string(),
            domain.separator.map_or("off".to_owned(), String::from),
            domain
                .postmaster
                .clone()
                .unwrap_or_else(|| "first account".to_owned()),
        ]
    };
    table(
        &["DOMAIN", "ACCOUNTS", "SEPARATOR", "POSTMASTER"],
        &domains.iter().map(row).collect::<Vec<_>>(),
    )
}
