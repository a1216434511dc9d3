//! Words of mail: addresses, headers, the MIME structure, building messages. Pure: no I/O, no clock.

pub mod ids;
