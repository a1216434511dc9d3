//! Whose turn it is: which lanes have work, which destination gets the next connection, which jobs wait for one. Pure; the
//! time is given. Threat cases, held by the property tests below.
//!
//! A *lane* is one destination for one sender (decision 0018). There is one small record for each lane with work, none for a
//! message; of too many lanes the least urgent are left out and found again later ([`Lanes::left_out`]). A *job* is what a claim made of a few rows; jobs exist only where a connection is about to take them.
//!
//! 1. [`Lanes::work`]: a lane has work now, or will have.
//! 2. [`Lanes::start`]: a destination that may have a connection, fair among destinations.
//! 3. [`Lanes::next`]: what that connection does next: a job that is ready, or a lane to claim from, fair among senders.
//! 4. [`Lanes::claimed`]: what the claim gave. A job waits for its connection a while at most ([`READY_LONGEST`]): a claim keeps
//!    its recipient from its deadline.
//! 5. [`Lanes::learn`], [`Lanes::ended`]: how it went.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use world::clock::{Monotonic, UnixMs};

use super::destination::Destination as Memory;
use super::outcome::Signal;
use super::route::{Bypassed, Destination};
use crate::limits::{
    CONNECTIONS_AT_FIRST, FIRST_CONNECTIONS_SHARE, LANES, LANES_ROOM_SHARE, READY_FROM_ELSEWHERE,
    READY_LONGEST, SLOW_SHARE, TROUBLED_SHARE, TROUBLED_TURN,
};

/// Destinations looked at for one that can wait.
const LOOKED_AT: usize = 64;

/// Both times: due times are wall time, pauses are not.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// wall time
    pub wall: UnixMs,
    /// monotonic time
    pub steady: Monotonic,
}

/// What a connection does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<J> {
    /// deliver this
    Job(J),
    /// claim rows of this lane, and say so with [`Lanes::claimed`]
    Claim(Arc<str>),
    /// somebody is claiming for this destination: ask again when they have
    Wait,
    /// there is no work
    Nothing,
}

/// How many connections there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// in all
    pub connections: u32,
    /// to one destination
    pub to_one: u32,
}

/// Everything that waits, as the scheduler sees it. `J` is a job.
#[derive(Debug)]
pub struct Lanes<J> {
    most: Most,
    /// lanes held at most
    room: usize,
    /// lanes with work are missing
    left_out: bool,
    /// destinations whose mail has another way: claimed from even while they are left alone
    bypassed: Bypassed,
    lanes: HashMap<Arc<str>, Lane>,
    later: BTreeSet<(UnixMs, Arc<str>)>,
    destinations: HashMap<Destination, Line<J>>,
    /// destinations that could use a connection now, in the order of their turns
    waiting: BTreeSet<(Class, u64, Destination)>,
    parked: BTreeSet<(Monotonic, Destination)>,
    /// destinations with jobs that wait for a connection, and since when the first of them does
    unserved: BTreeSet<(Monotonic, Destination)>,
    turn: u64,
    starts: u64,
    running: u32,
    running_troubled: u32,
    calls: Vec<Destination>,
}

#[derive(Debug)]
struct Lane {
    destination: Destination,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// in `Lanes::later`
    Later(UnixMs),
    /// in `Line::due`
    Due,
    /// being claimed from; work that came meanwhile
    Claiming(Option<UnixMs>),
}

/// Why a lane is known to have work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    News,
    Found,
}

/// Which destinations come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// without a connection, and not known to be in trouble
    Well,
    /// without a connection, and down when it was last tried
    Troubled,
    /// has a connection and could use another
    More,
}

#[derive(Debug)]
struct Line<J> {
    memory: Memory,
    /// lanes with work now, by when they were served last
    due: BTreeMap<u64, Arc<str>>,
    /// jobs that wait for a connection, and since when
    ready: VecDeque<(Monotonic, J)>,
    connections: u32,
    /// of those, counted as troubled
    troubled: u32,
    /// started or claiming, and not yet with a job
    starting: u32,
    /// connections without work, waiting for more
    idle: u32,
    served: u64,
    /// lanes that lead here, whenever they are due
    lanes: u32,
    listed: Option<(Class, u64)>,
    parked: Option<Monotonic>,
    unserved: Option<Monotonic>,
}

impl<J> Lanes<J> {
    /// Nothing waits.
    pub fn new(most: Most) -> Self {
        Self {
            most,
            room: LANES,
            left_out: false,
            bypassed: Bypassed::default(),
            lanes: HashMap::new(),
            later: BTreeSet::new(),
            destinations: HashMap::new(),
            waiting: BTreeSet::new(),
            parked: BTreeSet::new(),
            unserved: BTreeSet::new(),
            turn: 0,
            starts: 0,
            running: 0,
            running_troubled: 0,
            calls: Vec::new(),
        }
    }

    /// So many lanes are held at most.
    #[cfg(test)]
    fn with_room(self, room: usize) -> Self {
        Self { room, ..self }
    }

    /// How many connections there may be from now on.
    pub fn set_most(&mut self, most: Most) {
        self.most = most;
    }

    /// Destinations whose mail goes another way while they cannot be reached, from now on.
    pub fn set_bypassed(&mut self, bypassed: Bypassed) {
        self.bypassed = bypassed;
    }

    /// A lane, whose mail goes to `destination`, has work at `due`. When there are too many it takes the place of one that can wait.
    pub fn work(&mut self, lane: &str, destination: &Destination, due: UnixMs, now: Now) {
        self.has_work(lane, destination, due, (Told::News, now));
    }

    /// As [`Lanes::work`], for what a look at all lanes finds: news goes before it. False when there was no room.
    pub fn found(&mut self, lane: &str, destination: &Destination, due: UnixMs, now: Now) -> bool {
        self.has_work(lane, destination, due, (Told::Found, now));
        self.lanes.contains_key(lane)
    }

    fn has_work(&mut self, lane: &str, destination: &Destination, due: UnixMs, (told, now): (Told, Now)) {
        let known = self.lanes.get(lane).map(|lane| lane.state);
        match known {
            Some(State::Due) => {}
            Some(State::Claiming(other)) => {
                let earliest = other.map_or(due, |other| other.min(due));
                self.set(lane, State::Claiming(Some(earliest)));
            }
            Some(State::Later(before)) if before <= due => {}
            Some(State::Later(before)) => {
                let name = self.name_of(lane);
                self.later.remove(&(before, name));
                self.place(lane, destination, due, now);
            }
            None if self.lanes.len() < self.room || self.makes_room(destination, due, (told, now)) => {
                self.place(lane, destination, due, now);
            }
            None => self.left_out = true,
        }
    }

    /// Whether lanes with work were left out and there is room for some, or `anyway`. From then on it is the caller's: look at all lanes.
    pub fn left_out(&mut self, anyway: bool) -> bool {
        let has_room = self.lanes.len() <= self.room - self.room / LANES_ROOM_SHARE;
        let look = self.left_out && (anyway || has_room);
        self.left_out &= !look;
        look
    }

    /// Whether lanes with work are missing.
    pub fn is_incomplete(&self) -> bool {
        self.left_out
    }

    /// Leaves out the lane that is due last; else one whose destination is left alone longest; else, for news, one of the destination
    /// that has waited longest without success, or with.
    fn makes_room(&mut self, destination: &Destination, due: UnixMs, (told, now): (Told, Now)) -> bool {
        let last = self.later.last().filter(|(last, _)| *last > due.max(now.wall));
        if let Some((last, lane)) = last.cloned() {
            self.later.remove(&(last, lane.clone()));
            self.leave_out(&lane, now);
            return true;
        }
        if self.is_parked(destination, now) {
            return false;
        }
        let Some((turn, lane)) = self.can_wait(told) else {
            return false;
        };
        if let Some(record) = self.lanes.get(&lane)
            && let Some(line) = self.destinations.get_mut(&record.destination)
        {
            line.due.remove(&turn);
        }
        self.leave_out(&lane, now);
        true
    }

    fn can_wait(&self, told: Told) -> Option<(u64, Arc<str>)> {
        let parked = self.parked.iter().rev().map(|(_, of)| of).take(LOOKED_AT);
        let served = self.range(Class::Troubled).chain(self.range(Class::Well));
        let waiting = served.map(|(_, _, of)| of).take(LOOKED_AT);
        let mut waiting = waiting.filter(|_| told == Told::News);
        let lane = parked.into_iter().find_map(|of| self.last_due(of));
        lane.or_else(|| waiting.find_map(|of| self.last_due(of)))
    }

    fn last_due(&self, of: &Destination) -> Option<(u64, Arc<str>)> {
        let (turn, lane) = self.destinations.get(of)?.due.last_key_value()?;
        Some((*turn, lane.clone()))
    }

    /// It is in no list any more.
    fn leave_out(&mut self, lane: &Arc<str>, now: Now) {
        self.left_out = true;
        if let Some(record) = self.lanes.remove(lane) {
            self.one_lane_less(&record.destination);
            self.refresh(&record.destination, now);
        }
    }

    /// Lanes and pauses whose time has come. Jobs that waited too long for a connection come back: give their claims back, and
    /// tell [`Lanes::work`] of their lanes.
    #[must_use]
    pub fn advance(&mut self, now: Now) -> Vec<J> {
        while let Some((due, _)) = self.later.first()
            && *due <= now.wall
        {
            let Some((due, lane)) = self.later.pop_first() else {
                break;
            };
            if let Some(record) = self.lanes.get(&lane) {
                let destination = record.destination.clone();
                self.place(&lane, &destination, due, now);
            }
        }
        while let Some((until, _)) = self.parked.first()
            && *until <= now.steady
        {
            let Some((_, destination)) = self.parked.pop_first() else {
                break;
            };
            if let Some(line) = self.destinations.get_mut(&destination) {
                line.parked = None;
            }
            self.refresh(&destination, now);
        }
        self.unserved(now)
    }

    fn unserved(&mut self, now: Now) -> Vec<J> {
        let mut returned = Vec::new();
        while let Some((since, destination)) = self.unserved.first().cloned()
            && since.0 + READY_LONGEST <= now.steady.0
        {
            if let Some(line) = self.destinations.get_mut(&destination) {
                returned.extend(line.ready.drain(..).map(|(_, job)| job));
            }
            self.refresh(&destination, now);
        }
        returned
    }

    /// The destination that gets the next connection, if there is room for one. It counts from now on; call [`Lanes::ended`] when it is gone.
    /// `slow` is how many connections have waited long for
    /// their peer: they take no room from others, within reason (threat case Q-6).
    pub fn start(&mut self, slow: u32, now: Now) -> Option<Destination> {
        let busy = self
            .running
            .saturating_sub(slow.min(SLOW_SHARE * self.most.connections));
        let free = self.most.connections.saturating_sub(busy);
        if free == 0 {
            return None;
        }
        let class = self.class_in_turn(free)?;
        let destination = self.of_class(class)?;
        let line = self.destinations.get_mut(&destination)?;
        self.starts += 1;
        self.turn += 1;
        self.running += 1;
        line.connections += 1;
        line.starting += 1;
        line.served = self.turn;
        if line.memory.is_troubled() {
            line.troubled += 1;
            self.running_troubled += 1;
        }
        self.refresh(&destination, now);
        Some(destination)
    }

    fn class_in_turn(&self, free: u32) -> Option<Class> {
        let has = |class| self.of_class_exists(class);
        let troubled =
            has(Class::Troubled) && self.running_troubled < (self.most.connections / TROUBLED_SHARE).max(1);
        let kept_free = self.most.connections / FIRST_CONNECTIONS_SHARE;
        if troubled && self.starts.is_multiple_of(TROUBLED_TURN) {
            return Some(Class::Troubled);
        }
        if has(Class::Well) {
            return Some(Class::Well);
        }
        if troubled {
            return Some(Class::Troubled);
        }
        (has(Class::More) && free > kept_free).then_some(Class::More)
    }

    fn of_class_exists(&self, class: Class) -> bool {
        self.range(class).next().is_some()
    }

    /// The one that waits longest; every second time the newest, so that new mail does not wait behind a long backlog of
    /// destinations that turn out to be dead.
    fn of_class(&self, class: Class) -> Option<Destination> {
        let newest_first = class == Class::Well && self.starts % 2 == 1;
        let mut range = self.range(class);
        let entry = if newest_first {
            range.next_back()
        } else {
            range.next()
        };
        entry.map(|(_, _, destination)| destination.clone())
    }

    fn range(&self, class: Class) -> impl DoubleEndedIterator<Item = &(Class, u64, Destination)> {
        let lowest = Destination::from("");
        let from = (class, 0, lowest.clone());
        let to = (class, u64::MAX, lowest);
        self.waiting.range(from..to)
    }

    /// What a connection to `destination` does next. `starting` is whether this is its first question.
    pub fn next(&mut self, destination: &Destination, starting: bool, now: Now) -> Next<J> {
        let Some(line) = self.destinations.get_mut(destination) else {
            return Next::Nothing;
        };
        if starting {
            line.starting = line.starting.saturating_sub(1);
        }
        // Down, and others have found out meanwhile.
        let down = line.memory.allowed(now.steady) == 0;
        let next = if down && !self.bypassed.contains(destination) {
            Next::Nothing
        } else if let Some((_, job)) = line.ready.pop_front() {
            Next::Job(job)
        } else if let Some((_, lane)) = line.due.pop_first() {
            line.starting += 1;
            self.set(&lane, State::Claiming(None));
            Next::Claim(lane)
        } else if line.starting > 0 {
            Next::Wait
        } else {
            Next::Nothing
        };
        self.refresh(destination, now);
        next
    }

    /// A claim is done: its jobs, each with its destination, and when the lane's next recipient is due. Jobs for a destination that
    /// went down meanwhile come back, as from [`Lanes::learn`].
    #[must_use]
    pub fn claimed(
        &mut self,
        lane: &str,
        jobs: impl IntoIterator<Item = (Destination, J)>,
        next: Option<UnixMs>,
        now: Now,
    ) -> Vec<J> {
        let Some(record) = self.lanes.get(lane) else {
            return jobs.into_iter().map(|(_, job)| job).collect();
        };
        let destination = record.destination.clone();
        let meanwhile = match record.state {
            State::Claiming(meanwhile) => meanwhile,
            State::Due | State::Later(_) => None,
        };
        if let Some(line) = self.destinations.get_mut(&destination) {
            line.starting = line.starting.saturating_sub(1);
        }
        let mut returned = Vec::new();
        for (to, job) in jobs {
            let line = self.line(&to);
            if line.memory.allowed(now.steady) == 0 {
                returned.push(job);
            } else {
                line.ready.push_back((now.steady, job));
            }
            self.refresh(&to, now);
        }
        match [next, meanwhile].into_iter().flatten().min() {
            Some(due) => self.place(lane, &destination, due, now),
            None => self.forget(lane, &destination),
        }
        self.refresh(&destination, now);
        returned
    }

    /// What an attempt taught of a destination. The jobs that were ready for it come back when it is down: give their claims back, and
    /// tell [`Lanes::work`] of their lanes.
    #[must_use]
    pub fn learn(&mut self, destination: &Destination, signal: Signal, jitter: u8, now: Now) -> Vec<J> {
        let line = self.line(destination);
        line.memory.learn(signal, now.steady, jitter);
        let returned = if line.memory.allowed(now.steady) == 0 {
            line.ready.drain(..).map(|(_, job)| job).collect()
        } else {
            Vec::new()
        };
        self.refresh(destination, now);
        returned
    }

    /// A connection to `destination` is gone. `starting` is whether it never asked what to do.
    pub fn ended(&mut self, destination: &Destination, starting: bool, now: Now) {
        self.running = self.running.saturating_sub(1);
        if let Some(line) = self.destinations.get_mut(destination) {
            line.connections = line.connections.saturating_sub(1);
            if starting {
                line.starting = line.starting.saturating_sub(1);
            }
            if line.troubled > line.connections {
                line.troubled -= 1;
                self.running_troubled = self.running_troubled.saturating_sub(1);
            }
        }
        self.refresh(destination, now);
    }

    /// A connection to `destination` begins to wait for work, or ends waiting.
    pub fn idle(&mut self, destination: &Destination, waits: bool, now: Now) {
        if let Some(line) = self.destinations.get_mut(destination) {
            line.idle = if waits {
                line.idle + 1
            } else {
                line.idle.saturating_sub(1)
            };
        }
        self.refresh(destination, now);
    }

    /// Destinations whose idle connections have work since the last call: wake them.
    pub fn calls(&mut self) -> Vec<Destination> {
        std::mem::take(&mut self.calls)
    }

    /// Whether a destination could use a connection.
    pub fn somebody_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a destination is left alone now.
    pub fn is_parked(&self, destination: &Destination, now: Now) -> bool {
        self.destinations
            .get(destination)
            .is_some_and(|line| line.memory.allowed(now.steady) == 0)
    }

    /// Destinations that are left alone, and until when; the first to be tried again first.
    pub fn parked(&self) -> impl Iterator<Item = (Monotonic, &Destination)> {
        self.parked
            .iter()
            .map(|(until, destination)| (*until, destination))
    }

    /// For how long a destination is still left alone.
    pub fn pause_of(&self, destination: &Destination, now: Now) -> Option<Duration> {
        let until = self.destinations.get(destination)?.parked?;
        Some(until.0.saturating_sub(now.steady.0))
    }

    /// Whether somebody else could use this connection's place: then it should end when its job is done.
    pub fn others_wait(&self, slow: u32) -> bool {
        let busy = self.running.saturating_sub(slow);
        busy >= self.most.connections && self.of_class_exists(Class::Well)
    }

    /// An operator wants everything that goes there to be tried now.
    pub fn forgive(&mut self, destination: &Destination, now: Now) {
        if let Some(line) = self.destinations.get_mut(destination) {
            line.memory.forgive();
        }
        self.refresh(destination, now);
    }

    /// When [`Lanes::advance`] has something to do: a wall time and a monotonic one.
    pub fn wake(&self) -> (Option<UnixMs>, Option<Monotonic>) {
        let parked = self.parked.first().map(|(until, _)| *until);
        let unserved = self
            .unserved
            .first()
            .map(|(since, _)| Monotonic(since.0 + READY_LONGEST));
        (
            self.later.first().map(|(due, _)| *due),
            parked.into_iter().chain(unserved).min(),
        )
    }

    /// Connections now.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// Whether a destination may get jobs from a lane that leads elsewhere first: it is not left alone, and has few.
    pub fn has_room(&self, destination: &Destination, now: Now) -> bool {
        let line = self.destinations.get(destination);
        line.is_none_or(|line| line.memory.allowed(now.steady) > 0 && line.ready.len() < READY_FROM_ELSEWHERE)
    }

    /// Jobs that wait for a connection.
    pub fn ready(&self) -> usize {
        self.destinations.values().map(|line| line.ready.len()).sum()
    }

    /// Records held: lanes and destinations.
    pub fn records(&self) -> (usize, usize) {
        (self.lanes.len(), self.destinations.len())
    }

    fn name_of(&self, lane: &str) -> Arc<str> {
        self.lanes
            .get_key_value(lane)
            .map_or_else(|| lane.into(), |(name, _)| name.clone())
    }

    fn set(&mut self, lane: &str, state: State) {
        if let Some(record) = self.lanes.get_mut(lane) {
            record.state = state;
        }
    }

    /// Puts a lane where its due time says; it is in neither list before.
    fn place(&mut self, lane: &str, destination: &Destination, due: UnixMs, now: Now) {
        let name = self.name_of(lane);
        let state = if due <= now.wall {
            self.turn += 1;
            let turn = self.turn;
            self.line(destination).due.insert(turn, name.clone());
            State::Due
        } else {
            self.later.insert((due, name.clone()));
            State::Later(due)
        };
        let before = self.lanes.insert(
            name,
            Lane {
                destination: destination.clone(),
                state,
            },
        );
        match before {
            Some(before) if before.destination == *destination => {}
            other => {
                self.line(destination).lanes += 1;
                if let Some(before) = other {
                    self.one_lane_less(&before.destination);
                    self.refresh(&before.destination, now);
                }
            }
        }
        self.refresh(destination, now);
    }

    fn forget(&mut self, lane: &str, destination: &Destination) {
        if self.lanes.remove(lane).is_some() {
            self.one_lane_less(destination);
        }
    }

    fn one_lane_less(&mut self, destination: &Destination) {
        if let Some(line) = self.destinations.get_mut(destination) {
            line.lanes = line.lanes.saturating_sub(1);
        }
    }

    fn line(&mut self, destination: &Destination) -> &mut Line<J> {
        let (most, turn) = (self.most.to_one, self.turn);
        self.destinations
            .entry(destination.clone())
            .or_insert_with(|| Line::new(most, turn))
    }

    /// Lists a destination where it belongs now, or forgets it.
    fn refresh(&mut self, destination: &Destination, now: Now) {
        let Some(line) = self.destinations.get_mut(destination) else {
            return;
        };
        if let Some((class, served)) = line.listed.take() {
            self.waiting.remove(&(class, served, destination.clone()));
        }
        if let Some(until) = line.parked.take() {
            self.parked.remove(&(until, destination.clone()));
        }
        let pause = line.memory.parked_until().filter(|until| *until > now.steady);
        if let Some(until) = pause {
            line.parked = Some(until);
            self.parked.insert((until, destination.clone()));
        }
        if let Some(since) = line.unserved.take() {
            self.unserved.remove(&(since, destination.clone()));
        }
        if let Some((since, _)) = line.ready.front() {
            line.unserved = Some(*since);
            self.unserved.insert((*since, destination.clone()));
        }
        if let Some(class) = line.class(now, self.bypassed.contains(destination)) {
            line.listed = Some((class, line.served));
            self.waiting.insert((class, line.served, destination.clone()));
        }
        if line.idle > 0 && line.has_work() {
            self.calls.push(destination.clone());
        }
        if line.is_forgettable() {
            self.destinations.remove(destination);
        }
    }
}

impl<J> Line<J> {
    fn new(most: u32, turn: u64) -> Self {
        Self {
            memory: Memory::new(most),
            due: BTreeMap::new(),
            ready: VecDeque::new(),
            connections: 0,
            troubled: 0,
            starting: 0,
            idle: 0,
            served: turn,
            lanes: 0,
            listed: None,
            parked: None,
            unserved: None,
        }
    }

    fn has_work(&self) -> bool {
        !self.due.is_empty() || !self.ready.is_empty()
    }

    /// Whether and how it could use another connection.
    fn class(&self, now: Now, bypassed: bool) -> Option<Class> {
        let allowed = self.memory.allowed(now.steady).max(u32::from(bypassed));
        let taken = self.starting > 0 || self.idle > 0 || self.connections >= allowed;
        if !self.has_work() || taken {
            return None;
        }
        match self.connections {
            0 if self.memory.is_troubled() => Some(Class::Troubled),
            0 => Some(Class::Well),
            // Opening one costs more than waiting for a short while.
            few if few < CONNECTIONS_AT_FIRST => Some(Class::More),
            some => (self.ready.len() + self.due.len() >= some as usize).then_some(Class::More),
        }
    }

    fn is_forgettable(&self) -> bool {
        self.lanes == 0 && self.ready.is_empty() && self.connections == 0 && self.starting == 0
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
