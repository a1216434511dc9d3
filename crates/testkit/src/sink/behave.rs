//! Everything that a well-behaved server does not do.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};

use super::Shared;
use super::script::{Behaviour, class_of};

/// How often a hanging connection looks whether it shall end.
pub(super) const LOOK: Duration = Duration::from_millis(250);
/// Octets of a flood.
const FLOOD_OCTETS: u64 = 1 << 30;
/// Octets of garbage at a time.
const GARBAGE_OCTETS: usize = 4096;
/// Connections that fill a backlog of none: Linux lets one or two in.
const FILLERS: usize = 8;

/// The connection is over; nobody needs to be told.
#[derive(Debug)]
pub(super) struct End;

/// One connection's octets.
pub(super) enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Line {
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(octets),
            Self::Tls(stream) => {
                let count = stream.write(octets)?;
                stream.flush()?;
                Ok(count)
            }
        }
    }

    /// Writes everything; a peer that does not read is waited for until the sink ends.
    pub(super) fn say(&mut self, octets: &[u8], shared: &Shared, generation: u64) -> Result<(), End> {
        let mut rest = octets;
        while !rest.is_empty() {
            match self.write(rest) {
                Ok(0) => return Err(End),
                Ok(count) => rest = &rest[count..],
                Err(error) if is_wait(&error) && !shared.is_over(generation) => {}
                Err(_) => return Err(End),
            }
        }
        Ok(())
    }
}

/// Whether the socket only has nothing now.
pub(super) fn is_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// Misbehaves. `Ok` gives the class of what was said, when the session goes on.
pub(super) fn perform(behaviour: &Behaviour, line: &mut Line, shared: &Shared) -> Result<u8, End> {
    let generation = shared.generation();
    shared.record.misbehaved();
    match behaviour {
        Behaviour::Reply(reply) | Behaviour::Twice(reply) => {
            line.say(reply, shared, generation)?;
            if matches!(behaviour, Behaviour::Twice(_)) {
                line.say(reply, shared, generation)?;
            }
            // RFC 5321 §3.8: 421 announces the end.
            if reply.starts_with(b"421") {
                return close(line);
            }
            Ok(class_of(reply))
        }
        Behaviour::Garbage => {
            line.say(&garbage(), shared, generation)?;
            Ok(b'?')
        }
        Behaviour::Reset => {
            // Unread octets or not: the peer gets RST.
            let _ = rustix::net::sockopt::set_socket_linger(line.socket(), Some(Duration::ZERO));
            Err(End)
        }
        Behaviour::Silence => hang(line, shared, generation, Duration::MAX, b""),
        Behaviour::Drip(pause) => hang(line, shared, generation, *pause, b"250-slow and slower "),
        Behaviour::Endless => pour(line, shared, u64::MAX, &b"250-and another line\r\n".repeat(100)),
        Behaviour::Flood => {
            line.say(b"250-", shared, generation)?;
            pour(line, shared, FLOOD_OCTETS, &[b'a'; GARBAGE_OCTETS])
        }
        Behaviour::Good
        | Behaviour::Close
        | Behaviour::LateClose(_)
        | Behaviour::Refuse
        | Behaviour::BlackHole
        | Behaviour::Abort
        | Behaviour::Certificate(_) => close(line),
    }
}

fn close(line: &Line) -> Result<u8, End> {
    // Already closed is closed.
    let _ = line.socket().shutdown(Shutdown::Both);
    Err(End)
}

/// Says `text` again and again, so many octets, or until the peer or the script has enough.
fn pour(line: &mut Line, shared: &Shared, octets: u64, text: &[u8]) -> Result<u8, End> {
    let generation = shared.generation();
    let mut said = 0;
    while said < octets && !shared.is_over(generation) {
        line.say(text, shared, generation)?;
        said += text.len() as u64;
    }
    close(line)
}

/// Keeps the connection, reads and forgets, and says one octet of `text` after each pause.
fn hang(line: &mut Line, shared: &Shared, generation: u64, pause: Duration, text: &[u8]) -> Result<u8, End> {
    let mut said = Instant::now();
    let mut octets = text.iter().cycle();
    let mut some = [0; 4096];
    while !shared.is_over(generation) {
        if said.elapsed() >= pause
            && let Some(octet) = octets.next()
        {
            line.say(&[*octet], shared, generation)?;
            said = Instant::now();
        }
        match line.read(&mut some) {
            Ok(0) => return Err(End),
            Ok(_) => {}
            Err(error) if is_wait(&error) => {}
            Err(_) => return Err(End),
        }
    }
    close(line)
}

/// Every octet value, with ends of lines in it and at the end.
fn garbage() -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut out: Vec<u8> = (0..GARBAGE_OCTETS)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        })
        .collect();
    out.extend_from_slice(b"\r\n");
    out
}

/// Lets nobody in any more: the backlog is none, and full. The connections are held by the caller.
pub(super) fn fill_backlog(listener: &TcpListener, address: SocketAddr) -> Vec<TcpStream> {
    // Without effect the door is merely silent, which tests of the sink would show.
    let _ = rustix::net::listen(listener, 0);
    (0..FILLERS)
        .map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok())
        .collect()
}
