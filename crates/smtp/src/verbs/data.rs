//! `data = "DATA" CRLF` (RFC 5321 §4.1.1.4).

use crate::refusal::{Refusal, codes};
use crate::session::{Session, Stage};
use crate::steps::{AskData, Step};

pub(super) fn answer<P>(session: Session<P>, args: &[u8]) -> Step<P> {
    if !super::none(args) {
        return super::no_arguments(session, "DATA");
    }
    let recipients = match &session.stage {
        Stage::Open(transaction) => transaction.recipients,
        Stage::Chunking(..) => {
            return session.sequence("The message has begun with BDAT: go on with BDAT or send RSET");
        }
        Stage::Fresh | Stage::Greeted => {
            return session.sequence("Name sender and recipients first: MAIL and RCPT");
        }
    };
    if recipients == 0 {
        let text = "No recipient was taken: name one with RCPT TO:<address>";
        return session.error(&Refusal::new(codes::NO_RECIPIENTS, text));
    }
    Step::Data(AskData { session, recipients })
}
