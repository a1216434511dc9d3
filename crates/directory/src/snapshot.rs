//! All of the directory in memory: plain tables, changed only after a commit.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use mail::address::{AddressKey, Domain, LocalPart, Mailbox, Utf8};
use mail::ids::AccountId;
use serde::{Deserialize, Serialize};
use store::contract::AccountRow;

use crate::quota::Usage;

/// The tag separator of a domain that says nothing else.
const DEFAULT_SEPARATOR: char = '+';

/// What can be set for a domain; kept as JSON in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainSettings {
    /// What divides a local part from its tag (`alice+news`); `None` turns plus-addressing off.
    #[serde(default = "default_separator")]
    pub separator: Option<char>,
    /// A local address that gets `postmaster@` when there is neither an account nor an alias of that name.
    #[serde(default)]
    pub postmaster: Option<String>,
    /// Another domain of ours whose addresses are this one's too; it has none of its own then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_of: Option<String>,
}

fn default_separator() -> Option<char> {
    Some(DEFAULT_SEPARATOR)
}

impl Default for DomainSettings {
    fn default() -> Self {
        Self {
            separator: default_separator(),
            postmaster: None,
            alias_of: None,
        }
    }
}

/// What can be set for an account beside the store's own columns; kept as JSON in the store.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct AccountSettings {
    /// name of the person, for people
    #[serde(default)]
    pub name: Option<String>,
    /// what it may send as beside its own addresses: the text of an `AddressKey`, or `@domain`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub send_as: Vec<String>,
}

/// An account as the directory needs it.
#[derive(Debug)]
pub(crate) struct Account {
    pub id: AccountId,
    pub address: Mailbox,
    pub key: AddressKey,
    /// PHC string; shared between accounts that were made with one
    pub credential: Option<Arc<str>>,
    pub enabled: bool,
    pub settings: AccountSettings,
    pub usage: Arc<Usage>,
}

impl Account {
    /// Whether there are keys for SCRAM: they stand behind the verifier.
    pub fn has_keys(&self) -> bool {
        self.credential.as_deref().is_some_and(|text| text.contains(' '))
    }

    /// From a stored row.
    pub fn from_row(row: AccountRow, usage: Arc<Usage>) -> Option<Self> {
        let address = from_key_text(&row.address)?;
        usage.set(row.used_bytes, row.quota_bytes);
        Some(Self {
            id: row.id,
            key: AddressKey::exact(&address),
            address,
            credential: row.credential.map(Arc::from),
            enabled: row.enabled,
            settings: serde_json::from_str(&row.settings).unwrap_or_default(),
            usage,
        })
    }
}

/// The address behind the text of an `AddressKey`, whose local part is not quoted.
pub(crate) fn from_key_text(text: &str) -> Option<Mailbox> {
    let (local, domain) = text.rsplit_once('@')?;
    let local = LocalPart::from_unquoted(local, Utf8::Allowed).ok()?;
    Mailbox::new(local, Domain::parse(domain).ok()?).ok()
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(crate) enum Name {
    Account(AccountId),
    Alias(Arc<[Mailbox]>),
}

/// The tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub domains: BTreeMap<String, DomainSettings>,
    pub accounts: HashMap<AccountId, Arc<Account>>,
    /// by the text of an `AddressKey`, or `@domain` for a catch-all
    pub names: HashMap<String, Name>,
    /// accounts of each domain, oldest first
    pub by_domain: HashMap<String, BTreeSet<AccountId>>,
    /// accounts with a password, and those of them that have keys for SCRAM
    with_password: usize,
    with_keys: usize,
}

impl Snapshot {
    /// Puts an account in, replacing the one of the same id.
    pub fn put_account(&mut self, account: Arc<Account>) {
        if let Some(old) = self.accounts.get(&account.id).cloned()
            && old.key != account.key
        {
            self.drop_account(&old);
        }
        self.names
            .insert(account.key.as_str().to_owned(), Name::Account(account.id));
        self.by_domain
            .entry(account.key.domain().to_owned())
            .or_default()
            .insert(account.id);
        let (password, keys) = (account.credential.is_some(), account.has_keys());
        self.with_password += usize::from(password);
        self.with_keys += usize::from(keys);
        if let Some(old) = self.accounts.insert(account.id, account) {
            self.discount(&old);
        }
    }

    fn discount(&mut self, account: &Account) {
        self.with_password -= usize::from(account.credential.is_some());
        self.with_keys -= usize::from(account.has_keys());
    }

    /// Whether everybody who has a password can prove it by SCRAM.
    pub fn all_have_keys(&self) -> bool {
        self.with_keys > 0 && self.with_keys == self.with_password
    }

    /// Takes an account out.
    pub fn drop_account(&mut self, account: &Account) {
        self.names.remove(account.key.as_str());
        if let Some(ids) = self.by_domain.get_mut(account.key.domain()) {
            ids.remove(&account.id);
        }
        if let Some(old) = self.accounts.remove(&account.id) {
            self.discount(&old);
        }
    }

    /// Puts an alias in. Targets that cannot be read are left out (`admin` checked them when they were written).
    pub fn put_alias(&mut self, key: String, targets: &[String]) {
        let targets: Arc<[Mailbox]> = targets
            .iter()
            .filter_map(|target| Mailbox::parse(target, Utf8::Allowed).ok())
            .collect();
        self.names.insert(key, Name::Alias(targets));
    }

    /// The account whose main address this is.
    pub fn account_by_address(&self, address: &Mailbox) -> Option<&Arc<Account>> {
        match self.names.get(AddressKey::exact(address).as_str())? {
            Name::Account(id) => self.accounts.get(id),
            Name::Alias(_) => None,
        }
    }

    /// Aliases in key order.
    pub fn aliases(&self) -> BTreeMap<&str, &Arc<[Mailbox]>> {
        let aliases = self.names.iter().filter_map(|(key, name)| match name {
            Name::Alias(targets) => Some((key.as_str(), targets)),
            Name::Account(_) => None,
        });
        aliases.collect()
    }
}
