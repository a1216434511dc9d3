//! Accounts: people who sign in and have mailboxes.

use std::collections::HashSet;
use std::sync::Arc;

use mail::address::{AddressKey, Mailbox};
use mail::ids::{AccountId, MailboxId};
use ring::digest;
use serde::Serialize;
use store::contract::{AccountRow, NewAccount, Op, SpecialUse};

use super::domain_alias::check_takes_names;
use super::{AdminError, Result, holder, parse_address};
use crate::directory::Directory;
use crate::events::DirectoryEvent;
use crate::limits;
use crate::password::{Password, Verifier};
use crate::quota::Usage;
use crate::scram::Keys;
use crate::snapshot::{Account, AccountSettings, Snapshot};

/// The mailboxes a new account has beside INBOX (RFC 6154).
const FIRST_MAILBOXES: [(&str, SpecialUse); 5] = [
    ("Drafts", SpecialUse::Drafts),
    ("Sent", SpecialUse::Sent),
    ("Junk", SpecialUse::Junk),
    ("Trash", SpecialUse::Trash),
    ("Archive", SpecialUse::Archive),
];

/// How a new account signs in.
#[derive(Debug, Clone)]
pub enum Credential {
    /// With this password.
    Password(Password),
    /// With the password of this verifier; several accounts may share one.
    Verifier(Verifier),
    /// Not at all, until a password is set.
    None,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct AccountSpec {
    /// main address, as written
    pub address: String,
    /// how it signs in
    pub credential: Credential,
    /// room in bytes; 0: no limit
    pub quota_bytes: u64,
    /// name of the person, for people
    pub name: Option<String>,
}

/// What to change in an account; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    /// a new password
    pub password: Option<Password>,
    /// room in bytes; 0: no limit
    pub quota_bytes: Option<u64>,
    /// whether it takes mail and may sign in
    pub enabled: Option<bool>,
    /// name of the person
    pub name: Option<String>,
}

/// An account, for people and scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView {
    /// its identifier
    pub id: String,
    /// main address
    pub address: String,
    /// name of the person
    pub name: Option<String>,
    /// whether it takes mail and may sign in
    pub enabled: bool,
    /// whether a password is set
    pub can_sign_in: bool,
    /// room in bytes; 0: no limit
    pub quota_bytes: u64,
    /// used bytes, as of the last look
    pub used_bytes: u64,
}

impl Directory {
    /// Adds one account, with INBOX, Drafts, Sent, Junk, Trash and Archive.
    pub async fn add_account(&self, spec: AccountSpec) -> Result<AccountView> {
        let address = parse_address(&spec.address)?;
        self.add_accounts(vec![spec]).await?;
        self.account_view(&address)
    }

    /// Adds many accounts. All are checked first; then they are committed in lots of [`limits::ACCOUNTS_PER_COMMIT`].
    pub async fn add_accounts(&self, specs: Vec<AccountSpec>) -> Result<usize> {
        let planned = self.plan(specs).await?;
        let _turn = self.changing.lock().await;
        check_free(&self.tables(), &planned)?; // again: passwords took their time to hash
        let mut added = 0;
        for lot in planned.chunks(limits::ACCOUNTS_PER_COMMIT) {
            let first = lot.first().map(|new| new.address.clone()).unwrap_or_default();
            let ops = lot
                .iter()
                .map(|new| Op::CreateAccount { account: new.clone() })
                .collect();
            self.commit(ops, &first).await?;
            added += lot.len();
            self.apply(|tables| lot.iter().for_each(|new| put_new(tables, new)));
            for new in lot {
                let name = new.address.clone();
                self.emit(&DirectoryEvent::Changed {
                    noun: "account",
                    verb: "added",
                    name,
                });
            }
        }
        Ok(added)
    }

    async fn plan(&self, specs: Vec<AccountSpec>) -> Result<Vec<NewAccount>> {
        let mut planned = Vec::with_capacity(specs.len());
        for spec in &specs {
            check_password(&spec.credential)?;
            planned.push(self.new_account(spec)?);
        }
        check_free(&self.tables(), &planned)?;
        let credentials: Vec<Credential> = specs.into_iter().map(|spec| spec.credential).collect();
        let stored = self.stored(&credentials).await?;
        for (new, stored) in planned.iter_mut().zip(stored) {
            new.credential = stored;
        }
        Ok(planned)
    }

    /// What is stored of each, in their order. Two are hashed at a time: one command has cores enough with that, and sign-ins their turn.
    async fn stored(&self, credentials: &[Credential]) -> Result<Vec<Option<String>>> {
        let mut stored = Vec::with_capacity(credentials.len());
        for pair in credentials.chunks(2) {
            let (first, second) = tokio::join!(self.stored_one(pair.first()), self.stored_one(pair.get(1)));
            stored.extend([first?, second?]);
        }
        stored.truncate(credentials.len());
        Ok(stored)
    }

    async fn stored_one(&self, credential: Option<&Credential>) -> Result<Option<String>> {
        match credential {
            Some(Credential::Password(password)) => self.credential(password).await.map(Some),
            Some(Credential::Verifier(verifier)) => Ok(Some(verifier.to_string())),
            Some(Credential::None) | None => Ok(None),
        }
    }

    fn new_account(&self, spec: &AccountSpec) -> Result<NewAccount> {
        let address = parse_address(&spec.address)?;
        let ids = &self.doors.ids;
        let mailbox =
            |(name, usage): &(&str, SpecialUse)| (ids.next::<MailboxId>(), (*name).to_owned(), Some(*usage));
        Ok(NewAccount {
            id: ids.next::<AccountId>(),
            address: AddressKey::exact(&address).as_str().to_owned(),
            credential: None,
            quota_bytes: spec.quota_bytes,
            settings: settings_text(&AccountSettings {
                name: spec.name.clone(),
                ..AccountSettings::default()
            }),
            inbox: ids.next::<MailboxId>(),
            mailboxes: FIRST_MAILBOXES.iter().map(mailbox).collect(),
        })
    }

    /// Hashes a password in turn with the sign-ins.
    pub async fn verifier(&self, password: &Password) -> Result<Verifier> {
        self.hashing().hash(password).await.map_err(|_| AdminError::Busy)
    }

    /// Whether the account has this password; nobody is told that somebody asked. Not for sign-ins: those are
    /// [`Directory::authenticate`]'s.
    pub async fn has_password(&self, address: &str, password: &Password) -> Result<bool> {
        let account = self.found(&parse_address(address)?)?;
        let checked = self.hashing().check(account.credential.as_deref(), password);
        checked.await.map_err(|_| AdminError::Busy)
    }

    /// Another text whenever a password is set for the account, the same one too: a hash of what is stored, salt included. Who kept it
    /// when they knew the password knows later, without hashing that, that it is still the same. `None` without a password.
    pub fn password_mark(&self, address: &str) -> Result<Option<String>> {
        let account = self.found(&parse_address(address)?)?;
        Ok(account.credential.as_deref().map(mark))
    }

    /// What is stored of a password: its verifier, and behind it the keys for SCRAM if we generated it.
    async fn credential(&self, password: &Password) -> Result<String> {
        let verifier = self.verifier(password).await?;
        if !password.is_generated() {
            return Ok(verifier.to_string());
        }
        let keys = Keys::of(password, self.doors.chance.as_ref());
        Ok(format!("{verifier} {keys}"))
    }

    /// Changes an account. A new password ends what was remembered of the old one.
    pub async fn set_account(&self, address: &str, change: AccountChange) -> Result<AccountView> {
        let address = parse_address(address)?;
        let credential = match &change.password {
            Some(password) => {
                check_text(password)?;
                Some(self.credential(password).await?)
            }
            None => None,
        };
        let _turn = self.changing.lock().await;
        let account = self.found(&address)?;
        let settings = change.name.map(|name| {
            settings_text(&AccountSettings {
                name: Some(name),
                ..account.settings.clone()
            })
        });
        let op = Op::SetAccount {
            account: account.id,
            credential,
            quota_bytes: change.quota_bytes,
            enabled: change.enabled,
            settings,
        };
        self.commit(vec![op], account.key.as_str()).await?;
        self.reload_account(&account).await?;
        let name = account.key.as_str().to_owned();
        self.emit(&DirectoryEvent::Changed {
            noun: "account",
            verb: "set",
            name,
        });
        self.account_view(&address)
    }

    pub(super) async fn reload_account(&self, account: &Account) -> Result<()> {
        let row = self.stored_account(account.id).await.map_err(AdminError::Store)?;
        let usage = account.usage.clone();
        if let Some(fresh) = row.and_then(|row| Account::from_row(row, usage)) {
            self.apply(|tables| tables.put_account(Arc::new(fresh)));
        }
        Ok(())
    }

    /// Removes an account with all its mail.
    pub async fn remove_account(&self, address: &str) -> Result<()> {
        let address = parse_address(address)?;
        let _turn = self.changing.lock().await;
        let account = self.found(&address)?;
        let name = account.key.as_str().to_owned();
        self.commit(vec![Op::RemoveAccount { account: account.id }], &name)
            .await?;
        self.apply(|tables| tables.drop_account(&account));
        self.emit(&DirectoryEvent::Changed {
            noun: "account",
            verb: "removed",
            name,
        });
        Ok(())
    }

    /// Reads from the store how much every account uses now.
    pub async fn refresh_usage(&self) -> Result<()> {
        let mut after = None;
        loop {
            let page = self
                .doors
                .store
                .accounts(after)
                .await
                .map_err(AdminError::Store)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            let tables = self.tables();
            for row in page {
                if let Some(account) = tables.accounts.get(&row.id) {
                    account.usage.set(row.used_bytes, row.quota_bytes);
                }
            }
        }
    }

    /// One account by its main address.
    pub fn account(&self, address: &str) -> Result<AccountView> {
        self.account_view(&parse_address(address)?)
    }

    /// All accounts in the order of their addresses.
    pub fn accounts(&self) -> Vec<AccountView> {
        let tables = self.tables();
        let mut views: Vec<AccountView> = tables.accounts.values().map(|account| view(account)).collect();
        views.sort_by(|left, right| left.address.cmp(&right.address));
        views
    }

    /// How many accounts there are.
    pub fn count_accounts(&self) -> usize {
        self.tables().accounts.len()
    }

    fn account_view(&self, address: &Mailbox) -> Result<AccountView> {
        self.found(address).map(|account| view(&account))
    }

    pub(super) fn found(&self, address: &Mailbox) -> Result<Arc<Account>> {
        let missing = || AdminError::NoSuchAccount(address.to_string());
        self.tables()
            .account_by_address(address)
            .cloned()
            .ok_or_else(missing)
    }
}

fn mark(credential: &str) -> String {
    let hash = digest::digest(&digest::SHA256, credential.as_bytes());
    hash.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

fn view(account: &Account) -> AccountView {
    AccountView {
        id: account.id.to_string(),
        address: account.address.to_string(),
        name: account.settings.name.clone(),
        enabled: account.enabled,
        can_sign_in: account.credential.is_some(),
        quota_bytes: account.usage.quota_bytes(),
        used_bytes: account.usage.used_bytes(),
    }
}

fn put_new(tables: &mut Snapshot, new: &NewAccount) {
    let row = AccountRow {
        id: new.id,
        address: new.address.clone(),
        credential: new.credential.clone(),
        quota_bytes: new.quota_bytes,
        used_bytes: 0,
        enabled: true,
        settings: new.settings.clone(),
    };
    let account = Account::from_row(row, Arc::new(Usage::default()));
    tables.put_account(Arc::new(
        account.expect("the address was parsed before it was committed"),
    ));
}

fn check_free(tables: &Snapshot, planned: &[NewAccount]) -> Result<()> {
    let mut named = HashSet::new();
    for new in planned {
        let key = new.address.as_str();
        let domain = key.rsplit('@').next().unwrap_or_default();
        check_takes_names(tables, domain)?;
        if let Some(noun) = holder(tables, key) {
            return Err(AdminError::Exists {
                noun,
                name: key.to_owned(),
            });
        }
        if !named.insert(key) {
            return Err(AdminError::Twice(key.to_owned()));
        }
    }
    Ok(())
}

fn check_password(credential: &Credential) -> Result<()> {
    match credential {
        Credential::Password(password) => check_text(password),
        Credential::Verifier(_) | Credential::None => Ok(()),
    }
}

fn check_text(password: &Password) -> Result<()> {
    let text = password.reveal();
    if text.chars().count() < limits::PASSWORD_MIN_CHARS {
        return Err(AdminError::BadPassword("it is shorter than 8 characters"));
    }
    if text.len() > limits::PASSWORD_BYTES {
        return Err(AdminError::BadPassword("it is longer than 1024 bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(AdminError::BadPassword("it has a control character"));
    }
    Ok(())
}

pub(super) fn settings_text(settings: &AccountSettings) -> String {
    serde_json::to_string(settings).expect("plain fields are always JSON")
}
