//! Sinks, names and the server; what is sent, and what the queue says.

use super::cells::Cell;
use crate::bench::status_kib;
use crate::campaign::mailer::{Letter, Person};
use crate::campaign::server::{Plan, Server, certificate};
use crate::report::Outcome;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use testkit::hostile_dns::Standing;
use testkit::sink::{Authority, Script, Sink};
use testkit::talk::TlsClient;

/// Sinks of the starving phase: dripping, then the hole.
pub const DRIPPING: usize = 50;
/// Between two messages to the healthy domain.
const STEADY_PAUSE: Duration = Duration::from_millis(150);
/// The sender's password, and that of the guarded routes.
const PASSWORD: &str = "correct horse battery";
/// Ports above this number are tried for the server.
const PORT_BASE: u16 = 22_000;
/// How many ports are tried for the sinks.
const PORTS: usize = 20;

/// Everything that runs.
pub struct Field {
    /// the program under test
    pub server: Server,
    /// who sends
    pub alice: Person,
    /// a sink for each cell, in their order
    pub sinks: Vec<Sink>,
    /// behaves well all the time
    pub healthy: Arc<Sink>,
    /// the starving phase's
    pub dripping: Vec<Sink>,
    /// takes no connection
    pub hole: Sink,
    /// tells names, badly where a cell says so
    pub names: Standing,
}

impl Field {
    /// Starts all.
    pub fn start(binary: &Path, place: &Path, cells: &[Cell]) -> Outcome<Self> {
        let authority = Authority::new();
        let ca = place.join("ca.pem");
        std::fs::write(&ca, authority.pem())?;
        let doors = open_doors(cells, &authority)?;
        let port = doors.port;
        let names = Standing::start(&records(cells, true))?;
        let secret = place.join("joe.password");
        std::fs::write(&secret, "secret\n")?;
        crate::process::must(
            std::process::Command::new("chmod").arg("600").arg(&secret),
            Duration::from_secs(5),
        )?;
        let mut settings = format!(
            "[queue]\nretry_first = \"2 s\"\nretry_longest = \"5 s\"\n[tls]\nextra_roots = \"{}\"\n[deliver]\nport = {port}\nallow_private = true\n\
             [dns]\nservers = [\"{}\"]\ntrust_ad = true\n[log]\nstderr = \"off\"\n",
            ca.display(),
            names.addr()
        );
        for number in (0..cells.len()).filter(|number| cells[*number].guarded) {
            settings.push_str(&format!(
                "[[routes]]\nname = \"r{number}\"\nto = [\"c{number}.test\"]\nhost = \"mx.c{number}.test\"\nport = {}\n\
                 tls = \"starttls\"\nuser = \"joe\"\npassword_file = \"{}\"\n",
                port + 1,
                secret.display()
            ));
        }
        let server = Server::start(Plan {
            binary: binary.to_owned(),
            wrapper: Vec::new(),
            dir: place.join("server"),
            hostname: "mx.sender.test".into(),
            domains: vec!["sender.test".into()],
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            listen: Vec::new(),
            port_base: PORT_BASE,
            certificate: certificate(&authority, &["mx.sender.test"], &place.join("tls"))?,
            settings,
        })?;
        server.account("alice@sender.test", PASSWORD)?;
        let alice = Person {
            address: "alice@sender.test".into(),
            password: PASSWORD.into(),
            submission: server.plan.door(587),
            imaps: server.plan.door(993),
            server: server.plan.hostname.clone(),
            tls: TlsClient::trusting(&ca),
        };
        Ok(Self {
            server,
            alice,
            sinks: doors.sinks,
            healthy: Arc::new(doors.healthy),
            dripping: doors.dripping,
            hole: doors.hole,
            names,
        })
    }

    /// One message into every cell, in one session.
    pub fn send_into(&self, cells: &[Cell]) -> Result<(), String> {
        let mut session = self.alice.session()?;
        for (number, cell) in cells.iter().enumerate() {
            let addresses = addresses(number, cell);
            let to: Vec<&str> = addresses.iter().map(String::as_str).collect();
            self.alice
                .send_in(&mut session, &Letter::new(&to, &format!("cell {number}")))?;
        }
        Ok(())
    }

    /// Waits until every cell has misbehaved or answered; gives the names of those that have not.
    pub fn wait_until_tried(&self, cells: &[Cell], patience: Duration) -> Result<Vec<String>, String> {
        let began = Instant::now();
        loop {
            let waiting = self.waiting()?;
            let untried = |number: usize, cell: &Cell| {
                let statistics = self.sinks[number].statistics();
                if cell.visible && statistics.misbehaviours > 0 {
                    // Answered at once or hanging in it; both count, but the outcome of an answer must be recorded.
                    let hangs = ["silence", "drip"].iter().any(|word| cell.script.contains(word));
                    return !hangs && self.unrecorded(&waiting, number, cell);
                }
                self.unrecorded(&waiting, number, cell)
            };
            let late: Vec<String> = cells
                .iter()
                .enumerate()
                .filter(|(number, cell)| untried(*number, cell))
                .map(|(_, cell)| cell.name.clone())
                .collect();
            if late.is_empty() || began.elapsed() > patience {
                return Ok(late);
            }
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// Whether a recipient of the cell still waits for its first attempt.
    fn unrecorded(&self, waiting: &BTreeMap<String, Value>, number: usize, cell: &Cell) -> bool {
        addresses(number, cell).iter().any(|address| {
            waiting
                .get(address)
                .is_some_and(|row| row["attempts"].as_u64() == Some(0))
        })
    }

    /// Everybody who waits, by address.
    pub fn waiting(&self) -> Result<BTreeMap<String, Value>, String> {
        let rows = self.server.waiting()?;
        Ok(rows
            .into_iter()
            .map(|row| (row["to"].as_str().unwrap_or_default().to_owned(), row))
            .collect())
    }

    /// Every sink behaves well from now on.
    pub fn heal(&self, cells: &[Cell]) -> Result<(), String> {
        for (sink, cell) in self.sinks.iter().zip(cells) {
            let script = if cell.guarded {
                "offer: PIPELINING STARTTLS AUTH=PLAIN\ncredentials: joe secret"
            } else {
                ""
            };
            sink.set(Script::read(script)?);
        }
        self.names.replace(&records(cells, false))
    }

    /// Makes everything due again and again until nobody waits; gives those who still do.
    pub fn wait_until_empty(&self, patience: Duration) -> Result<Vec<String>, String> {
        let began = Instant::now();
        loop {
            let left: Vec<String> = self
                .waiting()?
                .into_iter()
                .filter(|(address, _)| !address.ends_with("@healthy.test"))
                .map(|(address, row)| format!("{address}: {}", row["reason"]))
                .collect();
            if left.is_empty() || began.elapsed() > patience {
                return Ok(left);
            }
            self.server.retry_all()?;
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// What the sinks have against the client.
    pub fn violations(&self, cells: &[Cell]) -> Result<String, String> {
        let mut found = Vec::new();
        for (sink, cell) in self.sinks.iter().zip(cells) {
            for violation in sink.statistics().violations {
                found.push(format!("{}: {violation}", cell.name));
            }
        }
        if found.is_empty() {
            Ok("none".into())
        } else {
            Err(format!("{found:?}"))
        }
    }

    /// Resident memory of the server.
    pub fn resident_kib(&self) -> Outcome<f64> {
        status_kib(self.server.pid(), "VmRSS:")
    }
}

/// The recipients of a cell.
pub fn addresses(number: usize, cell: &Cell) -> Vec<String> {
    (1..=cell.recipients.len())
        .map(|recipient| format!("x{recipient}@c{number}.test"))
        .collect()
}

fn cell_address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 60, 1 + (number / 250) as u8, 1 + (number % 250) as u8)
}

fn drip_address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 60, 8, 1 + number as u8)
}

/// The zone, with or without what is wrong in it.
fn records(cells: &[Cell], sick: bool) -> String {
    let mut out = String::new();
    let mut domain = |name: String, address: Ipv4Addr| {
        out.push_str(&format!(
            "{name}.test 2 MX 10 mx.{name}.test\nmx.{name}.test 2 A {address}\n"
        ));
    };
    (0..cells.len()).for_each(|number| domain(format!("c{number}"), cell_address(number)));
    (0..DRIPPING).for_each(|number| domain(format!("d{number}"), drip_address(number)));
    domain("healthy".into(), Ipv4Addr::new(127, 60, 9, 1));
    domain("hole".into(), Ipv4Addr::new(127, 60, 9, 2));
    for (number, cell) in cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| sick && !cell.dns.is_empty())
    {
        let (name, fault) = cell.dns.split_once(' ').unwrap_or_default();
        let name = name.replace("mx", &format!("mx.c{number}.test"));
        let name = name.replace('@', &format!("c{number}.test"));
        out.push_str(&format!("{name} {fault}\n"));
    }
    out
}

/// All sinks; those with a guard are at the port after the others'.
struct Doors {
    port: u16,
    sinks: Vec<Sink>,
    dripping: Vec<Sink>,
    healthy: Sink,
    hole: Sink,
}

/// Opens them at a port that is free at every address. Between the look for it and the last door somebody may have taken it: then another.
fn open_doors(cells: &[Cell], authority: &Authority) -> Outcome<Doors> {
    for _ in 0..PORTS {
        let port = TcpListener::bind((Ipv4Addr::new(127, 60, 0, 1), 0))?
            .local_addr()?
            .port();
        match doors_at(port, cells, authority) {
            Err(error) if is_taken(&*error) || port == u16::MAX => {}
            other => return other,
        }
    }
    Err(format!("none of {PORTS} ports was free at all addresses").into())
}

fn is_taken(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

fn doors_at(port: u16, cells: &[Cell], authority: &Authority) -> Outcome<Doors> {
    let mut sinks = Vec::new();
    for (number, cell) in cells.iter().enumerate() {
        let port = port.saturating_add(u16::from(cell.guarded));
        let address = SocketAddr::from((cell_address(number), port));
        let certificates = authority.certificates(&[&format!("mx.c{number}.test")]);
        let script = Script::read(&cell.script)?;
        sinks.push(Sink::start_with_tls(address, script, certificates)?);
    }
    let plain = |address: Ipv4Addr| Sink::start(SocketAddr::from((address, port)), Script::good());
    let dripping = (0..DRIPPING).map(|number| plain(drip_address(number)));
    Ok(Doors {
        port,
        sinks,
        dripping: dripping.collect::<Result<_, _>>()?,
        healthy: plain(Ipv4Addr::new(127, 60, 9, 1))?,
        hole: plain(Ipv4Addr::new(127, 60, 9, 2))?,
    })
}

/// A steady trickle to the healthy domain; measures from the answer of submission to the sink's.
pub struct Steady {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Duration>, String>>,
}

impl Steady {
    /// Begins.
    pub fn start(field: &Field) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (alice, sink, end) = (field.alice.clone(), Arc::clone(&field.healthy), Arc::clone(&stop));
        let thread = std::thread::spawn(move || trickle(&alice, &sink, &end));
        Self { stop, thread }
    }

    /// Ends, waits for the last one, gives the times in order of length.
    pub fn stop(self) -> Result<Vec<Duration>, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| "the steady sender gave up waiting")?
    }
}

fn trickle(alice: &Person, sink: &Sink, end: &AtomicBool) -> Result<Vec<Duration>, String> {
    let before = sink.accepted().len();
    let stamp = Instant::now();
    let mut answered = BTreeMap::new();
    let mut session = alice.session()?;
    while !end.load(Ordering::Relaxed) {
        let subject = format!("steady {} {before}", answered.len());
        alice.send_in(&mut session, &Letter::new(&["x@healthy.test"], &subject))?;
        answered.insert(
            format!("<{}@sender.test>", subject.replace(' ', "-")),
            Instant::now(),
        );
        std::thread::sleep(STEADY_PAUSE);
    }
    let patience = Instant::now() + Duration::from_secs(60);
    while sink.accepted().len() < before + answered.len() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(50));
    }
    let arrived: BTreeMap<String, Instant> = sink
        .accepted()
        .into_iter()
        .skip(before)
        .map(|message| (message.message_id, message.at))
        .collect();
    let mut times = Vec::new();
    for (id, told) in answered {
        let at = arrived
            .get(&id)
            .ok_or_else(|| format!("{id} never reached the healthy domain ({:?})", stamp.elapsed()))?;
        times.push(at.saturating_duration_since(told));
    }
    times.sort();
    Ok(times)
}

/// The value below which so many percent are.
pub fn percentile(sorted: &[Duration], percent: f64) -> Duration {
    let at = ((sorted.len() as f64) * percent / 100.0).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(Duration::MAX)
}
