//! Room on the disk: what is taken when it gets short, and the ballast that lets people delete on a full disk.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::fs::FallocateFlags;
use world::clock::Monotonic;

use crate::contract::{Admission, Result};
use crate::embedded::faults::io_at;
use crate::embedded::layout::open_private;
use crate::embedded::options::Options;
use crate::limits::{FULL_STICKY_MS, SPACE_FRESH_MS};

/// What is known of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub free_bytes: u64,
    pub total_bytes: u64,
    pub free_inodes: u64,
    /// 0: the file system does not count them
    pub total_inodes: u64,
}

impl Room {
    /// Asks the file system.
    pub fn ask(dir: &Path) -> std::io::Result<Self> {
        let facts = rustix::fs::statvfs(dir)?;
        Ok(Self {
            free_bytes: facts.f_bavail.saturating_mul(facts.f_frsize),
            total_bytes: facts.f_blocks.saturating_mul(facts.f_frsize),
            free_inodes: facts.f_favail,
            total_inodes: facts.f_files,
        })
    }

    /// What may be taken. Without the ballast, other work must leave room for it to come back.
    pub fn admission(&self, options: &Options, reserve_missing: bool) -> Admission {
        let reserve = if reserve_missing {
            reserve_bytes(options, self.total_bytes)
        } else {
            0
        };
        let deleting = options.deleting_only_below_bytes.min(self.total_bytes / 64) + reserve;
        let users = options.users_only_below_bytes.min(self.total_bytes / 16) + reserve;
        let counts_inodes = self.total_inodes > 0;
        let users_inodes = options.users_only_below_inodes.min(self.total_inodes / 16);
        if self.free_bytes < deleting || (counts_inodes && self.free_inodes < (users_inodes / 8).max(1)) {
            return Admission::DeletingOnly;
        }
        if self.free_bytes < users || (counts_inodes && self.free_inodes < users_inodes) {
            return Admission::UsersOnly;
        }
        Admission::Open
    }
}

/// Size at which the log is copied into the database, on the disk that holds `dir`: never more than the ballast can take.
pub(crate) fn checkpoint_bytes(options: &Options, dir: &Path) -> u64 {
    Room::ask(dir).map_or(options.wal_checkpoint_bytes, |room| {
        options.wal_checkpoint_bytes.min(room.total_bytes / 32)
    })
}

/// The ballast's size on a disk of this size. Copying the log into the database may lengthen the database by the log's whole
/// length: on a full disk only the ballast has room for that, so it is larger than the log may become.
fn reserve_bytes(options: &Options, total_bytes: u64) -> u64 {
    options.reserve_bytes.min(total_bytes / 16)
}

/// The store's view of the disk.
pub(crate) struct Space {
    state: Mutex<State>,
}

struct State {
    checked_at: Option<Monotonic>,
    refused_until: Option<Monotonic>,
    level: Admission,
    room: Option<Room>,
    reserve_missing: bool,
    stopped: Option<String>,
}

/// What changed since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub before: Admission,
    pub now: Admission,
    pub room: Option<Room>,
}

impl Space {
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State {
                checked_at: None,
                refused_until: None,
                level: Admission::Open,
                room: None,
                reserve_missing: false,
                stopped: None,
            }),
        }
    }

    /// What may be taken now; asks the file system at most once a second.
    pub fn look(&self, options: &Options, dir: &Path) -> Look {
        let now = options.clock.monotonic();
        let mut state = self.state.lock();
        let before = state.level;
        let fresh = state
            .checked_at
            .is_some_and(|at| now.0.saturating_sub(at.0) < Duration::from_millis(SPACE_FRESH_MS));
        if !fresh {
            state.checked_at = Some(now);
            state.room = Room::ask(dir).ok();
        }
        let refused = state.refused_until.is_some_and(|until| now < until);
        let by_room = state.room.map_or(Admission::Open, |room| {
            room.admission(options, state.reserve_missing)
        });
        state.level = if refused || state.stopped.is_some() {
            Admission::DeletingOnly
        } else {
            by_room
        };
        Look {
            before,
            now: state.level,
            room: state.room,
        }
    }

    /// The disk said that it is full, whatever the file system's numbers say.
    pub fn refused(&self, options: &Options) {
        let mut state = self.state.lock();
        let until = options.clock.monotonic().0 + Duration::from_millis(FULL_STICKY_MS);
        state.refused_until = Some(Monotonic(until));
        state.checked_at = None;
    }

    /// Writing stopped, or works again.
    pub fn set_stopped(&self, reason: Option<String>) {
        self.state.lock().stopped = reason;
    }

    /// Why writing stopped.
    pub fn stopped(&self) -> Option<String> {
        self.state.lock().stopped.clone()
    }

    /// Gives the ballast up. `false` when there is none.
    pub fn release_reserve(&self, path: &Path) -> bool {
        let released = fs::metadata(path).is_ok_and(|meta| meta.len() > 0) && fs::remove_file(path).is_ok();
        let mut state = self.state.lock();
        state.reserve_missing = true;
        state.checked_at = None;
        released
    }

    /// Takes the ballast (back) when there is ample room for it. Returns whether it was made now.
    pub fn refill_reserve(&self, options: &Options, dir: &Path, path: &Path) -> Result<bool> {
        let room = Room::ask(dir).map_err(io_at("statvfs"))?;
        let wanted = reserve_bytes(options, room.total_bytes);
        let held = fs::metadata(path).map_or(0, |meta| meta.len());
        if wanted == 0 || held >= wanted {
            self.state.lock().reserve_missing = false;
            return Ok(false);
        }
        let ample = room.admission(options, true) == Admission::Open;
        if !ample {
            self.state.lock().reserve_missing = true;
            return Ok(false);
        }
        fill_reserve(path, wanted)?;
        self.state.lock().reserve_missing = false;
        Ok(true)
    }
}

/// Takes blocks without writing them; file systems that cannot do that get zeros.
fn fill_reserve(path: &Path, wanted: u64) -> Result<()> {
    let mut file = open_private(path).map_err(io_at("reserve"))?;
    if rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, wanted).is_ok() {
        return Ok(());
    }
    let zeros = vec![0u8; 64 * 1024];
    for _ in 0..wanted.div_ceil(zeros.len() as u64) {
        file.write_all(&zeros).map_err(io_at("reserve"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::options;

    fn room(free: u64, total: u64, free_inodes: u64) -> Room {
        Room {
            free_bytes: free << 20,
            total_bytes: total << 20,
            free_inodes,
            total_inodes: 1 << 20,
        }
    }

    #[test]
    fn dsk_1_and_dsk_3_admission_follows_free_bytes_and_inodes() {
        let options = options();
        let table = [
            (room(5000, 100_000, 1 << 19), false, Admission::Open),
            (room(40, 100_000, 1 << 19), false, Admission::UsersOnly),
            (room(10, 100_000, 1 << 19), false, Admission::DeletingOnly),
            (room(5000, 100_000, 500), false, Admission::UsersOnly),
            (room(5000, 100_000, 10), false, Admission::DeletingOnly),
            // A disk of 64 MiB has thresholds of its own size.
            (room(20, 64, 1 << 19), false, Admission::Open),
            (room(3, 64, 1 << 19), false, Admission::UsersOnly),
            (room(0, 64, 1 << 19), false, Admission::DeletingOnly),
            // While the ballast is gone, its room is kept free for it.
            (room(4, 64, 1 << 19), true, Admission::DeletingOnly),
            (
                Room {
                    total_inodes: 64,
                    ..room(5000, 100_000, 0)
                },
                false,
                Admission::DeletingOnly,
            ),
        ];
        for (room, reserve_missing, wanted) in table {
            assert_eq!(room.admission(&options, reserve_missing), wanted, "{room:?}");
        }
    }
}
