//! Random bytes from the operating system.

use ring::rand::{SecureRandom, SystemRandom};
use world::chance::Chance;

/// The operating system's generator.
#[derive(Debug)]
pub struct RealChance(SystemRandom);

impl RealChance {
    /// Ready to use.
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for RealChance {
    fn default() -> Self {
        Self::new()
    }
}

impl Chance for RealChance {
    /// # Panics
    /// When the operating system refuses: no secret may be made without it.
    fn fill(&self, bytes: &mut [u8]) {
        self.0
            .fill(bytes)
            .expect("the operating system gives random bytes after its start");
    }
}
