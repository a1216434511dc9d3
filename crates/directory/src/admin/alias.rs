//! Aliases: addresses that lead to other addresses, here or on other servers; `@domain` catches what nobody else has.

use std::collections::HashSet;
use std::sync::Arc;

use mail::address::{AddressKey, Mailbox};
use serde::Serialize;
use store::contract::Op;

use super::domain_alias::check_takes_names;
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
    /// addresses here, or on other servers, at least one
    pub targets: Vec<String>,
}

/// An alias, for people and scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AliasView {
    /// `name@domain`, or `@domain` for a catch-all
    pub address: String,
    /// where it leads
    pub targets: Vec<String>,
    /// those of them that are on other servers: mail to the alias leaves this one
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<String>,
    /// an alias on the way that leads back to this one; mail stops there, but somebody should put it right
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leads_back_through: Option<String>,
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
        let tables = self.tables();
        match tables.names.get(&key) {
            Some(Name::Alias(targets)) => Ok(view(&tables, &key, targets)),
            _ => Err(AdminError::NoSuchAlias(key)),
        }
    }

    /// All aliases in address order.
    pub fn aliases(&self) -> Vec<AliasView> {
        let tables = self.tables();
        tables
            .aliases()
            .into_iter()
            .map(|(key, targets)| view(&tables, key, targets))
            .collect()
    }
}

fn view(tables: &Snapshot, key: &str, targets: &Arc<[Mailbox]>) -> AliasView {
    let elsewhere = targets.iter().filter(|target| tables.meant(target).is_none());
    AliasView {
        address: key.to_owned(),
        targets: targets.iter().map(ToString::to_string).collect(),
        forwards: elsewhere.map(ToString::to_string).collect(),
        leads_back_through: leads_back(tables, key, targets),
    }
}

/// An alias reachable from `key` that has `key` among its own targets (threat case LOOP-2). At run time every walk ends
/// there; a way back over another server shows only in the messages' Delivered-To.
fn leads_back(tables: &Snapshot, key: &str, targets: &Arc<[Mailbox]>) -> Option<String> {
    let mut ahead: Vec<(Mailbox, usize)> = targets.iter().map(|target| (target.clone(), 1)).collect();
    let mut seen = HashSet::new();
    while let Some((target, depth)) = ahead.pop() {
        let Some((meant, settings)) = tables.meant(&target) else {
            continue;
        };
        let own = AddressKey::exact(&meant).as_str().to_owned();
        if depth > limits::ALIAS_DEPTH || !seen.insert(own.clone()) {
            continue;
        }
        if let Some((Name::Alias(next), _)) = tables.look_up(&meant, settings) {
            if next.iter().any(|next| leads_to(tables, next, key)) {
                return Some(own);
            }
            ahead.extend(next.iter().map(|next| (next.clone(), depth + 1)));
        }
    }
    None
}

fn leads_to(tables: &Snapshot, target: &Mailbox, key: &str) -> bool {
    tables
        .meant(target)
        .is_some_and(|(meant, _)| AddressKey::exact(&meant).as_str() == key)
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
        check_takes_names(tables, domain)?;
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

/// The targets in written form. In domains of ours each leads to somebody: an account, an alias, or one of `named`. Others
/// are on other servers.
fn check_targets(tables: &Snapshot, named: &HashSet<String>, targets: &[String]) -> Result<Vec<String>> {
    if targets.is_empty() || targets.len() > limits::ALIAS_TARGETS {
        return Err(AdminError::TargetCount(targets.len()));
    }
    let check = |text: &String| {
        let target = parse_address(text)?;
        let elsewhere = !tables.domains.contains_key(target.domain().as_str());
        let known =
            elsewhere || named.contains(AddressKey::exact(&target).as_str()) || tables.has_name(&target);
        if known {
            Ok(target.to_string())
        } else {
            Err(AdminError::TargetNotLocal(target.to_string()))
        }
    };
    targets.iter().map(check).collect()
}
