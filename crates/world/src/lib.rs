//! The doors to the world as traits and plain types, and the line driver on top of them.

pub mod chance;
pub mod clock;
pub mod dns;
pub mod events;
pub mod ids;
pub mod line;
pub mod net;
