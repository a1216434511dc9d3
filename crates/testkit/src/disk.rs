//! A model of a disk: what was written, what was synced, and what may be found after a power cut.
//!
//! | operation | until synced, a cut may show | synced by |
//! |---|---|---|
//! | write | nothing of it, all of it, or any of its 512-byte sectors, independent of other writes | fsync of the file |
//! | truncate | old or new length | fsync of the file |
//! | create, rename, unlink | the old or the new names, each operation whole, in any subset | fsync of the directory |
//!
//! A sync covers what was complete when it *started*. Directories themselves are there at once: programs make them once, at
//! their first start. [`NameRule::WithFile`] also takes a new file's name as synced with the file, as ext4 and XFS do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::chance::Rng;

/// The unit that a disk writes whole.
pub const SECTOR_BYTES: u64 = 512;

/// The content of a directory tree by relative path. Directories are not listed.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What a program did. Paths are relative to the directory that is modelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A new empty file.
    Create {
        /// its name
        path: PathBuf,
    },
    /// Bytes at a place.
    Write {
        /// the file
        path: PathBuf,
        /// where
        offset: u64,
        /// what
        bytes: Vec<u8>,
    },
    /// A new length.
    Truncate {
        /// the file
        path: PathBuf,
        /// bytes from now on
        size_bytes: u64,
    },
    /// A sync of a file or directory begins. It promises nothing yet.
    SyncStart {
        /// tells syncs apart that run at the same time
        token: u64,
        /// file or directory; empty for the root
        path: PathBuf,
    },
    /// That sync has returned without an error.
    SyncDone {
        /// the one that began
        token: u64,
    },
    /// A name changes, replacing what had the new name.
    Rename {
        /// old name
        from: PathBuf,
        /// new name
        to: PathBuf,
    },
    /// A name goes away.
    Unlink {
        /// the name
        path: PathBuf,
    },
    /// Bytes were handed to a socket: from here on the world knows.
    Sent {
        /// what
        bytes: Vec<u8>,
    },
}

/// When a new file's name is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// After a sync of its directory, as POSIX promises.
    WithDirectory,
    /// Also after a sync of the file itself, as ext4, XFS and btrfs do.
    WithFile,
}

/// The disk.
#[derive(Debug, Clone)]
pub struct SimDisk {
    rule: NameRule,
    inodes: Vec<Inode>,
    /// names as programs see them
    names: BTreeMap<PathBuf, usize>,
    /// names as they are on the disk
    durable_names: BTreeMap<PathBuf, usize>,
    pending_names: Vec<NameChange>,
    syncs: BTreeMap<u64, RunningSync>,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// how many changes were ever synced; tells which of the pending ones a running sync covers
    synced: usize,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

#[derive(Debug, Clone)]
enum NameChange {
    Link(PathBuf, usize),
    Rename(PathBuf, PathBuf, usize),
    Unlink(PathBuf),
}

#[derive(Debug, Clone)]
enum RunningSync {
    /// inode, and how many changes ever are covered
    File(usize, usize),
    /// directory, and the changes that are covered, by position
    Directory(PathBuf, usize),
}

impl SimDisk {
    /// A disk that holds `files`, all synced.
    pub fn new(files: &Files, rule: NameRule) -> Self {
        let inodes = files
            .values()
            .map(|bytes| Inode {
                durable: bytes.clone(),
                ..Inode::default()
            })
            .collect();
        let names: BTreeMap<_, _> = files.keys().cloned().zip(0..).collect();
        Self {
            rule,
            inodes,
            durable_names: names.clone(),
            names,
            pending_names: Vec::new(),
            syncs: BTreeMap::new(),
        }
    }

    /// Performs `op`. Operations on names that do not exist (any more) change nothing.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { path } => self.create(path),
            Op::Write { path, offset, bytes } => self.change(path, Change::Write(*offset, bytes.clone())),
            Op::Truncate { path, size_bytes } => self.change(path, Change::Truncate(*size_bytes)),
            Op::SyncStart { token, path } => self.start_sync(*token, path),
            Op::SyncDone { token } => self.end_sync(*token),
            Op::Rename { from, to } => {
                if let Some(inode) = self.names.remove(from) {
                    self.names.insert(to.clone(), inode);
                    self.pending_names
                        .push(NameChange::Rename(from.clone(), to.clone(), inode));
                }
            }
            Op::Unlink { path } => {
                if self.names.remove(path).is_some() {
                    self.pending_names.push(NameChange::Unlink(path.clone()));
                }
            }
            Op::Sent { .. } => {}
        }
    }

    /// What programs see now.
    pub fn now(&self) -> Files {
        self.names
            .iter()
            .map(|(path, &inode)| (path.clone(), self.inodes[inode].with_all()))
            .collect()
    }

    /// One of the states that may be found when the power goes now. The seed chooses.
    pub fn after_cut(&self, seed: u64) -> Files {
        let mut rng = Rng::new(seed);
        let mut names = self.durable_names.clone();
        let keep = Keep::choose(&mut rng, self.pending_names.len());
        for (number, change) in self.pending_names.iter().enumerate() {
            if keep.keeps(number, &mut rng) {
                change.apply(&mut names);
            }
        }
        names
            .into_iter()
            .map(|(path, inode)| (path, self.inodes[inode].after_cut(&mut rng)))
            .collect()
    }

    fn create(&mut self, path: &Path) {
        if self.names.contains_key(path) {
            return;
        }
        self.inodes.push(Inode::default());
        let inode = self.inodes.len() - 1;
        self.names.insert(path.to_owned(), inode);
        self.pending_names.push(NameChange::Link(path.to_owned(), inode));
    }

    fn change(&mut self, path: &Path, change: Change) {
        if let Some(&inode) = self.names.get(path) {
            self.inodes[inode].pending.push(change);
        }
    }

    fn start_sync(&mut self, token: u64, path: &Path) {
        let sync = match self.names.get(path) {
            Some(&number) => {
                let inode = &self.inodes[number];
                RunningSync::File(number, inode.synced + inode.pending.len())
            }
            None => RunningSync::Directory(path.to_owned(), self.pending_names.len()),
        };
        self.syncs.insert(token, sync);
    }

    fn end_sync(&mut self, token: u64) {
        match self.syncs.remove(&token) {
            Some(RunningSync::File(inode, covered)) => {
                self.inodes[inode].sync_up_to(covered);
                if self.rule == NameRule::WithFile {
                    self.sync_names(
                        usize::MAX,
                        |change| matches!(change, NameChange::Link(_, of) if *of == inode),
                    );
                }
            }
            Some(RunningSync::Directory(path, covered)) => {
                self.sync_names(covered, |change| change.parents().any(|parent| parent == path));
            }
            None => {}
        }
    }

    /// Makes those of the first `covered` changes durable that `fits`.
    fn sync_names(&mut self, covered: usize, fits: impl Fn(&NameChange) -> bool) {
        let mut before = 0;
        let mut number = 0;
        let names = &mut self.durable_names;
        self.pending_names.retain(|change| {
            let synced = number < covered && fits(change);
            number += 1;
            if synced {
                change.apply(names);
                before += 1;
            }
            !synced
        });
        // Directory syncs that run meanwhile counted the changes that are gone now.
        for sync in self.syncs.values_mut() {
            if let RunningSync::Directory(_, covered) = sync {
                *covered = covered.saturating_sub(before);
            }
        }
    }
}

impl Inode {
    fn with_all(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        self.pending.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    }

    fn sync_up_to(&mut self, covered: usize) {
        let count = covered.saturating_sub(self.synced).min(self.pending.len());
        for change in self.pending.drain(..count) {
            change.apply(&mut self.durable);
        }
        self.synced += count;
    }

    fn after_cut(&self, rng: &mut Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let keep = Keep::choose(rng, self.pending.len());
        for (number, change) in self.pending.iter().enumerate() {
            if !keep.keeps(number, rng) {
                continue;
            }
            match change {
                Change::Write(offset, content) if rng.percent(30) => tear(&mut bytes, *offset, content, rng),
                whole => whole.apply(&mut bytes),
            }
        }
        bytes
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => put(to, *offset, bytes),
            Self::Truncate(size) => {
                to.resize(usize::try_from(*size).expect("files of tests fit in memory"), 0)
            }
        }
    }
}

fn put(to: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = usize::try_from(offset).expect("files of tests fit in memory");
    if to.len() < start + bytes.len() {
        to.resize(start + bytes.len(), 0);
    }
    to[start..start + bytes.len()].copy_from_slice(bytes);
}

/// Writes some of the sectors that `bytes` touches.
fn tear(to: &mut Vec<u8>, offset: u64, bytes: &[u8], rng: &mut Rng) {
    let end = offset + bytes.len() as u64;
    let mut at = offset;
    while at < end {
        let next = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
        if rng.percent(50) {
            let index = |place: u64| usize::try_from(place - offset).expect("an index of a slice");
            put(to, at, &bytes[index(at)..index(next)]);
        }
        at = next;
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Rename(from, to, inode) => {
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
            Self::Unlink(path) => {
                names.remove(path);
            }
        }
    }

    fn parents(&self) -> impl Iterator<Item = &Path> {
        let (one, other) = match self {
            Self::Link(path, _) | Self::Unlink(path) => (path, None),
            Self::Rename(from, to, _) => (to, Some(from)),
        };
        [Some(one), other]
            .into_iter()
            .flatten()
            .filter_map(|path| path.parent())
    }
}

/// How one cut treats the pending changes of one thing. The extremes come often, because they find most.
enum Keep {
    Nothing,
    Everything,
    First(usize),
    Some(u64),
}

impl Keep {
    fn choose(rng: &mut Rng, count: usize) -> Self {
        match rng.below(4) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2 => Self::First(usize::try_from(rng.below(count as u64 + 1)).expect("below a usize")),
            _ => Self::Some(20 + rng.below(60)),
        }
    }

    fn keeps(&self, number: usize, rng: &mut Rng) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::First(count) => number < *count,
            Self::Some(percent) => rng.percent(*percent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn write(path: &str, offset: u64, bytes: &[u8]) -> Op {
        Op::Write {
            path: path.into(),
            offset,
            bytes: bytes.to_vec(),
        }
    }

    fn sync(path: &str) -> [Op; 2] {
        [
            Op::SyncStart {
                token: 1,
                path: path.into(),
            },
            Op::SyncDone { token: 1 },
        ]
    }

    fn disk(ops: &[Op]) -> SimDisk {
        let base = Files::from([("a".into(), b"old".to_vec())]);
        let mut disk = SimDisk::new(&base, NameRule::WithDirectory);
        ops.iter().for_each(|op| disk.apply(op));
        disk
    }

    /// Every state of `path` that 500 cuts show; `None` for "not there".
    fn states(disk: &SimDisk, path: &str) -> BTreeSet<Option<Vec<u8>>> {
        (0..500)
            .map(|seed| disk.after_cut(seed).get(Path::new(path)).cloned())
            .collect()
    }

    fn some(texts: &[&str]) -> BTreeSet<Option<Vec<u8>>> {
        texts.iter().map(|text| Some(text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn unsynced_writes_come_in_any_subset_and_synced_ones_stay() {
        let ops = [write("a", 0, b"1"), write("a", 2, b"2")];
        assert_eq!(states(&disk(&ops), "a"), some(&["old", "1ld", "ol2", "1l2"]));
        let mut synced = disk(&ops);
        sync("a").iter().for_each(|op| synced.apply(op));
        assert_eq!(states(&synced, "a"), some(&["1l2"]));
        synced.apply(&Op::Truncate {
            path: "a".into(),
            size_bytes: 1,
        });
        assert_eq!(states(&synced, "a"), some(&["1l2", "1"]));
        assert_eq!(synced.now()[Path::new("a")], b"1");
    }

    #[test]
    fn a_sync_covers_only_what_was_complete_when_it_began() {
        let ops = [
            write("a", 0, b"1"),
            Op::SyncStart {
                token: 7,
                path: "a".into(),
            },
            write("a", 1, b"2"),
            Op::SyncDone { token: 7 },
        ];
        assert_eq!(states(&disk(&ops), "a"), some(&["1ld", "12d"]));
        assert_eq!(
            states(&disk(&ops[..2]), "a"),
            some(&["old", "1ld"]),
            "a sync that never ends promises nothing"
        );
    }

    #[test]
    fn large_writes_tear_at_sectors() {
        let disk = disk(&[write("a", 500, &[b'x'; 600])]);
        let torn: BTreeSet<Vec<u8>> = (0..2000)
            .map(|seed| disk.after_cut(seed)[Path::new("a")].clone())
            .collect();
        for state in &torn {
            let sector_of = |place: usize| place / 512;
            let tail = state.get(500..).unwrap_or_default();
            for sector in 0..3 {
                let bytes: BTreeSet<_> = tail
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| sector_of(at + 500) == sector)
                    .map(|(_, b)| b)
                    .collect();
                assert!(bytes.len() <= 1, "a sector is whole or absent");
            }
        }
        assert_eq!(torn.len(), 8, "every subset of three sectors");
    }

    #[test]
    fn names_need_a_sync_of_their_directory() {
        let mut ops = vec![Op::Create { path: "d/new".into() }, write("d/new", 0, b"x")];
        ops.extend(sync("d/new"));
        let mut disk = disk(&ops);
        assert_eq!(states(&disk, "d/new"), [None, Some(b"x".to_vec())].into());
        let mut lenient = SimDisk::new(&Files::new(), NameRule::WithFile);
        ops.iter().for_each(|op| lenient.apply(op));
        assert_eq!(states(&lenient, "d/new"), some(&["x"]));
        sync("d").iter().for_each(|op| disk.apply(op));
        assert_eq!(states(&disk, "d/new"), some(&["x"]));
        disk.apply(&Op::Rename {
            from: "d/new".into(),
            to: "a".into(),
        });
        assert_eq!(
            states(&disk, "a"),
            some(&["old", "x"]),
            "a rename replaces as a whole"
        );
        disk.apply(&Op::Unlink { path: "a".into() });
        sync("").iter().for_each(|op| disk.apply(op));
        assert_eq!(states(&disk, "a"), [None].into());
        assert_eq!(disk.now(), Files::new());
    }
}
