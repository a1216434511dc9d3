//! A message arrives.
//!
//! The journey of a connection and of each message on it:
//! 1. **Connection** ([`serve_connection`], `serve.rs`): TLS first on port 465; a client that speaks before the banner is
//!    turned away ([`connection::greet`]); then the loop of `talk.rs` frames commands and runs the pure states of `smtp`.
//! 2. **Sign-in** (`sign_in.rs`): runs the SASL exchange and asks the directory.
//! 3. **Sender** ([`sender::decide`]): is there room, may this sender send? A queue id is given here.
//! 4. **Recipient** ([`recipient::decide`]): ours, unknown, remote, no room? A stranger's transaction has no way to hold a
//!    remote recipient (`transaction.rs`, [`queue::Envelope`]).
//! 5. **Content** (`intake.rs` streams the body to the store; [`content::decide`] looks at the header once it is whole:
//!    size, hops, and for submissions the author, [`author::decide`], and what is added or removed).
//! 6. **Evidence** (`genuine.rs`), for strangers' messages, where it is asked for: whom the message is really from; so many at once
//!    (`examining.rs`). Fields that claim to be our own results go in any case.
//!    What an account submits is signed instead (DKIM), where its author's domain has a key.
//! 7. **Verdict and the moment of responsibility** (`verdict.rs`): [`queue::accept_untold`], one durable commit, then, with its
//!    proof, `250`. Before the commit every failure is a reply; after it every failure is ours.
//!
//! Guarantees: no `250` without the commit (the types of `smtp` and `store` see to it); every answer about a message is given
//! in the session, never by a later bounce to a stranger (but for a copy that is not forwarded, to a sender whom SPF vouches for); nothing is believed because of where a client connects from,
//! unless the operator says that a server of their own is there;
//! a submission carries nothing of its client's network; one parse of the header decides; replies of pipelined commands go
//! out together; a body is never held whole (64 KiB and less in the store's own stage).
//!
//! Limits: [`limits`]. Absent: greylisting, blocklists, spam score.

mod afterwards;
pub mod author;
pub mod connection;
pub mod content;
pub mod context;
mod edits;
pub mod events;
mod examining;
#[doc(hidden)]
pub mod fuzzing;
mod genuine;
mod intake;
pub mod limits;
pub mod received;
pub mod recipient;
pub mod refusals;
pub mod sender;
mod serve;
mod sign_in;
mod talk;
mod transaction;
mod transfer;
mod verdict;
mod wishes;

pub use context::{Context, Door, DoorKind, DoorSettings, Genuine, GenuineMode};
pub use events::ReceiveEvent;
pub use examining::Examinations;
pub use serve::{serve_connection, serve_local};
