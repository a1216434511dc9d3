//! `help = "HELP" [ SP String ] CRLF` (RFC 5321 §4.1.1.8).

use crate::reply::Reply;
use crate::session::Session;
use crate::steps::Step;

pub(super) fn answer<P>(session: Session<P>, _args: &[u8]) -> Step<P> {
    session.count_idle(|session| {
        let greeting = if session.is_lmtp() { "LHLO" } else { "EHLO HELO" };
        let commands = format!("{greeting} STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT");
        let reply = Reply::plain(214, &["2.0.0 Commands known here:", &format!("2.0.0 {commands}")]);
        Step::Answer(session, reply)
    })
}
