//! Keeps the index in step with the store.
//!
//! 1. At the start every account is looked at; later those that notices name, some moments after the first of them.
//! 2. `catch_up_together`: of the mailboxes that notices name, `changes_since` their marks, all in a few questions. `catch_up`, account
//!    by account and page by page: where a page is not enough, where notices were lost, at the start. A lost notice costs nothing but
//!    time: whoever searches reads what is not indexed.
//! 3. `take_in`: messages that are not indexed are read, a batch at a time, and join their accounts' segments in the making.
//! 4. `write_due`: what is in memory is written when it is old or too much. `merge_small`: small segments become larger ones; messages
//!    the store has no more are left out.
//! 5. `check_one`: now and then one segment is looked at, and written anew if much of it is gone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mail::ids::{AccountId, Id as _, MailboxId, MessageId};
use store::contract::{Admission, Conflict, MailboxRow, MessageRow, Notice, PAGE_ROWS, StoreError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;
use world::clock::Monotonic;

use crate::account::{Account, Segment};
use crate::events::IndexEvent;
use crate::file::Marks;
use crate::index::Index;
use crate::limits::{
    BATCH_BYTES, CHECK_MS, FRESH_LOOK_ACCOUNTS, GATHER_MOST_MS, GATHER_MS, GATHER_STEP_MS, GONE_ONE_IN,
    MESSAGE_BYTES, REACHED_MAILBOXES, RETRY_MS, SWEEP_MS, TOGETHER_BYTES, TOGETHER_MAILBOXES,
};
use crate::writing::{self, Read, leave_out, merge_now};

/// Why an account is not up to date: it is tried again later.
struct Later;

impl From<StoreError> for Later {
    fn from(_: StoreError) -> Self {
        Self
    }
}

/// Runs until `stop` becomes true or the store is gone.
pub(crate) async fn run(index: Arc<Index>, mut stop: watch::Receiver<bool>) {
    let mut notices = index.doors.store.subscribe();
    let mut work = Work::new(index);
    work.all = true;
    while !*stop.borrow() && work.notices_come {
        work.round(&mut notices, &stop).await;
        if work.goes_on() {
            work.gather(&mut notices, &stop).await;
            continue;
        }
        let pause = work.pause();
        tokio::select! {
            _ = stop.changed() => {}
            () = work.index.wake.notified() => {}
            () = pause => {}
            notice = notices.recv(), if !work.failed => {
                work.hear(notice);
                work.gather(&mut notices, &stop).await;
            }
        }
    }
    work.write_out().await;
}

/// What notices say of an account.
#[derive(Debug)]
enum Touched {
    /// No more than that it is to be looked at.
    Unknown,
    /// These mailboxes changed, and nothing else.
    Mailboxes(BTreeSet<MailboxId>),
}

impl Touched {
    fn add(&mut self, mailboxes: Vec<MailboxId>) {
        match self {
            // A notice that names none may mean any.
            Self::Mailboxes(known) if !mailboxes.is_empty() => known.extend(mailboxes),
            _ => *self = Self::Unknown,
        }
    }
}

/// What is to be done.
struct Work {
    index: Arc<Index>,
    behind: BTreeMap<AccountId, Touched>,
    /// the last notice that was heard
    heard: u64,
    /// every account is to be looked at
    all: bool,
    /// the store is there
    notices_come: bool,
    /// something is to be tried again
    failed: bool,
    /// when this stretch of work began
    began: Option<Monotonic>,
    /// when a segment was looked at last and whose, and which of each account
    checked_last: Option<(Monotonic, AccountId)>,
    checked: BTreeMap<AccountId, u64>,
    /// when accounts that are gone were looked for last
    swept_at: Option<Monotonic>,
    /// when the oldest of what is in memory is to be written
    write_at: Option<Monotonic>,
    reached: Reached,
}

/// Of each mailbox the mark, and the UIDNEXT of that moment: while that stays, only flags changed and messages went, and nothing is
/// to be read. Another mark than this (what was damaged is forgotten) is not believed.
type Reached = HashMap<MailboxId, (u64, u32)>;

impl Work {
    fn new(index: Arc<Index>) -> Self {
        Self {
            index,
            behind: BTreeMap::new(),
            heard: 0,
            all: false,
            notices_come: true,
            failed: false,
            began: None,
            checked_last: None,
            checked: BTreeMap::new(),
            swept_at: None,
            write_at: None,
            reached: Reached::new(),
        }
    }

    /// Brings everybody up to date who is behind.
    async fn round(&mut self, notices: &mut Receiver<Notice>, stop: &watch::Receiver<bool>) {
        self.failed = self.find_behind().await.is_err();
        if self.failed {
            return;
        }
        let (together, alone) = self.take_behind();
        let mut looked_at: BTreeSet<AccountId> = together.iter().map(|(account, _)| *account).collect();
        looked_at.extend(&alone);
        let Some(mut again) = self.catch_everybody_up((together, alone), notices, stop).await else {
            return;
        };
        again.extend(self.write_due().await);
        again.extend(self.merge(stop).await);
        again.extend(self.check_next(&looked_at).await);
        self.failed = !again.is_empty();
        self.look_at(again);
        self.tell_progress();
    }

    /// Finds who is behind beside those whom notices named: who has a damaged segment; everybody, at the start and when notices
    /// were lost. Forgets accounts that are gone, now and then.
    async fn find_behind(&mut self) -> Result<(), Later> {
        let index = Arc::clone(&self.index);
        let prepared = self.index.worker.run(move || (index.prepare(), index.mend()));
        let (anew, mended) = prepared.await.unwrap_or_default();
        self.all |= anew;
        self.look_at(mended);
        if self.all {
            self.everybody().await
        } else if self.sweep_is_due() {
            self.sweep().await.map(drop)
        } else {
            Ok(())
        }
    }

    /// Takes in what is new, and hears notices meanwhile. Gives the accounts that are to be looked at again because something
    /// failed; `None` when the server stops.
    async fn catch_everybody_up(
        &mut self,
        (together, mut alone): (Vec<(AccountId, MailboxId)>, BTreeSet<AccountId>),
        notices: &mut Receiver<Notice>,
        stop: &watch::Receiver<bool>,
    ) -> Option<BTreeSet<AccountId>> {
        let index = Arc::clone(&self.index);
        let mut again = BTreeSet::new();
        for (chunk, mailboxes) in together.chunks(TOGETHER_MAILBOXES).enumerate() {
            if *stop.borrow() {
                return None;
            }
            // Not only at the end: a round may be over all mail there is.
            if chunk > 0 {
                again.extend(self.write_due().await);
            }
            alone.extend(catch_up_together(&index, mailboxes, &mut self.reached).await);
            self.note(notices);
        }
        while let Some(account) = alone.pop_first() {
            let left = alone.len() as u64 + 1;
            index.progress.accounts_behind.store(left, Ordering::Relaxed);
            if *stop.borrow() {
                return None;
            }
            if left.is_multiple_of(FRESH_LOOK_ACCOUNTS) {
                again.extend(self.write_due().await);
            }
            let caught_up = catch_up(&index, account, (&mut self.reached, stop)).await;
            if caught_up.is_err() {
                again.insert(account);
            }
            self.note(notices);
        }
        Some(again)
    }

    /// Tells how many are behind; and when nobody is, that all was done that the notices heard so far told.
    fn tell_progress(&mut self) {
        let progress = &self.index.progress;
        let left = self.behind.len() as u64;
        progress.accounts_behind.store(left, Ordering::Relaxed);
        if self.failed || self.all {
            return;
        }
        if self.behind.is_empty() {
            progress.notices_done.store(self.heard, Ordering::Relaxed);
        }
        self.completed();
    }

    /// These accounts are to be looked at, all of each.
    fn look_at(&mut self, accounts: impl IntoIterator<Item = AccountId>) {
        let unknown = accounts.into_iter().map(|account| (account, Touched::Unknown));
        self.behind.extend(unknown);
    }

    /// Who is behind: the mailboxes that notices named, and the accounts of which no more is known.
    fn take_behind(&mut self) -> (Vec<(AccountId, MailboxId)>, BTreeSet<AccountId>) {
        let (mut together, mut alone) = (Vec::new(), BTreeSet::new());
        for (account, touched) in std::mem::take(&mut self.behind) {
            match touched {
                Touched::Unknown => drop(alone.insert(account)),
                Touched::Mailboxes(touched) => {
                    together.extend(touched.into_iter().map(|mailbox| (account, mailbox)));
                }
            }
        }
        (together, alone)
    }

    /// Merges the segments of accounts that have a new one; gives the accounts of which that failed.
    async fn merge(&mut self, stop: &watch::Receiver<bool>) -> BTreeSet<AccountId> {
        let index = Arc::clone(&self.index);
        let mut failed = BTreeSet::new();
        for account in index.take_grown() {
            if *stop.borrow() {
                break;
            }
            if merge_small(&index, account).await.is_err() {
                index.grown(account);
                failed.insert(account);
            }
        }
        failed
    }

    /// Looks, not too often, at a segment of one of these accounts, in turn; gives the account if that failed.
    async fn check_next(&mut self, accounts: &BTreeSet<AccountId>) -> Option<AccountId> {
        let now = self.index.doors.clock.monotonic();
        let due = |(last, _): (Monotonic, _)| now.0.saturating_sub(last.0) >= Duration::from_millis(CHECK_MS);
        if !self.checked_last.is_none_or(due) {
            return None;
        }
        let behind = |(_, last)| accounts.range((Bound::Excluded(last), Bound::Unbounded)).next();
        let account = *self.checked_last.and_then(behind).or(accounts.first())?;
        self.checked_last = Some((now, account));
        self.check_one(account).await.is_err().then_some(account)
    }

    /// Looks at the next segment of an account, whether the store still has its messages.
    async fn check_one(&mut self, account: AccountId) -> Result<(), Later> {
        let known = written(&self.index, account).await?;
        let after = self.checked.get(&account).copied().unwrap_or(0);
        let later = known.segments.iter().find(|segment| segment.id > after);
        let Some(segment) = later.or(known.segments.first()) else {
            self.checked.remove(&account);
            return Ok(());
        };
        self.checked.insert(account, segment.id);
        shrink(&self.index, account, segment.clone()).await
    }

    /// Writes what is old or too much; gives the accounts that are to be looked at again because that failed.
    async fn write_due(&mut self) -> BTreeSet<AccountId> {
        let (writing, now) = (Arc::clone(&self.index), self.index.doors.clock.monotonic());
        let written = self.index.worker.run(move || writing::write_due(&writing, now));
        let written = written.await.unwrap_or_default();
        self.write_at = written.next;
        written.failed
    }

    /// Writes everything. What cannot be written is indexed again after the next start.
    async fn write_out(&self) {
        let writing = Arc::clone(&self.index);
        let written = self.index.worker.run(move || writing::write_all(&writing));
        written.await.unwrap_or_default();
    }

    fn completed(&mut self) {
        let progress = &self.index.progress;
        let began = self.began.take();
        let indexed = progress.messages.load(Ordering::Relaxed);
        if progress.complete.swap(true, Ordering::Relaxed) || indexed == 0 {
            return;
        }
        let now = self.index.doors.clock.monotonic();
        let took = began.map_or(Duration::ZERO, |began| now.0.saturating_sub(began.0));
        self.index.doors.events.emit(&IndexEvent::Complete {
            messages: indexed,
            size_bytes: progress.bytes.load(Ordering::Relaxed),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
    }

    /// Everybody is behind until looked at.
    async fn everybody(&mut self) -> Result<(), Later> {
        self.began = Some(self.index.doors.clock.monotonic());
        // What these notices tell, or told those who were not listening, is looked at now.
        self.heard = self.heard.max(self.index.doors.store.notices());
        let accounts = self.sweep().await?;
        self.look_at(accounts);
        self.all = false;
        Ok(())
    }

    /// Whether accounts that are gone should be looked for.
    fn sweep_is_due(&self) -> bool {
        let now = self.index.doors.clock.monotonic();
        let due = |last: Monotonic| now.0.saturating_sub(last.0) >= Duration::from_millis(SWEEP_MS);
        self.swept_at.is_none_or(due)
    }

    /// Forgets accounts that are gone; gives those that are there.
    async fn sweep(&mut self) -> Result<Vec<AccountId>, Later> {
        let now = self.index.doors.clock.monotonic();
        let mut accounts = Vec::new();
        loop {
            let page = self.index.doors.store.accounts(accounts.last().copied()).await?;
            if page.is_empty() {
                break;
            }
            accounts.extend(page.into_iter().map(|row| row.id));
        }
        let index = Arc::clone(&self.index);
        let kept = self.index.worker.run(move || {
            index.keep_only(&accounts);
            accounts
        });
        let accounts = kept.await.ok_or(Later)?;
        self.checked
            .retain(|account, _| accounts.binary_search(account).is_ok());
        self.swept_at = Some(now);
        Ok(accounts)
    }

    /// Takes in a notice.
    fn hear(&mut self, notice: Result<Notice, RecvError>) {
        match notice {
            Ok(notice) => {
                self.heard = self.heard.max(notice.number);
                let nothing = || Touched::Mailboxes(BTreeSet::new());
                let touched = self.behind.entry(notice.account).or_insert_with(nothing);
                touched.add(notice.mailboxes);
            }
            Err(RecvError::Lagged(_)) => self.all = true,
            Err(RecvError::Closed) => self.notices_come = false,
        }
    }

    /// Takes in what notices came meanwhile.
    fn note(&mut self, notices: &mut Receiver<Notice>) {
        loop {
            match notices.try_recv() {
                Ok(notice) => self.hear(Ok(notice)),
                Err(TryRecvError::Lagged(lost)) => self.hear(Err(RecvError::Lagged(lost))),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// What arrives in the next moments is indexed together, and while more of it comes, it waits a little longer: who has the two hands
    /// full of mail that comes in should not have to share them. Looks for notices now and then: they would wake it one by one.
    async fn gather(&mut self, notices: &mut Receiver<Notice>, stop: &watch::Receiver<bool>) {
        let clock = Arc::clone(&self.index.doors.clock);
        let mut stop = stop.clone();
        let (mut steps, mut quiet) = (0, true);
        while steps < GATHER_MS / GATHER_STEP_MS || (!quiet && steps < GATHER_MOST_MS / GATHER_STEP_MS) {
            steps += 1;
            let until = clock.monotonic().0 + Duration::from_millis(GATHER_STEP_MS);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = clock.sleep_until(Monotonic(until)) => {}
            }
            quiet = notices.is_empty();
            self.note(notices);
        }
    }

    /// Whether more came during the round.
    fn goes_on(&self) -> bool {
        !self.failed && !self.all && !self.behind.is_empty()
    }

    /// Ends when something is to be tried again or to be written; never, if nothing is.
    fn pause(&self) -> impl Future<Output = ()> + use<> {
        let clock = Arc::clone(&self.index.doors.clock);
        let retry_at = Monotonic(clock.monotonic().0 + Duration::from_millis(RETRY_MS));
        let until = if self.failed {
            Some(retry_at)
        } else {
            self.write_at
        };
        let at_once = self.all && !self.failed;
        async move {
            match until {
                _ if at_once => {}
                Some(until) => clock.sleep_until(until).await,
                None => std::future::pending().await,
            }
        }
    }
}

/// Indexes what is new in mailboxes of several accounts, in a few questions. Gives the accounts that are to be looked at alone.
async fn catch_up_together(
    index: &Arc<Index>,
    mailboxes: &[(AccountId, MailboxId)],
    reached: &mut Reached,
) -> BTreeSet<AccountId> {
    let done = try_together(index, mailboxes, reached).await;
    done.unwrap_or_else(|_| mailboxes.iter().map(|(account, _)| *account).collect())
}

async fn try_together(
    index: &Arc<Index>,
    mailboxes: &[(AccountId, MailboxId)],
    reached: &mut Reached,
) -> Result<BTreeSet<AccountId>, Later> {
    let (reading, asked) = (Arc::clone(index), mailboxes.to_vec());
    let asked = index.worker.run(move || writing::marks_of(&reading, &asked));
    let asked = asked.await.flatten().ok_or(Later)?;
    let answers = index.doors.store.changes_of(asked.clone()).await?;
    let mut alone = BTreeSet::new();
    let (mut marks, mut messages) = (Vec::new(), Vec::new());
    for ((&(account, mailbox), (_, mark)), changes) in mailboxes.iter().zip(asked).zip(answers) {
        match changes {
            Ok(all) if !all.too_old && all.upto == all.highest && all.highest >= mark => {
                marks.push((account, mailbox, all.upto));
                // Without a look at the mailbox itself, UIDNEXT may be larger than this: then it is looked at.
                if let Some((known, uidnext)) = reached.get_mut(&mailbox)
                    && *known == mark
                {
                    let last = all.rows.iter().map(|row| row.uid).max().unwrap_or(0);
                    (*known, *uidnext) = (all.upto, last.saturating_add(1).max(*uidnext));
                }
                messages.extend(all.rows.into_iter().map(|row| (account, row.message)));
            }
            Ok(_) | Err(StoreError::Conflict(_)) => drop(alone.insert(account)),
            Err(other) => return Err(other.into()),
        }
    }
    take_in(index, messages).await?;
    let (moving, now) = (Arc::clone(index), index.doors.clock.monotonic());
    let moved = index
        .worker
        .run(move || writing::move_marks(&moving, &marks, now));
    moved.await.flatten().ok_or(Later)?;
    Ok(alone)
}

/// Indexes what is new in an account's mailboxes.
async fn catch_up(
    index: &Arc<Index>,
    account: AccountId,
    (reached, stop): (&mut Reached, &watch::Receiver<bool>),
) -> Result<(), Later> {
    let (reading, store) = (Arc::clone(index), &index.doors.store);
    let marks = index
        .worker
        .run(move || reading.fresh(account).map(|fresh| fresh.lock().marks().clone()));
    let mut marks = marks.await.flatten().ok_or(Later)?;
    let mailboxes = store.mailboxes(account).await?;
    if mailboxes.is_empty() && store.account(account).await?.is_none() {
        let forgetting = Arc::clone(index);
        let forgotten = index.worker.run(move || forgetting.forget(account)).await;
        return forgotten.ok_or(Later);
    }
    marks.retain(|marked, _| mailboxes.iter().any(|mailbox| mailbox.id == *marked));
    let mut behind = behind(&mailboxes, &mut marks, reached);
    loop {
        let looked = pages(index, account, &mut behind).await?;
        let messages = looked.messages.into_iter().map(|message| (account, message));
        take_in(index, messages.collect()).await?;
        marks.extend(looked.marks);
        set_marks(index, account, marks.clone()).await?;
        if behind.is_empty() {
            break;
        }
        if *stop.borrow() {
            return Err(Later);
        }
    }
    remember(reached, &mailboxes, &marks);
    Ok(())
}

/// The mailboxes with something to read: from which mark to which modseq. The marks of those where only flags changed and messages
/// went are moved.
fn behind(mailboxes: &[MailboxRow], marks: &mut Marks, reached: &Reached) -> Vec<(MailboxId, u64, u64)> {
    let mut behind = Vec::new();
    for mailbox in mailboxes {
        let mark = marks.get(&mailbox.id).copied().unwrap_or(0);
        // A store brought back from a copy may be older than the index.
        let mark = if mark > mailbox.modseq { 0 } else { mark };
        if mark > 0 && reached.get(&mailbox.id) == Some(&(mark, mailbox.uidnext)) {
            marks.insert(mailbox.id, mailbox.modseq);
        } else if mark < mailbox.modseq {
            behind.push((mailbox.id, mark, mailbox.modseq));
        }
    }
    behind
}

/// Keeps the UIDNEXT of the mailboxes that were looked at to their end.
fn remember(reached: &mut Reached, mailboxes: &[MailboxRow], marks: &Marks) {
    if reached.len() + mailboxes.len() > REACHED_MAILBOXES {
        reached.clear();
    }
    for mailbox in mailboxes {
        let mark = marks.get(&mailbox.id).copied();
        let done = mark.filter(|mark| *mark >= mailbox.modseq);
        reached.extend(done.map(|mark| (mailbox.id, (mark, mailbox.uidnext))));
    }
}

/// What changed in some mailboxes, and up to where they have been looked at with that.
#[derive(Default)]
struct Looked {
    messages: Vec<MessageId>,
    marks: Marks,
}

/// The next page of each mailbox that is behind its modseq, as long as there are few messages. Those of several mailboxes are taken
/// in together, in the order of their ids.
async fn pages(
    index: &Arc<Index>,
    account: AccountId,
    behind: &mut Vec<(MailboxId, u64, u64)>,
) -> Result<Looked, Later> {
    let mut looked = Looked::default();
    while let Some((mailbox, mark, modseq)) = behind.pop() {
        let changes = match index.doors.store.changes_since(mailbox, mark).await {
            Err(StoreError::Conflict(Conflict::NoSuchMailbox)) => continue,
            other => other?,
        };
        let upto = if changes.too_old {
            everything(index, account, mailbox).await?;
            changes.highest
        } else {
            changes.upto
        };
        looked.marks.insert(mailbox, upto);
        if upto < modseq {
            behind.push((mailbox, upto, modseq));
        }
        if !changes.too_old {
            looked
                .messages
                .extend(changes.rows.into_iter().map(|row| row.message));
        }
        if upto < modseq || looked.messages.len() >= PAGE_ROWS {
            break;
        }
    }
    Ok(looked)
}

/// All of a mailbox, when what changed is not known any more.
async fn everything(index: &Arc<Index>, account: AccountId, mailbox: MailboxId) -> Result<(), Later> {
    let mut after = 0;
    loop {
        let page = index.doors.store.placements(mailbox, after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.uid;
        let messages = page.into_iter().map(|row| (account, row.message)).collect();
        take_in(index, messages).await?;
    }
}

/// Up to where the mailboxes of an account have been looked at.
async fn set_marks(index: &Arc<Index>, account: AccountId, marks: Marks) -> Result<(), Later> {
    let (setting, now) = (Arc::clone(index), index.doors.clock.monotonic());
    let set = index.worker.run(move || {
        let fresh = setting.fresh(account)?;
        fresh.lock().set_marks(marks, now);
        Some(())
    });
    set.await.flatten().ok_or(Later)
}

/// Indexes those of these messages that are not indexed.
async fn take_in(index: &Arc<Index>, mut messages: Vec<(AccountId, MessageId)>) -> Result<(), Later> {
    if messages.is_empty() {
        return Ok(());
    }
    messages.sort_unstable();
    messages.dedup();
    let choosing = Arc::clone(index);
    let chosen = index
        .worker
        .run(move || writing::not_indexed(&choosing, &messages));
    let messages = chosen.await.flatten().ok_or(Later)?;
    if messages.is_empty() {
        return Ok(());
    }
    // A disk that is nearly full keeps its room for mail.
    if index.doors.store.admission() != Admission::Open {
        return Err(Later);
    }
    for page in messages.chunks(PAGE_ROWS) {
        let ids = page.iter().map(|(_, message)| *message).collect();
        let rows = index.doors.store.messages(ids).await?;
        // In the order asked, without those that are gone.
        let mut asked = page.iter();
        let owned = rows.into_iter().filter_map(|row| {
            let (account, _) = asked.find(|(_, message)| *message == row.id)?;
            Some((*account, row))
        });
        let mut rows = owned.peekable();
        while rows.peek().is_some() {
            let batch = read_some(index, &mut rows).await?;
            index_them(index, batch).await?;
        }
    }
    Ok(())
}

/// An account's written segments; the file is read on the thread for that.
async fn written(index: &Arc<Index>, account: AccountId) -> Result<Arc<Account>, Later> {
    let reading = Arc::clone(index);
    let known = index.worker.run(move || reading.written(account)).await;
    known.flatten().ok_or(Later)
}

/// The next of these messages, as many as fit a batch.
async fn read_some(
    index: &Index,
    rows: &mut Peekable<impl Iterator<Item = (AccountId, MessageRow)>>,
) -> Result<Vec<Read>, Later> {
    let mut chosen = Vec::new();
    let mut bytes = 0;
    while let Some(next) = rows.next_if(|(_, row)| bytes == 0 || bytes + size_of(row) <= BATCH_BYTES) {
        bytes += size_of(&next.1);
        chosen.push(next);
    }
    let small = |row: &MessageRow| row.body_bytes <= TOGETHER_BYTES;
    let wanted = chosen.iter().map(|(_, row)| row).filter(|row| small(row));
    let wanted = wanted.map(|row| (row.blob, row.body_bytes)).collect();
    let mut bodies = index.doors.store.read_bodies(wanted).await?.into_iter();
    let mut batch = Vec::with_capacity(chosen.len());
    for (account, row) in chosen {
        let octets = if small(&row) {
            let body = bodies.next().ok_or(Later)?;
            body.map(|body| [&row.prefix[..], &body].concat())
        } else {
            read_large(index, &row).await
        };
        match octets {
            Ok(octets) if octets.len() as u64 == size_of(&row) => batch.push(Read { account, row, octets }),
            Ok(_) => leave_out(index, row.id, "its body is too short".to_owned()),
            Err(StoreError::Damaged(reason)) => leave_out(index, row.id, reason),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(batch)
}

/// Octets of a message.
fn size_of(row: &MessageRow) -> u64 {
    row.prefix.len() as u64 + row.body_bytes
}

/// A message with a large body, part by part into the one place where it is indexed.
async fn read_large(index: &Index, row: &MessageRow) -> store::contract::Result<Vec<u8>> {
    if size_of(row) > MESSAGE_BYTES {
        let reason = format!("it is larger than {} MiB", MESSAGE_BYTES >> 20);
        return Err(StoreError::Damaged(reason));
    }
    let mut octets = Vec::with_capacity(size_of(row) as usize);
    octets.extend_from_slice(&row.prefix);
    let mut at = 0;
    while at < row.body_bytes {
        let rest = row.body_bytes - at;
        let part = index.doors.store.read_body(row.blob, at, rest).await?;
        if part.is_empty() {
            break;
        }
        at += part.len() as u64;
        octets.extend_from_slice(&part);
    }
    Ok(octets)
}

/// Has messages indexed. When that panics, the ones at fault are left out, and the accounts are looked at again.
async fn index_them(index: &Arc<Index>, batch: Vec<Read>) -> Result<(), Later> {
    if batch.is_empty() {
        return Ok(());
    }
    let batch = Arc::new(batch);
    let (adding, messages) = (Arc::clone(index), Arc::clone(&batch));
    let added = index.worker.run(move || writing::add(&adding, &messages));
    match added.await {
        Some(added) => return if added { Ok(()) } else { Err(Later) },
        // A segment in the making may hold half a message.
        None => batch.iter().for_each(|read| index.forget_fresh(read.account)),
    }
    for at in 0..batch.len() {
        let (trying, messages) = (Arc::clone(index), Arc::clone(&batch));
        let tried = index.worker.run(move || writing::try_one(&trying, &messages[at]));
        if tried.await.is_none() {
            leave_out(index, batch[at].row.id, "it cannot be taken apart".to_owned());
        }
    }
    Err(Later)
}

/// Merges until no segments of one size are too many.
async fn merge_small(index: &Arc<Index>, account: AccountId) -> Result<(), Later> {
    loop {
        let known = written(index, account).await?;
        let Some(chosen) = known.merge() else {
            return Ok(());
        };
        let there = still_there(index, &chosen).await?;
        let merging = Arc::clone(index);
        let merged = index
            .worker
            .run(move || merge_now(&merging, account, &chosen, &there));
        merged.await.filter(|merged| *merged).ok_or(Later)?;
    }
}

/// Writes a segment anew when much of it is gone.
async fn shrink(index: &Arc<Index>, account: AccountId, segment: Segment) -> Result<(), Later> {
    let chosen = [segment];
    let there = still_there(index, &chosen).await?;
    let all = chosen[0].ids.len();
    if (all - there.len().min(all)) * GONE_ONE_IN < all {
        return Ok(());
    }
    let merging = Arc::clone(index);
    let merged = index
        .worker
        .run(move || merge_now(&merging, account, &chosen, &there));
    merged.await.filter(|merged| *merged).map(|_| ()).ok_or(Later)
}

/// Which of their messages the store still has.
async fn still_there(index: &Index, segments: &[Segment]) -> Result<HashSet<u64>, Later> {
    let ids: Vec<MessageId> = segments
        .iter()
        .flat_map(|segment| segment.ids.iter().map(|&id| MessageId::from_raw(id)))
        .collect();
    let mut there = HashSet::with_capacity(ids.len());
    for page in ids.chunks(PAGE_ROWS) {
        let rows = index.doors.store.messages(page.to_vec()).await?;
        there.extend(rows.into_iter().map(|row| row.id.raw()));
    }
    Ok(there)
}

/// Looks at everybody once, and writes everything; for tests.
#[cfg(test)]
pub(crate) async fn once(index: &Arc<Index>) {
    look(index).await;
    Work::new(Arc::clone(index)).write_out().await;
}

/// Looks at everybody once; for tests.
#[cfg(test)]
pub(crate) async fn look(index: &Arc<Index>) {
    let mut notices = index.doors.store.subscribe();
    let (_stopping, stop) = watch::channel(false);
    let mut work = Work::new(Arc::clone(index));
    work.all = true;
    work.round(&mut notices, &stop).await;
    // What was damaged is noticed while it is read, and made anew in the next round.
    work.round(&mut notices, &stop).await;
}

/// One round, as after a notice of an account or when nobody looked for long; for tests.
#[cfg(test)]
pub(crate) async fn one(index: &Arc<Index>, account: Option<AccountId>) {
    let mut notices = index.doors.store.subscribe();
    let (_stopping, stop) = watch::channel(false);
    let mut work = Work::new(Arc::clone(index));
    work.look_at(account);
    work.swept_at = account.map(|_| index.doors.clock.monotonic());
    work.round(&mut notices, &stop).await;
}
