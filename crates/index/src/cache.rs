//! Unpacked columns that were used last, within one budget for the whole process.

use std::collections::HashMap;

use bytes::Bytes;

use crate::limits::CACHE_BYTES;
use crate::segment::Column;

type Key = (u64, Column);

/// The columns used last.
#[derive(Default)]
pub(crate) struct Cache {
    columns: HashMap<Key, (Bytes, u64)>,
    bytes: usize,
    uses: u64,
}

impl Cache {
    pub(crate) fn get(&mut self, key: Key) -> Option<Bytes> {
        self.uses += 1;
        let (column, used) = self.columns.get_mut(&key)?;
        *used = self.uses;
        Some(column.clone())
    }

    /// Keeps a column; those not used for longest make room.
    pub(crate) fn put(&mut self, key: Key, column: Bytes) {
        self.uses += 1;
        self.bytes += column.len();
        if let Some((old, _)) = self.columns.insert(key, (column, self.uses)) {
            self.bytes -= old.len();
        }
        while self.bytes > CACHE_BYTES {
            let oldest = self.columns.iter().min_by_key(|(_, (_, used))| *used);
            let Some(key) = oldest.map(|(key, _)| *key) else {
                return;
            };
            self.drop_one(key);
        }
    }

    pub(crate) fn forget_segment(&mut self, segment: u64) {
        for column in Column::OTHERS {
            self.drop_one((segment, column));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn drop_one(&mut self, key: Key) {
        if let Some((column, _)) = self.columns.remove(&key) {
            self.bytes -= column.len();
        }
    }
}
