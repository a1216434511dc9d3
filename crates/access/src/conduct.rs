//! How a client behaves: commands a second and time before its sign-in, mistakes, refused sign-ins. Too many end the connection.

use std::time::Duration;

use world::clock::Monotonic;

use crate::door::{Doors, Start};
use crate::events::AccessEvent;
use crate::limits::{
    BEFORE_SIGN_IN, COMMANDS_A_SECOND, ERRORS, ERRORS_BEFORE_SIGN_IN, SIGN_IN_PAUSE, SIGN_INS,
};

/// One client's record.
pub(crate) struct Conduct<'c> {
    doors: &'c Doors,
    start: Start,
    /// the time for the sign-in counts from here
    begun: Monotonic,
    signed_in: bool,
    errors: u32,
    refused_sign_ins: u32,
    /// commands taken since `window`, before sign-in
    taken: u32,
    window: Monotonic,
}

impl<'c> Conduct<'c> {
    pub(crate) fn new(doors: &'c Doors, start: Start) -> Self {
        Self {
            doors,
            start,
            begun: start.begun,
            signed_in: false,
            errors: 0,
            refused_sign_ins: 0,
            taken: 0,
            window: start.begun,
        }
    }

    /// Somebody signed in: mistakes count anew.
    pub(crate) fn signed_in(&mut self) {
        (self.signed_in, self.errors) = (true, 0);
    }

    /// Nobody is signed in any more, and there is as much time as at the beginning. Refused sign-ins stay counted.
    pub(crate) fn signed_out(&mut self, now: Monotonic) {
        (self.signed_in, self.begun) = (false, now);
    }

    /// Until when the sign-in must be done.
    pub(crate) fn sign_in_until(&self) -> Monotonic {
        Monotonic(self.begun.0 + BEFORE_SIGN_IN)
    }

    /// Before sign-in: how long a command waits, so that they are not more in a second than they may be.
    pub(crate) fn pause(&mut self, now: Monotonic) -> Option<Duration> {
        if self.signed_in || self.doors.unpaced {
            return None;
        }
        let second = Duration::from_secs(1);
        let since = now.0.saturating_sub(self.window.0);
        if since >= second {
            self.paused(now);
        } else if self.taken >= COMMANDS_A_SECOND {
            return Some(second - since);
        }
        self.taken += 1;
        None
    }

    /// That pause is over: another second begins, with this command.
    pub(crate) fn resumed(&mut self, now: Monotonic) {
        self.paused(now);
        self.taken = 1;
    }

    fn paused(&mut self, now: Monotonic) {
        (self.window, self.taken) = (now, 0);
    }

    /// Counts a protocol error. Whether they are too many.
    pub(crate) fn mistake(&mut self) -> bool {
        self.errors += 1;
        let limit = match self.signed_in {
            true => ERRORS,
            false => ERRORS_BEFORE_SIGN_IN,
        };
        let over = self.errors >= limit;
        if over {
            self.tell("too many protocol errors");
        }
        over
    }

    /// Counts a refused sign-in. How long its answer waits.
    pub(crate) fn refused_sign_in(&mut self) -> Duration {
        self.refused_sign_ins += 1;
        SIGN_IN_PAUSE * self.refused_sign_ins
    }

    /// Whether the refusal that was just answered is one too many.
    pub(crate) fn was_the_last_sign_in(&self) -> bool {
        let over = self.refused_sign_ins >= SIGN_INS;
        if over {
            self.tell("too many refused sign-ins");
        }
        over
    }

    /// Something that speaks another protocol came.
    pub(crate) fn other_protocol(&self) {
        self.doors.events.emit(&AccessEvent::OtherProtocol {
            peer: self.start.peer.addr.ip(),
        });
    }

    fn tell(&self, what: &'static str) {
        self.doors.events.emit(&AccessEvent::TooManyErrors {
            peer: self.start.peer.addr.ip(),
            what,
        });
    }
}
