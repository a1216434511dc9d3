//! A message leaves the queue: to an account of ours, or to another server.
//!
//! The way out is told in [`remote`]. The words of reports are [`bounce`]'s. The local worker ([`run`]), in numbered steps:
//! 1. It sleeps until the next waiting recipient is due ([`store::contract::Store::lane_due`]), somebody was left waiting
//!    ([`queue::Queue::waiting`]), or the program stops.
//! 2. It claims those who are due, at most [`limits::CLAIMS`] at once ([`Worker::round`]). Claims live in memory: after a
//!    crash nothing is claimed, and everybody who waited is found again.
//! 3. For each it asks the directory who the recipient is today, reads the header, and plans again ([`local`]).
//! 4. It records the outcome ([`store::contract::Op::RecordOutcome`]): placement and removal of the waiting row are one
//!    transaction. A replay cannot double a placement: the store answers `AlreadyDelivered`, and the row is closed.
//! 5. What failed is postponed ([`queue::schedule`]); its deadline is watched with everybody else's ([`remote::overdue`]).
//!
//! Guarantees: at least once, and never twice by our own doing where a peer has answered; a recipient ends delivered, or its
//! sender is told in the same transaction. Settings are plain values ([`settings`]); limits are [`limits`].

pub mod bounce;
pub mod events;
pub mod limits;
pub mod local;
pub mod remote;
pub mod settings;
mod worker;

pub use events::DeliverEvent;
pub use settings::Settings;
pub use worker::{Worker, run};
