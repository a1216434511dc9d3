//! What the disk and SQLite say, in the words of the contract.

use std::io;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::contract::StoreError;

/// What a failed transaction means for the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// No room.
    Full,
    /// The disk refused to write or sync: nothing of the file's end may be believed.
    Untrusted,
    /// One row or page could not be read or is malformed.
    Damaged,
    /// Somebody else holds a lock for a moment.
    Busy,
    /// A bug or a missing resource.
    Other,
}

/// What an SQLite error means.
pub(crate) fn meaning(error: &rusqlite::Error) -> Meaning {
    let Some(failure) = error.sqlite_error() else {
        return Meaning::Other;
    };
    match failure.code {
        ErrorCode::DiskFull => Meaning::Full,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Meaning::Damaged,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Meaning::Busy,
        ErrorCode::ReadOnly | ErrorCode::CannotOpen => Meaning::Untrusted,
        ErrorCode::SystemIoFailure => match failure.extended_code {
            ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ => Meaning::Damaged,
            ffi::SQLITE_IOERR_SHMSIZE => Meaning::Full,
            _ => Meaning::Untrusted,
        },
        _ => Meaning::Other,
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match meaning(&error) {
            Meaning::Full => Self::Full,
            Meaning::Damaged => Self::Damaged(format!("mail.db ({error})")),
            Meaning::Busy => Self::Busy,
            Meaning::Untrusted | Meaning::Other => Self::Fatal(error.to_string()),
        }
    }
}

/// What a file error means for the caller; `what` names the file.
pub(crate) fn from_io(what: &str, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Fatal(format!("{what}: {error}")),
    }
}

/// For `map_err`: names the file an operation was about.
pub(crate) fn io_at(what: impl Into<String>) -> impl FnOnce(io::Error) -> StoreError {
    let what = what.into();
    move |error| from_io(&what, &error)
}
