//! Answers that are kept for as long as they say.
//!
//! Two generations: what is used moves into the young one; when that is full, the old one is thrown away. So memory is bounded
//! by entries and by octets, and nothing is ever sorted.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use world::dns::{Lookup, Record, RecordType};

use crate::limits::{DNS_CACHE_ENTRIES_MAX, DNS_CACHE_MAX_BYTES, DNS_FAILURE_TTL};

pub(super) type Key = (String, RecordType);

#[derive(Default)]
pub(super) struct Cache {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Key, Entry>,
    young_bytes: usize,
    old: HashMap<Key, Entry>,
}

struct Entry {
    lookup: Lookup,
    until: Instant,
}

impl Cache {
    /// What is known, with what is left of its time.
    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<Lookup> {
        let mut generations = self.generations.lock();
        let aged = generations.old.remove(key);
        if let Some(entry) = aged {
            generations.put(key.clone(), entry);
        }
        let entry = generations.young.get(key)?;
        let left = entry
            .until
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())?;
        Some(with_ttl(&entry.lookup, left))
    }

    pub(super) fn put(&self, key: Key, lookup: &Lookup, now: Instant) {
        let ttl = match lookup {
            Lookup::Answer { ttl, .. } | Lookup::Negative { ttl, .. } => *ttl,
            Lookup::Failed(_) => DNS_FAILURE_TTL,
        };
        if ttl.is_zero() {
            return;
        }
        let entry = Entry {
            lookup: lookup.clone(),
            until: now + ttl,
        };
        self.generations.lock().put(key, entry);
    }
}

impl Generations {
    fn put(&mut self, key: Key, entry: Entry) {
        let bytes = key.0.len() + bytes_of(&entry.lookup);
        let full = self.young.len() >= DNS_CACHE_ENTRIES_MAX / 2
            || self.young_bytes + bytes > DNS_CACHE_MAX_BYTES / 2;
        if full {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.old.remove(&key);
        // Replacing an entry counts it twice, which turns the generation a little early.
        self.young_bytes += bytes;
        self.young.insert(key, entry);
    }
}

fn with_ttl(lookup: &Lookup, left: Duration) -> Lookup {
    let mut lookup = lookup.clone();
    if let Lookup::Answer { ttl, .. } | Lookup::Negative { ttl, .. } = &mut lookup {
        *ttl = left;
    }
    lookup
}

/// Roughly what an entry takes.
fn bytes_of(lookup: &Lookup) -> usize {
    const EACH: usize = 64;
    let Lookup::Answer { records, chain, .. } = lookup else {
        return EACH;
    };
    let record = |record: &Record| match record {
        Record::A(_) | Record::Aaaa(_) => 0,
        Record::Mx(_, text) | Record::Ptr(text) | Record::Cname(text) | Record::Srv(_, _, _, text) => {
            text.len()
        }
        Record::Txt(bytes) | Record::Tlsa(_, _, _, bytes) => bytes.len(),
    };
    let records: usize = records.iter().map(|value| EACH + record(value)).sum();
    let chain: usize = chain.iter().map(|name| EACH + name.len()).sum();
    2 * EACH + records + chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::dns::{Failure, Security};

    fn answer(text: &[u8], seconds: u64) -> Lookup {
        Lookup::Answer {
            records: vec![Record::Txt(text.to_vec())],
            ttl: Duration::from_secs(seconds),
            chain: vec![],
            security: Security::Insecure,
        }
    }

    fn key(number: usize) -> Key {
        (format!("{number}.example"), RecordType::Txt)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_ages_and_ends() {
        let cache = Cache::default();
        let start = Instant::now();
        cache.put(key(1), &answer(b"x", 60), start);
        cache.put(key(2), &answer(b"x", 0), start);
        cache.put(key(3), &Lookup::Failed(Failure::Timeout), start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(cache.get(&key(1), after(59)), Some(answer(b"x", 1)));
        assert_eq!(cache.get(&key(1), after(60)), None);
        assert_eq!(cache.get(&key(2), start), None);
        assert_eq!(cache.get(&key(3), start), Some(Lookup::Failed(Failure::Timeout)));
        assert_eq!(cache.get(&key(3), after(1)), None);
        assert_eq!(
            cache.get(&(key(1).0, RecordType::A), start),
            None,
            "of another type"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_bounded_and_keeps_what_is_used() {
        let cache = Cache::default();
        let now = Instant::now();
        for number in 0..3 * DNS_CACHE_ENTRIES_MAX {
            cache.put(key(number), &answer(b"x", 60), now);
            assert!(cache.get(&key(0), now).is_some(), "used all the time: {number}");
        }
        let generations = cache.generations.lock();
        assert!(generations.young.len() + generations.old.len() <= DNS_CACHE_ENTRIES_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn net_1_large_answers_do_not_fill_memory() {
        let cache = Cache::default();
        let large = answer(&vec![b'x'; 65_000], 60);
        for number in 0..1000 {
            cache.put(key(number), &large, Instant::now());
        }
        let generations = cache.generations.lock();
        let kept = generations.young.len() + generations.old.len();
        assert!(kept * 65_000 <= DNS_CACHE_MAX_BYTES, "{kept} are kept");
    }
}
