//! Aliases: addresses that lead to other addresses here; `@domain` catches what nobody else has.

use std::collections::HashSet;
use std::sync::Arc;

use mail::address::{AddressKey, Mailbox};
use serde::Serialize;
use store::contract::Op;

use super::{AdminError, Result, holder, parse_address, parse_domain};
use crate::directory::Directory;
use crate::events::DirectoryEvent;
use crate::limits;
use crate::snapshot::{Name, Snapshot};

/// An alias to be made or set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasSpec {
    /// `name@domain`, or `@domain` for a catch-all
    pub address: String,
    /// local addresses, at least one
    pub targets: Vec<String>,
}

/// An alias, for people and scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AliasView {
    /// `name@domain`, or `@domain` for a catch-all
    pub address: String,
    /// where it leads
    pub targets: Vec<String>,
}

impl Directory {
    /// Adds one alias.
    pub async fn add_alias(&self, spec: AliasSpec) -> Result<AliasView> {
        let key = parse_key(&spec.address)?;
        self.add_aliases(vec![spec]).await?;
        self.alias(&key)
    }

    /// Adds many aliases, in one commit for each [`limits::ACCOUNTS_PER_COMMIT`]. A target may be an alias of the same command.
    pub async fn add_aliases(&self, specs: Vec<AliasSpec>) -> Result<usize> {
        let _turn = self.changing.lock().await;
        let planned = plan(&self.tables(), specs)?;
        let mut added = 0;
        for lot in planned.chunks(limits::ACCOUNTS_PER_COMMIT) {
            let first = lot.first().map(|(key, _)| key.clone()).unwrap_or_default();
            let op = |(key, targets): &(String, Vec<String>)| Op::CreateAlias {
                key: key.clone(),
                targets: targets.clone(),
            };
            self.commit(lot.iter().map(op).collect(), &first).await?;
            added += lot.len();
            self.apply(|tables| {
                lot.iter()
                    .for_each(|(key, targets)| tables.put_alias(key.clone(), targets))
            });
            for (key, _) in lot {
                self.emit(&DirectoryEvent::Changed {
                    noun: "alias",
                    verb: "added",
                    name: key.clone(),
                });
            }
        }
        Ok(added)
    }

    /// Replaces an alias's targets.
    pub async fn set_alias(&self, spec: AliasSpec) -> Result<AliasView> {
        let key = parse_key(&spec.address)?;
        let _turn = self.changing.lock().await;
        let tables = self.tables();
        if holder(&tables, &key) != Some("alias") {
            return Err(AdminError::NoSuchAlias(key));
        }
        let targets = check_targets(&tables, &HashSet::new(), &spec.targets)?;
        drop(tables);
        self.commit(
            vec![Op::SetAlias {
                key: key.clone(),
                targets: targets.clone(),
            }],
            &key,
        )
        .await?;
        self.apply(|tables| tables.put_alias(key.clone(), &targets));
        self.emit(&DirectoryEvent::Changed {
            noun: "alias",
            verb: "set",
            name: key.clone(),
        });
        self.alias(&key)
    }

    /// Removes an alias.
    pub async fn remove_alias(&self, address: &str) -> Result<()> {
        let key = parse_key(address)?;
        let _turn = self.changing.lock().await;
        if holder(&self.tables(), &key) != Some("alias") {
            return Err(AdminError::NoSuchAlias(key));
        }
        self.commit(vec![Op::RemoveAlias { key: key.clone() }], &key)
            .await?;
        self.apply(|tables| drop(tables.names.remove(&key)));
        self.emit(&DirectoryEvent::Changed {
            noun: "alias",
            verb: "removed",
            name: key,
        });
        Ok(())
    }

    /// One alias.
    pub fn alias(&self, address: &str) -> Result<AliasView> {
        let key = parse_key(address)?;
        match self.tables().names.get(&key) {
            Some(Name::Alias(targets)) => Ok(view(&key, targets)),
            _ => Err(AdminError::NoSuchAlias(key)),
        }
    }

    /// All aliases in address order.
    pub fn aliases(&self) -> Vec<AliasView> {
        let tables = self.tables();
        tables
            .aliases()
            .into_iter()
            .map(|(key, targets)| view(key, targets))
            .collect()
    }
}

fn view(key: &str, targets: &Arc<[Mailbox]>) -> AliasView {
    AliasView {
        address: key.to_owned(),
        targets: targets.iter().map(ToString::to_string).collect(),
    }
}

/// The key of `name@domain` or `@domain`.
fn parse_key(text: &str) -> Result<String> {
    match text.trim().strip_prefix('@') {
        Some(domain) => Ok(format!("@{}", parse_domain(domain)?)),
        None => Ok(AddressKey::exact(&parse_address(text)?).as_str().to_owned()),
    }
}

fn plan(tables: &Snapshot, specs: Vec<AliasSpec>) -> Result<Vec<(String, Vec<String>)>> {
    let mut named = HashSet::new();
    for spec in &specs {
        let key = parse_key(&spec.address)?;
        let domain = key.rsplit('@').next().unwrap_or_default();
        if !tables.domains.contains_key(domain) {
            return Err(AdminError::NoSuchDomain(domain.to_owned()));
        }
        if let Some(noun) = holder(tables, &key) {
            return Err(AdminError::Exists { noun, name: key });
        }
        if !named.insert(key.clone()) {
            return Err(AdminError::Twice(key));
        }
    }
    let planned = specs.into_iter().map(|spec| {
        Ok((
            parse_key(&spec.address)?,
            check_targets(tables, &named, &spec.targets)?,
        ))
    });
    planned.collect()
}

/// The targets in written form, each leading to somebody here: an account, an alias, or one of `named`.
fn check_targets(tables: &Snapshot, named: &HashSet<String>, targets: &[String]) -> Result<Vec<String>> {
    if targets.is_empty() || targets.len() > limits::ALIAS_TARGETS {
        return Err(AdminError::TargetCount(targets.len()));
    }
    let check = |text: &String| {
        let target = parse_address(text)?;
        let known = named.contains(AddressKey::exact(&target).as_str()) || tables.has_name(&target);
        if known {
            Ok(target.to_string())
        } else {
            Err(AdminError::TargetNotLocal(target.to_string()))
        }
    };
    targets.iter().map(check).collect()
}
