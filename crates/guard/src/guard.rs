//! The counters behind a lock, with a clock, and a log that they cannot flood.

use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use world::clock::Clock;
use world::events::Events;

use crate::counters::{Class, Counters, Refused};
use crate::events::GuardEvent;
use crate::limits::MINUTE;
use crate::source::Source;

/// What can be set.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// most connections, over all doors
    pub places: u64,
    /// nothing is counted for an address: the demo alone
    pub lifted: bool,
}

/// Counts for all doors.
pub struct Guard {
    settings: Settings,
    counters: Mutex<Counters>,
    told: Mutex<Told>,
    clock: Arc<dyn Clock>,
    events: Arc<dyn Events>,
}

/// When each kind of refusal was told last, so that a flood of connections is no flood of lines.
#[derive(Default)]
struct Told {
    last: [Option<world::clock::Monotonic>; 3],
    silent: [u64; 3],
}

/// A place for a connection. Dropping it gives it back.
pub struct Place {
    guard: Arc<Guard>,
    source: Source,
    class: Class,
    counted: bool,
}

impl Guard {
    /// With nobody inside.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, events: Arc<dyn Events>) -> Arc<Self> {
        Arc::new(Self {
            settings,
            counters: Mutex::new(Counters::new(settings.places)),
            told: Mutex::default(),
            clock,
            events,
        })
    }

    /// Connections with a place.
    pub fn open(&self) -> u64 {
        self.counters.lock().open()
    }

    /// Most connections.
    pub fn places(&self) -> u64 {
        self.settings.places
    }

    /// A place for a connection from `peer`.
    ///
    /// # Errors
    /// When there is none, for the house or for this address.
    pub fn admit(self: &Arc<Self>, peer: IpAddr, class: Class) -> Result<Place, Refused> {
        let (source, counted, now) = (Source::of(peer), self.counts(peer), self.clock.monotonic());
        let entered = self.counters.lock().enter(source, class, counted, now);
        if let Err(refused) = entered {
            self.tell(source, refused);
            return Err(refused);
        }
        Ok(Place {
            guard: self.clone(),
            source,
            class,
            counted,
        })
    }

    /// Whether a stranger at `peer` may name recipients.
    pub fn may_name(&self, peer: IpAddr) -> bool {
        !self.counts(peer)
            || self
                .counters
                .lock()
                .may_name(Source::of(peer), self.clock.monotonic())
    }

    /// A stranger at `peer` named somebody. False when it named one too many who does not exist.
    pub fn named(&self, peer: IpAddr, exists: bool) -> bool {
        if !self.counts(peer) {
            return true;
        }
        let (source, now) = (Source::of(peer), self.clock.monotonic());
        let fine = self.counters.lock().named(source, exists, now);
        if !fine {
            self.events.emit(&GuardEvent::Guessing { source });
        }
        fine
    }

    /// Whether somebody at `peer` may try a password.
    pub fn may_sign_in(&self, peer: IpAddr) -> bool {
        !self.counts(peer)
            || self
                .counters
                .lock()
                .may_sign_in(Source::of(peer), self.clock.monotonic())
    }

    /// Somebody at `peer` signed in.
    pub fn signed_in(&self, peer: IpAddr) {
        if self.counts(peer) {
            self.counters
                .lock()
                .signed_in(Source::of(peer), self.clock.monotonic());
        }
    }

    /// Somebody at `peer` gave a wrong name or password.
    pub fn failed(&self, peer: IpAddr) {
        if !self.counts(peer) {
            return;
        }
        let (source, now) = (Source::of(peer), self.clock.monotonic());
        if !self.counters.lock().failed(source, now) {
            self.events.emit(&GuardEvent::SignInBraked { source });
        }
    }

    /// This machine is nobody's attacker: what comes from it was let in before.
    fn counts(&self, peer: IpAddr) -> bool {
        !self.settings.lifted && !peer.to_canonical().is_loopback()
    }

    fn tell(&self, source: Source, refused: Refused) {
        let now = self.clock.monotonic();
        let mut told = self.told.lock();
        let kind = refused as usize;
        let is_new = told.last[kind].is_none_or(|last| now.0.saturating_sub(last.0) >= MINUTE);
        if !is_new {
            told.silent[kind] += 1;
            return;
        }
        let silent = std::mem::take(&mut told.silent[kind]);
        told.last[kind] = Some(now);
        drop(told);
        self.events.emit(&GuardEvent::Refused {
            source,
            refused,
            places: self.settings.places,
            silent,
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.guard
            .counters
            .lock()
            .leave(self.source, self.class, self.counted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::clock::SimClock;
    use testkit::events::CollectEvents;

    fn guard(places: u64, lifted: bool) -> (Arc<Guard>, SimClock, Arc<CollectEvents>) {
        let (clock, events) = (SimClock::new(), Arc::new(CollectEvents::new()));
        let settings = Settings { places, lifted };
        (Guard::new(settings, clock.door(), events.clone()), clock, events)
    }

    #[tokio::test]
    async fn smt_5_a_flood_of_connections_is_no_flood_of_lines() {
        let (guard, clock, events) = guard(10, false);
        let peer = "192.0.2.1".parse().unwrap();
        let inside: Vec<_> = (0..7).map(|_| guard.admit(peer, Class::Stranger)).collect();
        assert!(inside.iter().all(Result::is_ok));
        for _ in 0..1000 {
            assert!(matches!(guard.admit(peer, Class::Stranger), Err(Refused::House)));
        }
        assert_eq!(events.named("guard.refused").len(), 1);
        clock.advance(MINUTE).await;
        let _ = guard.admit(peer, Class::Stranger);
        let told = events.named("guard.refused");
        assert_eq!(told.len(), 2);
        assert_eq!(told[1].number("silent"), Some(999));
        drop(inside);
        assert_eq!(guard.open(), 0);
    }

    #[test]
    fn smt_7_this_machine_and_the_demo_are_not_counted() {
        for (lifted, peer) in [(true, "192.0.2.1"), (false, "127.0.0.1"), (false, "::1")] {
            let (guard, _, _) = guard(10, lifted);
            let peer = peer.parse().unwrap();
            for _ in 0..1000 {
                assert!(guard.named(peer, false));
                guard.failed(peer);
            }
            assert!(guard.may_name(peer) && guard.may_sign_in(peer));
        }
    }

    #[test]
    fn smt_7_an_address_that_guesses_is_told_of_once_for_each_time() {
        let (guard, _, events) = guard(10, false);
        let peer = "2001:db8::1".parse().unwrap();
        while guard.named(peer, false) {}
        assert!(!guard.may_name("2001:db8::2".parse().unwrap()), "the whole line");
        let told = events.named("guard.guessing");
        assert_eq!(told[0].text("address"), Some("2001:db8::/64"));
    }
}
