//! A segment: what is kept of some messages of one account, column by column. Never changed; several become one.
//!
//! 1. [`Builder::add`] takes messages in the order of their ids and reads each once.
//! 2. [`Builder::finish`] gives the columns.
//! 3. [`merge`] makes one segment of several, leaving out messages that are gone.

use mail::header::Fields;
use mail::ids::{Id as _, MessageId};
use mail::limits::HEADER_BLOCK_BYTES;
use mail::mime::{Kind, Leaf, Structure};
use mail::sort_keys::{Links, SortKeys, sent_day};
use mail::texts;

use crate::keys::{put_keys, put_links};
use crate::lexicon::{self, Lexicon};
use crate::limits::MESSAGE_COLUMN_BYTES;
use crate::octets::{ascending, put_ascending};
use crate::strings::{self, Strings};
use crate::{Describe, Described};

/// A column. The numbers are part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Column {
    Ids = 0,
    Facts = 1,
    Subject = 2,
    From = 3,
    To = 4,
    Cc = 5,
    Bcc = 6,
    HeaderWords = 7,
    BodyWords = 8,
    Envelope = 9,
    Body = 10,
    BodyStructure = 11,
    Keys = 12,
    Links = 13,
    PartWords = 14,
}

impl Column {
    /// Those with one string for each message.
    const STRINGS: [Self; 11] = [
        Self::Facts,
        Self::Subject,
        Self::From,
        Self::To,
        Self::Cc,
        Self::Bcc,
        Self::Envelope,
        Self::Body,
        Self::BodyStructure,
        Self::Keys,
        Self::Links,
    ];
    const LEXICONS: [Self; 3] = [Self::HeaderWords, Self::BodyWords, Self::PartWords];
    /// The fields whose texts are kept.
    const FIELDS: [(Self, &'static str); 5] = [
        (Self::Subject, "Subject"),
        (Self::From, "From"),
        (Self::To, "To"),
        (Self::Cc, "Cc"),
        (Self::Bcc, "Bcc"),
    ];
    /// All but the ids, which are read first and alone.
    pub(crate) const OTHERS: [Self; 14] = [
        Self::Facts,
        Self::Subject,
        Self::From,
        Self::To,
        Self::Cc,
        Self::Bcc,
        Self::HeaderWords,
        Self::BodyWords,
        Self::Envelope,
        Self::Body,
        Self::BodyStructure,
        Self::Keys,
        Self::Links,
        Self::PartWords,
    ];

    /// The column of a field's texts, if they are kept.
    pub(crate) fn of_field(name: &str) -> Option<Self> {
        let known = Self::FIELDS
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name));
        known.map(|&(column, _)| column)
    }
}

/// The columns of a segment, unpacked.
pub(crate) type Columns = Vec<(Column, Vec<u8>)>;

/// Collects the messages of a new segment.
#[derive(Default)]
pub(crate) struct Builder {
    ids: Vec<u64>,
    strings: [strings::Builder; Column::STRINGS.len()],
    header: lexicon::Builder,
    body: lexicon::Builder,
    /// headers of parts
    parts: lexicon::Builder,
}

impl Builder {
    /// Octets of memory that the columns take.
    pub(crate) fn bytes(&self) -> usize {
        let strings: usize = self.strings.iter().map(strings::Builder::bytes).sum();
        strings + self.header.bytes() + self.body.bytes() + self.parts.bytes()
    }

    pub(crate) fn messages(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn covers(&self, id: u64) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    pub(crate) fn last_id(&self) -> Option<u64> {
        self.ids.last().copied()
    }

    /// Adds a message with its internal date (milliseconds since 1970). Ids ascend. False when it would take too much: it is
    /// left out.
    pub(crate) fn add(
        &mut self,
        id: MessageId,
        internal_date: u64,
        message: &[u8],
        describe: &dyn Describe,
    ) -> bool {
        let place = self.ids.len() as u32;
        let structure = Structure::parse(message);
        let whole = structure.root().header.of(message);
        // Who reads the header alone reads so much of it.
        let header = &whole[..whole.len().min(HEADER_BLOCK_BYTES)];
        let facts = Facts {
            size_bytes: message.len() as u64,
            header_bytes: whole.len() as u64,
            internal_date,
            attachments: has_attachments(message, &structure),
            sent_day: sent_day(header),
        };
        let described = describe.describe(message, &structure);
        let fields = Column::FIELDS.map(|(column, name)| (column, field_texts(header, name)));
        let strings = Column::STRINGS.map(|column| {
            let field = fields.iter().find(|(kept, _)| *kept == column);
            match field {
                Some((_, texts)) => texts.clone(),
                None => match column {
                    Column::Keys => put_keys(&SortKeys::of(header)),
                    Column::Links => put_links(&Links::of(header)),
                    _ => of_described(column, &described, &facts),
                },
            }
        });
        if strings.iter().map(Vec::len).sum::<usize>() > MESSAGE_COLUMN_BYTES {
            return false;
        }
        self.ids.push(id.raw());
        for (column, string) in self.strings.iter_mut().zip(&strings) {
            column.push(string);
        }
        self.header.add(place, texts::header_lines(header));
        self.body.add(place, texts::body(message, &structure));
        self.parts.add(place, texts::part_headers(message, &structure));
        true
    }

    pub(crate) fn finish(&self) -> (Vec<u64>, Columns) {
        let mut columns: Columns = Column::STRINGS
            .into_iter()
            .zip(self.strings.iter().map(strings::Builder::finish))
            .collect();
        columns.push((Column::HeaderWords, self.header.finish()));
        columns.push((Column::BodyWords, self.body.finish()));
        columns.push((Column::PartWords, self.parts.finish()));
        columns.push((Column::Ids, ids_column(&self.ids)));
        (self.ids.clone(), columns)
    }
}

fn ids_column(ids: &[u64]) -> Vec<u8> {
    let mut column = Vec::new();
    put_ascending(&mut column, ids.iter().copied());
    column
}

fn of_described(column: Column, described: &Described, facts: &Facts) -> Vec<u8> {
    match column {
        Column::Envelope => described.envelope.clone(),
        Column::Body => described.body.clone(),
        Column::BodyStructure => described.body_structure.clone(),
        _ => facts.write(),
    }
}

/// The values of the fields of that name, each with a NUL behind it.
fn field_texts(header: &[u8], name: &str) -> Vec<u8> {
    let mut all = Vec::new();
    for field in Fields::new(header).filter(|field| field.is(name)) {
        all.extend_from_slice(texts::value(&field).as_bytes());
        all.push(0);
    }
    all
}

/// Whether a part is something to be saved: it says so, or it has a file name and is no text.
fn has_attachments(message: &[u8], structure: &Structure) -> bool {
    structure.parts().iter().skip(1).any(|part| {
        let disposition = part.disposition(message);
        let says_so = disposition
            .as_ref()
            .is_some_and(|found| found.kind == "attachment");
        says_so
            || (part.kind == Kind::Leaf(Leaf::Plain)
                && mail::decode::file_name(disposition.as_ref(), &part.content_type(message)).is_some())
    })
}

/// Stands for the day of a message without a date.
const NO_DAY: i64 = i64::MIN;

/// The numbers kept of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) size_bytes: u64,
    pub(crate) header_bytes: u64,
    pub(crate) internal_date: u64,
    pub(crate) attachments: bool,
    pub(crate) sent_day: Option<i64>,
}

impl Facts {
    fn write(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(33);
        for number in [self.size_bytes, self.header_bytes, self.internal_date] {
            octets.extend_from_slice(&number.to_le_bytes());
        }
        octets.extend_from_slice(&self.sent_day.unwrap_or(NO_DAY).to_le_bytes());
        octets.push(u8::from(self.attachments));
        octets
    }

    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let number = |n: usize| Some(u64::from_le_bytes(octets.get(8 * n..8 * n + 8)?.try_into().ok()?));
        Some(Self {
            size_bytes: number(0)?,
            header_bytes: number(1)?,
            internal_date: number(2)?,
            attachments: *octets.get(32)? != 0,
            sent_day: Some(number(3)? as i64).filter(|day| *day != NO_DAY),
        })
    }
}

/// A segment that is merged.
pub(crate) struct Part {
    pub(crate) ids: Vec<u64>,
    /// which of its messages stay
    pub(crate) stays: Vec<bool>,
    pub(crate) columns: Columns,
}

impl Part {
    fn column(&self, wanted: Column) -> Option<&[u8]> {
        let found = self.columns.iter().find(|(column, _)| *column == wanted);
        found.map(|(_, octets)| octets.as_slice())
    }
}

/// One segment of several; `None` when one of them is damaged. A message that is in two of them is taken once.
pub(crate) fn merge(parts: &[Part]) -> Option<(Vec<u64>, Columns)> {
    let mut all: Vec<(u64, usize, usize)> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let stay = part
            .ids
            .iter()
            .zip(&part.stays)
            .enumerate()
            .filter(|(_, (_, stays))| **stays);
        all.extend(stay.map(|(place, (&id, _))| (id, at, place)));
    }
    all.sort_unstable();
    all.dedup_by_key(|(id, _, _)| *id);
    let mut places: Vec<Vec<Option<u32>>> = parts.iter().map(|part| vec![None; part.ids.len()]).collect();
    for (new, &(_, at, old)) in all.iter().enumerate() {
        places[at][old] = Some(new as u32);
    }
    let ids: Vec<u64> = all.iter().map(|(id, _, _)| *id).collect();
    let mut columns = vec![(Column::Ids, ids_column(&ids))];
    for column in Column::STRINGS {
        let olds: Option<Vec<Strings<'_>>> = parts
            .iter()
            .map(|part| Strings::of(part.column(column)?))
            .collect();
        let olds = olds?;
        let mut strings = strings::Builder::default();
        for &(_, at, old) in &all {
            strings.push(olds[at].get(old)?);
        }
        columns.push((column, strings.finish()));
    }
    for column in Column::LEXICONS {
        let olds = parts
            .iter()
            .zip(&places)
            .map(|(part, places)| Some((Lexicon::of(part.column(column)?)?, places.as_slice())));
        columns.push((column, lexicon::merge(&olds.collect::<Option<Vec<_>>>()?)?));
    }
    Some((ids, columns))
}

/// The ids of a segment from their column.
pub(crate) fn ids_of(column: &[u8]) -> Option<Vec<u64>> {
    let ids = ascending(column)?;
    ids.is_sorted_by(|one, other| one < other).then_some(ids)
}

#[cfg(test)]
mod corpora;
#[cfg(test)]
pub(crate) mod tests;
