//! Blank packs: empty files in `packs/` whose names are durable already. A large body that takes one needs no name and no sync of the
//! directory any more, only its own.
//!
//! Made [`BLANK_PACKS`] at a time with one sync of the directory, after a large body came and few are left; when there is none, a body
//! goes by `staging/`, as before.
//!
//! | a blank is | on the disk | a crash leaves (0013, row C27) |
//! |---|---|---|
//! | ready | an empty file, its entry synced | a pack without a row: upkeep removes it after the start |
//! | taken | a body half written | the same |
//! | staged | the body, synced | the same, as row C3 |

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use mail::ids::{BlobId, Id};
use parking_lot::{Condvar, Mutex};

use crate::contract::{Admission, Result};
use crate::embedded::faults::io_at;
use crate::embedded::layout::{Layout, make_private, sync_dir};
use crate::embedded::shared::Shared;
use crate::limits::{BLANK_PACKS, BLANK_PACKS_LOW, BLANK_PACKS_WAIT_MS};

/// A pack that has its name and nothing in it.
pub(crate) struct Blank {
    pub pack: u64,
    pub file: File,
}

/// The blanks of a store.
#[derive(Default)]
pub(crate) struct Blanks {
    state: Mutex<State>,
    /// nobody is making any more
    made: Condvar,
}

/// The task of making some, which one caller has at a time. Whoever drops it, also undone, lets the next one begin.
pub(crate) struct Making(Arc<Shared>);

#[derive(Default)]
struct State {
    ready: Vec<Blank>,
    /// the ready, the taken, and those being made: what is no leftover
    known: HashSet<u64>,
    making: bool,
    closed: bool,
}

impl Blanks {
    /// One of them, if there is one. Whoever takes it says [`Blanks::forget`] when its file is gone, or belongs to somebody else.
    pub fn take(&self) -> Option<Blank> {
        self.state.lock().ready.pop()
    }

    /// How many are at hand.
    #[cfg(test)]
    pub fn ready(&self) -> usize {
        self.state.lock().ready.len()
    }

    /// It is none any more.
    pub fn forget(&self, pack: u64) {
        self.state.lock().known.remove(&pack);
    }

    /// Whether this pack is one of them, or was taken and is not staged yet.
    pub fn contains(&self, pack: u64) -> bool {
        self.state.lock().known.contains(&pack)
    }

    /// The task of making some, when few are left and nobody else has it.
    pub fn are_wanted(shared: &Arc<Shared>) -> Option<Making> {
        let mut state = shared.blanks.state.lock();
        let wanted = !state.closed && !state.making && state.ready.len() < BLANK_PACKS_LOW;
        state.making |= wanted;
        wanted.then(|| Making(Arc::clone(shared)))
    }

    fn make(&self, shared: &Shared) {
        let mut made = Vec::new();
        let room = shared.look_at_space() == Admission::Open;
        let durable = room && self.make_files(shared, &mut made).is_ok();
        let mut state = self.state.lock();
        if durable && !state.closed {
            state.ready.extend(made);
            return;
        }
        for blank in made {
            remove(&shared.layout, blank.pack);
            state.known.remove(&blank.pack);
        }
    }

    fn make_files(&self, shared: &Shared, made: &mut Vec<Blank>) -> Result<()> {
        for _ in 0..BLANK_PACKS {
            let pack = shared.ids.next::<BlobId>().raw();
            // Known first: upkeep may be looking for leftovers.
            self.state.lock().known.insert(pack);
            match make_private(&shared.layout.pack(pack)) {
                Ok(file) => made.push(Blank { pack, file }),
                // A leftover of a crash: no row knows it, so a clock that went back may give its number again. It stays one.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => self.forget(pack),
                Err(error) => {
                    self.forget(pack);
                    return Err(io_at("packs")(error));
                }
            }
        }
        sync_dir(&shared.layout.packs)
    }

    /// No more of them; those that are left go. Waits a moment for whoever makes some: afterwards no file comes or goes.
    pub fn close(&self, layout: &Layout) {
        let mut state = self.state.lock();
        state.closed = true;
        let limit = Duration::from_millis(BLANK_PACKS_WAIT_MS);
        self.made.wait_while_for(&mut state, |state| state.making, limit);
        for blank in std::mem::take(&mut state.ready) {
            remove(layout, blank.pack);
        }
    }
}

impl Making {
    /// Makes them. Blocks. Without room, or when the disk refuses, there are none: that is no harm.
    pub fn make(self) {
        self.0.blanks.make(&self.0);
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let blanks = &self.0.blanks;
        blanks.state.lock().making = false;
        blanks.made.notify_all();
    }
}

fn remove(layout: &Layout, pack: u64) {
    // What cannot be removed now is a leftover of the next start.
    let _ = fs::remove_file(layout.pack(pack));
}
