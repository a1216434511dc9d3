//! Identifiers: never twice, never backwards.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mail::ids::{Id, QueueId};
use testkit::clock::{START, SimClock};
use world::ids::IdSource;

#[test]
fn identifiers_grow_also_when_the_clock_goes_back() {
    let clock = SimClock::new();
    let ids = IdSource::new(clock.door(), 3, 0);
    let mut last: QueueId = ids.next();
    assert_eq!(last.unix_ms(), START.0);
    for step in 0..20_000 {
        if step == 10_000 {
            clock.set_wall_clock(-3_600_000);
        }
        let next: QueueId = ids.next();
        assert!(next > last, "step {step}");
        assert_eq!(next.raw() >> 12 & 511, 3, "the node");
        last = next;
    }
    clock.jump(Duration::from_secs(7200));
    let later: QueueId = ids.next();
    assert_eq!(later.unix_ms(), START.0 + 3_600_000, "the clock counts again");
}

#[test]
fn a_restart_goes_on_above_everything_the_store_has_seen() {
    let clock = SimClock::new();
    let before: QueueId = IdSource::new(clock.door(), 511, 0).next();
    clock.set_wall_clock(-86_400_000);
    let after: QueueId = IdSource::new(clock.door(), 0, before.raw()).next();
    assert!(after > before);
}

#[test]
fn threads_never_get_the_same_one() {
    let ids = Arc::new(IdSource::new(SimClock::new().door(), 0, 0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let ids = Arc::clone(&ids);
            std::thread::spawn(move || (0..20_000).map(|_| ids.next::<QueueId>()).collect::<Vec<_>>())
        })
        .collect();
    let all: Vec<QueueId> = threads
        .into_iter()
        .flat_map(|thread| thread.join().expect("no panic"))
        .collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 80_000);
}
