//! `vrfy = "VRFY" SP String CRLF` (RFC 5321 §4.1.1.6, §7.3): never tells who exists.

use crate::refusal::{Refusal, codes};
use crate::reply::Reply;
use crate::session::Session;
use crate::steps::Step;

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    if super::none(args) {
        return session.error(&Refusal::new(codes::BAD_ARGUMENTS, "Write VRFY and a name"));
    }
    session.count_idle(|session| {
        let reply = Reply::coded(
            252,
            (2, 0, 0),
            "Not told here: send the message, and RCPT will say",
        );
        Step::Answer(session, reply)
    })
}
