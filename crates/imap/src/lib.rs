//! IMAP: frames, codec, session states, response building. Pure: no I/O, no clock.
