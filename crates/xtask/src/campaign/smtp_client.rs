//! A small blocking SMTP and LMTP client that tells exactly how far it came.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;

/// One session.
pub struct Smtp {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The final reply said 2yz (for LMTP: all of them); the text of the last.
    Acknowledged(String),
    /// Refused, with the reply.
    Refused(String),
    /// The connection broke before the message was offered in full.
    BrokenBefore,
    /// The connection broke after the final dot, before the reply.
    BrokenUnanswered,
}

impl Smtp {
    /// Connects and greets. `lmtp` says LHLO.
    pub fn connect(port: u16, lmtp: bool) -> std::io::Result<Self> {
        let writer = TcpStream::connect(("127.0.0.1", port))?;
        writer.set_nodelay(true)?;
        writer.set_read_timeout(Some(Duration::from_secs(60)))?;
        writer.set_write_timeout(Some(Duration::from_secs(60)))?;
        let mut session = Self {
            reader: BufReader::new(writer.try_clone()?),
            writer,
        };
        session.expect(session_reply_is(2))?;
        session.command(if lmtp {
            "LHLO campaign.test"
        } else {
            "EHLO campaign.test"
        })?;
        Ok(session)
    }

    /// AUTH PLAIN.
    pub fn sign_in(&mut self, user: &str, password: &str) -> std::io::Result<()> {
        let token = base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0{password}"));
        self.command(&format!("AUTH PLAIN {token}")).map(drop)
    }

    /// Sends a line and reads the reply; an error unless it is 2yz or 3yz.
    pub fn command(&mut self, line: &str) -> std::io::Result<String> {
        self.writer.write_all(format!("{line}\r\n").as_bytes())?;
        self.expect(|code| code == b'2' || code == b'3')
    }

    /// Reads one reply, whatever it is.
    pub fn reply(&mut self) -> std::io::Result<String> {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 || !line.ends_with('\n') {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let last = line.as_bytes().get(3) != Some(&b'-');
            all.push_str(&line);
            if last {
                return Ok(all);
            }
        }
    }

    fn expect(&mut self, wanted: impl Fn(u8) -> bool) -> std::io::Result<String> {
        let reply = self.reply()?;
        if wanted(reply.as_bytes()[0]) {
            Ok(reply)
        } else {
            Err(std::io::Error::other(reply))
        }
    }

    /// One message. `body` is complete, CRLF lines, no line begins with a dot.
    pub fn send(&mut self, from: &str, to: &[String], body: &[u8], lmtp: bool) -> Sent {
        match self.offer(from, to) {
            Err(error) if error.kind() == std::io::ErrorKind::Other => {
                return Sent::Refused(error.to_string());
            }
            Err(_) => return Sent::BrokenBefore,
            Ok(()) => {}
        }
        let mut octets = Vec::with_capacity(body.len() + 5);
        octets.extend_from_slice(body);
        octets.extend_from_slice(b".\r\n");
        if self.writer.write_all(&octets).is_err() {
            return Sent::BrokenUnanswered;
        }
        let answers = if lmtp { to.len() } else { 1 };
        let mut last = String::new();
        for _ in 0..answers {
            match self.reply() {
                Ok(reply) if reply.starts_with('2') => last = reply,
                Ok(reply) => return Sent::Refused(reply),
                Err(_) => return Sent::BrokenUnanswered,
            }
        }
        Sent::Acknowledged(last)
    }

    fn offer(&mut self, from: &str, to: &[String]) -> std::io::Result<()> {
        let mut group = format!("MAIL FROM:<{from}>\r\n");
        for recipient in to {
            group.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
        }
        group.push_str("DATA\r\n");
        self.writer.write_all(group.as_bytes())?;
        let mut refused = None;
        for _ in 0..to.len() + 1 {
            let reply = self.reply()?;
            if !reply.starts_with('2') {
                refused.get_or_insert(reply);
            }
        }
        let reply = self.reply()?;
        match refused {
            None if reply.starts_with('3') => Ok(()),
            Some(refusal) => {
                if reply.starts_with('3') {
                    // Some recipient was taken: end the transaction with an empty message we do not count.
                    self.writer.write_all(b".\r\n")?;
                    let _ = self.reply()?;
                }
                Err(std::io::Error::other(refusal))
            }
            None => Err(std::io::Error::other(reply)),
        }
    }
}

fn session_reply_is(class: u8) -> impl Fn(u8) -> bool {
    move |code| code == b'0' + class
}
