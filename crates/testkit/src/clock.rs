//! Clocks that tests move.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use world::clock::{BoxFuture, Clock, Monotonic, UnixMs};

/// Where simulated time starts: 2026-11-23T12:00:00Z.
pub const START: UnixMs = UnixMs(1_795_435_200_000);

/// How often other tasks may run between two sleepers that wake.
const TURNS: usize = 16;

/// A clock that stands still until [`SimClock::advance`] moves it. Clones show the same time.
#[derive(Clone, Default)]
pub struct SimClock {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    elapsed: Duration,
    /// What was added to the wall clock alone.
    wall_offset_ms: i64,
    sleepers: BTreeMap<(Monotonic, u64), Waker>,
    next_sleeper: u64,
}

impl SimClock {
    /// Starts at [`START`], monotonic time at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same as a door.
    pub fn door(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }

    /// Moves both times ahead. Sleepers wake in the order of their deadlines, and between two of them the other tasks of a
    /// current-thread runtime may run, at the time of the first.
    pub async fn advance(&self, by: Duration) {
        settle().await;
        let target = Monotonic(self.state.lock().elapsed + by);
        while self.wake_next(target) {
            settle().await;
        }
        self.state.lock().elapsed = target.0;
        settle().await;
    }

    /// Moves to the next sleeper's deadline and wakes it; false if nobody sleeps.
    pub async fn advance_to_next(&self) -> bool {
        settle().await;
        let woken = self.wake_next(Monotonic(Duration::MAX));
        settle().await;
        woken
    }

    /// Moves both times ahead at once and wakes whoever is due. For tests without a runtime.
    pub fn jump(&self, by: Duration) {
        let target = Monotonic(self.state.lock().elapsed + by);
        while self.wake_next(target) {}
        self.state.lock().elapsed = target.0;
    }

    /// Sets the wall clock alone ahead or back, as an operator or a time server does.
    pub fn set_wall_clock(&self, by_ms: i64) {
        self.state.lock().wall_offset_ms += by_ms;
    }

    /// How many tasks sleep.
    pub fn sleepers(&self) -> usize {
        self.state.lock().sleepers.len()
    }

    fn wake_next(&self, until: Monotonic) -> bool {
        let mut state = self.state.lock();
        let Some(entry) = state
            .sleepers
            .first_entry()
            .filter(|entry| entry.key().0 <= until)
        else {
            return false;
        };
        let ((deadline, _), waker) = entry.remove_entry();
        state.elapsed = state.elapsed.max(deadline.0);
        drop(state);
        waker.wake();
        true
    }
}

/// Lets the other tasks of a current-thread runtime run.
async fn settle() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

impl Clock for SimClock {
    fn now(&self) -> UnixMs {
        let state = self.state.lock();
        let ms = START.0 + u64::try_from(state.elapsed.as_millis()).expect("simulated time is short");
        UnixMs(ms.saturating_add_signed(state.wall_offset_ms))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.state.lock().elapsed)
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        Box::pin(Sleep {
            state: Arc::clone(&self.state),
            deadline,
            registered: None,
        })
    }
}

struct Sleep {
    state: Arc<Mutex<State>>,
    deadline: Monotonic,
    registered: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = Arc::clone(&self.state);
        let mut state = shared.lock();
        if state.elapsed >= self.deadline.0 {
            return Poll::Ready(());
        }
        let number = *self.registered.get_or_insert_with(|| {
            state.next_sleeper += 1;
            state.next_sleeper
        });
        state.sleepers.insert((self.deadline, number), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.registered {
            self.state.lock().sleepers.remove(&(self.deadline, number));
        }
    }
}

/// A clock that follows tokio's time: under `#[tokio::test(start_paused = true)]` it jumps to the next deadline by itself as soon as
/// every task waits.
#[derive(Debug, Clone)]
pub struct TokioClock {
    start: tokio::time::Instant,
}

impl TokioClock {
    /// Starts now at [`START`], monotonic time at zero.
    #[expect(clippy::new_without_default, reason = "it reads the runtime's time")]
    pub fn new() -> Self {
        Self {
            start: tokio::time::Instant::now(),
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> UnixMs {
        UnixMs(START.0 + u64::try_from(self.start.elapsed().as_millis()).expect("simulated time is short"))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.start.elapsed())
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep_until(self.start + deadline.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_in_order_each_at_its_time() {
        let clock = SimClock::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for seconds in [30, 10, 20, 99] {
            let (clock, seen) = (clock.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                clock.sleep_until(Monotonic(Duration::from_secs(seconds))).await;
                seen.lock().push((seconds, clock.monotonic().0.as_secs()));
            });
        }
        clock.advance(Duration::from_secs(40)).await;
        assert_eq!(*seen.lock(), [(10, 10), (20, 20), (30, 30)]);
        assert_eq!(clock.now(), UnixMs(START.0 + 40_000));
        assert_eq!(clock.sleepers(), 1);
        assert!(clock.advance_to_next().await);
        assert!(!clock.advance_to_next().await);
        assert_eq!(clock.monotonic(), Monotonic(Duration::from_secs(99)));
    }

    #[tokio::test]
    async fn a_dropped_sleep_is_forgotten_and_the_wall_clock_may_jump_back() {
        let clock = SimClock::new();
        let mut sleep = clock.sleep_until(Monotonic(Duration::from_secs(1)));
        assert!(
            sleep
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert_eq!(clock.sleepers(), 1);
        drop(sleep);
        assert_eq!(clock.sleepers(), 0);
        clock.set_wall_clock(-5000);
        assert_eq!(clock.now(), UnixMs(START.0 - 5000));
        assert_eq!(clock.monotonic(), Monotonic(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn the_tokio_clock_moves_by_itself_when_everybody_waits() {
        let clock = TokioClock::new();
        clock.sleep_until(Monotonic(Duration::from_secs(3600))).await;
        assert_eq!(clock.monotonic().0.as_secs(), 3600);
    }
}
