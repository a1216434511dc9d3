//! The doors through which people read their mail: IMAP and POP3.
//!
//! [`imap::serve_connection`] and [`pop3::serve_connection`] take a wire and serve one client until it leaves; see there for the
//! journey of a connection.
//! Each protocol has its own folder, and none imports another: they meet in `mailbox`, which is what a person can do with
//! their mail, whatever the protocol. What is the same at every door is here once: how a connection begins (`door.rs`), reads and writes
//! (`wire.rs`), how many mistakes it may make (`conduct.rs`), and how somebody signs in (`sign_in.rs`).
//!
//! Guarantees: nothing is done before sign-in but signing in; a change is answered `OK` only with the store's proof; an idle
//! connection holds no buffer and no read transaction. Limits: [`limits`]. Events: [`events`].
//!
//! Absences: no ManageSieve, no JMAP; no parsing of commands (that is `imap` and `pop3`), no SQL, no knowledge of files.

mod conduct;
mod door;
pub mod events;
pub mod imap;
pub mod limits;
mod other_protocol;
pub mod pop3;
mod sign_in;
mod wire;

pub use door::{Doors, Security, With};

#[doc(hidden)]
pub mod fuzzing {
    //! Entries for fuzz targets.

    /// Looks for text in a message of any octets.
    pub fn fuzz_search(bytes: &[u8]) {
        crate::imap::search::look_everywhere(bytes);
    }
}
