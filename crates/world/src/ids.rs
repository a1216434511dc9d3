//! Makes identifiers: time-ordered, never reused, also across restarts with a clock that went back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mail::ids::Id;

use crate::clock::Clock;

/// Makes identifiers of every kind from one sequence.
pub struct IdSource {
    clock: Arc<dyn Clock>,
    node: u64,
    /// milliseconds << 12 | sequence of the last identifier given out
    last: AtomicU64,
}

impl IdSource {
    /// `node` < 512 tells machines apart. `floor_raw` is the largest identifier the store has seen (0 if none):
    /// new ones are larger, whatever the clock says.
    pub fn new(clock: Arc<dyn Clock>, node: u16, floor_raw: u64) -> Self {
        let floor = ((floor_raw >> 21) + u64::from(floor_raw != 0)) << 12;
        Self {
            clock,
            node: u64::from(node & 511),
            last: AtomicU64::new(floor),
        }
    }

    /// A new identifier, larger than all before it.
    pub fn next<T: Id>(&self) -> T {
        let now = self.clock.now().0 << 12;
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let next = now.max(last + 1);
            match self
                .last
                .compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => {
                    let (ms, sequence) = (next >> 12, next & 0xfff);
                    return T::from_raw((ms & ((1 << 42) - 1)) << 21 | self.node << 12 | sequence);
                }
                Err(seen) => last = seen,
            }
        }
    }
}
