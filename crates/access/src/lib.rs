//! The doors through which people read their mail: IMAP and POP3.
//!
//! [`imap::serve_connection`] and [`pop3::serve_connection`] take a wire and serve one client until it leaves; see there for the
//! journey of a connection.
//! Each protocol has its own folder, and none imports another: they meet in `mailbox`, which is what a person can do with
//! their mail, whatever the protocol.
//!
//! Guarantees: nothing is done before sign-in but signing in; a change is answered `OK` only with the store's proof; an idle
//! connection holds no buffer and no read transaction. Limits: [`limits`]. Events: [`events`].
//!
//! Absences: no ManageSieve, no JMAP; no parsing of commands (that is `imap` and `pop3`), no SQL, no knowledge of files.

pub mod events;
pub mod imap;
pub mod limits;
mod other_protocol;
pub mod pop3;

/// How a door begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first octet (RFC 8314): ports 993 and 995
    ImplicitTls,
    /// plaintext, with STARTTLS or STLS when there is a certificate: ports 143 and 110
    StartTls,
    /// plaintext only
    Plain,
}

#[doc(hidden)]
pub mod fuzzing {
    //! Entries for fuzz targets.

    /// Looks for text in a message of any octets.
    pub fn fuzz_search(bytes: &[u8]) {
        crate::imap::search::look_everywhere(bytes);
    }
}
