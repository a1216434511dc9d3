//! What is kept: the contract (batches of semantic operations, durable receipts) and the embedded backend.
//!
//! Open [`contract`] first: a caller builds a [`contract::Batch`] of [`contract::Op`]s and awaits
//! [`contract::Store::commit`]; what comes back is a [`durable::Durable`], the only proof that something is on the disk, and the
//! thing every positive answer to the outside is made from.
//!
//! The embedded backend keeps rows and small bodies in SQLite and everything else in packs. A commit's way:
//! 1. `embedded::Embedded::commit` queues the batch (`embedded/line.rs`),
//! 2. the one writer takes all that queued up while the last sync ran (`embedded/writer.rs`),
//! 3. carries each batch out in a savepoint (`embedded/apply/`),
//! 4. commits: one sync for all of them,
//! 5. answers, ends claims, publishes notices.
//!
//! Guarantees: docs/decisions/0013-crash-table.md, row by row. Limits: [`limits`]. Absent: no mutable state outside the
//! store's directory, no clock but the one given, no read transaction that outlives its question.

pub mod contract;
pub mod durable;
pub mod embedded;
pub mod events;
pub mod flags;
pub mod limits;
pub mod rights;
pub mod uids;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract_tests;

#[cfg(test)]
mod tests;
