//! The doors through which people read their mail: IMAP.
//!
//! [`imap::serve_connection`] takes a wire and serves one client until it leaves; see there for the journey of a connection.
//! Each protocol has its own folder, and none imports another: they meet in `mailbox`, which is what a person can do with
//! their mail, whatever the protocol.
//!
//! Guarantees: nothing is done before sign-in but signing in; a change is answered `OK` only with the store's proof; an idle
//! connection holds no buffer and no read transaction. Limits: [`limits`]. Events: [`events`].
//!
//! Absences: no POP3, no ManageSieve, no JMAP; no parsing of commands (that is `imap`), no SQL, no knowledge of files.

pub mod events;
pub mod imap;
pub mod limits;

#[doc(hidden)]
pub mod fuzzing {
    //! Entries for fuzz targets.

    /// Looks for text in a message of any octets.
    pub fn fuzz_search(bytes: &[u8]) {
        crate::imap::search::look_everywhere(bytes);
    }
}
