//! REPLACE and UID REPLACE (RFC 8508): a new message in the place of another, in one commit: a crash leaves the one or the
//! other, never both, never none.

use imap::command::Replace;
use imap::out::Code;
use mailbox::{Act, Error, Opened};
use store::contract::Placed;
use store::durable::Durable;
use store::uids::UidSet;

use super::append::{Collected, Wanted, collect, not_placed, turn_away};
use super::numbers;
use crate::imap::io::Stop;
use crate::imap::rights;
use crate::imap::session::{Change, Cx, Next, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    replace: &Replace,
    answer: Change,
) -> Result<Next, Stop> {
    opened.look();
    let (uid, leaves_bytes) = match old(opened, replace) {
        Ok(old) => old,
        Err(error) => {
            // RFC 8508 §3.1: nothing is added in place of what is not there.
            match error {
                Some(error) => cx.no_change(user, answer, &error),
                None => answer.bad(&mut cx.io.out, None, "There is no message of that number"),
            }
            return Ok(turn_away(cx.io));
        }
    };
    let wanted = Wanted {
        at_most: 1,
        leaves_bytes,
    };
    let Collected {
        to,
        mut messages,
        answer,
    } = match collect(cx, user, Some(opened), &replace.append, wanted, answer).await? {
        Ok(collected) => collected,
        Err(next) => return Ok(next),
    };
    let Some(message) = messages.pop() else {
        answer.bad(&mut cx.io.out, None, "A message is missing");
        return Ok(Next::Go);
    };
    // As in APPEND: the message may have come for hours.
    let looked = rights::look(cx, user, opened).await;
    let replaced = match looked {
        Ok(_standing) => user.person.replace(opened, uid, to, message).await,
        Err(error) => Err(error),
    };
    match replaced {
        Ok(placed) => done(cx, user, opened, placed, answer)?,
        Err(error) => not_placed(cx, user, answer, &error),
    }
    Ok(Next::Go)
}

/// RFC 8508 §3.4: the client learns of the new message before the old one goes.
fn done(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    placed: Durable<Placed>,
    answer: Change,
) -> Result<(), Stop> {
    let Placed {
        mailbox,
        uidvalidity,
        uid,
        ..
    } = *placed.committed();
    let code = Code::AppendUid(uidvalidity, &[(uid, uid)]);
    cx.io.out.ok(Some(&code), "The new message is there");
    if mailbox == opened.id() {
        opened.brought(&UidSet::from_uids([uid]));
    }
    cx.tell_gone(user, opened)?;
    answer.ok(&mut cx.io.out, placed.narrow(|_| ()), None);
    Ok(())
}

/// The UID and the size of the message that goes. `Err(None)`: there is no such sequence number.
fn old(opened: &Opened, replace: &Replace) -> Result<(u32, u64), Option<Error>> {
    opened.may(Act::TakeOut).map_err(Some)?;
    let wanted = numbers::uids(opened, replace.numbers, &replace.set).ok_or(None)?;
    let row = opened.select(&wanted).next();
    row.map(|(_, row)| (row.uid, u64::from(row.size_bytes)))
        .ok_or(Some(Error::NoSuchMessage))
}
