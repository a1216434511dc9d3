//! The doors to the world as traits and plain types, and the line driver on top of them.
