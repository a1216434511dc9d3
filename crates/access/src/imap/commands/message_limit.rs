//! How many messages one command takes, where the operator set a limit (RFC 9738). Commands that can be done in part take the newest
//! messages and say how far they came; the others are refused.

use imap::capability::MessageLimit;
use imap::out::Code;
use mailbox::Opened;
use store::uids::UidSet;

use crate::imap::session::Cx;

/// A command took only some of what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    limit: u32,
    lowest: u32,
}

impl Cut {
    /// What the client is told: messages below this UID are still to be asked for.
    pub(crate) fn code(self) -> Code<'static> {
        Code::MessageLimit(self.limit, Some(self.lowest))
    }

    /// Why a command is refused that would have to be cut.
    pub(crate) fn refusal(self) -> (Code<'static>, String) {
        too_many(self.limit)
    }

    /// RFC 9738 §3.1: where the answer has another code, this one goes before it.
    pub(crate) fn beside(self, cx: &mut Cx<'_, '_>) {
        let text = "Only the newest messages were taken; ask for the others";
        cx.io.out.no(Some(&self.code()), text);
    }
}

/// The newest of these messages, if there are more than one command takes. `Ok(None)`: there are not.
pub(crate) fn newest(
    cx: &Cx<'_, '_>,
    opened: &Opened,
    wanted: &UidSet,
    counts: impl Fn(&mailbox::Row) -> bool,
) -> Option<(UidSet, Cut)> {
    let limit = cx.ctx.own.message_limit.and_then(MessageLimit::of_all)?;
    let there = opened.select(wanted).filter(|(_, row)| counts(row));
    let there: Vec<u32> = there.map(|(_, row)| row.uid).collect();
    let cut = cut(&there, limit)?;
    Some((
        UidSet::from_uids(there.into_iter().filter(|&uid| uid >= cut.lowest)),
        cut,
    ))
}

/// Where so many of these UIDs, which ascend, are cut: if they are more.
pub(crate) fn cut(uids: &[u32], limit: u32) -> Option<Cut> {
    let first = uids.len().checked_sub(limit as usize).filter(|&more| more > 0)?;
    let lowest = *uids.get(first)?;
    Some(Cut { limit, lowest })
}

/// The code of an answer, if there is one besides; otherwise that of the cut.
pub(crate) fn told<'c>(cx: &mut Cx<'_, '_>, other: Option<Code<'c>>, cut: Option<Cut>) -> Option<Code<'c>> {
    if let (Some(_), Some(cut)) = (&other, cut) {
        cut.beside(cx);
    }
    other.or(cut.map(Cut::code))
}

/// Why so many messages cannot be taken by a command that takes all or none.
pub(crate) fn too_many(limit: u32) -> (Code<'static>, String) {
    let text = format!("One command takes at most {limit} messages; ask for fewer");
    (Code::MessageLimit(limit, None), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_taken() {
        assert_eq!(cut(&[3, 5, 9], 3), None);
        assert_eq!(cut(&[], 1), None);
        assert_eq!(cut(&[3, 5, 9], 2), Some(Cut { limit: 2, lowest: 5 }));
    }
}
