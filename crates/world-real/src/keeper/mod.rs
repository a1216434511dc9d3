//! The keeper: a second process that holds the private key and reads settings, so that the process which reads strangers' bytes
//! can open neither (OPS-2).
//!
//! 1. [`Keeper::spawn`] starts this program once more, before anything is given up, with two sockets as its standard input and output.
//! 2. There [`serve`] answers until they close, each in its own thread, so that no handshake waits for a slow disk: `read` reads the settings, the files they name and the key anew; `sign`
//!    signs with a key that it keeps ([`KEYS_KEPT`] of them: a handshake may still be under way with an older one).
//! 3. [`Keeper::read`] brings the files here, never the key: a [`KeptKey`] is a number, its public half and what it signs with.
//!    rustls signs through it, in the middle of a handshake: one message each way on the socket.
//! 4. [`Pulse::lost`] ends when the keeper does. Without it no handshake succeeds, so the server should stop.
//!
//! The keeper reads nothing but what the server asks it (frames of at most [`ASKED_BYTES`]), and cannot be told which files to
//! read. Absent: keys for anything but TLS; a way to get a key out.

mod ours;
mod theirs;
mod wire;

use std::path::PathBuf;

pub use ours::{Keeper, Pulse};
pub use theirs::serve;

pub(crate) use ours::KeptKey;

/// Longest question to the keeper, in bytes. What TLS signs is a few hundred bytes long.
pub const ASKED_BYTES: usize = 64 * 1024;
/// Longest answer of the keeper, in bytes: settings and every file they name.
pub const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Keys that the keeper signs with at a time: the newest, and those before it.
pub const KEYS_KEPT: usize = 4;

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// its bytes
    pub bytes: Vec<u8>,
    /// its permissions, as of `stat`
    pub mode: u32,
}

/// A file and what came of reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// which
    pub path: PathBuf,
    /// what is in it, or the system's error number
    pub read: Result<Contents, i32>,
}

/// What the keeper has read.
pub struct Reading {
    /// every file that may leave it
    pub files: Vec<FileRead>,
    /// the key in PEM, which stays; or why there is none, in words
    pub key: Option<Result<Vec<u8>, String>>,
}

/// What the server gets of it.
#[derive(Debug)]
pub struct Bundle {
    /// the files
    pub files: Vec<FileRead>,
    /// a key to sign with; or why there is none, in words
    pub(crate) key: Option<Result<KeptKey, String>>,
}

impl Bundle {
    /// What is in a file; a file that the settings do not name is not there.
    pub fn contents(&self, path: &std::path::Path) -> std::io::Result<Contents> {
        let found = self.files.iter().find(|file| file.path == path);
        let file = found.ok_or(std::io::ErrorKind::NotFound)?;
        file.read.clone().map_err(std::io::Error::from_raw_os_error)
    }
}

#[cfg(test)]
mod tests;
