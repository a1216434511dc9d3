//! Grants: what an account may send as beside its own addresses.

use mail::address::{AddressKey, Mailbox};
use store::contract::Op;

use super::{AdminError, Result, parse_address, parse_domain};
use crate::directory::Directory;
use crate::events::DirectoryEvent;
use crate::limits::SEND_AS_GRANTS;
use crate::snapshot::{Account, AccountSettings, Snapshot};

impl Directory {
    /// What the account may send as beside its own addresses: addresses, and domains as `@domain`.
    pub fn send_as(&self, account: &str) -> Result<Vec<String>> {
        let account = self.found(&parse_address(account)?)?;
        Ok(account.settings.send_as.clone())
    }

    /// Lets the account send as an address of a domain of ours, or with `@domain` as every address of it. What is granted
    /// already stays.
    pub async fn grant_send_as(&self, account: &str, names: &[String]) -> Result<Vec<String>> {
        let keys: Vec<String> = names.iter().map(|name| key(name)).collect::<Result<_>>()?;
        let known = |tables: &Snapshot, key: &String| tables.domains.contains_key(domain_of(key));
        self.change_grants(account, move |tables, grants| {
            if let Some(missing) = keys.iter().find(|key| !known(tables, key)) {
                return Err(AdminError::NoSuchDomain(domain_of(missing).to_owned()));
            }
            for key in keys {
                if !grants.contains(&key) {
                    grants.push(key);
                }
            }
            if grants.len() > SEND_AS_GRANTS {
                return Err(AdminError::GrantCount(grants.len()));
            }
            grants.sort();
            Ok(())
        })
        .await
    }

    /// Takes grants back. One that was not given is an error.
    pub async fn revoke_send_as(&self, account: &str, names: &[String]) -> Result<Vec<String>> {
        let keys: Vec<String> = names.iter().map(|name| key(name)).collect::<Result<_>>()?;
        let account_name = account.to_owned();
        self.change_grants(account, move |_, grants| {
            for key in keys {
                let Some(place) = grants.iter().position(|grant| *grant == key) else {
                    return Err(AdminError::NoSuchGrant {
                        account: account_name,
                        name: key,
                    });
                };
                grants.remove(place);
            }
            Ok(())
        })
        .await
    }

    async fn change_grants(
        &self,
        account: &str,
        change: impl FnOnce(&Snapshot, &mut Vec<String>) -> Result<()>,
    ) -> Result<Vec<String>> {
        let address = parse_address(account)?;
        let _turn = self.changing.lock().await;
        let account = self.found(&address)?;
        let mut settings: AccountSettings = account.settings.clone();
        change(&self.tables(), &mut settings.send_as)?;
        let grants = settings.send_as.clone();
        self.commit_settings(&account, &settings).await?;
        Ok(grants)
    }

    async fn commit_settings(&self, account: &Account, settings: &AccountSettings) -> Result<()> {
        let op = Op::SetAccount {
            account: account.id,
            credential: None,
            quota_bytes: None,
            enabled: None,
            settings: Some(super::account::settings_text(settings)),
        };
        let name = account.key.as_str().to_owned();
        self.commit(vec![op], &name).await?;
        self.reload_account(account).await?;
        self.emit(&DirectoryEvent::Changed {
            noun: "account",
            verb: "set",
            name,
        });
        Ok(())
    }
}

impl Snapshot {
    /// Whether `account` was allowed to send as `address`: by name, with or without a tag, or by its domain. What the
    /// domain of `address` is an alias of counts too. Void once the domain is not ours any more.
    pub(crate) fn is_granted(&self, account: &Account, address: &Mailbox) -> bool {
        let Some((meant, settings)) = self.meant(address) else {
            return false;
        };
        let untagged = settings
            .separator
            .map(|separator| AddressKey::split(&meant, separator).0);
        let names = [
            Some(AddressKey::exact(address).as_str().to_owned()),
            Some(AddressKey::exact(&meant).as_str().to_owned()),
            untagged.map(|key| key.as_str().to_owned()),
            Some(format!("@{}", address.domain())),
            Some(format!("@{}", meant.domain())),
        ];
        names
            .iter()
            .flatten()
            .any(|name| account.settings.send_as.contains(name))
    }
}

/// The key of `name@domain` or `@domain`.
fn key(text: &str) -> Result<String> {
    match text.trim().strip_prefix('@') {
        Some(domain) => Ok(format!("@{}", parse_domain(domain)?)),
        None => Ok(AddressKey::exact(&parse_address(text)?).as_str().to_owned()),
    }
}

fn domain_of(key: &str) -> &str {
    key.rsplit('@').next().unwrap_or_default()
}
