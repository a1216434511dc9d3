//! `helo = "HELO" SP Domain CRLF` (RFC 5321 §4.1.1.1): the old greeting, without extensions.

use crate::refusal::{Refusal, codes};
use crate::session::Session;
use crate::steps::Step;

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    if session.is_lmtp() {
        return session.error(&Refusal::new(
            codes::UNKNOWN_COMMAND,
            "This door speaks LMTP: begin with LHLO",
        ));
    }
    super::ehlo::greet(session, args, false)
}
