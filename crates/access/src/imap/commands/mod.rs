//! One verb, one file. CAPABILITY, ID, LOGOUT, NAMESPACE, STARTTLS and UNSELECT are a line each in `session.rs`.

pub(super) mod append;
pub(super) mod authenticate;
pub(super) mod close;
pub(super) mod copy;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod enable;
pub(super) mod expunge;
pub(super) mod fetch;
pub(super) mod idle;
pub(super) mod list;
pub(super) mod login;
pub(super) mod lsub;
pub(super) mod move_to;
pub(super) mod noop;
pub(super) mod numbers;
pub(super) mod rename;
pub(super) mod resync;
pub(super) mod search;
pub(super) mod select;
pub(super) mod sort;
pub(super) mod status;
pub(super) mod store;
pub(super) mod subscribe;
pub(super) mod thread;
