//! Quick resynchronisation (RFC 7162 §3.2): what went and what changed since a client was here, and nothing else.
//!
//! 1. [`find`] asks what went, before anything of SELECT is told, since the store may refuse.
//! 2. [`tell`] says VANISHED (EARLIER), then the flags of what changed.

use imap::command::Resync;
use mailbox::Opened;
use store::uids::UidSet;

use crate::imap::io::Stop;
use crate::imap::session::{Cx, User};
use crate::imap::updates::{fetch_line, flag_names, vanished};

/// What a client that comes back must be told.
pub(crate) struct Found {
    since: u64,
    wanted: UidSet,
    vanished: UidSet,
}

/// `None` when the client remembers another mailbox of this name: it will see that UIDVALIDITY is another.
pub(crate) async fn find(user: &User, opened: &Opened, resync: &Resync) -> mailbox::Result<Option<Found>> {
    if resync.uidvalidity.get() != opened.uidvalidity() {
        return Ok(None);
    }
    let last = opened.uidnext() - 1;
    let all = UidSet::from_ranges((last > 0).then_some((1, last)));
    let wanted = match &resync.known_uids {
        // `*` cannot stand there.
        Some(known) => UidSet::from_ranges(known.resolve(0)).intersection(&all),
        None => all,
    };
    let same = last_same(opened, resync);
    let may_be_gone = UidSet::from_ranges((same < last).then_some((same + 1, last)));
    let asked = wanted.intersection(&may_be_gone);
    let since = since(resync.modseq, opened.applied_modseq());
    let vanished = user.person.vanished(opened, &asked, since).await?;
    Ok(Some(Found {
        since,
        wanted,
        vanished,
    }))
}

/// A client that remembers more than ever happened here saw changes that a restored backup has not: it is told everything.
const fn since(remembered: u64, highest: u64) -> u64 {
    if remembered > highest { 0 } else { remembered }
}

/// Nothing up to this UID went: it has the sequence number that it had (RFC 7162 §3.2.5.2).
fn last_same(opened: &Opened, resync: &Resync) -> u32 {
    let Some((numbers, uids)) = &resync.matches else {
        return 0;
    };
    let each = |ranges: Vec<(u32, u32)>| ranges.into_iter().flat_map(|(first, last)| first..=last);
    let pairs = each(numbers.resolve(0)).zip(each(uids.resolve(0)));
    let same = pairs.take_while(|&(seq, uid)| opened.uid_at(seq) == Some(uid));
    same.last().map_or(0, |(_, uid)| uid)
}

/// Writes it.
pub(crate) async fn tell(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    found: &Found,
) -> Result<(), Stop> {
    vanished(&mut cx.io.out, true, &found.vanished);
    for row in opened.snapshot().changed_after(found.since) {
        let Some(seq) = opened.seq_of(row.uid).filter(|_| found.wanted.contains(row.uid)) else {
            continue;
        };
        let mut line = fetch_line(&mut cx.io.out, user, seq, row.uid);
        if !user.uid_only {
            line.uid(row.uid);
        }
        line.flags(flag_names(opened, row));
        line.modseq(row.modseq);
        line.finish();
        cx.io.send().await?;
    }
    Ok(())
}
