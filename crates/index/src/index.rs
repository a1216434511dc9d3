//! The index as others use it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use mail::ids::{AccountId, Id as _, MessageId};
use mail::sort_keys::{Links, SortKeys};
use parking_lot::Mutex;
use store::contract::Store;
use tokio::sync::{Notify, watch};
use world::clock::{Clock, UnixMs};
use world::events::Events;

use crate::account::{Account, Segment};
use crate::cache::Cache;
use crate::events::IndexEvent;
use crate::file::{self, Change, File, FileError, Listed, Packer};
use crate::fresh::Fresh;
use crate::keys::{keys_of, links_of};
use crate::limits::{FEW_DIGESTS, LEFT_OUT_MESSAGES, LISTED_MESSAGES};
use crate::orders::Orders;
use crate::question::{Found, Question};
use crate::segment::{Column, Columns, Facts};
use crate::strings::Strings;
use crate::worker::Worker;
use crate::{Describe, indexer};

/// What the index works with.
pub struct Doors {
    /// whose messages
    pub store: Arc<dyn Store>,
    /// the time
    pub clock: Arc<dyn Clock>,
    /// where events go
    pub events: Arc<dyn Events>,
    /// describes messages
    pub describe: Arc<dyn Describe>,
}

/// The index of everybody's mail.
pub struct Index {
    pub(crate) doors: Doors,
    place: file::Place,
    pub(crate) worker: Worker,
    writer: Mutex<Option<File>>,
    pub(crate) packer: Mutex<Packer>,
    reader: Mutex<Option<File>>,
    accounts: Mutex<HashMap<AccountId, Arc<Account>>>,
    /// what is not written yet; changed on the indexing thread only
    fresh: Mutex<HashMap<AccountId, Unwritten>>,
    /// commits so far; counted under the lock of the accounts
    commits: AtomicU64,
    cache: Mutex<Cache>,
    orders: Mutex<Orders>,
    /// the file is to be made anew, for this reason
    renew: Mutex<Option<String>>,
    /// segments that are damaged and to be forgotten
    broken: Mutex<BTreeSet<u64>>,
    /// accounts with segments written since they were merged last
    grown: Mutex<BTreeSet<AccountId>>,
    /// messages left out since the start
    left_out: Mutex<HashSet<u64>>,
    pub(crate) wake: Notify,
    pub(crate) progress: Progress,
}

/// What an account has that is not written yet.
pub(crate) type Unwritten = Arc<Mutex<Fresh>>;

/// What the indexer has done and has to do.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) messages: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) accounts_behind: AtomicU64,
    pub(crate) complete: AtomicBool,
    /// the file was opened, or refused to be
    pub(crate) opened: AtomicBool,
    /// the last notice of which everything was indexed
    pub(crate) notices_done: AtomicU64,
}

/// What the index is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// whether everything stored was indexed at the last look
    pub complete: bool,
    /// whether there is a usable file, or one may come: it is not opened yet
    pub usable: bool,
    /// messages indexed, in all
    pub messages: u64,
    /// segments they are in
    pub segments: u64,
    /// octets on disk
    pub disk_bytes: u64,
    /// octets of columns, orders and links in memory
    pub memory_bytes: u64,
    /// accounts that have something to be indexed; of those with mail that came a moment ago at least one is counted
    pub accounts_behind: u64,
    /// messages indexed since the start
    pub indexed: u64,
}

/// Which parts of a digest are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// ENVELOPE
    pub envelope: bool,
    /// BODY
    pub body: bool,
    /// BODYSTRUCTURE
    pub body_structure: bool,
    /// what SORT needs
    pub keys: bool,
    /// what THREAD needs
    pub links: bool,
}

/// Parts of a digest that can be wanted.
const PARTS: usize = 5;

impl Wanted {
    fn columns(self) -> [(bool, Column); PARTS] {
        [
            (self.envelope, Column::Envelope),
            (self.body, Column::Body),
            (self.body_structure, Column::BodyStructure),
            (self.keys, Column::Keys),
            (self.links, Column::Links),
        ]
    }
}

/// What is kept of a message for those who show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// octets of the whole
    pub size_bytes: u64,
    /// octets of the header with the empty line
    pub header_bytes: u64,
    /// INTERNALDATE
    pub internal_date: UnixMs,
    /// whether a part of it is to be saved as a file
    pub attachments: bool,
    /// the day of the Date field, in days since 1970, by the sender's clock
    pub sent_day: Option<i64>,
    /// as described; empty when it was not wanted
    pub envelope: Bytes,
    /// as described; empty when it was not wanted
    pub body: Bytes,
    /// as described; empty when it was not wanted
    pub body_structure: Bytes,
    /// of the header, if wanted
    pub keys: Option<SortKeys>,
    /// of the header, if wanted
    pub links: Option<Links>,
}

impl Index {
    /// Opens the file in `dir`, or makes it. When the disk refuses, there is an index all the same that knows nothing, and tries again.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn open(dir: &Path, doors: Doors) -> std::io::Result<Arc<Self>> {
        let index = Self::closed(dir, doors)?;
        index.open_files(file::Place::open);
        Ok(index)
    }

    /// [`Index::open`] for who must not wait: the file is opened on the index's own thread, before anything else is done there. Until
    /// then it is like a file that knows nothing.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn open_beside(dir: &Path, doors: Doors) -> std::io::Result<Arc<Self>> {
        let index = Self::closed(dir, doors)?;
        let opening = Arc::clone(&index);
        index.worker.begin(move || {
            opening.open_files(file::Place::open);
        });
        Ok(index)
    }

    pub(crate) fn closed(dir: &Path, doors: Doors) -> std::io::Result<Arc<Self>> {
        let place = file::Place::new(dir, doors.describe.version());
        Ok(Arc::new(Self {
            place,
            worker: Worker::start()?,
            writer: Mutex::default(),
            packer: Mutex::default(),
            reader: Mutex::default(),
            accounts: Mutex::default(),
            fresh: Mutex::default(),
            commits: AtomicU64::new(0),
            cache: Mutex::default(),
            orders: Mutex::default(),
            renew: Mutex::default(),
            broken: Mutex::default(),
            grown: Mutex::default(),
            left_out: Mutex::default(),
            wake: Notify::new(),
            progress: Progress::default(),
            doors,
        }))
    }

    /// Indexes what is new, until `stop` becomes true.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        indexer::run(self, stop).await;
    }

    /// Which messages of an account have a text. Quick: nobody's message is read.
    pub async fn find(self: &Arc<Self>, account: AccountId, question: Question) -> Found {
        let index = Arc::clone(self);
        let found = tokio::task::spawn_blocking(move || index.find_now(account, &question));
        found.await.unwrap_or_default()
    }

    /// Digests of messages, in the order asked; `None` for those that are not indexed, and for a few that are not at hand.
    pub async fn digests(
        self: &Arc<Self>,
        account: AccountId,
        messages: Vec<MessageId>,
        wanted: Wanted,
    ) -> Vec<Option<Digest>> {
        if let Some(found) = self.digests_at_hand(account, &messages, wanted) {
            return found;
        }
        let count = messages.len();
        if count < FEW_DIGESTS {
            return vec![None; count];
        }
        let index = Arc::clone(self);
        let found = tokio::task::spawn_blocking(move || {
            let account = index.account(account)?;
            index.digests_of(&account, &messages, wanted, |segment, column| {
                index.column(segment, column)
            })
        });
        let found = found.await.ok().flatten();
        found.unwrap_or_else(|| vec![None; count])
    }

    /// What it is doing. Reads the file: may block for a moment.
    pub fn status(&self) -> Status {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        // Before the file is looked at: it may be opened meanwhile.
        let opened = self.progress.opened.load(Ordering::Acquire);
        let counted = self.reader.lock().as_ref().map(File::messages);
        let usable = !opened || matches!(counted, Some(Ok(_)));
        let (written, segments) = counted.and_then(Result::ok).unwrap_or_default();
        let (mut fresh, mut fresh_bytes) = (0, 0);
        for (_, unwritten) in self.unwritten() {
            let unwritten = unwritten.lock();
            fresh += unwritten.messages();
            fresh_bytes += unwritten.bytes();
        }
        let unheard = load(&self.progress.notices_done) < self.doors.store.notices();
        Status {
            complete: usable && self.progress.complete.load(Ordering::Relaxed),
            usable,
            messages: written + fresh as u64,
            segments,
            disk_bytes: self.place.bytes(),
            memory_bytes: (self.cache.lock().bytes() + self.orders.lock().bytes() + fresh_bytes) as u64,
            accounts_behind: load(&self.progress.accounts_behind).max(unheard.into()),
            indexed: load(&self.progress.messages),
        }
    }

    /// Has the file made anew, in the background.
    pub fn rebuild(&self, reason: &str) {
        self.progress.complete.store(false, Ordering::Relaxed);
        *self.renew.lock() = Some(reason.to_owned());
        self.wake.notify_one();
    }

    fn find_now(&self, account: AccountId, question: &Question) -> Found {
        // A segment may become part of another one while it is looked at: then everything is looked at anew.
        for _ in 0..TRIES {
            let Some(known) = self.account(account) else { break };
            if let Some((yes, look)) = self.find_in(&known, question) {
                return Found::new(known.covered(), yes, look);
            }
        }
        Found::default()
    }

    /// (those that have it, those to be read), ascending.
    fn find_in(&self, account: &Account, question: &Question) -> Option<(Vec<u64>, Vec<u64>)> {
        let (mut yes, mut look) = (Vec::new(), Vec::new());
        for segment in &account.segments {
            let columns = question
                .columns()
                .into_iter()
                .map(|column| self.column(segment, column));
            let columns = columns.collect::<Option<Vec<Bytes>>>()?;
            let octets: Vec<&[u8]> = columns.iter().map(|column| &column[..]).collect();
            let Some((found, maybe)) = question.answer(&octets, segment.ids.len()) else {
                self.damaged_segment(segment.id, &format!("segment {}", segment.id));
                return None;
            };
            yes.extend(found.iter().map(|place| segment.ids[place]));
            look.extend(maybe.iter().map(|place| segment.ids[place]));
        }
        yes.sort();
        look.sort();
        Some((yes, look))
    }

    /// From memory alone; `None` when something is not there.
    fn digests_at_hand(
        &self,
        account: AccountId,
        messages: &[MessageId],
        wanted: Wanted,
    ) -> Option<Vec<Option<Digest>>> {
        // On a thread that serves others: who would have to wait has nothing at hand.
        let written = self.accounts.try_lock()?.get(&account).cloned()?;
        let fresh = self.fresh.try_lock()?.get(&account).cloned();
        let all = match fresh {
            None => Some(Arc::clone(&written)),
            Some(fresh) => fresh.try_lock()?.at_hand(&written),
        };
        // Of a few, what has to be put together first is not worth it.
        let account = all.or((messages.len() < FEW_DIGESTS).then_some(written))?;
        self.digests_of(&account, messages, wanted, |segment, column| {
            match segment.held(column) {
                Some(held) => Some(held),
                None => self.cache.try_lock()?.get((segment.id, column)),
            }
        })
    }

    fn digests_of(
        &self,
        account: &Account,
        messages: &[MessageId],
        wanted: Wanted,
        column: impl Fn(&Segment, Column) -> Option<Bytes>,
    ) -> Option<Vec<Option<Digest>>> {
        let mut opened: HashMap<usize, Opened> = HashMap::new();
        let mut hint = (0, 0);
        let mut digests = Vec::with_capacity(messages.len());
        for id in messages {
            let Some((at, place)) = account.find(id.raw(), hint) else {
                digests.push(None);
                continue;
            };
            hint = (at, place + 1);
            let columns = match opened.entry(at) {
                std::collections::hash_map::Entry::Occupied(there) => there.into_mut(),
                std::collections::hash_map::Entry::Vacant(free) => {
                    let segment = &account.segments[at];
                    free.insert(Opened::new(wanted, |wanted| column(segment, wanted))?)
                }
            };
            digests.push(columns.digest(place));
        }
        Some(digests)
    }

    /// The segments of an account with the one in the making; `None` when the file does not say.
    pub(crate) fn account(&self, account: AccountId) -> Option<Arc<Account>> {
        // In this order: what is written between the two is missed, never seen twice.
        let written = self.written(account)?;
        let fresh = self.fresh.lock().get(&account).cloned();
        Some(match fresh {
            None => written,
            Some(fresh) => fresh.lock().over(&written),
        })
    }

    /// The written segments of an account; `None` when the file does not say.
    pub(crate) fn written(&self, account: AccountId) -> Option<Arc<Account>> {
        // No lock is held while the file is read; what was read before a commit that came meanwhile is read anew.
        for _ in 0..TRIES {
            let commits = {
                let accounts = self.accounts.lock();
                if let Some(known) = accounts.get(&account) {
                    return Some(Arc::clone(known));
                }
                self.commits.load(Ordering::Relaxed)
            };
            let listed = self.read(|file| file.segments(account))?;
            let known = Arc::new(Account::new(listed));
            let mut accounts = self.accounts.lock();
            if self.commits.load(Ordering::Relaxed) == commits {
                Self::list(&mut accounts, account, &known);
                return Some(known);
            }
        }
        None
    }

    /// Keeps the list of accounts busy; for tests.
    #[cfg(test)]
    pub(crate) fn hold_accounts(&self) -> impl Sized + '_ {
        self.accounts.lock()
    }

    fn list(accounts: &mut HashMap<AccountId, Arc<Account>>, account: AccountId, known: &Arc<Account>) {
        let held: usize = accounts.values().map(|account| account.messages()).sum();
        if held + known.messages() > LISTED_MESSAGES {
            accounts.clear();
        }
        accounts.insert(account, Arc::clone(known));
    }

    /// What was made of whole accounts.
    pub(crate) fn orders(&self) -> parking_lot::MutexGuard<'_, Orders> {
        self.orders.lock()
    }

    /// A column, from memory or from the file. `None` when it cannot be had now.
    pub(crate) fn column(&self, segment: &Segment, column: Column) -> Option<Bytes> {
        if let Some(held) = segment.held(column) {
            return Some(held);
        }
        let key = (segment.id, column);
        if let Some(found) = self.cache.lock().get(key) {
            return Some(found);
        }
        let found = Bytes::from(self.read(|file| file.column(segment.id, column))?);
        self.cache.lock().put(key, found.clone());
        Some(found)
    }

    /// All columns of a segment, past the cache.
    pub(crate) fn columns(&self, segment: &Segment) -> Option<Columns> {
        let all = Column::OTHERS.into_iter();
        all.map(|column| Some((column, self.read(|file| file.column(segment.id, column))?)))
            .collect()
    }

    /// What an account has that is not written, with the marks up to which it is indexed. `None` when the file does not say.
    pub(crate) fn fresh(&self, account: AccountId) -> Option<Unwritten> {
        if let Some(known) = self.fresh.lock().get(&account) {
            return Some(Arc::clone(known));
        }
        let marks = self.read(|file| file.marks(account))?;
        let fresh = Arc::new(Mutex::new(Fresh::new(marks)));
        self.fresh.lock().insert(account, Arc::clone(&fresh));
        Some(fresh)
    }

    /// Everybody's.
    pub(crate) fn unwritten(&self) -> Vec<(AccountId, Unwritten)> {
        let fresh = self.fresh.lock();
        fresh
            .iter()
            .map(|(&account, fresh)| (account, Arc::clone(fresh)))
            .collect()
    }

    /// Forgets what is not written: the account has to be looked at again, from the marks in the file.
    pub(crate) fn forget_fresh(&self, account: AccountId) {
        self.fresh.lock().remove(&account);
    }

    fn read<T>(&self, read: impl FnOnce(&File) -> Result<T, FileError>) -> Option<T> {
        let reader = self.reader.lock();
        match read(reader.as_ref()?) {
            Ok(found) => Some(found),
            Err(FileError::Damaged(what)) => {
                self.damaged(&what);
                None
            }
            Err(FileError::Segment(segment, what)) => {
                self.damaged_segment(segment, &what);
                None
            }
            Err(FileError::Missing | FileError::Refused(_)) => None,
        }
    }

    /// Writes a change and makes it known. False when it was not written.
    pub(crate) fn commit(&self, change: &Change<'_>, ids: Vec<u64>) -> bool {
        let bytes = change.new.as_ref().map_or(0, |new| new.bytes);
        let committed = match self.writer.lock().as_mut() {
            None => return false,
            Some(writer) => writer.commit(change),
        };
        match committed {
            Ok(segment) => {
                let new = segment.map(|segment| Listed { segment, ids, bytes });
                let mut accounts = self.accounts.lock();
                self.commits.fetch_add(1, Ordering::Relaxed);
                // New marks alone leave the segments, and what was made of them, as they are.
                let same = new.is_none() && change.replaced.is_empty();
                if let Some(known) = accounts.get_mut(&change.account).filter(|_| !same) {
                    *known = Arc::new(known.changed(new, change.replaced));
                }
                drop(accounts);
                let mut cache = self.cache.lock();
                change
                    .replaced
                    .iter()
                    .for_each(|&segment| cache.forget_segment(segment));
                true
            }
            Err(error) => {
                self.failed(error);
                false
            }
        }
    }

    /// Forgets accounts that are not among these (ascending).
    pub(crate) fn keep_only(&self, accounts: &[AccountId]) {
        let Some(known) = self.read(File::accounts) else {
            return;
        };
        for gone in known
            .into_iter()
            .filter(|account| accounts.binary_search(account).is_err())
        {
            self.forget(gone);
        }
    }

    /// Forgets an account.
    pub(crate) fn forget(&self, gone: AccountId) {
        self.forget_fresh(gone);
        let forgotten = self.writer.lock().as_mut().map(|writer| writer.forget(gone));
        self.unlist(gone);
        if let Some(Err(error)) = forgotten {
            self.failed(error);
        }
    }

    /// An account has a new segment.
    pub(crate) fn grown(&self, account: AccountId) {
        self.grown.lock().insert(account);
    }

    /// The accounts that have a new segment since this was asked last.
    pub(crate) fn take_grown(&self) -> BTreeSet<AccountId> {
        std::mem::take(&mut *self.grown.lock())
    }

    /// Forgets of everybody what is not written.
    pub(crate) fn forget_all_fresh(&self) {
        self.fresh.lock().clear();
    }

    fn unlist(&self, account: AccountId) {
        let mut accounts = self.accounts.lock();
        self.commits.fetch_add(1, Ordering::Relaxed);
        accounts.remove(&account);
    }

    /// Forgets the segments that are damaged; gives their accounts, which are to be looked at again.
    pub(crate) fn mend(&self) -> BTreeSet<AccountId> {
        let broken = std::mem::take(&mut *self.broken.lock());
        let mut accounts = BTreeSet::new();
        for segment in broken {
            let forgotten = self
                .writer
                .lock()
                .as_mut()
                .map(|writer| writer.forget_segment(segment));
            match forgotten {
                Some(Ok(account)) => accounts.extend(account),
                Some(Err(error)) => self.failed(error),
                None => {}
            }
            self.cache.lock().forget_segment(segment);
        }
        for &account in &accounts {
            self.forget_fresh(account);
            self.unlist(account);
        }
        accounts
    }

    /// Remembers a message that is left out; true when that is new.
    pub(crate) fn leave_out(&self, message: u64) -> bool {
        let mut left_out = self.left_out.lock();
        if left_out.len() >= LEFT_OUT_MESSAGES {
            left_out.clear();
        }
        left_out.insert(message)
    }

    pub(crate) fn is_left_out(&self, message: u64) -> bool {
        self.left_out.lock().contains(&message)
    }

    /// Makes the file anew if that is to be done, and opens it if it is not open. True when it is empty now.
    pub(crate) fn prepare(&self) -> bool {
        let renew = self.renew.lock().take();
        if let Some(reason) = renew {
            self.progress.complete.store(false, Ordering::Relaxed);
            return self.open_files(|place| Ok((place.make()?, Some(reason))));
        }
        let open = self.writer.lock().is_some();
        !open && self.open_files(file::Place::open)
    }

    /// True when the file was made anew.
    fn open_files(
        &self,
        open: impl FnOnce(&file::Place) -> Result<(File, Option<String>), FileError>,
    ) -> bool {
        let mut accounts = self.accounts.lock();
        let (mut writer, mut reader) = (self.writer.lock(), self.reader.lock());
        (*writer, *reader) = (None, None);
        accounts.clear();
        self.fresh.lock().clear();
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.cache.lock().clear();
        self.broken.lock().clear();
        let opened = open(&self.place).and_then(|(file, anew)| Ok((file, anew, self.place.reader()?)));
        self.progress.opened.store(true, Ordering::Release);
        match opened {
            Ok((file, anew, read)) => {
                (*writer, *reader) = (Some(file), Some(read));
                let made_anew = anew.is_some();
                if let Some(reason) = anew {
                    self.doors.events.emit(&IndexEvent::MadeAnew { reason });
                }
                made_anew
            }
            Err(error) => {
                self.failed(error);
                false
            }
        }
    }

    fn failed(&self, error: FileError) {
        match error {
            FileError::Damaged(what) => self.damaged(&what),
            FileError::Segment(segment, what) => self.damaged_segment(segment, &what),
            FileError::Missing => {}
            FileError::Refused(reason) => self.doors.events.emit(&IndexEvent::Refused { reason }),
        }
    }

    /// Raises it once, and has the segment forgotten and its messages indexed again.
    pub(crate) fn damaged_segment(&self, segment: u64, what: &str) {
        if self.broken.lock().insert(segment) {
            self.doors.events.emit(&IndexEvent::Damaged {
                what: what.to_owned(),
            });
        }
        self.wake.notify_one();
    }

    /// Raises it once, and has the file made anew.
    pub(crate) fn damaged(&self, what: &str) {
        let mut renew = self.renew.lock();
        if renew.is_none() {
            *renew = Some("it was damaged".to_owned());
            self.doors.events.emit(&IndexEvent::Damaged {
                what: what.to_owned(),
            });
        }
        drop(renew);
        self.wake.notify_one();
    }
}

/// How often a search begins anew because segments became one meanwhile.
const TRIES: usize = 4;

/// The columns of a segment that a digest needs.
struct Opened {
    facts: Bytes,
    described: [Option<Bytes>; PARTS],
}

impl Opened {
    fn new(wanted: Wanted, column: impl Fn(Column) -> Option<Bytes>) -> Option<Self> {
        let facts = column(Column::Facts)?;
        let mut described = [const { None }; PARTS];
        for (slot, (is_wanted, which)) in described.iter_mut().zip(wanted.columns()) {
            if is_wanted {
                *slot = Some(column(which)?);
            }
        }
        Some(Self { facts, described })
    }

    fn digest(&self, place: usize) -> Option<Digest> {
        let facts = Facts::read(Strings::of(&self.facts)?.get(place)?)?;
        let part = |at: usize| match &self.described[at] {
            None => Some(Bytes::new()),
            Some(column) => Some(column.slice(Strings::of(column)?.range(place)?)),
        };
        Some(Digest {
            size_bytes: facts.size_bytes,
            header_bytes: facts.header_bytes,
            internal_date: UnixMs(facts.internal_date),
            attachments: facts.attachments,
            sent_day: facts.sent_day,
            envelope: part(0)?,
            body: part(1)?,
            body_structure: part(2)?,
            keys: when(self.described[3].is_some(), || keys_of(&part(3)?))?,
            links: when(self.described[4].is_some(), || links_of(&part(4)?))?,
        })
    }
}

/// `Some(None)` when it is not wanted, `None` when it cannot be read.
fn when<T>(wanted: bool, read: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    if wanted { read().map(Some) } else { Some(None) }
}
