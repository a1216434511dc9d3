//! Claims on waiting recipients: in memory only, one process owns the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use mail::ids::QueueId;
use parking_lot::Mutex;

use crate::contract::Claim;

/// Who works on which waiting recipient.
#[derive(Default)]
pub(crate) struct Claims {
    held: Mutex<HashMap<(QueueId, u32), u64>>,
    last_token: AtomicU64,
}

impl Claims {
    /// Claims the row unless somebody has it.
    pub fn take(&self, queue_id: QueueId, recipient: u32) -> Option<Claim> {
        let mut held = self.held.lock();
        if held.contains_key(&(queue_id, recipient)) {
            return None;
        }
        let token = self.last_token.fetch_add(1, Ordering::Relaxed) + 1;
        held.insert((queue_id, recipient), token);
        Some(Claim {
            queue_id,
            recipient,
            token,
        })
    }

    /// Whether the claim still stands.
    pub fn holds(&self, claim: &Claim) -> bool {
        self.held.lock().get(&(claim.queue_id, claim.recipient)) == Some(&claim.token)
    }

    /// Whether anybody has the row.
    pub fn is_taken(&self, queue_id: QueueId, recipient: u32) -> bool {
        self.held.lock().contains_key(&(queue_id, recipient))
    }

    /// The claim on a row, whoever has it.
    pub fn on(&self, queue_id: QueueId, recipient: u32) -> Option<Claim> {
        let token = *self.held.lock().get(&(queue_id, recipient))?;
        Some(Claim {
            queue_id,
            recipient,
            token,
        })
    }

    /// Ends the claim, if it still stands.
    pub fn release(&self, claim: &Claim) {
        let mut held = self.held.lock();
        if held.get(&(claim.queue_id, claim.recipient)) == Some(&claim.token) {
            held.remove(&(claim.queue_id, claim.recipient));
        }
    }
}
