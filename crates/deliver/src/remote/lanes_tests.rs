//! A small world around [`Lanes`]: destinations that answer, that hang and that are dead; time in steps. No I/O.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::limits::LANE_CLAIMS;

const START_MS: u64 = 1_000_000;

fn now(ms: u64) -> Now {
    Now {
        wall: UnixMs(START_MS + ms),
        steady: Monotonic(Duration::from_millis(ms)),
    }
}

fn most(connections: u32, to_one: u32) -> Most {
    Most { connections, to_one }
}

/// How a destination behaves.
#[derive(Debug, Clone, Copy)]
enum Host {
    /// takes a message in so many milliseconds
    Takes(u64),
    /// hangs so long, and then nothing came of it
    Dead(u64),
}

/// Messages by lane (a name), and what happened to them.
struct World {
    lanes: Lanes<&'static str>,
    hosts: HashMap<&'static str, Host>,
    waiting: BTreeMap<&'static str, usize>,
    /// busy connections: when each is done
    busy: Vec<(u64, &'static str, &'static str, u64)>,
    ms: u64,
    /// when the first message of each lane was taken
    first: HashMap<&'static str, u64>,
    taken: HashMap<&'static str, usize>,
    most_ready: usize,
    most_lanes: usize,
    /// where the next look at all lanes begins
    begin: &'static str,
}

/// `destination` of `destination sender`.
fn destination(lane: &str) -> Destination {
    lane.split(' ').next().unwrap().into()
}

impl World {
    fn new(most: Most, hosts: &[(&'static str, Host)]) -> Self {
        Self {
            lanes: Lanes::new(most),
            hosts: hosts.iter().copied().collect(),
            waiting: BTreeMap::new(),
            busy: Vec::new(),
            ms: 0,
            first: HashMap::new(),
            taken: HashMap::new(),
            most_ready: 0,
            most_lanes: 0,
            begin: "",
        }
    }

    fn put(&mut self, lane: &'static str, messages: usize) {
        *self.waiting.entry(lane).or_default() += messages;
        self.lanes
            .work(lane, &destination(lane), now(self.ms).wall, now(self.ms));
    }

    /// Looks at all lanes.
    fn scan(&mut self) {
        let waiting = self.waiting.range(self.begin..);
        let lanes: Vec<&'static str> = waiting.filter(|(_, n)| **n > 0).map(|(lane, _)| *lane).collect();
        let now = now(self.ms);
        self.begin = lanes
            .into_iter()
            .find(|lane| !self.lanes.found(lane, &destination(lane), now.wall, now))
            .unwrap_or_default();
    }

    fn run(&mut self, ms: u64) {
        let end = self.ms + ms;
        while self.ms < end {
            self.ms += 100;
            self.finish();
            if self.lanes.left_out(self.ms.is_multiple_of(30_000)) {
                self.scan();
            }
            self.most_lanes = self.most_lanes.max(self.lanes.records().0);
            self.start();
            self.most_ready = self.most_ready.max(self.lanes.ready());
        }
    }

    fn finish(&mut self) {
        let (done, busy) = self.busy.drain(..).partition(|(at, ..)| *at <= self.ms);
        self.busy = busy;
        let done: Vec<(u64, &'static str, &'static str, u64)> = done;
        for (_, to, lane, _) in done {
            let signal = match self.hosts[to] {
                Host::Takes(_) => {
                    self.first.entry(lane).or_insert(self.ms);
                    *self.taken.entry(lane).or_default() += 1;
                    Signal::Well
                }
                Host::Dead(_) => {
                    *self.waiting.entry(lane).or_default() += 1;
                    self.lanes.work(lane, &to.into(), now(self.ms).wall, now(self.ms));
                    Signal::Down
                }
            };
            let returned = self.lanes.learn(&to.into(), signal, 128, now(self.ms));
            self.give_back(returned);
            self.next(to, false);
        }
    }

    fn slow(&self) -> u32 {
        let slow = self.busy.iter().filter(|(.., since)| self.ms - since > 2000);
        u32::try_from(slow.count()).unwrap()
    }

    fn give_back(&mut self, returned: Vec<&'static str>) {
        for lane in returned {
            *self.waiting.entry(lane).or_default() += 1;
            self.lanes
                .work(lane, &destination(lane), now(self.ms).wall, now(self.ms));
        }
    }

    fn start(&mut self) {
        let unserved = self.lanes.advance(now(self.ms));
        self.give_back(unserved);
        while let Some(to) = self.lanes.start(self.slow(), now(self.ms)) {
            let to = *self.hosts.keys().find(|host| **host == to.as_str()).unwrap();
            self.next(to, true);
        }
    }

    /// A connection asks for work until it has some, or leaves.
    fn next(&mut self, to: &'static str, mut starting: bool) {
        loop {
            match self.lanes.next(&to.into(), starting, now(self.ms)) {
                Next::Job(lane) => {
                    let (Host::Takes(ms) | Host::Dead(ms)) = self.hosts[to];
                    self.busy.push((self.ms + ms, to, lane, self.ms));
                    return;
                }
                Next::Claim(lane) => self.claim(&lane, to),
                Next::Wait | Next::Nothing => {
                    self.lanes.ended(&to.into(), false, now(self.ms));
                    return;
                }
            }
            starting = false;
        }
    }

    fn claim(&mut self, lane: &str, to: &'static str) {
        let (name, waiting) = self.waiting.iter_mut().find(|(name, _)| **name == lane).unwrap();
        let name = *name;
        let count = (*waiting).min(LANE_CLAIMS);
        *waiting -= count;
        let next = (*waiting > 0).then_some(now(self.ms).wall);
        let jobs = (0..count).map(|_| (Destination::from(to), name));
        let returned = self
            .lanes
            .claimed(lane, jobs.collect::<Vec<_>>(), next, now(self.ms));
        self.give_back(returned);
    }
}

#[test]
fn q_8_a_dead_domain_with_a_hundred_thousand_does_not_hold_up_a_healthy_one() {
    let hosts = [("dead", Host::Dead(30_000)), ("well", Host::Takes(100))];
    let mut world = World::new(most(100, 20), &hosts);
    world.put("dead a", 100_000);
    world.run(60_000);
    world.put("well b", 1);
    world.run(1000);
    assert!(world.first.contains_key("well b"));
    assert!(world.most_ready <= 2 * LANE_CLAIMS, "{}", world.most_ready);
    assert!(world.lanes.records().0 <= 2);
}

#[test]
fn q_8_hundreds_of_dead_domains_do_not_hold_up_a_healthy_one() {
    let names: Vec<&'static str> = (0..1000).map(|n| &*format!("dead{n}").leak()).collect();
    let mut hosts: Vec<(&'static str, Host)> = names.iter().map(|name| (*name, Host::Dead(30_000))).collect();
    hosts.push(("well", Host::Takes(100)));
    hosts.push(("later", Host::Takes(100)));
    let mut world = World::new(most(100, 20), &hosts);
    for name in &names {
        world.put(format!("{name} a").leak(), 100);
    }
    // While nobody knows yet that they are dead …
    world.run(1000);
    world.put("well b", 1);
    let put = world.ms;
    world.run(5000);
    assert!(
        world.first.get("well b").is_some_and(|at| at - put <= 5000),
        "{:?}",
        world.first
    );
    // … and afterwards.
    world.run(120_000);
    world.put("later b", 1);
    let put = world.ms;
    world.run(5000);
    assert!(
        world.first.get("later b").is_some_and(|at| at - put <= 5000),
        "{:?}",
        world.first
    );
}

#[test]
fn q_6_fifty_drippers_do_not_hold_up_a_healthy_one() {
    let names: Vec<&'static str> = (0..50).map(|n| &*format!("drip{n}").leak()).collect();
    let mut hosts: Vec<(&'static str, Host)> =
        names.iter().map(|name| (*name, Host::Dead(300_000))).collect();
    hosts.push(("well", Host::Takes(100)));
    let mut world = World::new(most(100, 20), &hosts);
    for name in &names {
        world.put(format!("{name} a").leak(), 1000);
    }
    for _ in 0..20 {
        world.run(10_000);
        let before = world.taken.get("well b").copied().unwrap_or(0);
        world.put("well b", 1);
        world.run(5000);
        assert_eq!(
            world.taken.get("well b").copied().unwrap_or(0),
            before + 1,
            "at {}",
            world.ms
        );
    }
}

#[test]
fn a_sender_of_fifty_thousand_does_not_hold_up_another_to_the_same_domain() {
    let mut world = World::new(most(100, 2), &[("well", Host::Takes(100))]);
    world.put("well loud", 50_000);
    world.run(10_000);
    world.put("well quiet", 1);
    let put = world.ms;
    world.run(20_000);
    // Behind what was claimed before: at most two claims of the loud one.
    let waited = world.first["well quiet"] - put;
    assert!(waited <= 2 * 64 * 100 / 2 + 1000, "{waited} ms");
    let loud = world.taken["well loud"];
    world.put("well quiet", 10_000);
    world.run(100_000);
    let (loud, quiet) = (world.taken["well loud"] - loud, world.taken["well quiet"]);
    assert!(loud.abs_diff(quiet) <= 300, "{loud} {quiet}");
}

#[test]
fn q_13_after_an_outage_everything_leaves_and_never_by_too_many_connections() {
    let mut world = World::new(most(10, 5), &[("x", Host::Dead(1000))]);
    world.put("x a", 500);
    world.run(600_000);
    assert!(world.taken.is_empty());
    world.hosts.insert("x", Host::Takes(100));
    for _ in 0..40 {
        world.run(60_000);
        assert!(world.lanes.running() <= 5);
    }
    assert_eq!(world.taken["x a"], 500);
    assert_eq!(world.lanes.records(), (0, 0), "nothing is left behind");
}

/// A world with room for few lanes, `dead` of them to hosts that hang for 10 s.
fn crowded(room: usize, dead: usize, well: usize) -> World {
    let names = |kind: &str, count: usize| -> Vec<&'static str> {
        (0..count).map(|n| &*format!("{kind}{n}").leak()).collect()
    };
    let (dead, well) = (names("dead", dead), names("well", well));
    let mut hosts: Vec<(&'static str, Host)> = dead.iter().map(|name| (*name, Host::Dead(10_000))).collect();
    hosts.extend(well.iter().map(|name| (*name, Host::Takes(100))));
    hosts.push(("new", Host::Takes(100)));
    let mut world = World::new(most(20, 5), &hosts);
    world.lanes = Lanes::new(most(20, 5)).with_room(room);
    for name in dead.iter().chain(&well) {
        world.put(format!("{name} a").leak(), 1);
    }
    world
}

#[test]
fn q_8_too_many_lanes_are_left_out_and_found_again() {
    let mut world = crowded(50, 200, 200);
    assert!(world.lanes.records().0 <= 50);
    world.run(600_000);
    let taken = world.taken.values().sum::<usize>();
    assert_eq!(taken, 200, "everybody who can be reached");
    assert!(world.most_lanes <= 50, "{}", world.most_lanes);
}

#[test]
fn q_8_news_does_not_wait_behind_lanes_that_were_left_out() {
    let mut world = crowded(50, 1000, 0);
    for _ in 0..5 {
        world.run(20_000);
        let before = world.taken.get("new b").copied().unwrap_or(0);
        world.put("new b", 1);
        world.run(15_000);
        assert_eq!(world.taken.get("new b").copied().unwrap_or(0), before + 1);
    }
    assert!(world.most_lanes <= 50, "{}", world.most_lanes);
}

#[test]
fn the_lane_that_is_due_last_makes_room() {
    let mut lanes: Lanes<u8> = Lanes::new(most(10, 5)).with_room(4);
    let dues = [
        ("a -", 9000),
        ("b -", 5000),
        ("c -", 7000),
        ("d -", 8000),
        ("e -", 6000),
        ("f -", 9500),
    ];
    for (lane, due) in dues {
        lanes.work(lane, &destination(lane), UnixMs(START_MS + due), now(0));
    }
    assert_eq!(lanes.records(), (4, 4));
    assert!(lanes.is_incomplete());
    assert!(!lanes.left_out(false), "there is no room yet");
    assert!(lanes.advance(now(7000)).is_empty());
    let mut started: Vec<Destination> = std::iter::from_fn(|| lanes.start(0, now(7000))).collect();
    started.sort();
    assert_eq!(started, ["b".into(), "c".into(), "e".into()]);
    assert!(lanes.left_out(true));
    assert!(!lanes.is_incomplete());
}

#[test]
fn work_that_is_due_later_waits_until_then() {
    let mut lanes: Lanes<u8> = Lanes::new(most(10, 5));
    lanes.work("x a", &"x".into(), UnixMs(START_MS + 5000), now(0));
    assert!(lanes.advance(now(4999)).is_empty());
    assert_eq!(lanes.start(0, now(4999)), None);
    assert_eq!(lanes.wake().0, Some(UnixMs(START_MS + 5000)));
    // Something earlier comes.
    lanes.work("x a", &"x".into(), UnixMs(START_MS + 4999), now(4999));
    assert_eq!(lanes.start(0, now(4999)), Some("x".into()));
    assert_eq!(lanes.start(0, now(4999)), None, "one begins");
}

#[test]
fn what_comes_during_a_claim_is_not_forgotten() {
    let mut lanes: Lanes<u8> = Lanes::new(most(10, 5));
    lanes.work("x a", &"x".into(), UnixMs(START_MS), now(0));
    let to = lanes.start(0, now(0)).unwrap();
    assert_eq!(lanes.next(&to, true, now(0)), Next::Claim("x a".into()));
    assert_eq!(lanes.next(&to, false, now(0)), Next::Wait);
    lanes.work("x a", &to, UnixMs(START_MS), now(0));
    assert!(lanes.claimed("x a", [], None, now(0)).is_empty());
    assert_eq!(lanes.next(&to, false, now(0)), Next::Claim("x a".into()));
    assert!(lanes.claimed("x a", [(to.clone(), 7)], None, now(0)).is_empty());
    assert_eq!(lanes.next(&to, false, now(0)), Next::Job(7));
    assert_eq!(lanes.next(&to, false, now(0)), Next::Nothing);
}

#[test]
fn q_11_who_is_claimed_while_the_destination_goes_down_is_free_again() {
    let mut lanes: Lanes<u8> = Lanes::new(most(10, 5));
    for lane in ["x a", "x b"] {
        lanes.work(lane, &"x".into(), UnixMs(START_MS), now(0));
    }
    let to = lanes.start(0, now(0)).unwrap();
    assert_eq!(lanes.next(&to, true, now(0)), Next::Claim("x a".into()));
    assert!(lanes.learn(&to, Signal::Down, 128, now(10)).is_empty());
    assert_eq!(lanes.claimed("x a", [(to.clone(), 7)], None, now(20)), [7]);
    lanes.work("x a", &to, UnixMs(START_MS), now(20));
    assert_eq!(lanes.next(&to, false, now(20)), Next::Nothing);
    assert_eq!(lanes.ready(), 0);
    // After the pause it is probed.
    lanes.ended(&to, false, now(20));
    assert!(lanes.advance(now(80_000)).is_empty());
    assert_eq!(lanes.start(0, now(80_000)), Some(to));
}

#[test]
fn q_11_a_job_that_finds_no_connection_is_free_again() {
    let mut lanes: Lanes<u8> = Lanes::new(most(10, 1));
    lanes.work("x a", &"x".into(), UnixMs(START_MS), now(0));
    let to = lanes.start(0, now(0)).unwrap();
    assert_eq!(lanes.next(&to, true, now(0)), Next::Claim("x a".into()));
    let jobs = [(to.clone(), 1), (to.clone(), 2), (to.clone(), 3)];
    assert!(lanes.claimed("x a", jobs, None, now(1000)).is_empty());
    // The first of them takes its time.
    assert_eq!(lanes.next(&to, false, now(1000)), Next::Job(1));
    let end = 1000 + u64::try_from(READY_LONGEST.as_millis()).unwrap();
    assert_eq!(lanes.wake().1, Some(now(end).steady));
    assert!(lanes.advance(now(end - 1)).is_empty());
    assert_eq!(lanes.advance(now(end)), [2, 3]);
    assert_eq!((lanes.ready(), lanes.wake().1), (0, None));
}

#[test]
fn an_idle_connection_is_called_instead_of_a_new_one() {
    let mut lanes: Lanes<u8> = Lanes::new(most(10, 5));
    lanes.work("x a", &"x".into(), UnixMs(START_MS), now(0));
    let to = lanes.start(0, now(0)).unwrap();
    assert_eq!(lanes.next(&to, true, now(0)), Next::Claim("x a".into()));
    assert!(lanes.claimed("x a", [], None, now(0)).is_empty());
    lanes.idle(&to, true, now(0));
    lanes.work("x b", &to, UnixMs(START_MS), now(0));
    assert_eq!(lanes.calls(), std::slice::from_ref(&to));
    assert_eq!(lanes.start(0, now(0)), None);
    lanes.idle(&to, false, now(0));
    assert_eq!(lanes.next(&to, false, now(0)), Next::Claim("x b".into()));
}

proptest! {
    /// Whatever hosts and loads: nothing is lost, limits hold, and what healthy hosts got is taken.
    #[test]
    fn nothing_is_lost_and_limits_hold(
        loads in proptest::collection::vec((0usize..6, 0usize..3, 1usize..200), 1..20),
        kinds in proptest::collection::vec(proptest::bool::ANY, 6),
        connections in 1u32..12,
        to_one in 1u32..6,
    ) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let hosts: Vec<(&'static str, Host)> = names.iter().zip(&kinds)
            .map(|(name, well)| (*name, if *well { Host::Takes(100) } else { Host::Dead(5000) }))
            .collect();
        let mut world = World::new(most(connections, to_one), &hosts);
        let mut put = HashMap::new();
        for (host, sender, count) in loads {
            let lane: &'static str = format!("{} {sender}", names[host]).leak();
            let lane = world.waiting.keys().copied().find(|known| *known == lane).unwrap_or(lane);
            world.put(lane, count);
            *put.entry(lane).or_insert(0) += count;
            world.run(200);
            prop_assert!(world.lanes.running() <= connections + SLOW_SHARE * connections);
        }
        world.run(400_000);
        for (lane, count) in put {
            let well = kinds[names.iter().position(|name| lane.starts_with(name)).unwrap()];
            let taken = world.taken.get(lane).copied().unwrap_or(0);
            prop_assert_eq!(taken, if well { count } else { 0 }, "{}", lane);
        }
    }
}
