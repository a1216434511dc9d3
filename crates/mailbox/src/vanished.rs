//! Which messages went while a client was away (RFC 7162 §3.2.5): reads what the store kept of them, not the mailbox.

use store::uids::UidSet;

use crate::error::Result;
use crate::person::Person;
use crate::plants;
use crate::session::Opened;

impl Person {
    /// Those of `wanted` that went after `modseq`; not those of which the client of `opened` is still to be told. Where the store
    /// has forgotten what went so long ago: all of `wanted` that is not there.
    pub async fn vanished(&self, opened: &Opened, wanted: &UidSet, modseq: u64) -> Result<UidSet> {
        if plants::lost_vanished() {
            return Ok(UidSet::default());
        }
        let mut went: Vec<(u32, u32)> = Vec::new();
        let mut since = modseq;
        loop {
            let changes = self.shared.store.changes_since(opened.id(), since).await?;
            if changes.too_old {
                return Ok(opened.missing(wanted));
            }
            went.extend_from_slice(changes.vanished.ranges());
            if changes.upto >= changes.highest {
                break;
            }
            since = changes.upto;
        }
        Ok(opened.missing(&UidSet::from_ranges(went).intersection(wanted)))
    }
}
