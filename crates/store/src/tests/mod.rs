//! Tests of the embedded backend.

mod contract;
mod counted;
mod crash;
mod disk;
mod flips;
mod migrate;
mod model;
mod queue;
mod rights;
pub(crate) mod support;
mod sync;
mod together;
