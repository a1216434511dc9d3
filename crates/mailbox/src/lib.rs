//! What a person can do with their mail: the one API behind IMAP and every later door.
//!
//! # The journey
//!
//! 1. A door signs somebody in and asks [`Mailboxes::person`] for what that person may do: a [`Person`] names one
//!    account, and nothing it can be asked reaches another but by the rights it has there (`shared.rs`, `permission.rs`).
//! 2. [`Person::tree`] lists mailboxes by name ([`name::MailboxName`], hierarchy `/`, NFC); `create`, `delete`, `rename`,
//!    `subscribe` (`folders.rs`) change the tree.
//! 3. [`Person::open`] opens one: all sessions of a mailbox share one `View` (`view.rs`): an immutable
//!    [`rows::Snapshot`] of 32 bytes a message, in chunks of 1,024 that are copied only when they change.
//! 4. What a session keeps of its own ([`session::Opened`]) is which UIDs its client has been told of, and which of them
//!    are gone without the client knowing it. From these follow its sequence numbers.
//! 5. Changes (`changes.rs`) are one commit each; they return `Durable<..>`, and the view has them before they return.
//! 6. The hub (`hub.rs`) listens to the store once for everybody; a notice makes the touched view ask
//!    `changes_since` and wakes the sessions that wait.
//! 7. [`session::Opened::updates`] says what the client must be told: EXPUNGE (only where the caller may), EXISTS, flags.
//!
//! # Guarantees
//!
//! - A view never shows what is not committed. Notices may be lost or merged; every refresh reads `changes_since`.
//! - A view is brought up to date while a session has it open, and stays in memory for a while after the last one left
//!   (`kept.rs`), within [`limits::KEPT_VIEW_BYTES`].
//! - Reading a message holds at most 1 MiB of it, unless its structure is wanted: then the whole, within a budget
//!   shared by everybody ([`limits::HEAVY_READ_BYTES`]).
//! - What is held of messages for clients that take their time has a bound over all sessions ([`memory`]).
//!
//! # Absences
//!
//! No protocol: this crate knows neither IMAP's words nor its wire. No groups: rights are given to accounts, or to anyone.

pub mod changes;
pub mod error;
pub mod folders;
mod hub;
mod indexed;

mod kept;
pub mod lent;
pub mod limits;
pub mod memory;
pub mod message;
pub mod name;
pub mod permission;
pub mod person;
mod plants;
pub mod results;
pub mod rows;
mod saved;
pub mod session;
pub mod shared;
pub mod tree;
mod vanished;
mod view;
pub mod watch;

pub use changes::{Copied, Expunged, FlagsSet, Moved, NewMessage};
pub use error::{Error, Result};
pub use memory::{Memory, Room};
pub use message::Message;
pub use name::MailboxName;
pub use permission::Act;
pub use person::{Mailboxes, Person};
pub use rows::{Row, Snapshot};
pub use session::{Expunges, Opened, Telling, Updates};
pub use shared::{Place, Standing};
pub use tree::{Entry, Tree};

#[doc(hidden)]
pub mod fuzzing {
    //! Entries for fuzz targets.

    /// Reads a mailbox name; what is taken reads back as itself.
    pub fn fuzz_mailbox_name(bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        if let Ok(name) = crate::MailboxName::parse(text) {
            assert_eq!(crate::MailboxName::parse(&name.to_string()), Ok(name));
        }
    }
}

#[cfg(test)]
mod journeys;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
