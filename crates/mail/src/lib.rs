//! Words of mail: addresses, headers, the MIME structure, building messages. Pure: no I/O, no clock, no async.
//!
//! What happens to one message here, in the order in which a server meets it:
//! 1. [`path::reverse_path`] and [`path::forward_path`] read the `<…>` of the envelope into [`address::Mailbox`];
//!    [`address::AddressKey::split`] makes the key by which a person is looked up.
//! 2. [`header::Header::scan`] finds the header fields as offsets within the receiver's limits;
//!    [`header::Header::received_count`] and [`header::Header::from_fields`] answer its questions.
//! 3. [`value::addresses::parse`] is the one parser of From, To and their like, for everybody who asks.
//! 4. [`mime::Structure::parse`] finds the parts as offsets, in one pass, decoding nothing; [`mime::Structure::section`]
//!    counts them as IMAP does, and [`envelope::Envelope::parse`] gives what ENVELOPE shows.
//! 5. [`decode`] turns bodies, encoded words and parameters into text, when somebody asks.
//!    [`collation::fold`] makes texts comparable, for everybody who searches or sorts;
//!    [`texts`] says in which texts of a message they look; [`preview::preview`] gives its first words.
//!    [`sort_keys`], [`subject`] and [`thread`] order messages as IMAP's SORT and THREAD do.
//! 6. [`build::MessageBuilder`] makes messages of our own; [`wire`] holds what may be sent at all.
//! 7. [`downgrade::to_seven_bit`] encodes a message of ours anew, for a server that takes 7 bits only.
//!
//! Guarantees: no parser panics or recurses on input; work and memory grow with the bytes given, never with a number
//! that a peer announced; ranges lie inside the bytes they were found in; what the types of [`wire`], [`address`] and
//! [`build`] hold cannot begin another SMTP command or header field. All limits are in [`limits`].
//!
//! Choices among the many ways to read broken mail are in `docs/decisions/0010-reading-broken-mail.md`; the tests hold
//! them against another parser on some 10,000 messages.
//!
//! Not here: SMTP and IMAP syntax (their own crates), checking signatures, uuencode, TNEF.

pub mod address;
pub mod budget;
pub mod build;
pub mod calendar;
pub mod collation;
pub mod date;
pub mod decode;
pub mod downgrade;
pub mod envelope;
#[doc(hidden)]
pub mod fuzzing;
pub mod header;
pub mod ids;
pub mod limits;
pub mod mime;
pub mod path;
pub mod preview;
pub mod sort_keys;
pub mod subject;
pub mod texts;
pub mod thread;
pub mod value;
pub mod wire;
