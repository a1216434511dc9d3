//! A message leaves the queue.
//!
//! The local worker ([`run`]), in numbered steps:
//! 1. It sleeps until the next waiting recipient is due ([`store::contract::Store::lane_due`]), somebody was left waiting
//!    ([`queue::Queue::waiting`]), or the program stops.
//! 2. It claims those who are due, at most [`limits::CLAIMS`] at once ([`Worker::round`]). Claims live in memory: after a
//!    crash nothing is claimed, and everybody who waited is found again.
//! 3. For each it asks the directory who the recipient is today, reads the header, and plans again ([`local`]).
//! 4. It records the outcome ([`store::contract::Op::RecordOutcome`]): placement and removal of the waiting row are one
//!    transaction. A replay cannot double a placement: the store answers `AlreadyDelivered`, and the row is closed.
//! 5. What failed is postponed ([`queue::schedule`]); recipients on other servers stay, with the reason.
//!
//! Guarantees: at least once, and never twice by our own doing; a recipient is never dropped: an account that is gone or
//! disabled keeps its mail waiting for an operator's decision. Absent: bounces and remote delivery.

pub mod bounce;
pub mod limits;
pub mod local;
mod worker;

pub use worker::{Worker, run};
