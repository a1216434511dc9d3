//! The chance door: random bytes fit for secrets.

/// The chance door. `world-real` asks the operating system; `testkit` has a seeded generator.
pub trait Chance: Send + Sync + 'static {
    /// Fills `bytes` with unpredictable values.
    fn fill(&self, bytes: &mut [u8]);
}
