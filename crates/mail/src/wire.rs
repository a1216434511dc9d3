//! What may go on the wire. A value of these types has no CR, LF or NUL where it could begin something new: an SMTP
//! command, a header field, the end of a message (threat cases REL-7, REL-8, SMG; CWE-93).
//!
//! There is no way around the constructors:
//! ```compile_fail,E0423
//! let message = mail::wire::WireMessage(b"Subject: x\n.\nRSET\r\n".to_vec());
//! ```
//! ```compile_fail,E0423
//! let argument = mail::wire::SmtpArg("a\r\nRSET".to_owned());
//! ```
//! ```compile_fail,E0423
//! let value = mail::wire::HeaderValue("x\r\nBcc: y".to_owned());
//! ```

use std::fmt;

use crate::address::{Mailbox, Path};
use crate::limits::{ARGUMENT_BYTES, LINE_BYTES};

/// Why bytes may not go on the wire. `at` is the offset of the first offending octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireFault {
    /// A CR that does not stand in a CRLF at the end of a line, or any CR where no line end is allowed.
    BareCr {
        /// Offset in octets.
        at: usize,
    },
    /// A LF that does not stand in a CRLF at the end of a line, or any LF where no line end is allowed.
    BareLf {
        /// Offset in octets.
        at: usize,
    },
    /// A NUL.
    Nul {
        /// Offset in octets.
        at: usize,
    },
    /// A line of a message is longer than 998 octets. `at` is where the line starts.
    LineTooLong {
        /// Offset in octets.
        at: usize,
    },
    /// Another octet that is not allowed here: a control, or a space or `=` inside an ESMTP value.
    NotAllowed {
        /// Offset in octets.
        at: usize,
    },
    /// The argument is longer than [`ARGUMENT_BYTES`].
    TooLong,
}

impl fmt::Display for WireFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BareCr { at } => write!(f, "a CR outside a line end at octet {at}"),
            Self::BareLf { at } => write!(f, "a LF outside a line end at octet {at}"),
            Self::Nul { at } => write!(f, "a NUL at octet {at}"),
            Self::LineTooLong { at } => {
                write!(f, "the line at octet {at} is longer than {LINE_BYTES} octets")
            }
            Self::NotAllowed { at } => write!(f, "an octet that is not allowed at {at}"),
            Self::TooLong => write!(f, "longer than {ARGUMENT_BYTES} octets"),
        }
    }
}

impl std::error::Error for WireFault {}

fn fault_of(byte: u8, at: usize) -> WireFault {
    match byte {
        b'\r' => WireFault::BareCr { at },
        b'\n' => WireFault::BareLf { at },
        0 => WireFault::Nul { at },
        _ => WireFault::NotAllowed { at },
    }
}

/// An argument of an SMTP command or the text of a reply: UTF-8 without control characters (so no CR, LF, NUL), at
/// most [`ARGUMENT_BYTES`] octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SmtpArg(String);

impl SmtpArg {
    /// Free text, spaces allowed: a greeting name, the text of a reply.
    pub fn text(text: impl Into<String>) -> Result<Self, WireFault> {
        let text = text.into();
        if text.len() > ARGUMENT_BYTES {
            return Err(WireFault::TooLong);
        }
        match text.bytes().position(|byte| byte < b' ' || byte == 0x7f) {
            Some(at) => Err(fault_of(text.as_bytes()[at], at)),
            None => Ok(Self(text)),
        }
    }

    /// The value of an ESMTP parameter (RFC 5321 §4.1.2 `esmtp-value`, RFC 6531 §3.3): no space, no `=`, no control.
    pub fn esmtp_value(text: impl Into<String>) -> Result<Self, WireFault> {
        let arg = Self::text(text)?;
        match arg.0.bytes().position(|byte| byte == b' ' || byte == b'=') {
            Some(at) => Err(WireFault::NotAllowed { at }),
            None => Ok(arg),
        }
    }

    /// `<local@domain>` or `<>`. Cannot fail: a [`Path`] has no control characters and no unquoted `>`.
    pub fn path(path: &Path) -> Self {
        Self(path.to_string())
    }

    /// `<local@domain>`.
    pub fn forward_path(mailbox: &Mailbox) -> Self {
        Self(format!("<{mailbox}>"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SmtpArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a header field before folding and encoding: UTF-8 without CR, LF, NUL. `build` folds it; nothing in it
/// can begin another field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeaderValue(String);

impl HeaderValue {
    /// Refuses CR, LF, NUL and the other control characters except TAB. Unicode's own line separators (U+0085, U+2028,
    /// U+2029) are refused too: some programs take them for line ends.
    pub fn new(text: impl Into<String>) -> Result<Self, WireFault> {
        let text = text.into();
        for (at, letter) in text.char_indices() {
            let forbidden =
                (letter.is_control() && letter != '\t') || matches!(letter, '\u{2028}' | '\u{2029}');
            if forbidden {
                return Err(fault_of(text.as_bytes()[at], at));
            }
        }
        Ok(Self(text))
    }

    /// The text, unfolded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks that bytes may be sent as a message: CR and LF only together, no NUL, lines of at most 998 octets without
/// their CRLF (RFC 5321 §2.3.8, RFC 5322 §2.3). The last line may lack its CRLF (BDAT allows that; a DATA writer adds
/// it). An empty message is fine.
pub fn check_message(bytes: &[u8]) -> Result<(), WireFault> {
    if let Some(at) = memchr::memchr(0, bytes) {
        return Err(WireFault::Nul { at });
    }
    let mut line_start = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', bytes) {
        if bytes[at] == b'\r' {
            if bytes.get(at + 1) != Some(&b'\n') {
                return Err(WireFault::BareCr { at });
            }
            if at - line_start > LINE_BYTES {
                return Err(WireFault::LineTooLong { at: line_start });
            }
        } else {
            if at == 0 || bytes[at - 1] != b'\r' {
                return Err(WireFault::BareLf { at });
            }
            line_start = at + 1;
        }
    }
    if bytes.len() - line_start > LINE_BYTES {
        return Err(WireFault::LineTooLong { at: line_start });
    }
    Ok(())
}

/// A whole message that may be sent: see [`check_message`]. Dots are not stuffed yet; the writer of DATA does that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireMessage(Vec<u8>);

impl WireMessage {
    /// Takes the bytes when [`check_message`] allows them.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, WireFault> {
        let bytes = bytes.into();
        check_message(&bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Gives the bytes away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_checked() {
        let long = [b"a".repeat(998), b"\r\n".to_vec()].concat();
        let too_long = [b"x\r\n".to_vec(), b"a".repeat(999), b"\r\n".to_vec()].concat();
        let table: &[(&[u8], Result<(), WireFault>)] = &[
            (b"", Ok(())),
            (b"a: b\r\n\r\nbody\r\n", Ok(())),
            (b"no end", Ok(())),
            (&long, Ok(())),
            (&too_long, Err(WireFault::LineTooLong { at: 3 })),
            (&too_long[3..1002], Err(WireFault::LineTooLong { at: 0 })),
            (b"a\rb", Err(WireFault::BareCr { at: 1 })),
            (b"a\r", Err(WireFault::BareCr { at: 1 })),
            (b"a\r\r\n", Err(WireFault::BareCr { at: 1 })),
            (b"a\nb", Err(WireFault::BareLf { at: 1 })),
            (b"\n", Err(WireFault::BareLf { at: 0 })),
            (b"a\r\n\n", Err(WireFault::BareLf { at: 3 })),
            (b"a\0b", Err(WireFault::Nul { at: 1 })),
        ];
        for (bytes, expected) in table {
            assert_eq!(
                check_message(bytes),
                *expected,
                "{:?}",
                bytes.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn rel_8_arguments_hold_no_second_command() {
        for bad in ["a\r\nRSET", "a\nb", "a\rb", "a\0", "a\x0b", "a\x7f"] {
            assert!(SmtpArg::text(bad).is_err(), "{bad:?}");
            assert!(SmtpArg::esmtp_value(bad).is_err(), "{bad:?}");
        }
        assert!(SmtpArg::esmtp_value("a b").is_err());
        assert!(SmtpArg::esmtp_value("a=b").is_err());
        assert!(SmtpArg::text("mx.example.test at your service").is_ok());
        assert!(SmtpArg::text("x".repeat(ARGUMENT_BYTES + 1)).is_err());
    }

    #[test]
    fn rel_7_header_values_hold_no_line_end() {
        for bad in [
            "a\r\nBcc: x",
            "a\nb",
            "a\rb",
            "a\0",
            "a\u{85}b",
            "a\u{2028}b",
            "\u{1b}",
        ] {
            assert!(HeaderValue::new(bad).is_err(), "{bad:?}");
        }
        assert!(HeaderValue::new("Grüße\tan =0D=0A alle").is_ok());
    }
}
