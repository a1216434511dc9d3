//! SEARCH and UID SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 5182, RFC 7162 §3.1.5, RFC 9394 §3.1).

use imap::command::{Numbers, Returns, Search};
use mailbox::{Expunges, Opened};

use super::message_limit::Cut;
use crate::imap::contexts;
use crate::imap::find::{Beyond, find};
use crate::imap::io::Stop;
use crate::imap::results::{kept, number_of, tell};
use crate::imap::session::{Cx, Reading, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &mut Opened,
    search: &Search,
    answer: Reading,
) -> Result<(), Stop> {
    let saves = search.returns.is_some_and(|returns| returns.save);
    let asked = (search, search.returns, &[][..]);
    let Some((wanted, answer)) = contexts::want(cx, user, opened, asked, answer) else {
        return Ok(());
    };
    let found = find(cx, user, opened, (search, saves, Beyond::Cut), answer).await?;
    let Some((hits, cut, answer)) = found else {
        return Ok(());
    };
    let with_modseq = search.uses_modseq();
    // RFC 9051 §6.4.4: the answer is an ESEARCH, asked for or not.
    let returns = search.returns.or(cx.io.mode.rev2.then_some(Returns::ALL));
    match returns {
        Some(returns) => {
            if returns.save {
                opened.save(kept(&hits, returns));
            }
            let how = (search.numbers, returns, with_modseq);
            tell(&mut cx.io.out, answer.tag(), &hits, how);
        }
        None => {
            let numbers = hits.iter().map(|hit| number_of(hit, search.numbers));
            let highest = hits.iter().map(|hit| hit.modseq).max();
            cx.io.out.search(numbers, highest.filter(|_| with_modseq));
        }
    }
    contexts::start(&mut cx.io.out, user, opened, wanted, (answer.tag(), &hits));
    cx.tell(user, opened, expunges(search.numbers))?;
    answer.ok(&mut cx.io.out, cut.map(Cut::code));
    Ok(())
}

/// EXPUNGE is not told during commands by sequence numbers (RFC 3501 §7.4.1).
pub(crate) fn expunges(numbers: Numbers) -> Expunges {
    match numbers {
        Numbers::Uid => Expunges::Tell,
        Numbers::Sequence => Expunges::Hold,
    }
}
