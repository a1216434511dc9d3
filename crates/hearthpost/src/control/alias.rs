//! Requests about aliases.

use directory::Directory;
use directory::admin::AliasSpec;
use serde::{Deserialize, Serialize};

use super::Answer;

/// What can be asked of aliases.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the command line documents the same fields
pub enum Request {
    Add { aliases: Vec<New> },
    Set { alias: New },
    List,
    Show { address: String },
    Remove { address: String },
}

/// An alias to be made or set.
#[derive(Serialize, Deserialize)]
pub struct New {
    /// `name@domain` or `@domain`
    pub address: String,
    /// addresses here or on other servers
    pub targets: Vec<String>,
}

impl From<New> for AliasSpec {
    fn from(new: New) -> Self {
        Self {
            address: new.address,
            targets: new.targets,
        }
    }
}

/// Answers.
pub async fn answer(directory: &Directory, request: Request) -> Answer {
    match request {
        Request::Add { aliases } => {
            let addresses: Vec<String> = aliases.iter().map(|new| new.address.clone()).collect();
            let specs = aliases.into_iter().map(AliasSpec::from).collect();
            let added = directory.add_aliases(specs).await;
            let show = |address: &String| directory.alias(address);
            Answer::from_admin(added.and_then(|_| addresses.iter().map(show).collect::<Result<Vec<_>, _>>()))
        }
        Request::Set { alias } => Answer::from_admin(directory.set_alias(alias.into()).await),
        Request::List => Answer::done(directory.aliases()),
        Request::Show { address } => Answer::from_admin(directory.alias(&address)),
        Request::Remove { address } => Answer::from_admin(directory.remove_alias(&address).await),
    }
}
