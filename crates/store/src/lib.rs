//! What is kept: the contract (batches of semantic operations, durable receipts) and the embedded backend.

pub mod contract;
pub mod durable;
pub mod flags;
pub mod uids;
