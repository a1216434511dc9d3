//! A small house for session tests: a real store in a temporary directory, a directory with a few people, simulated wires
//! and time.

#![allow(dead_code)] // every test file uses its part

use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use directory::admin::AliasSpec;
use directory::{AccountSpec, Credential, Directory, DomainSettings, Doors, Password};
use mail::ids::AccountId;
use queue::{Plan, Queue};
use receive::{Context, Door, DoorKind, DoorSettings, serve_connection};
use store::contract::{Store, WaitingRow};
use store::embedded::{Embedded, Options};
use testkit::chance::SeededChance;
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
use testkit::net::{SimWire, wire_pair, wire_pair_in_pieces};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use world::clock::BoxFuture;
use world::ids::IdSource;
use world::net::{BoxWire, Peer, TlsFacts, TlsServer, TlsVersion};

pub const PASSWORD: &str = "correct horse battery";

/// Everything a test needs.
pub struct House {
    pub context: Arc<Context>,
    pub store: Arc<Embedded>,
    pub directory: Arc<Directory>,
    pub clock: SimClock,
    pub events: Arc<CollectEvents>,
    pub stop: watch::Sender<bool>,
    dir: tempfile::TempDir,
}

impl House {
    /// `example.test` with alice, bob, the disabled carol, the full dave (quota 1), and the alias `team` of alice and bob.
    pub async fn new() -> Self {
        Self::with_plan(Arc::new(queue::inbox_plan)).await
    }

    /// Counts what comes from each address, as a server on the Internet does.
    pub async fn guarded() -> Self {
        Self::build(Arc::new(queue::inbox_plan), false).await
    }

    pub async fn with_plan(plan: Arc<Plan>) -> Self {
        Self::build(plan, true).await
    }

    async fn build(plan: Arc<Plan>, lifted: bool) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let clock = SimClock::new();
        let events = Arc::new(CollectEvents::new());
        let options = Options {
            upkeep: false,
            reserve_bytes: 0,
            ..Options::new(clock.door(), events.clone())
        };
        let store = Embedded::open(dir.path(), options).expect("the store opens");
        let ids = Arc::new(IdSource::new(clock.door(), 1, store.id_floor()));
        let chance = Arc::new(SeededChance::new(7));
        let directory = Directory::open(Doors {
            store: store.clone(),
            clock: clock.door(),
            chance: chance.clone(),
            ids: ids.clone(),
            events: events.clone(),
        })
        .await
        .expect("the directory opens");
        people(&directory).await;
        let (stop, shutdown) = watch::channel(false);
        let queue = Queue::new(store.clone(), clock.door(), events.clone(), plan);
        let settings = guard::Settings { places: 1000, lifted };
        let context = Arc::new(Context {
            guard: guard::Guard::new(settings, clock.door(), events.clone()),
            queue,
            directory: directory.clone(),
            chance,
            dns: None,
            examining: Arc::new(receive::Examinations::new(clock.door())),
            ids,
            shutdown,
        });
        Self {
            context,
            store,
            directory,
            clock,
            events,
            stop,
            dir,
        }
    }

    pub fn door(kind: DoorKind) -> Door {
        let settings = DoorSettings {
            max_message_bytes: 1 << 20,
            ..DoorSettings::new("mx.example.test")
        };
        Door::new(kind, Some(Arc::new(PretendTls)), settings)
    }

    /// Connects; the banner is not read yet.
    pub fn connect(&self, kind: DoorKind) -> Client {
        self.connect_to(Self::door(kind), wire_pair())
    }

    /// The same over a wire that delivers in random pieces.
    pub fn connect_in_pieces(&self, kind: DoorKind, seed: u64) -> Client {
        self.connect_to(Self::door(kind), wire_pair_in_pieces(seed))
    }

    pub fn connect_to(&self, door: Door, (ours, theirs): (SimWire, SimWire)) -> Client {
        let peer = Peer {
            addr: "192.0.2.77:50000".parse().expect("an address"),
            local: "192.0.2.1:25".parse().expect("an address"),
        };
        let served = serve_connection(self.context.clone(), door, Box::new(theirs), peer);
        Client {
            wire: ours,
            input: Vec::new(),
            served: tokio::spawn(served),
        }
    }

    /// Connects, greets and signs in as `user`.
    pub async fn submitter(&self, user: &str) -> Client {
        let mut client = self.connect(DoorKind::Submissions);
        client.sign_in(user).await;
        client
    }

    /// The bodies in an INBOX, with the prefix each has.
    pub async fn inbox(&self, address: &str) -> Vec<Vec<u8>> {
        self.mailbox(address, "INBOX").await
    }

    /// The same of a mailbox at the top; of one that is missing nothing.
    pub async fn mailbox(&self, address: &str, name: &str) -> Vec<Vec<u8>> {
        let account: AccountId = self
            .directory
            .account(address)
            .expect("an account")
            .id
            .parse()
            .expect("an id");
        let mailboxes = self.store.mailboxes(account).await.expect("mailboxes");
        let Some(mailbox) = mailboxes.iter().find(|mailbox| mailbox.name == name) else {
            return Vec::new();
        };
        let placements = self.store.placements(mailbox.id, 0).await.expect("placements");
        let ids = placements.iter().map(|placement| placement.message).collect();
        let mut messages = Vec::new();
        for row in self.store.messages(ids).await.expect("messages") {
            let body = self.store.read_body(row.blob, 0, 1 << 20).await.expect("a body");
            messages.push([&row.prefix[..], &body[..]].concat());
        }
        messages
    }

    /// Who waits in the queue.
    pub async fn waiting(&self) -> Vec<WaitingRow> {
        self.store.waiting(None).await.expect("the queue")
    }
}

async fn people(directory: &Directory) {
    directory
        .add_domain("example.test", DomainSettings::default())
        .await
        .expect("a domain");
    let verifier = directory
        .verifier(&Password::new(PASSWORD))
        .await
        .expect("a verifier");
    for (name, quota_bytes) in [("alice", 0), ("bob", 0), ("carol", 0), ("dave", 1)] {
        let spec = AccountSpec {
            address: format!("{name}@example.test"),
            credential: Credential::Verifier(verifier.clone()),
            quota_bytes,
            name: None,
        };
        directory.add_account(spec).await.expect("an account");
    }
    let disable = directory::admin::AccountChange {
        enabled: Some(false),
        ..Default::default()
    };
    directory
        .set_account("carol@example.test", disable)
        .await
        .expect("carol");
    let targets = vec!["alice@example.test".to_owned(), "bob@example.test".to_owned()];
    directory
        .add_alias(AliasSpec {
            address: "team@example.test".to_owned(),
            targets,
        })
        .await
        .expect("an alias");
}

/// TLS that only pretends: the handshake is one line each way, `HELLO` and `DONE`, then the wire goes on as it is.
pub struct PretendTls;

impl TlsServer for PretendTls {
    fn accept(&self, mut wire: BoxWire) -> BoxFuture<'_, io::Result<(BoxWire, TlsFacts)>> {
        Box::pin(async move {
            let mut hello = [0; 7];
            wire.read_exact(&mut hello).await?;
            if &hello != b"HELLO\r\n" {
                return Err(io::Error::other("no handshake"));
            }
            wire.write_all(b"DONE\r\n").await?;
            let facts = TlsFacts {
                version: TlsVersion::Tls13,
                cipher: "TLS13_AES_256_GCM_SHA384",
                sni: None,
                alpn: None,
                resumed: false,
            };
            Ok((wire, facts))
        })
    }
}

/// The other end of a session.
pub struct Client {
    wire: SimWire,
    input: Vec<u8>,
    served: JoinHandle<()>,
}

impl Client {
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.wire
            .write_all(bytes.as_ref())
            .await
            .expect("the server takes it");
    }

    /// Sends and does not care whether the server still listens.
    pub async fn shout(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.wire.write_all(bytes.as_ref()).await;
    }

    /// The next line; `None` at the end.
    pub async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.input.drain(..end + 2).collect::<Vec<u8>>();
                return Some(String::from_utf8(line[..end].to_vec()).expect("replies are ASCII"));
            }
            let mut chunk = [0; 4096];
            match self.wire.read(&mut chunk).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// A whole reply, its lines joined with `|`; empty at the end.
    pub async fn reply(&mut self) -> String {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            let last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if last {
                break;
            }
        }
        lines.join("|")
    }

    /// Reads a reply that must begin so.
    pub async fn expect(&mut self, start: &str) -> String {
        let reply = self.reply().await;
        assert!(reply.starts_with(start), "wanted {start:?}, got {reply:?}");
        reply
    }

    /// Sends a line and reads a reply that must begin so.
    pub async fn ask(&mut self, line: &str, start: &str) -> String {
        self.say(format!("{line}\r\n")).await;
        let reply = self.reply().await;
        assert!(
            reply.starts_with(start),
            "{line:?}: wanted {start:?}, got {reply:?}"
        );
        reply
    }

    /// TLS, the greeting and AUTH, on 465.
    pub async fn sign_in(&mut self, user: &str) {
        self.handshake().await;
        self.expect("220").await;
        self.ask("EHLO laptop.home.example", "250").await;
        let plain = STANDARD.encode(format!("\0{user}\0{PASSWORD}"));
        self.ask(&format!("AUTH PLAIN {plain}"), "235 2.7.0").await;
    }

    /// The pretended handshake.
    pub async fn handshake(&mut self) {
        self.say("HELLO\r\n").await;
        assert_eq!(self.line().await.as_deref(), Some("DONE"));
    }

    /// A message through DATA, with its dots stuffed; the reply must begin so.
    pub async fn data(&mut self, message: &str, start: &str) -> String {
        self.ask("DATA", "354").await;
        let stuffed = message.replace("\r\n.", "\r\n..");
        self.say(stuffed).await;
        self.say(".\r\n").await;
        self.expect(start).await
    }

    /// Everything until the server ends.
    pub async fn rest(&mut self) -> String {
        let mut rest = std::mem::take(&mut self.input);
        let mut chunk = [0; 4096];
        while let Ok(count) = self.wire.read(&mut chunk).await {
            if count == 0 {
                break;
            }
            rest.extend_from_slice(&chunk[..count]);
        }
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Ends our side and waits for the server's task.
    pub async fn hang_up(self) {
        drop(self.wire);
        self.served.await.expect("no panic");
    }

    /// Waits for the server's task, which must end by itself.
    pub async fn served(self) {
        let Self { wire, served, .. } = self;
        served.await.expect("no panic");
        drop(wire);
    }
}
