//! `noop = "NOOP" [ SP String ] CRLF` (RFC 5321 §4.1.1.9); the string means nothing.

use crate::session::Session;
use crate::steps::Step;

pub(super) fn answer<P>(session: Session<P>, _args: &[u8]) -> Step<P> {
    session.count_idle(|session| session.ok(0, 0, "Here"))
}
