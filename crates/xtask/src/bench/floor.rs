//! The floor: a server that does nothing but answer and sync. What it reaches with the same load generator is what this machine
//! leaves any durable server, so a share of it tells more than a share of the bare disk.
//!
//! One thread a connection. A message's octets are appended to one file; whoever finds no sync running syncs for all that have
//! been appended (group commit), then everybody it covered answers `250`. No parsing, no index, no mailbox: `STATUS` counts `RCPT`s.
//!
//! With [`Work`] it keeps a processor busy for as long as a real server would: that tells how near to the floor such a server could come.

use crate::report::{Outcome, Stopwatch};

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What all connections share.
struct Floor {
    file: File,
    state: Mutex<State>,
    synced: Condvar,
    counts: Mutex<HashMap<String, u64>>,
    work: Work,
    /// has the thread beside work for one message
    beside: Mutex<Sender<()>>,
}

/// How long a processor is kept busy for each message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// before the sync, on the thread that answers
    pub path_us: u64,
    /// on another thread, while the answer is on its way
    pub beside_us: u64,
}

#[derive(Default)]
struct State {
    /// octets that wait for the next write
    waiting: Vec<u8>,
    /// appended so far, in messages
    appended: u64,
    /// synced so far, in messages
    durable: u64,
    syncing: bool,
    end: u64,
}

/// Serves until it is killed; prints `{"smtp":PORT,"imap":PORT}` first. `dir` gets the one file.
pub fn serve(dir: &Path, work: Work) -> Outcome<()> {
    std::fs::create_dir_all(dir)?;
    let file = File::create(dir.join("floor"))?;
    // The log that a real server reuses is there already; growing is not what is measured.
    let block = vec![0_u8; 1 << 20];
    for at in 0..256 {
        file.write_all_at(&block, at << 20)?;
    }
    file.sync_all()?;
    let (beside, messages) = channel();
    std::thread::spawn(move || messages.iter().for_each(|()| busy(work.beside_us)));
    let floor = Arc::new(Floor {
        work,
        beside: Mutex::new(beside),
        file,
        state: Mutex::default(),
        synced: Condvar::new(),
        counts: Mutex::default(),
    });
    let (smtp, imap) = (bind()?, bind()?);
    println!(
        "{{\"smtp\":{},\"imap\":{}}}",
        smtp.local_addr()?.port(),
        imap.local_addr()?.port()
    );
    let for_imap = Arc::clone(&floor);
    std::thread::spawn(move || each(&imap, &for_imap, speak_imap));
    each(&smtp, &floor, speak_smtp);
    Ok(())
}

#[allow(
    clippy::disallowed_methods,
    reason = "the floor is a server of its own, beside the one that is measured"
)]
fn bind() -> std::io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0))
}

fn each(listener: &TcpListener, floor: &Arc<Floor>, speak: fn(TcpStream, &Floor) -> std::io::Result<()>) {
    for stream in listener.incoming().flatten() {
        let floor = Arc::clone(floor);
        std::thread::spawn(move || {
            // A client that goes away ends its own connection only.
            let _ = stream.set_nodelay(true).and_then(|()| speak(stream, &floor));
        });
    }
}

fn speak_smtp(mut stream: TcpStream, floor: &Floor) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(128 * 1024, stream.try_clone()?);
    let (mut line, mut replies, mut message) = (String::new(), String::from("220 floor\r\n"), Vec::new());
    let mut recipients = Vec::new();
    loop {
        // A group of commands is answered with one write.
        if reader.buffer().is_empty() {
            stream.write_all(replies.as_bytes())?;
            replies.clear();
        }
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => {
                replies.push_str("250-floor\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 100000000\r\n")
            }
            "RCPT" => {
                let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                recipients.push(address.to_owned());
                replies.push_str("250 ok\r\n");
            }
            "DATA" => {
                replies.push_str("354 go\r\n");
                stream.write_all(replies.as_bytes())?;
                replies.clear();
                read_message(&mut reader, &mut message)?;
                busy(floor.work.path_us);
                floor.commit(&message)?;
                if floor.work.beside_us > 0 {
                    let beside = floor.beside.lock().expect("no thread panics while it sends");
                    beside.send(()).expect("the thread beside lives as long");
                }
                let mut counts = floor.counts.lock().expect("no thread panics while it counts");
                for recipient in recipients.drain(..) {
                    *counts.entry(recipient).or_default() += 1;
                }
                drop(counts);
                replies.push_str("250 ok\r\n");
            }
            "QUIT" => return stream.write_all(b"221 bye\r\n"),
            _ => replies.push_str("250 ok\r\n"),
        }
    }
}

/// Keeps this processor busy.
fn busy(us: u64) {
    let started = Stopwatch::start();
    while started.elapsed() < Duration::from_micros(us) {
        std::hint::spin_loop();
    }
}

fn read_message(reader: &mut BufReader<TcpStream>, message: &mut Vec<u8>) -> std::io::Result<()> {
    message.clear();
    let mut some = vec![0; 64 * 1024];
    while !message.ends_with(b"\r\n.\r\n") {
        let count = reader.read(&mut some)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        message.extend_from_slice(&some[..count]);
    }
    Ok(())
}

impl Floor {
    /// Returns after a sync that began when `message` had been appended.
    fn commit(&self, message: &[u8]) -> std::io::Result<()> {
        let lock = "no thread panics while it holds the state";
        let mut state = self.state.lock().expect(lock);
        state.waiting.extend_from_slice(message);
        state.appended += 1;
        let mine = state.appended;
        while state.durable < mine {
            if state.syncing {
                state = self.synced.wait(state).expect(lock);
                continue;
            }
            state.syncing = true;
            let (octets, covers, at) = (
                std::mem::take(&mut state.waiting),
                state.appended,
                state.end % (200 << 20),
            );
            state.end += octets.len() as u64;
            drop(state);
            self.file.write_all_at(&octets, at)?;
            self.file.sync_data()?;
            state = self.state.lock().expect(lock);
            state.durable = covers;
            state.syncing = false;
            self.synced.notify_all();
        }
        Ok(())
    }
}

fn speak_imap(mut stream: TcpStream, floor: &Floor) -> std::io::Result<()> {
    let reader = BufReader::new(stream.try_clone()?);
    stream.write_all(b"* OK floor\r\n")?;
    let mut user = String::new();
    for line in reader.lines() {
        let line = line?;
        let mut words = line.split(' ');
        let (tag, verb) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let untagged = match verb.to_ascii_uppercase().as_str() {
            "LOGIN" => {
                user = words.next().unwrap_or_default().trim_matches('"').to_owned();
                String::new()
            }
            "CAPABILITY" => "* CAPABILITY IMAP4rev1\r\n".to_owned(),
            "STATUS" => {
                let counts = floor.counts.lock().expect("no thread panics while it counts");
                format!(
                    "* STATUS INBOX (MESSAGES {})\r\n",
                    counts.get(&user).copied().unwrap_or(0)
                )
            }
            _ => String::new(),
        };
        stream.write_all(format!("{untagged}{tag} OK done\r\n").as_bytes())?;
    }
    Ok(())
}
