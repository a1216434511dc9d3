//! Framing of command lines: frame first, then parse.
//!
//! `line = *( %x01-09 / %x0B-0C / %x0E-FF ) CRLF`; nothing but CR LF ends a line (RFC 5321 §2.3.8).

/// What the start of the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// No whole line yet.
    Incomplete,
    /// A line without its CR LF, and how many octets it took with it.
    Line {
        /// the text, free of CR, LF and NUL
        line: &'a [u8],
        /// octets to consume
        consumed: usize,
    },
    /// A line that ends with CR LF but has a bare CR or a NUL inside: it is one line, and wrong.
    BadBytes {
        /// octets to consume
        consumed: usize,
    },
    /// An LF without its CR: where the next command begins is a matter of opinion, so the session must end.
    BareLf,
    /// Longer than the limit.
    TooLong,
}

/// Looks for one line of at most `limit_bytes` (CR LF included) at the start of `input`.
pub fn command_line(input: &[u8], limit_bytes: usize) -> Frame<'_> {
    let window = &input[..input.len().min(limit_bytes)];
    let Some(lf) = window.iter().position(|&byte| byte == b'\n') else {
        return if input.len() >= limit_bytes {
            Frame::TooLong
        } else {
            Frame::Incomplete
        };
    };
    let Some((b'\r', line)) = window[..lf].split_last() else {
        return Frame::BareLf;
    };
    let consumed = lf + 1;
    if line.iter().any(|&byte| byte == b'\r' || byte == 0) {
        return Frame::BadBytes { consumed };
    }
    Frame::Line { line, consumed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smt_1_a_command_line_has_a_limit_and_only_cr_lf_ends_it() {
        let line = |line, consumed| Frame::Line { line, consumed };
        let table: &[(&[u8], Frame<'_>)] = &[
            (b"", Frame::Incomplete),
            (b"NOOP", Frame::Incomplete),
            (b"NOOP\r", Frame::Incomplete),
            (b"NOOP\r\nQUIT\r\n", line(b"NOOP", 6)),
            (b"\r\n", line(b"", 2)),
            (b"NOOP\n", Frame::BareLf),
            (b"\n", Frame::BareLf),
            (b"NO\rOP\r\n", Frame::BadBytes { consumed: 7 }),
            (b"NO\0OP\r\n", Frame::BadBytes { consumed: 7 }),
            (b"NOOP\r\r\n", Frame::BadBytes { consumed: 7 }),
            (b"0123456789\r\n", line(b"0123456789", 12)),
            (b"01234567890\r\n", Frame::TooLong),
            (b"012345678901", Frame::TooLong),
        ];
        for (input, want) in table {
            assert_eq!(
                command_line(input, 12),
                *want,
                "{:?}",
                input.escape_ascii().to_string()
            );
        }
    }
}
