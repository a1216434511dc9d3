//! What a change changes, for whoever writes a history: the note goes into the batch that makes the change, so that there is never one
//! without the other.
//!
//! 1. [`noted`] does some administration; every change it commits is told to a note's writer.
//! 2. [`ops`] finds from a batch's operations what was before and will be after, and adds the notes.
//!
//! States are JSON: what an undo needs to make them again. Passwords and their verifiers are in none of them.

use std::sync::Arc;

use serde_json::{Value, json};
use store::contract::{NewAccount, Op};

use crate::directory::Directory;
use crate::snapshot::{Account, AccountSettings, DomainSettings, Name, Snapshot, from_key_text};

/// One thing that a commit changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// `domain`, `account`, `alias`
    pub noun: &'static str,
    /// its name
    pub name: String,
    /// its state before, `None`: it was not there
    pub before: Option<Value>,
    /// its state after, `None`: it is gone
    pub after: Option<Value>,
    /// a password is set
    pub password: bool,
    /// octets of mail it holds, as of the last look
    pub used_bytes: u64,
}

type Writer = Arc<dyn Fn(&Change) -> String + Send + Sync>;

tokio::task_local! {
    static WRITER: Writer;
}

/// Does `work`; the text that `write` makes of each change goes into the store's audit, in the batch of the change.
pub async fn noted<T>(
    write: impl Fn(&Change) -> String + Send + Sync + 'static,
    work: impl Future<Output = T>,
) -> T {
    WRITER.scope(Arc::new(write), work).await
}

/// The notes of a batch, if somebody writes them.
pub(crate) fn ops(tables: &Snapshot, ops: &[Op]) -> Vec<Op> {
    let notes = WRITER.try_with(|write| {
        let changes = ops.iter().filter_map(|op| change(tables, op));
        let told = changes.filter(|change| change.before != change.after || change.password);
        told.map(|change| Op::Audit { text: write(&change) }).collect()
    });
    notes.unwrap_or_default()
}

fn change(tables: &Snapshot, op: &Op) -> Option<Change> {
    match op {
        Op::CreateDomain { name, settings } | Op::SetDomain { name, settings } => {
            let after = serde_json::from_str(settings).ok();
            Some(of_domain(tables, name, after.as_ref()))
        }
        Op::RemoveDomain { name } => Some(of_domain(tables, name, None)),
        Op::CreateAlias { key, targets } | Op::SetAlias { key, targets } => {
            Some(of_alias(tables, key, Some(json!({ "targets": targets }))))
        }
        Op::RemoveAlias { key } => Some(of_alias(tables, key, None)),
        Op::CreateAccount { account } => new_account(account),
        Op::SetAccount {
            account,
            credential,
            quota_bytes,
            enabled,
            settings,
        } => {
            let account = tables.accounts.get(account)?;
            let settings = settings.as_ref().and_then(|text| serde_json::from_str(text).ok());
            let after = account_state(
                settings.as_ref().unwrap_or(&account.settings),
                enabled.unwrap_or(account.enabled),
                quota_bytes.unwrap_or_else(|| account.usage.quota_bytes()),
            );
            Some(Change {
                password: credential.is_some(),
                ..of_account(account, Some(after))
            })
        }
        Op::RemoveAccount { account } => Some(of_account(tables.accounts.get(account)?, None)),
        _ => None,
    }
}

fn of_domain(tables: &Snapshot, name: &str, after: Option<&DomainSettings>) -> Change {
    Change {
        noun: "domain",
        name: name.to_owned(),
        before: tables.domains.get(name).and_then(domain_state),
        after: after.and_then(domain_state),
        password: false,
        used_bytes: 0,
    }
}

fn of_alias(tables: &Snapshot, key: &str, after: Option<Value>) -> Change {
    Change {
        noun: "alias",
        name: key.to_owned(),
        before: alias_state(tables, key),
        after,
        password: false,
        used_bytes: 0,
    }
}

fn of_account(account: &Account, after: Option<Value>) -> Change {
    Change {
        noun: "account",
        name: account.address.to_string(),
        before: Some(state_of(account)),
        after,
        password: false,
        used_bytes: account.usage.used_bytes(),
    }
}

fn new_account(new: &NewAccount) -> Option<Change> {
    let settings: AccountSettings = serde_json::from_str(&new.settings).unwrap_or_default();
    Some(Change {
        noun: "account",
        name: from_key_text(&new.address)?.to_string(),
        before: None,
        after: Some(account_state(&settings, true, new.quota_bytes)),
        password: false,
        used_bytes: 0,
    })
}

fn domain_state(settings: &DomainSettings) -> Option<Value> {
    serde_json::to_value(settings).ok()
}

fn alias_state(tables: &Snapshot, key: &str) -> Option<Value> {
    match tables.names.get(key)? {
        Name::Alias(targets) => {
            let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
            Some(json!({ "targets": targets }))
        }
        Name::Account(_) => None,
    }
}

fn state_of(account: &Account) -> Value {
    account_state(&account.settings, account.enabled, account.usage.quota_bytes())
}

fn account_state(settings: &AccountSettings, enabled: bool, quota_bytes: u64) -> Value {
    json!({
        "name": settings.name.as_ref().filter(|name| !name.is_empty()),
        "enabled": enabled,
        "quota_bytes": quota_bytes,
        "send_as": settings.send_as,
    })
}

/// A thing's name as it is kept, and its state.
pub type Known = (String, Value);

impl Directory {
    /// What a history says of a domain that is here.
    pub fn domain_known(&self, name: &str) -> Option<Known> {
        let settings = self.domain_settings(name).ok()?;
        Some((name.to_owned(), domain_state(&settings)?))
    }

    /// What a history says of an account that is here.
    pub fn account_known(&self, address: &str) -> Option<Known> {
        let address = crate::admin::parse_address(address).ok()?;
        let account = self.tables().account_by_address(&address).cloned()?;
        Some((account.address.to_string(), state_of(&account)))
    }

    /// What a history says of an alias that is here.
    pub fn alias_known(&self, address: &str) -> Option<Known> {
        let key = self.alias(address).ok()?.address;
        let state = alias_state(&self.tables(), &key)?;
        Some((key, state))
    }
}
