//! One command, one file. What needs no more than a line is in `session.rs`.

pub(crate) mod auth;
pub(crate) mod lang;
pub(crate) mod list;
pub(crate) mod pass;
pub(crate) mod quit;
pub(crate) mod retr;
