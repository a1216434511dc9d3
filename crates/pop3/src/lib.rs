//! POP3 (RFC 1939) as pure states: lines in, replies out. No I/O, no clock, no accounts.
//!
//! The journey of a session, in the order in which a driver calls:
//! 1. [`reply::Out::ok`] greets.
//! 2. [`command::parse`] reads one line of at most [`limits::COMMAND_LINE_BYTES`].
//! 3. [`state::permit`] says whether it is its time: before or after the sign-in, and only where a password is safe.
//! 4. [`state::Authorization`] keeps the name that USER gave, and becomes a [`state::Transaction`] when somebody signed in.
//! 5. [`marks::Marks`] knows which messages DELE marked; numbers stay what they were (RFC 1939 §5).
//! 6. [`lines::Lines`] turns a message into lines of an answer: CR LF, dots doubled, TOP's end.
//! 7. [`state::Transaction::quit`] makes the UPDATE state. When messages go, it says `+OK` only by taking a proof by value.
//!
//! Guarantees: no reply contains a CR, LF or control character that came from outside; a message's text cannot end its answer
//! early, whatever line ends it has; memory is a bit for each message.
//!
//! Absent on purpose: APOP (it needs passwords that can be read), LAST, and everything that marks messages as seen.

pub mod capability;
pub mod command;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
pub mod lines;
pub mod marks;
pub mod reply;
pub mod state;

pub use command::{Bad, Command, Secret, Verb};
pub use lines::Lines;
pub use marks::Marks;
pub use reply::{Code, Out};
pub use state::{Authorization, Permit, Removal, Transaction, Update};
