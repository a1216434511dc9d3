//! `hearthpost alias …`

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ask, parse, read_csv, show, table};
use crate::cli::AliasCommand;
use crate::control::Request;
use crate::control::alias::{New, Request as AliasRequest};
use crate::exit::{Failure, Outcome};

/// An alias as it is answered.
#[derive(Serialize, Deserialize)]
struct Alias {
    address: String,
    targets: Vec<String>,
    /// those on other servers
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    forwards: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leads_back_through: Option<String>,
}

/// Runs the command.
pub fn run(command: AliasCommand) -> Outcome<()> {
    match command {
        AliasCommand::Add {
            address,
            targets,
            csv,
            common,
        } => {
            let aliases = match csv {
                Some(file) => from_csv(&file)?,
                None => vec![New {
                    address: address.unwrap_or_default(),
                    targets,
                }],
            };
            let made: Vec<Alias> = parse(ask(&common, Request::Alias(AliasRequest::Add { aliases }))?)?;
            show(&common, &made, || {
                made.iter().flat_map(|made| changed("Added", made)).collect()
            })
        }
        AliasCommand::Set {
            address,
            targets,
            common,
        } => {
            let request = AliasRequest::Set {
                alias: New { address, targets },
            };
            let set: Alias = parse(ask(&common, Request::Alias(request))?)?;
            show(&common, &set, || changed("Changed", &set))
        }
        AliasCommand::List(common) => {
            let all: Vec<Alias> = parse(ask(&common, Request::Alias(AliasRequest::List))?)?;
            show(&common, &all, || lines(&all))
        }
        AliasCommand::Show { address, common } => {
            let one: Alias = parse(ask(&common, Request::Alias(AliasRequest::Show { address }))?)?;
            show(&common, &one, || lines(std::slice::from_ref(&one)))
        }
        AliasCommand::Remove { address, common } => {
            let done = ask(
                &common,
                Request::Alias(AliasRequest::Remove {
                    address: address.clone(),
                }),
            )?;
            show(&common, &done, || vec![format!("Removed {address}.")])
        }
    }
}

/// What was done, and what there is to know of it.
fn changed(verb: &str, alias: &Alias) -> Vec<String> {
    let mut lines = vec![format!("{verb} {}.", alias.address)];
    if !alias.forwards.is_empty() {
        lines.push(format!(
            "  A copy of its mail leaves this server, to {}.",
            alias.forwards.join(", ")
        ));
    }
    if let Some(through) = &alias.leads_back_through {
        lines.push(format!(
            "  Warning: it leads back to itself through {through}. Mail stops there; take one of the two out."
        ));
    }
    lines
}

/// `address,target,target…`. A first line without an @ is a head.
fn from_csv(file: &Path) -> Outcome<Vec<New>> {
    let mut aliases = Vec::new();
    for (index, line) in read_csv(file)?.into_iter().enumerate() {
        let mut fields = line.fields.into_iter().filter(|field| !field.is_empty());
        let address = fields.next().unwrap_or_default();
        if index == 0 && !address.contains('@') {
            continue;
        }
        let targets: Vec<String> = fields.collect();
        if targets.is_empty() {
            return Err(Failure::Usage(format!(
                "{}: line {}: {address} leads nowhere. Write address,target,target….",
                file.display(),
                line.number
            )));
        }
        aliases.push(New { address, targets });
    }
    if aliases.is_empty() {
        return Err(Failure::Usage(format!(
            "{} has no aliases in it.",
            file.display()
        )));
    }
    Ok(aliases)
}

fn lines(aliases: &[Alias]) -> Vec<String> {
    if aliases.is_empty() {
        return vec![
            "There is no alias yet. Add one: hearthpost alias add info@example.org someone@example.org"
                .to_owned(),
        ];
    }
    let row = |alias: &Alias| vec![alias.address.clone(), alias.targets.join(", ")];
    table(
        &["ALIAS", "LEADS TO"],
        &aliases.iter().map(row).collect::<Vec<_>>(),
    )
}
