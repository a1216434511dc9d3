//! Simulated clock, chance, DNS, network and disk; the story runner. For tests only.

pub mod talk;
