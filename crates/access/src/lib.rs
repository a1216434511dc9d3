//! The doors through which people read their mail: IMAP.
