//! AUTHENTICATE (RFC 3501 §6.2.2) with an initial response (RFC 4959), and the lines that follow it.

use base64::Engine as _;

use super::Trouble;
use super::cursor::{Cursor, Parsed};
use crate::command::{Authenticate, Command, Secret};

/// `authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")] *(CRLF base64)`
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    cursor.space()?;
    let mechanism = cursor.word()?;
    if !cursor.more() {
        return Ok(Command::Authenticate(Authenticate {
            mechanism,
            initial: None,
        }));
    }
    let text = cursor.run_of(|byte| byte.is_ascii_graphic(), "The initial response is missing")?;
    let initial = if text == b"=" {
        Some(Vec::new())
    } else {
        decode(text)
    };
    let initial = initial.ok_or(Trouble::bad("The initial response is not base64"))?;
    Ok(Command::Authenticate(Authenticate {
        mechanism,
        initial: Some(Secret::new(initial)),
    }))
}

/// A client's line during AUTHENTICATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaslLine {
    /// a response, decoded
    Response(Secret),
    /// `*`: the client gives up; answer BAD
    Cancel,
    /// not base64; answer BAD
    Malformed,
}

/// `base64` / `"*"` (RFC 3501 §6.2.2); the line comes without CR LF.
pub fn sasl_line(line: &[u8]) -> SaslLine {
    if line == b"*" {
        return SaslLine::Cancel;
    }
    decode(line).map_or(SaslLine::Malformed, |response| {
        SaslLine::Response(Secret::new(response))
    })
}

/// Strict: with padding, without trailing bits, nothing else.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
