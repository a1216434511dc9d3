//! A map that forgets what was quiet for longest, and never what is pinned.

use std::collections::{BTreeMap, HashMap};

use crate::source::Source;

#[derive(Debug)]
struct Slot<V> {
    value: V,
    /// its place in the order; `None` while it is pinned
    turn: Option<u64>,
}

/// At most `most` entries that are not pinned.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    most: usize,
    turn: u64,
    slots: HashMap<Source, Slot<V>>,
    quiet: BTreeMap<u64, Source>,
}

impl<V: Default> Recent<V> {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            turn: 0,
            slots: HashMap::new(),
            quiet: BTreeMap::new(),
        }
    }

    pub fn get(&self, source: Source) -> Option<&V> {
        self.slots.get(&source).map(|slot| &slot.value)
    }

    /// Changes an entry, new or old; `change` says whether it is pinned from now on.
    pub fn update<R>(&mut self, source: Source, change: impl FnOnce(&mut V) -> (R, bool)) -> R {
        let slot = self.slots.entry(source).or_insert_with(|| Slot {
            value: V::default(),
            turn: None,
        });
        if let Some(turn) = slot.turn.take() {
            self.quiet.remove(&turn);
        }
        let (result, pinned) = change(&mut slot.value);
        if !pinned {
            self.turn += 1;
            slot.turn = Some(self.turn);
            self.quiet.insert(self.turn, source);
        }
        while self.quiet.len() > self.most {
            if let Some((_, oldest)) = self.quiet.pop_first() {
                self.slots.remove(&oldest);
            }
        }
        result
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.slots.len()
    }
}
