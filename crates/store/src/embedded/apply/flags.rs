//! Changes of flags.

use mail::ids::{Id, MailboxId};
use rusqlite::params;

use crate::contract::{FlagsRow, OpResult, Result, StoreError};
use crate::embedded::apply::Work;
use crate::embedded::apply::place::Overflow;
use crate::embedded::load::{self, StoredPlacement};
use crate::embedded::rows::int;
use crate::flags::{DELETED, FlagEdit, Flags, SEEN};
use crate::uids::UidSet;

/// Placements read at a time while a set of UIDs is worked through.
const STRIDE_ROWS: usize = 512;

impl Work<'_> {
    /// Changes flags of those that exist; rows changed after `unchanged_since` are left alone and named.
    pub(super) fn set_flags(
        &mut self,
        mailbox: MailboxId,
        uids: &UidSet,
        edit: &FlagEdit,
        unchanged_since: Option<u64>,
    ) -> Result<OpResult> {
        let row = &self.ledger.known_mailbox(self.conn, mailbox)?.row;
        let (account, reached) = (row.account, row.modseq);
        let (mut unseen, mut deleted) = (row.unseen, row.deleted);
        let mut names = load::keyword_names(self.conn, mailbox)?;
        let (mut changed, mut modified) = (Vec::new(), Vec::new());
        // Outside of the loop: a STORE of everything runs it once for each message.
        let mut update = self.conn.prepare_cached(
            "UPDATE placements SET flags=?,keywords=?,modseq=?,sum=? WHERE mailbox=? AND uid=?",
        )?;
        self.each_placement(mailbox, uids, |work, placement| {
            if unchanged_since.is_some_and(|limit| placement.modseq > limit) {
                modified.push(placement.uid);
                return Ok(());
            }
            let before = flags_of(&placement, &names)?;
            let after = before.edited(edit);
            if after == before {
                return Ok(());
            }
            let keywords = work.keyword_numbers(mailbox, &after, Overflow::Refuse)?;
            if after.keywords.iter().any(|name| !names.contains(name)) {
                names = load::keyword_names(work.conn, mailbox)?;
            }
            let modseq = work.ledger.modseq(work.conn, account)?;
            unseen = recount(unseen, before.bits & SEEN == 0, after.bits & SEEN == 0);
            deleted = recount(deleted, before.bits & DELETED != 0, after.bits & DELETED != 0);
            let new = StoredPlacement {
                bits: after.bits,
                keywords,
                modseq,
                ..placement
            };
            update.execute(params![
                new.bits,
                new.keywords.as_deref(),
                int(modseq),
                new.columns().sum(),
                int(mailbox.raw()),
                new.uid
            ])?;
            changed.push(FlagsRow {
                uid: new.uid,
                flags: flags_of(&new, &names)?,
                modseq,
            });
            Ok(())
        })?;
        if let Some(last) = changed.last() {
            let row = &mut self.ledger.change_mailbox(self.conn, mailbox)?.row;
            (row.modseq, row.unseen, row.deleted) = (last.modseq, unseen, deleted);
            self.ledger.touch(account, mailbox);
        }
        let modseq = self.ledger.known_mailbox(self.conn, mailbox)?.row.modseq;
        Ok(OpResult::FlagsSet {
            before: reached,
            modseq,
            changed,
            modified: UidSet::from_uids(modified),
        })
    }

    /// Calls `act` with every existing placement of the set, in UID order. Rows are read in pages, so that `act` may
    /// change or remove the row it is given.
    pub(super) fn each_placement(
        &mut self,
        mailbox: MailboxId,
        uids: &UidSet,
        mut act: impl FnMut(&mut Self, StoredPlacement) -> Result<()>,
    ) -> Result<()> {
        for &(first, last) in uids.ranges() {
            let mut next = Some(first);
            while let Some(from) = next {
                let page = self.placements_between(mailbox, from, last)?;
                let full = page.len() == STRIDE_ROWS;
                let end = page.last().map(|placement| placement.uid);
                for placement in page {
                    act(self, placement.verified()?)?;
                }
                next = end.filter(|&uid| full && uid < last).map(|uid| uid + 1);
            }
        }
        Ok(())
    }

    fn placements_between(&self, mailbox: MailboxId, first: u32, last: u32) -> Result<Vec<StoredPlacement>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT mailbox,uid,message,flags,keywords,modseq,size,sum,saved_at FROM placements \
             WHERE mailbox=? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT ?",
        )?;
        let rows = statement.query_map(
            params![int(mailbox.raw()), first, last, STRIDE_ROWS as i64],
            load::placement_from,
        )?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// A placement's flags with the names of its rare keywords.
pub(crate) fn flags_of(placement: &StoredPlacement, names: &[String]) -> Result<Flags> {
    let mut flags = Flags::bits(placement.bits);
    for &number in placement.keywords.as_deref().unwrap_or_default() {
        let missing = || StoreError::Damaged(format!("keyword {number} of mailbox {}", placement.mailbox));
        flags
            .keywords
            .push(names.get(usize::from(number)).ok_or_else(missing)?.clone());
    }
    flags.keywords.sort_by_key(|keyword| keyword.to_ascii_lowercase());
    Ok(flags)
}

fn recount(count: u32, before: bool, after: bool) -> u32 {
    match (before, after) {
        (false, true) => count + 1,
        (true, false) => count.saturating_sub(1),
        _ => count,
    }
}
