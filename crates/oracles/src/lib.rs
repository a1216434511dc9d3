//! Other implementations judge what `msgauth` signs and decides: the crate mail-auth, opendkim, dkimpy and pyspf.
//!
//! A crate of its own, so that nobody who works on `msgauth` builds another resolver. The journey of every test: [`letters`] makes mail and
//! [`records`] makes zones from a number, so every run is the same; [`zone::Zone`] answers DNS for all sides; ours and [`judge`] or
//! [`python`] decide; where they differ the case must fall into a named class with a reason ([`classes`]), or the test fails.
//! What the comparison found is in decision 0038.
//!
//! Absent: anything that the program uses.

pub mod classes;
pub mod corpus;
pub mod judge;
pub mod letters;
pub mod python;
pub mod records;
pub mod zone;
