//! The threads that answer reads, each with a connection that cannot write. A read never waits for a commit, and no read
//! transaction outlives its question.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use mail::ids::{BlobId, Id};
use parking_lot::{Condvar, Mutex};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;
use world::clock::BoxFuture;

use crate::contract::{Result, StoreError};
use crate::embedded::load::{self, BodyRow};
use crate::embedded::pack::{self, PackError, Unzip};
use crate::embedded::plants;
use crate::embedded::rows::int;
use crate::embedded::schema;
use crate::embedded::shared::Shared;
use crate::limits::{READ_QUEUE, SPAN_BYTES};

type Question = Box<dyn FnOnce(&mut Reader) + Send>;

/// One reading connection.
pub(crate) struct Reader {
    pub conn: Connection,
    pub shared: Arc<Shared>,
    /// the pack that was read last
    open_pack: Option<(u64, File)>,
    unzip: Unzip,
    /// what was read of a pack at once; at most [`SPAN_BYTES`]
    span: Vec<u8>,
}

/// The pool.
pub(crate) struct Readers {
    line: Arc<Line>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Line {
    state: Mutex<LineState>,
    wake: Condvar,
}

struct LineState {
    questions: VecDeque<Question>,
    closing: bool,
}

impl Readers {
    /// Starts the threads.
    pub fn start(shared: &Arc<Shared>) -> Result<Self> {
        let state = LineState {
            questions: VecDeque::new(),
            closing: false,
        };
        let line = Arc::new(Line {
            state: Mutex::new(state),
            wake: Condvar::new(),
        });
        let mut threads = Vec::new();
        for number in 0..shared.options.reader_threads.max(1) {
            let mut reader = Reader::open(Arc::clone(shared))?;
            let line = Arc::clone(&line);
            let thread = std::thread::Builder::new()
                .name(format!("store-read-{number}"))
                .spawn(move || line.serve(&mut reader))
                .map_err(|error| StoreError::Fatal(format!("cannot start a thread: {error}")))?;
            threads.push(thread);
        }
        Ok(Self {
            line,
            threads: Mutex::new(threads),
        })
    }

    /// Asks; the answer comes from whichever thread is free.
    pub fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Reader) -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let (reply, answer) = oneshot::channel();
        let job: Question = Box::new(move |reader| {
            let found = question(reader);
            let found = reader.shared.watch(found);
            // The asker may have gone away.
            let _ = reply.send(found);
        });
        {
            let mut state = self.line.state.lock();
            if state.closing || state.questions.len() >= READ_QUEUE {
                return Box::pin(std::future::ready(Err(StoreError::Busy)));
            }
            state.questions.push_back(job);
        }
        self.line.wake.notify_one();
        Box::pin(async move {
            answer
                .await
                .unwrap_or_else(|_| Err(StoreError::Fatal("the store is closed".to_owned())))
        })
    }

    /// Answers what waits, then ends the threads.
    pub fn close(&self) {
        self.line.state.lock().closing = true;
        self.line.wake.notify_all();
        for thread in self.threads.lock().drain(..) {
            let _ = thread.join();
        }
    }
}

impl Line {
    fn serve(&self, reader: &mut Reader) {
        loop {
            let question = {
                let mut state = self.state.lock();
                loop {
                    if let Some(question) = state.questions.pop_front() {
                        break question;
                    }
                    if state.closing {
                        return;
                    }
                    self.wake.wait(&mut state);
                }
            };
            // A panic ends one question, not the thread that answers all of them; whoever asked is told.
            let answered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| question(reader)));
            if answered.is_err() && !reader.conn.is_autocommit() {
                let _ = reader.conn.execute_batch("ROLLBACK");
            }
        }
    }
}

impl Reader {
    pub fn open(shared: Arc<Shared>) -> Result<Self> {
        let conn = schema::open_reader(&shared.layout.db)?;
        Ok(Self {
            conn,
            shared,
            open_pack: None,
            unzip: Unzip::default(),
            span: Vec::new(),
        })
    }

    /// Runs several statements on one snapshot.
    pub fn snapshot<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.conn.prepare_cached("BEGIN")?.execute([])?;
        let found = read(self);
        let ended = self
            .conn
            .prepare_cached("COMMIT")
            .and_then(|mut end| end.execute([]));
        if ended.is_err() && !self.conn.is_autocommit() {
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        found
    }

    /// A part of a body, verified.
    pub fn body_range(&mut self, blob: BlobId, offset: u64, length: u64) -> Result<Bytes> {
        // A body that moves to another pack between row and file is looked up again.
        for _ in 0..3 {
            if let Some(bytes) = self.try_body_range(blob, offset, length)? {
                return Ok(bytes);
            }
        }
        Err(StoreError::Damaged(format!("body {blob} (its pack is missing)")))
    }

    fn try_body_range(&mut self, blob: BlobId, offset: u64, length: u64) -> Result<Option<Bytes>> {
        let (row, inline) = self.snapshot(|reader| reader.row_and_inline(blob))?;
        match inline {
            Some(body) => {
                let start = offset.min(row.size);
                let end = start + length.min(row.size - start);
                Ok(Some(body.slice(start as usize..end as usize)))
            }
            None => self.packed_range(&row, offset, length),
        }
    }

    /// A body's row, and its bytes when they are in the database.
    pub fn row_and_inline(&self, blob: BlobId) -> Result<(BodyRow, Option<Bytes>)> {
        let missing = || StoreError::Damaged(format!("body {blob} (no row)"));
        let row = load::body(&self.conn, blob.raw())?.ok_or_else(missing)?;
        let inline = if row.pack == 0 {
            Some(inline_bytes(&self.conn, &row)?)
        } else {
            None
        };
        Ok((row, inline))
    }

    /// From a pack; `None` when the pack is not there.
    pub fn packed_range(&mut self, row: &BodyRow, offset: u64, length: u64) -> Result<Option<Bytes>> {
        if !self.opens_pack(row)? {
            return Ok(None);
        }
        let Some((_, file)) = &self.open_pack else {
            return Ok(None);
        };
        let expected = (row.blob, row.size, &row.hash);
        match pack::read_range(file, &mut self.unzip, row.place, expected, offset, length) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(PackError::Missing) => Ok(None),
            Err(PackError::Damaged) => Err(damaged_body(row, "its pack does not match")),
        }
    }

    /// Bytes of a pack from where this body is, as they are stored, and what unpacks them; nothing if they cannot be had now.
    pub fn pack_span(&mut self, row: &BodyRow, length: u64) -> Option<(&[u8], &mut Unzip)> {
        if length > SPAN_BYTES || !self.opens_pack(row).ok()? {
            return None;
        }
        let (_, file) = self.open_pack.as_ref()?;
        self.span.resize(self.span.len().max(length as usize), 0);
        let span = &mut self.span[..length as usize];
        file.read_exact_at(span, row.place).ok()?;
        Some((span, &mut self.unzip))
    }

    /// Opens the pack that this body is in, unless it is open; false when it is not there.
    fn opens_pack(&mut self, row: &BodyRow) -> Result<bool> {
        if self.open_pack.as_ref().is_some_and(|(pack, _)| *pack == row.pack) {
            return Ok(true);
        }
        match File::open(self.shared.layout.pack(row.pack)) {
            Ok(file) if pack::has_header(&file, row.pack) => self.open_pack = Some((row.pack, file)),
            Ok(_) => return Err(damaged_body(row, "its pack has no header")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(damaged_body(row, &error.to_string())),
        }
        Ok(true)
    }
}

fn damaged_body(row: &BodyRow, why: &str) -> StoreError {
    StoreError::Damaged(format!("body {} ({why})", BlobId::from_raw(row.blob)))
}

/// The bytes of an inline body, verified as a whole.
pub(crate) fn inline_bytes(conn: &Connection, row: &BodyRow) -> Result<Bytes> {
    let found = conn
        .prepare_cached("SELECT bytes FROM inline WHERE blob=?")?
        .query_row(params![int(row.blob)], |found| found.get::<_, Vec<u8>>(0))
        .optional()?;
    let bytes = found.ok_or_else(|| damaged_body(row, "its bytes are missing"))?;
    if is_body(&bytes, row) {
        Ok(Bytes::from(bytes))
    } else {
        Err(damaged_body(row, "its bytes do not match"))
    }
}

/// Whether these are the bytes of that body.
pub(crate) fn is_body(bytes: &[u8], row: &BodyRow) -> bool {
    bytes.len() as u64 == row.size && (plants::no_checksum() || blake3::hash(bytes).as_bytes() == &row.hash)
}
