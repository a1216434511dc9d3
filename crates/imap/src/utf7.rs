//! Modified UTF-7 (RFC 3501 §5.1.3): mailbox names on an IMAP4rev1 wire.
//!
//! Strict: there is exactly one way to write a name, so that no name can hide from a check. `decode` refuses what
//! `encode` would write otherwise: encoded printable ASCII (and so `/` and `..`), superfluous shifts, padding,
//! set trailing bits, lone surrogates, 8-bit octets.

/// base64 with `,` for `/` and without padding.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// The text, or `None` when it is not the canonical form of any.
pub fn decode(wire: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'&' => {
                let end = rest.iter().position(|&byte| byte == b'-')?;
                decode_shifted(&rest[..end], &mut text)?;
                rest = &rest[end + 1..];
            }
            0x20..=0x7e => text.push(char::from(byte)),
            _ => return None,
        }
    }
    (encode(&text).as_bytes() == wire).then_some(text)
}

fn decode_shifted(digits: &[u8], text: &mut String) -> Option<()> {
    if digits.is_empty() {
        text.push('&');
        return Some(());
    }
    let mut units = Vec::with_capacity(digits.len() * 6 / 16);
    let (mut bits, mut count) = (0u32, 0u32);
    for &digit in digits {
        bits = (bits << 6 | digit_value(digit)?) & 0x003f_ffff;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push((bits >> count & 0xffff) as u16);
        }
    }
    for unit in char::decode_utf16(units) {
        text.push(unit.ok()?);
    }
    Some(())
}

fn digit_value(digit: u8) -> Option<u32> {
    match digit {
        b'A'..=b'Z' => Some(u32::from(digit - b'A')),
        b'a'..=b'z' => Some(u32::from(digit - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(digit - b'0') + 52),
        b'+' => Some(62),
        b',' => Some(63),
        _ => None,
    }
}

/// The one canonical form of a text.
pub fn encode(text: &str) -> String {
    let mut wire = String::with_capacity(text.len());
    let mut shifted: Vec<u16> = Vec::new();
    for character in text.chars() {
        if matches!(character, ' '..='~') {
            end_shift(&mut shifted, &mut wire);
            wire.push(character);
            if character == '&' {
                wire.push('-');
            }
        } else {
            shifted.extend_from_slice(character.encode_utf16(&mut [0; 2]));
        }
    }
    end_shift(&mut shifted, &mut wire);
    wire
}

fn end_shift(shifted: &mut Vec<u16>, wire: &mut String) {
    if shifted.is_empty() {
        return;
    }
    wire.push('&');
    let (mut bits, mut count) = (0u32, 0u32);
    for unit in shifted.drain(..) {
        bits = (bits << 16 | u32::from(unit)) & 0x003f_ffff;
        count += 16;
        while count >= 6 {
            count -= 6;
            wire.push(char::from(ALPHABET[(bits >> count & 63) as usize]));
        }
    }
    if count > 0 {
        wire.push(char::from(ALPHABET[(bits << (6 - count) & 63) as usize]));
    }
    wire.push('-');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_3501_examples() {
        for (wire, text) in [
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("&Jjo-!", "☺!"),
            ("&U,BTF2XlZyyKng-", "台北日本語"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("A&-B", "A&B"),
            ("&2D3cSw-", "👋"),
            ("", ""),
        ] {
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(text));
            assert_eq!(encode(text), wire);
        }
    }

    #[test]
    fn other_ways_to_write_a_name_are_refused() {
        for wire in [
            "&Jjo!",              // RFC 3501: no shift back
            "&U,BTFw-&ZeVnLIqe-", // RFC 3501: superfluous shift
            "&AC8-",              // "/"
            "&AC4ALg-",           // ".."
            "&AEE-",              // "A"
            "&",
            "&-&",
            "&U-",
            "&U,BTFw==-",
            "&U/BTFw-",
            "&AOk",
            "&AOl-",  // set trailing bits
            "&2D0-",  // lone high surrogate
            "&3Es-",  // lone low surrogate
            "&AOkA-", // half a unit too much
        ] {
            assert_eq!(decode(wire.as_bytes()), None, "{wire}");
        }
        assert_eq!(
            decode("Entwürfe".as_bytes()),
            None,
            "raw UTF-8 is not modified UTF-7"
        );
        assert_eq!(decode(b"a\rb"), None);
        assert_eq!(decode(b"a\0b"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn every_text_round_trips(text in "\\PC{0,40}") {
            prop_assert_eq!(decode(encode(&text).as_bytes()), Some(text));
        }

        #[test]
        fn what_decodes_is_canonical(wire in proptest::collection::vec(prop_oneof![Just(b'&'), Just(b'-'), 0x20u8..0x7f], 0..24)) {
            if let Some(text) = decode(&wire) {
                prop_assert_eq!(encode(&text).into_bytes(), wire);
            }
        }
    }
}
