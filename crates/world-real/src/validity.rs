//! How long a certificate of ours holds: the one field that people are told.
//!
//! Reads the operator's own files, so it knows no more of X.509 than the way to that field (RFC 5280 §4.1). Whether a certificate of others
//! is valid is rustls' to say.

use mail::date::DateTime;
use world::clock::UnixMs;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of a certificate's validity.
pub(crate) fn not_after(certificate: &[u8]) -> Option<UnixMs> {
    let (outer, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(outer, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields, VERSION)?.1;
    }
    // serial number, signature algorithm, issuer
    for _ in 0..3 {
        fields = any(fields)?.2;
    }
    let (validity, _) = element(fields, SEQUENCE)?;
    let (tag, text, _) = any(any(validity)?.2)?;
    time(tag, text)
}

/// Content and what follows of an element with this tag.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    any(bytes)
        .filter(|(found, _, _)| *found == tag)
        .map(|(_, content, rest)| (content, rest))
}

/// Tag, content and what follows (X.690 §8.1; tags of one octet are all there is on the way).
fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&first, bytes) = bytes.split_first()?;
    let (length, bytes) = if first < 0x80 {
        (usize::from(first), bytes)
    } else {
        let octets = usize::from(first & 0x7f);
        if octets == 0 || octets > 4 {
            return None;
        }
        let (long, rest) = bytes.split_at_checked(octets)?;
        let length = long
            .iter()
            .fold(0usize, |length, octet| (length << 8) | usize::from(*octet));
        (length, rest)
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5).
fn time(tag: u8, text: &[u8]) -> Option<UnixMs> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let year: u16 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let date = DateTime {
        year,
        month: two(0).filter(|month| (1..=12).contains(month))?,
        day: two(2).filter(|day| (1..=31).contains(day))?,
        hour: two(4)?,
        minute: two(6)?,
        second: two(8)?,
        offset_minutes: 0,
    };
    u64::try_from(date.unix_ms()).ok().map(UnixMs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        let ms = |tag, text: &str| time(tag, text.as_bytes()).map(|at| at.rfc3339());
        assert_eq!(
            ms(UTC_TIME, "260102030405Z").as_deref(),
            Some("2026-01-02T03:04:05.000Z")
        );
        assert_eq!(
            ms(GENERALIZED_TIME, "20510102030405Z").as_deref(),
            Some("2051-01-02T03:04:05.000Z")
        );
        for bad in ["2601020304Z", "261302030405Z", "x60102030405Z", "260102030405"] {
            assert_eq!(time(UTC_TIME, bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_end_of_a_real_certificate_is_found_and_a_torn_one_is_none() {
        let made = rcgen::generate_simple_self_signed(vec!["mail.example.org".to_owned()]).unwrap();
        let der = made.cert.der().to_vec();
        // rcgen's own default.
        assert_eq!(
            not_after(&der).map(|at| at.rfc3339()[..10].to_owned()).as_deref(),
            Some("4096-01-01")
        );
        for length in 0..der.len().min(200) {
            let _ = not_after(&der[..length]);
        }
        assert_eq!(not_after(&der[..40]), None);
    }
}
