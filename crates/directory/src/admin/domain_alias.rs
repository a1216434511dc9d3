//! Domain aliases: a domain whose addresses are those of another.

use serde::Serialize;
use store::contract::Op;

use super::{AdminError, Result, parse_domain};
use crate::directory::Directory;
use crate::events::DirectoryEvent;
use crate::snapshot::{DomainSettings, Snapshot};

/// A domain alias, for people and scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DomainAliasView {
    /// the domain without names of its own
    pub name: String,
    /// the domain whose names it has
    pub of: String,
}

impl Directory {
    /// Makes `name` an alias of `of`: every address at `name` is the same one at `of`, for mail that comes and for sending.
    /// `name` is added if it is not here; if it is, it must have no accounts and aliases.
    pub async fn add_domain_alias(&self, name: &str, of: &str) -> Result<DomainAliasView> {
        let (name, of) = (domain_text(name)?, domain_text(of)?);
        let _turn = self.changing.lock().await;
        let tables = self.tables();
        check(&tables, &name, &of)?;
        let known = tables.domains.get(&name).cloned();
        drop(tables);
        let settings = DomainSettings {
            alias_of: Some(of.clone()),
            ..known.clone().unwrap_or_default()
        };
        let text = super::domain::settings_text(&settings);
        let op = match known {
            Some(_) => Op::SetDomain {
                name: name.clone(),
                settings: text,
            },
            None => Op::CreateDomain {
                name: name.clone(),
                settings: text,
            },
        };
        self.commit(vec![op], &name).await?;
        self.apply(|tables| drop(tables.domains.insert(name.clone(), settings)));
        self.emit(&DirectoryEvent::Changed {
            noun: "domain-alias",
            verb: "added",
            name: name.clone(),
        });
        Ok(DomainAliasView { name, of })
    }

    /// Ends an alias and takes the domain away with it.
    pub async fn remove_domain_alias(&self, name: &str) -> Result<()> {
        let name = domain_text(name)?;
        let _turn = self.changing.lock().await;
        let is_alias = |settings: &DomainSettings| settings.alias_of.is_some();
        if !self.tables().domains.get(&name).is_some_and(is_alias) {
            return Err(AdminError::NoSuchDomainAlias(name));
        }
        self.commit(vec![Op::RemoveDomain { name: name.clone() }], &name)
            .await?;
        self.apply(|tables| drop(tables.domains.remove(&name)));
        self.emit(&DirectoryEvent::Changed {
            noun: "domain-alias",
            verb: "removed",
            name,
        });
        Ok(())
    }

    /// All domain aliases in name order.
    pub fn domain_aliases(&self) -> Vec<DomainAliasView> {
        let tables = self.tables();
        let view = |(name, settings): (&String, &DomainSettings)| {
            Some(DomainAliasView {
                name: name.clone(),
                of: settings.alias_of.clone()?,
            })
        };
        tables.domains.iter().filter_map(view).collect()
    }
}

/// One step only, so that no chain can go round: the other domain is ours and no alias itself, and nobody is an alias of
/// this one.
fn check(tables: &Snapshot, name: &str, of: &str) -> Result<()> {
    let Some(settings) = tables.domains.get(of) else {
        return Err(AdminError::NoSuchDomain(of.to_owned()));
    };
    if name == of || settings.alias_of.is_some() {
        return Err(AdminError::DomainIsAlias(of.to_owned()));
    }
    check_no_alias_of(tables, name)?;
    let suffix = format!("@{name}");
    if tables.names.keys().any(|key| key.ends_with(&suffix)) {
        return Err(AdminError::DomainInUse(name.to_owned()));
    }
    Ok(())
}

/// Refuses while another domain is an alias of `name`.
pub(super) fn check_no_alias_of(tables: &Snapshot, name: &str) -> Result<()> {
    let leads_here = |settings: &DomainSettings| settings.alias_of.as_deref() == Some(name);
    match tables.domains.iter().find(|(_, settings)| leads_here(settings)) {
        Some((alias, _)) => Err(AdminError::DomainHasAlias {
            name: name.to_owned(),
            alias: alias.clone(),
        }),
        None => Ok(()),
    }
}

/// Refuses a new name in a domain that has none of its own.
pub(super) fn check_takes_names(tables: &Snapshot, domain: &str) -> Result<()> {
    match tables.domains.get(domain) {
        None => Err(AdminError::NoSuchDomain(domain.to_owned())),
        Some(settings) if settings.alias_of.is_some() => Err(AdminError::DomainIsAlias(domain.to_owned())),
        Some(_) => Ok(()),
    }
}

fn domain_text(text: &str) -> Result<String> {
    Ok(parse_domain(text)?.as_str().to_owned())
}
