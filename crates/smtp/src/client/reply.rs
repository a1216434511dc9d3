//! Reads replies.
//!
//! ```text
//! Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF     (RFC 5321 §4.2)
//! Reply-code = %x32-35 %x30-35 %x30-39
//! ```

use std::fmt;

use crate::limits::{PEER_REPLY_BYTES, PEER_REPLY_LINE_BYTES};

/// One whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// the three digits: 200 to 599
    pub code: u16,
    /// the enhanced status code at the head of the first line (RFC 2034), when its class is that of the code
    pub enhanced: Option<(u8, u16, u16)>,
    /// the text of each line behind the code, enhanced code included. Never empty; control characters are `?`, and each
    /// has at most [`PEER_REPLY_LINE_BYTES`] octets of what the server sent.
    pub lines: Vec<String>,
}

impl Reply {
    /// Reads exactly one reply; for tests and for replies that were kept as text.
    ///
    /// # Errors
    /// When `bytes` are not one whole reply.
    pub fn read(bytes: &[u8]) -> Result<Self, BrokenReply> {
        let mut reader = ReplyReader::new();
        let pushed = reader.push(bytes)?;
        match pushed.reply {
            Some(reply) if pushed.consumed == bytes.len() => Ok(reply),
            _ => Err(BrokenReply::Malformed("not one whole reply".to_owned())),
        }
    }

    /// The text of all lines on one; an enhanced code stands once, at its head.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (at, line) in self.lines.iter().enumerate() {
            let line = match enhanced_of(self.code, line) {
                Some((_, rest)) if at > 0 => rest,
                _ => line,
            };
            if !text.is_empty() && !line.is_empty() {
                text.push(' ');
            }
            text.push_str(line);
        }
        text
    }

    /// Reads one line, without its end, as a kept reply or a table of tests has it: `550 5.1.1 Nobody`.
    fn line(line: &[u8]) -> Result<(u16, bool, String), BrokenReply> {
        let malformed =
            || BrokenReply::Malformed(visible(line.get(..line.len().min(80)).unwrap_or_default()));
        let (digits, rest) = line.split_at_checked(3).ok_or_else(malformed)?;
        let code = match digits {
            [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9'] => digits
                .iter()
                .fold(0_u16, |code, digit| code * 10 + u16::from(digit - b'0')),
            _ => return Err(malformed()),
        };
        match rest.split_first() {
            None => Ok((code, true, String::new())),
            Some((b' ', text)) => Ok((code, true, visible(text))),
            Some((b'-', text)) => Ok((code, false, visible(text))),
            Some(_) => Err(malformed()),
        }
    }
}

impl fmt::Display for Reply {
    /// `550 5.1.1 Nobody of this name`, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        if text.is_empty() {
            return write!(f, "{}", self.code);
        }
        write!(f, "{} {text}", self.code)
    }
}

/// Text for logs and reports: UTF-8 as far as it is, control characters as `?`.
fn visible(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .trim_end()
        .chars()
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect()
}

/// `class "." subject "." detail` at the head of `line`, with the class of `code` (RFC 2034 §4), and what follows.
fn enhanced_of(code: u16, line: &str) -> Option<((u8, u16, u16), &str)> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut numbers = word.split('.');
    let mut number = || {
        let digits = numbers.next()?;
        let good = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| digits.parse::<u16>().ok())?
    };
    let (class, subject, detail) = (number()?, number()?, number()?);
    let whole = numbers.next().is_none() && class == code / 100 && class != 3;
    let class = u8::try_from(class).ok().filter(|_| whole)?;
    Some(((class, subject, detail), rest))
}

/// Why what a server sends is no reply. The connection is to be closed; to the message it is a temporary failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokenReply {
    /// More than [`PEER_REPLY_BYTES`].
    TooLarge,
    /// No code, or lines with different codes; with the start of the line.
    Malformed(String),
}

impl fmt::Display for BrokenReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(
                f,
                "the server sends a reply of more than {PEER_REPLY_BYTES} octets"
            ),
            Self::Malformed(line) => write!(f, "the server sends something that is no SMTP reply: {line}"),
        }
    }
}

impl std::error::Error for BrokenReply {}

/// What came of some input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// octets of the input that are done with; what is behind them belongs to the next reply
    pub consumed: usize,
    /// a whole reply, if one ended here
    pub reply: Option<Reply>,
}

/// Makes replies of what arrives, however it is cut. Holds at most one reply.
#[derive(Debug, Default)]
pub struct ReplyReader {
    line: Vec<u8>,
    code: Option<u16>,
    lines: Vec<String>,
    seen_bytes: usize,
}

impl ReplyReader {
    /// Waits for the first octet of a reply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether part of a reply has come.
    pub fn in_reply(&self) -> bool {
        self.seen_bytes > 0
    }

    /// Takes from the start of `input` up to the end of one reply. Call again with the rest.
    ///
    /// # Errors
    /// When it is no reply. Nothing that follows can be understood.
    pub fn push(&mut self, input: &[u8]) -> Result<Pushed, BrokenReply> {
        let mut consumed = 0;
        while let Some(found) = memchr::memchr(b'\n', &input[consumed..]) {
            self.take(&input[consumed..=consumed + found])?;
            consumed += found + 1;
            if let Some(reply) = self.end_line()? {
                return Ok(Pushed {
                    consumed,
                    reply: Some(reply),
                });
            }
        }
        self.take(&input[consumed..])?;
        Ok(Pushed {
            consumed: input.len(),
            reply: None,
        })
    }

    /// Keeps what the line has room for; counts everything.
    fn take(&mut self, bytes: &[u8]) -> Result<(), BrokenReply> {
        self.seen_bytes = self.seen_bytes.saturating_add(bytes.len());
        if self.seen_bytes > PEER_REPLY_BYTES {
            return Err(BrokenReply::TooLarge);
        }
        let room = (PEER_REPLY_LINE_BYTES + 4).saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Reply>, BrokenReply> {
        let line = std::mem::take(&mut self.line);
        let (code, last, text) = Reply::line(quirk_line_end(&line))?;
        // RFC 5321 §4.2.1: the code is the same on every line.
        if self.code.is_some_and(|first| first != code) {
            return Err(BrokenReply::Malformed(format!(
                "{code} in a reply of other codes"
            )));
        }
        self.code = Some(code);
        self.lines.push(text);
        if !last {
            return Ok(None);
        }
        let lines = std::mem::take(&mut self.lines);
        (self.code, self.seen_bytes) = (None, 0);
        let enhanced = enhanced_of(code, &lines[0]).map(|(enhanced, _)| enhanced);
        Ok(Some(Reply {
            code,
            enhanced,
            lines,
        }))
    }
}

/// Some servers end their lines with LF alone. In a reply that can mean nothing else; what we write always has CR LF.
fn quirk_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn replies_are_read_and_what_is_none_is_not() {
        type Want = Result<(u16, Option<(u8, u16, u16)>, &'static str), ()>;
        let table: &[(&[u8], Want)] = &[
            (b"250 ok\r\n", Ok((250, None, "ok"))),
            (b"250\r\n", Ok((250, None, ""))),
            (b"250 \r\n", Ok((250, None, ""))),
            (b"250 ok\n", Ok((250, None, "ok"))),
            (b"250-a\r\n250-b\r\n250 c\r\n", Ok((250, None, "a b c"))),
            (b"250-a\r\n250\r\n", Ok((250, None, "a"))),
            (b"550 5.1.1 no\r\n", Ok((550, Some((5, 1, 1)), "5.1.1 no"))),
            (
                b"550-5.1.1 no\r\n550 5.1.1 one\r\n",
                Ok((550, Some((5, 1, 1)), "5.1.1 no one")),
            ),
            (b"450 5.1.1 no\r\n", Ok((450, None, "5.1.1 no"))),
            (b"550 5.1 no\r\n", Ok((550, None, "5.1 no"))),
            (b"550 5.1.1.1 no\r\n", Ok((550, None, "5.1.1.1 no"))),
            (b"550 5.1.1111 no\r\n", Ok((550, None, "5.1.1111 no"))),
            (b"550 5.7.509\r\n", Ok((550, Some((5, 7, 509)), "5.7.509"))),
            (b"354 3.0.0 go\r\n", Ok((354, None, "3.0.0 go"))),
            (b"250 a\x07b\rc\r\n", Ok((250, None, "a?b?c"))),
            (b"250 gr\xc3\xbc\xff\r\n", Ok((250, None, "gr\u{fc}\u{fffd}"))),
            (b"599 x\r\n", Ok((599, None, "x"))),
            (b"250-a\r\n251 b\r\n", Err(())),
            (b"250-a\r\n\r\n", Err(())),
            (b"250", Err(())),
            (b"250-a\r\n", Err(())),
            (b"250 a\r\n250 b\r\n", Err(())),
            (b"\r\n", Err(())),
            (b"25 ok\r\n", Err(())),
            (b"2500 ok\r\n", Err(())),
            (b"250\tok\r\n", Err(())),
            (b"199 x\r\n", Err(())),
            (b"600 x\r\n", Err(())),
            (b"SSH-2.0-OpenSSH\r\n", Err(())),
        ];
        for (bytes, want) in table {
            let got = Reply::read(bytes);
            let got = got
                .as_ref()
                .map(|reply| (reply.code, reply.enhanced, reply.text()));
            let got = got
                .as_ref()
                .map(|(code, enhanced, text)| (*code, *enhanced, text.as_str()));
            assert_eq!(got.map_err(|_| ()), *want, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn q_7_an_endless_reply_is_broken_and_memory_stays_flat() {
        let mut reader = ReplyReader::new();
        let mut sent = 0;
        let broken = loop {
            match reader.push(b"250-more and more and more\r\n") {
                Ok(pushed) => sent += pushed.consumed,
                Err(broken) => break broken,
            }
        };
        assert_eq!(broken, BrokenReply::TooLarge);
        assert!(sent <= PEER_REPLY_BYTES);

        let mut reader = ReplyReader::new();
        let _ = reader.push(b"250 ");
        let broken = loop {
            match reader.push(&[b'x'; 4096]) {
                Ok(_) => assert!(reader.line.capacity() <= 4 * PEER_REPLY_LINE_BYTES),
                Err(broken) => break broken,
            }
        };
        assert_eq!(broken, BrokenReply::TooLarge);
    }

    #[test]
    fn q_7_of_a_long_line_the_start_is_kept() {
        let mut bytes = b"550 ".to_vec();
        bytes.extend(vec![b'x'; 30_000]);
        bytes.extend(b"\r\n");
        let reply = Reply::read(&bytes).expect("a long line is still a reply");
        assert_eq!(reply.lines[0].len(), PEER_REPLY_LINE_BYTES);
    }

    #[test]
    fn several_replies_of_one_piece_are_read_one_by_one() {
        let input = b"250 a\r\n550 5.1.1 b\r\n354 c\r\n45";
        let mut reader = ReplyReader::new();
        let (mut at, mut codes) = (0, Vec::new());
        while at < input.len() {
            let pushed = reader.push(&input[at..]).expect("replies");
            at += pushed.consumed;
            codes.extend(pushed.reply.map(|reply| reply.code));
        }
        assert_eq!(codes, [250, 550, 354]);
        assert!(reader.in_reply());
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_same_reply_comes_out(
            texts in proptest::collection::vec("[ -~]{0,40}", 1..6),
            cut in 1_usize..9,
        ) {
            let mut bytes = Vec::new();
            for (at, text) in texts.iter().enumerate() {
                let mark = if at + 1 == texts.len() { ' ' } else { '-' };
                bytes.extend(format!("250{mark}{text}\r\n").into_bytes());
            }
            let whole = Reply::read(&bytes).expect("a reply");
            let mut reader = ReplyReader::new();
            let mut got = None;
            for piece in bytes.chunks(cut) {
                let pushed = reader.push(piece).expect("a reply");
                prop_assert_eq!(pushed.consumed, piece.len());
                got = got.or(pushed.reply);
            }
            prop_assert_eq!(got, Some(whole));
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut reader = ReplyReader::new();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let Ok(pushed) = reader.push(rest) else { break };
                prop_assert!(pushed.consumed > 0);
                if let Some(reply) = pushed.reply {
                    prop_assert!(!reply.to_string().contains(char::is_control));
                }
                rest = &rest[pushed.consumed..];
            }
        }
    }
}
