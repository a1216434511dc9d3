//! Small files that nobody else may read, written so that a crash leaves the old one or the new one, whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes beside the place, syncs, renames, and makes the entry durable. Mode 0600.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    write_by(&path.with_extension("new"), path, contents)
}

/// The same, with the name that the file has until it is whole.
pub fn write_by(beside: &Path, path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(beside)?;
    file.write_all(contents)?;
    file.sync_all()?;
    std::fs::rename(beside, path)?;
    sync_dir_of(path)
}

/// Makes what happened to a file's entry durable.
pub fn sync_dir_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}
