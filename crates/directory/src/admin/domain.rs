//! Domains: whose mail is ours.

use serde::Serialize;
use store::contract::Op;

use super::domain_alias::check_no_alias_of;
use super::{AdminError, Result, parse_address, parse_domain};
use crate::directory::Directory;
use crate::events::DirectoryEvent;
use crate::snapshot::DomainSettings;

/// Letters that may divide a name from its tag.
const SEPARATORS: &str = "+-_.=#";

/// A domain, for people and scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DomainView {
    /// its name in A-labels
    pub name: String,
    /// what divides a name from its tag, if anything does
    pub separator: Option<char>,
    /// who gets `postmaster@` when nobody has that name
    pub postmaster: Option<String>,
    /// the domain whose addresses are this one's too
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias_of: Option<String>,
    /// how many accounts have their main address here
    pub accounts: u64,
}

impl Directory {
    /// Adds a domain.
    pub async fn add_domain(&self, name: &str, settings: DomainSettings) -> Result<DomainView> {
        let name = parse_domain(name)?.as_str().to_owned();
        let _turn = self.changing.lock().await;
        if self.tables().domains.contains_key(&name) {
            return Err(AdminError::Exists { noun: "domain", name });
        }
        let create = Op::CreateDomain {
            name: name.clone(),
            settings: check_settings(self, &settings)?,
        };
        self.put_domain(name, settings, create, "added").await
    }

    /// Adds those that are missing, with the default settings and in one commit: all or none. Gives how many.
    pub async fn add_domains(&self, names: &[String]) -> Result<usize> {
        let names: Vec<String> = names
            .iter()
            .map(|name| Ok(parse_domain(name)?.as_str().to_owned()))
            .collect::<Result<_>>()?;
        let _turn = self.changing.lock().await;
        let mut missing: Vec<String> = {
            let tables = self.tables();
            let is_missing = |name: &String| !tables.domains.contains_key(name);
            names.into_iter().filter(is_missing).collect()
        };
        missing.sort();
        missing.dedup();
        let settings = settings_text(&DomainSettings::default());
        let ops = missing.iter().map(|name| Op::CreateDomain {
            name: name.clone(),
            settings: settings.clone(),
        });
        let Some(first) = missing.first() else {
            return Ok(0);
        };
        self.commit(ops.collect(), first).await?;
        for name in &missing {
            self.apply(|tables| drop(tables.domains.insert(name.clone(), DomainSettings::default())));
            self.emit(&DirectoryEvent::Changed {
                noun: "domain",
                verb: "added",
                name: name.clone(),
            });
        }
        Ok(missing.len())
    }

    /// Replaces a domain's settings.
    pub async fn set_domain(&self, name: &str, settings: DomainSettings) -> Result<DomainView> {
        let name = parse_domain(name)?.as_str().to_owned();
        let _turn = self.changing.lock().await;
        if !self.tables().domains.contains_key(&name) {
            return Err(AdminError::NoSuchDomain(name));
        }
        let set = Op::SetDomain {
            name: name.clone(),
            settings: check_settings(self, &settings)?,
        };
        self.put_domain(name, settings, set, "set").await
    }

    /// Commits, then counts by it and tells. The caller holds the turn.
    async fn put_domain(
        &self,
        name: String,
        settings: DomainSettings,
        op: Op,
        verb: &'static str,
    ) -> Result<DomainView> {
        self.commit(vec![op], &name).await?;
        self.apply(|tables| drop(tables.domains.insert(name.clone(), settings)));
        self.emit(&DirectoryEvent::Changed {
            noun: "domain",
            verb,
            name: name.clone(),
        });
        self.domain(&name)
    }

    /// Removes a domain without accounts and aliases.
    pub async fn remove_domain(&self, name: &str) -> Result<()> {
        let name = parse_domain(name)?.as_str().to_owned();
        let _turn = self.changing.lock().await;
        if !self.tables().domains.contains_key(&name) {
            return Err(AdminError::NoSuchDomain(name));
        }
        check_no_alias_of(&self.tables(), &name)?;
        self.commit(vec![Op::RemoveDomain { name: name.clone() }], &name)
            .await?;
        self.apply(|tables| drop(tables.domains.remove(&name)));
        self.emit(&DirectoryEvent::Changed {
            noun: "domain",
            verb: "removed",
            name,
        });
        Ok(())
    }

    /// One domain.
    pub fn domain(&self, name: &str) -> Result<DomainView> {
        let name = parse_domain(name)?.as_str().to_owned();
        self.domains()
            .into_iter()
            .find(|domain| domain.name == name)
            .ok_or(AdminError::NoSuchDomain(name))
    }

    /// A domain's settings as they are.
    pub fn domain_settings(&self, name: &str) -> Result<DomainSettings> {
        let name = parse_domain(name)?.as_str().to_owned();
        self.tables()
            .domains
            .get(&name)
            .cloned()
            .ok_or(AdminError::NoSuchDomain(name))
    }

    /// All domains in name order.
    pub fn domains(&self) -> Vec<DomainView> {
        let tables = self.tables();
        let view = |(name, settings): (&String, &DomainSettings)| DomainView {
            name: name.clone(),
            separator: settings.separator,
            postmaster: settings.postmaster.clone(),
            alias_of: settings.alias_of.clone(),
            accounts: tables.by_domain.get(name).map_or(0, |ids| ids.len() as u64),
        };
        tables.domains.iter().map(view).collect()
    }
}

fn check_settings(directory: &Directory, settings: &DomainSettings) -> Result<String> {
    if let Some(separator) = settings.separator
        && !SEPARATORS.contains(separator)
    {
        return Err(AdminError::BadSeparator(separator));
    }
    if let Some(postmaster) = &settings.postmaster
        && !directory.is_local_domain(parse_address(postmaster)?.domain())
    {
        return Err(AdminError::TargetNotLocal(postmaster.clone()));
    }
    Ok(settings_text(settings))
}

pub(super) fn settings_text(settings: &DomainSettings) -> String {
    serde_json::to_string(settings).expect("plain fields are always JSON")
}
