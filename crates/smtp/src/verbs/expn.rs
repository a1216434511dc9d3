//! `expn = "EXPN" SP String CRLF` (RFC 5321 §4.1.1.7, §7.3): lists of members are not told.

use crate::refusal::{Refusal, codes};
use crate::session::Session;
use crate::steps::Step;

pub(super) fn answer<P>(session: Session<P>, _args: &[u8]) -> Step<P> {
    session.error(&Refusal::new(
        codes::NOT_OFFERED,
        "Lists are not expanded here: send to the list's address",
    ))
}
