//! Authentication-Results (RFC 8601): [`write`] makes our field from evidence, [`forged`] finds fields of others that claim to be ours.
//!
//! Nothing of a stranger stands in our field but domains of plain letters and our own words (threat case AUT-5).

mod forged;
mod write;

pub use forged::forged;
pub use write::{Results, write};
