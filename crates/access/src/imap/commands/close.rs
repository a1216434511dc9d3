//! CLOSE (RFC 3501 §6.4.2): expunges without telling, unless the mailbox was opened read-only or the right is missing: then it is
//! closed all the same (RFC 4314 §4).

use mailbox::{Act, Opened};
use store::uids::UidSet;

use super::expunge::deleted;
use crate::imap::session::{Change, Cx, User};

/// Whether it is closed; a failed CLOSE leaves the mailbox open.
pub(crate) async fn run(cx: &mut Cx<'_, '_>, user: &User, opened: &Opened, answer: Change) -> bool {
    let uids = deleted(opened, &UidSet::from_ranges([(1, u32::MAX)]));
    if opened.may(Act::Expunge).is_err() || uids.is_empty() {
        answer.unchanged(&mut cx.io.out, None);
        return true;
    }
    match user.person.expunge(opened, uids).await {
        Ok(proof) => {
            answer.ok(&mut cx.io.out, proof.narrow(|_| ()), None);
            true
        }
        Err(error) => {
            cx.no_change(user, answer, &error);
            false
        }
    }
}
