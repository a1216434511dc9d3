//! Changes of flags.

use mail::ids::{AccountId, Id, MailboxId};
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, params};

use crate::contract::{FlagsRow, OpResult, Result, StoreError};
use crate::embedded::apply::Work;
use crate::embedded::apply::place::Overflow;
use crate::embedded::load::{self, StoredPlacement};
use crate::embedded::rows::{PlacementColumns, int, uint};
use crate::flags::{DELETED, FlagEdit, Flags, SEEN};
use crate::uids::UidSet;

/// Placements read at a time while a set of UIDs is worked through.
const STRIDE_ROWS: usize = 512;

/// Rows whose bits change under one modseq: one statement writes them all.
#[derive(Clone, Copy)]
struct Run {
    modseq: u64,
    /// the range of the wanted UIDs that they are in, so that none between them is unwanted
    range: usize,
    first: u32,
    last: u32,
    rows: usize,
}

impl Run {
    /// Of one row.
    fn of(uid: u32, range: usize, modseq: u64) -> Self {
        Self {
            modseq,
            range,
            first: uid,
            last: uid,
            rows: 1,
        }
    }

    /// With this row as well, if that can be.
    fn with(self, next: Self) -> Option<Self> {
        (self.modseq == next.modseq && self.range == next.range).then_some(Self {
            last: next.last,
            rows: self.rows + 1,
            ..self
        })
    }
}

/// One change of flags on its way through the rows.
struct Setting<'a> {
    mailbox: MailboxId,
    account: AccountId,
    uids: &'a UidSet,
    edit: &'a FlagEdit,
    unchanged_since: Option<u64>,
    names: Vec<String>,
    /// rows that are still to be written
    run: Option<Run>,
    /// counters of the mailbox
    unseen: u32,
    deleted: u32,
    changed: Vec<FlagsRow>,
    modified: Vec<u32>,
}

impl Work<'_> {
    /// Changes flags of those that exist; rows changed after `unchanged_since` are left alone and named.
    pub(super) fn set_flags(
        &mut self,
        mailbox: MailboxId,
        uids: &UidSet,
        edit: &FlagEdit,
        unchanged_since: Option<u64>,
    ) -> Result<OpResult> {
        let names = load::keyword_names(self.conn, mailbox)?;
        let row = &self.ledger.known_mailbox(self.conn, mailbox)?.row;
        let (account, before) = (row.account, row.modseq);
        let mut setting = Setting {
            mailbox,
            account,
            uids,
            edit,
            unchanged_since,
            names,
            run: None,
            unseen: row.unseen,
            deleted: row.deleted,
            changed: Vec::new(),
            modified: Vec::new(),
        };
        self.each_placement(mailbox, uids, |work, placement| setting.take(work, placement))?;
        setting.write_run(self, None)?;
        if let Some(last) = setting.changed.last() {
            let row = &mut self.ledger.change_mailbox(self.conn, mailbox)?.row;
            (row.modseq, row.unseen, row.deleted) = (last.modseq, setting.unseen, setting.deleted);
            self.ledger.touch(account, mailbox);
        }
        let modseq = self.ledger.known_mailbox(self.conn, mailbox)?.row.modseq;
        Ok(OpResult::FlagsSet {
            before,
            modseq,
            changed: setting.changed,
            modified: UidSet::from_uids(setting.modified),
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

impl Setting<'_> {
    /// One row, in the order of UIDs.
    fn take(&mut self, work: &mut Work<'_>, placement: StoredPlacement) -> Result<()> {
        let uid = placement.uid;
        if self.unchanged_since.is_some_and(|limit| placement.modseq > limit) {
            self.modified.push(uid);
            return Ok(());
        }
        let before = flags_of(&placement, &self.names)?;
        let after = before.edited(self.edit);
        if after == before {
            return Ok(());
        }
        let modseq = work.ledger.modseq(work.conn, self.account)?;
        self.unseen = recount(self.unseen, before.bits & SEEN == 0, after.bits & SEEN == 0);
        self.deleted = recount(
            self.deleted,
            before.bits & DELETED != 0,
            after.bits & DELETED != 0,
        );
        let flags = if after.keywords == before.keywords {
            self.run_on(work, Run::of(uid, range_of(self.uids, uid), modseq))?;
            after
        } else {
            self.write_run(work, None)?;
            self.rewrite(work, placement, &after, modseq)?
        };
        self.changed.push(FlagsRow { uid, flags, modseq });
        Ok(())
    }

    /// One more row whose bits change and whose keywords stay.
    fn run_on(&mut self, work: &Work<'_>, next: Run) -> Result<()> {
        match self.run.and_then(|run| run.with(next)) {
            Some(longer) => {
                self.run = Some(longer);
                Ok(())
            }
            None => self.write_run(work, Some(next)),
        }
    }

    /// Writes the bits of the run, and begins another. Between its ends there may be rows that the change leaves as they are.
    fn write_run(&mut self, work: &Work<'_>, next: Option<Run>) -> Result<()> {
        let Some(run) = std::mem::replace(&mut self.run, next) else {
            return Ok(());
        };
        let (keep, set) = self.edit.on_bits();
        // The `+` keeps the index by modseq out of the search: rows move in it while they are found.
        let mut update = work.conn.prepare_cached(
            "UPDATE placements SET flags=(flags&?1)|?2,modseq=?3,\
             sum=placement_sum(mailbox,uid,message,(flags&?1)|?2,keywords,?3,size,saved_at) \
             WHERE mailbox=?4 AND uid BETWEEN ?5 AND ?6 AND (flags&?1)|?2<>flags AND +modseq<=?7",
        )?;
        let limit = self.unchanged_since.unwrap_or(u64::MAX).min(i64::MAX as u64);
        let written = update.execute(params![
            keep,
            set,
            int(run.modseq),
            int(self.mailbox.raw()),
            run.first,
            run.last,
            int(limit)
        ])?;
        if written == run.rows {
            return Ok(());
        }
        Err(StoreError::Damaged(format!(
            "mailbox {} ({written} rows changed instead of {})",
            self.mailbox, run.rows
        )))
    }

    /// Writes a row whose rare keywords change. Returns its flags as they are spelled here.
    fn rewrite(
        &mut self,
        work: &mut Work<'_>,
        placement: StoredPlacement,
        after: &Flags,
        modseq: u64,
    ) -> Result<Flags> {
        let new = StoredPlacement {
            bits: after.bits,
            keywords: work.keyword_numbers(self.mailbox, after, Overflow::Refuse)?,
            modseq,
            ..placement
        };
        if after.keywords.iter().any(|name| !self.names.contains(name)) {
            self.names = load::keyword_names(work.conn, self.mailbox)?;
        }
        work.conn
            .prepare_cached(
                "UPDATE placements SET flags=?,keywords=?,modseq=?,sum=? WHERE mailbox=? AND uid=?",
            )?
            .execute(params![
                new.bits,
                new.keywords.as_deref(),
                int(modseq),
                new.columns().sum(),
                int(self.mailbox.raw()),
                new.uid
            ])?;
        flags_of(&new, &self.names)
    }
}

/// Makes `placement_sum` known to a connection: the checksum of a row as a statement is about to write it.
pub(crate) fn teach_sum(conn: &Connection) -> rusqlite::Result<()> {
    let sure = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    conn.create_scalar_function("placement_sum", 8, sure | FunctionFlags::SQLITE_UTF8, |columns| {
        let keywords = columns.get_raw(4).as_blob_or_null()?;
        let sum = PlacementColumns {
            mailbox: MailboxId::from_raw(columns.get::<i64>(0).map(uint)?),
            uid: columns.get(1)?,
            message: columns.get::<i64>(2).map(uint)?,
            bits: columns.get(3)?,
            keywords,
            modseq: columns.get::<i64>(5).map(uint)?,
            size: columns.get::<i64>(6).map(uint)?,
            saved_at: columns.get::<i64>(7).map(uint)?,
        };
        Ok(sum.sum())
    })
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

/// Which of the ranges of a set a UID of it is in.
fn range_of(uids: &UidSet, uid: u32) -> usize {
    uids.ranges().partition_point(|&(_, last)| last < uid)
}

fn recount(count: u32, before: bool, after: bool) -> u32 {
    match (before, after) {
        (false, true) => count + 1,
        (true, false) => count.saturating_sub(1),
        _ => count,
    }
}
