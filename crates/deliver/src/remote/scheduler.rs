//! Hears which lanes have work and gives connections to destinations.
//!
//! 1. At the start, and now and then, all lanes are looked at, page by page ([`store::contract::Store::lanes`]).
//! 2. [`queue::news::News`] names those that got work meanwhile.
//! 3. [`Lanes`] says who gets a connection; each is a task ([`courier`]).
//! 4. At the end connections finish what they cannot leave without risking a double; the rest stays in the queue.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use queue::lanes::LOCAL;
use store::contract::PAGE_ROWS;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use world::clock::{Monotonic, UnixMs};

use super::courier::{self, destination_of_lane, most};
use super::find::number;
use super::job::Job;
use super::lanes::{Lanes, Next, Now};
use super::outcome::Signal;
use super::record::Again;
use super::route::{Bypassed, Destination};
use super::talk::{Pulse, in_time};
use super::{Remote, Standing, stopping};
use crate::events::DeliverEvent;
use crate::limits::{DRAIN, DRAIN_LOOK, LEFT_OUT_RESCAN, RESCAN, SLOW_LOOK, STORE_PAUSE};
use crate::settings::Road;

/// What the scheduler and its connections share.
pub struct Shared {
    /// the doors
    pub remote: Arc<Remote>,
    state: Mutex<State>,
    /// something changed that may let a connection start
    changed: Notify,
}

struct State {
    lanes: Lanes<Job>,
    places: HashMap<u64, Pulse>,
    bells: HashMap<Destination, Arc<Notify>>,
    last_place: u64,
}

/// One connection's place among all. It is free again when this is dropped.
pub struct Place {
    /// where to
    pub destination: Destination,
    /// how it gets on
    pub pulse: Pulse,
    /// rung when there may be work
    pub bell: Arc<Notify>,
    /// it has not asked for work yet
    starting: bool,
    number: u64,
    shared: Arc<Shared>,
}

/// While it lives, its connection counts as waiting for work.
pub struct Idle<'a> {
    shared: &'a Shared,
    destination: Destination,
}

/// Works until `shutdown` turns true.
pub async fn run(remote: Arc<Remote>, mut shutdown: watch::Receiver<bool>) {
    let shared = Shared::new(remote);
    let _ = shared.remote.scheduler.set(Arc::downgrade(&shared)); // one scheduler for each store
    let clock = shared.remote.queue.clock.clone();
    let mut connections = JoinSet::new();
    let mut scan = Scan::begin();
    while !*shutdown.borrow() {
        shared.hear(&mut scan);
        scan.next_page(&shared).await;
        shared.start(&mut connections, &shutdown);
        if scan.is_under_way() {
            continue;
        }
        let wake = shared.wake(scan.wake(&shared));
        tokio::select! {
            () = stopping(&mut shutdown) => {}
            () = shared.remote.queue.news.wait() => {}
            () = shared.changed.notified() => {}
            () = clock.sleep_until(wake) => {}
            Some(ended) = connections.join_next() => shared.ended(&ended),
        }
        scan.is_due(&shared, clock.monotonic());
    }
    shared.drain(connections).await;
}

/// Looking at all lanes.
struct Scan {
    /// the last lane seen, while it goes on
    after: Option<String>,
    /// where the next one begins
    begin: String,
    again_at: Monotonic,
    /// lanes that were left out are looked for from then on, even if there is no room
    left_out_at: Monotonic,
}

impl Scan {
    fn begin() -> Self {
        Self {
            after: Some(String::new()),
            begin: String::new(),
            again_at: Monotonic::default(),
            left_out_at: Monotonic::default(),
        }
    }

    fn is_under_way(&self) -> bool {
        self.after.is_some()
    }

    fn is_due(&mut self, shared: &Shared, now: Monotonic) {
        if self.after.is_some() {
            return;
        }
        let left_out = shared.with(|state, _| state.lanes.left_out(now >= self.left_out_at));
        if left_out || now >= self.again_at {
            self.after = Some(self.begin.clone());
        }
    }

    fn wake(&self, shared: &Shared) -> Monotonic {
        if shared.state.lock().lanes.is_incomplete() {
            self.again_at.min(self.left_out_at)
        } else {
            self.again_at
        }
    }

    async fn next_page(&mut self, shared: &Shared) {
        let Some(after) = self.after.take() else {
            return;
        };
        let clock = &*shared.remote.queue.clock;
        let page = match shared.remote.queue.store.lanes(&after).await {
            Ok(page) => page,
            Err(error) => {
                shared.remote.store_failed(&error);
                self.again_at = in_time(clock, STORE_PAUSE);
                return;
            }
        };
        self.again_at = in_time(clock, RESCAN);
        self.left_out_at = in_time(clock, LEFT_OUT_RESCAN);
        let longest = shared.remote.queue.schedule().longest_wait();
        let now = clock.now();
        let mut seen = after;
        for lane in &page {
            let due = lane.due.map(|due| queue::schedule::sane_due(now, due, longest));
            if due.is_some_and(|due| !shared.found(&lane.lane, due)) {
                // The next look goes on here, so that everybody has a turn.
                self.begin = seen;
                return;
            }
            seen.clone_from(&lane.lane);
        }
        self.begin.clear();
        self.after = (page.len() == PAGE_ROWS).then_some(seen);
    }
}

impl Shared {
    fn new(remote: Arc<Remote>) -> Arc<Self> {
        let lanes = Lanes::new(most(&remote.settings()));
        Arc::new(Self {
            remote,
            state: Mutex::new(State {
                lanes,
                places: HashMap::new(),
                bells: HashMap::new(),
                last_place: 0,
            }),
            changed: Notify::new(),
        })
    }

    /// For an operator.
    pub fn standing(&self, most: usize) -> Standing {
        let now = self.now();
        let state = self.state.lock();
        let parked = state.lanes.parked().take(most);
        Standing {
            connections: state.lanes.running(),
            parked: parked
                .map(|(until, destination)| (destination.clone(), until.0.saturating_sub(now.steady.0)))
                .collect(),
        }
    }

    fn now(&self) -> Now {
        Now {
            wall: self.remote.queue.clock.now(),
            steady: self.remote.queue.clock.monotonic(),
        }
    }

    /// Changes the state, then wakes whom that concerns.
    fn with<T>(&self, change: impl FnOnce(&mut State, Now) -> T) -> T {
        let now = self.now();
        let mut state = self.state.lock();
        let result = change(&mut state, now);
        for destination in state.lanes.calls() {
            if let Some(bell) = state.bells.get(&destination) {
                bell.notify_waiters();
            }
        }
        result
    }

    /// What was told since the last time.
    fn hear(&self, scan: &mut Scan) {
        let told = self.remote.queue.news.take();
        if told.all {
            scan.after = Some(String::new());
        }
        let urgent = told.urgent.iter().filter_map(|lane| destination_of_lane(lane));
        self.with(|state, now| urgent.for_each(|to| state.lanes.forgive(&to, now)));
        self.again(told.lanes.into_iter().collect());
    }

    /// These lanes have work.
    pub fn again(&self, lanes: Vec<Again>) {
        if lanes.is_empty() {
            return;
        }
        self.with(|state, now| {
            for (lane, due) in lanes.iter().filter(|(lane, _)| lane != LOCAL) {
                if let Some(destination) = destination_of_lane(lane) {
                    state.lanes.work(lane, &destination, *due, now);
                }
            }
        });
        self.changed.notify_one();
    }

    /// What the time alone changes.
    fn advance(&self) {
        let unserved = self.with(|state, now| state.lanes.advance(now));
        self.give_back(unserved, self.remote.queue.clock.now());
    }

    /// A look at all lanes found work; false when there is no room for it.
    fn found(&self, lane: &str, due: UnixMs) -> bool {
        let Some(destination) = destination_of_lane(lane) else {
            return true;
        };
        self.with(|state, now| state.lanes.found(lane, &destination, due, now))
    }

    /// Starts connections while there is room and work.
    fn start(self: &Arc<Self>, connections: &mut JoinSet<()>, shutdown: &watch::Receiver<bool>) {
        self.advance();
        let settings = self.remote.settings();
        if settings.road != Road::Open {
            return;
        }
        let most = most(&settings);
        let bypassed = Bypassed::of(&settings);
        self.with(|state, _| {
            state.lanes.set_most(most);
            state.lanes.set_bypassed(bypassed);
        });
        loop {
            let place = self.with(|state, now| {
                let slow = state.slow(now.steady);
                let destination = state.lanes.start(slow, now)?;
                Some(state.place(destination, self, now.steady))
            });
            let Some(place) = place else {
                return;
            };
            connections.spawn(courier::run(self.clone(), place, shutdown.clone()));
        }
    }

    /// When something happens by itself.
    fn wake(&self, scan: Monotonic) -> Monotonic {
        let now = self.now();
        let (wall, steady, waits) = {
            let state = self.state.lock();
            let (wall, steady) = state.lanes.wake();
            (wall, steady, state.lanes.somebody_waits())
        };
        let wall = wall.map(|due| {
            let wait = std::time::Duration::from_millis(due.0.saturating_sub(now.wall.0));
            Monotonic(now.steady.0 + wait)
        });
        // Somebody waits for room, which is also made by others becoming slow.
        let look = waits.then_some(Monotonic(now.steady.0 + SLOW_LOOK));
        [wall, steady, look].into_iter().flatten().fold(scan, Ord::min)
    }

    /// What a connection does next.
    pub fn next(&self, place: &mut Place) -> Next<Job> {
        let starting = std::mem::take(&mut place.starting);
        self.with(|state, now| {
            place.pulse.beat(now.steady);
            state.lanes.next(&place.destination, starting, now)
        })
    }

    /// A connection waits for work while the result lives.
    pub fn idle<'a>(&'a self, place: &Place) -> Idle<'a> {
        let destination = place.destination.clone();
        self.with(|state, now| state.lanes.idle(&destination, true, now));
        Idle {
            shared: self,
            destination,
        }
    }

    /// A claim is done.
    pub fn claimed(&self, lane: &str, jobs: Vec<(Destination, Job)>, next: Option<UnixMs>) {
        let home = destination_of_lane(lane);
        let returned = self.with(|state, now| {
            let returned = state.lanes.claimed(lane, jobs, next, now);
            if let Some(bell) = home.and_then(|home| state.bells.get(&home)) {
                bell.notify_waiters();
            }
            returned
        });
        self.give_back(returned, self.remote.queue.clock.now());
        self.changed.notify_one();
    }

    /// Whether a destination may get jobs from a lane that leads elsewhere first.
    pub fn has_room(&self, destination: &Destination) -> bool {
        self.with(|state, now| state.lanes.has_room(destination, now))
    }

    /// Whether a destination is left alone now.
    pub fn is_parked(&self, destination: &Destination) -> bool {
        self.with(|state, now| state.lanes.is_parked(destination, now))
    }

    /// Whether somebody else could use a place.
    pub fn others_wait(&self) -> bool {
        self.with(|state, now| {
            let slow = state.slow(now.steady);
            state.lanes.others_wait(slow)
        })
    }

    /// An attempt taught something of a destination.
    pub fn learn(&self, destination: &Destination, signal: Signal) {
        let jitter = number(&*self.remote.chance).to_le_bytes()[0];
        let (returned, pause) = self.with(|state, now| {
            let was_parked = state.lanes.is_parked(destination, now);
            let returned = state.lanes.learn(destination, signal, jitter, now);
            let pause = state.lanes.pause_of(destination, now).filter(|_| !was_parked);
            (returned, pause)
        });
        if let Some(pause) = pause {
            self.remote.queue.events.emit(&DeliverEvent::Parked {
                destination: destination.to_string(),
                pause_s: pause.as_secs(),
            });
        }
        let due = self.remote.queue.clock.now();
        self.give_back(returned, due);
        self.changed.notify_one();
    }

    /// Gives the claims of jobs back; their lanes have work at `due`.
    pub fn give_back(&self, jobs: Vec<Job>, due: UnixMs) {
        let mut lanes = Vec::new();
        for waiter in jobs.into_iter().flat_map(|job| job.recipients) {
            self.remote.queue.store.release(waiter.claim);
            lanes.push((waiter.row.lane, due));
        }
        self.again(lanes);
    }

    fn ended(&self, ended: &std::result::Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            self.remote.queue.events.emit(&DeliverEvent::Panicked {
                reason: error.to_string(),
            });
        }
    }

    /// Waits for the connections that may not be cut off, then cuts the others off.
    async fn drain(&self, mut connections: JoinSet<()>) {
        let clock = &*self.remote.queue.clock;
        let deadline = in_time(clock, DRAIN);
        let critical = || self.state.lock().places.values().any(Pulse::is_critical);
        while !connections.is_empty() && critical() && clock.monotonic() < deadline {
            let look = in_time(clock, DRAIN_LOOK);
            tokio::select! {
                _ = connections.join_next() => {}
                () = clock.sleep_until(look) => {}
            }
        }
        connections.shutdown().await;
    }
}

impl State {
    fn slow(&self, now: Monotonic) -> u32 {
        let slow = self.places.values().filter(|pulse| pulse.is_slow(now)).count();
        u32::try_from(slow).unwrap_or(u32::MAX)
    }

    fn place(&mut self, destination: Destination, shared: &Arc<Shared>, now: Monotonic) -> Place {
        self.last_place += 1;
        let pulse = Pulse::default();
        pulse.beat(now);
        self.places.insert(self.last_place, pulse.clone());
        let bell = self.bells.entry(destination.clone()).or_default().clone();
        Place {
            destination,
            pulse,
            bell,
            starting: true,
            number: self.last_place,
            shared: shared.clone(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.with(|state, now| {
            state.places.remove(&self.number);
            state.lanes.ended(&self.destination, self.starting, now);
            // This place holds one, the map another.
            if Arc::strong_count(&self.bell) <= 2 {
                state.bells.remove(&self.destination);
            }
        });
        self.shared.changed.notify_one();
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.shared
            .with(|state, now| state.lanes.idle(&self.destination, false, now));
    }
}
