//! Waking a session whose client wants to hear of more than its open mailbox: names, counts, notes of an account. A bell only says that
//! something was committed; whoever hears it looks what.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use mail::ids::AccountId;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::person::{Mailboxes, Person};

/// Who is to be woken for which account.
#[derive(Default)]
pub(crate) struct Bells {
    by_account: Mutex<HashMap<AccountId, Vec<Weak<watch::Sender<u64>>>>>,
}

impl Bells {
    /// Something was committed for this account.
    pub(crate) fn ring(&self, account: AccountId) {
        let mut all = self.by_account.lock();
        if let Some(bells) = all.get_mut(&account) {
            bells.retain(ring);
            if bells.is_empty() {
                all.remove(&account);
            }
        }
    }

    /// Nobody knows for whom.
    pub(crate) fn ring_all(&self) {
        self.by_account.lock().retain(|_, bells| {
            bells.retain(ring);
            !bells.is_empty()
        });
    }

    fn add(&self, account: AccountId, bell: &Arc<watch::Sender<u64>>) {
        let mut all = self.by_account.lock();
        let bells = all.entry(account).or_default();
        // Those of sessions that ended go when the next one comes, however quiet the account is.
        bells.retain(|bell| bell.strong_count() > 0);
        bells.push(Arc::downgrade(bell));
    }
}

/// Whether anybody hears it.
fn ring(bell: &Weak<watch::Sender<u64>>) -> bool {
    let Some(bell) = bell.upgrade() else {
        return false;
    };
    bell.send_modify(|count| *count += 1);
    true
}

/// What wakes one session.
pub struct Watch {
    shared: Arc<Mailboxes>,
    bell: Arc<watch::Sender<u64>>,
    heard: watch::Receiver<u64>,
    accounts: Vec<AccountId>,
    /// it rang, and nobody looked yet
    rung: bool,
}

impl Watch {
    /// This account too.
    pub fn attend(&mut self, account: AccountId) {
        if !self.accounts.contains(&account) {
            self.accounts.push(account);
            self.shared.bells.add(account, &self.bell);
        }
    }

    /// Waits until something may have changed. Cancelling loses nothing.
    pub async fn changed(&mut self) {
        // The sender lives as long as this value, which holds it.
        let _open = self.heard.changed().await;
        self.rung = true;
    }

    /// Whether something may have changed since it was asked last.
    pub fn has_changed(&mut self) -> bool {
        let rings = self.heard.has_changed().unwrap_or(false);
        self.heard.mark_unchanged();
        std::mem::take(&mut self.rung) || rings
    }
}

impl Person {
    /// Wakes for whatever is committed for this person's account from now on.
    pub fn watch(&self) -> Watch {
        let bell = Arc::new(watch::Sender::new(0));
        let mut watch = Watch {
            shared: Arc::clone(&self.shared),
            heard: bell.subscribe(),
            bell,
            accounts: Vec::new(),
            rung: false,
        };
        watch.attend(self.account);
        watch
    }
}
