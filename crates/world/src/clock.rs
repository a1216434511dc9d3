//! The clock door: wall time and monotonic time are apart, because only the second can be trusted to go forward.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A boxed future, as the doors return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Wall time: milliseconds since 1970-01-01T00:00:00Z. It may jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMs(pub u64);

/// Monotonic time since some fixed moment before the process began to work. It never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub Duration);

/// The clock door. `world-real` has the real one, `testkit` a simulated one.
pub trait Clock: Send + Sync + 'static {
    /// Wall time.
    fn now(&self) -> UnixMs;
    /// Monotonic time, for deadlines and durations.
    fn monotonic(&self) -> Monotonic;
    /// Completes at or after `deadline`.
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()>;
}
