//! Why something a person asked for was not done.

use std::fmt;

use store::contract::{Conflict, StoreError};
use store::rights::Rights;

use crate::name::BadName;

/// Why something was not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The name cannot be a mailbox's name.
    BadName(BadName),
    /// There is no such mailbox (of this person).
    NoSuchMailbox,
    /// The mailbox was opened read-only.
    ReadOnly,
    /// There is no such message.
    NoSuchMessage,
    /// The mailbox is another's, and these rights are missing in it.
    NoPermission(Rights),
    /// A mailbox cannot become another account's.
    OtherOwner,
    /// Everything else the store says.
    Store(StoreError),
}

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(Conflict::NoSuchMailbox) => Self::NoSuchMailbox,
            other => Self::Store(other),
        }
    }
}

impl From<BadName> for Error {
    fn from(bad: BadName) -> Self {
        Self::BadName(bad)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName(bad) => write!(f, "{bad}"),
            Self::NoSuchMailbox => f.write_str("there is no such mailbox"),
            Self::ReadOnly => f.write_str("the mailbox was opened read-only"),
            Self::NoSuchMessage => f.write_str("there is no such message"),
            Self::NoPermission(missing) => write!(f, "this needs the right {missing} in the mailbox"),
            Self::OtherOwner => {
                f.write_str("a mailbox cannot move to another account; copy its messages instead")
            }
            Self::Store(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {}
