//! Tests of the embedded backend.

mod contract;
pub(crate) mod support;
