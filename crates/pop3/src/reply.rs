//! Replies: `+OK`, `-ERR` with the codes of RFC 2449 §8 and RFC 3206, and the lines of longer answers.

use crate::limits::REPLY_LINE_BYTES;

/// What a program may make of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The user's other session has the mailbox (RFC 2449 §8.1.2).
    InUse,
    /// Name or password are wrong (RFC 3206 §4).
    Auth,
    /// Trouble of the server that will pass (RFC 3206 §4).
    SysTemp,
    /// Trouble of the server that somebody must look at (RFC 3206 §4).
    SysPerm,
}

impl Code {
    fn word(self) -> &'static str {
        match self {
            Self::InUse => "IN-USE",
            Self::Auth => "AUTH",
            Self::SysTemp => "SYS/TEMP",
            Self::SysPerm => "SYS/PERM",
        }
    }
}

/// Replies that are being made.
#[derive(Debug, Default)]
pub struct Out(Vec<u8>);

impl Out {
    /// `+OK text`.
    pub fn ok(&mut self, text: &str) {
        self.reply("+OK ", text);
    }

    /// `-ERR [code] text`.
    pub fn err(&mut self, code: Option<Code>, text: &str) {
        match code {
            Some(code) => self.reply("-ERR ", &format!("[{}] {text}", code.word())),
            None => self.reply("-ERR ", text),
        }
    }

    /// `+ challenge` (RFC 5034 §4): base64.
    pub fn challenge(&mut self, base64: &str) {
        // A challenge is not text for people: it is never cut.
        self.0.extend_from_slice(b"+ ");
        self.0.extend(base64.bytes().filter(u8::is_ascii_graphic));
        self.0.extend_from_slice(b"\r\n");
    }

    /// One line of an answer of several.
    pub fn line(&mut self, text: &str) {
        self.reply(if text.starts_with('.') { "." } else { "" }, text);
    }

    /// The end of such an answer.
    pub fn end(&mut self) {
        self.0.extend_from_slice(b".\r\n");
    }

    /// For [`crate::Lines`], which writes what is safe.
    pub fn octets(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// How many octets wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes what waits.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    fn reply(&mut self, start: &str, text: &str) {
        let begin = self.0.len();
        self.0.extend_from_slice(start.as_bytes());
        for letter in text.chars() {
            let letter = if letter.is_control() { '?' } else { letter };
            if self.0.len() - begin + letter.len_utf8() > REPLY_LINE_BYTES {
                break;
            }
            self.0
                .extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.0.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Out)) -> String {
        let mut out = Out::default();
        write(&mut out);
        String::from_utf8(out.take()).expect("replies are UTF-8")
    }

    #[test]
    fn replies_are_one_line_each() {
        assert_eq!(written(|out| out.ok("Hello")), "+OK Hello\r\n");
        assert_eq!(written(|out| out.err(None, "No\r\n+OK\0")), "-ERR No??+OK?\r\n");
        assert_eq!(
            written(|out| out.err(Some(Code::InUse), "x")),
            "-ERR [IN-USE] x\r\n"
        );
        assert_eq!(
            written(|out| out.err(Some(Code::SysTemp), "x")),
            "-ERR [SYS/TEMP] x\r\n"
        );
        assert_eq!(written(|out| out.challenge("")), "+ \r\n");
        assert_eq!(written(|out| out.line(".hidden")), "..hidden\r\n");
        assert_eq!(written(|out| out.end()), ".\r\n");
    }

    proptest! {
        #[test]
        fn a_reply_is_never_longer_than_512_octets_nor_more_than_a_line(text in "\\PC{0,600}|.{0,40}") {
            for said in [written(|out| out.ok(&text)), written(|out| out.line(&text))] {
                prop_assert!(said.len() <= 512);
                prop_assert_eq!(said.find("\r\n"), Some(said.len() - 2));
                prop_assert!(said != ".\r\n");
            }
        }
    }
}
