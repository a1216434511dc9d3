//! What the doors and the commands work with, opened in order: log, store, directory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use deliver::remote::Remote;
use directory::{Directory, Doors};
use index::Index;
use msgauth::tls::book::Book;
use msgauth::tls::settings::Settings as TlsSettings;
use queue::Queue;
use store::contract::{Store, StoreError};
use store::embedded::{Embedded, Options};
use world::chance::Chance;
use world::clock::{Clock, Monotonic};
use world::dns::Dns;
use world::events::Events;
use world::ids::IdSource;
use world_real::chance::RealChance;
use world_real::clock::RealClock;
use world_real::log::{LogEvents, Options as LogOptions};

use crate::dkim::Keys;
use crate::doors::Gate;
use crate::exit::{Failure, Outcome};
use crate::forward_key;
use crate::recent::Recent;
use crate::reload::Reload;
use crate::tls_shelf::TlsShelf;

/// The opened parts below the doors.
pub struct Services {
    /// the backend itself
    pub embedded: Arc<Embedded>,
    /// the same, by its contract
    pub store: Arc<dyn Store>,
    /// who is here
    pub directory: Arc<Directory>,
    /// who waits
    pub queue: Arc<Queue>,
    /// new identifiers
    pub ids: Arc<IdSource>,
    /// time
    pub clock: Arc<dyn Clock>,
    /// random bytes
    pub chance: Arc<dyn Chance>,
    /// what signs mail
    pub keys: Arc<Keys>,
    /// the log
    pub events: Arc<dyn Events>,
    /// the last of its warnings and alerts
    pub recent: Arc<Recent>,
    /// what is known of other domains' TLS
    pub tls: Arc<Book>,
    /// where everything is kept
    pub data: PathBuf,
    /// changes of domains, accounts and aliases go one at a time
    pub changing: tokio::sync::Mutex<()>,
    /// set once the doors are open
    pub live: OnceLock<Live>,
}

/// What only a running server has.
pub struct Live {
    /// when it started
    pub started: Monotonic,
    /// its doors and where they listen
    pub doors: Vec<(&'static str, SocketAddr)>,
    /// its connections
    pub gate: Arc<Gate>,
    /// where it logs
    pub log_dir: Option<PathBuf>,
    /// its name
    pub hostname: String,
    /// asks name servers
    pub dns: Arc<dyn Dns>,
    /// delivers to other servers
    pub remote: Arc<Remote>,
    /// what is kept ready of messages
    pub index: Arc<Index>,
    /// reads its settings again
    pub reload: Reload,
}

impl Services {
    /// Opens store and directory.
    pub async fn open(data: &Path, clock: Arc<dyn Clock>, events: Arc<dyn Events>) -> Outcome<Arc<Self>> {
        let recent = Recent::before(events, clock.clone());
        let events: Arc<dyn Events> = recent.clone();
        let options = Options::new(clock.clone(), events.clone());
        let dir = data.to_owned();
        let opened = tokio::task::spawn_blocking(move || Embedded::open(&dir, options)).await;
        let opened = opened
            .map_err(|_| Failure::Disk("the store could not be opened. Look at the log.".to_owned()))?;
        let embedded = opened.map_err(|error| disk(&error))?;
        let store: Arc<dyn Store> = embedded.clone();
        let chance: Arc<dyn Chance> = Arc::new(RealChance::new());
        let ids = Arc::new(IdSource::new(clock.clone(), 0, store.id_floor()));
        let doors = Doors {
            store: store.clone(),
            clock: clock.clone(),
            chance: chance.clone(),
            ids: ids.clone(),
            events: events.clone(),
        };
        let srs = forward_key::provide(data, chance.as_ref())?;
        let directory = Directory::open_keyed(doors, srs)
            .await
            .map_err(|error| disk(&error))?;
        let plan = Arc::new(queue::inbox_plan);
        let queue = Queue::new(store.clone(), clock.clone(), events.clone(), plan);
        let keys = Keys::open(data, directory.clone(), queue.clone(), chance.clone())?;
        let tls = open_book(data, &clock, &events)?;
        Ok(Arc::new(Self {
            tls,
            embedded,
            store,
            directory,
            queue,
            keys,
            ids,
            clock,
            chance,
            events,
            recent,
            data: data.to_owned(),
            changing: tokio::sync::Mutex::new(()),
            live: OnceLock::new(),
        }))
    }

    /// Opens them for one command while no server runs.
    pub async fn open_stopped(data: &Path) -> Outcome<Arc<Self>> {
        let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
        let log = open_log(&LogOptions::files(data.join("log")), &clock)?;
        Self::open(data, clock, log).await
    }
}

/// Opens the log.
pub fn open_log(options: &LogOptions, clock: &Arc<dyn Clock>) -> Outcome<Arc<LogEvents>> {
    LogEvents::open(options, clock.clone()).map_err(|error| {
        let dir = options.dir.as_deref().unwrap_or(Path::new("?")).display();
        Failure::Disk(format!(
            "the log in {dir} cannot be written: {error}. Check the directory's owner and its free space."
        ))
    })
}

/// What is known of other domains' TLS; the settings come when the server has read them.
fn open_book(data: &Path, clock: &Arc<dyn Clock>, events: &Arc<dyn Events>) -> Outcome<Arc<Book>> {
    let failed = |error: String| Failure::Disk(format!("{}: {error}.", data.join("tls").display()));
    let shelf = TlsShelf::open(data).map_err(|error| failed(error.to_string()))?;
    Book::open(
        Arc::new(shelf),
        clock.clone(),
        events.clone(),
        TlsSettings::default(),
    )
    .map_err(failed)
}

/// The store's own words, with the code that says so.
pub fn disk(error: &StoreError) -> Failure {
    match error {
        StoreError::Fatal(text) if text.contains("another process owns") => Failure::Unreachable(format!(
            "{text}. If that process is just starting or stopping, try again in a moment."
        )),
        StoreError::Fatal(text) => Failure::Disk(text.clone()),
        other => Failure::Disk(format!("{other}. Look at the log.")),
    }
}
