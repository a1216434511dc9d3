//! The directory itself: what it holds, how it is loaded, and how the count of used bytes stays fresh.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use mail::address::{Mailbox, Path};
use mail::ids::{AccountId, Id};
use parking_lot::RwLock;
use store::contract::{Notice, Result, Store};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use world::chance::Chance;
use world::clock::{Clock, Monotonic};
use world::events::{Event, Events};
use world::ids::IdSource;

use crate::events::DirectoryEvent;
use crate::hashing::Hashing;
use crate::limits::USAGE_REST;
use crate::quota::{Reservation, Usage};
use crate::resolve::{LocalRecipient, Resolution};
use crate::snapshot::{Account, DomainSettings, Snapshot};
use crate::srs::SrsKey;

/// What the directory needs of the world.
#[derive(Clone)]
pub struct Doors {
    /// where everything is kept
    pub store: Arc<dyn Store>,
    /// time
    pub clock: Arc<dyn Clock>,
    /// salts, keys, generated passwords
    pub chance: Arc<dyn Chance>,
    /// new identifiers
    pub ids: Arc<IdSource>,
    /// the log
    pub events: Arc<dyn Events>,
}

/// All domains, accounts and aliases.
pub struct Directory {
    pub(crate) doors: Doors,
    tables: RwLock<Arc<Snapshot>>,
    hashing: Hashing,
    srs: SrsKey,
    /// held while a change is committed and applied, so that memory follows the disk in order
    pub(crate) changing: tokio::sync::Mutex<()>,
}

impl Directory {
    /// [`Directory::open_keyed`] with a new key: return addresses of forwarded mail that were made before are not taken.
    pub async fn open(doors: Doors) -> Result<Arc<Self>> {
        let key = SrsKey::generate(doors.chance.as_ref());
        Self::open_keyed(doors, key).await
    }

    /// Loads everything from the store. `srs` makes and reads the return addresses of forwarded mail: keep it. Must run
    /// inside a tokio runtime: a task keeps used bytes fresh while the directory lives.
    pub async fn open_keyed(doors: Doors, srs: SrsKey) -> Result<Arc<Self>> {
        // Before the first read, so that no change falls between.
        let notices = doors.store.subscribe();
        let tables = load(doors.store.as_ref(), doors.events.as_ref()).await?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let directory = Arc::new(Self {
            hashing: Hashing::new(doors.clock.clone(), doors.chance.clone(), cores),
            tables: RwLock::new(Arc::new(tables)),
            srs,
            changing: tokio::sync::Mutex::new(()),
            doors,
        });
        tokio::spawn(keep_usage_fresh(Arc::downgrade(&directory), notices));
        Ok(directory)
    }

    /// To whom `address` belongs, asked without a message: as mail with the null reverse-path goes. For mail of somebody
    /// there is [`Directory::resolve_from`].
    pub fn resolve(&self, address: &Mailbox) -> Resolution {
        self.resolve_from(address, &Path::Null, crate::Vouched::Yes)
    }

    /// Whether mail for this domain is ours.
    pub fn is_local_domain(&self, domain: &mail::address::Domain) -> bool {
        self.tables().domains.contains_key(domain.as_str())
    }

    /// Holds `size_bytes` of room in the recipient's mailbox; `None` when it is full (452 4.2.2).
    pub fn reserve(&self, recipient: &LocalRecipient, size_bytes: u64) -> Option<Reservation> {
        recipient.entry().usage.reserve(size_bytes)
    }

    /// The main address of an account, if it exists.
    pub fn address_of(&self, account: AccountId) -> Option<Mailbox> {
        self.tables()
            .accounts
            .get(&account)
            .map(|account| account.address.clone())
    }

    /// The account that has this main address.
    pub fn account_of(&self, address: &str) -> Option<AccountId> {
        let address = Mailbox::parse(address, mail::address::Utf8::Allowed).ok()?;
        let tables = self.tables();
        tables.account_by_address(&address).map(|account| account.id)
    }

    /// The checker of passwords.
    pub fn hashing(&self) -> &Hashing {
        &self.hashing
    }

    pub(crate) fn srs(&self) -> &SrsKey {
        &self.srs
    }

    pub(crate) fn tables(&self) -> Arc<Snapshot> {
        self.tables.read().clone()
    }

    /// Changes the tables; copies them only when somebody is reading at this moment.
    pub(crate) fn apply(&self, change: impl FnOnce(&mut Snapshot)) {
        change(Arc::make_mut(&mut self.tables.write()));
    }

    pub(crate) fn emit(&self, event: &dyn Event) {
        self.doors.events.emit(event);
    }
}

async fn load(store: &dyn Store, events: &dyn Events) -> Result<Snapshot> {
    let mut tables = Snapshot::default();
    load_domains(store, events, &mut tables).await?;
    load_accounts(store, events, &mut tables).await?;
    let mut aliases = 0;
    let mut after = String::new();
    loop {
        let page = store.aliases(&after).await?;
        let Some((last, _)) = page.last() else { break };
        after.clone_from(last);
        aliases += page.len() as u64;
        for (key, targets) in page {
            tables.put_alias(key, &targets);
        }
    }
    events.emit(&DirectoryEvent::Loaded {
        domains: tables.domains.len() as u64,
        accounts: tables.accounts.len() as u64,
        aliases,
    });
    Ok(tables)
}

async fn load_domains(store: &dyn Store, events: &dyn Events, tables: &mut Snapshot) -> Result<()> {
    let mut after = String::new();
    loop {
        let page = store.domains(&after).await?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after.clone_from(last);
        for (name, settings) in page {
            let settings = serde_json::from_str(&settings).unwrap_or_else(|_| {
                events.emit(&DirectoryEvent::RowUnreadable {
                    noun: "domain",
                    name: name.clone(),
                });
                DomainSettings::default() // mail for the domain must not bounce over a setting
            });
            tables.domains.insert(name, settings);
        }
    }
}

async fn load_accounts(store: &dyn Store, events: &dyn Events, tables: &mut Snapshot) -> Result<()> {
    let mut after = None;
    let mut last_credential: Option<Arc<str>> = None;
    loop {
        let page = store.accounts(after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for row in page {
            let name = row.address.clone();
            let Some(mut account) = Account::from_row(row, Arc::new(Usage::default())) else {
                events.emit(&DirectoryEvent::RowUnreadable {
                    noun: "account",
                    name,
                });
                continue;
            };
            // Accounts made together may share a verifier: one copy of its text will do.
            if account.credential == last_credential {
                account.credential.clone_from(&last_credential);
            } else {
                last_credential.clone_from(&account.credential);
            }
            tables.put_account(Arc::new(account));
        }
    }
}

/// Follows the store's notices for accounts with a quota, with rests. Without quotas it only wakes and looks.
async fn keep_usage_fresh(directory: Weak<Directory>, mut notices: broadcast::Receiver<Notice>) {
    while let Some(touched) = touched_accounts(&mut notices).await {
        let Some(clock) = refresh_usage(&directory, touched).await else {
            return;
        };
        // Whoever waits is woken by every commit, on another core if need be: a rest makes that once in a while. What is
        // delivered meanwhile is counted by its reservation.
        let rested = clock.monotonic().0.saturating_add(USAGE_REST);
        clock.sleep_until(Monotonic(rested)).await;
    }
}

/// The accounts of the next notice and of those that wait already; `None` when there will be no more.
async fn touched_accounts(notices: &mut broadcast::Receiver<Notice>) -> Option<BTreeSet<AccountId>> {
    let mut touched = BTreeSet::new();
    match notices.recv().await {
        Ok(notice) => drop(touched.insert(notice.account)),
        // Missed some: the next notice of an account, or the next start, corrects its count.
        Err(RecvError::Lagged(_)) => {}
        Err(RecvError::Closed) => return None,
    }
    loop {
        match notices.try_recv() {
            Ok(notice) => drop(touched.insert(notice.account)),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return Some(touched),
        }
    }
}

/// Reads the used bytes of those that have a quota; `None` when the directory is gone.
async fn refresh_usage(directory: &Weak<Directory>, touched: BTreeSet<AccountId>) -> Option<Arc<dyn Clock>> {
    let directory = directory.upgrade()?;
    for id in touched {
        let account = directory.tables().accounts.get(&id).cloned();
        let Some(account) = account.filter(|account| account.usage.quota_bytes() > 0) else {
            continue;
        };
        if let Ok(Some(row)) = directory.stored_account(id).await {
            account.usage.set(row.used_bytes, row.quota_bytes);
        }
    }
    Some(directory.doors.clock.clone())
}

impl Directory {
    /// The account's row as it is on disk now.
    pub(crate) async fn stored_account(&self, id: AccountId) -> Result<Option<store::contract::AccountRow>> {
        // The contract reads pages "after" an id: the one just before it, which need not exist, starts the page with it.
        let before = id.raw().checked_sub(1).map(AccountId::from_raw);
        let page = self.doors.store.accounts(before).await?;
        Ok(page.into_iter().next().filter(|row| row.id == id))
    }
}
