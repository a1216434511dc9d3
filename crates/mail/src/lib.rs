//! Words of mail: addresses, headers, the MIME structure, building messages. Pure: no I/O, no clock.

pub mod address;
pub mod ids;
pub mod limits;
pub mod path;
pub mod wire;
