//! `STARTTLS` (RFC 3207 §4). Whatever was sent behind it before the handshake closes the session (CVE-2011-0411).

use crate::refusal::{Refusal, codes};
use crate::session::Session;
use crate::steps::{AskTls, Step};

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    if !super::none(args) {
        return super::no_arguments(session, "STARTTLS");
    }
    if session.shared.secured {
        return session.sequence("TLS is in use already: go on");
    }
    if !session.setup().starttls {
        return session.error(&Refusal::new(
            codes::NOT_OFFERED,
            "STARTTLS is not offered at this door",
        ));
    }
    if session.hello().is_none() {
        return session.sequence("Greet first: EHLO and your name (LHLO for LMTP)");
    }
    Step::Tls(AskTls { session })
}
