//! One session's sight of an open mailbox: which messages its client knows, and by which sequence numbers.
//!
//! The client knows the messages with UIDs up to `known_uid`, except those it was told are expunged. Of these, the ones
//! in the shared snapshot are there, and `untold` are gone without the client knowing it. A sequence number is the rank
//! in the union of the two; nothing else is stored.

use std::sync::Arc;

use mail::ids::{AccountId, MailboxId};
use store::contract::MailboxRow;
use store::flags::{FlagEdit, FlagMask};
use store::rights::Rights;
use store::uids::UidSet;
use tokio::sync::watch;

use crate::changes::FlagsSet;
use crate::error::{Error, Result};
use crate::permission::{Act, flags_of, may, writes};
use crate::plants;
use crate::results::{KeptId, Live, Place};
use crate::rows::{Row, Snapshot};
use crate::shared;
use crate::view::{LogPosition, Seat, View};

/// Whether the client may be told of expunges now (RFC 9051 §7.5.1: never during FETCH, STORE and SEARCH with sequence
/// numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expunges {
    /// Sequence numbers may change.
    Tell,
    /// They must stay.
    Hold,
}

/// What a client may be told now, and wants to be. What it is not told waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telling {
    /// that messages went
    pub expunges: Expunges,
    /// that messages came
    pub arrivals: bool,
    /// that flags changed
    pub flags: bool,
}

impl Telling {
    /// Everything, expunges as they may be.
    pub const fn all(expunges: Expunges) -> Self {
        Self {
            expunges,
            arrivals: true,
            flags: true,
        }
    }
}

/// What a client must be told, in this order.
#[derive(Debug, Clone, Default)]
pub struct Updates {
    /// Messages that leave kept results with that, told before.
    pub left: Vec<(KeptId, Vec<Place>)>,
    /// Sequence numbers that went, each counted after the ones before it (descending).
    pub expunged: Vec<u32>,
    /// The UIDs of `expunged`, ascending.
    pub vanished: Vec<u32>,
    /// How many messages there are now, if that must be told (something arrived).
    pub exists: Option<u32>,
    /// How many are recent, if `exists` is told.
    pub recent: u32,
    /// Messages known before whose flags changed: (sequence number, UID).
    pub flags: Vec<(u32, u32)>,
    /// The mailbox was deleted.
    pub gone: bool,
}

impl Updates {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.expunged.is_empty() && self.exists.is_none() && self.flags.is_empty() && !self.gone
    }
}

/// An open mailbox of one session.
pub struct Opened {
    view: Seat,
    position: LogPosition,
    wake: watch::Receiver<u64>,
    snapshot: Arc<Snapshot>,
    uidvalidity: u32,
    uidnext: u32,
    /// it was opened to be read only
    examined: bool,
    rights: Rights,
    gone: bool,
    known_uid: u32,
    applied_modseq: u64,
    /// expunged, not told; ascending
    untold: Vec<u32>,
    /// UID ranges that were told to this session first, ascending
    recent: Vec<(u32, u32)>,
    /// (UID, modseq) of own changes whose results the client knows already; ascending
    quiet: Vec<(u32, u64)>,
    /// what the client had us keep of a search
    saved: Arc<UidSet>,
    /// results that the client has us keep up to date
    pub(crate) live: Live,
}

impl Opened {
    pub(crate) fn new(view: Seat, row: MailboxRow, examined: bool, rights: Rights) -> Self {
        let (position, wake) = view.join();
        let glance = view.glance(&position);
        let snapshot = glance.snapshot;
        let mut opened = Self {
            view,
            position,
            wake,
            uidvalidity: row.uidvalidity,
            uidnext: row.uidnext,
            examined,
            rights,
            gone: glance.gone,
            known_uid: 0,
            applied_modseq: snapshot.modseq(),
            untold: Vec::new(),
            recent: Vec::new(),
            quiet: Vec::new(),
            live: Live::default(),
            saved: Arc::default(),
            snapshot,
        };
        opened.learn_new();
        opened
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    pub(crate) fn shared_view(&self) -> Arc<View> {
        self.view.shared()
    }

    /// Which mailbox.
    pub fn id(&self) -> MailboxId {
        self.view.id
    }

    /// UIDVALIDITY.
    pub fn uidvalidity(&self) -> u32 {
        self.uidvalidity
    }

    /// UIDNEXT: larger than every UID this session has seen.
    pub fn uidnext(&self) -> u32 {
        self.uidnext.max(self.snapshot.last_uid().saturating_add(1))
    }

    /// Whether nothing may be changed: it was opened with EXAMINE, or rights allow no change.
    pub fn read_only(&self) -> bool {
        self.examined || !writes(self.rights)
    }

    /// Whether it was opened with EXAMINE.
    pub fn examined(&self) -> bool {
        self.examined
    }

    /// Whose it is.
    pub fn owner(&self) -> AccountId {
        self.view.account
    }

    /// What the person may do with it, as of the last [`crate::Person::recheck`].
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// As a place that messages go to.
    pub fn place(&self) -> shared::Place {
        shared::Place {
            mailbox: self.id(),
            owner: self.owner(),
            rights: self.rights,
        }
    }

    /// Whether the person may.
    ///
    /// # Errors
    /// `ReadOnly` after EXAMINE when it would change something; else as [`may`].
    pub fn may(&self, act: Act) -> Result<()> {
        let reads = matches!(act, Act::See | Act::Read | Act::ReadNotes);
        if self.examined && !reads {
            return Err(Error::ReadOnly);
        }
        may(act, self.rights)
    }

    /// The flags that the person may change here.
    pub fn may_flag(&self) -> FlagMask {
        if self.examined {
            return flags_of(Rights::NONE);
        }
        flags_of(self.rights)
    }

    pub(crate) fn set_rights(&mut self, rights: Rights) {
        self.rights = rights;
    }

    /// The rows as of the last [`Opened::look`]. It may hold messages the client does not know yet.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// HIGHESTMODSEQ of which every change has been told.
    pub fn applied_modseq(&self) -> u64 {
        self.applied_modseq
    }

    /// The messages of a search that the client had us keep (RFC 5182); expunged ones may still be in it, and nothing selects them.
    pub fn saved(&self) -> &Arc<UidSet> {
        &self.saved
    }

    /// Keeps these instead.
    pub fn save(&mut self, uids: UidSet) {
        self.saved = Arc::new(uids);
    }

    /// Whether the mailbox was deleted.
    pub fn gone(&self) -> bool {
        self.gone
    }

    /// EXISTS as the client knows it.
    pub fn exists(&self) -> u32 {
        self.live() + self.untold.len() as u32
    }

    /// How many messages are recent to this session.
    pub fn recent(&self) -> u32 {
        let count = |&(first, last): &(u32, u32)| {
            let live = self.snapshot.rank(last.saturating_add(1)) - self.snapshot.rank(first);
            let untold = self.untold.partition_point(|&uid| uid <= last)
                - self.untold.partition_point(|&uid| uid < first);
            live + untold as u32
        };
        self.recent.iter().map(count).sum()
    }

    /// Whether a message is recent to this session.
    pub fn is_recent(&self, uid: u32) -> bool {
        self.recent
            .iter()
            .any(|&(first, last)| (first..=last).contains(&uid))
    }

    /// Takes in what was committed since, without telling anybody. Call it at the start of a command; sequence numbers
    /// do not change by it.
    pub fn look(&mut self) {
        let glance = self.view.glance(&self.position);
        self.gone |= glance.gone;
        self.snapshot = glance.snapshot;
        let known = self.known_uid;
        let before = self.untold.len();
        self.untold.extend(
            glance
                .expunged
                .into_iter()
                .filter(|&uid| uid <= known && !plants::lost_expunge(uid)),
        );
        if self.untold.len() != before {
            self.untold.sort_unstable();
        }
    }

    /// The UID of a sequence number.
    pub fn uid_at(&self, seq: u32) -> Option<u32> {
        let index = seq.checked_sub(1).filter(|&index| index < self.exists())?;
        // The place of each untold UID in the union grows with it, so that a binary search finds how many come before.
        let place = |at: usize| self.snapshot.rank(self.untold[at]) + at as u32;
        let (mut low, mut high) = (0, self.untold.len());
        while low < high {
            let middle = low.midpoint(high);
            if place(middle) < index {
                low = middle + 1
            } else {
                high = middle
            }
        }
        if low < self.untold.len() && place(low) == index {
            return Some(self.untold[low]);
        }
        self.snapshot.at(index - low as u32).map(|row| row.uid)
    }

    /// The sequence number of a UID that the client knows.
    pub fn seq_of(&self, uid: u32) -> Option<u32> {
        let there = uid <= self.known_uid && self.snapshot.find(uid).is_some();
        (there || self.untold.binary_search(&uid).is_ok()).then(|| self.rank(uid) + 1)
    }

    /// The largest UID the client knows; 0 when it knows none.
    pub fn last_known_uid(&self) -> u32 {
        self.uid_at(self.exists()).unwrap_or(0)
    }

    /// UID ranges of ranges of sequence numbers; `None` when one is out of range (a protocol error, RFC 9051 §9).
    pub fn uids_of_seqs(&self, ranges: &[(u32, u32)]) -> Option<UidSet> {
        let mut uids = Vec::with_capacity(ranges.len());
        for &(a, b) in ranges {
            uids.push((self.uid_at(a.min(b))?, self.uid_at(a.max(b))?));
        }
        Some(UidSet::from_ranges(uids))
    }

    /// Those of `uids` that are not there, without those of which the client is still to be told.
    pub fn missing(&self, uids: &UidSet) -> UidSet {
        let ranges = uids.ranges().iter();
        let there = ranges.flat_map(|&(first, last)| self.snapshot.range(first, last).map(|row| row.uid));
        uids.without(there).without(self.untold.iter().copied())
    }

    /// The known messages that are in `uids`, as (sequence number, row), ascending; expunged ones are left out.
    pub fn select<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = (u32, &'a Row)> + 'a {
        self.select_from(uids, 0)
    }

    /// The same, of UIDs from `from` on: for going through a mailbox page by page.
    pub fn select_from<'a>(
        &'a self,
        uids: &'a UidSet,
        from: u32,
    ) -> impl Iterator<Item = (u32, &'a Row)> + 'a {
        let done = uids.ranges().partition_point(|range| range.1 < from);
        uids.ranges()[done..].iter().flat_map(move |&(first, last)| {
            let first = first.max(from);
            let last = last.min(self.known_uid);
            let mut live = self.snapshot.rank(first);
            let mut untold = self.untold.partition_point(|&uid| uid < first);
            self.snapshot.range(first, last).map(move |row| {
                while self.untold.get(untold).is_some_and(|&gone| gone < row.uid) {
                    untold += 1;
                }
                live += 1;
                (live + untold as u32, row)
            })
        })
    }

    /// The client is answered about these messages as they are in the snapshot now: it is not told of them again.
    pub fn hush(&mut self, uids: &UidSet) {
        let told = self.applied_modseq;
        let snapshot = Arc::clone(&self.snapshot);
        let answered = snapshot.changed_after(told).filter(|row| uids.contains(row.uid));
        self.quiet.extend(answered.map(|row| (row.uid, row.modseq)));
        self.sort_quiet();
    }

    /// The same after a change that is not answered (`.SILENT`): the client works out the new flags itself. Where it
    /// cannot, because the flags had changed before without its knowing, it is told all the same (RFC 9051 §6.4.6).
    /// `before` is the snapshot the client's command was given under.
    pub fn hush_silent(&mut self, set: &FlagsSet, edit: &FlagEdit, before: &Snapshot) {
        let [Some(first), Some(last)] = [set.changed.first(), set.changed.last()] else {
            return;
        };
        // Side by side, all ascending: a change of everything looks nothing up.
        let mut was = before.range(first.uid, last.uid).peekable();
        let mut is = self.snapshot.range(first.uid, last.uid).peekable();
        for changed in &set.changed {
            while was.next_if(|row| row.uid < changed.uid).is_some() {}
            while is.next_if(|row| row.uid < changed.uid).is_some() {}
            let known = was
                .next_if(|row| row.uid == changed.uid)
                .filter(|row| row.modseq <= self.applied_modseq);
            let now = is.next_if(|row| row.uid == changed.uid);
            let (Some(known), Some(now)) = (known, now) else {
                continue;
            };
            if before.flags(known).edited(edit) == self.snapshot.flags(now) {
                self.quiet.push((now.uid, now.modseq));
            }
        }
        drop((was, is));
        self.sort_quiet();
    }

    /// Of several changes of one message the last counts: where flags are not told for long, no more than one is kept.
    fn sort_quiet(&mut self) {
        self.quiet.sort_unstable_by(|one, other| other.cmp(one));
        self.quiet.dedup_by_key(|(uid, _)| *uid);
        self.quiet.reverse();
    }

    /// What the client must be told now. Taking it moves this session on: the caller must tell it.
    pub fn updates(&mut self, expunges: Expunges) -> Updates {
        self.updates_of(Telling::all(expunges))
    }

    /// The same, of what the client wants to hear.
    pub fn updates_of(&mut self, telling: Telling) -> Updates {
        self.look();
        let mut updates = Updates {
            gone: self.gone,
            ..Updates::default()
        };
        if telling.expunges == Expunges::Tell || plants::early_expunge() {
            updates.vanished = std::mem::take(&mut self.untold);
            updates.left = self.live.note_gone(&updates.vanished);
            let ranks = updates.vanished.iter().enumerate();
            updates.expunged = ranks
                .map(|(at, &uid)| self.live_rank(uid) + at as u32 + 1)
                .collect();
            updates.expunged.reverse();
        }
        self.live
            .note_changes(&self.snapshot, self.known_uid, &self.untold);
        if telling.flags {
            updates.flags = self.changed_flags();
            self.applied_modseq = self.snapshot.modseq();
            self.quiet = Vec::new();
        }
        let known = self.known_uid;
        if telling.arrivals && self.learn_new() {
            self.live.note_new(known + 1, self.known_uid);
            updates.exists = Some(self.exists());
            updates.recent = self.recent();
        }
        updates
    }

    /// Waits until something may have changed. Cancelling loses nothing.
    pub async fn changed(&mut self) {
        // The sender lives as long as the view, which this session holds.
        let _open = self.wake.changed().await;
    }

    fn changed_flags(&self) -> Vec<(u32, u32)> {
        let changed = self
            .snapshot
            .changed_after(self.applied_modseq)
            .filter(|row| row.uid <= self.known_uid && !plants::lost_flags(row.uid));
        let mut quiet = self.quiet.iter().peekable();
        let told = changed.filter(|row| {
            let this = (row.uid, row.modseq);
            while quiet.next_if(|known| **known < this).is_some() {}
            quiet.peek() != Some(&&this)
        });
        told.map(|row| (self.rank(row.uid) + 1, row.uid)).collect()
    }

    /// Takes messages the client does not know yet into its sight; true if there are some.
    fn learn_new(&mut self) -> bool {
        let last = self.snapshot.last_uid();
        if last <= self.known_uid {
            return false;
        }
        let first = self.known_uid + 1;
        let mark = if self.read_only() {
            self.view.registry().recent_above(self.view.id)
        } else {
            self.view.registry().claim_recent(self.view.id, last)
        };
        let from = first.max(mark.saturating_add(1));
        if from <= last {
            match self.recent.last_mut() {
                Some(range) if range.1 + 1 == from => range.1 = last,
                _ => self.recent.push((from, last)),
            }
        }
        self.known_uid = last;
        true
    }

    fn live(&self) -> u32 {
        self.live_rank(self.known_uid.saturating_add(1))
    }

    fn live_rank(&self, uid: u32) -> u32 {
        self.snapshot.rank(uid)
    }

    fn rank(&self, uid: u32) -> u32 {
        self.snapshot.rank(uid) + self.untold.partition_point(|&gone| gone < uid) as u32
    }
}
