//! Which commands speak of sequence numbers, and so are refused once UIDONLY is enabled (RFC 9586 §3.1).

use crate::command::{Command, Numbers, Search, SearchKey};

impl Command {
    /// Whether it names messages by sequence number, or asks for them so.
    pub fn uses_sequence_numbers(&self) -> bool {
        let numbered = |numbers: Numbers| numbers == Numbers::Sequence;
        match self {
            Self::Fetch(fetch) => numbered(fetch.numbers),
            Self::Store(store) => numbered(store.numbers),
            Self::Copy(transfer) | Self::Move(transfer) => numbered(transfer.numbers),
            Self::Replace(replace) => numbered(replace.numbers),
            Self::Search(search) => in_search(search),
            Self::Sort(sort) => in_search(&sort.search),
            Self::Thread(thread) => in_search(&thread.search),
            _ => false,
        }
    }
}

fn in_search(search: &Search) -> bool {
    search.numbers == Numbers::Sequence || search.keys.iter().any(in_key)
}

/// `$` names messages without their numbers.
fn in_key(key: &SearchKey) -> bool {
    match key {
        SearchKey::Sequence(set) => !set.is_saved(),
        SearchKey::Not(key) => in_key(key),
        SearchKey::Or(one, other) => in_key(one) || in_key(other),
        SearchKey::And(keys) => keys.iter().any(in_key),
        _ => false,
    }
}
