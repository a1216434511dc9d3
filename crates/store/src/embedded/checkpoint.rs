//! The checkpointer: copies the log into the database while the writer goes on, then has the writer copy the short rest
//! between two commits, so that the log starts over instead of growing.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use crate::contract::{Result, StoreError};
use crate::embedded::faults::io_at;
use crate::embedded::layout::Layout;
use crate::embedded::line::CommitLine;
use crate::embedded::schema;
use crate::embedded::shared::Shared;

/// The writer's side: asks for a checkpoint. Asking again while one runs does nothing.
#[derive(Clone)]
pub(crate) struct CheckpointCall {
    call: Arc<Call>,
}

#[derive(Default)]
struct Call {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    wanted: bool,
    running: bool,
    closing: bool,
    /// do not ask again before the log has grown to this
    again_at_bytes: u64,
}

impl CheckpointCall {
    pub fn new() -> Self {
        Self {
            call: Arc::new(Call::default()),
        }
    }

    /// The log is this long: copy it.
    pub fn ask(&self, used_bytes: u64) {
        let mut state = self.call.state.lock();
        if state.running || state.wanted || used_bytes < state.again_at_bytes {
            return;
        }
        // If readers keep the log from starting over, the next try is made after it grew by another quarter.
        state.again_at_bytes = used_bytes + used_bytes / 4;
        state.wanted = true;
        self.call.wake.notify_one();
    }

    /// The log has started over.
    pub fn restarted(&self) {
        self.call.state.lock().again_at_bytes = 0;
    }

    /// Ends the thread.
    pub fn close(&self) {
        self.call.state.lock().closing = true;
        self.call.wake.notify_all();
    }

    /// Starts the thread.
    pub fn start(&self, shared: &Shared, line: Arc<CommitLine>) -> Result<JoinHandle<()>> {
        let conn = schema::open_checkpointer(&shared.layout.db)?;
        let call = self.clone();
        std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || call.serve(&conn, &line))
            .map_err(|error| StoreError::Fatal(format!("cannot start a thread: {error}")))
    }

    fn serve(&self, conn: &Connection, line: &CommitLine) {
        loop {
            {
                let mut state = self.call.state.lock();
                self.call
                    .wake
                    .wait_while(&mut state, |state| !state.wanted && !state.closing);
                if state.closing {
                    return;
                }
                state.wanted = false;
                state.running = true;
            }
            // A failure loses nothing: the log is not restarted and the next checkpoint copies all pages again.
            let _ = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(0));
            let call = self.clone();
            let _ = line.run(move |writer| {
                writer.checkpoint_here("PASSIVE");
                call.restarted();
            });
            self.call.state.lock().running = false;
        }
    }
}

/// At an orderly close, when nobody has the database open any more: copies the whole log into the database and clears the
/// log's header, so that the next start has nothing to recover and the log's blocks are kept.
pub(crate) fn finish_log(layout: &Layout) -> Result<()> {
    {
        let conn = schema::open_checkpointer(&layout.db)?;
        let (busy, log, copied): (i64, i64, i64) =
            conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        if busy != 0 || log != copied {
            return Ok(());
        }
    }
    let wal = OpenOptions::new()
        .write(true)
        .open(&layout.wal)
        .map_err(io_at("mail.db-wal"))?;
    wal.write_all_at(&[0; 32], 0).map_err(io_at("mail.db-wal"))?;
    wal.sync_data().map_err(io_at("mail.db-wal"))
}
