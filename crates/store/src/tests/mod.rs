//! Tests of the embedded backend.

mod contract;
mod crash;
mod model;
pub(crate) mod support;
