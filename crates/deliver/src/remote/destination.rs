//! What is remembered of one destination: how many connections it bears, and whether it is left alone for a while. Pure; the
//! time is given.

use std::time::Duration;

use world::clock::Monotonic;

use super::outcome::Signal;
use crate::limits::{CONNECTIONS_AT_FIRST, PARK_FIRST, PARK_LONGEST};

/// One destination's memory. Forgotten at a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// connections it may have now
    allowed: u32,
    /// connections it may ever have
    most: u32,
    /// how often in a row it was down
    downs: u32,
    /// no new work before this
    parked_until: Option<Monotonic>,
}

impl Destination {
    /// Nothing is known yet.
    pub fn new(most: u32) -> Self {
        Self {
            allowed: CONNECTIONS_AT_FIRST.min(most.max(1)),
            most: most.max(1),
            downs: 0,
            parked_until: None,
        }
    }

    /// Connections it may have at `now`. After a pause one probes it.
    pub fn allowed(&self, now: Monotonic) -> u32 {
        match self.parked_until {
            Some(until) if now < until => 0,
            Some(_) => 1,
            None => self.allowed,
        }
    }

    /// Until when it is left alone, if it is.
    pub fn parked_until(&self) -> Option<Monotonic> {
        self.parked_until
    }

    /// Whether it was down when it was last tried.
    pub fn is_troubled(&self) -> bool {
        self.downs > 0
    }

    /// Learns from an attempt. `jitter` is chance, 0 to 255: destinations that went down together are not probed together.
    pub fn learn(&mut self, signal: Signal, now: Monotonic, jitter: u8) {
        match signal {
            Signal::Well => {
                self.allowed = match self.parked_until.take() {
                    // It is back: begin gently.
                    Some(_) => CONNECTIONS_AT_FIRST.min(self.most),
                    None => (self.allowed + 1).min(self.most),
                };
                self.downs = 0;
            }
            Signal::Busy => self.allowed = (self.allowed / 2).max(1),
            Signal::Down => {
                self.allowed = (self.allowed / 2).max(1);
                // Several connections that fail in one outage count once.
                if self.parked_until.is_none_or(|until| now >= until) {
                    self.parked_until = Some(Monotonic(now.0 + pause(self.downs, jitter)));
                    self.downs = self.downs.saturating_add(1);
                }
            }
        }
    }

    /// An operator wants it tried now.
    pub fn forgive(&mut self) {
        self.parked_until = None;
        self.downs = 0;
    }
}

/// [`PARK_FIRST`], doubling, at most [`PARK_LONGEST`], ±20 %.
fn pause(downs: u32, jitter: u8) -> Duration {
    let factor = 1u32.checked_shl(downs.min(16)).unwrap_or(u32::MAX);
    let plain = PARK_FIRST.saturating_mul(factor).min(PARK_LONGEST);
    plain * (80 * 255 + 40 * u32::from(jitter)) / (100 * 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn connections_grow_one_by_one_and_halve() {
        let mut destination = Destination::new(20);
        assert_eq!(destination.allowed(at(0)), 2);
        for _ in 0..30 {
            destination.learn(Signal::Well, at(0), 0);
        }
        assert_eq!(destination.allowed(at(0)), 20);
        for want in [10, 5, 2, 1, 1] {
            destination.learn(Signal::Busy, at(0), 0);
            assert_eq!(destination.allowed(at(0)), want);
        }
        assert_eq!(Destination::new(1).allowed(at(0)), 1);
        assert_eq!(Destination::new(0).allowed(at(0)), 1);
    }

    #[test]
    fn who_is_down_is_left_alone_longer_and_longer_and_probed_by_one() {
        let mut destination = Destination::new(20);
        let mut now = 0;
        for pause in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
            destination.learn(Signal::Down, at(now), 128);
            destination.learn(Signal::Down, at(now + 1), 128);
            assert_eq!(destination.allowed(at(now + pause * 99 / 100)), 0, "{pause}");
            now += pause * 101 / 100 + 1;
            assert_eq!(destination.allowed(at(now)), 1, "{pause}");
        }
        assert!(destination.is_troubled());
        destination.learn(Signal::Well, at(now), 0);
        assert_eq!(destination.allowed(at(now)), 2);
        assert!(!destination.is_troubled());
    }

    #[test]
    fn the_pause_varies_by_a_fifth() {
        assert_eq!(pause(0, 0), Duration::from_secs(48));
        assert_eq!(pause(0, 255), Duration::from_secs(72));
        assert_eq!(pause(99, 255), Duration::from_secs(4320));
    }

    #[test]
    fn an_operator_may_forgive() {
        let mut destination = Destination::new(20);
        destination.learn(Signal::Down, at(0), 0);
        destination.forgive();
        assert!(destination.allowed(at(0)) > 0);
    }
}
