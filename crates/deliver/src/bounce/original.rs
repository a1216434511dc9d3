//! The third part: the header of the message the report is about, or all of it.

use mail::build::Body;
use mail::header::Fields;
use mail::limits::LINE_BYTES;
use mail::wire::{HeaderValue, check_message};
use queue::params::Ret;

use super::{Kind, Report};
use crate::limits::{RETURNED_BYTES, RETURNED_HEADER_BYTES};

/// What goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// the header: give [`super::Original::whole`] nothing
    Header,
    /// everything
    Whole,
}

/// How much of a message goes back. Only a failure returns a body (RFC 3461 §4.3), only when RET=FULL asked for it, and
/// only up to [`RETURNED_BYTES`].
pub fn returns(kind: Kind, ret: Option<Ret>, size_bytes: u64) -> Returned {
    if kind == Kind::Failed && ret == Some(Ret::Full) && size_bytes <= RETURNED_BYTES {
        Returned::Whole
    } else {
        Returned::Header
    }
}

pub(super) fn part(report: &Report<'_>) -> Body {
    let whole = report
        .original
        .whole
        .filter(|whole| whole.len() as u64 <= RETURNED_BYTES && check_message(whole).is_ok());
    let header = wire_header(report.original.header);
    // RFC 6532 §3.7, RFC 6533 §5: the international types are for UTF-8 in the header alone.
    let utf8 = !header.is_ascii() && std::str::from_utf8(&header).is_ok();
    let (kind, octets) = match (whole, utf8) {
        (Some(whole), false) => ("message/rfc822", whole.to_vec()),
        (Some(whole), true) => ("message/global", whole.to_vec()),
        (None, false) => ("text/rfc822-headers", header),
        (None, true) => ("message/global-headers", header),
    };
    Body::Raw {
        content_type: HeaderValue::new(kind).expect("plain letters"),
        octets,
    }
}

/// The header as lines that may be sent: no NUL, no bare CR or LF, no line that is too long, and not more than
/// [`RETURNED_HEADER_BYTES`].
fn wire_header(header: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(header.len().min(RETURNED_HEADER_BYTES));
    for line in header.split(|byte| *byte == b'\n') {
        let line: Vec<u8> = line
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'\r' | 0))
            .take(LINE_BYTES)
            .collect();
        if line.is_empty() || lines.len() + line.len() + 2 > RETURNED_HEADER_BYTES {
            break;
        }
        lines.extend_from_slice(&line);
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

/// The Message-ID of the message, when it is a short word in angle brackets.
pub(super) fn message_id(header: &[u8]) -> Option<String> {
    let field = Fields::new(header).find(|field| field.is("Message-ID"))?;
    let value = String::from_utf8(field.unfolded().into_owned()).ok()?;
    let inside = value.strip_prefix('<')?.strip_suffix('>')?;
    let plain = inside
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'));
    (plain && !inside.is_empty() && inside.len() <= 250).then_some(value)
}

/// Subject and Date as people read them.
pub(super) fn shown_field(header: &[u8], name: &str) -> Option<String> {
    let field = Fields::new(header).find(|field| field.is(name))?;
    let text = mail::decode::text(field.value());
    let text = super::clean::line(text.trim(), 200);
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_goes_back_only_when_asked_for_small_and_failed() {
        let table = [
            (Kind::Failed, None, 10, Returned::Header),
            (Kind::Failed, Some(Ret::Hdrs), 10, Returned::Header),
            (Kind::Failed, Some(Ret::Full), RETURNED_BYTES, Returned::Whole),
            (
                Kind::Failed,
                Some(Ret::Full),
                RETURNED_BYTES + 1,
                Returned::Header,
            ),
            (Kind::Delayed, Some(Ret::Full), 10, Returned::Header),
            (Kind::Delivered, Some(Ret::Full), 10, Returned::Header),
        ];
        for (kind, ret, size, want) in table {
            assert_eq!(returns(kind, ret, size), want, "{kind:?} {ret:?} {size}");
        }
    }

    #[test]
    fn a_broken_header_becomes_one_that_may_be_sent() {
        let long = [b"X: ".to_vec(), b"a".repeat(2000), b"\r\n".to_vec()].concat();
        for header in [
            &b"A: b\nC: d\0e\rf\r\n\r\n"[..],
            b"",
            b"no end",
            &long,
            &b"A: b\r\n".repeat(100_000),
        ] {
            let wire = wire_header(header);
            assert_eq!(check_message(&wire), Ok(()));
            assert!(wire.len() <= RETURNED_HEADER_BYTES);
        }
        assert_eq!(
            wire_header(b"A: b\nC: d\0e\rf\r\n\r\nbody"),
            b"A: b\r\nC: def\r\n"
        );
    }
}
