//! What can be computed again from messages, kept ready: what FETCH shows without opening a message (digests), and where words
//! are, so that SEARCH need not read everybody's mail. All of it is derived: the file `index.db` may be removed at any time.
//! Decision 0025 has the reasons.
//!
//! # The journey
//!
//! 1. [`Index::open`] opens the file, or makes it anew (`file.rs`).
//! 2. [`Index::run`] (`indexer.rs`) listens to the store; of each account that changed it asks `changes_since`, and reads what it
//!    has not read before, a batch at a time.
//! 3. `segment::Builder` reads each message once: texts by `mail::texts`, descriptions by the door's [`Describe`]; the words go
//!    to two lexicons (`lexicon.rs`: header and body), the texts of five fields side by side (`strings.rs`).
//! 4. So far all is in memory (`fresh.rs`), where it can be asked already. When there are some messages, or after a minute, one commit
//!    writes the segment and the marks (`writing.rs`); small segments become larger ones (`account.rs` chooses, `segment::merge`).
//! 5. [`Index::find`] answers a [`Question`] from the columns, by one scan over each; [`Index::digests`] gives what is
//!    shown. Columns used last stay in memory (`cache.rs`).
//! 6. [`Index::ranks`] and [`Index::links`] say as numbers what SORT and THREAD compare (`order.rs`, `links.rs`), made when they are
//!    wanted first and kept until the account's segments change (`orders.rs`).
//!
//! # Guarantees
//!
//! - **An answer is never incomplete.** [`Found::verdict`] says [`Verdict::Look`] of every message that is not indexed, and of those
//!   that words alone do not decide. Whoever asks reads these; so a missing, damaged or lagging index costs time, not results.
//! - What is found is exactly what reading all messages would find: substrings of the texts of `mail::texts`.
//! - A message's entry is by [`MessageId`](mail::ids::MessageId), and messages never change; so an entry is never stale.
//! - After a crash the file is at an earlier state, or damage is noticed by checksums and it is made anew.
//! - Memory is bounded by [`limits`], whatever a message holds. One thread works, nicer than all others.
//!
//! # Absences
//!
//! No ranking, no stemming, no other languages' word rules: IMAP asks for substrings.

mod account;
mod bits;
mod cache;
pub mod events;
mod file;
mod fresh;
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod indexer;
mod keys;
mod lexicon;
pub mod limits;
mod links;
mod needle;
mod octets;
mod order;
mod orders;
mod question;
mod segment;
mod strings;
mod words;
mod worker;
mod writing;

pub use file::{FILE, remove};
pub use index::{Digest, Doors, Index, Status, Wanted};
pub use order::{SortField, SortValue};
pub use orders::{Linked, LinkedMessage, Ranked};
pub use question::{Found, Place, Question, Verdict};

use mail::mime::Structure;

/// A message's descriptions in the words of the door that shows them: to the index these are octets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// IMAP's ENVELOPE
    pub envelope: Vec<u8>,
    /// IMAP's BODY
    pub body: Vec<u8>,
    /// IMAP's BODYSTRUCTURE
    pub body_structure: Vec<u8>,
}

/// Describes messages. The same message is always described alike, until the version changes.
pub trait Describe: Send + Sync + 'static {
    /// Another version makes the index anew.
    fn version(&self) -> u16;
    /// Describes one message.
    fn describe(&self, message: &[u8], structure: &Structure) -> Described;
}

#[cfg(test)]
mod tests;
