//! The log's files: appending and rotation by size.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The current file's name.
pub const FILE_NAME: &str = "hearthpost.jsonl";

/// The current file and how large it may become.
pub(super) struct LogFile {
    dir: PathBuf,
    file: File,
    size_bytes: u64,
    max_bytes: u64,
    kept: u32,
}

impl LogFile {
    /// Opens or makes the file, mode 0600 in a directory of mode 0700: who wrote to whom is nobody else's business. A line that a crash cut off is ended, so that it cannot join the next one.
    pub(super) fn open(dir: &Path, max_bytes: u64, kept: u32) -> io::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
        let mut file = open_file(dir)?;
        let mut size_bytes = file.metadata()?.len();
        if size_bytes > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(size_bytes - 1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                size_bytes += 1;
            }
        }
        Ok(Self {
            dir: dir.to_owned(),
            file,
            size_bytes,
            max_bytes,
            kept,
        })
    }

    /// Appends whole lines, then rotates when the file has become too large.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines)?;
        self.size_bytes += lines.len() as u64;
        if self.size_bytes > self.max_bytes {
            self.rotate()
        } else {
            Ok(())
        }
    }

    /// `.7` becomes `.8`, … the current one `.1`. Renames replace the oldest.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (0..self.kept).rev() {
            let (from, to) = (path_of(&self.dir, number), path_of(&self.dir, number + 1));
            match std::fs::rename(from, to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = open_file(&self.dir)?;
        self.size_bytes = self.file.metadata()?.len();
        Ok(())
    }
}

/// Number 0 is the current file; larger is older.
fn path_of(dir: &Path, number: u32) -> PathBuf {
    if number == 0 {
        dir.join(FILE_NAME)
    } else {
        dir.join(format!("{FILE_NAME}.{number}"))
    }
}

/// The log's files that exist, oldest first.
pub(super) fn existing(dir: &Path) -> Vec<PathBuf> {
    let newest_first = (0..).map(|number| path_of(dir, number)).enumerate();
    // The current file may be missing for a moment during a rotation.
    let mut found: Vec<_> = newest_first
        .take_while(|(number, path)| *number == 0 || path.exists())
        .map(|(_, path)| path)
        .collect();
    found.retain(|path| path.exists());
    found.reverse();
    found
}

fn open_file(dir: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .read(true)
        .create(true)
        .mode(0o600)
        .open(path_of(dir, 0))
}
