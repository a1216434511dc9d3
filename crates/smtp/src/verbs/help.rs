//! `help = "HELP" [ SP String ] CRLF` (RFC 5321 §4.1.1.8).

use crate::reply::Reply;
use crate::session::Session;
use crate::steps::Step;
use crate::verbs::{VERBS, Verb};

pub(super) fn answer<P>(session: Session<P>, _args: &[u8]) -> Step<P> {
    session.count_idle(|session| {
        let spoken = |verb: Verb| match verb {
            Verb::Ehlo | Verb::Helo => !session.is_lmtp(),
            Verb::Lhlo => session.is_lmtp(),
            // It is known only to be refused.
            Verb::Expn => false,
            _ => true,
        };
        let known = VERBS
            .iter()
            .filter(|(_, verb)| spoken(*verb))
            .map(|(name, _)| *name);
        let commands = known.collect::<Vec<_>>().join(" ");
        let reply = Reply::plain(214, &["2.0.0 Commands known here:", &format!("2.0.0 {commands}")]);
        Step::Answer(session, reply)
    })
}
