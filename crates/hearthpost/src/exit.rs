//! How the program ends: a sentence for people, a code for scripts.

use std::fmt;
use std::process::ExitCode;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The server understood and refused: exit code 1.
    Refused(String),
    /// Arguments or settings are wrong: exit code 2.
    Usage(String),
    /// Nobody answers: exit code 3.
    Unreachable(String),
    /// The store or the disk failed: exit code 4.
    Disk(String),
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Refused(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Disk(_) => 4,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text) | Self::Usage(text) | Self::Unreachable(text) | Self::Disk(text) => {
                f.write_str(text)
            }
        }
    }
}

/// Results of commands.
pub type Outcome<T> = Result<T, Failure>;
