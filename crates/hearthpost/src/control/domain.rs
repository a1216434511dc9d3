//! Requests about domains.

use directory::{AdminError, Directory, DomainSettings};
use serde::{Deserialize, Serialize};

use super::Answer;

/// What can be asked of domains.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the command line documents the same fields
pub enum Request {
    Add { name: String, change: Change },
    Set { name: String, change: Change },
    List,
    Show { name: String },
    Remove { name: String },
    AddAlias { new: String, old: String },
    ListAliases,
    RemoveAlias { new: String },
}

/// What to change; what is left out stays as it is, or as new domains have it.
#[derive(Serialize, Deserialize, Default)]
pub struct Change {
    /// a letter, or `off`
    pub separator: Option<String>,
    /// an address, or `first`
    pub postmaster: Option<String>,
}

/// Answers.
pub async fn answer(directory: &Directory, request: Request) -> Answer {
    match request {
        Request::Add { name, change } => match change.over(DomainSettings::default()) {
            Ok(settings) => Answer::from_admin(directory.add_domain(&name, settings).await),
            Err(refused) => refused,
        },
        Request::Set { name, change } => match directory.domain_settings(&name) {
            Ok(now) => match change.over(now) {
                Ok(settings) => Answer::from_admin(directory.set_domain(&name, settings).await),
                Err(refused) => refused,
            },
            Err(error) => Answer::Refused(error.to_string()),
        },
        Request::List => Answer::done(directory.domains()),
        Request::Show { name } => of_known(directory.domain(&name)),
        Request::Remove { name } => of_known(directory.remove_domain(&name).await),
        Request::AddAlias { new, old } => Answer::from_admin(directory.add_domain_alias(&new, &old).await),
        Request::ListAliases => Answer::done(directory.domain_aliases()),
        Request::RemoveAlias { new } => Answer::from_admin(directory.remove_domain_alias(&new).await),
    }
}

/// Of a request that needs the domain to be here: adding it first would be no help.
fn of_known<T: Serialize>(result: directory::admin::Result<T>) -> Answer {
    match result {
        Err(AdminError::NoSuchDomain(name)) => Answer::Refused(format!(
            "the domain {name} is not served here. See all with: hearthpost domain list"
        )),
        other => Answer::from_admin(other),
    }
}

impl Change {
    fn over(self, mut settings: DomainSettings) -> Result<DomainSettings, Answer> {
        if let Some(text) = self.separator {
            let mut letters = text.chars();
            settings.separator = match (letters.next(), letters.next()) {
                _ if text == "off" => None,
                (Some(letter), None) => Some(letter),
                _ => {
                    return Err(Answer::Refused(format!(
                        "{text:?} is not one letter. Use one of + - _ . = # or \"off\"."
                    )));
                }
            };
        }
        match self.postmaster {
            Some(text) if text == "first" => settings.postmaster = None,
            Some(text) => settings.postmaster = Some(text),
            None => {}
        }
        Ok(settings)
    }
}
