//! Accepted messages: who still waits, when next, and why. Where receiving and delivering meet; neither knows the other.
//!
//! The way of a message through here:
//! 1. Its direction is a type: [`Envelope`] of a [`Stranger`], a [`Submitted`], a [`LocalUser`], a [`LocalProgram`] or a [`Generated`] origin.
//!    The first and the fourth have no [`Envelope::add_remote`]; it asks for a [`RelayGrant`], which only somebody who signed in
//!    ([`RelayGrant::for_submitter`]), root and the server's own user ([`RelayGrant::for_local_user`]), or the system itself
//!    ([`RelayGrant::for_generated`]) has.
//! 2. [`accept()`] makes a plan for every local recipient ([`Plan`], a function that the program wires in), and commits
//!    body, placements and waiting recipients **in one commit**. That is the moment of responsibility: before it every
//!    failure is a reply to the sender; after it every failure is ours. The [`store::durable::Durable`] it returns is what a
//!    `250` costs.
//! 3. Recipients on other servers, and those without a plan, wait in [`lanes`]. `deliver` claims them when they are due
//!    ([`store::contract::Store::claim_lane`]), at the times of [`schedule`], or when their [`deadline`] has passed, and
//!    records what became of them. [`news`] tells it which lanes have new work.
//! 4. [`list::page`] shows who waits, and why; [`operate::page`] holds, releases, retries and purges whom a
//!    [`select::Selection`] means, with an audit entry in the same transaction.
//! 5. What these three send is signed ([`signing`]); nothing else can be.
//!
//! What a crash leaves: before the commit nothing (the sender was not answered and sends again); after it everything.
//! A recipient is either placed or waiting, because both are one transaction; a replay cannot double a placement, because
//! (queue id, recipient position, mailbox) is unique in the store.
//!
//! Limits: [`limits`].

#[doc(inline)]
pub use crate::accept::{Message, accept, accept_untold};
pub use crate::envelope::{Addressee, Envelope};
pub use crate::events::QueueEvent;
pub use crate::news::{News, Told};
pub use crate::origin::{
    Generated, LocalProgram, LocalUser, MayRelay, Origin, RelayGrant, Stranger, Submitted,
};
pub use crate::params::{EnvelopeParams, RecipientParams};
pub use crate::plan::{Facts, Plan, PlanFailed, Planned, inbox_plan};
pub use crate::queue::{Queue, RouteName};
pub use crate::schedule::Schedule;
pub use crate::signing::{Signable, Signature, Signer};

pub mod accept;
pub mod attempt;
pub mod deadline;
pub mod envelope;
pub mod events;
pub mod lanes;
pub mod limits;
pub mod list;
pub mod news;
pub mod operate;
pub mod origin;
pub mod params;
pub mod plan;
pub mod put_right;
mod queue;
pub mod schedule;
pub mod select;
pub mod signing;
