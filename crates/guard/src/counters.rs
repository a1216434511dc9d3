//! The counters: pure, with the time as an argument.

use std::time::Duration;

use world::clock::Monotonic;

use crate::limits::{
    FAILURES, FAILURES_TRUSTED, GUESSING, MINUTE, RESERVE_PERCENT, SIGN_IN, SOURCES, STRANGER_A_MINUTE,
    STRANGER_AT_ONCE, TRUST, TRUSTED, UNKNOWN, UNKNOWN_EVER, USER_A_MINUTE, USER_AT_ONCE,
};
use crate::recent::Recent;
use crate::source::Source;

/// Whose door it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// other servers, and local programs
    Stranger,
    /// our own users: submission and reading
    User,
}

/// Why a connection has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// every place is taken, or every one that strangers may take
    House,
    /// this address has too many connections at once
    AtOnce,
    /// this address connects too often
    TooOften,
}

/// A count that begins anew when its window is over.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    began: Option<Monotonic>,
    count: u32,
}

impl Window {
    fn count(&self, now: Monotonic, length: Duration) -> u32 {
        match self.began {
            Some(began) if now.0.saturating_sub(began.0) < length => self.count,
            _ => 0,
        }
    }

    fn add(&mut self, now: Monotonic, length: Duration) -> u32 {
        if self.count(now, length) == 0 {
            *self = Self {
                began: Some(now),
                count: 0,
            };
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}

/// What is known of one address.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    open: [u32; 2],
    connects: [Window; 2],
    unknown: Window,
    existing: Window,
    failures: Window,
    /// sent away until
    guessing_until: Option<Monotonic>,
    /// may not sign in until
    braked_until: Option<Monotonic>,
}

/// All counters.
#[derive(Debug)]
pub struct Counters {
    places: u64,
    open: u64,
    sources: Recent<Known>,
    trusted: Recent<Monotonic>,
}

impl Counters {
    /// For a house of `places` connections.
    pub fn new(places: u64) -> Self {
        Self {
            places,
            open: 0,
            sources: Recent::new(SOURCES),
            trusted: Recent::new(TRUSTED),
        }
    }

    /// Connections with a place.
    pub fn open(&self) -> u64 {
        self.open
    }

    /// Places that strangers may take, of all.
    fn places_for(&self, class: Class) -> u64 {
        match class {
            Class::User => self.places,
            Class::Stranger => self.places - (self.places * RESERVE_PERCENT).div_ceil(100),
        }
    }

    /// A place for a connection, which [`Counters::leave`] gives back. `counted` is false where an address has no limits.
    ///
    /// # Errors
    /// When there is none.
    pub fn enter(
        &mut self,
        source: Source,
        class: Class,
        counted: bool,
        now: Monotonic,
    ) -> Result<(), Refused> {
        if self.open >= self.places_for(class) {
            return Err(Refused::House);
        }
        let (at_once, a_minute) = match class {
            Class::Stranger => (STRANGER_AT_ONCE, STRANGER_A_MINUTE),
            Class::User => (USER_AT_ONCE, USER_A_MINUTE),
        };
        let taken = !counted
            || self
                .sources
                .update(source, |known| {
                    let slot = class as usize;
                    // Also a refused attempt counts: whoever hammers at the door waits until they stop.
                    let connects = known.connects[slot].add(now, MINUTE);
                    let outcome = if known.open[slot] >= at_once {
                        Err(Refused::AtOnce)
                    } else if connects > a_minute {
                        Err(Refused::TooOften)
                    } else {
                        known.open[slot] += 1;
                        Ok(())
                    };
                    (outcome, known.open != [0, 0])
                })
                .map(|()| true)?;
        if taken {
            self.open += 1;
        }
        Ok(())
    }

    /// Gives back what [`Counters::enter`] gave.
    pub fn leave(&mut self, source: Source, class: Class, counted: bool) {
        self.open = self.open.saturating_sub(1);
        if counted {
            self.sources.update(source, |known| {
                let open = &mut known.open[class as usize];
                *open = open.saturating_sub(1);
                ((), known.open != [0, 0])
            });
        }
    }

    /// Whether an address may name recipients.
    pub fn may_name(&self, source: Source, now: Monotonic) -> bool {
        let until = self.sources.get(source).and_then(|known| known.guessing_until);
        until.is_none_or(|until| now >= until)
    }

    /// An address named a recipient. False when it is one too many that does not exist: it is sent away from now on.
    pub fn named(&mut self, source: Source, exists: bool, now: Monotonic) -> bool {
        self.sources.update(source, |known| {
            let outcome = if exists {
                known.existing.add(now, GUESSING);
                true
            } else {
                let unknown = known.unknown.add(now, GUESSING);
                let existing = known.existing.count(now, GUESSING);
                let guesses = unknown > UNKNOWN_EVER || (unknown > UNKNOWN && unknown > existing);
                if guesses {
                    known.guessing_until = Some(Monotonic(now.0 + GUESSING));
                }
                !guesses
            };
            (outcome, known.open != [0, 0])
        })
    }

    /// Whether an address may try a password.
    pub fn may_sign_in(&self, source: Source, now: Monotonic) -> bool {
        let until = self.sources.get(source).and_then(|known| known.braked_until);
        until.is_none_or(|until| now >= until)
    }

    /// A password was right.
    pub fn signed_in(&mut self, source: Source, now: Monotonic) {
        self.trusted.update(source, |at| {
            *at = now;
            ((), false)
        });
    }

    /// A password was wrong. False when it was one too many: the address waits from now on.
    pub fn failed(&mut self, source: Source, now: Monotonic) -> bool {
        let trusted = self.trusted.get(source);
        let trusted = trusted.is_some_and(|at| now.0.saturating_sub(at.0) < TRUST);
        let most = if trusted { FAILURES_TRUSTED } else { FAILURES };
        self.sources.update(source, |known| {
            let brakes = known.failures.add(now, SIGN_IN) >= most;
            if brakes {
                known.braked_until = Some(Monotonic(now.0 + SIGN_IN));
                known.failures = Window::default();
            }
            (!brakes, known.open != [0, 0])
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn source(number: u32) -> Source {
        Source::V4(Ipv4Addr::from(number))
    }

    #[test]
    fn smt_5_one_address_has_a_number_of_places_and_leaves_the_others_theirs() {
        let mut counters = Counters::new(1000);
        for _ in 0..STRANGER_AT_ONCE {
            counters.enter(source(1), Class::Stranger, true, at(0)).unwrap();
        }
        assert_eq!(
            counters.enter(source(1), Class::Stranger, true, at(0)),
            Err(Refused::AtOnce)
        );
        assert_eq!(counters.enter(source(2), Class::Stranger, true, at(0)), Ok(()));
        assert_eq!(
            counters.enter(source(1), Class::User, true, at(0)),
            Ok(()),
            "other doors count for themselves"
        );
        counters.leave(source(1), Class::Stranger, true);
        assert_eq!(counters.enter(source(1), Class::Stranger, true, at(0)), Ok(()));
        assert_eq!(counters.open(), u64::from(STRANGER_AT_ONCE) + 2);
    }

    #[test]
    fn smt_5_an_address_that_hammers_waits_until_it_stops() {
        let mut counters = Counters::new(1000);
        for _ in 0..STRANGER_A_MINUTE {
            counters.enter(source(1), Class::Stranger, true, at(0)).unwrap();
            counters.leave(source(1), Class::Stranger, true);
        }
        assert_eq!(
            counters.enter(source(1), Class::Stranger, true, at(59)),
            Err(Refused::TooOften)
        );
        assert_eq!(counters.enter(source(1), Class::Stranger, true, at(60)), Ok(()));
    }

    #[test]
    fn smt_5_strangers_are_refused_while_users_still_find_a_place() {
        let mut counters = Counters::new(100);
        let mut inside = 0;
        while counters
            .enter(source(inside), Class::Stranger, true, at(0))
            .is_ok()
        {
            inside += 1;
        }
        assert_eq!(inside, 75);
        for number in 0..25 {
            assert_eq!(counters.enter(source(number), Class::User, true, at(0)), Ok(()));
        }
        assert_eq!(
            counters.enter(source(0), Class::User, true, at(0)),
            Err(Refused::House)
        );
        counters.leave(source(0), Class::User, true);
        assert_eq!(
            counters.enter(source(0), Class::Stranger, true, at(0)),
            Err(Refused::House)
        );
        assert_eq!(counters.enter(source(0), Class::User, true, at(0)), Ok(()));
    }

    #[test]
    fn smt_5_addresses_without_limits_take_places_all_the_same() {
        let mut counters = Counters::new(400);
        for _ in 0..300 {
            counters.enter(source(1), Class::Stranger, false, at(0)).unwrap();
        }
        assert_eq!(
            counters.enter(source(1), Class::Stranger, false, at(0)),
            Err(Refused::House)
        );
        counters.leave(source(1), Class::Stranger, false);
        assert_eq!(counters.open(), 299);
    }

    #[test]
    fn smt_5_memory_is_bounded_and_whoever_is_connected_is_not_forgotten() {
        let mut counters = Counters::new(1000);
        for _ in 0..STRANGER_AT_ONCE {
            counters.enter(source(0), Class::Stranger, true, at(0)).unwrap();
        }
        for number in 1..200_000 {
            counters
                .enter(source(number), Class::Stranger, true, at(0))
                .unwrap();
            counters.leave(source(number), Class::Stranger, true);
        }
        assert!(counters.sources.len() <= SOURCES + 1);
        assert_eq!(
            counters.enter(source(0), Class::Stranger, true, at(0)),
            Err(Refused::AtOnce)
        );
    }

    #[test]
    fn smt_7_guesses_count_over_sessions_and_end_after_an_hour() {
        let mut counters = Counters::new(10);
        for _ in 0..UNKNOWN {
            assert!(counters.named(source(1), false, at(0)));
        }
        assert!(counters.may_name(source(1), at(0)));
        assert!(!counters.named(source(1), false, at(1)));
        assert!(!counters.may_name(source(1), at(3600)));
        assert!(counters.may_name(source(2), at(2)), "only this address");
        assert!(counters.may_name(source(1), at(3601)));
        assert!(counters.named(source(1), false, at(3601)), "and it begins anew");
    }

    #[test]
    fn smt_7_an_old_list_is_no_guessing_up_to_a_point() {
        let mut counters = Counters::new(10);
        for _ in 0..500 {
            counters.named(source(1), true, at(0));
        }
        for _ in 0..UNKNOWN_EVER {
            assert!(counters.named(source(1), false, at(0)));
        }
        assert!(!counters.named(source(1), false, at(0)));
    }

    #[test]
    fn wrong_passwords_make_an_address_wait_and_an_owner_has_more_of_them() {
        let mut counters = Counters::new(10);
        for _ in 1..FAILURES {
            assert!(counters.failed(source(1), at(0)));
        }
        assert!(counters.may_sign_in(source(1), at(0)));
        assert!(!counters.failed(source(1), at(1)));
        assert!(!counters.may_sign_in(source(1), at(600)));
        assert!(counters.may_sign_in(source(1), at(601)));
        counters.signed_in(source(2), at(0));
        for _ in 1..FAILURES_TRUSTED {
            assert!(counters.failed(source(2), at(10)));
        }
        assert!(!counters.failed(source(2), at(10)));
        counters.signed_in(source(3), at(0));
        let later = 8 * 24 * 3600;
        for _ in 1..FAILURES {
            assert!(counters.failed(source(3), at(later)));
        }
        assert!(!counters.failed(source(3), at(later)), "trust ends after a week");
    }

    proptest::proptest! {
        #[test]
        fn smt_5_places_are_never_lost_nor_made(steps in proptest::collection::vec((0u32..4, proptest::bool::ANY, proptest::bool::ANY), 0..200)) {
            let mut counters = Counters::new(20);
            let mut inside = Vec::new();
            for (number, user, enters) in steps {
                let class = if user { Class::User } else { Class::Stranger };
                if enters {
                    if counters.enter(source(number), class, number != 0, at(0)).is_ok() {
                        inside.push((number, class));
                    }
                } else if let Some((number, class)) = inside.pop() {
                    counters.leave(source(number), class, number != 0);
                }
                proptest::prop_assert_eq!(counters.open(), inside.len() as u64);
                proptest::prop_assert!(inside.len() <= 20);
            }
        }
    }
}
