//! How `sendmail` ends: the codes of sysexits.h, which its callers know.

use std::process::ExitCode;

/// Why nothing, or not everything, was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// for the caller
    pub code: Code,
    /// for people
    pub text: String,
}

/// Of sysexits.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// EX_USAGE: wrong arguments
    Usage = 64,
    /// EX_DATAERR: the message is wrong
    DataError = 65,
    /// EX_NOUSER: a recipient does not exist
    NoUser = 67,
    /// EX_UNAVAILABLE: refused for good
    Unavailable = 69,
    /// EX_OSERR: the machine failed
    OsError = 71,
    /// EX_TEMPFAIL: try again later
    TryAgain = 75,
    /// EX_NOPERM: this user may not
    NoPermission = 77,
    /// EX_CONFIG: the settings are wrong or cannot be read
    Config = 78,
}

impl Code {
    /// For the process.
    pub fn exit(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

impl Ended {
    /// With a text for people.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}
