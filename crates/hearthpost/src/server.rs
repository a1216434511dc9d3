//! The running server: order of start and stop.
//!
//! 1. [`run`] raises the limit of open files, binds every door, gives up every other right ([`crate::privileges`]), and only
//!    then starts threads: the log and the runtime. Before it, the key went to its keeper ([`crate::keeper`]).
//! 2. [`live`]: store → directory → what the caller prepares (domains, demo users) → queue, mailboxes.
//! 3. [`open_doors`]: one accept loop for each door ([`crate::doors`], what it serves: [`crate::serving`]), the control socket, the jobs
//!    beside them; then the caller is told that every door is open.
//! 4. [`wait`] until SIGTERM or SIGINT, or a door is lost. SIGHUP reads settings and certificate files again ([`Reload`]).
//! 5. [`end`]: listeners close, sessions are told (421, BYE) and have [`crate::limits::DRAIN`] to finish; the rest is cut.
//!    Then the queue's worker ends, the store closes, and the log is written out.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use access::imap::MessageLimit;
use config::Checked;
use deliver::Worker;
use deliver::settings::Road;
use directory::LocalRules;
use guard::Guard;
use index::Index;
use mail::address::Mailbox;
use msgauth::dkim::sign::SigningKey;
use parking_lot::Mutex;
use receive::{DoorKind, Genuine};
use tokio::sync::watch;
use tokio::task::JoinSet;
use world::clock::{BoxFuture, Clock, Monotonic, UnixMs};
use world::dns::Dns;
use world::events::Events;
use world::net::{Listener, TlsServer};
use world_real::confine::{self, Confined, Confinement, Duty, Reach, User};
use world_real::keeper::{Keeper, Pulse};
use world_real::log::{LogEvents, Options as LogOptions};
use world_real::signals::{Signal, Signals};
use world_real::systemd::{Inherited, Notifier};
use world_real::tcp::Bound;
use world_real::tls::{Certificates, Identity, ServerTls};
use world_real::tlsa::KeyHash;
use world_real::unix::BoundControl;

use crate::certificate;
use crate::control;
use crate::control::client::SocketPath;
use crate::dkim;
use crate::doors::{self, Door, Gate};
use crate::events::ProgramEvent;
use crate::exit::{Failure, Outcome};
use crate::limits;
use crate::local_door;
use crate::openings;
use crate::outward::{Outgoing, Outward};
use crate::privileges;
use crate::reload::Reload;
use crate::services::{Live, Services, open_log};
use crate::serving::{Serving, Uses};

/// The kinds of doors the program opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// mail comes in
    Mail(DoorKind),
    /// people read
    Imap,
    /// people read, under TLS from the first byte
    Imaps,
    /// people collect
    Pop3,
    /// people collect, under TLS from the first byte
    Pop3s,
}

impl Kind {
    /// All, in the order they are printed.
    pub const ALL: [Self; 8] = [
        Self::Mail(DoorKind::Mx),
        Self::Mail(DoorKind::Submission),
        Self::Mail(DoorKind::Submissions),
        Self::Mail(DoorKind::Lmtp),
        Self::Imap,
        Self::Imaps,
        Self::Pop3,
        Self::Pop3s,
    ];

    /// Its name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail(kind) => kind.name(),
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
        }
    }
}

/// What a server is to be.
pub struct Plan {
    /// where everything is kept
    pub data: PathBuf,
    /// the log
    pub log: LogOptions,
    /// our name
    pub hostname: String,
    /// each door and where it listens; several ports of the same door are tried in order until one is free when `any_port`
    pub doors: Vec<(Kind, SocketAddr)>,
    /// sockets of the service manager
    pub handed: Vec<Inherited>,
    /// the end of the process that keeps the key, if there is one
    pub keeper: Option<Pulse>,
    /// when an address is taken, take any free port instead
    pub any_port: bool,
    /// our certificate, if there is one
    pub tls: Option<Identity>,
    /// sign-in without TLS, and no pacing: the demo alone
    pub insecure_auth: bool,
    /// per-address limits and pacing are lifted: the demo alone
    pub unpaced: bool,
    /// largest message, in bytes
    pub message_bytes: u64,
    /// messages that one IMAP command takes, if that is limited
    pub message_limit: Option<MessageLimit>,
    /// bare newlines become CRLF instead of a refusal
    pub normalise_newlines: bool,
    /// what is done about mail that is not from whom it says
    pub genuine: Genuine,
    /// keys of the settings that sign
    pub signers: Vec<SigningKey>,
    /// hash of the key of the certificate that comes next
    pub next_tlsa: Option<KeyHash>,
    /// how often keys of ours are changed
    pub rotate_keys: Option<Duration>,
    /// most connections
    pub connections: u64,
    /// how mail leaves
    pub outward: Outward,
    /// where the settings came from; the demo has no file
    pub source: Option<(PathBuf, Checked, Keeper)>,
    /// whom to become once every door is bound; `None` stays
    pub user: Option<User>,
    /// the socket for programs on this machine, if there is to be one
    pub local: Option<PathBuf>,
    /// which users may send there beside root and the server's own, and as whom
    pub local_users: Vec<(u32, Mailbox)>,
}

/// A step of the caller's between opening the directory and opening the doors.
pub type Prepare = Box<dyn FnOnce(Arc<Services>) -> BoxFuture<'static, Outcome<()>> + Send>;
/// Called when every door is open.
pub type Ready = Box<dyn FnOnce(&[(&'static str, SocketAddr)]) -> Outcome<()> + Send>;

/// Runs a server to its end.
pub fn run(mut plan: Plan, clock: Arc<dyn Clock>, prepare: Prepare, ready: Ready) -> Outcome<()> {
    raise_descriptors(descriptors(plan.connections, plan.outward.delivery.connections));
    let bound = openings::open(std::mem::take(&mut plan.handed), &plan.doors, plan.any_port)?;
    let tls = plan.tls.take().map(Tls::new).transpose()?;
    let manager = Notifier::from_env();
    let confined = settle_down(&plan)?;
    let log = open_log(&plan.log, &clock)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores)
        .max_blocking_threads(limits::BLOCKING_THREADS.max(cores))
        .thread_stack_size(limits::STACK_BYTES)
        .thread_name("hearthpost")
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::Disk(format!(
                "the runtime cannot start: {error}. Check the limits of threads and memory."
            ))
        })?;
    let started = Started {
        bound,
        tls,
        manager,
        confined,
    };
    let outcome = runtime.block_on(live(plan, started, clock, log.clone(), prepare, ready));
    runtime.shutdown_timeout(limits::CLOSE);
    log.close();
    outcome
}

/// Takes possession of the directories, then gives up everything else. No thread runs yet.
fn settle_down(plan: &Plan) -> Outcome<Confined> {
    let dirs = [Some(plan.data.as_path()), plan.log.dir.as_deref()];
    let mut reach = Reach::default();
    for dir in dirs.into_iter().flatten() {
        // A log within the data directory is made by the log itself, as the server's own user.
        if dir == plan.data || !dir.starts_with(&plan.data) {
            privileges::own(dir, plan.user.as_ref())?;
        }
        reach.write.push(dir.to_owned());
    }
    if let Some(dir) = plan.local.as_deref().and_then(Path::parent)
        && dir != plan.data
    {
        privileges::open_to_all(dir, plan.user.as_ref())?;
        reach.write.push(dir.to_owned());
    }
    privileges::give_up(&Confinement {
        user: plan.user.clone(),
        reach,
        duty: Duty::Serve,
    })
}

/// Makes the data directory for its owner alone, before the log makes it for everybody, and its entry durable. An existing
/// one is left as it is.
pub fn make_private(dir: &Path) -> Outcome<()> {
    make_private_unsynced(dir)?;
    // The store syncs it too, where it may still open the directory above.
    if let Some(above) = dir.parent().and_then(|above| std::fs::File::open(above).ok()) {
        let _ = above.sync_all();
    }
    Ok(())
}

/// [`make_private`] for who knows that it comes before anything in the directory has to last: [`run`] does it at its start.
pub fn make_private_unsynced(dir: &Path) -> Outcome<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| {
        let next = match error.kind() {
            std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotADirectory => {
                "A file is in its place: name another directory."
            }
            _ => "Check who owns the one above it.",
        };
        Failure::Disk(format!(
            "the directory {} cannot be made: {error}. {next}",
            dir.display()
        ))
    })
}

/// File descriptors wanted: for connections in, for those out (slow ones come on top of `out`), and the rest.
fn descriptors(connections: u64, out: usize) -> u64 {
    let out = (out as u64).saturating_mul(1 + u64::from(deliver::limits::SLOW_SHARE));
    connections
        .saturating_add(out)
        .saturating_add(limits::OTHER_DESCRIPTORS)
}

/// The soft limit of open files follows the hard one, as far as it is needed.
fn raise_descriptors(wanted: u64) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut now = getrlimit(Resource::Nofile);
    if now.current.is_some_and(|current| current < wanted) {
        now.current = Some(now.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        let _ = setrlimit(Resource::Nofile, now); // with fewer, the accept loops pause when they are used up
    }
}

/// The certificate in use.
pub struct Tls {
    certificates: Arc<Certificates>,
    served: Mutex<Served>,
}

/// What is told of it.
#[derive(Debug, Clone)]
struct Served {
    until: Option<UnixMs>,
    key: Option<KeyHash>,
    chain: Arc<[Vec<u8>]>,
}

impl Served {
    fn of(identity: &Identity) -> Self {
        Self {
            until: identity.not_after(),
            key: identity.key_hash(),
            chain: identity.chain().into(),
        }
    }
}

impl Tls {
    fn new(identity: Identity) -> Outcome<Self> {
        let served = Mutex::new(Served::of(&identity));
        let certificates =
            Certificates::new(vec![identity]).map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Self { certificates, served })
    }

    /// New handshakes use this one.
    pub fn put(&self, identity: Identity) {
        let served = Served::of(&identity);
        self.certificates.put(identity);
        *self.served.lock() = served;
    }

    /// When the certificate in use ends.
    pub fn until(&self) -> Option<UnixMs> {
        self.served.lock().until
    }

    /// The hash of its key.
    pub fn key(&self) -> Option<KeyHash> {
        self.served.lock().key
    }

    /// What is shown to clients: certificates in DER, our own first.
    pub fn chain(&self) -> Arc<[Vec<u8>]> {
        self.served.lock().chain.clone()
    }

    /// Serves it to those who speak `protocol`, by its name in ALPN.
    pub fn server(&self, protocol: &str) -> Outcome<Arc<dyn TlsServer>> {
        let server = ServerTls::new(self.certificates.clone(), &[protocol]);
        Ok(Arc::new(
            server.map_err(|error| Failure::Usage(error.to_string()))?,
        ))
    }
}

/// What was made before the first thread.
struct Started {
    bound: Vec<(Kind, Bound)>,
    tls: Option<Tls>,
    manager: Notifier,
    confined: Confined,
}

async fn live(
    plan: Plan,
    started: Started,
    clock: Arc<dyn Clock>,
    log: Arc<LogEvents>,
    prepare: Prepare,
    ready: Ready,
) -> Outcome<()> {
    let signals =
        Signals::install().map_err(|error| Failure::Disk(format!("signals cannot be received: {error}.")))?;
    let events: Arc<dyn Events> = log;
    let services = Services::open(&plan.data, clock, events).await?;
    report_panics(services.events.clone());
    prepare(services.clone()).await?;
    let (stopping, stop) = watch::channel(false);
    let mut running = open_doors(plan, started.bound, started.tls, &services, stop).await?;
    services
        .events
        .emit(&ProgramEvent::confined(&started.confined, &confine::seal()));
    let doors = services
        .live
        .get()
        .map(|live| live.doors.clone())
        .unwrap_or_default();
    ready(&doors)?;
    started.manager.ready();
    let lost = wait(signals, &services, &mut running, &started.manager).await;
    if let Some(event) = &lost {
        services.events.emit(event);
    }
    started.manager.stopping();
    end(&services, stopping, running).await;
    lost.map_or(Ok(()), |event| {
        Err(Failure::Disk(world::events::Event::sentence(&event)))
    })
}

/// Panics of tasks are counted where the task ends; here their place goes to the log, and a broken store stops everything.
fn report_panics(events: Arc<dyn Events>) {
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        events.emit(&ProgramEvent::PanicPlace {
            thread: thread.clone(),
            message: panic.to_string(),
        });
        if thread == "store-write" || store::embedded::is_writing_here() {
            abort_for_the_store();
        }
    }));
}

/// The store's writer panics only when an invariant of the data is broken: nothing more may be written.
#[expect(
    clippy::disallowed_methods,
    reason = "a broken store invariant stops the process before the next write"
)]
fn abort_for_the_store() {
    std::process::abort()
}

/// Ends with the keeper, or when the server stops.
async fn until_lost(pulse: Pulse, mut stop: watch::Receiver<bool>) -> Result<(), ProgramEvent> {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => Ok(()),
        lost = pulse.lost() => {
            let reason = lost.err().map_or_else(|| "it ended".to_owned(), |error| error.to_string());
            Err(ProgramEvent::KeeperLost { reason })
        }
    }
}

async fn open_doors(
    mut plan: Plan,
    bound: Vec<(Kind, Bound)>,
    tls: Option<Tls>,
    services: &Arc<Services>,
    stop: watch::Receiver<bool>,
) -> Outcome<Running> {
    let parts = Parts::make(&plan, tls.as_ref(), services, &stop)?;
    let mut running = Running::new(parts.gate.clone(), stop);
    let doors = running.open_doors(bound, &parts.serving, services)?;
    running.watch(plan.keeper.take());
    running.open_local_door(&plan, &parts.serving, services)?;
    running.open_control_door(&plan.data, services)?;
    let signers = std::mem::take(&mut plan.signers);
    services.keys.follow(signers, plan.rotate_keys).await;
    // Where no road leads out, nobody is asked either.
    let is_open = matches!(plan.outward.delivery.road, Road::Open);
    let asks = is_open.then(|| parts.outgoing.dns());
    running.start_jobs(&parts, services, asks.clone());
    let started = services.clock.monotonic();
    let live = Live {
        started,
        doors,
        gate: parts.gate,
        log_dir: plan.log.dir,
        hostname: plan.hostname,
        dns: parts.outgoing.dns(),
        remote: parts.outgoing.remote().clone(),
        index: parts.index,
        reload: Reload::new(plan.source, (tls, plan.next_tlsa), parts.serving, parts.outgoing),
    };
    assert!(services.live.set(live).is_ok(), "doors open once");
    running.watch_certificate(services, asks);
    let duration_ms = u64::try_from(started.0.as_millis())
        .unwrap_or(u64::MAX)
        .saturating_sub(1000);
    services.events.emit(&ProgramEvent::Started {
        version: env!("CARGO_PKG_VERSION"),
        duration_ms,
    });
    Ok(running)
}

/// What the doors and the jobs beside them share.
struct Parts {
    outgoing: Arc<Outgoing>,
    index: Arc<Index>,
    gate: Arc<Gate>,
    serving: Arc<Serving>,
}

impl Parts {
    fn make(
        plan: &Plan,
        tls: Option<&Tls>,
        services: &Arc<Services>,
        stop: &watch::Receiver<bool>,
    ) -> Outcome<Self> {
        let outgoing = Outgoing::open(&plan.outward, services, &services.queue)?;
        let limits = guard::Settings {
            places: plan.connections,
            lifted: plan.unpaced,
        };
        let guard = Guard::new(limits, services.clock.clone(), services.events.clone());
        let index = open_index(plan, services)?;
        let uses = Uses {
            guard: &guard,
            index: &index,
            dns: outgoing.dns(),
        };
        let serving = Arc::new(Serving::new(plan, tls, services, uses, stop)?);
        let gate = Gate::new(guard, services.events.clone(), services.clock.clone());
        Ok(Self {
            outgoing,
            index,
            gate,
            serving,
        })
    }
}

/// What runs, until it is told to stop.
struct Running {
    doors: JoinSet<Result<(), ProgramEvent>>,
    jobs: JoinSet<()>,
    gate: Arc<Gate>,
    stop: watch::Receiver<bool>,
}

impl Running {
    fn new(gate: Arc<Gate>, stop: watch::Receiver<bool>) -> Self {
        Self {
            doors: JoinSet::new(),
            jobs: JoinSet::new(),
            gate,
            stop,
        }
    }

    /// Listens at every door, and says where.
    fn open_doors(
        &mut self,
        bound: Vec<(Kind, Bound)>,
        serving: &Serving,
        services: &Services,
    ) -> Outcome<Vec<(&'static str, SocketAddr)>> {
        let mut open = Vec::with_capacity(bound.len());
        for (kind, bound) in bound {
            open.push(self.open_door(kind, bound, serving.door(kind), services)?);
        }
        Ok(open)
    }

    fn open_door(
        &mut self,
        kind: Kind,
        bound: Bound,
        door: Door,
        services: &Services,
    ) -> Outcome<(&'static str, SocketAddr)> {
        let listener = bound
            .listen()
            .map_err(|error| Failure::Disk(format!("the door {}: {error}.", kind.name())))?;
        let address = listener.local_addr();
        services.events.emit(&ProgramEvent::DoorOpen {
            door: kind.name(),
            address,
        });
        let (gate, stop) = (self.gate.clone(), self.stop.clone());
        self.doors.spawn(doors::run(door, Box::new(listener), gate, stop));
        Ok((kind.name(), address))
    }

    /// Without its keeper a server ends.
    fn watch(&mut self, keeper: Option<Pulse>) {
        if let Some(pulse) = keeper {
            self.doors.spawn(until_lost(pulse, self.stop.clone()));
        }
    }

    /// For programs on this machine, if there is to be a door for them.
    fn open_local_door(&mut self, plan: &Plan, serving: &Serving, services: &Services) -> Outcome<()> {
        let Some(socket) = &plan.local else { return Ok(()) };
        let local = local_door::LocalDoor {
            rules: local_rules(plan),
            directory: services.directory.clone(),
            serve: serving.local(),
            gate: self.gate.clone(),
            clock: services.clock.clone(),
        };
        let listener = local_door::bind(socket).map_err(|error| {
            Failure::Disk(format!(
                "the socket for local programs {} cannot be made: {error}. Check doors.local.",
                socket.display()
            ))
        })?;
        self.jobs
            .spawn(local_door::run(local, listener, self.stop.clone()));
        Ok(())
    }

    /// For the command line. Its socket goes with it.
    fn open_control_door(&mut self, data: &Path, services: &Arc<Services>) -> Outcome<()> {
        let opened = SocketPath::of(data).and_then(|socket| {
            let door = BoundControl::bind(&socket.path)?.listen()?;
            Ok((door, socket))
        });
        let (control, socket) = opened.map_err(|error| {
            Failure::Disk(format!(
                "the control socket in {} cannot be made: {error}.",
                data.display()
            ))
        })?;
        let (services, stop) = (services.clone(), self.stop.clone());
        self.jobs.spawn(async move {
            control::server::run(control, services, stop).await;
            drop(socket);
        });
        Ok(())
    }

    /// What goes on beside the doors: the index, the keys that sign, and delivery.
    fn start_jobs(&mut self, parts: &Parts, services: &Arc<Services>, asks: Option<Arc<dyn Dns>>) {
        let stop = &self.stop;
        self.jobs.spawn(parts.index.clone().run(stop.clone()));
        self.jobs
            .spawn(dkim::watch(services.keys.clone(), asks, stop.clone()));
        self.jobs.spawn(parts.outgoing.start(stop.clone()));
        self.jobs.spawn(parts.outgoing.remember(stop.clone()));
        let worker = Worker {
            queue: services.queue.clone(),
            directory: services.directory.clone(),
            reports: Some(parts.outgoing.remote().clone()),
        };
        self.jobs.spawn(deliver::run(worker, stop.clone()));
    }

    /// Tells in time when the certificate ends, and when DNS says something else of it, where DNS may be asked.
    fn watch_certificate(&mut self, services: &Arc<Services>, asks: Option<Arc<dyn Dns>>) {
        self.jobs
            .spawn(certificate::watch(services.clone(), asks, self.stop.clone()));
    }
}

/// What can be computed again: the doors need not wait for its file. One that is not there or damaged is made anew while the server serves.
fn open_index(plan: &Plan, services: &Services) -> Outcome<Arc<Index>> {
    let doors = index::Doors {
        store: services.store.clone(),
        clock: services.clock.clone(),
        events: services.events.clone(),
        describe: Arc::new(access::imap::Ahead),
    };
    Index::open_beside(&plan.data, doors)
        .map_err(|error| Failure::Disk(format!("the index cannot start its thread: {error}.")))
}

/// Root and the server's own user may send as any address of ours.
fn local_rules(plan: &Plan) -> LocalRules {
    let root = 0;
    LocalRules {
        trusted: vec![root, rustix::process::geteuid().as_raw()],
        users: plan.local_users.clone(),
        host_name: plan.hostname.clone(),
    }
}

/// Waits for the end; returns the door that was lost, if one was.
async fn wait(
    mut signals: Signals,
    services: &Services,
    running: &mut Running,
    manager: &Notifier,
) -> Option<ProgramEvent> {
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Stop => return None,
                Signal::Reload => {
                    manager.reloading();
                    reload(services).await;
                    manager.ready();
                }
            },
            Some(ended) = running.doors.join_next() => {
                let reason = match ended {
                    Ok(Ok(())) => continue,
                    Ok(Err(event)) => return Some(event),
                    Err(error) => error.to_string(),
                };
                return Some(ProgramEvent::DoorLost { door: "unknown", reason });
            },
            Some(ended) = running.jobs.join_next() => running.gate.ended("job", ended),
        }
    }
}

async fn reload(services: &Services) {
    if let Some(live) = services.live.get() {
        drop(live.reload.run(services).await); // the log tells how it went
    }
}

async fn end(services: &Services, stopping: watch::Sender<bool>, mut running: Running) {
    let began = services.clock.monotonic();
    services.events.emit(&ProgramEvent::Stopping {
        connections: running.gate.open(),
    });
    stopping.send_replace(true);
    while running.doors.join_next().await.is_some() {}
    let late = services
        .clock
        .sleep_until(after(began, limits::DRAIN + limits::CLOSE / 2));
    tokio::select! {
        () = late => {}
        () = async { while running.jobs.join_next().await.is_some() {} } => {}
    }
    let embedded = services.embedded.clone();
    let closed = tokio::task::spawn_blocking(move || embedded.close()).await;
    running.gate.ended("store", closed);
    let took = services.clock.monotonic().0.saturating_sub(began.0);
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    services.events.emit(&ProgramEvent::Stopped {
        cut: running.gate.cut(),
        duration_ms,
    });
}

fn after(moment: Monotonic, wait: Duration) -> Monotonic {
    Monotonic(moment.0 + wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_11_connections_to_slow_servers_take_no_descriptors_from_the_store() {
        assert_eq!(descriptors(1000, 100), 1000 + 400 + limits::OTHER_DESCRIPTORS);
        assert_eq!(descriptors(u64::MAX, usize::MAX), u64::MAX);
    }
}
