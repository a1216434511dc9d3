//! One IMAP connection of the stress test, and the responses it reads as values. Reading stops at a deadline without losing octets, for IDLE.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// What the server said without a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// `* n EXISTS`
    Exists(u32),
    /// `* n EXPUNGE`
    Expunge(u32),
    /// `* VANISHED`, and whether `(EARLIER)`
    Vanished(bool, Vec<(u32, u32)>),
    /// `* n FETCH (…)`
    Fetch(Fetched),
    /// `* SEARCH …`
    Search(Vec<u32>),
    /// `* BYE`
    Bye,
    /// everything else, as text
    Other(String),
}

/// One FETCH response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Fetched {
    pub seq: u32,
    pub uid: Option<u32>,
    pub flags: Option<BTreeSet<String>>,
    pub modseq: Option<u64>,
    /// the octets of the last literal
    pub literal: Option<Vec<u8>>,
}

/// Reads one whole response line, literals included, without its CR LF.
pub fn response(line: &[u8]) -> Result<Response, String> {
    let text = String::from_utf8_lossy(line).into_owned();
    let rest = text
        .strip_prefix("* ")
        .ok_or_else(|| format!("no response: {text}"))?;
    let (first, after) = rest.split_once(' ').unwrap_or((rest, ""));
    if let Ok(number) = first.parse::<u32>() {
        return numbered(number, after, line).ok_or_else(|| format!("cannot read {text}"));
    }
    Ok(match first {
        "BYE" => Response::Bye,
        "SEARCH" => Response::Search(after.split(' ').filter_map(|word| word.parse().ok()).collect()),
        "VANISHED" => {
            let earlier = after.strip_prefix("(EARLIER) ");
            let set = ranges(earlier.unwrap_or(after)).ok_or_else(|| format!("cannot read {text}"))?;
            Response::Vanished(earlier.is_some(), set)
        }
        _ => Response::Other(text),
    })
}

fn numbered(number: u32, after: &str, line: &[u8]) -> Option<Response> {
    match after {
        "EXISTS" => return Some(Response::Exists(number)),
        "EXPUNGE" => return Some(Response::Expunge(number)),
        _ if !after.starts_with("FETCH (") => return Some(Response::Other(after.to_owned())),
        _ => {}
    }
    let start = line.windows(7).position(|window| window == b"FETCH (")? + 7;
    let mut scan = Scan { rest: &line[start..] };
    let mut fetched = Fetched {
        seq: number,
        ..Fetched::default()
    };
    while let Some(name) = scan.item()? {
        let value = scan.item()??;
        match name.text.as_str() {
            "UID" => fetched.uid = Some(value.text.parse().ok()?),
            "MODSEQ" => fetched.modseq = Some(value.list.first()?.parse().ok()?),
            "FLAGS" => {
                fetched.flags = Some(value.list.into_iter().filter(|flag| flag != "\\Recent").collect())
            }
            _ => fetched.literal = value.literal.or(fetched.literal),
        }
    }
    Some(Response::Fetch(fetched))
}

#[derive(Default)]
struct Item {
    text: String,
    list: Vec<String>,
    literal: Option<Vec<u8>>,
}

struct Scan<'l> {
    rest: &'l [u8],
}

impl Scan<'_> {
    /// The next item; `Some(None)` at the closing parenthesis.
    fn item(&mut self) -> Option<Option<Item>> {
        while self.rest.first() == Some(&b' ') {
            self.rest = &self.rest[1..];
        }
        match *self.rest.first()? {
            b')' => {
                self.rest = &self.rest[1..];
                Some(None)
            }
            b'(' => {
                self.rest = &self.rest[1..];
                let mut list = Item::default();
                while let Some(item) = self.item()? {
                    list.list.push(item.text);
                }
                Some(Some(list))
            }
            b'{' | b'~' => self.literal().map(Some),
            b'"' => {
                let end = self.rest[1..].iter().position(|&byte| byte == b'"')? + 1;
                let text = String::from_utf8_lossy(&self.rest[1..end]).into_owned();
                self.rest = &self.rest[end + 1..];
                let literal = Some(text.clone().into_bytes());
                Some(Some(Item {
                    text,
                    literal,
                    ..Item::default()
                }))
            }
            _ => Some(Some(self.atom())),
        }
    }

    /// An atom; what stands in brackets belongs to it.
    fn atom(&mut self) -> Item {
        let mut inside = false;
        let end = self.rest.iter().position(|&byte| {
            inside = (inside || byte == b'[') && byte != b']';
            !inside && matches!(byte, b' ' | b'(' | b')')
        });
        let (atom, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        Item {
            text: String::from_utf8_lossy(atom).into_owned(),
            ..Item::default()
        }
    }

    fn literal(&mut self) -> Option<Item> {
        let open = self.rest.iter().position(|&byte| byte == b'{')?;
        let close = self.rest.iter().position(|&byte| byte == b'}')?;
        let size: usize = std::str::from_utf8(&self.rest[open + 1..close])
            .ok()?
            .parse()
            .ok()?;
        let octets = self.rest.get(close + 3..close + 3 + size)?;
        self.rest = &self.rest[close + 3 + size..];
        Some(Item {
            literal: Some(octets.to_vec()),
            ..Item::default()
        })
    }
}

/// A set of numbers on the wire.
pub fn ranges(text: &str) -> Option<Vec<(u32, u32)>> {
    text.split(',')
        .map(|range| {
            let (first, last) = range.split_once(':').unwrap_or((range, range));
            Some((first.parse().ok()?, last.parse().ok()?))
        })
        .collect()
}

/// The words behind a response code's name, up to the bracket.
pub fn code<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let start = text.find(&format!("[{name} "))? + name.len() + 2;
    let end = text[start..].find(']')? + start;
    Some(&text[start..end])
}

/// A connection.
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
    tag: u32,
}

impl Wire {
    /// Connects; the greeting is read.
    pub fn connect(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut wire = Self {
            stream,
            unread: Vec::new(),
            tag: 0,
        };
        wire.line(ANSWER_LIMIT)?;
        Ok(wire)
    }

    /// Sends a command; its tag.
    pub fn send(&mut self, command: &[u8]) -> std::io::Result<String> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        let mut octets = tag.clone().into_bytes();
        octets.push(b' ');
        octets.extend_from_slice(command);
        octets.extend_from_slice(b"\r\n");
        self.stream.write_all(&octets)?;
        Ok(tag)
    }

    /// Sends a line without a tag.
    pub fn send_raw(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(octets)
    }

    /// The next line, literals included; waits as long as an answer may take.
    pub fn next(&mut self) -> std::io::Result<Vec<u8>> {
        self.line(ANSWER_LIMIT)
    }

    /// The next line; `WouldBlock` when none came in time.
    pub fn line(&mut self, limit: Duration) -> std::io::Result<Vec<u8>> {
        self.stream.set_read_timeout(Some(limit))?;
        loop {
            if let Some(end) = line_end(&self.unread) {
                let rest = self.unread.split_off(end);
                let mut line = std::mem::replace(&mut self.unread, rest);
                line.truncate(end - 2);
                return Ok(line);
            }
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::TimedOut => return Err(ErrorKind::WouldBlock.into()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Where the first whole line ends, behind its CR LF; an announced literal goes on.
fn line_end(octets: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let line = from + octets.get(from..)?.windows(2).position(|pair| pair == b"\r\n")?;
        let announced = octets[from..line].strip_suffix(b"}").and_then(|head| {
            let open = head.iter().rposition(|&byte| byte == b'{')?;
            std::str::from_utf8(&head[open + 1..]).ok()?.parse::<usize>().ok()
        });
        match announced {
            None => return Some(line + 2),
            Some(size) => from = line + 2 + size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_read() {
        let fetched = Fetched {
            seq: 3,
            uid: Some(9),
            flags: Some(["\\Seen".to_owned()].into()),
            modseq: Some(77),
            literal: Some(b"X-Stress: a\r\n".to_vec()),
        };
        for (line, wanted) in [
            ("* 7 EXISTS", Response::Exists(7)),
            ("* 7 EXPUNGE", Response::Expunge(7)),
            (
                "* VANISHED (EARLIER) 1:3,7",
                Response::Vanished(true, vec![(1, 3), (7, 7)]),
            ),
            ("* VANISHED 4", Response::Vanished(false, vec![(4, 4)])),
            ("* SEARCH 2 5 (MODSEQ 9)", Response::Search(vec![2, 5])),
            (
                "* 3 FETCH (UID 9 FLAGS (\\Seen \\Recent) MODSEQ (77) BODY[HEADER.FIELDS (X-STRESS)] {13}\r\nX-Stress: a\r\n)",
                Response::Fetch(fetched),
            ),
            ("* BYE x", Response::Bye),
        ] {
            assert_eq!(response(line.as_bytes()), Ok(wanted), "{line}");
        }
        assert_eq!(code("OK [APPENDUID 3 9] done", "APPENDUID"), Some("3 9"));
        assert_eq!(line_end(b"* x {3}\r\nabc)\r\nmore"), Some(15));
        assert_eq!(line_end(b"* x {3}\r\nabc"), None);
    }
}
