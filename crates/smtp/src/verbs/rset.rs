//! `rset = "RSET" CRLF` (RFC 5321 §4.1.1.5).

use crate::session::Session;
use crate::steps::Step;

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    if !super::none(args) {
        return super::no_arguments(session, "RSET");
    }
    session.count_idle(|session| session.idle().ok(0, 0, "Forgotten, ready for the next message"))
}
