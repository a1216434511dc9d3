//! The proof that something is on disk.

/// What was committed and synced. Only a [`crate::contract::Store`] makes one; it is not `Clone`; the builders of
/// `250` and of IMAP's `OK` take it by value, so that an acknowledgement without a commit does not compile.
#[derive(Debug)]
#[must_use = "a durable commit that nobody is told about"]
pub struct Durable<T> {
    committed: T,
}

impl<T> Durable<T> {
    /// Called by a backend after the sync, nowhere else.
    pub(crate) fn synced(committed: T) -> Self {
        Self { committed }
    }

    /// What was committed.
    pub fn committed(&self) -> &T {
        &self.committed
    }

    /// Narrows the proof to a part of what was committed.
    pub fn narrow<U>(self, part: impl FnOnce(T) -> U) -> Durable<U> {
        Durable {
            committed: part(self.committed),
        }
    }
}

impl<T> Durable<Option<T>> {
    /// The proof of the part, if there is one.
    pub fn transpose(self) -> Option<Durable<T>> {
        self.committed.map(|committed| Durable { committed })
    }
}

impl<T> Durable<Vec<T>> {
    /// One proof per part, for answers per recipient (LMTP).
    pub fn each(self) -> impl Iterator<Item = Durable<T>> {
        self.committed.into_iter().map(|committed| Durable { committed })
    }
}
