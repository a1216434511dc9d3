//! What is kept: the contract (batches of semantic operations, durable receipts) and the embedded backend.
