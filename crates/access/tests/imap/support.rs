//! A server with two people, and a client that checks what it reads.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use access::imap::{Context, Security, Terms, serve_connection};
use directory::admin::{AccountSpec, Credential};
use directory::{Directory, DomainSettings, Doors, Password};
use imap_codec::decode::Decoder;
use imap_codec::{GreetingCodec, ResponseCodec};
use mail::ids::{BlobId, QueueId};
use mailbox::Mailboxes;
use store::contract::{Accept, Batch, Delivery, Op, Store, Target};
use store::embedded::{Embedded, Options};
use store::flags::Flags;
use tempfile::TempDir;
use testkit::chance::SeededChance;
use testkit::clock::SimClock;
use testkit::events::CollectEvents;
use testkit::net::{SimWire, some_peer, wire_pair, wire_pair_in_pieces};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use world::clock::{BoxFuture, Clock};
use world::ids::IdSource;
use world::net::{BoxWire, TlsFacts, TlsServer, TlsVersion};

/// How long an answer may take in real time before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Alice's password; Bob's too.
pub const PASSWORD: &str = "correct horse battery";
/// What the simulated TLS client says first: whoever sends something else fails the handshake.
pub const HELLO: &[u8; 8] = b"\x16\x03\x01HELLO";

/// A handshake without cryptography: eight octets, then everything as it is.
struct PretendTls;

impl TlsServer for PretendTls {
    fn accept(&self, mut wire: BoxWire) -> BoxFuture<'_, std::io::Result<(BoxWire, TlsFacts)>> {
        Box::pin(async move {
            let mut hello = [0; 8];
            wire.read_exact(&mut hello).await?;
            if &hello != HELLO {
                return Err(std::io::Error::other("no ClientHello"));
            }
            let cipher = "TLS13_AES_256_GCM_SHA384";
            let facts = TlsFacts {
                version: TlsVersion::Tls13,
                cipher,
                sni: None,
                alpn: None,
                resumed: false,
            };
            Ok((wire, facts))
        })
    }
}

/// Everything, running.
pub struct World {
    pub clock: SimClock,
    pub store: Arc<Embedded>,
    pub mailboxes: Arc<Mailboxes>,
    pub directory: Arc<Directory>,
    pub events: Arc<CollectEvents>,
    pub stop: watch::Sender<bool>,
    pub ctx: Arc<Context>,
    pub dir: TempDir,
    ids: Arc<IdSource>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(adjust: impl FnOnce(&mut Context)) -> Self {
        let shm = Path::new("/dev/shm");
        let dir = if shm.is_dir() {
            tempfile::tempdir_in(shm)
        } else {
            tempfile::tempdir()
        }
        .unwrap();
        let world = Self::open(dir, adjust).await;
        world
            .directory
            .add_domain("example.test", DomainSettings::default())
            .await
            .unwrap();
        for address in ["alice@example.test", "bob@example.test"] {
            let credential = Credential::Password(Password::new(PASSWORD));
            let spec = AccountSpec {
                address: address.to_owned(),
                credential,
                quota_bytes: 0,
                name: None,
            };
            world.directory.add_account(spec).await.unwrap();
        }
        world
    }

    /// The same data in a new process, so to speak.
    pub async fn reopened(self) -> Self {
        let dir = self.closed().await;
        Self::open(dir, |_| {}).await
    }

    /// Everything ended; what is on the disk.
    async fn closed(self) -> TempDir {
        let Self {
            store,
            dir,
            mailboxes,
            directory,
            ctx,
            ..
        } = self;
        drop((mailboxes, directory, ctx));
        // Connections and refreshes that are ending hold the store until they are done.
        while Arc::strong_count(&store) > 1 {
            tokio::task::yield_now().await;
        }
        store.close();
        drop(store);
        dir
    }

    /// The same data, reopened after one octet of the nth stored body rotted.
    pub async fn damaged(self, nth: usize) -> Self {
        let dir = self.closed().await;
        let database = rusqlite::Connection::open(dir.path().join("mail.db")).unwrap();
        let (blob, mut bytes): (i64, Vec<u8>) = database
            .query_row(
                "SELECT blob, bytes FROM inline ORDER BY blob LIMIT 1 OFFSET ?",
                [nth as i64],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 0x40;
        let changed = database.execute(
            "UPDATE inline SET bytes = ? WHERE blob = ?",
            rusqlite::params![bytes, blob],
        );
        assert_eq!(changed, Ok(1));
        drop(database);
        Self::open(dir, |_| {}).await
    }

    async fn open(dir: TempDir, adjust: impl FnOnce(&mut Context)) -> Self {
        let clock = SimClock::new();
        let events = Arc::new(CollectEvents::new());
        let mut options = Options::new(clock.door(), events.clone());
        options.upkeep = false;
        options.reserve_bytes = 0;
        options.users_only_below_bytes = 0;
        options.deleting_only_below_bytes = 0;
        let store = Embedded::open(dir.path(), options).unwrap();
        let ids = Arc::new(IdSource::new(clock.door(), 1, store.id_floor()));
        let doors = Doors {
            store: store.clone(),
            clock: clock.door(),
            chance: Arc::new(SeededChance::new(7)),
            ids: ids.clone(),
            events: events.clone(),
        };
        let directory = Directory::open(doors).await.unwrap();
        let mailboxes = Mailboxes::start(store.clone(), ids.clone(), clock.door());
        let (stop, shutdown) = watch::channel(false);
        let settings = guard::Settings {
            places: 1000,
            lifted: true,
        };
        let mut ctx = Context {
            doors: access::Doors {
                guard: guard::Guard::new(settings, clock.door(), events.clone()),
                directory: directory.clone(),
                mailboxes: mailboxes.clone(),
                clock: clock.door(),
                events: events.clone(),
                tls: Some(Arc::new(PretendTls)),
                insecure_auth: false,
                unpaced: true,
                shutdown,
            },
            own: Terms {
                append_limit_bytes: 4 << 20,
                message_limit: None,
            },
        };
        adjust(&mut ctx);
        Self {
            clock,
            store,
            mailboxes,
            directory,
            events,
            stop,
            ctx: Arc::new(ctx),
            dir,
            ids,
        }
    }

    /// New connections have an index of everything that is there now.
    pub async fn indexed(self) -> Self {
        let doors = index::Doors {
            store: self.store.clone(),
            clock: self.clock.door(),
            events: self.events.clone(),
            describe: Arc::new(access::imap::Ahead),
        };
        let index = index::Index::open(self.dir.path(), doors).unwrap();
        tokio::spawn(Arc::clone(&index).run(self.stop.subscribe()));
        while !index.status().complete {
            tokio::task::yield_now().await;
        }
        let (store, ids, clock) = (self.store.clone(), self.ids.clone(), self.clock.door());
        let mailboxes = Mailboxes::start_indexed(store, ids, clock, index);
        let mut ctx = Context::clone(&self.ctx);
        ctx.mailboxes = mailboxes.clone();
        Self {
            mailboxes,
            ctx: Arc::new(ctx),
            ..self
        }
    }

    /// A message arrives for somebody.
    pub async fn deliver(&self, to: &str, message: &[u8]) -> u32 {
        let mut stage = self.store.stage(self.ids.next::<BlobId>());
        stage.write(message).await.unwrap();
        let body = stage.finish().await.unwrap();
        let account = self.account(to).await;
        let delivery = Delivery {
            recipient: 0,
            account,
            prefix: Vec::new(),
            targets: vec![(Target::Inbox, Flags::default())],
        };
        let accept = Accept {
            queue_id: self.ids.next::<QueueId>(),
            body,
            reverse_path: String::new(),
            received_at: self.clock.now(),
            queue_prefix: Vec::new(),
            envelope: "{}".to_owned(),
            deliveries: vec![delivery],
            waiting: Vec::new(),
        };
        let receipt = self
            .store
            .commit(Batch::urgent(Op::Accept(Box::new(accept))))
            .await
            .unwrap();
        match &receipt.committed().results[0] {
            store::contract::OpResult::Accepted(accepted) => accepted.placed[0].uid,
            other => panic!("{other:?}"),
        }
    }

    /// From now on this account takes no sign-in, and who is signed in is sent away.
    pub async fn disable(&self, address: &str) {
        let change = directory::admin::AccountChange {
            enabled: Some(false),
            ..Default::default()
        };
        self.directory.set_account(address, change).await.unwrap();
    }

    pub async fn account(&self, address: &str) -> mail::ids::AccountId {
        let accounts = self.store.accounts(None).await.unwrap();
        accounts
            .into_iter()
            .find(|account| account.address == address)
            .expect("an account")
            .id
    }

    /// A raw connection, nothing read yet.
    pub fn connect(&self, security: Security) -> Client {
        self.connect_over(wire_pair(), security)
    }

    /// A raw connection whose octets arrive in random pieces.
    pub fn connect_in_pieces(&self, security: Security, seed: u64) -> Client {
        self.connect_over(wire_pair_in_pieces(seed), security)
    }

    fn connect_over(&self, (ours, theirs): (SimWire, SimWire), security: Security) -> Client {
        let ctx = self.ctx.clone();
        let _serving =
            tokio::spawn(
                async move { serve_connection(&ctx, Box::new(theirs), some_peer(), security).await },
            );
        Client {
            wire: ours,
            unread: Vec::new(),
            clock: self.clock.clone(),
            tag: 0,
        }
    }

    /// Inside TLS, greeted.
    pub async fn secure(&self) -> Client {
        let mut client = self.connect(Security::ImplicitTls);
        client.send(HELLO).await;
        let greeting = client.line().await;
        assert!(greeting.starts_with("* OK [CAPABILITY IMAP4rev1"), "{greeting}");
        assert!(
            GreetingCodec::default()
                .decode(format!("{greeting}\r\n").as_bytes())
                .is_ok()
        );
        client
    }

    /// Signed in.
    pub async fn user(&self, name: &str) -> Client {
        let mut client = self.secure().await;
        let lines = client
            .run(&format!("LOGIN {name}@example.test \"{PASSWORD}\""))
            .await;
        assert!(lines.last().unwrap().starts_with("OK [CAPABILITY"), "{lines:?}");
        client
    }

    /// Alice with INBOX open.
    pub async fn inbox(&self) -> Client {
        let mut client = self.user("alice").await;
        client.ok("SELECT INBOX").await;
        client
    }
}

/// A client that reads whole responses, literals included.
pub struct Client {
    pub wire: SimWire,
    pub unread: Vec<u8>,
    clock: SimClock,
    tag: u32,
}

impl Client {
    pub async fn send(&mut self, octets: &[u8]) {
        self.wire.write_all(octets).await.unwrap();
    }

    /// One response without its CRLF; literals are inside, as they came. Empty at the end of the connection.
    pub async fn line(&mut self) -> String {
        String::from_utf8_lossy(&self.octets().await).into_owned()
    }

    pub async fn octets(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = response_end(&self.unread) {
                let rest = self.unread.split_off(end);
                let mut response = std::mem::replace(&mut self.unread, rest);
                check(&response);
                response.truncate(response.len() - 2);
                return response;
            }
            let mut buffer = vec![0; 65536];
            let read = tokio::time::timeout(PATIENCE, self.wire.read(&mut buffer)).await;
            match read.expect("an answer in time") {
                Ok(0) | Err(_) => {
                    assert!(
                        self.unread.is_empty(),
                        "half a response: {}",
                        self.unread.escape_ascii()
                    );
                    return Vec::new();
                }
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Sends a command; all responses up to its tagged one.
    pub async fn run(&mut self, command: &str) -> Vec<String> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.send(format!("{tag} {command}\r\n").as_bytes()).await;
        self.until(&tag).await
    }

    /// Responses up to the tagged one; the tag is cut off.
    pub async fn until(&mut self, tag: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            if let Some(end) = line.strip_prefix(&format!("{tag} ")) {
                lines.push(end.to_owned());
                return lines;
            }
            assert!(!line.is_empty(), "the connection ended before {tag}: {lines:?}");
            lines.push(line);
        }
    }

    /// Must succeed; the untagged responses, and the tagged one last.
    pub async fn ok(&mut self, command: &str) -> Vec<String> {
        let lines = self.run(command).await;
        assert!(lines.last().unwrap().starts_with("OK"), "{command}: {lines:?}");
        lines
    }

    /// Must be refused in this way.
    pub async fn refused(&mut self, command: &str, start: &str) -> String {
        let lines = self.run(command).await;
        let last = lines.last().unwrap();
        assert!(last.starts_with(start), "{command}: {lines:?}");
        last.clone()
    }

    /// APPEND with a synchronising literal; the tagged response.
    pub async fn append(&mut self, arguments: &str, message: &[u8]) -> String {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.send(format!("{tag} APPEND {arguments} {{{}}}\r\n", message.len()).as_bytes())
            .await;
        let go = self.line().await;
        if !go.starts_with('+') {
            return go.strip_prefix(&format!("{tag} ")).unwrap_or(&go).to_owned();
        }
        self.send(message).await;
        self.send(b"\r\n").await;
        self.until(&tag).await.pop().unwrap()
    }

    /// Reads to the end of the connection, whatever comes.
    pub async fn rest_of_raw(&mut self) {
        let mut buffer = vec![0; 65_536];
        loop {
            let clock = self.clock.clone();
            tokio::select! {
                read = self.wire.read(&mut buffer) => if read.unwrap_or(0) == 0 { return },
                () = pass_time(&clock) => {}
            }
        }
    }

    /// Everything up to the end of the connection, while simulated time passes.
    pub async fn rest_of_it(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let clock = self.clock.clone();
            let line = tokio::select! {
                line = self.line() => line,
                () = pass_time(&clock) => continue,
            };
            if line.is_empty() {
                return lines;
            }
            lines.push(line);
        }
    }
}

/// Lets time pass to the next thing that waits for it, after everybody had their turn.
pub async fn pass_time(clock: &SimClock) {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    clock.advance_to_next().await;
}

/// Lets a little time pass, after everybody had their turn. A pause ends with it, and no minute that is given for signing in ends while a
/// slow machine still compares a password.
pub async fn pass_a_moment(clock: &SimClock) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    clock.advance(Duration::from_millis(250)).await;
}

/// Where the first response ends: at the CRLF that belongs to no literal.
fn response_end(octets: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let line = from + octets[from..].windows(2).position(|pair| pair == b"\r\n")?;
        let head = &octets[from..line];
        let literal = head.strip_suffix(b"}").and_then(|head| {
            let open = head.iter().rposition(|&byte| byte == b'{')?;
            std::str::from_utf8(&head[open + 1..]).ok()?.parse::<usize>().ok()
        });
        match literal {
            None => return Some(line + 2),
            Some(size) => from = line + 2 + size,
        }
        if octets.len() < from {
            return None;
        }
    }
}

/// The other decoder must take it whole. It knows neither MAILBOXID, EMAILID nor LIST-EXTENDED. A very long literal is compared by its test,
/// and takes the decoder long.
fn check(response: &[u8]) {
    if !response.is_ascii() || response.len() > 1_000_000 {
        return;
    }
    let beyond = [
        &b"MAILBOXID"[..],
        b"EMAILID",
        b"CHILDINFO",
        b"APPENDLIMIT ",
        b"* ID",
        b"* ESEARCH",
        b"VANISHED",
        b"METADATA",
        b"* QUOTA",
        b"* ACL",
        b"RIGHTS",
        b"* LANGUAGE",
        b"OLDNAME",
        b"NonExistent",
        b"DELETED-STORAGE",
        b"PREVIEW",
        b"SAVEDATE",
        b"UIDFETCH",
        b"~{",
        b"BINARY[1]<",
        b"UIDREQUIRED",
        b"* URLFETCH",
        b"* GENURLAUTH",
        b"* UIDBATCHES",
        b"MESSAGELIMIT",
    ];
    if beyond
        .iter()
        .any(|word| response.windows(word.len()).any(|window| window == *word))
    {
        return;
    }
    match ResponseCodec::default().decode(response) {
        Ok((rest, _)) => assert!(rest.is_empty(), "{}", response.escape_ascii()),
        Err(error) => panic!("{error:?}: {}", response.escape_ascii()),
    }
}
