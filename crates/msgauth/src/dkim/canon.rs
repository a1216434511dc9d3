//! Canonicalisation (RFC 6376 §3.4): header fields at once, the body as it streams by. Pure.

use memchr::memchr;

/// How much change on the way a signature forgives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canon {
    /// none (RFC 6376 §3.4.1, §3.4.3)
    Simple,
    /// white space (RFC 6376 §3.4.2, §3.4.4)
    Relaxed,
}

/// Appends one header field, with its line end. `field` is the whole field as it stands in the message.
pub fn header_field(canon: Canon, field: &[u8], out: &mut Vec<u8>) {
    match canon {
        Canon::Simple => out.extend_from_slice(field),
        Canon::Relaxed => relaxed_field(field, out),
    }
}

fn relaxed_field(field: &[u8], out: &mut Vec<u8>) {
    let colon = memchr(b':', field).unwrap_or(field.len());
    out.extend(field[..colon].trim_ascii().iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let mut space = false;
    let began = out.len();
    for byte in field.get(colon + 1..).unwrap_or_default() {
        match byte {
            b' ' | b'\t' => space = true,
            b'\r' | b'\n' => {}
            other => {
                if std::mem::take(&mut space) && out.len() > began {
                    out.push(b' ');
                }
                out.push(*other);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// A body as it streams by, cut anywhere. What comes out goes to a function.
///
/// Empty lines and white space that may still turn out to be the end are counted, never kept: memory does not grow with the body.
#[derive(Debug, Clone)]
pub struct BodyCanon {
    canon: Canon,
    /// line ends that have not been written
    line_ends: u64,
    /// a space that has not been written (relaxed)
    space: bool,
    /// a CR that may begin a line end
    cr: bool,
    /// anything was written
    any: bool,
}

const LINE_ENDS: &[u8] = b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";

impl BodyCanon {
    /// Starts a body.
    pub fn new(canon: Canon) -> Self {
        Self {
            canon,
            line_ends: 0,
            space: false,
            cr: false,
            any: false,
        }
    }

    /// Takes octets; writes those that are sure to stay.
    pub fn take(&mut self, mut octets: &[u8], out: &mut impl FnMut(&[u8])) {
        if octets.is_empty() {
            return;
        }
        if std::mem::take(&mut self.cr) {
            match octets.strip_prefix(b"\n") {
                Some(rest) => {
                    self.line_end();
                    octets = rest;
                }
                None => self.text(b"\r", out),
            }
        }
        while let Some(at) = memchr(b'\r', octets) {
            self.text(&octets[..at], out);
            octets = match &octets[at + 1..] {
                [] => {
                    self.cr = true;
                    return;
                }
                [b'\n', rest @ ..] => {
                    self.line_end();
                    rest
                }
                rest => {
                    self.text(b"\r", out);
                    rest
                }
            };
        }
        self.text(octets, out);
    }

    /// Ends the body.
    pub fn finish(mut self, out: &mut impl FnMut(&[u8])) {
        if self.cr {
            self.text(b"\r", out);
        }
        // Simple: even an empty body is one line end. Relaxed: an empty body stays empty.
        if self.canon == Canon::Simple || self.any {
            out(b"\r\n");
        }
    }

    fn line_end(&mut self) {
        self.line_ends += 1;
        self.space = false;
    }

    /// Octets of one line.
    fn text(&mut self, octets: &[u8], out: &mut impl FnMut(&[u8])) {
        match self.canon {
            Canon::Simple if octets.is_empty() => {}
            Canon::Simple => {
                self.catch_up(out);
                out(octets);
            }
            Canon::Relaxed => self.relaxed_text(octets, out),
        }
    }

    fn relaxed_text(&mut self, mut octets: &[u8], out: &mut impl FnMut(&[u8])) {
        while !octets.is_empty() {
            let word = octets.iter().position(|byte| matches!(byte, b' ' | b'\t'));
            let (text, rest) = octets.split_at(word.unwrap_or(octets.len()));
            if !text.is_empty() {
                self.catch_up(out);
                out(text);
            }
            let blanks = rest
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t'))
                .count();
            self.space |= blanks > 0;
            octets = &rest[blanks..];
        }
    }

    /// Writes what was held back, because text follows.
    fn catch_up(&mut self, out: &mut impl FnMut(&[u8])) {
        while self.line_ends > 0 {
            let now = self.line_ends.min(LINE_ENDS.len() as u64 / 2);
            out(&LINE_ENDS[..2 * now as usize]);
            self.line_ends -= now;
        }
        if std::mem::take(&mut self.space) {
            out(b" ");
        }
        self.any = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(canon: Canon, pieces: &[&[u8]]) -> Vec<u8> {
        let mut written = Vec::new();
        let mut out = |octets: &[u8]| written.extend_from_slice(octets);
        let mut body = BodyCanon::new(canon);
        for piece in pieces {
            body.take(piece, &mut out);
        }
        body.finish(&mut out);
        written
    }

    #[test]
    fn bodies_are_made_canonical() {
        let table: &[(&[u8], &[u8], &[u8])] = &[
            (b"", b"\r\n", b""),
            (b"\r\n\r\n", b"\r\n", b""),
            (b" \r\n", b" \r\n", b""),
            (
                b" C \r\nD \t E\r\n\r\n\r\n",
                b" C \r\nD \t E\r\n",
                b" C\r\nD E\r\n",
            ),
            (b"a", b"a\r\n", b"a\r\n"),
            (b"a  ", b"a  \r\n", b"a\r\n"),
            (b"a\r\n \t\r\n\r\n", b"a\r\n \t\r\n", b"a\r\n"),
            (b"a\r\n \t\r\n b\r\n", b"a\r\n \t\r\n b\r\n", b"a\r\n\r\n b\r\n"),
            (b"a\rb\nc\r", b"a\rb\nc\r\r\n", b"a\rb\nc\r\r\n"),
            (b"a \r b", b"a \r b\r\n", b"a \r b\r\n"),
        ];
        for (text, simple, relaxed) in table {
            assert_eq!(body(Canon::Simple, &[text]), *simple, "{}", text.escape_ascii());
            assert_eq!(body(Canon::Relaxed, &[text]), *relaxed, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn fields_are_made_canonical() {
        let of = |canon, field: &[u8]| {
            let mut out = Vec::new();
            header_field(canon, field, &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(of(Canon::Relaxed, b"A: X\r\n"), "a:X\r\n");
        assert_eq!(of(Canon::Relaxed, b"B : Y\t\r\n\tZ  \r\n"), "b:Y Z\r\n");
        assert_eq!(of(Canon::Relaxed, b"C:\r\n"), "c:\r\n");
        assert_eq!(of(Canon::Relaxed, b"D: \r\n  x"), "d:x\r\n");
        assert_eq!(of(Canon::Simple, b"B : Y\t\r\n\tZ  \r\n"), "B : Y\t\r\n\tZ  \r\n");
    }

    #[test]
    fn aut_9_megabytes_of_white_space_are_counted_and_not_kept() {
        let blank = b" \t\r\n".repeat(1 << 20);
        let mut written = 0usize;
        let mut canon = BodyCanon::new(Canon::Relaxed);
        canon.take(&blank, &mut |octets| written += octets.len());
        assert_eq!(written, 0);
        canon.take(b"x", &mut |octets| written += octets.len());
        assert_eq!(written, (2 << 20) + 1);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "[ab \t\r\n]{0,40}", at in 0usize..40, more in 0usize..40) {
            let text = text.as_bytes();
            let (first, rest) = text.split_at(at.min(text.len()));
            let (second, third) = rest.split_at(more.min(rest.len()));
            for canon in [Canon::Simple, Canon::Relaxed] {
                prop_assert_eq!(body(canon, &[text]), body(canon, &[first, second, third]));
            }
        }
    }
}
