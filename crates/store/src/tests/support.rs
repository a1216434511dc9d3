//! What the tests share.

use std::path::Path;
use std::sync::Arc;

use testkit::clock::SimClock;
use testkit::events::CollectEvents;

use crate::embedded::{Embedded, Options};

/// Defaults, a simulated clock, collected events, no upkeep by itself.
pub(crate) fn options() -> Options {
    World::new().options()
}

/// A clock and a log.
#[derive(Clone)]
pub(crate) struct World {
    pub clock: SimClock,
    pub events: Arc<CollectEvents>,
}

impl World {
    pub fn new() -> Self {
        Self {
            clock: SimClock::new(),
            events: Arc::new(CollectEvents::new()),
        }
    }

    pub fn options(&self) -> Options {
        let events: Arc<CollectEvents> = Arc::clone(&self.events);
        Options {
            upkeep: false,
            ..Options::new(self.clock.door(), events)
        }
    }

    pub fn open(&self, dir: &Path) -> Arc<Embedded> {
        Embedded::open(dir, self.options()).expect("the store opens")
    }
}

/// Packs that hold something; blanks do not.
pub(crate) fn filled(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let bytes = |entry: std::io::Result<std::fs::DirEntry>| {
        entry
            .and_then(|entry| entry.metadata())
            .map_or(0, |meta| meta.len())
    };
    entries.map(bytes).filter(|bytes| *bytes > 0).count()
}
