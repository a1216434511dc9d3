//! A whole server's inside on a simulated network: real store, simulated time, names, wires and TLS.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod peer;
pub mod trap;

use std::sync::Arc;
use std::time::Duration;

use deliver::Settings;
use deliver::remote::{self, Doors as RemoteDoors, Remote};
use directory::{AccountSpec, Credential, Directory, DomainSettings, Doors};
use mail::address::{Mailbox, Path, Utf8};
use mail::ids::QueueId;
use msgauth::tls::attempt::TlsAttempt;
use msgauth::tls::{DomainPolicies, OfDomain};
use queue::accept::Prepared;
use queue::attempt::AttemptText;
use queue::params::{EnvelopeParams, RecipientParams};
use queue::{Envelope, Generated, Message, Queue, RelayGrant};
use store::contract::{Batch, Op, Store};
use store::embedded::{Embedded, Options};
use testkit::chance::SeededChance;
use testkit::clock::SimClock;
use testkit::dns::SimDns;
use testkit::events::CollectEvents;
use testkit::net::SimNetwork;
use testkit::tls::SimTlsClient;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use trap::Trap;
use world::clock::{BoxFuture, Clock, UnixMs};
use world::ids::IdSource;

/// Where `there.test` takes its mail.
pub const MX: &str = "192.0.2.25:25";
/// The zone most tests live in.
pub const ZONE: &str = "
there.test MX 10 mx.there.test
mx.there.test A 192.0.2.25
two.test MX 10 one.two.test
two.test MX 20 other.two.test
one.two.test A 192.0.2.31
other.two.test A 192.0.2.32
relay.test A 192.0.2.40
";
pub const BODY: &[u8] = b"From: alice@home.test\r\nSubject: hello\r\n\r\n.a line with a dot\r\nbody\r\n";

/// How often others get their turn at one moment.
const TURNS: usize = 4;

pub struct House {
    pub store: Arc<Embedded>,
    pub directory: Arc<Directory>,
    pub queue: Arc<Queue>,
    pub ids: Arc<IdSource>,
    pub clock: SimClock,
    pub events: Arc<CollectEvents>,
    pub network: Arc<SimNetwork>,
    pub trap: Arc<Trap>,
    pub dns: Arc<SimDns>,
    pub tls: Arc<SimTlsClient>,
    pub policies: Arc<Told>,
    pub remote: Arc<Remote>,
    pub settings: watch::Sender<Arc<Settings>>,
    pub stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
    dir: tempfile::TempDir,
}

/// Policies as a test tells them, and what was told of attempts.
#[derive(Default)]
pub struct Told {
    pub of: parking_lot::Mutex<OfDomain>,
    pub attempts: parking_lot::Mutex<Vec<TlsAttempt>>,
}

impl DomainPolicies for Told {
    fn of<'a>(&'a self, _: &'a str, hosts: &'a [String]) -> BoxFuture<'a, Vec<OfDomain>> {
        Box::pin(async move { vec![self.of.lock().clone(); hosts.len()] })
    }

    fn attempted(&self, attempt: &TlsAttempt) {
        self.attempts.lock().push(attempt.clone());
    }
}

impl House {
    /// `home.test` with alice and a postmaster.
    pub async fn new() -> Self {
        Self::with(Settings::new("mail.home.test")).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::at(settings, tempfile::tempdir().expect("a temporary directory")).await
    }

    /// With its store in `dir`.
    pub async fn at(settings: Settings, dir: tempfile::TempDir) -> Self {
        let clock = SimClock::new();
        let events = Arc::new(CollectEvents::new());
        let options = Options {
            upkeep: false,
            reserve_bytes: 0,
            ..Options::new(clock.door(), events.clone())
        };
        let store = Embedded::open(dir.path(), options).expect("the store opens");
        let ids = Arc::new(IdSource::new(clock.door(), 1, store.id_floor()));
        let chance = Arc::new(SeededChance::new(1));
        let directory = Directory::open(Doors {
            store: store.clone(),
            clock: clock.door(),
            chance: chance.clone(),
            ids: ids.clone(),
            events: events.clone(),
        });
        let directory = directory.await.expect("the directory opens");
        let queue = Queue::new(
            store.clone(),
            clock.door(),
            events.clone(),
            Arc::new(queue::inbox_plan),
        );
        let network = Arc::new(SimNetwork::new());
        let trap = Trap::around(network.clone());
        let dns = Arc::new(SimDns::new(clock.door(), ZONE).expect("a zone"));
        let tls = SimTlsClient::new();
        let policies = Arc::new(Told::default());
        queue.set_routes(remote::route::names(Arc::new(settings.clone())));
        let (settings, followed) = watch::channel(Arc::new(settings));
        let remote = Remote::new(RemoteDoors {
            queue: queue.clone(),
            directory: directory.clone(),
            ids: ids.clone(),
            chance,
            dns: dns.clone(),
            network: trap.clone(),
            tls: tls.clone(),
            policies: policies.clone(),
            settings: followed,
        });
        let (stop, stopped) = watch::channel(false);
        let house = Self {
            store,
            directory,
            queue,
            ids,
            clock,
            events,
            network,
            trap,
            dns,
            tls,
            policies,
            remote,
            settings,
            stop,
            stopped,
            dir,
        };
        house.people().await;
        house
    }

    async fn people(&self) {
        let domain = self.directory.add_domain("home.test", DomainSettings::default());
        domain.await.expect("a domain");
        for name in ["alice", "postmaster"] {
            let spec = AccountSpec {
                address: format!("{name}@home.test"),
                credential: Credential::None,
                quota_bytes: 0,
                name: None,
            };
            self.directory.add_account(spec).await.expect("an account");
        }
    }

    /// Delivery begins.
    pub fn start(&self) -> JoinHandle<()> {
        tokio::spawn(remote::run(self.remote.clone(), self.stopped.clone()))
    }

    /// A message from alice to these.
    pub async fn send(&self, to: &[&str]) -> QueueId {
        self.send_as("alice@home.test", to).await
    }

    /// A message from somebody (empty: nobody) to these.
    pub async fn send_as(&self, from: &str, to: &[&str]) -> QueueId {
        let params = RecipientParams::default();
        self.send_with(from, to, (EnvelopeParams::default(), params), BODY)
            .await
    }

    pub async fn send_with(
        &self,
        from: &str,
        to: &[&str],
        params: (EnvelopeParams, RecipientParams),
        text: &[u8],
    ) -> QueueId {
        let prepared = self.prepare(from, to, params, text).await;
        let id = prepared.queue_id();
        drop(
            self.store
                .commit(Batch::urgent(prepared.op()))
                .await
                .expect("accepted"),
        );
        prepared.committed(&self.queue);
        id
    }

    /// What [`House::send_with`] commits.
    pub async fn prepare(
        &self,
        from: &str,
        to: &[&str],
        (envelope_params, params): (EnvelopeParams, RecipientParams),
        text: &[u8],
    ) -> Prepared {
        let generated = Generated { maker: "test" };
        let from = Mailbox::parse(from, Utf8::Allowed).map_or(Path::Null, Path::Mailbox);
        let id = self.ids.next();
        let mut envelope = Envelope::new(id, from, self.clock.now(), generated).with_params(envelope_params);
        for to in to {
            let to = Mailbox::parse(to, Utf8::Allowed).expect("an address");
            envelope.add_remote(to, params.clone(), &RelayGrant::for_generated(&generated));
        }
        let mut stage = self.store.stage(self.ids.next());
        stage.write(text).await.expect("it takes it");
        let message = Message {
            body: stage.finish().await.expect("a body"),
            header: &text[..mail::header::body_start(text)],
            received: b"Received: by mail.home.test\r\n",
        };
        queue::accept::prepare(&self.queue, &envelope, message)
    }

    /// Lets everybody work until `done`, in steps of time.
    pub async fn until(&self, step: Duration, done: impl AsyncFn(&Self) -> bool) {
        for _ in 0..20_000 {
            if done(self).await {
                return;
            }
            self.clock.advance(step).await;
            for _ in 0..TURNS {
                self.let_the_store_work().await;
                self.clock.advance(Duration::ZERO).await;
            }
        }
        panic!(
            "it never comes: {:?} {:?}",
            self.waiting().await,
            self.events.all()
        );
    }

    /// Reads and commits happen on the store's own threads: whatever was asked of it before this is done after it.
    async fn let_the_store_work(&self) {
        let text = "{}".to_owned();
        let done = self.store.commit(Batch::urgent(Op::Audit { text })).await;
        // A full disk may take nothing; what was asked before was answered all the same.
        drop(done);
        let _ = self.store.next_deadline().await.expect("the store answers");
    }

    /// Until nobody waits.
    pub async fn until_empty(&self) {
        self.until(Duration::from_millis(10), async |house| {
            house.waiting().await.is_empty()
        })
        .await;
    }

    /// Until everybody who waits was tried so often.
    pub async fn until_tried(&self, attempts: u32) {
        self.until(Duration::from_millis(10), async |house| {
            let rows = house.store.waiting(None).await.expect("the queue");
            !rows.is_empty() && rows.iter().all(|row| row.attempts >= attempts)
        })
        .await;
    }

    /// Address, attempts and reason of everybody who waits.
    pub async fn waiting(&self) -> Vec<(String, u32, String)> {
        let rows = self.store.waiting(None).await.expect("the queue");
        rows.into_iter()
            .map(|row| (row.address, row.attempts, row.reason))
            .collect()
    }

    /// What a person has in the INBOX.
    pub async fn inbox(&self, of: &str) -> Vec<String> {
        let account = self
            .directory
            .account(of)
            .expect("an account")
            .id
            .parse()
            .expect("an id");
        let inbox = self.store.mailboxes(account).await.expect("mailboxes")[0].id;
        let placed = self.store.placements(inbox, 0).await.expect("placements");
        let ids = placed.iter().map(|row| row.message).collect();
        let mut texts = Vec::new();
        for message in self.store.messages(ids).await.expect("messages") {
            let body = self
                .store
                .read_body(message.blob, 0, 1 << 20)
                .await
                .expect("a body");
            texts.push(String::from_utf8_lossy(&body).into_owned());
        }
        texts
    }

    /// Wall time.
    pub fn now(&self) -> UnixMs {
        self.clock.now()
    }

    /// Seconds since the start.
    pub fn clock_seconds(&self) -> u64 {
        self.clock.monotonic().0.as_secs()
    }

    /// Minutes since the start.
    pub fn clock_minutes(&self) -> u64 {
        self.clock_seconds() / 60
    }

    /// Hours since the start.
    pub fn clock_hours(&self) -> u64 {
        self.clock.monotonic().0.as_secs() / 3600
    }

    /// The attempts of a message, in order of recipients and time.
    pub async fn attempts(&self, id: QueueId) -> Vec<AttemptText> {
        let rows = self.store.attempts(id, None).await.expect("attempts");
        rows.iter().map(|row| AttemptText::read(&row.text)).collect()
    }
}
