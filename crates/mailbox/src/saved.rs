//! When messages came into a mailbox (RFC 8514).

use std::collections::HashMap;

use store::contract::PAGE_ROWS;
use store::uids::UidSet;
use world::clock::UnixMs;

use crate::error::Result;
use crate::person::Person;
use crate::session::Opened;

impl Person {
    /// When these messages came into the mailbox; those that went meanwhile are left out.
    pub async fn save_dates(&self, opened: &Opened, uids: UidSet) -> Result<HashMap<u32, UnixMs>> {
        let mut dates = HashMap::new();
        let mut left = uids;
        loop {
            let page = self.shared.store.save_dates(opened.id(), left.clone()).await?;
            let full = page.len() >= PAGE_ROWS;
            let last = page.last().map_or(u32::MAX, |(uid, _)| *uid);
            dates.extend(page);
            if !full || last == u32::MAX {
                return Ok(dates);
            }
            left = left.intersection(&UidSet::from_ranges([(last + 1, u32::MAX)]));
        }
    }
}
