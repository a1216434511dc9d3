//! SMTP and LMTP, the client's side, as pure states: replies in, commands out. No I/O, no clock.
//!
//! The journey of a connection, in the order in which a driver calls:
//! 1. [`ReplyReader::push`] makes replies of what arrives. Whatever cannot be read is [`BrokenReply`]: close.
//! 2. [`Greeting::reply`] takes the banner; [`Hello::command`] greets, and falls back to HELO ([`AfterHello`]); then the
//!    session is [`Ready`] and knows what the server offers ([`Offers`]).
//! 3. [`Ready::starttls`]: on 220 the driver shakes hands and calls [`BeginTls::done`], which begins again at [`Hello`]:
//!    nothing of the plaintext session is remembered. [`Ready::auth`] signs in.
//! 4. [`Ready::mail`] opens a message. While [`Mailing::next_bytes`] gives bytes the driver writes them; each reply goes to
//!    [`Mailing::reply`], until somebody gets the message ([`Mailed::Send`]) or nobody does ([`Mailed::Over`]).
//! 5. [`SendBody::piece`] and [`SendBody::finish`] put the message into wire form, with DATA or BDAT.
//! 6. [`AwaitFinal::reply`] ends in [`Settled`]: what each recipient was told, and whether the connection goes on.
//!
//! When the connection is lost, each state of 4 to 6 says in `lost` what its recipients were told by then.
//!
//! Guarantees:
//! - A state is a type, and moving on consumes it: a reply is used once, and a command is sent only where it has a place.
//! - Every recipient has exactly one outcome; `Delivered` only by the reply to its own end of message.
//! - Nothing in an address, a parameter or a message can become another command (threat case REL-8).
//! - A reply that has no place here ([`Answer::Fault`]) counts as temporary and ends the connection, since nobody knows
//!   what the next one would belong to.
//! - Memory is bounded: one reply of at most [`crate::limits::PEER_REPLY_BYTES`]; message bytes are never collected.

mod auth;
mod body;
mod command;
mod greeting;
mod mailing;
mod offers;
mod reply;
mod settled;
mod stage;
mod tls;

pub use auth::{AfterAuth, AwaitAuth, Credentials};
pub use body::{AwaitFinal, Final, SendBody, Unsendable};
pub use command::{Cannot, CannotSend, MailRequest, RcptRequest, RequireTls};
pub use greeting::{AfterHello, ClientName, Flavour, Gone, Greeting, Hello, Ready};
pub use mailing::{Mailed, Mailing};
pub use offers::{Mechanism, Offers};
pub use reply::{BrokenReply, Pushed, Reply, ReplyReader};
pub use settled::{RecipientOutcome, Settled, Then};
pub use stage::{Answer, Stage};
pub use tls::{AfterStartTls, AwaitTls, BeginTls};

pub use crate::timing::{DeliverBy, DeliverByMode};

/// Ends a session that is in no transaction. The reply needs no waiting for (RFC 5321 §4.1.1.10 wishes it).
pub const QUIT: &[u8] = b"QUIT\r\n";
