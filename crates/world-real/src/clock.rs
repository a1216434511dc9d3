//! The real clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use world::clock::{BoxFuture, Clock, Monotonic, UnixMs};

/// The machine's clock, with tokio's timers.
#[derive(Debug)]
pub struct RealClock {
    start: Instant,
}

impl RealClock {
    /// A clock whose monotonic time starts one second ago, so that zero is before everything.
    #[expect(clippy::disallowed_methods, reason = "this is the clock door")]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for RealClock {
    fn default() -> Self {
        Self::new()
    }
}

/// Monotonic time at which the clock was made.
const HEAD_START: Duration = Duration::from_secs(1);

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock door")]
    fn now(&self) -> UnixMs {
        // A clock set before 1970 reads as 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock door")]
    fn monotonic(&self) -> Monotonic {
        Monotonic(self.start.elapsed() + HEAD_START)
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        let at = self.start + deadline.0.saturating_sub(HEAD_START);
        Box::pin(tokio::time::sleep_until(at.into()))
    }
}
