//! The real side of the doors: clock, chance, sockets, TLS, the event log. The only crate that touches them.
