//! The minimum rate at which a client has to send a message (SMT-3).

use std::time::Duration;

use super::limits::{PACE_WINDOW, PACE_WINDOW_MIN_BYTES};
use crate::clock::Monotonic;

/// A minimum data rate as a moving deadline: within each window at least so many bytes have to come; when they have, the next
/// window starts. A message shorter than that only has to be complete within one window. Pure: give
/// [`Pace::deadline`] to [`super::Driver::fill`], and tell [`Pace::received`] what came.
#[derive(Debug, Clone)]
pub struct Pace {
    absolute: Monotonic,
    window: Duration,
    window_min_bytes: u64,
    window_ends: Monotonic,
    window_bytes: u64,
}

impl Pace {
    /// Starts now, with the usual window and rate ([`PACE_WINDOW`], [`PACE_WINDOW_MIN_BYTES`]); `absolute` ends it in any case.
    pub fn start(now: Monotonic, absolute: Monotonic) -> Self {
        Self::with(now, absolute, PACE_WINDOW, PACE_WINDOW_MIN_BYTES)
    }

    /// The same with another window and rate.
    pub fn with(now: Monotonic, absolute: Monotonic, window: Duration, window_min_bytes: u64) -> Self {
        Self {
            absolute,
            window,
            window_min_bytes,
            window_ends: Monotonic(now.0 + window),
            window_bytes: 0,
        }
    }

    /// When the next read must have brought something.
    pub fn deadline(&self) -> Monotonic {
        self.window_ends.min(self.absolute)
    }

    /// Counts bytes that came at `now`.
    pub fn received(&mut self, now: Monotonic, bytes: usize) {
        self.window_bytes += bytes as u64;
        if self.window_bytes >= self.window_min_bytes {
            self.window_ends = Monotonic(now.0 + self.window);
            self.window_bytes = 0;
        }
    }
}
