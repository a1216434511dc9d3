//! EXPUNGE and UID EXPUNGE (RFC 3501 §6.4.3, RFC 4315 §2.1).

use imap::out::Code;
use imap::set::SequenceSet;
use mailbox::{Act, Expunges, Opened};
use store::flags::DELETED;
use store::uids::UidSet;

use super::message_limit::{self, told};
use super::numbers;
use crate::imap::io::Stop;
use crate::imap::session::{Change, Cx, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    set: Option<&SequenceSet>,
    answer: Change,
) -> Result<(), Stop> {
    opened.look();
    let wanted = match set {
        Some(set) => numbers::uids_of(opened, set),
        None => UidSet::from_ranges([(1, u32::MAX)]),
    };
    if let Err(error) = opened.may(Act::Expunge) {
        cx.no_change(user, answer, &error);
        return Ok(());
    }
    let uids = deleted(opened, &wanted);
    if uids.is_empty() {
        cx.tell(user, opened, Expunges::Tell)?;
        answer.unchanged(&mut cx.io.out, None);
        return Ok(());
    }
    // RFC 9738 §3.1: EXPUNGE itself is never cut.
    let newest = set.and_then(|_| message_limit::newest(cx, opened, &uids, |_| true));
    let (uids, cut) = match newest {
        Some((newest, cut)) => (newest, Some(cut)),
        None => (uids, None),
    };
    match cx.io.patiently(user.person.expunge(opened, uids)).await? {
        Ok(expunged) => {
            cx.tell_gone(user, opened)?;
            let highest = Code::HighestModSeq(expunged.committed().modseq);
            let code = told(cx, user.condstore.then_some(highest), cut);
            answer.ok(&mut cx.io.out, expunged.narrow(|_| ()), code);
        }
        Err(error) => cx.no_change(user, answer, &error),
    }
    Ok(())
}

/// Messages with `\Deleted` that the client knows of: what another session marks meanwhile is not touched.
pub(crate) fn deleted(opened: &Opened, wanted: &UidSet) -> UidSet {
    let marked = opened.select(wanted).filter(|(_, row)| row.bits & DELETED != 0);
    UidSet::from_uids(marked.map(|(_, row)| row.uid))
}
