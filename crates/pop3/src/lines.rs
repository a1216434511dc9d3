//! A message as the lines of an answer (RFC 1939 §3): each ends with CR LF, one that begins with a dot has another before it.
//!
//! A bare CR or LF, which only what a person brought by IMAP can have, becomes CR LF: a client that takes a LF for a line end would
//! otherwise see the answer end at a dot that the sender placed there, and what follows as answers to commands.

use memchr::memchr2;

/// Turns octets into lines, piece by piece.
#[derive(Debug)]
pub struct Lines {
    place: Place,
    /// lines of the body that TOP still wants; `None` wants all
    wanted: Option<u32>,
    in_body: bool,
    done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    LineStart,
    InLine,
    /// after a CR; whether the line it ends was empty is remembered
    AfterCr {
        empty: bool,
    },
}

impl Lines {
    /// A whole message (RETR).
    pub fn whole() -> Self {
        Self::new(None)
    }

    /// Its header, the empty line, and so many lines of its body (TOP).
    pub fn top(lines: u32) -> Self {
        Self::new(Some(lines))
    }

    fn new(wanted: Option<u32>) -> Self {
        Self {
            place: Place::LineStart,
            wanted,
            in_body: false,
            done: false,
        }
    }

    /// Whether more octets would change nothing.
    pub fn done(&self) -> bool {
        self.done
    }

    /// Takes more of the message.
    pub fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while !self.done {
            if let Place::AfterCr { empty } = self.place {
                let Some(&next) = rest.first() else { return };
                rest = if next == b'\n' { &rest[1..] } else { rest };
                self.end_line(empty, out);
                continue;
            }
            if rest.is_empty() {
                return;
            }
            let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            self.text(&rest[..end], out);
            let empty = self.place == Place::LineStart;
            match rest.get(end) {
                Some(b'\r') => self.place = Place::AfterCr { empty },
                Some(_) => self.end_line(empty, out),
                None => {}
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }

    /// The message is over: ends its last line, and the answer.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        match self.place {
            Place::AfterCr { empty } if !self.done => self.end_line(empty, out),
            Place::InLine if !self.done => self.end_line(false, out),
            _ => {}
        }
        out.extend_from_slice(b".\r\n");
    }

    fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let Some(first) = text.first() else { return };
        if self.place == Place::LineStart && *first == b'.' {
            out.push(b'.');
        }
        self.place = Place::InLine;
        out.extend_from_slice(text);
    }

    fn end_line(&mut self, empty: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.place = Place::LineStart;
        if self.in_body {
            self.wanted = self.wanted.map(|lines| lines.saturating_sub(1));
        }
        self.in_body |= empty;
        self.done = self.in_body && self.wanted == Some(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(mut lines: Lines, pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in pieces {
            lines.feed(piece, &mut out);
        }
        lines.finish(&mut out);
        out
    }

    #[test]
    fn rfc_1939_dots_are_doubled_and_the_answer_ends() {
        let table: &[(&[u8], &[u8])] = &[
            (b"", b".\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a.b\r\n..c", b"a.b\r\n...c\r\n.\r\n"),
            (b"\r\n\r\n", b"\r\n\r\n.\r\n"),
        ];
        for (message, said) in table {
            assert_eq!(
                answer(Lines::whole(), &[message]),
                *said,
                "{}",
                message.escape_ascii()
            );
        }
    }

    #[test]
    fn smg_3_bare_line_ends_do_not_end_the_answer() {
        let table: &[(&[u8], &[u8])] = &[
            (b"a\n.\n+OK\n", b"a\r\n..\r\n+OK\r\n.\r\n"),
            (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\n.\r\nb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r\r\nb", b"a\r\n\r\nb\r\n.\r\n"),
            (b"a\r", b"a\r\n.\r\n"),
        ];
        for (message, said) in table {
            assert_eq!(
                answer(Lines::whole(), &[message]),
                *said,
                "{}",
                message.escape_ascii()
            );
        }
    }

    #[test]
    fn top_gives_the_header_and_so_many_lines() {
        let message: &[u8] = b"S: x\r\n folded\r\n\r\none\r\n\r\n.three\r\nfour\r\n";
        let table: &[(u32, &[u8])] = &[
            (0, b"S: x\r\n folded\r\n\r\n.\r\n"),
            (1, b"S: x\r\n folded\r\n\r\none\r\n.\r\n"),
            (3, b"S: x\r\n folded\r\n\r\none\r\n\r\n..three\r\n.\r\n"),
            (9, b"S: x\r\n folded\r\n\r\none\r\n\r\n..three\r\nfour\r\n.\r\n"),
        ];
        for (lines, said) in table {
            assert_eq!(answer(Lines::top(*lines), &[message]), *said, "{lines}");
        }
        assert_eq!(answer(Lines::top(0), &[b"no body"]), b"no body\r\n.\r\n");
        let mut lines = Lines::top(0);
        lines.feed(b"a\r\n\r\nb", &mut Vec::new());
        assert!(lines.done());
    }

    /// What a client makes of an answer that takes LF alone for a line end as well.
    fn read_leniently(answer: &[u8]) -> (Vec<Vec<u8>>, usize) {
        let mut lines = Vec::new();
        let mut read = 0;
        for line in answer.split_inclusive(|&octet| octet == b'\n') {
            read += line.len();
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            match text {
                b"." => break,
                [b'.', rest @ ..] => lines.push(rest.to_vec()),
                text => lines.push(text.to_vec()),
            }
        }
        (lines, read)
    }

    proptest! {
        #[test]
        fn an_answer_ends_where_it_ends_for_everybody_however_it_came(
            octets in proptest::collection::vec(proptest::sample::select(b".\r\nab".to_vec()), 0..60),
            cut in 0usize..60,
        ) {
            let whole = answer(Lines::whole(), &[&octets]);
            let at = cut.min(octets.len());
            prop_assert_eq!(&whole, &answer(Lines::whole(), &[&octets[..at], &octets[at..]]));
            let (lines, read) = read_leniently(&whole);
            prop_assert_eq!(read, whole.len());
            let text = String::from_utf8_lossy(&octets).replace("\r\n", "\n").replace('\r', "\n");
            let text = text.strip_suffix('\n').unwrap_or(&text);
            let wanted: Vec<Vec<u8>> = match octets.is_empty() {
                true => Vec::new(),
                false => text.split('\n').map(|line| line.as_bytes().to_vec()).collect(),
            };
            prop_assert_eq!(lines, wanted);
        }

        #[test]
        fn top_is_the_beginning_of_the_whole(
            octets in proptest::collection::vec(proptest::sample::select(b".\r\nab".to_vec()), 0..60),
            lines in 0u32..6,
        ) {
            let whole = answer(Lines::whole(), &[&octets]);
            let top = answer(Lines::top(lines), &[&octets]);
            prop_assert!(whole.starts_with(&top[..top.len() - 3]));
        }
    }
}
