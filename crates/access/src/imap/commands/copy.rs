//! COPY and UID COPY (RFC 3501 §6.4.7, RFC 4315 §3).

use imap::capability::MessageLimit;
use imap::command::Transfer;
use imap::out::Code;
use mailbox::{Act, Error, Expunges, Opened, Place};
use store::uids::UidSet;

use super::{message_limit, numbers};
use crate::imap::io::Stop;
use crate::imap::refusal;
use crate::imap::session::{Change, Cx, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    copy: &Transfer,
    answer: Change,
) -> Result<(), Stop> {
    let Some((uids, to, answer)) = prepare(cx, user, opened, copy, answer).await? else {
        return Ok(());
    };
    // RFC 9738 §3.1: all of them or none.
    if let Some(limit) = cx.ctx.own.message_limit.map(MessageLimit::of_saving)
        && uids.len() > u64::from(limit)
    {
        let (code, text) = message_limit::too_many(limit);
        answer.no(&mut cx.io.out, Some(code), &text);
        return Ok(());
    }
    match cx.io.patiently(user.person.copy(opened, uids, to)).await? {
        Ok(copied) => {
            if to.mailbox == opened.id() {
                let placed = copied.committed().pairs.iter().map(|pair| pair.1);
                opened.brought(&UidSet::from_uids(placed));
            }
            cx.tell(user, opened, Expunges::Tell)?;
            let pairs = &copied.committed().pairs;
            let (from, into) = both_sides(pairs);
            let code = (!pairs.is_empty())
                .then(|| Code::CopyUid(copied.committed().uidvalidity, from.ranges(), into.ranges()));
            answer.ok(&mut cx.io.out, copied.narrow(|_| ()), code);
        }
        Err(error) => cx.no_change(user, answer, &error),
    }
    Ok(())
}

/// What COPY and MOVE need: messages that are there, and a mailbox. Otherwise the answer was given.
pub(crate) async fn prepare(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    transfer: &Transfer,
    answer: Change,
) -> Result<Option<(UidSet, Place, Change)>, Stop> {
    opened.look();
    let Some(wanted) = numbers::uids(opened, transfer.numbers, &transfer.set) else {
        answer.bad(&mut cx.io.out, None, "There is no message of that number");
        return Ok(None);
    };
    let found = match refusal::name(&transfer.mailbox) {
        Ok(name) => user.person.find_for(&name, Act::Insert).await,
        Err(error) => Err(error),
    };
    let to = match found {
        Ok(to) => to.place(),
        Err(Error::NoSuchMailbox) => {
            answer.no(
                &mut cx.io.out,
                Some(Code::TryCreate),
                "There is no such mailbox; create it first",
            );
            return Ok(None);
        }
        Err(error) => {
            cx.no_change(user, answer, &error);
            return Ok(None);
        }
    };
    let uids = UidSet::from_uids(opened.select(&wanted).map(|(_, row)| row.uid));
    if uids.is_empty() {
        cx.tell(user, opened, Expunges::Tell)?;
        answer.unchanged(&mut cx.io.out, None);
        return Ok(None);
    }
    Ok(Some((uids, to, answer)))
}

/// Source and destination UIDs. Both ascend, so that sets say which belongs to which (RFC 4315 §3).
pub(crate) fn both_sides(pairs: &[(u32, u32)]) -> (UidSet, UidSet) {
    (
        UidSet::from_uids(pairs.iter().map(|pair| pair.0)),
        UidSet::from_uids(pairs.iter().map(|pair| pair.1)),
    )
}
