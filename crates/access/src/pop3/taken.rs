//! One session for each account (RFC 1939 §4: exclusive access to the maildrop).

use std::collections::HashSet;
use std::sync::Arc;

use mail::ids::AccountId;
use parking_lot::Mutex;

/// Which accounts have a POP3 session now.
#[derive(Debug, Default)]
pub struct Taken(Mutex<HashSet<AccountId>>);

impl Taken {
    /// The account's place, unless another session has it. It is given back when it is dropped.
    pub(crate) fn take(self: &Arc<Self>, account: AccountId) -> Option<Seat> {
        self.0.lock().insert(account).then(|| Seat {
            taken: Arc::clone(self),
            account,
        })
    }
}

/// An account's place.
#[derive(Debug)]
pub(crate) struct Seat {
    taken: Arc<Taken>,
    account: AccountId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.taken.0.lock().remove(&self.account);
    }
}
