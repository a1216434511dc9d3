//! The queue of lines and the thread that writes them.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use mail::ids::QueueId;
use parking_lot::{Condvar, Mutex};
use world::clock::Clock;
use world::events::{Event, Events, Severity, Value};

use super::file::LogFile;
use super::line::{human_tail, json_tail};
use crate::limits::{LOG_FILE_MAX_BYTES, LOG_FILES_KEPT, LOG_GATHER, LOG_QUEUE_MAX_BYTES};

/// What goes to stderr beside the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    /// Nothing.
    Quiet,
    /// Lines for people.
    Human,
    /// The JSON lines.
    Json,
}

/// Where the log goes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory of the files; `None` for no files.
    pub dir: Option<PathBuf>,
    /// What goes to stderr.
    pub stderr: Stderr,
    /// A file is rotated when it is larger.
    pub file_max_bytes: u64,
    /// How many rotated files are kept.
    pub files_kept: u32,
}

impl Options {
    /// Files in `dir` with the default limits, nothing on stderr.
    pub fn files(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: Some(dir.into()),
            stderr: Stderr::Quiet,
            file_max_bytes: LOG_FILE_MAX_BYTES,
            files_kept: LOG_FILES_KEPT,
        }
    }
}

/// The event log. [`LogEvents::close`] (or dropping it) writes what waits.
pub struct LogEvents {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    stderr: Stderr,
    to_file: bool,
    waiting: Mutex<Waiting>,
    /// The writer waits here for lines.
    came: Condvar,
    /// Whoever flushes waits here for the writer.
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    file: Vec<u8>,
    stderr: Vec<u8>,
    /// lost and not told yet
    untold: u64,
    /// lost since the start
    dropped: u64,
    /// The writer sleeps and has to be woken.
    idle: bool,
    /// Do not gather, write now.
    urgent: bool,
    /// The writer has taken lines that are not on the disk yet.
    busy: bool,
    closing: bool,
}

impl Waiting {
    fn has_lines(&self) -> bool {
        !self.file.is_empty() || !self.stderr.is_empty() || self.untold > 0
    }
}

impl LogEvents {
    /// Opens the files and starts the writer.
    pub fn open(options: &Options, clock: Arc<dyn Clock>) -> io::Result<Arc<Self>> {
        let file = match &options.dir {
            Some(dir) => Some(LogFile::open(dir, options.file_max_bytes, options.files_kept)?),
            None => None,
        };
        let shared = Arc::new(Shared {
            clock,
            stderr: options.stderr,
            to_file: file.is_some(),
            waiting: Mutex::default(),
            came: Condvar::new(),
            written: Condvar::new(),
        });
        let for_writer = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_lines(&for_writer, file))?;
        Ok(Arc::new(Self {
            shared,
            writer: Mutex::new(Some(writer)),
        }))
    }

    /// Waits until everything emitted before is with the operating system. Blocks; for stops and tests.
    pub fn flush(&self) {
        let mut waiting = self.shared.waiting.lock();
        while waiting.has_lines() || waiting.busy {
            waiting.urgent = true;
            self.shared.came.notify_one();
            self.shared.written.wait(&mut waiting);
        }
    }

    /// How many events were lost since the start because the disk was too slow.
    pub fn dropped(&self) -> u64 {
        self.shared.waiting.lock().dropped
    }

    /// Writes what waits and ends the writer. Later events are lost.
    pub fn close(&self) {
        let Some(writer) = self.writer.lock().take() else {
            return;
        };
        self.shared.waiting.lock().closing = true;
        self.shared.came.notify_one();
        if writer.join().is_err() {
            say("the log's writer has stopped unexpectedly");
        }
    }
}

impl Drop for LogEvents {
    fn drop(&mut self) {
        self.close();
    }
}

impl Events for LogEvents {
    fn flush(&self) {
        Self::flush(self);
    }

    fn emit(&self, event: &dyn Event) {
        let shared = &*self.shared;
        // Formatting is the larger part of the work: outside of the lock.
        let json = (shared.to_file || shared.stderr == Stderr::Json).then(|| json_tail(event));
        let human = (shared.stderr == Stderr::Human).then(|| human_tail(event));
        let mut waiting = shared.waiting.lock();
        if waiting.file.len() + waiting.stderr.len() > LOG_QUEUE_MAX_BYTES {
            waiting.untold += 1;
            waiting.dropped += 1;
            return;
        }
        // Asked under the lock, so that lines stand in the order of their times.
        let time = shared.clock.now().rfc3339();
        if let Some(tail) = &json {
            if shared.to_file {
                append(&mut waiting.file, &["{\"time\":\"", &time, "\"", tail]);
            }
            if shared.stderr == Stderr::Json {
                append(&mut waiting.stderr, &["{\"time\":\"", &time, "\"", tail]);
            }
        }
        if let Some(tail) = &human {
            append(&mut waiting.stderr, &[&time, tail]);
        }
        let alert = event.severity() == Severity::Alert;
        waiting.urgent |= alert;
        if waiting.idle || alert {
            waiting.idle = false;
            shared.came.notify_one();
        }
    }
}

fn append(to: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        to.extend_from_slice(part.as_bytes());
    }
}

/// The writer's life: wait for a first line, let others gather, write them all with one call, again.
fn write_lines(shared: &Shared, mut file: Option<LogFile>) {
    let mut batch = Batch::default();
    let mut broken = false;
    loop {
        take_batch(shared, &mut batch);
        if batch.untold > 0 && shared.to_file {
            let tail = json_tail(&Dropped(batch.untold));
            append(
                &mut batch.file,
                &["{\"time\":\"", &shared.clock.now().rfc3339(), "\"", &tail],
            );
        }
        if let Some(file) = &mut file {
            match file.append(&batch.file) {
                Ok(()) => broken = false,
                // Said once until it works again.
                Err(_) if broken => {}
                Err(error) => {
                    broken = true;
                    say(&format!(
                        "the log cannot be written: {error}. Free the disk or check the directory's owner"
                    ));
                }
            }
        }
        // Nobody may be reading.
        let _ = io::stderr().write_all(&batch.stderr);
        recycle(&mut batch.file);
        recycle(&mut batch.stderr);

        let mut waiting = shared.waiting.lock();
        waiting.busy = false;
        shared.written.notify_all();
        if batch.last && !waiting.has_lines() {
            return;
        }
    }
}

/// What the writer writes at once.
#[derive(Default)]
struct Batch {
    file: Vec<u8>,
    stderr: Vec<u8>,
    untold: u64,
    last: bool,
}

/// Waits for lines, lets more gather, and takes them; `batch` lends its empty buffers to those who emit next.
fn take_batch(shared: &Shared, batch: &mut Batch) {
    let mut waiting = shared.waiting.lock();
    while !waiting.has_lines() && !waiting.closing {
        waiting.idle = true;
        shared.came.wait(&mut waiting);
    }
    waiting.idle = false;
    if !waiting.urgent && !waiting.closing {
        shared
            .came
            .wait_while_for(&mut waiting, |now| !now.urgent && !now.closing, LOG_GATHER);
    }
    std::mem::swap(&mut batch.file, &mut waiting.file);
    std::mem::swap(&mut batch.stderr, &mut waiting.stderr);
    batch.untold = std::mem::take(&mut waiting.untold);
    batch.last = waiting.closing;
    waiting.urgent = false;
    waiting.busy = true;
}

/// Keeps a usual buffer for the next round, gives an unusual one back.
fn recycle(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(64 * 1024);
}

fn say(what: &str) {
    // There is no other place left to say it.
    let _ = writeln!(io::stderr(), "hearthpost: {what}");
}

/// Events were lost because they came faster than the disk took them.
struct Dropped(u64);

impl Event for Dropped {
    fn name(&self) -> &'static str {
        "log.dropped"
    }
    fn severity(&self) -> Severity {
        Severity::Warning
    }
    fn queue_id(&self) -> Option<QueueId> {
        None
    }
    fn sentence(&self) -> String {
        format!(
            "{} events were not logged, because they came faster than they could be written.",
            self.0
        )
    }
    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        field("dropped_count", Value::Number(self.0));
    }
}
