//! What links an account's messages: a number for every Message-ID that is anywhere, so that who makes threads compares numbers.
//! A pure function of the columns.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use crate::keys;
use crate::strings::Strings;

/// The columns of a segment that links are read from.
pub(crate) struct Source {
    pub(crate) messages: usize,
    pub(crate) keys: Bytes,
    pub(crate) links: Bytes,
}

/// The links of all messages.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// where each segment's messages begin in `rows`
    starts: Vec<usize>,
    rows: Vec<Row>,
    /// all references, one message behind the other
    references: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    /// `NONE`: it has none
    id: u32,
    is_reply: bool,
    /// where its references end
    references_end: u32,
}

const NONE: u32 = u32::MAX;

/// The links of one message.
pub(crate) struct Linked<'l> {
    pub(crate) id: Option<u32>,
    pub(crate) is_reply: bool,
    pub(crate) references: &'l [u32],
}

impl Links {
    /// `None` when a column is damaged, or there are more names than are counted here.
    pub(crate) fn of(sources: &[Source]) -> Option<Self> {
        let messages = sources.iter().map(|source| source.messages).sum();
        let mut names: HashMap<&[u8], u32> = HashMap::with_capacity(messages);
        let mut links = Self {
            starts: Vec::with_capacity(sources.len()),
            rows: Vec::with_capacity(messages),
            references: Vec::with_capacity(messages),
        };
        for source in sources {
            links.starts.push(links.rows.len());
            let (keys, ids) = (Strings::of(&source.keys)?, Strings::of(&source.links)?);
            for place in 0..source.messages {
                let octets = ids.get(place)?;
                let (has_id, mut at) = (*octets.first()? != 0, 1);
                let mut id = NONE;
                while at < octets.len() {
                    let name = keys::string(octets, &mut at)?;
                    let next = u32::try_from(names.len()).ok().filter(|next| *next < NONE)?;
                    let number = *names.entry(name).or_insert(next);
                    match has_id && id == NONE {
                        true => id = number,
                        false => links.references.push(number),
                    }
                }
                links.rows.push(Row {
                    id,
                    is_reply: keys::is_reply(keys.get(place)?)?,
                    references_end: u32::try_from(links.references.len()).ok()?,
                });
            }
        }
        Some(links)
    }

    /// The links of a message.
    pub(crate) fn get(&self, segment: usize, place: usize) -> Option<Linked<'_>> {
        let at = self.starts.get(segment)? + place;
        let row = self.rows.get(at)?;
        Some(Linked {
            id: (row.id != NONE).then_some(row.id),
            is_reply: row.is_reply,
            references: self.references.get(self.references_of(at)?)?,
        })
    }

    fn references_of(&self, at: usize) -> Option<Range<usize>> {
        let start = match at.checked_sub(1) {
            Some(before) => self.rows.get(before)?.references_end,
            None => 0,
        };
        Some(start as usize..self.rows.get(at)?.references_end as usize)
    }

    /// Octets of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.starts.len() * 8 + self.rows.len() * size_of::<Row>() + self.references.len() * 4
    }
}
