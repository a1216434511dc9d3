//! Telling a client what changed (RFC 3501 §7.3, §7.4).

use imap::out::{FetchLine, Out};
use mailbox::{Opened, Row, Telling};
use store::flags::{ANSWERED, DELETED, DRAFT, FLAGGED, SEEN};
use store::uids::UidSet;

use crate::imap::contexts;
use crate::imap::session::User;
use crate::limits::VANISHED_RANGES;

/// Writes EXPUNGE or VANISHED (if it may be told), EXISTS, RECENT and changed FLAGS. False when the mailbox is gone: the connection must
/// end, as IMAP has no other word for it.
pub(crate) fn tell(out: &mut Out, opened: &mut Opened, user: &User, telling: Telling) -> bool {
    let updates = opened.updates_of(telling);
    contexts::tell_left(out, user, &updates);
    if user.qresync || user.uid_only {
        vanished(out, false, &UidSet::from_uids(updates.vanished.iter().copied()));
    } else {
        updates.expunged.iter().for_each(|&seq| out.expunge(seq));
    }
    if let Some(exists) = updates.exists {
        out.exists(exists);
        out.recent(updates.recent);
    }
    for &(seq, uid) in &updates.flags {
        if let Some(row) = opened.snapshot().find(uid) {
            let mut line = fetch_line(out, user, seq, uid);
            // With CONDSTORE the client must be able to tell which message it is about (RFC 7162 §3.1).
            // So must it with NOTIFY (RFC 5465 §5.1).
            if (user.condstore || user.notify.is_set()) && !user.uid_only {
                line.uid(uid);
            }
            if user.condstore {
                line.modseq(row.modseq);
            }
            line.flags(flag_names(opened, row));
            line.finish();
        }
    }
    !updates.gone
}

/// Begins `* n FETCH`, or `* uid UIDFETCH` for a client that speaks of UIDs only (RFC 9586 §3.3).
pub(crate) fn fetch_line<'o>(out: &'o mut Out, user: &User, seq: u32, uid: u32) -> FetchLine<'o> {
    if user.uid_only {
        out.uid_fetch(uid)
    } else {
        out.fetch(seq)
    }
}

/// VANISHED, in lines that a client can hold.
pub(crate) fn vanished(out: &mut Out, earlier: bool, uids: &UidSet) {
    for some in uids.ranges().chunks(VANISHED_RANGES) {
        out.vanished(earlier, some);
    }
}

/// The flags of a message as they go on the wire.
pub(crate) fn flag_names<'o>(opened: &'o Opened, row: &Row) -> impl Iterator<Item = &'o str> + use<'o> {
    let bits = row.bits;
    let recent = opened.is_recent(row.uid).then_some("\\Recent");
    let rare = opened.snapshot().rare(row.uid).iter().map(String::as_str);
    bit_names(bits).chain(rare).chain(recent)
}

/// The names of flag bits: system flags, then common keywords.
pub(crate) fn bit_names<'s>(bits: u32) -> impl Iterator<Item = &'s str> {
    let system = SYSTEM
        .iter()
        .filter(move |(bit, _)| bits & bit != 0)
        .map(|&(_, name)| name);
    let common = store::flags::COMMON_KEYWORDS.iter().enumerate();
    // Most messages have no keyword: nothing is looked at then.
    let shown = if bits >> 5 == 0 { 0 } else { usize::MAX };
    let common = common
        .take(shown)
        .filter(move |(at, _)| bits & (1 << (at + 5)) != 0)
        .map(|(_, &name)| name);
    system.chain(common)
}

/// The system flags in the order they are shown.
pub(crate) const SYSTEM: [(u32, &str); 5] = [
    (ANSWERED, "\\Answered"),
    (FLAGGED, "\\Flagged"),
    (DELETED, "\\Deleted"),
    (SEEN, "\\Seen"),
    (DRAFT, "\\Draft"),
];

/// The flags of a command as the store keeps them.
pub(crate) fn stored_flags(flags: &[imap::flag::Flag]) -> store::flags::Flags {
    use imap::flag::Flag;
    let mut stored = store::flags::Flags::default();
    for flag in flags {
        match flag {
            Flag::Seen => stored.bits |= SEEN,
            Flag::Answered => stored.bits |= ANSWERED,
            Flag::Flagged => stored.bits |= FLAGGED,
            Flag::Deleted => stored.bits |= DELETED,
            Flag::Draft => stored.bits |= DRAFT,
            Flag::Keyword(name) => stored.add_keyword(name),
        }
    }
    stored
}
