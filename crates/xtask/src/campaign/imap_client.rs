//! A small blocking IMAP client over plaintext loopback (`demo --insecure-auth`), enough to read everything back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// One session.
pub struct Imap {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    tag: u32,
}

/// One response line; literals follow the text in which `{n}` stands, in order.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// the text without literals
    pub text: String,
    /// the literals
    pub literals: Vec<Vec<u8>>,
}

/// All lines of a command's answer; the last is the tagged one.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// untagged lines
    pub untagged: Vec<Line>,
    /// `OK …`, `NO …` or `BAD …`, without the tag
    pub status: String,
}

impl Answer {
    /// Whether the command succeeded.
    pub fn ok(&self) -> bool {
        self.status.starts_with("OK")
    }

    /// The answer if it is OK, else an error with its text.
    pub fn or_error(self) -> std::io::Result<Self> {
        if self.ok() {
            Ok(self)
        } else {
            Err(std::io::Error::other(self.status))
        }
    }

    /// A number in a response code of any line, for example `UIDNEXT`.
    pub fn code_number(&self, name: &str) -> Option<u64> {
        let texts = self
            .untagged
            .iter()
            .map(|line| line.text.as_str())
            .chain([self.status.as_str()]);
        let mut found = None;
        for text in texts {
            if let Some(at) = text.find(&format!("[{name} ")) {
                let digits = text[at + name.len() + 2..]
                    .chars()
                    .take_while(char::is_ascii_digit)
                    .collect::<String>();
                found = digits.parse().ok();
            }
        }
        found
    }
}

impl Imap {
    /// Connects and signs in.
    pub fn sign_in(port: u16, user: &str, password: &str) -> std::io::Result<Self> {
        let writer = TcpStream::connect(("127.0.0.1", port))?;
        writer.set_nodelay(true)?;
        writer.set_read_timeout(Some(Duration::from_secs(60)))?;
        writer.set_write_timeout(Some(Duration::from_secs(60)))?;
        let mut session = Self {
            reader: BufReader::new(writer.try_clone()?),
            writer,
            tag: 0,
        };
        session.line()?;
        session
            .command(&format!("LOGIN {user} \"{password}\""))?
            .or_error()?;
        Ok(session)
    }

    /// Sends a command and reads its whole answer.
    pub fn command(&mut self, command: &str) -> std::io::Result<Answer> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.writer.write_all(format!("{tag} {command}\r\n").as_bytes())?;
        self.answer(&tag)
    }

    /// Sends a command that ends in literals (APPEND, REPLACE).
    pub fn command_with_literals(&mut self, command: &str, literals: &[Vec<u8>]) -> std::io::Result<Answer> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        let mut octets = format!("{tag} {command}").into_bytes();
        for literal in literals {
            octets.extend_from_slice(format!(" {{{}+}}\r\n", literal.len()).as_bytes());
            octets.extend_from_slice(literal);
        }
        octets.extend_from_slice(b"\r\n");
        self.writer.write_all(&octets)?;
        self.answer(&tag)
    }

    fn answer(&mut self, tag: &str) -> std::io::Result<Answer> {
        let mut answer = Answer::default();
        loop {
            let line = self.line()?;
            if let Some(status) = line
                .text
                .strip_prefix(tag)
                .and_then(|rest| rest.strip_prefix(' '))
            {
                answer.status = status.to_owned();
                return Ok(answer);
            }
            answer.untagged.push(line);
        }
    }

    fn line(&mut self) -> std::io::Result<Line> {
        let mut whole = Line::default();
        loop {
            let mut octets = Vec::new();
            self.reader.read_until(b'\n', &mut octets)?;
            if !octets.ends_with(b"\r\n") {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            octets.truncate(octets.len() - 2);
            let text = String::from_utf8_lossy(&octets).into_owned();
            let literal = text
                .strip_suffix('}')
                .and_then(|rest| rest.rsplit_once('{'))
                .map(|(_, size)| size.parse::<usize>());
            whole.text.push_str(&text);
            let Some(Ok(size)) = literal else { return Ok(whole) };
            let mut bytes = vec![0; size];
            self.reader.read_exact(&mut bytes)?;
            whole.literals.push(bytes);
        }
    }
}

/// The number after `name ` in a FETCH or SELECT line.
pub fn number_after(text: &str, name: &str) -> Option<u64> {
    let at = text.find(&format!("{name} "))? + name.len() + 1;
    let digits: String = text[at..]
        .trim_start_matches('(')
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}
