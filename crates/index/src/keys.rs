//! What SORT and THREAD need of a message as octets: [`SortKeys`] and [`Links`].

use std::ops::Range;

use mail::sort_keys::{Links, SortKeys};

use crate::octets::{put_varint, varint};

/// The bits of the first octet of keys.
const HAS_DATE: u64 = 1;
const IS_REPLY: u64 = 2;

/// Writes the keys.
pub(crate) fn put_keys(keys: &SortKeys) -> Vec<u8> {
    let mut octets = Vec::with_capacity(128);
    let date = u64::from(keys.sent_ms.is_some()) * HAS_DATE;
    put_varint(&mut octets, date | (u64::from(keys.is_reply) * IS_REPLY));
    octets.extend_from_slice(&keys.sent_ms.unwrap_or(0).to_le_bytes());
    for text in [
        &keys.subject,
        &keys.from,
        &keys.to,
        &keys.cc,
        &keys.display_from,
        &keys.display_to,
    ] {
        put_string(&mut octets, text.as_bytes());
    }
    octets
}

/// The texts of keys, in the order in which [`put_keys`] writes them.
pub(crate) const SUBJECT: usize = 0;
pub(crate) const FROM: usize = 1;
pub(crate) const TO: usize = 2;
pub(crate) const CC: usize = 3;
pub(crate) const DISPLAY_FROM: usize = 4;
pub(crate) const DISPLAY_TO: usize = 5;

/// Where one of the texts stands in keys.
pub(crate) fn text_range(octets: &[u8], wanted: usize) -> Option<Range<usize>> {
    let mut at = 0;
    varint(octets, &mut at)?;
    at += 8;
    for _ in 0..wanted {
        string(octets, &mut at)?;
    }
    let text = string(octets, &mut at)?;
    Some(at - text.len()..at)
}

/// The date of keys.
pub(crate) fn sent_ms(octets: &[u8]) -> Option<Option<i64>> {
    let mut at = 0;
    let marks = varint(octets, &mut at)?;
    let sent = i64::from_le_bytes(octets.get(at..at + 8)?.try_into().ok()?);
    Some((marks & HAS_DATE != 0).then_some(sent))
}

/// Whether keys are those of a reply or forward.
pub(crate) fn is_reply(octets: &[u8]) -> Option<bool> {
    Some(varint(octets, &mut 0)? & IS_REPLY != 0)
}

/// Reads what [`put_keys`] wrote.
pub(crate) fn keys_of(octets: &[u8]) -> Option<SortKeys> {
    let mut at = 0;
    let marks = varint(octets, &mut at)?;
    let sent = i64::from_le_bytes(octets.get(at..at + 8)?.try_into().ok()?);
    at += 8;
    let mut text = || {
        let string = string(octets, &mut at)?;
        Some(std::str::from_utf8(string).ok()?.to_owned())
    };
    Some(SortKeys {
        sent_ms: (marks & HAS_DATE != 0).then_some(sent),
        is_reply: marks & IS_REPLY != 0,
        subject: text()?,
        from: text()?,
        to: text()?,
        cc: text()?,
        display_from: text()?,
        display_to: text()?,
    })
}

/// Writes the links: whether there is an id, the id, the references.
pub(crate) fn put_links(links: &Links) -> Vec<u8> {
    let mut octets = vec![u8::from(links.id.is_some())];
    let all = links.id.iter().chain(&links.references);
    all.for_each(|id| put_string(&mut octets, id));
    octets
}

/// Reads what [`put_links`] wrote.
pub(crate) fn links_of(octets: &[u8]) -> Option<Links> {
    let has_id = *octets.first()? != 0;
    let mut at = 1;
    let mut all = Vec::new();
    while at < octets.len() {
        all.push(string(octets, &mut at)?.to_vec());
    }
    let id = match (has_id, all.is_empty()) {
        (true, true) => return None,
        (true, false) => Some(all.remove(0)),
        (false, _) => None,
    };
    Some(Links { id, references: all })
}

fn put_string(octets: &mut Vec<u8>, string: &[u8]) {
    put_varint(octets, string.len() as u64);
    octets.extend_from_slice(string);
}

/// One string, and moves on.
pub(crate) fn string<'o>(octets: &'o [u8], at: &mut usize) -> Option<&'o [u8]> {
    let length = usize::try_from(varint(octets, at)?).ok()?;
    let string = octets.get(*at..at.checked_add(length)?)?;
    *at += length;
    Some(string)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_and_links_come_back() {
        for header in [
            "\r\n",
            "Subject: Re: a\r\nFrom: A <b@x>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n\r\n",
            "Message-ID: <m@x>\r\nReferences: <a@x> <b@x>\r\n\r\n",
            "In-Reply-To: <a@x>\r\nDate: Mon, 23 Nov 1926 10:00:00 +0100\r\n\r\n",
        ] {
            let (keys, links) = (SortKeys::of(header.as_bytes()), Links::of(header.as_bytes()));
            let octets = put_keys(&keys);
            let text = |wanted| text_range(&octets, wanted).map(|range| &octets[range]);
            assert_eq!(text(SUBJECT), Some(keys.subject.as_bytes()));
            assert_eq!(text(FROM), Some(keys.from.as_bytes()));
            assert_eq!(text(TO), Some(keys.to.as_bytes()));
            assert_eq!(text(CC), Some(keys.cc.as_bytes()));
            assert_eq!(text(DISPLAY_FROM), Some(keys.display_from.as_bytes()));
            assert_eq!(text(DISPLAY_TO), Some(keys.display_to.as_bytes()));
            assert_eq!(
                (sent_ms(&octets), is_reply(&octets)),
                (Some(keys.sent_ms), Some(keys.is_reply))
            );
            assert_eq!(keys_of(&octets), Some(keys));
            assert_eq!(links_of(&put_links(&links)), Some(links));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = keys_of(&octets);
            let _ = links_of(&octets);
            let _ = (text_range(&octets, DISPLAY_TO), sent_ms(&octets), is_reply(&octets));
        }
    }
}
