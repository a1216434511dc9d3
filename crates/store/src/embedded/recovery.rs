//! What opening makes of the files before any thread starts: what a crash or a disk left of them, and what of it is served.

use rusqlite::Connection;

use crate::contract::{Result, StoreError};
use crate::embedded::layout::{self, Layout};
use crate::embedded::options::Options;
use crate::embedded::{faults, schema, wal};
use crate::events::StoreEvent;

/// A database that may be served, and what it took.
pub(crate) struct Recovered {
    /// the writer's
    pub conn: Connection,
    /// there was none
    pub created: bool,
    /// pages of the log that were taken over
    pub wal_frames: u64,
    /// what a crash left unfinished
    pub staging_files_removed: u64,
    /// the largest identifier that was given
    pub id_floor: u64,
}

/// Opens the database for writing.
///
/// # Errors
/// `Fatal` when its format is newer, or when it contradicts itself since its log was damaged.
pub(crate) fn recover(layout: &Layout, options: &Options) -> Result<Recovered> {
    let log = inspect_log(layout, options)?;
    let (conn, created) = schema::open_writer(&layout.db, options.clock.now())?;
    if log.damaged {
        refuse_contradictions(&conn)?;
    }
    if created {
        layout::sync_dir(&layout.dir)?;
    }
    Ok(Recovered {
        created,
        wal_frames: log.frames,
        staging_files_removed: layout.clear_staging()?,
        id_floor: schema::id_floor(&conn)?,
        conn,
    })
}

/// What the log is found to be.
struct Log {
    /// pages that recovery will take over
    frames: u64,
    /// there is rot in it
    damaged: bool,
}

/// Reads the log before SQLite does. Rot in its middle (row C21) is reported and a copy is kept, because recovery silently
/// stops at the first bad frame.
fn inspect_log(layout: &Layout, options: &Options) -> Result<Log> {
    let facts = wal::scan(&layout.wal).map_err(faults::io_at("mail.db-wal"))?;
    let damaged = facts.commits_behind_damage > 0;
    if damaged {
        let copy = layout
            .dir
            .join(format!("mail.db-wal.damaged-{}", options.clock.now().0));
        std::fs::copy(&layout.wal, &copy).map_err(faults::io_at("mail.db-wal"))?;
        let commits_lost = facts.commits_behind_damage;
        options.events.emit(&StoreEvent::LogDamaged {
            commits_lost,
            copy: copy.display().to_string(),
        });
    }
    Ok(Log {
        frames: facts.frames,
        damaged,
    })
}

/// Pages copied into the database before the log was damaged may be newer than what the log still proves. Mixed pages that
/// contradict each other are not served.
fn refuse_contradictions(conn: &Connection) -> Result<()> {
    let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Fatal(format!(
        "the log was damaged and the database contradicts itself without it ({verdict}): restore mail.db from a backup"
    )))
}
