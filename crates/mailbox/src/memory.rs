//! How much of messages all sessions together hold in memory for their clients: read ahead, or on its way to a client that does not
//! take it.
//!
//! 1. Every session may hold its share, whatever the others do ([`SHARE_BYTES`]).
//! 2. What is beyond it is taken from a budget that all share ([`Memory`], [`ANSWERS_BYTES`]), and given back when it is dropped.
//! 3. Taking never waits: it would be for clients that take their time. Where there is nothing left, whoever asks goes on with less at
//!    a time.
//!
//! [`Room`] is both for one answer: what a session may hold of it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{ANSWERS_BYTES, PIECE_BYTES, SHARE_BYTES};

/// What one permit stands for (bytes).
const UNIT_BYTES: u64 = 1024;

/// The budget: one for the process. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Semaphore>);

/// A part of the budget, until it is dropped.
#[derive(Debug)]
pub struct Taken(OwnedSemaphorePermit);

/// What may be held of one answer: what its session has anyway, and what was taken beyond.
#[derive(Debug)]
pub struct Room {
    memory: Memory,
    own_bytes: u64,
    taken: Option<Taken>,
}

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(units(ANSWERS_BYTES) as usize)))
    }
}

impl Memory {
    /// So many bytes (in whole KiB), if there are as many left now.
    pub fn take(&self, bytes: u64) -> Option<Taken> {
        let permits = Arc::clone(&self.0).try_acquire_many_owned(units(bytes));
        permits.ok().map(Taken)
    }

    /// Room for one answer of a session that may hold `own_bytes` anyway.
    pub fn room(&self, own_bytes: u64) -> Room {
        Room {
            memory: self.clone(),
            own_bytes,
            taken: None,
        }
    }

    /// Bytes that are not taken.
    pub fn left_bytes(&self) -> u64 {
        self.0.available_permits() as u64 * UNIT_BYTES
    }
}

impl Room {
    /// Whether the answer may hold so many bytes now: takes what is missing, or nothing.
    pub fn has(&mut self, bytes: u64) -> bool {
        let held = self.taken.as_ref().map_or(0, Taken::bytes);
        let missing = bytes.saturating_sub(self.own_bytes).saturating_sub(held);
        if missing == 0 {
            return true;
        }
        let Some(more) = self.memory.take(missing) else {
            return false;
        };
        match &mut self.taken {
            Some(taken) => taken.0.merge(more.0),
            none => *none = Some(more),
        }
        true
    }

    /// How many of `wanted` bytes may be read at once beside `waiting` that are held already: all of them, or a small piece.
    pub fn piece(&mut self, waiting: u64, wanted: u64) -> u64 {
        match self.has(waiting.saturating_add(wanted)) {
            true => wanted,
            false => wanted.min(PIECE_BYTES),
        }
    }

    /// The octets are on their way: others may have what was taken for them.
    pub fn give_back(&mut self) {
        self.taken = None;
    }
}

impl Taken {
    fn bytes(&self) -> u64 {
        self.0.num_permits() as u64 * UNIT_BYTES
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

/// A share is room for more than the smallest piece.
const _: () = assert!(PIECE_BYTES <= SHARE_BYTES && SHARE_BYTES < ANSWERS_BYTES);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let memory = Memory::default();
        assert_eq!(memory.left_bytes(), ANSWERS_BYTES);
        let one = memory.take(1).unwrap();
        assert_eq!(memory.left_bytes(), ANSWERS_BYTES - UNIT_BYTES, "whole units");
        assert!(memory.take(ANSWERS_BYTES).is_none());
        assert!(memory.take(u64::MAX).is_none());
        drop(one);
        let all = memory.take(ANSWERS_BYTES).unwrap();
        assert_eq!(memory.left_bytes(), 0);
        assert!(memory.take(0).is_some(), "nothing can always be had");
        drop(all);
        assert_eq!(memory.left_bytes(), ANSWERS_BYTES);
    }

    /// (what is wanted, how much of the budget is taken then)
    #[test]
    fn a_room_takes_what_is_missing_and_no_more() {
        let memory = Memory::default();
        let mut room = memory.room(10 * UNIT_BYTES);
        for (wanted, taken) in [(0, 0), (10, 0), (11, 1), (5, 1), (40, 30), (40, 30)] {
            assert!(room.has(wanted * UNIT_BYTES));
            assert_eq!(
                ANSWERS_BYTES - memory.left_bytes(),
                taken * UNIT_BYTES,
                "{wanted}"
            );
        }
        assert!(!room.has(u64::MAX), "and does without where there is not so much");
        assert_eq!(ANSWERS_BYTES - memory.left_bytes(), 30 * UNIT_BYTES);
        room.give_back();
        assert_eq!(memory.left_bytes(), ANSWERS_BYTES);
        assert!(room.has(12 * UNIT_BYTES));
        drop(room);
        assert_eq!(memory.left_bytes(), ANSWERS_BYTES);
    }

    #[test]
    fn pieces_are_small_where_nothing_is_left() {
        let memory = Memory::default();
        let mut room = memory.room(SHARE_BYTES);
        assert_eq!(room.piece(0, 1 << 20), 1 << 20);
        room.give_back();
        let _others = memory.take(ANSWERS_BYTES).unwrap();
        assert_eq!(room.piece(0, 1 << 20), PIECE_BYTES);
        assert_eq!(room.piece(0, SHARE_BYTES), SHARE_BYTES, "what it has anyway");
        assert_eq!(room.piece(SHARE_BYTES, 7), 7);
    }
}
