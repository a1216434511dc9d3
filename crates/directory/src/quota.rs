//! Room in a mailbox, held from RCPT until the message is committed or given up.
//!
//! The store counts what an account uses inside its commits. Here is a copy of that count, refreshed when the account
//! changes, plus what messages under way have reserved. A message that was accepted is never refused for quota later,
//! so being a message late does no harm; being too strict would.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of one account.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// 0: no limit
    quota_bytes: AtomicU64,
    used_bytes: AtomicU64,
    reserved_bytes: AtomicU64,
}

impl Usage {
    pub fn set(&self, used_bytes: u64, quota_bytes: u64) {
        self.used_bytes.store(used_bytes, Ordering::Relaxed);
        self.quota_bytes.store(quota_bytes, Ordering::Relaxed);
    }

    pub fn quota_bytes(&self) -> u64 {
        self.quota_bytes.load(Ordering::Relaxed)
    }

    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// `None` when `bytes` more do not fit.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        let quota = self.quota_bytes();
        if quota == 0 {
            return Some(Reservation { usage: None, bytes });
        }
        let used = self.used_bytes();
        let fits = |reserved: u64| {
            let total = reserved.checked_add(bytes)?;
            (used.checked_add(total)? <= quota).then_some(total)
        };
        self.reserved_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .ok()?;
        Some(Reservation {
            usage: Some(self.clone()),
            bytes,
        })
    }
}

/// Room held for one message. Dropping it gives the room back.
#[derive(Debug)]
#[must_use = "dropping the reservation gives the room back"]
pub struct Reservation {
    usage: Option<Arc<Usage>>,
    bytes: u64,
}

impl Reservation {
    /// The message is committed: the room counts as used until the store's own count arrives.
    pub fn keep(self) {
        if let Some(usage) = &self.usage {
            usage.used_bytes.fetch_add(self.bytes, Ordering::Relaxed);
        }
    }

    /// How much is held, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(usage) = &self.usage {
            usage.reserved_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_add_up_and_come_back() {
        let usage = Arc::new(Usage::default());
        usage.set(40, 100);
        let first = usage.reserve(40).expect("80 of 100");
        assert!(usage.reserve(21).is_none(), "101 of 100");
        let second = usage.reserve(20).expect("exactly 100");
        drop(first);
        let third = usage.reserve(40).expect("room came back");
        third.keep();
        assert!(usage.reserve(1).is_none(), "kept room stays used");
        drop(second);
        assert!(usage.reserve(u64::MAX).is_none());
    }

    #[test]
    fn no_quota_is_no_limit() {
        let usage = Arc::new(Usage::default());
        let most = usage.reserve(u64::MAX).expect("no limit");
        assert_eq!(most.bytes(), u64::MAX);
        assert!(usage.reserve(u64::MAX).is_some());
    }
}
