//! The order of an account's messages by one sort key: a number for each message, so that who sorts compares numbers and no texts.
//! A pure function of the columns.

use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;

use crate::keys;
use crate::segment::Facts;
use crate::strings::Strings;

/// A key of SORT (RFC 5256 §3, RFC 5957 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortField {
    /// internal date
    Arrival,
    /// the Date field as UTC, or else the internal date
    Sent,
    /// octets
    Size,
    /// the base subject
    Subject,
    /// local part of the first address of From
    From,
    /// the same of To
    To,
    /// the same of Cc
    Cc,
    /// the first address of From as it is displayed
    DisplayFrom,
    /// the same of To
    DisplayTo,
}

/// The value of one message's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortValue {
    /// milliseconds since 1970, or octets
    Number(i64),
    /// folded
    Text(String),
}

impl SortField {
    /// Which text of the keys it is.
    fn text(self) -> Option<usize> {
        match self {
            Self::Arrival | Self::Sent | Self::Size => None,
            Self::Subject => Some(keys::SUBJECT),
            Self::From => Some(keys::FROM),
            Self::To => Some(keys::TO),
            Self::Cc => Some(keys::CC),
            Self::DisplayFrom => Some(keys::DISPLAY_FROM),
            Self::DisplayTo => Some(keys::DISPLAY_TO),
        }
    }
}

/// The columns of a segment that keys are read from.
pub(crate) struct Source {
    pub(crate) messages: usize,
    pub(crate) facts: Bytes,
    pub(crate) keys: Bytes,
}

/// The order.
#[derive(Debug)]
pub(crate) struct Order {
    /// by segment and place; equal keys have the same rank, and ranks have no gaps
    ranks: Vec<Box<[u32]>>,
    distinct: Distinct,
}

/// The key of each rank.
#[derive(Debug)]
enum Distinct {
    Numbers(Vec<u64>),
    /// where the text stands
    Texts(Vec<Slice>),
}

/// A text in the keys of a segment.
#[derive(Debug, Clone, Copy)]
struct Slice {
    start: u32,
    length: u16,
    segment: u16,
}

/// A message while its key is compared: most pairs differ in the first eight octets.
struct Entry {
    head: u64,
    text: Slice,
    place: u32,
}

impl Order {
    /// `None` when a column is damaged, or there are more segments than are counted here.
    pub(crate) fn of(sources: &[Source], field: SortField) -> Option<Self> {
        let messages = sources.iter().map(|source| source.messages).sum();
        let mut entries = Vec::with_capacity(messages);
        for (at, source) in sources.iter().enumerate() {
            source.entries(u16::try_from(at).ok()?, field, &mut entries)?;
        }
        let is_text = field.text().is_some();
        let text = |entry: &Entry| {
            let keys = &sources[usize::from(entry.text.segment)].keys;
            keys.get(entry.text.range()).unwrap_or_default()
        };
        let compare = |one: &Entry, other: &Entry| match one.head.cmp(&other.head) {
            Ordering::Equal if is_text => text(one).cmp(text(other)),
            order => order,
        };
        entries.sort_unstable_by(compare);
        let mut ranks: Vec<Box<[u32]>> = sources
            .iter()
            .map(|source| vec![0; source.messages].into())
            .collect();
        let mut firsts: Vec<usize> = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if at == 0 || compare(&entries[at - 1], entry) != Ordering::Equal {
                firsts.push(at);
            }
            ranks[usize::from(entry.text.segment)][entry.place as usize] = firsts.len() as u32 - 1;
        }
        let firsts = firsts.into_iter().map(|at| &entries[at]);
        let distinct = match is_text {
            true => Distinct::Texts(firsts.map(|entry| entry.text).collect()),
            false => Distinct::Numbers(firsts.map(|entry| entry.head).collect()),
        };
        Some(Self { ranks, distinct })
    }

    /// The rank of a message.
    pub(crate) fn rank(&self, segment: usize, place: usize) -> Option<u32> {
        self.ranks.get(segment)?.get(place).copied()
    }

    /// Whether this rank is that of an empty text.
    pub(crate) fn is_empty_text(&self, rank: u32) -> bool {
        match &self.distinct {
            Distinct::Numbers(_) => false,
            Distinct::Texts(texts) => texts.get(rank as usize).is_some_and(|text| text.length == 0),
        }
    }

    /// How many ranks are below a key, and whether one is that key's.
    pub(crate) fn find(&self, sources: &[Source], value: &SortValue) -> Option<(u32, bool)> {
        let found = match (&self.distinct, value) {
            (Distinct::Numbers(numbers), SortValue::Number(number)) => {
                numbers.binary_search(&ordered(*number))
            }
            (Distinct::Texts(texts), SortValue::Text(text)) => texts.binary_search_by(|slice| {
                let keys = sources.get(usize::from(slice.segment)).map(|source| &source.keys);
                let known = keys.and_then(|keys| keys.get(slice.range()));
                known.unwrap_or_default().cmp(text.as_bytes())
            }),
            _ => return None,
        };
        Some(match found {
            Ok(rank) => (rank as u32, true),
            Err(below) => (below as u32, false),
        })
    }

    #[cfg(test)]
    pub(crate) fn of_size(bytes: usize) -> Self {
        Self {
            ranks: Vec::new(),
            distinct: Distinct::Numbers(vec![0; bytes / 8]),
        }
    }

    /// Octets of memory.
    pub(crate) fn bytes(&self) -> usize {
        let ranks: usize = self.ranks.iter().map(|ranks| 16 + 4 * ranks.len()).sum();
        let distinct = match &self.distinct {
            Distinct::Numbers(numbers) => numbers.len(),
            Distinct::Texts(texts) => texts.len(),
        };
        ranks + 8 * distinct
    }
}

impl Slice {
    fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + usize::from(self.length)
    }
}

impl Source {
    fn entries(&self, segment: u16, field: SortField, entries: &mut Vec<Entry>) -> Option<()> {
        let (facts, keys) = (Strings::of(&self.facts)?, Strings::of(&self.keys)?);
        for place in 0..self.messages {
            let mut entry = Entry {
                head: 0,
                text: Slice {
                    start: 0,
                    length: 0,
                    segment,
                },
                place: place as u32,
            };
            match field.text() {
                Some(wanted) => {
                    let (whole, octets) = (keys.range(place)?, keys.get(place)?);
                    let text = keys::text_range(octets, wanted)?;
                    entry.head = head(&octets[text.clone()]);
                    entry.text.start = u32::try_from(whole.start + text.start).ok()?;
                    entry.text.length = u16::try_from(text.len()).ok()?;
                }
                None => {
                    let facts = Facts::read(facts.get(place)?)?;
                    entry.head = ordered(number(&facts, field, keys.get(place)?)?);
                }
            }
            entries.push(entry);
        }
        Some(())
    }
}

fn number(facts: &Facts, field: SortField, keys: &[u8]) -> Option<i64> {
    let arrival = i64::try_from(facts.internal_date).unwrap_or(i64::MAX);
    Some(match field {
        SortField::Size => i64::try_from(facts.size_bytes).unwrap_or(i64::MAX),
        SortField::Sent => keys::sent_ms(keys)?.unwrap_or(arrival),
        _ => arrival,
    })
}

/// The first eight octets: in their order unless they are equal.
fn head(text: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = text.len().min(8);
    first[..length].copy_from_slice(&text[..length]);
    u64::from_be_bytes(first)
}

/// In the order of the numbers.
fn ordered(number: i64) -> u64 {
    (number as u64) ^ (1 << 63)
}

#[cfg(test)]
mod tests {
    use mail::ids::{Id as _, MessageId};
    use mail::sort_keys::SortKeys;
    use proptest::prelude::*;

    use super::*;
    use crate::links::{self, Links};
    use crate::segment::tests::Plain;
    use crate::segment::{Builder, Column, Columns};

    const FIELDS: [SortField; 9] = [
        SortField::Arrival,
        SortField::Sent,
        SortField::Size,
        SortField::Subject,
        SortField::From,
        SortField::To,
        SortField::Cc,
        SortField::DisplayFrom,
        SortField::DisplayTo,
    ];

    fn column(columns: &Columns, wanted: Column) -> Bytes {
        let found = columns.iter().find(|(column, _)| *column == wanted);
        Bytes::from(found.unwrap().1.clone())
    }

    /// Two segments of messages, with their internal dates.
    fn segments(messages: &[(String, u64)]) -> Vec<(usize, Columns)> {
        let (one, other) = messages.split_at(messages.len() / 2);
        let segment = |part: &[(String, u64)]| {
            let mut builder = Builder::default();
            for (n, (message, date)) in part.iter().enumerate() {
                builder.add(
                    MessageId::from_raw(n as u64 + 1),
                    *date,
                    message.as_bytes(),
                    &Plain,
                );
            }
            (part.len(), builder.finish().1)
        };
        vec![segment(one), segment(other)]
    }

    fn places(messages: usize) -> impl Iterator<Item = (usize, usize)> {
        let half = messages / 2;
        (0..messages).map(move |n| if n < half { (0, n) } else { (1, n - half) })
    }

    fn value((message, date): &(String, u64), field: SortField) -> SortValue {
        let keys = SortKeys::of(message.as_bytes());
        let text = match field {
            SortField::Arrival => return SortValue::Number(*date as i64),
            SortField::Sent => return SortValue::Number(keys.sent_ms.unwrap_or(*date as i64)),
            SortField::Size => return SortValue::Number(message.len() as i64),
            SortField::Subject => keys.subject,
            SortField::From => keys.from,
            SortField::To => keys.to,
            SortField::Cc => keys.cc,
            SortField::DisplayFrom => keys.display_from,
            SortField::DisplayTo => keys.display_to,
        };
        SortValue::Text(text)
    }

    fn messages() -> impl Strategy<Value = Vec<(String, u64)>> {
        let text = "(Re: )?([a-cA-Z]{0,3}|same beginning [a-b]{0,2}|\u{e9}t\u{e9}|a\0|)";
        let year = "(19[0-9]{2}|20[0-2]{2}|none)";
        let message = (text, "[a-c]{0,2}", year, "([a-d] ){0,3}", 0u64..5).prop_map(|(subject, name, year, ids, date)| {
            let ids: Vec<String> = ids.split_whitespace().map(|id| format!("<{id}@x>")).collect();
            let (id, references) = ids.split_first().map_or((String::new(), String::new()), |(id, rest)| {
                (format!("Message-ID: {id}\r\n"), format!("References: {}\r\n", rest.join(" ")))
            });
            (format!(
                "Subject: {subject}\r\nFrom: {name} <{name}@x>\r\nTo: {name}@y\r\nCc: c{name}@y\r\nDate: 1 Jan {year} 10:00 +0000\r\n{id}{references}\r\n"
            ), date)
        });
        prop::collection::vec(message, 0..24)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn ranks_are_in_the_order_of_the_keys(messages in messages(), others in messages()) {
            let segments = segments(&messages);
            let sources: Vec<Source> = segments
                .iter()
                .map(|(messages, columns)| Source {
                    messages: *messages,
                    facts: column(columns, Column::Facts),
                    keys: column(columns, Column::Keys),
                })
                .collect();
            for field in FIELDS {
                let order = Order::of(&sources, field).unwrap();
                let ranks: Vec<u32> = places(messages.len()).map(|(at, place)| order.rank(at, place).unwrap()).collect();
                let values: Vec<SortValue> = messages.iter().map(|message| value(message, field)).collect();
                let compare = |one: &SortValue, other: &SortValue| match (one, other) {
                    (SortValue::Number(one), SortValue::Number(other)) => one.cmp(other),
                    (SortValue::Text(one), SortValue::Text(other)) => one.cmp(other),
                    _ => unreachable!(),
                };
                for (rank, value) in ranks.iter().zip(&values) {
                    for (other_rank, other) in ranks.iter().zip(&values) {
                        prop_assert_eq!(rank.cmp(other_rank), compare(value, other));
                    }
                    prop_assert_eq!(order.is_empty_text(*rank), *value == SortValue::Text(String::new()));
                    prop_assert_eq!(order.find(&sources, value), Some((*rank, true)));
                }
                for other in others.iter().map(|other| value(other, field)) {
                    let (below, there) = order.find(&sources, &other).unwrap();
                    prop_assert_eq!(there, values.contains(&other));
                    for (rank, value) in ranks.iter().zip(&values) {
                        prop_assert_eq!(*rank < below, compare(value, &other).is_lt());
                    }
                }
            }
        }

        #[test]
        fn equal_names_have_equal_numbers(messages in messages()) {
            let segments = segments(&messages);
            let sources: Vec<links::Source> = segments
                .iter()
                .map(|(messages, columns)| links::Source {
                    messages: *messages,
                    keys: column(columns, Column::Keys),
                    links: column(columns, Column::Links),
                })
                .collect();
            let links = Links::of(&sources).unwrap();
            let mut numbers = std::collections::HashMap::new();
            let mut names = std::collections::HashMap::new();
            for ((message, _), (at, place)) in messages.iter().zip(places(messages.len())) {
                let wanted = mail::sort_keys::Links::of(message.as_bytes());
                let linked = links.get(at, place).unwrap();
                prop_assert_eq!(linked.is_reply, SortKeys::of(message.as_bytes()).is_reply);
                prop_assert_eq!(linked.id.is_some(), wanted.id.is_some());
                prop_assert_eq!(linked.references.len(), wanted.references.len());
                let pairs = linked.id.into_iter().zip(wanted.id).chain(linked.references.iter().copied().zip(wanted.references));
                for (number, name) in pairs {
                    prop_assert_eq!(*numbers.entry(name.clone()).or_insert(number), number);
                    prop_assert_eq!(names.entry(number).or_insert(name.clone()), &name);
                }
            }
        }
    }
}
