//! Upkeep: the steps that nobody waits for. Each can be called by itself (tests, the command line); one thread calls them
//! when they are due. Everything it changes goes through the writer, in slices, between two commits.
//!
//! 1. [`Upkeep::remove_leftovers`] once after the start: packs no row knows (rows C3, C11, C13, C14 of the crash table),
//! 2. [`Upkeep::settle_due`]: old inline bodies into a pack,
//! 3. [`Upkeep::collect`]: what nobody needs any more,
//! 4. [`Upkeep::scrub_a_little`]: verify, so that everything is verified within `scrub_days`,
//! 5. [`Upkeep::refill_reserve`] when there is room, and a try to write again when writing has stopped.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use world::clock::UnixMs;

use crate::contract::{Admission, Result, StoreError};
use crate::embedded::line::CommitLine;
use crate::embedded::readers::Reader;
use crate::embedded::scrub::Pass;
use crate::embedded::shared::Shared;
use crate::events::StoreEvent;
use crate::limits::{DAY_MS, UPKEEP_TICK_MS};

/// How often the collector runs when nothing presses, in milliseconds.
const COLLECT_EVERY_MS: u64 = 10 * 60 * 1000;

/// What a settling did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// bodies moved into packs
    pub bodies: u64,
    /// packs made
    pub packs: u64,
}

/// What a collection removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// message rows
    pub messages: u64,
    /// bodies
    pub bodies: u64,
    /// pack files
    pub packs: u64,
}

/// What a scrubbing found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scrubbed {
    /// bodies verified
    pub bodies: u64,
    /// rows verified
    pub rows: u64,
    /// what is damaged, by name; at most 1000 are listed
    pub damaged: Vec<String>,
}

/// The steps and the thread that calls them.
pub struct Upkeep {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub shared: Arc<Shared>,
    pub line: Arc<CommitLine>,
    /// one step at a time
    memory: Mutex<Memory>,
    closing: Mutex<bool>,
    wake: Condvar,
}

#[derive(Default)]
struct Memory {
    pass: Option<Pass>,
    rest_until: UnixMs,
    bodies_in_last_pass: u64,
    collected_at: UnixMs,
    trimmed_at: UnixMs,
    leftovers_removed: bool,
}

impl Upkeep {
    pub(super) fn new(shared: Arc<Shared>, line: Arc<CommitLine>) -> Self {
        let inner = Inner {
            shared,
            line,
            memory: Mutex::new(Memory::default()),
            closing: Mutex::new(false),
            wake: Condvar::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Starts the thread.
    pub(super) fn start(&self) -> Result<JoinHandle<()>> {
        let inner = Arc::clone(&self.inner);
        std::thread::Builder::new()
            .name("store-upkeep".to_owned())
            .spawn(move || inner.serve())
            .map_err(|error| StoreError::Fatal(format!("cannot start a thread: {error}")))
    }

    /// Ends the thread after its present step.
    pub(super) fn close(&self) {
        *self.inner.closing.lock() = true;
        self.inner.wake.notify_all();
    }

    /// Settles every inline body, whatever its age.
    pub fn settle(&self) -> Result<Settled> {
        let _alone = self.inner.memory.lock();
        self.inner.settle(UnixMs(u64::MAX))
    }

    /// Settles inline bodies that are old enough, if they fill a pack or have waited for a day.
    pub fn settle_due(&self) -> Result<Settled> {
        let _alone = self.inner.memory.lock();
        self.inner.settle_due()
    }

    /// Removes for good what is past its time, and rewrites packs that are mostly dead.
    pub fn collect(&self) -> Result<Collected> {
        let _alone = self.inner.memory.lock();
        self.inner.trim()?;
        self.inner.collect()
    }

    /// Removes packs that no row knows and no commit is about to know. Returns how many.
    pub fn remove_leftovers(&self) -> Result<u64> {
        let _alone = self.inner.memory.lock();
        self.inner.remove_leftovers()
    }

    /// Verifies everything, now.
    pub fn scrub(&self) -> Result<Scrubbed> {
        let _alone = self.inner.memory.lock();
        let mut reader = self.inner.reader()?;
        let mut pass = Pass::default();
        while !pass.step(&mut reader, 256)? {}
        Ok(pass.found)
    }

    /// Verifies the next few bodies and rows.
    pub fn scrub_a_little(&self) -> Result<()> {
        let mut memory = self.inner.memory.lock();
        self.inner.scrub_a_little(&mut memory)
    }

    /// Copies the whole log into the database.
    pub fn checkpoint(&self) -> Result<()> {
        self.inner.line.run(|writer| writer.checkpoint_here("PASSIVE"))
    }

    /// Bytes of the log in use.
    pub fn log_bytes(&self) -> Result<u64> {
        self.inner.line.run(|writer| writer.log_bytes())?
    }

    /// Takes the ballast back when there is ample room.
    pub fn refill_reserve(&self) -> Result<bool> {
        self.inner.refill_reserve()
    }
}

impl Inner {
    /// A reading connection of its own: a step must not hold up people's reads.
    pub fn reader(&self) -> Result<Reader> {
        Reader::open(Arc::clone(&self.shared))
    }

    fn serve(&self) {
        // The ballast is laid at once; everything else can wait a tick.
        let _ = self.refill_reserve();
        loop {
            {
                let mut closing = self.closing.lock();
                if !*closing {
                    self.wake
                        .wait_for(&mut closing, Duration::from_millis(UPKEEP_TICK_MS));
                }
                if *closing {
                    return;
                }
            }
            self.tick();
        }
    }

    /// Whether the store is being closed: long steps end early.
    pub fn is_closing(&self) -> bool {
        *self.closing.lock()
    }

    /// One look at what is due. A step that fails is tried again at the next look; damage was told by `watch`.
    fn tick(&self) {
        let mut memory = self.memory.lock();
        let admission = self.shared.look_at_space();
        if self.shared.space.stopped().is_some() {
            // An empty transaction makes the writer try to regain trust.
            let _ = self.line.run(|writer| writer.transaction(|_, _| Ok(())));
            return;
        }
        if !memory.leftovers_removed {
            memory.leftovers_removed = self.remove_leftovers().is_ok();
        }
        let _ = self.refill_reserve();
        let _ = self.settle_due();
        let now = self.shared.now();
        let pressed = admission != Admission::Open;
        if pressed || now.0 >= memory.collected_at.0 + COLLECT_EVERY_MS {
            memory.collected_at = now;
            let _ = self.collect();
        }
        if now.0 >= memory.trimmed_at.0 + DAY_MS {
            memory.trimmed_at = now;
            let _ = self.trim();
        }
        let _ = self.scrub_a_little(&mut memory);
    }

    fn refill_reserve(&self) -> Result<bool> {
        let shared = &self.shared;
        let filled =
            shared
                .space
                .refill_reserve(&shared.options, &shared.layout.dir, &shared.layout.reserve)?;
        if filled {
            shared.emit(&StoreEvent::ReserveRefilled);
        }
        Ok(filled)
    }

    /// A slice whose size makes a pass take about half of `scrub_days`.
    fn scrub_a_little(&self, memory: &mut Memory) -> Result<()> {
        let now = self.shared.now();
        if memory.pass.is_none() && now < memory.rest_until {
            return Ok(());
        }
        let ticks = (self.shared.options.scrub_days * DAY_MS / 2 / UPKEEP_TICK_MS).max(1);
        let slice = (memory.bodies_in_last_pass / ticks).max(16) as usize;
        let mut reader = self.reader()?;
        let pass = memory.pass.get_or_insert_with(Pass::default);
        if pass.step(&mut reader, slice)? {
            let found = std::mem::take(&mut pass.found);
            memory.pass = None;
            memory.bodies_in_last_pass = found.bodies;
            memory.rest_until = UnixMs(now.0 + self.shared.options.scrub_days * DAY_MS / 4);
            self.shared.emit(&StoreEvent::Scrubbed {
                bodies: found.bodies,
                rows: found.rows,
                damaged: found.damaged.len() as u64,
            });
        }
        Ok(())
    }
}
