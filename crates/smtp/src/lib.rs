//! SMTP and LMTP: frames, commands, replies, session states. Pure: no I/O, no clock.
