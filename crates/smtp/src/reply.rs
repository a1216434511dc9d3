//! Replies in wire form.
//!
//! ```text
//! Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF     (RFC 5321 §4.2)
//! ```
//! with the enhanced status code (RFC 2034) at the head of every text but those of the banner, EHLO, 334 and 354.

use std::fmt::Write as _;

use crate::limits::REPLY_LINE_BYTES;
use crate::refusal::{Refusal, codes};

/// One or more replies, ready for the wire. Only this crate words positive ones; outside, [`Reply::refuse`] and
/// [`Reply::closing`] make refusals.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a reply that nobody hears"]
pub struct Reply {
    wire: String,
}

impl Reply {
    /// A refusal.
    pub fn refuse(refusal: &Refusal) -> Self {
        Self::coded(refusal.code.code(), refusal.code.enhanced(), &refusal.text)
    }

    /// 421 4.3.2: this server stops; the client should try again.
    pub fn closing(host_name: &str) -> Self {
        let text = format!("{host_name} is closing for a moment: please try again in a minute");
        Self::refuse(&Refusal::new(codes::SHUTTING_DOWN, text))
    }

    /// 421 4.4.2: nothing came in time.
    pub fn timed_out(host_name: &str) -> Self {
        let text = format!("{host_name} has waited too long: please connect again");
        Self::refuse(&Refusal::new(codes::TIMED_OUT, text))
    }

    /// The bytes to write.
    pub fn as_bytes(&self) -> &[u8] {
        self.wire.as_bytes()
    }

    /// The code of the first reply.
    pub fn code(&self) -> u16 {
        self.wire
            .get(..3)
            .and_then(|digits| digits.parse().ok())
            .expect("every constructor writes three digits")
    }

    /// The text of the last line, without code and line end; for logs and tests.
    pub fn last_text(&self) -> &str {
        let line = self.wire.trim_end_matches("\r\n");
        let start = line.rfind("\r\n").map_or(0, |at| at + 2);
        line.get(start + 4..).unwrap_or("")
    }

    pub(crate) fn coded(code: u16, enhanced: (u16, u16, u16), text: &str) -> Self {
        let mut wire = String::with_capacity(text.len() + 16);
        let (class, subject, detail) = enhanced;
        write!(wire, "{code} {class}.{subject}.{detail} ").expect("a String takes everything");
        finish_line(&mut wire, 0, text);
        Self { wire }
    }

    /// Without an enhanced code, one reply of one or more lines.
    pub(crate) fn plain(code: u16, lines: &[&str]) -> Self {
        let mut wire = String::new();
        for (at, line) in lines.iter().enumerate() {
            let start = wire.len();
            let mark = if at + 1 == lines.len() { ' ' } else { '-' };
            write!(wire, "{code}{mark}").expect("a String takes everything");
            finish_line(&mut wire, start, line);
        }
        Self { wire }
    }

    pub(crate) fn then(mut self, next: &Self) -> Self {
        self.wire.push_str(&next.wire);
        self
    }

    pub(crate) fn none() -> Self {
        Self { wire: String::new() }
    }
}

/// Writes `text` so that it cannot end the line: control characters and letters outside ASCII become `?`, and what
/// passes the limit is cut.
fn finish_line(wire: &mut String, start: usize, text: &str) {
    for letter in text.chars() {
        if wire.len() - start >= REPLY_LINE_BYTES {
            break;
        }
        wire.push(if letter == ' ' || letter.is_ascii_graphic() {
            letter
        } else {
            '?'
        });
    }
    wire.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_end_a_reply() {
        let refusal = Refusal::new(
            codes::UNKNOWN_USER,
            "no \r\n250 2.0.0 ok\0 here, J\u{fc}rgen\u{2028}",
        );
        assert_eq!(
            Reply::refuse(&refusal).as_bytes(),
            b"550 5.1.1 no ??250 2.0.0 ok? here, J?rgen?\r\n"
        );
    }

    #[test]
    fn a_reply_line_has_at_most_512_octets() {
        let refusal = Refusal::new(codes::UNKNOWN_USER, "x".repeat(2_000));
        assert_eq!(Reply::refuse(&refusal).as_bytes().len(), 512);
    }

    #[test]
    fn lines_are_marked() {
        let reply = Reply::plain(250, &["a", "b", "c"]);
        assert_eq!(reply.as_bytes(), b"250-a\r\n250-b\r\n250 c\r\n");
        assert_eq!((reply.code(), reply.last_text()), (250, "c"));
    }
}
