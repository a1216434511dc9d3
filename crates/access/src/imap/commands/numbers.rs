//! Which messages a command means.

use std::sync::Arc;

use imap::command::Numbers;
use imap::set::SequenceSet;
use mailbox::Opened;
use store::uids::UidSet;

/// The UIDs that a set names: known to the client, perhaps expunged meanwhile. `None` when a sequence number does not
/// exist, which is the client's mistake. `*` in an empty mailbox names nothing and is none; nor is `$`, whatever is left of it.
pub(crate) fn uids(opened: &Opened, numbers: Numbers, set: &SequenceSet) -> Option<UidSet> {
    match numbers {
        _ if set.is_saved() => Some(opened.saved().as_ref().clone()),
        Numbers::Uid => Some(uids_of(opened, set)),
        Numbers::Sequence if opened.exists() == 0 && names_all(set) => Some(UidSet::new()),
        Numbers::Sequence => opened.uids_of_seqs(&set.resolve_within(opened.exists())?),
    }
}

/// The same for one of many keys: what was kept of a search may be large, and is shared between them.
pub(crate) fn shared(opened: &Opened, numbers: Numbers, set: &SequenceSet) -> Option<Arc<UidSet>> {
    if set.is_saved() {
        return Some(Arc::clone(opened.saved()));
    }
    uids(opened, numbers, set).map(Arc::new)
}

/// The same for UIDs, where nothing is a mistake.
pub(crate) fn uids_of(opened: &Opened, set: &SequenceSet) -> UidSet {
    if set.is_saved() {
        return opened.saved().as_ref().clone();
    }
    UidSet::from_ranges(set.resolve(opened.last_known_uid()))
}

/// `1:*` and `*`: clients send them without looking whether there are messages.
fn names_all(set: &SequenceSet) -> bool {
    use imap::set::Bound::{Largest, Number};
    let all = |&(from, to): &(imap::set::Bound, imap::set::Bound)| match (from, to) {
        (Largest, Largest) => true,
        (Number(one), Largest) | (Largest, Number(one)) => one.get() == 1,
        (Number(_), Number(_)) => false,
    };
    set.as_written().iter().all(all)
}
