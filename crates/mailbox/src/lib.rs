//! What a person can do with their mail: the one API behind IMAP and every later door.
