//! SORT and UID SORT (RFC 5256 §3, RFC 5267 §3, RFC 5957): found, then ordered.

use imap::command::{Search, Sort};
use mailbox::Opened;

use super::search::expunges;
use crate::imap::contexts;
use crate::imap::find::{Beyond, find, refuse};
use crate::imap::io::Stop;
use crate::imap::results::{kept, number_of, tell};
use crate::imap::session::{Cx, Reading, User};
use crate::imap::sort::ordered;

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &mut Opened,
    sort: &Sort,
    answer: Reading,
) -> Result<(), Stop> {
    let saves = sort.returns.is_some_and(|returns| returns.save);
    let asked = (&sort.search, sort.returns, &sort.criteria[..]);
    let Some((wanted, answer)) = contexts::want(cx, user, opened, asked, answer) else {
        return Ok(());
    };
    let found = find(cx, user, opened, (&sort.search, saves, Beyond::Refuse), answer).await?;
    let Some((hits, _, answer)) = found else {
        return Ok(());
    };
    let hits = match ordered(cx, (user, &user.person.at(opened)), &hits, &sort.criteria).await {
        Ok(hits) => hits,
        Err(halt) => return refuse(cx, user, halt, answer),
    };
    let Search { numbers, .. } = sort.search;
    let with_modseq = sort.search.uses_modseq();
    match sort.returns {
        Some(returns) => {
            if returns.save {
                opened.save(kept(&hits, returns));
            }
            tell(
                &mut cx.io.out,
                answer.tag(),
                &hits,
                (numbers, returns, with_modseq),
            );
        }
        None => {
            let highest = hits.iter().map(|hit| hit.modseq).max();
            let told = hits.iter().map(|hit| number_of(hit, numbers));
            cx.io.out.sort(told, highest.filter(|_| with_modseq));
        }
    }
    contexts::start(&mut cx.io.out, user, opened, wanted, (answer.tag(), &hits));
    cx.tell(user, opened, expunges(numbers))?;
    answer.ok(&mut cx.io.out, None);
    Ok(())
}
