//! `xtext`: how a parameter's value holds octets that an ESMTP value may not (RFC 3461 §4), and the form of it for
//! addresses outside ASCII (RFC 6533 §3). The one place that writes and reads them, for both sides.
//!
//! ```text
//! xtext    = *( xchar / hexchar )
//! xchar    = %d33-42 / %d44-60 / %d62-126          any visible ASCII but "+" and "="
//! hexchar  = "+" 2( %d48-57 / %d65-70 )            capital hexadecimal digits
//!
//! utf-8-addr-xtext = 1*( QCHAR / EmbeddedUnicodeChar )
//! EmbeddedUnicodeChar = "\x{" HEXPOINT "}"         two to six capital hexadecimal digits
//! ```

use std::fmt::Write as _;

/// Writes `text` so that nothing in it can end a parameter or a command: what is no `xchar` becomes `+XX` (threat case
/// REL-8).
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_xchar(byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "+{byte:02X}").expect("a String takes everything");
        }
    }
    out
}

/// Reads `xtext`. `None` when it is none, or when what it stands for is no UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'+' {
            is_xchar(byte).then(|| out.push(byte))?;
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        out.push(u8::try_from(hex(digits)?).ok()?);
        rest = behind;
    }
    String::from_utf8(out).ok()
}

/// Writes an address of type `utf-8`: every letter that is not visible ASCII, and `+`, `=`, `\`, becomes `\x{…}`. It
/// may go to a server without SMTPUTF8.
pub fn encode_utf8_address(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_qchar(letter) {
            out.push(letter);
        } else {
            write!(out, "\\x{{{:02X}}}", u32::from(letter)).expect("a String takes everything");
        }
    }
    out
}

/// Reads an address of type `utf-8`. Letters outside ASCII may stand in it as they are (`utf-8-addr-unitext`).
pub fn decode_utf8_address(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some(embedded) = rest.strip_prefix("\\x{") {
            let (digits, behind) = embedded.split_once('}')?;
            let point = (2..=6)
                .contains(&digits.len())
                .then(|| hex(digits.as_bytes()))??;
            out.push(char::from_u32(point)?);
            rest = behind;
            continue;
        }
        let plain = is_qchar(letter) || (!letter.is_ascii() && !letter.is_control());
        plain.then(|| out.push(letter))?;
        rest = &rest[letter.len_utf8()..];
    }
    Some(out)
}

fn is_xchar(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'+' && byte != b'='
}

fn is_qchar(letter: char) -> bool {
    letter.is_ascii_graphic() && !matches!(letter, '+' | '=' | '\\')
}

/// Capital digits only, as both grammars say.
fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'F' => digit - b'A' + 10,
            _ => return None,
        };
        value.checked_mul(16)?.checked_add(u32::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn xtext_is_read_strictly() {
        let table: &[(&str, Option<&str>)] = &[
            ("", Some("")),
            ("abc", Some("abc")),
            ("a+2Bb+3Dc+20d", Some("a+b=c d")),
            ("+C3+BC", Some("\u{fc}")),
            ("+0D+0A", Some("\r\n")),
            ("a+", None),
            ("a+2", None),
            ("a+2b", None),
            ("a+GG", None),
            ("a=b", None),
            ("a b", None),
            ("+FF", None),
            ("\u{fc}", None),
        ];
        for (text, want) in table {
            assert_eq!(decode(text).as_deref(), *want, "{text:?}");
        }
    }

    #[test]
    fn utf8_addresses_are_read_strictly() {
        let table: &[(&str, Option<&str>)] = &[
            ("j\\x{FC}rgen@example.org", Some("j\u{fc}rgen@example.org")),
            ("j\u{fc}rgen@example.org", Some("j\u{fc}rgen@example.org")),
            ("a\\x{2B}b@example.org", Some("a+b@example.org")),
            ("a+b", None),
            ("a\\b", None),
            ("a\\x{}", None),
            ("a\\x{F}", None),
            ("a\\x{D800}", None),
            ("a\\x{FFFFFFF}", None),
            ("a\\x{FC", None),
            ("a b", None),
        ];
        for (text, want) in table {
            assert_eq!(decode_utf8_address(text).as_deref(), *want, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn rel_8_what_is_encoded_is_one_word_and_comes_back(text in any::<String>()) {
            for (written, read) in [
                (encode(&text), decode(&encode(&text))),
                (encode_utf8_address(&text), decode_utf8_address(&encode_utf8_address(&text))),
            ] {
                prop_assert!(written.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'='));
                prop_assert_eq!(read.as_deref(), Some(text.as_str()));
            }
        }

        #[test]
        fn any_text_is_read_without_harm(text in any::<String>()) {
            let _ = decode(&text);
            let _ = decode_utf8_address(&text);
        }
    }
}
