//! What the server is doing.

use std::collections::BTreeMap;
use std::path::Path;

use queue::lanes;
use receive::{DoorKind, GenuineMode};
use serde::{Deserialize, Serialize};
use store::contract::{Admission, Store, StoreError, WaitingRow};
use world::clock::UnixMs;

use super::Answer;
use crate::limits::{STATUS_DESTINATIONS, STATUS_DESTINATIONS_SEEN, STATUS_REASON_LETTERS, STATUS_ROWS};
use crate::recent::Trouble;
use crate::serve::UNEXAMINED;
use crate::services::{Live, Services};

/// The same as [`UNEXAMINED`] of a demo, which has no settings.
const UNEXAMINED_DEMO: &str = "mail from other servers is taken whoever it claims to be from: a demo asks for that only with --dns HOST:PORT.";

/// What can be asked of the whole.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// One [`Status`].
    Show,
}

/// What the server is doing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// of the program that answers
    pub version: String,
    /// whether a server runs; false when the command line answers for a stopped one
    pub running: bool,
    /// its process
    pub pid: Option<u32>,
    /// when it started (RFC 3339)
    pub since: Option<String>,
    /// seconds since its start
    pub uptime_s: Option<u64>,
    /// addresses of each open door
    pub doors: BTreeMap<String, Vec<String>>,
    /// open connections
    pub connections: u64,
    /// connections to other servers, opened by us
    pub connections_out: u64,
    /// connections and jobs closed by a fault of ours since the start
    pub panics: u64,
    /// how many
    pub domains: u64,
    /// how many
    pub accounts: u64,
    /// whether mail waits in the queue
    pub queue_waits: bool,
    /// recipients that wait, by state
    pub queue: Waiting,
    /// destinations that could not be reached and are left alone for now
    pub parked: Vec<Parked>,
    /// `open`, `users-only` (space is short: strangers wait), `deleting-only` (the disk is full)
    pub admission: String,
    /// room on the disk of the data directory, in bytes
    pub disk_free_bytes: Option<u64>,
    /// what the log takes, in bytes
    pub log_bytes: u64,
    /// what is kept ready of messages; `None` when no server runs
    #[serde(default)]
    pub index: Option<super::index::State>,
    /// when our certificate ends (RFC 3339)
    pub certificate_until: Option<String>,
    /// what is done about mail that is not from whom it says: a word of `smtp.authenticity`; `None` when no server runs
    #[serde(default)]
    pub authenticity: Option<String>,
    /// what is no trouble, but less than it could be, with the next step
    #[serde(default)]
    pub notes: Vec<String>,
    /// the last warnings and alerts since the start, newest first
    pub troubles: Vec<Trouble>,
}

/// A destination that could not be reached.
#[derive(Debug, Serialize, Deserialize)]
pub struct Parked {
    /// a domain, an address, a route
    pub destination: String,
    /// seconds until it is tried again
    pub again_s: u64,
}

/// Recipients that wait.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Waiting {
    /// all of them
    pub waiting: u64,
    /// of these: their time has come
    pub due: u64,
    /// of these: an operator holds them
    pub held: u64,
    /// of these: for accounts here
    pub local: u64,
    /// false when there are more than were counted
    pub all_counted: bool,
    /// where most wait, most first
    pub destinations: Vec<Destination>,
}

/// Where recipients wait for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Destination {
    /// a domain, an address, a route, or `local`
    pub destination: String,
    /// how many
    pub waiting: u64,
    /// when the first of them is tried next (RFC 3339); `None` when all are held
    pub next: Option<String>,
    /// why one of those waits that were tried most
    pub reason: String,
    #[serde(skip)]
    attempts: u32,
    #[serde(skip)]
    due: Option<UnixMs>,
}

/// Answers.
pub async fn answer(services: &Services, request: Request) -> Answer {
    let Request::Show = request;
    let queue = match count(services.store.as_ref(), services.clock.now()).await {
        Ok(queue) => queue,
        Err(error) => return Answer::Failed(error.to_string()),
    };
    let live = services.live.get();
    let mut doors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, address) in live.map(|live| live.doors.as_slice()).unwrap_or_default() {
        doors
            .entry((*name).to_owned())
            .or_default()
            .push(address.to_string());
    }
    let uptime = live.map(|live| services.clock.monotonic().0.saturating_sub(live.started.0));
    let since = uptime.map(|uptime| {
        let ms = u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX);
        UnixMs(services.clock.now().0.saturating_sub(ms)).rfc3339()
    });
    let standing = live
        .map(|live| live.remote.standing(STATUS_DESTINATIONS))
        .unwrap_or_default();
    let parked = standing.parked.iter().map(|(destination, again)| Parked {
        destination: destination.to_string(),
        again_s: again.as_secs(),
    });
    let log = live.and_then(|live| live.log_dir.clone());
    let log = log.unwrap_or_else(|| services.data.join("log"));
    Answer::done(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running: live.is_some(),
        pid: live.map(|_| std::process::id()),
        since,
        uptime_s: uptime.map(|uptime| uptime.as_secs()),
        doors,
        connections: live.map_or(0, |live| live.gate.open()),
        connections_out: u64::from(standing.connections),
        panics: live.map_or(0, |live| live.gate.panics()),
        domains: services.directory.domains().len() as u64,
        accounts: services.directory.count_accounts() as u64,
        queue_waits: queue.waiting > 0,
        queue,
        parked: parked.collect(),
        admission: admission(services.store.admission()).to_owned(),
        disk_free_bytes: free_bytes(&services.data),
        log_bytes: size_of_files(&log),
        index: live.map(|live| live.index.status().into()),
        certificate_until: live
            .and_then(|live| live.reload.certificate_until())
            .map(UnixMs::rfc3339),
        authenticity: live.map(|live| authenticity(live.reload.genuine_mode()).to_owned()),
        notes: live.and_then(unexamined).into_iter().collect(),
        troubles: services.recent.troubles(),
    })
}

fn authenticity(mode: GenuineMode) -> &'static str {
    match mode {
        GenuineMode::Off => "off",
        GenuineMode::Note => "note",
        GenuineMode::Enforce => "enforce",
    }
}

/// Said where strangers bring mail and nobody asks whom it is from.
fn unexamined(live: &Live) -> Option<String> {
    let strangers = DoorKind::Mx.name();
    let open = live.doors.iter().any(|(name, _)| *name == strangers);
    let off = live.reload.genuine_mode() == GenuineMode::Off;
    (open && off).then_some(match live.reload.has_file() {
        true => format!("{UNEXAMINED} Each takes: hearthpost reload"),
        false => UNEXAMINED_DEMO.to_owned(),
    })
}

fn admission(admission: Admission) -> &'static str {
    match admission {
        Admission::Open => "open",
        Admission::UsersOnly => "users-only",
        Admission::DeletingOnly => "deleting-only",
    }
}

/// Counts by pages, so that others have their turn in between.
async fn count(store: &dyn Store, now: UnixMs) -> Result<Waiting, StoreError> {
    let mut counted = Waiting {
        all_counted: true,
        ..Waiting::default()
    };
    let mut destinations: BTreeMap<String, Destination> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = store.waiting(after).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.queue_id, last.recipient));
        for row in &page {
            counted.add(row, now);
            Destination::add(&mut destinations, row);
        }
        if counted.waiting >= STATUS_ROWS {
            counted.all_counted = false;
            break;
        }
    }
    let mut destinations: Vec<Destination> = destinations.into_values().collect();
    destinations.sort_by_key(|destination| std::cmp::Reverse(destination.waiting));
    destinations.truncate(STATUS_DESTINATIONS);
    for destination in &mut destinations {
        destination.next = destination.due.map(UnixMs::rfc3339);
    }
    counted.destinations = destinations;
    Ok(counted)
}

impl Waiting {
    fn add(&mut self, row: &WaitingRow, now: UnixMs) {
        self.waiting += 1;
        self.held += u64::from(row.held);
        self.due += u64::from(!row.held && row.due <= now);
        self.local += u64::from(row.account.is_some());
    }
}

impl Destination {
    /// Of the first [`STATUS_DESTINATIONS_SEEN`] destinations only: memory is bounded.
    fn add(all: &mut BTreeMap<String, Self>, row: &WaitingRow) {
        let name = lanes::destination(&row.lane).unwrap_or(lanes::LOCAL);
        if !all.contains_key(name) && all.len() >= STATUS_DESTINATIONS_SEEN {
            return;
        }
        let one = all.entry(name.to_owned()).or_insert_with(|| Self {
            destination: name.to_owned(),
            ..Self::default()
        });
        if one.waiting == 0 || row.attempts > one.attempts {
            one.attempts = row.attempts;
            one.reason = row.reason.chars().take(STATUS_REASON_LETTERS).collect();
        }
        one.waiting += 1;
        if !row.held {
            one.due = Some(one.due.map_or(row.due, |due| due.min(row.due)));
        }
    }
}

fn free_bytes(data: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(data).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Of the files in a directory, not of those further down.
fn size_of_files(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = files.filter_map(|file| file.metadata().ok());
    sizes
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}
