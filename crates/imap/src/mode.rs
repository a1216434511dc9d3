//! What a client has switched on that changes how octets are read and written, whatever the command (RFC 5161).

/// The mode of a session. Everything off is IMAP4rev1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mode {
    /// IMAP4rev2 (RFC 9051): names are UTF-8, nothing is recent
    pub rev2: bool,
    /// UTF8=ACCEPT (RFC 9755): names are UTF-8, SEARCH takes no CHARSET
    pub utf8: bool,
}

impl Mode {
    /// Whether mailbox names on the wire are UTF-8, not modified UTF-7.
    pub const fn names_are_utf8(self) -> bool {
        self.rev2 || self.utf8
    }
}
