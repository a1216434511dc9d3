//! Simulated clock, chance, DNS, network and disk; the hostile sink; the story runner. For tests only.
//!
//! In the order in which a test meets them:
//! 1. [`clock::SimClock`] stands still until the test moves it; [`clock::TokioClock`] follows tokio's paused time and so moves by itself;
//! 2. [`chance::SeededChance`] repeats itself for the same seed;
//! 3. [`net::wire_pair`] and [`net::SimNetwork`] are wires without sockets, which can deliver in random pieces and fail as told;
//!    [`tls::SimTlsClient`] and [`tls::SimTlsServer`] play a handshake on them;
//! 4. [`dns::SimDns`] answers from a zone written as text, and fails where the zone says so; [`hostile_dns::HostileDns`] is a real
//!    server that answers wrongly where its script says so;
//! 5. [`events::CollectEvents`] keeps what was emitted;
//! 6. [`disk::SimDisk`] knows what a disk may show after a power cut, and [`powercut`] replays a recorded program on it;
//! 7. [`talk::Talk`] is a client without manners for black-box tests;
//! 8. [`sink`] is a mail server without manners, on real sockets;
//! 9. [`story`] plays dialogues written as text against the real program;
//! 10. [`uncompiled`] runs cases that must not compile, building what they need once.
//!
//! A failure is a seed or a line number. Nothing here sleeps for a fixed time except [`story`], which polls a real process, and [`sink`], which
//! may be told to be slow.

pub mod chance;
pub mod clock;
pub mod disk;
pub mod dns;
pub mod events;
pub mod hostile_dns;
pub mod net;
pub mod powercut;
pub mod sink;
pub mod story;
pub mod talk;
pub mod tls;
pub mod uncompiled;
