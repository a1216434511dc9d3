//! Tests of the embedded backend.

mod contract;
mod crash;
mod disk;
mod flips;
mod model;
pub(crate) mod support;
mod sync;
