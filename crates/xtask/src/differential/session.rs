//! One IMAP session that keeps every octet of the answers, literals included.

use crate::report::Outcome;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may think about one command.
const PATIENCE: Duration = Duration::from_secs(300);

/// A signed-in session.
pub struct Session {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    tag: u32,
    /// Port, user, password.
    door: (u16, String, String),
    /// What it announces after sign-in, in capitals, each word with a space on both sides.
    pub capabilities: String,
}

/// What a command was answered.
pub struct Answer {
    /// untagged responses, without their final CRLF
    pub untagged: Vec<Vec<u8>>,
    /// the tagged one, without its tag
    pub status: String,
}

impl Session {
    /// Connects and signs in.
    pub fn open(port: u16, user: &str, password: &str) -> Outcome<Self> {
        let writer = TcpStream::connect(("127.0.0.1", port))?;
        writer.set_nodelay(true)?;
        writer.set_read_timeout(Some(PATIENCE))?;
        let mut session = Self {
            reader: BufReader::with_capacity(1 << 16, writer.try_clone()?),
            writer,
            tag: 0,
            door: (port, user.to_owned(), password.to_owned()),
            capabilities: String::new(),
        };
        session.response()?;
        session.demand(&format!("LOGIN \"{user}\" \"{password}\""))?;
        for line in session.demand("CAPABILITY")?.untagged {
            let line = String::from_utf8_lossy(&line).to_uppercase();
            session.capabilities.push_str(&format!("{line} "));
        }
        Ok(session)
    }

    /// Signs in again after the server left, and opens the mailbox.
    pub fn reopen(&mut self) -> Outcome<()> {
        let (port, user, password) = self.door.clone();
        *self = Self::open(port, &user, &password)?;
        self.demand("EXAMINE compare").map(drop)
    }

    /// Whether it announces this word.
    pub fn can(&self, word: &str) -> bool {
        self.capabilities.contains(&format!(" {word} "))
    }

    /// Sends a command and reads its whole answer. A `{n+}` literal may be part of it.
    pub fn command(&mut self, command: impl AsRef<[u8]>) -> Outcome<Answer> {
        self.tag += 1;
        let tag = format!("d{} ", self.tag);
        let octets = [tag.as_bytes(), command.as_ref(), b"\r\n"].concat();
        self.writer.write_all(&octets)?;
        let mut untagged = Vec::new();
        loop {
            let response = self.response().map_err(|error| {
                let (port, start) = (
                    self.writer.peer_addr().map_or(0, |peer| peer.port()),
                    octets.len().min(100),
                );
                format!("port {port}, {}: {error}", octets[..start].escape_ascii())
            })?;
            if let Some(status) = response.strip_prefix(tag.as_bytes()) {
                let status = String::from_utf8_lossy(status).into_owned();
                return Ok(Answer { untagged, status });
            }
            untagged.push(response);
        }
    }

    /// As [`Session::command`], and it must be OK.
    pub fn demand(&mut self, command: &str) -> Outcome<Answer> {
        let answer = self.command(command)?;
        if answer.status.starts_with("OK") {
            Ok(answer)
        } else {
            Err(format!("{command}: {}", answer.status).into())
        }
    }

    fn response(&mut self) -> Outcome<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let before = whole.len();
            self.reader.read_until(b'\n', &mut whole)?;
            if !whole[before..].ends_with(b"\r\n") {
                return Err("the server closed the connection in the middle of an answer".into());
            }
            let line = &whole[before..whole.len() - 2];
            let Some(size) = announced(line) else {
                whole.truncate(whole.len() - 2);
                return Ok(whole);
            };
            let start = whole.len();
            whole.resize(start + size, 0);
            self.reader.read_exact(&mut whole[start..])?;
        }
    }
}

/// The size of the literal that a line announces at its end.
fn announced(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}")?;
    let open = line.iter().rposition(|&octet| octet == b'{')?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}
