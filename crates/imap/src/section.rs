//! Which octets of a message a section names (RFC 3501 §6.4.5): a pure function of the bytes, their structure, the section.

use std::borrow::Cow;

use mail::header::{Field, Fields};
use mail::mime::{Kind, Part, Structure};
use mail::value::Encoding;

use crate::command::{FetchItem, Partial, Section, SectionText};
use crate::out::Octets;

/// The octets of a section; `None` (NIL on the wire) when the message has no such part, or the part is no message and its
/// `HEADER` or `TEXT` was asked. `structure` must be that of `message`.
pub fn resolve<'m>(message: &'m [u8], structure: &Structure, section: &Section) -> Option<Cow<'m, [u8]>> {
    let numbers: Vec<u32> = section.part.iter().map(|number| number.get()).collect();
    let found = structure.section(&numbers)?;
    let inner = found.message.map(|id| structure.part(id));
    let octets = match (&section.text, section.part.is_empty()) {
        (SectionText::All, true) => message,
        (SectionText::All, false) => structure.part(found.part).body.of(message),
        (SectionText::Mime, _) => structure.part(found.part).header.of(message),
        (SectionText::Header, _) => inner?.header.of(message),
        (SectionText::Text, _) => inner?.body.of(message),
        (SectionText::HeaderFields(names), _) => return Some(some_fields(message, inner?, names, true)),
        (SectionText::HeaderFieldsNot(names), _) => return Some(some_fields(message, inner?, names, false)),
    };
    Some(Cow::Borrowed(octets))
}

/// A part with its transfer encoding undone (RFC 3516 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded<'m> {
    /// its octets; those of a multipart, of a message and of the whole as they stand: nothing is encoded there
    Octets(Cow<'m, [u8]>),
    /// the part names an encoding that does not exist
    UnknownEncoding,
    /// the message has no such part
    NoSuchPart,
}

/// The octets of a part, decoded. `structure` must be that of `message`.
pub fn decode<'m>(message: &'m [u8], structure: &Structure, section: &Section) -> Decoded<'m> {
    if section.part.is_empty() {
        return Decoded::Octets(Cow::Borrowed(message));
    }
    let numbers: Vec<u32> = section.part.iter().map(|number| number.get()).collect();
    let Some(found) = structure.section(&numbers) else {
        return Decoded::NoSuchPart;
    };
    let part = structure.part(found.part);
    match (part.kind, is_unknown(message, part)) {
        (_, true) => Decoded::UnknownEncoding,
        (Kind::Leaf(_), false) => Decoded::Octets(part.decoded_body(message)),
        _ => Decoded::Octets(Cow::Borrowed(part.body.of(message))),
    }
}

/// Whether [`decode`] says [`Decoded::UnknownEncoding`]; nothing is decoded. `structure` must be that of `message`.
pub fn has_unknown_encoding(message: &[u8], structure: &Structure, section: &Section) -> bool {
    let numbers: Vec<u32> = section.part.iter().map(|number| number.get()).collect();
    let found = structure.section(&numbers).filter(|_| !numbers.is_empty());
    found.is_some_and(|found| is_unknown(message, structure.part(found.part)))
}

/// Whether a part names an encoding that does not exist.
fn is_unknown(message: &[u8], part: &Part) -> bool {
    matches!(part.kind, Kind::Leaf(_)) && matches!(part.encoding(message), Encoding::Other(_))
}

/// Whether a section can be answered from the header block alone, so that the body need not be read: `HEADER` and
/// `HEADER.FIELDS` of the message itself.
pub fn needs_header_only(item: &FetchItem) -> bool {
    match item {
        FetchItem::Rfc822Header => true,
        FetchItem::Section(fetched) => fetched.section.part.is_empty() && is_of_header(&fetched.section.text),
        _ => false,
    }
}

const fn is_of_header(text: &SectionText) -> bool {
    matches!(
        text,
        SectionText::Header | SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_)
    )
}

/// The section that an item with octets means: `RFC822` is `BODY[]` and so on (RFC 3501 §6.4.5); `None` for other items.
pub fn section_of(item: &FetchItem) -> Option<(Section, Option<Partial>)> {
    let whole = |text| {
        Some((
            Section {
                part: Vec::new(),
                text,
            },
            None,
        ))
    };
    match item {
        FetchItem::Rfc822 => whole(SectionText::All),
        FetchItem::Rfc822Header => whole(SectionText::Header),
        FetchItem::Rfc822Text => whole(SectionText::Text),
        FetchItem::Section(fetched) => Some((fetched.section.clone(), fetched.partial)),
        _ => None,
    }
}

/// Only the octets of the partial; empty when it starts behind the end (RFC 3501 §6.4.5).
pub fn cut(octets: &[u8], partial: Option<Partial>) -> &[u8] {
    let Some(partial) = partial else { return octets };
    let start = (partial.offset as usize).min(octets.len());
    let end = start
        .saturating_add(partial.length.get() as usize)
        .min(octets.len());
    &octets[start..end]
}

/// The octets that answer an item: section and partial together. `None` for items without octets.
pub fn with_octets<T>(
    message: &[u8],
    structure: &Structure,
    item: &FetchItem,
    use_them: impl FnOnce(Octets<'_>) -> T,
) -> Option<T> {
    let (section, partial) = section_of(item)?;
    Some(match resolve(message, structure, &section) {
        None => use_them(Octets::Nil),
        Some(octets) => use_them(Octets::Of(cut(&octets, partial))),
    })
}

/// The fields whose names are (or are not) in the list, as they stand, in the order of the message, and a blank line.
fn some_fields<'m>(message: &'m [u8], part: &Part, names: &[String], wanted: bool) -> Cow<'m, [u8]> {
    let is_listed = |field: &Field<'_>| names.iter().any(|name| field.is(name));
    let fields = Fields::new(part.header.of(message)).filter(|field| is_listed(field) == wanted);
    let mut octets = Vec::new();
    for field in fields {
        octets.extend_from_slice(field.whole());
    }
    if !octets.is_empty() && !octets.ends_with(b"\n") {
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(b"\r\n");
    Cow::Owned(octets)
}

#[cfg(test)]
mod tests;
