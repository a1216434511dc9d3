//! `hearthpost domain alias …`

use serde::{Deserialize, Serialize};

use super::{ask, parse, show, table};
use crate::cli::DomainAliasCommand;
use crate::control::Request;
use crate::control::domain::Request as DomainRequest;
use crate::exit::Outcome;

/// A domain alias as it is answered.
#[derive(Serialize, Deserialize)]
struct DomainAlias {
    name: String,
    of: String,
}

/// Runs the command.
pub fn run(command: DomainAliasCommand) -> Outcome<()> {
    match command {
        DomainAliasCommand::Add { new, old, common } => {
            let request = DomainRequest::AddAlias { new, old };
            let made: DomainAlias = parse(ask(&common, Request::Domain(request))?)?;
            show(&common, &made, || {
                vec![format!(
                    "Every address at {} is now the same one at {}.",
                    made.name, made.of
                )]
            })
        }
        DomainAliasCommand::List(common) => {
            let all: Vec<DomainAlias> = parse(ask(&common, Request::Domain(DomainRequest::ListAliases))?)?;
            show(&common, &all, || lines(&all))
        }
        DomainAliasCommand::Remove { new, common } => {
            let request = DomainRequest::RemoveAlias { new: new.clone() };
            let done = ask(&common, Request::Domain(request))?;
            show(&common, &done, || {
                vec![format!("Removed the domain alias {new}.")]
            })
        }
    }
}

fn lines(aliases: &[DomainAlias]) -> Vec<String> {
    if aliases.is_empty() {
        return vec![
            "There is no domain alias yet. Add one: hearthpost domain alias add new.example old.example"
                .to_owned(),
        ];
    }
    let row = |alias: &DomainAlias| vec![alias.name.clone(), alias.of.clone()];
    table(
        &["DOMAIN", "STANDS FOR"],
        &aliases.iter().map(row).collect::<Vec<_>>(),
    )
}
