//! MOVE and UID MOVE (RFC 6851): one commit; COPYUID is told before the EXPUNGEs (§4.3).

use imap::command::Transfer;
use imap::out::Code;
use mailbox::{Act, Opened};

use super::copy::{both_sides, prepare};
use super::message_limit::{self, told};
use crate::imap::io::Stop;
use crate::imap::session::{Change, Cx, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    moved: &Transfer,
    answer: Change,
) -> Result<(), Stop> {
    if let Err(error) = opened.may(Act::TakeOut) {
        cx.no_change(user, answer, &error);
        return Ok(());
    }
    let Some((uids, to, answer)) = prepare(cx, user, opened, moved, answer).await? else {
        return Ok(());
    };
    let (uids, cut) = match message_limit::newest(cx, opened, &uids, |_| true) {
        Some((newest, cut)) => (newest, Some(cut)),
        None => (uids, None),
    };
    match cx.io.patiently(user.person.move_to(opened, uids, to)).await? {
        Ok(moved) => {
            let done = moved.committed();
            let (from, into) = both_sides(&done.pairs);
            if !done.pairs.is_empty() {
                let code = Code::CopyUid(done.uidvalidity, from.ranges(), into.ranges());
                cx.io.out.ok(Some(&code), "Moved");
            }
            cx.tell_gone(user, opened)?;
            let highest = user.condstore.then_some(Code::HighestModSeq(done.modseq));
            let code = told(cx, highest, cut);
            answer.ok(&mut cx.io.out, moved.narrow(|_| ()), code);
        }
        Err(error) => cx.no_change(user, answer, &error),
    }
    Ok(())
}
