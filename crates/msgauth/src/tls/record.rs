//! What the TXT records of MTA-STS (RFC 8461 §3.1) and TLSRPT (RFC 8460 §3) have in common: a version, then fields. Pure.
//!
//! ```text
//! record      = version 1*(field-delim field) [field-delim]
//! field-delim = *WSP ";" *WSP
//! field       = name "=" value
//! ```

use world::dns::Record;

use super::text::{pair, trim};

/// Those of the answers that are meant as records of this version. Others about the name are nobody's business.
pub(super) fn meant<'a>(version: &[u8], answers: &'a [Record]) -> impl Iterator<Item = &'a [u8]> {
    answers.iter().filter_map(move |answer| match answer {
        Record::Txt(text) => behind(version, text).map(|_fields| text.as_slice()),
        _ => None,
    })
}

/// The fields of one record, in order: name and value, or nothing in the place of what is no field. `None`: it is no record of this version.
pub(super) fn fields<'a>(
    version: &[u8],
    text: &'a [u8],
) -> Option<impl Iterator<Item = Option<(&'a [u8], &'a [u8])>>> {
    let list = behind(version, text)?.strip_prefix(b";").unwrap_or_default();
    let fields = list.split(|byte| *byte == b';');
    // One delimiter may stand behind the last field.
    let ends = fields.clone().count() - usize::from(list.is_empty() || list.ends_with(b";"));
    Some(fields.take(ends).map(|field| pair(field, b'=')))
}

/// What stands behind the version: nothing, or a `;` and all that follows.
fn behind<'a>(version: &[u8], text: &'a [u8]) -> Option<&'a [u8]> {
    let rest = trim(text.strip_prefix(version)?);
    matches!(rest.first(), Some(b';') | None).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_between_delimiters_and_one_more_may_follow() {
        let read = |text: &str| {
            let fields = fields(b"v=X", text.as_bytes())?;
            let shown = |(name, value): (&[u8], &[u8])| {
                format!(
                    "{}={}",
                    String::from_utf8_lossy(name),
                    String::from_utf8_lossy(value)
                )
            };
            Some(
                fields
                    .map(|field| field.map_or("?".to_owned(), shown))
                    .collect::<Vec<_>>(),
            )
        };
        for (text, wanted) in [
            ("v=X", Some(&[][..])),
            ("v=X \t", Some(&[])),
            ("v=X;", Some(&[])),
            ("v=X;a=b", Some(&["a=b"])),
            ("v=X ;\ta = b ; ", Some(&["a=b"])),
            ("v=X;a=b;c=d;", Some(&["a=b", "c=d"])),
            ("v=X;a=b;;c=d", Some(&["a=b", "?", "c=d"])),
            ("v=X;a=b;;", Some(&["a=b", "?"])),
            ("v=X;;", Some(&["?"])),
            ("v=X;a;b=", Some(&["?", "?"])),
            ("v=XY;a=b", None),
            (" v=X;a=b", None),
            ("v=x;a=b", None),
        ] {
            let wanted = wanted.map(|fields| fields.iter().map(|field| (*field).to_owned()).collect());
            assert_eq!(read(text), wanted, "{text}");
        }
    }
}
