//! Our parsers beside mail-parser: its own tables and messages (`../shared/suites/mime-mailparser`) and, over real mail
//! (`../shared/corpora`), the crate itself. Where we differ on purpose, the case is named with its reason; everything
//! else must agree, and a named case that agrees after all fails too.

// A test may stop at what it did not expect.
#![allow(clippy::unwrap_used)]

mod corpora;
mod messages;
mod shared;
mod tables;
