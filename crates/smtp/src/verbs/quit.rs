//! `quit = "QUIT" CRLF` (RFC 5321 §4.1.1.10).

use crate::reply::Reply;
use crate::session::Session;
use crate::steps::Step;

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    if !super::none(args) {
        return super::no_arguments(session, "QUIT");
    }
    Step::Close(Some(Reply::coded(221, (2, 0, 0), "Goodbye")))
}
