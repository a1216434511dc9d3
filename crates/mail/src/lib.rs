//! Words of mail: addresses, headers, the MIME structure, building messages. Pure: no I/O, no clock.

pub mod address;
pub mod budget;
pub mod build;
pub mod date;
pub mod decode;
pub mod envelope;
#[doc(hidden)]
pub mod fuzzing;
pub mod header;
pub mod ids;
pub mod limits;
pub mod mime;
pub mod path;
pub mod value;
pub mod wire;
