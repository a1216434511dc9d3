//! SMTP and LMTP as pure states: bytes and answers in, replies and questions out. No I/O, no clock. The server's side is
//! here; the client's has its journey in [`client`]. What both sides write and read is in [`dsn`], [`timing`] and [`xtext`].
//!
//! The journey of a session of the server, in the order in which a driver calls:
//! 1. [`Session::new`] and [`Session::banner`]: the greeting.
//! 2. [`frame::command_line`] cuts the next command line out of what has arrived: CR LF only, at most
//!    [`limits::COMMAND_LINE_BYTES`].
//! 3. [`Session::line`] hands the line to its verb (one file each in [`verbs`]). The result is a [`Step`]: a reply, a
//!    question that only the driver can answer ([`AskSender`], [`AskRecipient`], [`AskData`], [`AskTls`], [`AskAuth`]), or
//!    the end.
//! 4. [`AskData::go_on`] answers 354 and gives [`Receiving`], whose decoder ([`text::Decoder`]) removes the dots and knows
//!    the end; a BDAT gives [`TakeChunk`], which counts its octets.
//! 5. At the end of the message stands [`Verdict`]. It answers 250 only by taking a proof `P` **by value**
//!    ([`OneVerdict::accept`], [`EachVerdict::accept`] once per recipient for LMTP). The receiving side sets `P` to
//!    `store::durable::Durable<Accepted>`, so an acknowledgement without a commit does not compile.
//!
//! Guarantees:
//! - A state is a type and moving on consumes it: no reply can be given twice, and none to a question that was not asked.
//! - Outside this crate only refusals can be worded ([`Refusal`], always 4xx or 5xx). No text from outside reaches the wire
//!   with a CR, LF, NUL or another control character: [`Reply`] escapes it.
//! - Only CR LF . CR LF ends DATA; bare CR, LF and NUL are faults of the message (or normalised by a setting), never passed on.
//! - After STARTTLS nothing of the plaintext session is remembered (RFC 3207 §4.2).
//! - Memory per session is bounded: a name, some counters. Message bytes are lent slices, never collected here.
//!
//! Absent on purpose: BINARYMIME, ETRN, TURN, source routes, and every command before EHLO but QUIT, NOOP, HELP and RSET.

pub mod client;
pub mod dsn;
pub mod frame;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
pub mod params;
pub mod refusal;
pub mod reply;
pub mod session;
pub mod steps;
pub mod text;
pub mod timing;
pub mod transfer;
pub mod verbs;
pub mod verdict;
pub mod xtext;

pub use refusal::{Refusal, RefusalCode};
pub use reply::Reply;
pub use session::{Flavour, Hello, HelloName, Session, Setup};
pub use steps::{
    AskAuth, AskData, AskRecipient, AskSender, AskTls, BeforeTls, BodyType, MailFrom, Step, Wishes,
};
pub use text::{BareBytes, Fault, Piece, TextRules};
pub use transfer::{MoreChunks, Receiving, TakeChunk, Taken};
pub use verdict::{EachVerdict, FaultyVerdict, OneVerdict, Verdict};
