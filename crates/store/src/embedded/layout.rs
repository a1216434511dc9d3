//! Files and directories of the store: where they are, who may read them, who holds the lock.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::contract::{Result, StoreError};
use crate::embedded::faults::io_at;

/// The paths of one store.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub dir: PathBuf,
    pub db: PathBuf,
    pub wal: PathBuf,
    pub shm: PathBuf,
    pub packs: PathBuf,
    pub staging: PathBuf,
    pub reserve: PathBuf,
}

impl Layout {
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            db: dir.join("mail.db"),
            wal: dir.join("mail.db-wal"),
            shm: dir.join("mail.db-shm"),
            packs: dir.join("packs"),
            staging: dir.join("staging"),
            reserve: dir.join("reserve"),
        }
    }

    /// Makes what is missing and takes the lock. The lock is held until the file is dropped.
    pub fn prepare(&self) -> Result<File> {
        make_dir(&self.dir)?;
        let lock = self.take_lock()?;
        self.refuse_without_database()?;
        // SQLite gives the log and its index the rights of the database, so the database is made here.
        open_private(&self.db).map_err(io_at("mail.db"))?;
        // One sync makes both entries durable, and those of the database and the lock.
        make_unsynced(&self.packs)?;
        make_unsynced(&self.staging)?;
        sync_dir(&self.dir)?;
        Ok(lock)
    }

    fn take_lock(&self) -> Result<File> {
        let path = self.dir.join("LOCK");
        let file = open_private(&path).map_err(io_at("LOCK"))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Fatal(format!(
                "another process owns the store in {}: stop it first, or ask it through its control socket",
                self.dir.display()
            ))),
            Err(error) => Err(StoreError::Fatal(format!("LOCK: {error}"))),
        }
    }

    /// A store without its database is not an empty store (row C20 of the crash table).
    fn refuse_without_database(&self) -> Result<()> {
        let empty = fs::metadata(&self.db).map_or(true, |meta| meta.len() == 0);
        if !empty {
            return Ok(());
        }
        let has_packs = fs::read_dir(&self.packs).is_ok_and(|mut entries| entries.next().is_some());
        let has_log = fs::metadata(&self.wal).is_ok_and(|meta| meta.len() > 0);
        if has_packs || has_log {
            return Err(StoreError::Fatal(format!(
                "{} is missing or empty although packs or a log exist: restore it from a backup; \
                 the store does not start empty beside existing mail",
                self.db.display()
            )));
        }
        Ok(())
    }

    /// The file of a pack.
    pub fn pack(&self, pack: u64) -> PathBuf {
        self.packs.join(format!("{pack:016x}.pack"))
    }

    /// The file a pack is written to before it gets its name.
    pub fn staged(&self, pack: u64) -> PathBuf {
        self.staging.join(format!("{pack:016x}"))
    }

    /// The number of a pack's file name.
    pub fn pack_number(name: &str) -> Option<u64> {
        u64::from_str_radix(name.strip_suffix(".pack")?, 16).ok()
    }

    /// Removes whatever a crash left in `staging/`. Returns how many files.
    pub fn clear_staging(&self) -> Result<u64> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.staging).map_err(io_at("staging"))? {
            let entry = entry.map_err(io_at("staging"))?;
            fs::remove_file(entry.path()).map_err(io_at("staging"))?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Gives a synced staged file its final name; durable when this returns.
    pub fn publish_pack(&self, pack: u64) -> Result<()> {
        fs::rename(self.staged(pack), self.pack(pack)).map_err(io_at("packs"))?;
        sync_dir(&self.packs)
    }
}

/// Makes a directory only the owner may enter, and syncs its entry.
///
/// A directory that is there already may lie in one we may not read: a server gives up its rights there before it opens the
/// store, after it has made and synced its own directory.
fn make_dir(path: &Path) -> Result<()> {
    let was_there = path.is_dir();
    make_unsynced(path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => match File::open(parent) {
            Err(error) if was_there && error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            opened => opened
                .and_then(|dir| dir.sync_all())
                .map_err(io_at(parent.display().to_string())),
        },
        _ => Ok(()),
    }
}

fn make_unsynced(path: &Path) -> Result<()> {
    let made = DirBuilder::new().mode(0o700).recursive(true).create(path);
    made.map_err(|error| StoreError::Fatal(format!("{}: {error}", path.display())))
}

/// Makes directory entries durable.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    let what = path.display().to_string();
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(io_at(what))
}

/// Opens (and makes) a file only the owner may read.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    private().create(true).truncate(false).open(path)
}

/// Makes a file only the owner may read; an error if there is one of that name.
pub(crate) fn make_private(path: &Path) -> io::Result<File> {
    private().create_new(true).open(path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}
