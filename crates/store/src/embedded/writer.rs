//! The one who writes: a thread of its own, or in its stead the task whose batch came alone ([`crate::embedded::line`]).
//!
//! 1. [`CommitLine::next`] hands over what queued up while the last sync ran.
//! 2. [`Writer::commit_group`] carries every batch out in one transaction, of which each can be taken back alone,
//! 3. commits it (**the one sync: the moment of responsibility**),
//! 4. answers everybody with [`Durable`], ends claims, publishes notices.
//! 5. [`Writer::look_after_log`] keeps room in the log ahead of its end and calls the checkpointer.
//!
//! When the disk refuses, [`Writer::regain_trust`] follows "A failed sync" of docs/decisions/0013-crash-table.md.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;

use crate::contract::{Admission, Op, Receipt, Result, StoreError};
use crate::durable::Durable;
use crate::embedded::apply::{Work, frees_space};
use crate::embedded::checkpoint::CheckpointCall;
use crate::embedded::faults::{Meaning, meaning};
use crate::embedded::ledger::Ledger;
use crate::embedded::line::{CommitLine, Job, Next};
use crate::embedded::plants;
use crate::embedded::schema;
use crate::embedded::shared::Shared;
use crate::embedded::space::checkpoint_bytes;
use crate::embedded::wal;
use crate::events::StoreEvent;
use crate::limits::{WAL_ALARM_BYTES, WAL_STEP_BYTES};

/// The writer's state. Whoever has the line's turn has it.
pub(crate) struct Writer {
    pub shared: Arc<Shared>,
    conn: Option<Connection>,
    pub ledger: Ledger,
    log: Option<LogFiles>,
    checkpoint: CheckpointCall,
    /// size of the log at which it is copied into the database
    checkpoint_bytes: u64,
    alarmed: bool,
    /// the failure after which nothing may be written before trust is regained
    distrust: Option<Distrust>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Distrust {
    reason: String,
    /// whether a try to regain trust has failed already
    tried: bool,
}

/// The log's files, held open to see its end and to lengthen it.
struct LogFiles {
    shm: File,
    wal: File,
    wal_bytes: u64,
}

/// A transaction that did not commit.
struct Failed {
    meaning: Meaning,
    error: StoreError,
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self {
            meaning: meaning(&error),
            error: error.into(),
        }
    }
}

impl Writer {
    pub fn new(shared: Arc<Shared>, conn: Connection, checkpoint: CheckpointCall) -> Self {
        let checkpoint_bytes = checkpoint_bytes(&shared.options, &shared.layout.dir);
        Self {
            shared,
            conn: Some(conn),
            ledger: Ledger::default(),
            log: None,
            checkpoint,
            checkpoint_bytes,
            alarmed: false,
            distrust: None,
        }
    }

    /// Works until the line is closed.
    pub fn work(writer: &Mutex<Option<Self>>, line: &CommitLine) {
        loop {
            let next = line.next();
            let mut writer = writer.lock();
            let Some(writer) = writer.as_mut() else { return };
            match next {
                Next::Group(jobs) => writer.handle_group(jobs),
                Next::Chore(chore) => chore(writer),
                Next::End => return,
            }
            writer.look_after_log();
        }
    }

    /// Commits a group on the thread of the task that found the writer idle.
    pub fn work_here(&mut self, jobs: Vec<Job>) {
        self.handle_group(jobs);
        self.look_after_log();
    }

    /// Commits a group and answers everybody in it.
    fn handle_group(&mut self, jobs: Vec<Job>) {
        if let Err(error) = self.ensure_trust() {
            return refuse_all(jobs, &error);
        }
        let short = self.look_at_space() == Admission::DeletingOnly;
        let (freeing, others): (Vec<Job>, Vec<Job>) = if short {
            jobs.into_iter().partition(|job| frees_space(&job.batch))
        } else {
            (Vec::new(), jobs)
        };
        if short {
            refuse_all(others, &StoreError::Full);
            self.run_group(freeing, true);
        } else {
            self.run_group(others, true);
        }
    }

    fn run_group(&mut self, mut jobs: Vec<Job>, may_retry: bool) {
        if jobs.is_empty() {
            return;
        }
        plants::answer_early(&mut jobs);
        let replays = plants::replays(&jobs);
        match self.commit_group(&jobs) {
            Ok(results) => {
                let (mut notices, claims, bodies) = self.ledger.committed();
                self.shared.number(&mut notices);
                bodies
                    .into_iter()
                    .for_each(|blob| self.shared.staged.remove(blob));
                claims.iter().for_each(|claim| self.shared.claims.release(claim));
                for (job, result) in jobs.into_iter().zip(results) {
                    // Whoever asked may have gone away; the commit stands.
                    let _ = job.reply.send(result.map(Durable::synced));
                }
                for notice in notices {
                    // Nobody may be listening.
                    let _ = self.shared.notices.send(notice);
                }
                self.replay(&replays);
            }
            Err(failed) => self.handle_failure(jobs, failed, may_retry),
        }
    }

    /// Acceptances that come a second time, as from a caller that missed the first answer: each must be refused.
    fn replay(&mut self, jobs: &[Job]) {
        if !jobs.is_empty() && self.commit_group(jobs).is_ok() {
            let _ = self.ledger.committed();
        }
    }

    /// One transaction, one sync.
    fn commit_group(&mut self, jobs: &[Job]) -> std::result::Result<Vec<Result<Receipt>>, Failed> {
        let now = self.shared.now();
        let conn = self.conn.as_ref().ok_or_else(closed)?;
        self.shared.commit_begins();
        let ended = commit_jobs(conn, &mut self.ledger, &self.shared, now, jobs);
        self.shared.commit_ended();
        if ended.is_err() {
            if !conn.is_autocommit() {
                // When even this fails the connection is opened anew before the next write.
                let _ = conn.execute_batch("ROLLBACK");
            }
            self.ledger.forget();
        }
        ended
    }

    /// Nobody's batch was committed. Decides what to say, and what to try.
    fn handle_failure(&mut self, jobs: Vec<Job>, failed: Failed, may_retry: bool) {
        match failed.meaning {
            Meaning::Full => {
                self.shared.space.refused(&self.shared.options);
                let (freeing, others): (Vec<Job>, Vec<Job>) =
                    jobs.into_iter().partition(|job| frees_space(&job.batch));
                refuse_all(others, &StoreError::Full);
                if !may_retry {
                    return refuse_all(freeing, &StoreError::Full);
                }
                if freeing.is_empty() {
                    return;
                }
                if self.shared.space.release_reserve(&self.shared.layout.reserve) {
                    self.shared.emit(&StoreEvent::ReserveReleased);
                }
                // An emptied log starts over in blocks it already has.
                self.checkpoint_here("PASSIVE");
                self.run_group(freeing, false);
            }
            Meaning::Untrusted => {
                let StoreError::Fatal(reason) = &failed.error else {
                    return refuse_all(jobs, &failed.error);
                };
                let batches = jobs.len() as u64;
                self.distrust = Some(Distrust {
                    reason: reason.clone(),
                    tried: false,
                });
                refuse_all(jobs, &failed.error);
                if self.ensure_trust().is_ok() {
                    self.shared.emit(&StoreEvent::SyncFailed {
                        batches,
                        reason: reason.clone(),
                    });
                }
            }
            Meaning::Damaged | Meaning::Busy | Meaning::Other => {
                let _ = self.shared.watch::<()>(Err(failed.error.clone()));
                refuse_all(jobs, &failed.error);
            }
        }
    }

    /// Runs a step of upkeep in a transaction of its own.
    pub fn transaction<T>(&mut self, step: impl FnOnce(&Connection, &mut Ledger) -> Result<T>) -> Result<T> {
        self.ensure_trust()?;
        let conn = self.conn.as_ref().ok_or_else(|| closed().error)?;
        self.shared.commit_begins();
        let ended = upkeep_transaction(conn, &mut self.ledger, step);
        self.shared.commit_ended();
        match ended {
            Ok(done) => {
                self.ledger.committed();
                Ok(done)
            }
            Err(failed) => {
                if !conn.is_autocommit() {
                    let _ = conn.execute_batch("ROLLBACK");
                }
                self.ledger.forget();
                match failed.meaning {
                    Meaning::Full => self.shared.space.refused(&self.shared.options),
                    Meaning::Untrusted => {
                        self.distrust = Some(Distrust {
                            reason: failed.error.to_string(),
                            tried: false,
                        });
                        let _ = self.ensure_trust();
                    }
                    _ => {}
                }
                Err(failed.error)
            }
        }
    }

    /// After a failure: a new connection, a scar over the failed batch's frames, and the proof of the chain.
    fn ensure_trust(&mut self) -> Result<()> {
        let Some(distrust) = self.distrust.clone() else {
            return Ok(());
        };
        match self.regain_trust(distrust.tried) {
            Ok(()) => {
                self.distrust = None;
                if distrust.tried {
                    self.shared.space.set_stopped(None);
                    self.shared.emit(&StoreEvent::WritingResumed);
                }
                Ok(())
            }
            Err(error) => {
                let reason = format!("{}; {error}", distrust.reason);
                if !distrust.tried {
                    self.shared.space.set_stopped(Some(reason.clone()));
                    self.shared.emit(&StoreEvent::WritingStopped {
                        reason: reason.clone(),
                    });
                }
                self.distrust = Some(Distrust {
                    reason: distrust.reason,
                    tried: true,
                });
                Err(if error == StoreError::Full {
                    StoreError::Full
                } else {
                    StoreError::Fatal(reason)
                })
            }
        }
    }

    fn regain_trust(&mut self, stopped_before: bool) -> Result<()> {
        self.ledger.forget();
        self.log = None;
        self.conn = None;
        let (conn, _) = schema::open_writer(&self.shared.layout.db, self.shared.now())?;
        conn.execute_batch("BEGIN IMMEDIATE; UPDATE meta SET value=value+1 WHERE name='scars'; COMMIT;")?;
        self.prove_log()?;
        if stopped_before {
            let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if verdict != "ok" {
                return Err(StoreError::Fatal(format!(
                    "the database did not pass its check: {verdict}"
                )));
            }
        }
        self.conn = Some(conn);
        Ok(())
    }

    /// Every frame the log's index counts must be part of an unbroken chain of whole commits.
    fn prove_log(&mut self) -> Result<()> {
        let used = self.log()?.used_bytes()?;
        let facts = wal::scan(&self.shared.layout.wal)
            .map_err(|error| StoreError::Fatal(format!("the log cannot be read: {error}")))?;
        let frames = used.saturating_sub(32) / (24 + 4096);
        if facts.frames < frames {
            return Err(StoreError::Fatal(format!(
                "the log's chain breaks after {} of {frames} pages",
                facts.frames
            )));
        }
        Ok(())
    }

    /// What may be taken now; tells when it changes.
    fn look_at_space(&self) -> Admission {
        self.shared.look_at_space()
    }

    /// Keeps zeros ahead of the log's end, so that a commit overwrites blocks instead of making the file longer (a sync
    /// would then also write the file's metadata), and calls the checkpointer when the log is long.
    fn look_after_log(&mut self) {
        let target = self.checkpoint_bytes;
        let Ok(log) = self.log() else { return };
        let Ok(used) = log.used_bytes() else { return };
        if log.wal_bytes < target + WAL_STEP_BYTES && used + WAL_STEP_BYTES / 2 > log.wal_bytes {
            log.lengthen();
        }
        if used >= target {
            self.checkpoint.ask(used);
        }
        if used >= WAL_ALARM_BYTES {
            if !self.alarmed {
                self.alarmed = true;
                self.shared.emit(&StoreEvent::LogLarge { size_bytes: used });
            }
            self.checkpoint_here("RESTART");
        } else {
            self.alarmed = false;
        }
    }

    /// Copies the rest of the log into the database from the writer's own thread. When that is everything, and nobody
    /// reads from the log, the next commit starts at its beginning again.
    pub fn checkpoint_here(&mut self, mode: &str) {
        let Some(conn) = self.conn.as_ref() else { return };
        // A failed checkpoint loses nothing: the log is not restarted, the next one copies all pages again.
        let _ = conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            row.get::<_, i64>(0)
        });
    }

    /// Bytes of the log in use.
    pub fn log_bytes(&mut self) -> Result<u64> {
        self.log()?.used_bytes()
    }

    fn log(&mut self) -> Result<&mut LogFiles> {
        if self.log.is_none() {
            self.log = Some(LogFiles::open(&self.shared)?);
        }
        self.log.as_mut().ok_or_else(|| closed().error)
    }
}

impl LogFiles {
    fn open(shared: &Shared) -> Result<Self> {
        let failed = |error: std::io::Error| StoreError::Fatal(format!("the log cannot be opened: {error}"));
        let shm = File::open(&shared.layout.shm).map_err(failed)?;
        let wal = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&shared.layout.wal)
            .map_err(failed)?;
        let wal_bytes = wal.metadata().map_err(failed)?.len();
        Ok(Self { shm, wal, wal_bytes })
    }

    fn used_bytes(&self) -> Result<u64> {
        wal::used_bytes(&self.shm).map_err(|error| StoreError::Fatal(format!("the log's index: {error}")))
    }

    /// Writes zeros behind the end. They are nobody's frames; no room for them is no harm.
    fn lengthen(&mut self) {
        let Ok(meta) = self.wal.metadata() else { return };
        let zeros = vec![0u8; WAL_STEP_BYTES as usize];
        if self.wal.write_all_at(&zeros, meta.len()).is_ok() {
            self.wal_bytes = meta.len() + WAL_STEP_BYTES;
        } else {
            self.wal_bytes = u64::MAX;
        }
    }
}

impl Shared {
    /// What may be taken now; tells the log when that changes.
    pub fn look_at_space(&self) -> Admission {
        let look = self.space.look(&self.options, &self.layout.dir);
        let room = look.room;
        let (free_bytes, free_inodes) = room.map_or((0, 0), |room| (room.free_bytes, room.free_inodes));
        let counts_as_full = |level| level != Admission::Open;
        match (counts_as_full(look.before), counts_as_full(look.now)) {
            (false, true) => self.emit(&StoreEvent::DiskFull {
                free_bytes,
                free_inodes,
            }),
            (true, false) => self.emit(&StoreEvent::DiskHasRoom { free_bytes }),
            _ => {}
        }
        look.now
    }
}

/// The transaction of a group. An error here means that nothing was committed.
///
/// A savepoint makes SQLite copy every page before it is changed. So there is none where nothing will be taken back in all
/// likelihood: a lone batch is its own transaction, and a group of acceptances only is tried without, then again with savepoints
/// if one of them has to be refused.
fn commit_jobs(
    conn: &Connection,
    ledger: &mut Ledger,
    shared: &Shared,
    now: world::clock::UnixMs,
    jobs: &[Job],
) -> std::result::Result<Vec<Result<Receipt>>, Failed> {
    let mut group = Group {
        conn,
        ledger,
        shared,
        now,
    };
    if jobs.len() > 1 && !jobs.iter().all(only_accepts) {
        return group.with_savepoints(jobs);
    }
    match group.all_or_none(jobs)? {
        Ok(receipts) => Ok(receipts.into_iter().map(Ok).collect()),
        Err(error) if jobs.len() == 1 => Ok(vec![shared.watch(Err(error))]),
        Err(_) => group.with_savepoints(jobs),
    }
}

/// Whether a batch has nothing but acceptances, which are hardly ever refused here.
fn only_accepts(job: &Job) -> bool {
    job.batch.ops.iter().all(|op| matches!(op, Op::Accept(_)))
}

/// What carries out a group.
struct Group<'a> {
    conn: &'a Connection,
    ledger: &'a mut Ledger,
    shared: &'a Shared,
    now: world::clock::UnixMs,
}

impl Group<'_> {
    /// Every batch, or none: then the transaction is ended and the inner error says why the first of them failed.
    fn all_or_none(&mut self, jobs: &[Job]) -> std::result::Result<Result<Vec<Receipt>>, Failed> {
        run(self.conn, "BEGIN IMMEDIATE")?;
        let mut receipts = Vec::with_capacity(jobs.len());
        for job in jobs {
            match self.carry_out(job)? {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => {
                    run(self.conn, "ROLLBACK")?;
                    if jobs.len() == 1 {
                        self.ledger.take_back();
                    } else {
                        self.ledger.forget();
                    }
                    return Ok(Err(error));
                }
            }
            self.ledger.keep();
        }
        self.end()?;
        Ok(Ok(receipts))
    }

    /// Every batch by itself: one that fails is taken back alone.
    fn with_savepoints(&mut self, jobs: &[Job]) -> std::result::Result<Vec<Result<Receipt>>, Failed> {
        run(self.conn, "BEGIN IMMEDIATE")?;
        let mut results = Vec::with_capacity(jobs.len());
        for job in jobs {
            run(self.conn, "SAVEPOINT batch")?;
            let result = self.carry_out(job)?;
            if result.is_ok() {
                self.ledger.keep();
            } else {
                run(self.conn, "ROLLBACK TO batch")?;
                self.ledger.take_back();
            }
            run(self.conn, "RELEASE batch")?;
            results.push(self.shared.watch(result));
        }
        self.end()?;
        Ok(results)
    }

    /// One batch. The outer error ends the whole transaction.
    fn carry_out(&mut self, job: &Job) -> std::result::Result<Result<Receipt>, Failed> {
        self.ledger.begin();
        let result = Work {
            conn: self.conn,
            ledger: self.ledger,
            shared: self.shared,
            now: self.now,
        }
        .run(&job.batch);
        match result {
            Err(StoreError::Full) => Err(Failed {
                meaning: Meaning::Full,
                error: StoreError::Full,
            }),
            // SQLite has ended the transaction by itself.
            Err(error) if self.conn.is_autocommit() => Err(Failed {
                meaning: Meaning::Untrusted,
                error: StoreError::Fatal(error.to_string()),
            }),
            result => Ok(result),
        }
    }

    /// The rows that are written once a group, and the commit.
    fn end(&mut self) -> std::result::Result<(), Failed> {
        self.ledger.write_out(self.conn).map_err(|error| Failed {
            meaning: meaning_of(&error),
            error,
        })?;
        Ok(run(self.conn, "COMMIT")?)
    }
}

fn upkeep_transaction<T>(
    conn: &Connection,
    ledger: &mut Ledger,
    step: impl FnOnce(&Connection, &mut Ledger) -> Result<T>,
) -> std::result::Result<T, Failed> {
    run(conn, "BEGIN IMMEDIATE")?;
    ledger.begin();
    let done = step(conn, ledger).map_err(|error| Failed {
        meaning: meaning_of(&error),
        error,
    })?;
    ledger.keep();
    ledger.write_out(conn).map_err(|error| Failed {
        meaning: meaning_of(&error),
        error,
    })?;
    run(conn, "COMMIT")?;
    Ok(done)
}

fn run(conn: &Connection, statement: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(statement)?.execute([]).map(drop)
}

/// What an error inside a transaction means when its cause was already put in the contract's words.
const fn meaning_of(error: &StoreError) -> Meaning {
    match error {
        StoreError::Full => Meaning::Full,
        StoreError::Fatal(_) => Meaning::Untrusted,
        StoreError::Damaged(_) => Meaning::Damaged,
        StoreError::Busy | StoreError::Conflict(_) => Meaning::Other,
    }
}

fn closed() -> Failed {
    Failed {
        meaning: Meaning::Untrusted,
        error: StoreError::Fatal("the database is not open".to_owned()),
    }
}

fn refuse_all(jobs: Vec<Job>, error: &StoreError) {
    for job in jobs {
        // Whoever asked may have gone away.
        let _ = job.reply.send(Err(error.clone()));
    }
}
