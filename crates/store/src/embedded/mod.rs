//! The embedded backend: SQLite for rows and small bodies, packs for the rest. The crash table that it keeps to is
//! docs/decisions/0013-crash-table.md; how a commit travels stands at the top of `writer.rs`.
//!
//! Opening:
//! 1. `Layout::prepare` makes directories and takes the lock,
//! 2. `recovery::recover` looks for rot in the log, lets SQLite recover, checks the format, removes what a crash left unfinished,
//! 3. `Embedded::start` starts the threads: one writer, one checkpointer, two readers, one for upkeep.
//!
//! Nothing at opening depends on how much mail there is.

mod apply;
mod blanks;
mod bodies;
mod checkpoint;
mod claims;
mod collect;
mod faults;
mod layout;
mod ledger;
mod line;
mod load;
mod migrate;
mod options;
mod pack;
mod plants;
mod questions;
mod readers;
mod recovery;
mod rows;
mod schema;
mod scrub;
mod settle;
mod shared;
mod space;
mod together;
mod upkeep;
mod waiting;
mod wal;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use mail::ids::{AccountId, BlobId, MailboxId, MessageId, QueueId};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use world::clock::{BoxFuture, UnixMs};

use crate::contract::{
    AcceptedMessage, AccountRow, Admission, AttemptRow, AuditRow, Batch, BodyStage, Changes, Claim, GrantRow,
    Lane, MailboxRow, MessageRow, MetadataRow, Notice, PlacementRow, ReadMessage, Receipt, Result, Store,
    StoreError, Together, WaitingRow,
};
use crate::durable::Durable;
use crate::events::StoreEvent;
use crate::limits::QUICK_MS;
use crate::uids::UidSet;

pub use line::is_writing_here;
pub use options::Options;
pub use upkeep::{Collected, Scrubbed, Settled};

use bodies::Stage;
use checkpoint::CheckpointCall;
use layout::Layout;
use line::{CommitLine, Committer, Job, Manner, Queued, Turn};
use readers::Readers;
use shared::Shared;
use upkeep::Upkeep;
use writer::Writer;

/// The node number in identifiers the store makes itself (messages, packs). Callers use smaller ones.
pub const STORE_NODE: u16 = 511;

/// The embedded backend. Closing (or dropping) it finishes what was queued; that takes a moment and blocks.
pub struct Embedded {
    shared: Arc<Shared>,
    line: Arc<CommitLine>,
    /// until the line is closed; whoever has the line's turn locks it
    writer: Arc<Mutex<Option<Writer>>>,
    readers: Arc<Readers>,
    checkpoint: CheckpointCall,
    upkeep: Upkeep,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// held as long as the store is open
    _lock: File,
}

impl Embedded {
    /// Opens the store in `dir`, making a new one if there is none, and recovers what a crash left.
    ///
    /// # Errors
    /// `Fatal` when another process owns it, the format is newer, the directory cannot be written, or `mail.db` is missing
    /// beside packs or a log. The text says what to do.
    pub fn open(dir: &Path, options: Options) -> Result<Arc<Self>> {
        let began = options.clock.monotonic();
        let layout = Layout::new(dir);
        let lock = layout.prepare()?;
        let recovered = recovery::recover(&layout, &options)?;
        let shared = Arc::new(Shared::new(layout, options, recovered.id_floor));
        let store = Self::start(Arc::clone(&shared), recovered.conn, lock)?;
        let duration = shared.options.clock.monotonic().0.saturating_sub(began.0);
        shared.emit(&StoreEvent::Opened {
            created: recovered.created,
            wal_frames_recovered: recovered.wal_frames,
            staging_files_removed: recovered.staging_files_removed,
            duration_ms: duration.as_millis() as u64,
        });
        Ok(Arc::new(store))
    }

    /// Starts the threads.
    fn start(shared: Arc<Shared>, conn: rusqlite::Connection, lock: File) -> Result<Self> {
        let line = Arc::new(CommitLine::new());
        let checkpoint = CheckpointCall::new();
        let mut threads = vec![checkpoint.start(&shared, Arc::clone(&line))?];
        let writer = Writer::new(Arc::clone(&shared), conn, checkpoint.clone());
        let writer = Arc::new(Mutex::new(Some(writer)));
        threads.push(start_writer(Arc::clone(&writer), Arc::clone(&line))?);
        let readers = Arc::new(Readers::start(&shared)?);
        let upkeep = Upkeep::new(Arc::clone(&shared), Arc::clone(&line));
        if shared.options.upkeep {
            threads.push(upkeep.start()?);
        }
        Ok(Self {
            shared,
            line,
            writer,
            readers,
            checkpoint,
            upkeep,
            threads: Mutex::new(threads),
            _lock: lock,
        })
    }

    /// Finishes what is queued and ends the threads. Later calls are answered with `Busy`. Blocks for a moment.
    pub fn close(&self) {
        self.upkeep.close();
        self.checkpoint.close();
        self.line.close();
        self.readers.close();
        self.shared.blanks.close(&self.shared.layout);
        let threads: Vec<JoinHandle<()>> = self.threads.lock().drain(..).collect();
        if threads.is_empty() {
            return;
        }
        for thread in threads {
            let _ = thread.join();
        }
        if self.shared.space.stopped().is_none() {
            // What is not copied now is recovered at the next start.
            let _ = checkpoint::finish_log(&self.shared.layout);
        }
    }

    /// The steps of upkeep, for tests and for the command line. They block; call them from a thread that may.
    pub fn upkeep(&self) -> &Upkeep {
        &self.upkeep
    }
}

impl Embedded {
    /// Blank packs at hand.
    #[cfg(test)]
    pub(crate) fn blanks(&self) -> usize {
        self.shared.blanks.ready()
    }

    /// Commits on this thread: a lone committer is spared two changes of threads, which cost more than the commit's own work.
    fn commit_here(&self, jobs: Vec<Job>) {
        let clock = &self.shared.options.clock;
        let began = clock.monotonic();
        let turn = Turn::begin(&self.line);
        if let Some(writer) = self.writer.lock().as_mut() {
            writer.work_here(jobs);
        }
        let took = clock.monotonic().0.saturating_sub(began.0);
        turn.end(took <= Duration::from_millis(QUICK_MS));
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}

/// The thread of the writer, which works until the line is closed.
fn start_writer(writer: Arc<Mutex<Option<Writer>>>, line: Arc<CommitLine>) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("store-write".to_owned())
        .spawn(move || {
            let line = AbandonAtEnd(line);
            Writer::work(&writer, &line.0);
            *writer.lock() = None;
        })
        .map_err(|error| StoreError::Fatal(format!("cannot start a thread: {error}")))
}

/// However the writer ends, also by a panic, whoever waits for it is told.
struct AbandonAtEnd(Arc<CommitLine>);

impl Drop for AbandonAtEnd {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Frames of whole commits in a log, for the tests of the crash table.
#[cfg(test)]
pub(crate) fn wal_facts(path: &Path) -> u64 {
    wal::scan(path).expect("a log").frames
}

/// The checksum of version 1 of a waiting row, for the tests of the migration.
#[cfg(test)]
pub(crate) fn row_sum_1(row: &WaitingRow) -> i64 {
    migrate::row_sum_1(row)
}

#[cfg(test)]
impl Embedded {
    /// Whether the next batch will find the writer idle.
    pub(crate) fn writer_rests(&self) -> bool {
        self.line.is_at_rest()
    }
}

impl Store for Embedded {
    fn stage(&self, blob: BlobId) -> Box<dyn BodyStage> {
        Box::new(Stage::new(Arc::clone(&self.shared), blob))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Durable<Receipt>>> {
        let answer = match self.line.enter(batch, Committer::here().as_ref()) {
            Err(error) => return Box::pin(std::future::ready(Err(error))),
            Ok(Queued::Wait(answer)) => answer,
            Ok(Queued::Here(jobs, answer, Manner::HandedOver)) => {
                tokio::task::block_in_place(|| self.commit_here(jobs));
                answer
            }
            Ok(Queued::Here(jobs, answer, Manner::Plain)) => {
                self.commit_here(jobs);
                answer
            }
        };
        Box::pin(async move {
            answer
                .await
                .unwrap_or_else(|_| Err(StoreError::Fatal("the store is closed".to_owned())))
        })
    }

    fn admission(&self) -> Admission {
        self.shared.look_at_space()
    }

    fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.shared.notices.subscribe()
    }

    fn notices(&self) -> u64 {
        self.shared.last_notice.load(Ordering::Acquire)
    }

    fn commits(&self) -> Option<u64> {
        self.shared.commits()
    }

    fn mailboxes(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<MailboxRow>>> {
        self.readers.ask(move |reader| reader.mailboxes(account))
    }

    fn mailbox(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<Option<MailboxRow>>> {
        self.readers
            .ask(move |reader| Ok(load::mailbox(&reader.conn, mailbox)?.map(|state| state.row)))
    }

    fn placements(&self, mailbox: MailboxId, after_uid: u32) -> BoxFuture<'_, Result<Vec<PlacementRow>>> {
        self.readers
            .ask(move |reader| reader.placements(mailbox, after_uid))
    }

    fn changes_since(&self, mailbox: MailboxId, modseq: u64) -> BoxFuture<'_, Result<Changes>> {
        self.readers
            .ask(move |reader| reader.changes_since(mailbox, modseq))
    }

    fn changes_of(&self, asked: Vec<(MailboxId, u64)>) -> BoxFuture<'_, Result<Vec<Result<Changes>>>> {
        self.readers.ask(move |reader| reader.changes_of(&asked))
    }

    fn messages(&self, ids: Vec<MessageId>) -> BoxFuture<'_, Result<Vec<MessageRow>>> {
        self.readers.ask(move |reader| reader.messages(&ids))
    }

    fn read_messages(
        &self,
        ids: Vec<MessageId>,
        together: Together,
    ) -> BoxFuture<'_, Result<Vec<Result<Option<ReadMessage>>>>> {
        self.readers
            .ask(move |reader| reader.read_messages(&ids, together))
    }

    fn read_body(&self, blob: BlobId, offset: u64, length: u64) -> BoxFuture<'_, Result<Bytes>> {
        self.readers
            .ask(move |reader| reader.read_body(blob, offset, length))
    }

    fn read_bodies(&self, wanted: Vec<(BlobId, u64)>) -> BoxFuture<'_, Result<Vec<Result<Bytes>>>> {
        self.readers.ask(move |reader| reader.read_bodies(&wanted))
    }

    fn keywords(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<Vec<String>>> {
        self.readers
            .ask(move |reader| load::keyword_names(&reader.conn, mailbox))
    }

    fn save_dates(&self, mailbox: MailboxId, uids: UidSet) -> BoxFuture<'_, Result<Vec<(u32, UnixMs)>>> {
        self.readers.ask(move |reader| reader.save_dates(mailbox, &uids))
    }

    fn deleted_bytes(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let (mut bytes, mut next) = (0, Some(0));
            // Page by page, so that other questions have their turn.
            while let Some(after) = next {
                let page = self
                    .readers
                    .ask(move |reader| reader.deleted_bytes(mailbox, after));
                let (more, last) = page.await?;
                (bytes, next) = (bytes + more, last);
            }
            Ok(bytes)
        })
    }

    fn metadata(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<MetadataRow>>> {
        self.readers.ask(move |reader| reader.metadata(account))
    }

    fn subscribed_names(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<String>>> {
        self.readers.ask(move |reader| reader.subscribed_names(account))
    }

    fn grants(&self, mailbox: MailboxId) -> BoxFuture<'_, Result<Vec<GrantRow>>> {
        self.readers.ask(move |reader| reader.grants(mailbox))
    }

    fn grants_to(&self, account: AccountId) -> BoxFuture<'_, Result<Vec<GrantRow>>> {
        self.readers.ask(move |reader| reader.grants_to(account))
    }

    fn grants_of(
        &self,
        account: AccountId,
        after: Option<MailboxId>,
    ) -> BoxFuture<'_, Result<Vec<GrantRow>>> {
        self.readers.ask(move |reader| reader.grants_of(account, after))
    }

    fn domains(&self, after: &str) -> BoxFuture<'_, Result<Vec<(String, String)>>> {
        let after = after.to_owned();
        self.readers.ask(move |reader| reader.domains(&after))
    }

    fn account(&self, account: AccountId) -> BoxFuture<'_, Result<Option<AccountRow>>> {
        self.readers
            .ask(move |reader| Ok(load::account(&reader.conn, account)?.map(|(row, _)| row)))
    }

    fn accounts(&self, after: Option<AccountId>) -> BoxFuture<'_, Result<Vec<AccountRow>>> {
        self.readers.ask(move |reader| reader.accounts(after))
    }

    fn aliases(&self, after: &str) -> BoxFuture<'_, Result<Vec<(String, Vec<String>)>>> {
        let after = after.to_owned();
        self.readers.ask(move |reader| reader.aliases(&after))
    }

    fn lanes(&self, after: &str) -> BoxFuture<'_, Result<Vec<Lane>>> {
        let after = after.to_owned();
        self.readers.ask(move |reader| reader.lanes(&after))
    }

    fn lane_due(&self, lane: &str) -> BoxFuture<'_, Result<Option<UnixMs>>> {
        let lane = lane.to_owned();
        self.readers.ask(move |reader| reader.lane_due(&lane))
    }

    fn claim_lane(
        &self,
        lane: &str,
        now: UnixMs,
        n: usize,
    ) -> BoxFuture<'_, Result<Vec<(Claim, WaitingRow)>>> {
        let lane = lane.to_owned();
        self.readers.ask(move |reader| reader.claim_lane(&lane, now, n))
    }

    fn claim_overdue(&self, now: UnixMs, n: usize) -> BoxFuture<'_, Result<Vec<(Claim, WaitingRow)>>> {
        self.readers.ask(move |reader| reader.claim_overdue(now, n))
    }

    fn next_deadline(&self) -> BoxFuture<'_, Result<Option<UnixMs>>> {
        self.readers.ask(move |reader| reader.next_deadline())
    }

    fn holds(&self, claim: Claim) -> bool {
        self.shared.claims.holds(&claim)
    }

    fn abandon(&self, claim: Claim) {
        self.shared.claims.abandon(&claim);
    }

    fn release(&self, claim: Claim) {
        self.shared.claims.release(&claim);
    }

    fn waiting(&self, after: Option<(QueueId, u32)>) -> BoxFuture<'_, Result<Vec<WaitingRow>>> {
        self.readers.ask(move |reader| reader.waiting(after))
    }

    fn accepted_message(&self, queue_id: QueueId) -> BoxFuture<'_, Result<Option<AcceptedMessage>>> {
        self.readers.ask(move |reader| reader.accepted_message(queue_id))
    }

    fn attempts(
        &self,
        queue_id: QueueId,
        after: Option<(u32, u32)>,
    ) -> BoxFuture<'_, Result<Vec<AttemptRow>>> {
        self.readers.ask(move |reader| reader.attempts(queue_id, after))
    }

    fn audit(&self, after: u64) -> BoxFuture<'_, Result<Vec<AuditRow>>> {
        self.readers.ask(move |reader| reader.audit(after))
    }

    fn id_floor(&self) -> u64 {
        self.shared.largest_id.load(Ordering::Relaxed)
    }
}
