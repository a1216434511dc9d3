//! A name server that does what a text tells it to: right answers, wrong ones, and everything that must not hurt.
//!
//! It opens real sockets on the loopback address (UDP and TCP on one port), because what it tests is the code behind ours.
//!
//! ```text
//! example.org   300 MX 10 mx.example.org   ; records as in `testkit::dns`
//! slow.example  !delay 2s                  ; before every answer
//! bad.example   !servfail                  ; instead of an answer, for every type
//! half.example  A !silent                  ; for one type; records answer the others
//! *.many.example A 192.0.2.1
//! ```
//!
//! Instead of an answer: `!nxdomain !servfail !refused !formerr !notimp`, `!silent`, `!referral` (somebody else's name servers, no
//! answer), `!garbage`, `!short`, `!counts` (promises 65,535 records and holds none), `!loop` (a name that points to itself),
//! `!forward` (a name that points behind the end), `!endless` (the longest name that pointers can build), `!huge` (one TXT of 64,000
//! octets), `!nul` (an MX host with NUL, CR, LF, a blank and a dot inside a label), `!wrong-name` (records of another name only).
//! Around the right answer: `!wrong-id`, `!wrong-question`, `!no-question` (never the right one), `!forged` (twenty wrong ids with
//! false records first), `!spoofed` (a false record with the right id from another port first), `!wrong-case` (UDP only: the question
//! comes back in lower case), `!poison` (false records of other names beside it), `!class` (of class CH), `!ad` (with the AD bit),
//! `!alone` (CNAMEs are not followed). Over TCP: `!truncated` (UDP says so; TCP answers), `!tcp-hangs`, `!tcp-half`, `!tcp-closes`,
//! `!truncated-always`.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;
use world::dns::{Record, RecordType};

use crate::dns::{canonical, read_duration, read_kind, read_value, words_of};

/// The largest answer that goes over UDP; larger ones are truncated.
const UDP_MAX_BYTES: usize = 1232;
/// CNAMEs the server itself follows.
const FOLLOWED_MAX: usize = 32;
const TTL_DEFAULT: u32 = 300;
/// What false records point to.
const FALSE_ADDRESS: [u8; 4] = [203, 0, 113, 66];

/// A question as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// the name with the letter case it had
    pub name: String,
    /// the type's number
    pub kind: u16,
    /// the message's id
    pub id: u16,
    /// where it came from
    pub from: SocketAddr,
    /// whether it came over TCP
    pub tcp: bool,
}

/// The server. It ends when it is dropped.
pub struct HostileDns {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Default)]
struct Shared {
    script: Mutex<Script>,
    asked: Mutex<Vec<Question>>,
}

#[derive(Default, Clone)]
struct Script {
    names: HashMap<String, Entry>,
}

#[derive(Default, Clone)]
struct Entry {
    records: Vec<(RecordType, Record, u32)>,
    faults: Vec<(Option<RecordType>, String)>,
    delay: Option<Duration>,
}

impl HostileDns {
    /// Reads the script and starts. The error names the line.
    pub async fn start(script: &str) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            script: Mutex::new(read_script(script)?),
            asked: Mutex::default(),
        });
        let (udp, tcp) = bind_both().await.map_err(|error| error.to_string())?;
        let addr = tcp.local_addr().map_err(|error| error.to_string())?;
        let tasks = [
            tokio::spawn(serve_udp(Arc::new(udp), Arc::clone(&shared))),
            tokio::spawn(serve_tcp(tcp, Arc::clone(&shared))),
        ];
        Ok(Self { addr, shared, tasks })
    }

    /// Where it listens, over UDP and TCP.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers by another script from now on.
    pub fn replace(&self, script: &str) -> Result<(), String> {
        *self.shared.script.lock() = read_script(script)?;
        Ok(())
    }

    /// Every question so far, in order.
    pub fn asked(&self) -> Vec<Question> {
        self.shared.asked.lock().clone()
    }
}

impl Drop for HostileDns {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The same server for tests and campaigns that have no runtime: it has one of its own. It ends when it is dropped.
pub struct Standing {
    server: HostileDns,
    _runtime: tokio::runtime::Runtime,
}

impl Standing {
    /// Reads the script and starts. The error names the line.
    pub fn start(script: &str) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let server = runtime.block_on(HostileDns::start(script))?;
        Ok(Self {
            server,
            _runtime: runtime,
        })
    }
}

impl std::ops::Deref for Standing {
    type Target = HostileDns;

    fn deref(&self) -> &HostileDns {
        &self.server
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server for tests, on the other side of the doors"
)]
async fn bind_both() -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = io::Error::other("no port was tried");
    for _ in 0..20 {
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn serve_udp(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Some(plan) = shared.plan(&buffer[..length], from, false) else {
            continue;
        };
        let socket = Arc::clone(&socket);
        tokio::spawn(async move {
            tokio::time::sleep(plan.delay).await;
            if let Some(false_one) = plan.spoofed {
                let _ = send_from_elsewhere(&false_one, from).await;
            }
            for message in plan.messages {
                let _ = socket.send_to(&message, from).await;
            }
        });
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server for tests, on the other side of the doors"
)]
async fn send_from_elsewhere(message: &[u8], to: SocketAddr) -> io::Result<()> {
    UdpSocket::bind("127.0.0.1:0").await?.send_to(message, to).await?;
    Ok(())
}

async fn serve_tcp(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, from)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A client that leaves ends only its own connection.
            let _ = serve_stream(stream, from, &shared).await;
        });
    }
}

/// Questions on one connection are answered each in its own time (RFC 7766 §6.2.1.1): one that hangs holds up no other.
async fn serve_stream(stream: TcpStream, from: SocketAddr, shared: &Shared) -> io::Result<()> {
    let (mut questions, answers) = stream.into_split();
    let answers = Arc::new(tokio::sync::Mutex::new(answers));
    loop {
        let length = questions.read_u16().await?;
        let mut message = vec![0; usize::from(length)];
        questions.read_exact(&mut message).await?;
        let Some(plan) = shared.plan(&message, from, true) else {
            return Ok(());
        };
        match plan.end {
            End::Close => return Ok(()),
            End::Hang => continue,
            // The connection itself is no longer of use to anybody.
            End::Half => return answer(&plan, &answers).await,
            End::GoOn => {}
        }
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            // A client that leaves ends only its own connection.
            let _ = answer(&plan, &answers).await;
        });
    }
}

async fn answer(plan: &Plan, answers: &tokio::sync::Mutex<OwnedWriteHalf>) -> io::Result<()> {
    tokio::time::sleep(plan.delay).await;
    let mut answers = answers.lock().await;
    for message in &plan.messages {
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        answers.write_u16(length).await?;
        if plan.end == End::Half {
            answers.write_all(&message[..message.len() / 2]).await?;
            std::future::pending::<()>().await;
        }
        answers.write_all(message).await?;
    }
    Ok(())
}

/// What is sent, and when.
struct Plan {
    delay: Duration,
    /// sent first, from another port
    spoofed: Option<Vec<u8>>,
    messages: Vec<Vec<u8>>,
    end: End,
}

/// What becomes of a TCP connection afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    GoOn,
    Close,
    Hang,
    /// Only half of the message is sent, and then nothing.
    Half,
}

impl Shared {
    fn plan(&self, message: &[u8], from: SocketAddr, tcp: bool) -> Option<Plan> {
        let question = read_question(message, from, tcp)?;
        self.asked.lock().push(question.clone());
        let script = self.script.lock();
        let name = canonical(&question.name);
        let entry = script.find(&name);
        let faults = entry
            .map(|entry| entry.faults_of(question.kind))
            .unwrap_or_default();
        let (messages, end) = answers(&script, &question, &name, &faults);
        let spoofed = faults.contains(&"!spoofed").then(|| false_answer(&question));
        Some(Plan {
            spoofed,
            delay: entry.and_then(|entry| entry.delay).unwrap_or_default(),
            messages,
            end,
        })
    }
}

impl Script {
    fn find(&self, name: &str) -> Option<&Entry> {
        if let Some(found) = self.names.get(name) {
            return Some(found);
        }
        let mut parent = name;
        while let Some((_, rest)) = parent.split_once('.') {
            parent = rest;
            if let Some(found) = self.names.get(&format!("*.{parent}")) {
                return Some(found);
            }
        }
        None
    }
}

impl Entry {
    fn faults_of(&self, kind: u16) -> Vec<&str> {
        let fits = |of: &Option<RecordType>| of.is_none_or(|of| number_of(of) == kind);
        self.faults
            .iter()
            .filter(|(of, _)| fits(of))
            .map(|(_, fault)| fault.as_str())
            .collect()
    }
}

/// The messages to send, and what happens to a TCP connection behind them.
fn answers(script: &Script, question: &Question, name: &str, faults: &[&str]) -> (Vec<Vec<u8>>, End) {
    let has = |fault: &str| faults.contains(&fault);
    if has("!silent") {
        return (Vec::new(), End::Hang);
    }
    if question.tcp && has("!tcp-hangs") {
        return (Vec::new(), End::Hang);
    }
    if question.tcp && has("!tcp-closes") {
        return (Vec::new(), End::Close);
    }
    let truncating = ["!truncated", "!tcp-hangs", "!tcp-half", "!tcp-closes"];
    if has("!truncated-always") || (!question.tcp && truncating.iter().any(|fault| has(fault))) {
        return (vec![Message::to(question).truncated()], End::GoOn);
    }
    if let Some(bytes) = faults.iter().find_map(|fault| instead(question, fault)) {
        return (vec![bytes], End::GoOn);
    }
    let message = ordinary(script, question, name, has("!alone"));
    let mut messages = disguise(message, question, faults);
    for bytes in &mut messages {
        if !question.tcp && bytes.len() > UDP_MAX_BYTES {
            *bytes = Message::to(question).truncated();
        }
    }
    let end = if has("!tcp-half") { End::Half } else { End::GoOn };
    (messages, end)
}

/// What is sent instead of an answer.
fn instead(question: &Question, fault: &str) -> Option<Vec<u8>> {
    let message = Message::to(question);
    let name = labels(&question.name);
    let pointing = |pointer: &[u8]| {
        let mut message = Message::to(question);
        message.raw(pointer, question.kind, question.kind, b"\x00\x0a\xc0\x0c");
        message.done()
    };
    Some(match fault {
        "!nxdomain" => message.rcode(3).authority_soa().done(),
        "!servfail" => message.rcode(2).done(),
        "!refused" => message.rcode(5).done(),
        "!formerr" => message.rcode(1).done(),
        "!notimp" => message.rcode(4).done(),
        "!referral" => message.referral().done(),
        "!garbage" => [&question.id.to_be_bytes()[..], &[0xa7; 300]].concat(),
        "!short" => question.id.to_be_bytes()[..1].to_vec(),
        "!counts" => {
            let mut bytes = message.done();
            bytes[6..12].fill(0xff);
            bytes
        }
        // The answer begins behind the header and the question; its name points to itself, or behind the end.
        "!loop" => {
            let at = u16::try_from(12 + name.len() + 4).unwrap_or(0) | 0xc000;
            pointing(&at.to_be_bytes())
        }
        "!forward" => pointing(&[0xff, 0xff]),
        "!endless" => endless(question),
        "!huge" => {
            let strings: Vec<u8> = std::iter::once(255).chain([b'x'; 255]).collect();
            let mut message = message;
            message.raw(&name, 16, 16, &strings.repeat(250));
            message.done_for(question)
        }
        "!nul" => {
            let mut message = message;
            let host = b"\x00\x0a\x09m\0x\r\n .\x07y\x07example\0";
            message.raw(&name, 15, 15, host);
            message.done()
        }
        "!wrong-name" => {
            let mut message = message;
            message.raw(&labels("other.example"), question.kind, 1, &FALSE_ADDRESS);
            message.done()
        }
        _ => return None,
    })
}

/// A hundred records whose names are as long as pointers can make them: each label points to the one before.
fn endless(question: &Question) -> Vec<u8> {
    let mut message = Message::to(question);
    let mut before = 12u16;
    for _ in 0..100 {
        let at = u16::try_from(message.bytes.len()).unwrap_or(u16::MAX);
        let mut name = vec![63];
        name.extend([b'l'; 63]);
        name.extend((before | 0xc000).to_be_bytes());
        message.raw(&name, question.kind, 1, &FALSE_ADDRESS);
        before = at & 0x3fff;
    }
    message.done_for(question)
}

/// The answer by the script's records.
fn ordinary(script: &Script, question: &Question, name: &str, alone: bool) -> Message {
    let mut message = Message::to(question);
    let (mut name, mut owner) = (name.to_owned(), labels(&question.name));
    for _ in 0..FOLLOWED_MAX {
        let Some(entry) = script.find(&name) else {
            return message.rcode(3).authority_soa();
        };
        let of_kind = |(kind, ..): &&(RecordType, Record, u32)| number_of(*kind) == question.kind;
        let mut fitting = entry.records.iter().filter(of_kind).peekable();
        if fitting.peek().is_some() {
            for (_, record, ttl) in fitting {
                message.record(&owner, record, *ttl);
            }
            return message;
        }
        let alias = entry.records.iter().find_map(|(_, record, ttl)| match record {
            Record::Cname(target) => Some((record, target, *ttl)),
            _ => None,
        });
        let Some((record, target, ttl)) = alias else {
            return message.authority_soa();
        };
        message.record(&owner, record, ttl);
        if alone {
            return message;
        }
        (name, owner) = (canonical(target), labels(target));
    }
    message
}

/// What is done to the right answer.
fn disguise(mut message: Message, question: &Question, faults: &[&str]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for fault in faults {
        match *fault {
            "!wrong-id" => message.bytes[0] ^= 0x55,
            "!wrong-case" if !question.tcp => {
                let end = 12 + labels(&question.name).len();
                message.bytes[12..end].make_ascii_lowercase();
            }
            "!wrong-question" => message.bytes[13] ^= 0x03,
            "!no-question" => return vec![without_question(&message, question)],
            "!class" => message.class_chaos(question),
            "!ad" => message.bytes[3] |= 0x20,
            "!poison" => {
                for name in ["bank.example", "example", "mx.example.org"] {
                    message.beside(&labels(name), &FALSE_ADDRESS);
                }
            }
            "!forged" => {
                for wrong in 1..=20u16 {
                    let mut forged = false_answer(question);
                    forged[..2].copy_from_slice(&question.id.wrapping_add(wrong).to_be_bytes());
                    messages.push(forged);
                }
            }
            _ => {}
        }
    }
    messages.push(message.done());
    messages
}

fn false_answer(question: &Question) -> Vec<u8> {
    let mut message = Message::to(question);
    message.record(&labels(&question.name), &Record::A(FALSE_ADDRESS.into()), 86_400);
    message.done()
}

fn without_question(message: &Message, question: &Question) -> Vec<u8> {
    let skip = labels(&question.name).len() + 4;
    let mut bytes = message.bytes.clone();
    bytes.drain(12..12 + skip);
    bytes[4..6].fill(0);
    bytes
}

/// A message while it is written.
struct Message {
    bytes: Vec<u8>,
    counts: [u16; 3],
}

impl Message {
    /// A response with the question and nothing else: QR, RD, RA.
    fn to(question: &Question) -> Self {
        let mut bytes = question.id.to_be_bytes().to_vec();
        bytes.extend([0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
        bytes.extend(labels(&question.name));
        bytes.extend(question.kind.to_be_bytes());
        bytes.extend([0, 1]);
        Self {
            bytes,
            counts: [0; 3],
        }
    }

    fn rcode(mut self, code: u8) -> Self {
        self.bytes[3] |= code;
        self
    }

    fn truncated(mut self) -> Vec<u8> {
        self.bytes[2] |= 2;
        self.done()
    }

    fn record(&mut self, owner: &[u8], record: &Record, ttl: u32) {
        let data = match record {
            Record::A(address) => address.octets().to_vec(),
            Record::Aaaa(address) => address.octets().to_vec(),
            Record::Mx(preference, host) => [&preference.to_be_bytes()[..], &labels(host)].concat(),
            Record::Txt(text) => text
                .chunks(255)
                .flat_map(|part| [&[u8::try_from(part.len()).unwrap_or(255)], part].concat())
                .collect(),
            Record::Ptr(host) | Record::Cname(host) => labels(host),
            Record::Srv(priority, weight, port, host) => {
                let numbers = [priority, weight, port].map(|number| number.to_be_bytes());
                [&numbers.concat()[..], &labels(host)].concat()
            }
            Record::Tlsa(usage, selector, matching, data) => {
                [&[*usage, *selector, *matching][..], data].concat()
            }
        };
        self.put(owner, number_of(kind_of(record)), ttl, &data);
        self.counts[0] += 1;
    }

    /// An answer record whose type and content need not fit together.
    fn raw(&mut self, owner: &[u8], asked: u16, fallback: u16, data: &[u8]) {
        self.put(
            owner,
            if asked == 0 { fallback } else { asked },
            TTL_DEFAULT,
            data,
        );
        self.counts[0] += 1;
    }

    /// An additional record.
    fn beside(&mut self, owner: &[u8], data: &[u8]) {
        self.put(owner, 1, 86_400, data);
        self.counts[2] += 1;
    }

    /// RFC 2308: a negative answer's SOA, with a minimum of 60 seconds.
    fn authority_soa(mut self) -> Self {
        let numbers = [1u32, 3600, 600, 86_400, 60];
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        let data = [&labels("ns.example")[..], &labels("root.example"), &numbers].concat();
        self.put(&[0], 6, 3600, &data);
        self.counts[1] += 1;
        self
    }

    fn referral(mut self) -> Self {
        self.put(&[0], 2, 3600, &labels("a.root.example"));
        self.counts[1] += 1;
        self
    }

    fn put(&mut self, owner: &[u8], kind: u16, ttl: u32, data: &[u8]) {
        self.bytes.extend(owner);
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend([0, 1]);
        self.bytes.extend(ttl.to_be_bytes());
        self.bytes
            .extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.bytes.extend(data);
    }

    /// The first answer gets class CH.
    fn class_chaos(&mut self, question: &Question) {
        let owner = labels(&question.name).len();
        let class = 12 + owner + 4 + owner + 2;
        if self.bytes.len() > class + 1 {
            self.bytes[class + 1] = 3;
        }
    }

    fn done(mut self) -> Vec<u8> {
        for (at, count) in [6, 8, 10].into_iter().zip(self.counts) {
            self.bytes[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
        self.bytes
    }

    /// As [`Self::done`]; over UDP what is too large is truncated.
    fn done_for(self, question: &Question) -> Vec<u8> {
        let bytes = self.done();
        if !question.tcp && bytes.len() > UDP_MAX_BYTES {
            return Self::to(question).truncated();
        }
        bytes
    }
}

/// A name on the wire, without compression.
fn labels(name: &str) -> Vec<u8> {
    let bare = name.trim_end_matches('.');
    let mut bytes = Vec::new();
    for label in bare.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len().min(63)).unwrap_or(63));
        bytes.extend(&label.as_bytes()[..label.len().min(63)]);
    }
    bytes.push(0);
    bytes
}

/// Our own client's questions: one, uncompressed.
fn read_question(message: &[u8], from: SocketAddr, tcp: bool) -> Option<Question> {
    let id = u16::from_be_bytes(message.get(..2)?.try_into().ok()?);
    let mut rest = message.get(12..)?;
    let mut name = Vec::new();
    while let Some((&length, behind)) = rest.split_first() {
        if length == 0 {
            let kind = u16::from_be_bytes(behind.get(..2)?.try_into().ok()?);
            let name = name.join(".");
            return Some(Question {
                name,
                kind,
                id,
                from,
                tcp,
            });
        }
        let (label, after) = behind.split_at_checked(usize::from(length))?;
        name.push(String::from_utf8_lossy(label).into_owned());
        rest = after;
    }
    None
}

fn number_of(kind: RecordType) -> u16 {
    match kind {
        RecordType::A => 1,
        RecordType::Cname => 5,
        RecordType::Ptr => 12,
        RecordType::Mx => 15,
        RecordType::Txt => 16,
        RecordType::Aaaa => 28,
        RecordType::Srv => 33,
        RecordType::Tlsa => 52,
    }
}

fn kind_of(record: &Record) -> RecordType {
    match record {
        Record::A(_) => RecordType::A,
        Record::Aaaa(_) => RecordType::Aaaa,
        Record::Mx(..) => RecordType::Mx,
        Record::Txt(_) => RecordType::Txt,
        Record::Ptr(_) => RecordType::Ptr,
        Record::Tlsa(..) => RecordType::Tlsa,
        Record::Cname(_) => RecordType::Cname,
        Record::Srv(..) => RecordType::Srv,
    }
}

const FAULTS: &[&str] = &[
    "!nxdomain",
    "!servfail",
    "!refused",
    "!formerr",
    "!notimp",
    "!silent",
    "!referral",
    "!garbage",
    "!short",
    "!counts",
    "!loop",
    "!forward",
    "!endless",
    "!huge",
    "!nul",
    "!wrong-name",
    "!wrong-id",
    "!wrong-question",
    "!no-question",
    "!forged",
    "!spoofed",
    "!wrong-case",
    "!poison",
    "!class",
    "!ad",
    "!alone",
    "!truncated",
    "!truncated-always",
    "!tcp-hangs",
    "!tcp-half",
    "!tcp-closes",
];

fn read_script(text: &str) -> Result<Script, String> {
    let mut script = Script::default();
    for (number, line) in text.lines().enumerate() {
        let words = words_of(line);
        let Some((name, rest)) = words.split_first() else {
            continue;
        };
        let entry = script.names.entry(canonical(name)).or_default();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        read_line(entry, &rest).map_err(|why| format!("script line {}: {why}: {line}", number + 1))?;
    }
    Ok(script)
}

fn read_line(entry: &mut Entry, words: &[&str]) -> Result<(), String> {
    let fault = |word: &str| match FAULTS.contains(&word) {
        true => Ok(word.to_owned()),
        false => Err(format!("{word} is not a fault")),
    };
    match words {
        ["!delay", time] => entry.delay = Some(read_duration(time)?),
        [word] if word.starts_with('!') => entry.faults.push((None, fault(word)?)),
        [kind, word] if word.starts_with('!') => entry.faults.push((Some(read_kind(kind)?), fault(word)?)),
        [ttl, kind, value @ ..] if ttl.parse::<u32>().is_ok() => {
            let ttl = ttl.parse().unwrap_or(TTL_DEFAULT);
            read_record(entry, ttl, kind, value)?;
        }
        [kind, value @ ..] => read_record(entry, TTL_DEFAULT, kind, value)?,
        [] => return Err("a type or a fault is missing".into()),
    }
    Ok(())
}

fn read_record(entry: &mut Entry, ttl: u32, kind: &str, value: &[&str]) -> Result<(), String> {
    let kind = read_kind(kind)?;
    entry.records.push((kind, read_value(kind, value)?, ttl));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_in_a_script_name_the_line() {
        for text in [
            "x.example !what",
            "x.example A !what",
            "x.example",
            "x.example A 1.2",
        ] {
            let error = read_script(&format!("; first\n{text}")).err().unwrap();
            assert!(error.starts_with("script line 2: "), "{error}");
        }
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a client for the server above")]
    async fn a_question_is_answered_over_udp() {
        let server = HostileDns::start("a.example 60 A 192.0.2.7").await.unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let question =
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01A\x07example\x00\x00\x01\x00\x01";
        socket.send_to(question, server.addr()).await.unwrap();
        let mut answer = [0; 512];
        let (length, _) = socket.recv_from(&mut answer).await.unwrap();
        assert_eq!(answer[..2], [0x12, 0x34]);
        assert_eq!(answer[6..8], [0, 1], "one answer");
        assert_eq!(answer[length - 4..length], [192, 0, 2, 7]);
        let asked = server.asked();
        assert_eq!(
            (asked[0].name.as_str(), asked[0].id, asked[0].tcp),
            ("A.example", 0x1234, false)
        );
    }
}
