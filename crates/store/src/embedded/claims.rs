//! Claims on waiting recipients: in memory only, one process owns the store.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use mail::ids::QueueId;
use parking_lot::Mutex;

use crate::contract::Claim;
use crate::limits::ABANDONED_KEPT;

/// Who works on which waiting recipient.
#[derive(Default)]
pub(crate) struct Claims {
    taken: Mutex<Taken>,
    last_token: AtomicU64,
}

#[derive(Default)]
struct Taken {
    held: HashMap<(QueueId, u32), u64>,
    /// those that may have their message: not to be delivered again
    abandoned: BTreeSet<(QueueId, u32)>,
}

impl Taken {
    fn is_free(&self, row: (QueueId, u32), purpose: Purpose) -> bool {
        let suspect = purpose == Purpose::Delivery && self.abandoned.contains(&row);
        !suspect && !self.held.contains_key(&row)
    }
}

/// What a row is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// to be delivered
    Delivery,
    /// its deadline has passed
    Deadline,
}

impl Claims {
    /// Claims the row unless somebody has it.
    pub fn take(&self, queue_id: QueueId, recipient: u32, purpose: Purpose) -> Option<Claim> {
        let mut taken = self.taken.lock();
        if !taken.is_free((queue_id, recipient), purpose) {
            return None;
        }
        let token = self.last_token.fetch_add(1, Ordering::Relaxed) + 1;
        taken.held.insert((queue_id, recipient), token);
        Some(Claim {
            queue_id,
            recipient,
            token,
        })
    }

    /// Whether the claim still stands.
    pub fn holds(&self, claim: &Claim) -> bool {
        let taken = self.taken.lock();
        taken.held.get(&(claim.queue_id, claim.recipient)) == Some(&claim.token)
    }

    /// Whether nobody has the row.
    pub fn is_free(&self, queue_id: QueueId, recipient: u32, purpose: Purpose) -> bool {
        self.taken.lock().is_free((queue_id, recipient), purpose)
    }

    /// The claim on a row, whoever has it.
    pub fn on(&self, queue_id: QueueId, recipient: u32) -> Option<Claim> {
        let token = *self.taken.lock().held.get(&(queue_id, recipient))?;
        Some(Claim {
            queue_id,
            recipient,
            token,
        })
    }

    /// Ends the claim, if it still stands.
    pub fn release(&self, claim: &Claim) {
        end(&mut self.taken.lock(), claim);
    }

    /// Ends the claim, if it still stands; the row may be claimed for its deadline only.
    pub fn abandon(&self, claim: &Claim) {
        let mut taken = self.taken.lock();
        if end(&mut taken, claim) {
            taken.abandoned.insert((claim.queue_id, claim.recipient));
            if taken.abandoned.len() > ABANDONED_KEPT {
                taken.abandoned.pop_first();
            }
        }
    }
}

/// Whether it stood.
fn end(taken: &mut Taken, claim: &Claim) -> bool {
    let row = (claim.queue_id, claim.recipient);
    let stands = taken.held.get(&row) == Some(&claim.token);
    if stands {
        taken.held.remove(&row);
    }
    stands
}

#[cfg(test)]
mod tests {
    use mail::ids::Id;

    use super::*;

    #[test]
    fn q_1_who_may_have_the_message_is_free_for_its_deadline_only() {
        let claims = Claims::default();
        let id = QueueId::from_raw(7);
        let claim = claims.take(id, 0, Purpose::Delivery).expect("nobody has it");
        assert!(!claims.is_free(id, 0, Purpose::Deadline));
        claims.abandon(&claim);
        assert!(!claims.holds(&claim));
        assert!(claims.take(id, 0, Purpose::Delivery).is_none());
        let told = claims
            .take(id, 0, Purpose::Deadline)
            .expect("its deadline goes on");
        claims.release(&told);
        assert!(claims.take(id, 0, Purpose::Delivery).is_none(), "still so");
        claims.abandon(&claim);
        assert!(
            claims.is_free(id, 0, Purpose::Deadline),
            "an old claim says nothing"
        );
    }

    #[test]
    fn q_1_only_so_many_are_remembered() {
        let claims = Claims::default();
        for raw in 0..=ABANDONED_KEPT as u64 {
            let claim = claims.take(QueueId::from_raw(raw), 0, Purpose::Delivery);
            claims.abandon(&claim.expect("nobody has it"));
        }
        assert!(claims.is_free(QueueId::from_raw(0), 0, Purpose::Delivery));
        assert!(!claims.is_free(QueueId::from_raw(1), 0, Purpose::Delivery));
    }
}
