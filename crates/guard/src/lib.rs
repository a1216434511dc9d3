//! Abuse: places for connections, guesses at recipients and passwords, counted for each address (SMT-5, SMT-7).
//!
//! 1. [`Guard::admit`]: a connection gets a [`Place`], or hears why not. The house has a number of places; a quarter of them is
//!    for the doors of our own users, so that strangers are refused first. An address has a number, too.
//! 2. [`Guard::may_name`], [`Guard::named`]: an address that asks for people who do not exist, over all its sessions, is sent
//!    away for an hour.
//! 3. [`Guard::may_sign_in`], [`Guard::signed_in`], [`Guard::failed`]: after many wrong passwords an address waits. One that
//!    somebody signed in from lately has ten times as many, so that an attacker beside the owner cannot lock the owner out.
//!
//! [`counters`] is pure: time comes in, verdicts come out. Memory is bounded ([`limits`]): of addresses without an open
//! connection the one that was quiet for longest is forgotten first. Everything is forgotten at a restart.
//!
//! Not here: reputation, lists of others, learning. What is counted says nothing about a person, only about an address.

pub mod counters;
mod events;
mod guard;
pub mod limits;
mod recent;
mod source;

pub use counters::{Class, Refused};
pub use events::GuardEvent;
pub use guard::{Guard, Place, Settings};
pub use source::Source;
