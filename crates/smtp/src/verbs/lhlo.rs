//! `LHLO` (RFC 2033 §4.1): EHLO's twin for LMTP.

use crate::refusal::{Refusal, codes};
use crate::session::Session;
use crate::steps::Step;

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    if !session.is_lmtp() {
        return session.error(&Refusal::new(
            codes::UNKNOWN_COMMAND,
            "This door speaks SMTP: begin with EHLO",
        ));
    }
    super::ehlo::greet(session, args, true)
}
