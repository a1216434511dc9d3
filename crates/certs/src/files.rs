//! Reading and writing PEM files.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Largest certificate or key file, in bytes.
pub const PEM_FILE_BYTES: u64 = 1024 * 1024;

/// Why a certificate or key file cannot be used.
#[derive(Debug)]
pub enum FileError {
    /// It cannot be read.
    Unreadable {
        /// which
        path: PathBuf,
        /// why
        error: io::Error,
    },
    /// It cannot be written.
    Unwritable {
        /// which
        path: PathBuf,
        /// why
        error: io::Error,
    },
    /// It is larger than [`PEM_FILE_BYTES`].
    TooLarge(PathBuf),
    /// It has no certificate in it.
    NoCertificate(PathBuf),
    /// It has no private key in it.
    NoKey(PathBuf),
    /// Its key is locked with a pass phrase.
    LockedKey(PathBuf),
    /// A certificate could not be made.
    Generation(rcgen::Error),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => {
                write!(
                    f,
                    "{} cannot be read: {error}. Check the path and that the server's user may read it.",
                    path.display()
                )
            }
            Self::Unwritable { path, error } => {
                write!(
                    f,
                    "{} cannot be written: {error}. Check the directory's owner and its free space.",
                    path.display()
                )
            }
            Self::TooLarge(path) => {
                write!(
                    f,
                    "{} is larger than 1 MiB, so it is no certificate file. Check the path.",
                    path.display()
                )
            }
            Self::NoCertificate(path) => write!(
                f,
                "{} has no certificate in it. It should be PEM with the server's own certificate first (often called fullchain.pem).",
                path.display()
            ),
            Self::NoKey(path) => write!(
                f,
                "{} has no private key in it. It should be PEM with BEGIN PRIVATE KEY (often called privkey.pem).",
                path.display()
            ),
            Self::LockedKey(path) => write!(
                f,
                "the key in {} is locked with a pass phrase, and the server has nobody to ask. Store it without one.",
                path.display()
            ),
            Self::Generation(error) => write!(f, "a certificate could not be made: {error}. Try again."),
        }
    }
}

impl std::error::Error for FileError {}

impl FileError {
    /// The file it is about.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unreadable { path, .. }
            | Self::Unwritable { path, .. }
            | Self::TooLarge(path)
            | Self::NoCertificate(path)
            | Self::NoKey(path)
            | Self::LockedKey(path) => Some(path),
            Self::Generation(_) => None,
        }
    }
}

/// What was read of a certificate chain, if it is one.
pub fn certificate(path: &Path, read: io::Result<Vec<u8>>) -> Result<Vec<u8>, FileError> {
    let chain = whole(path, read)?;
    if !contains(&chain, b"-----BEGIN CERTIFICATE-----") {
        return Err(FileError::NoCertificate(path.to_owned()));
    }
    Ok(chain)
}

/// What was read of a private key, if it is one that can be used without asking anybody.
pub fn key(key: &Path, read: io::Result<Vec<u8>>) -> Result<Vec<u8>, FileError> {
    let text = whole(key, read)?;
    if contains(&text, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || contains(&text, b"Proc-Type: 4,ENCRYPTED")
    {
        return Err(FileError::LockedKey(key.to_owned()));
    }
    if !contains(&text, b"PRIVATE KEY-----") {
        return Err(FileError::NoKey(key.to_owned()));
    }
    Ok(text)
}

/// Up to one octet more than a PEM file may have.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(PEM_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn whole(path: &Path, read: io::Result<Vec<u8>>) -> Result<Vec<u8>, FileError> {
    let bytes = read.map_err(|error| FileError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    if bytes.len() as u64 > PEM_FILE_BYTES {
        Err(FileError::TooLarge(path.to_owned()))
    } else {
        Ok(bytes)
    }
}

/// Writes a file that is either whole or not there. `mode` as for chmod.
pub(crate) fn write_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let write = || {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    write().map_err(|error| FileError::Unwritable {
        path: path.to_owned(),
        error,
    })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_files_are_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let both = |chain: &Path, pem: &Path| {
            certificate(chain, std::fs::read(chain)).and_then(|_| key(pem, std::fs::read(pem)))
        };
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let chain = file("chain", "-----BEGIN CERTIFICATE-----\n");
        let key = file("key", "-----BEGIN EC PRIVATE KEY-----\n");
        let locked = file("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
        let large = file("large", &"x".repeat(1024 * 1024 + 1));
        let gallery = [
            (dir.path().join("none"), key.clone(), "cannot be read"),
            (key.clone(), key.clone(), "has no certificate in it"),
            (chain.clone(), chain.clone(), "has no private key in it"),
            (chain.clone(), locked, "is locked with a pass phrase"),
            (large, key.clone(), "is larger than 1 MiB"),
        ];
        for (certificate, key, sentence) in gallery {
            let said = both(&certificate, &key).unwrap_err().to_string();
            assert!(said.contains(sentence) && said.ends_with('.'), "{said}");
        }
        assert!(both(&chain, &key).is_ok());
    }
}
