//! What FETCH needs of one message: loaded first, so that nothing is announced that cannot be read; then written.
//!
//! 1. [`Needs::of`] says from the items how much of a message must be read.
//! 2. [`Content::load`] reads it: nothing, the row, the header, or the whole (a large one within the budget of all).
//! 3. [`Content::write`] writes the items that are in memory, as far as there is room for them ([`Room`]); what is large, or has no room,
//!    it leaves as a range to be streamed. What can only be made as a whole, and has no room, is [`NoRoom`].

use std::borrow::Cow;

use imap::command::{FetchItem, FetchSection, Section, SectionText};
use imap::date::DateTime;
use imap::describe;
use imap::out::{FetchLine, Octets};
use imap::section::{self, Decoded};
use mail::limits::PREVIEW_MESSAGE_BYTES;
use mail::mime::Structure;
use mail::preview::preview;
use mailbox::limits::READ_BYTES;
use mailbox::message::{Bytes, Whole};
use mailbox::{Message, Room};
use world::clock::UnixMs;

/// How much of each message a FETCH reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Needs {
    /// its row: its date, and where its octets are
    pub(crate) message: bool,
    header: bool,
    /// its octets as they stand, but not what they mean
    octets: bool,
    structure: bool,
    /// its beginning, for a preview
    preview: bool,
    /// when it came into the mailbox
    pub(crate) save_date: bool,
}

impl Needs {
    pub(crate) fn of(items: &[FetchItem]) -> Self {
        let mut needs = Self::default();
        items.iter().for_each(|item| needs.add(item));
        needs
    }

    /// Whether octets are sent as they stand.
    pub(crate) fn octets(self) -> bool {
        self.octets || self.structure
    }

    /// Whether octets of messages are read.
    pub(crate) fn content(self) -> bool {
        self.header || self.octets || self.structure || self.preview
    }

    fn add(&mut self, item: &FetchItem) {
        match item {
            FetchItem::Flags
            | FetchItem::Uid
            | FetchItem::ModSeq
            | FetchItem::EmailId
            | FetchItem::Rfc822Size
            | FetchItem::ThreadId => return,
            FetchItem::InternalDate => {}
            FetchItem::Envelope | FetchItem::Rfc822Header => self.header = true,
            FetchItem::Body | FetchItem::BodyStructure => self.structure = true,
            FetchItem::Binary(_) | FetchItem::BinarySize(_) => self.structure = true,
            FetchItem::Preview => self.preview = true,
            FetchItem::SaveDate => self.save_date = true,
            FetchItem::Rfc822 => self.octets = true,
            FetchItem::Rfc822Text => (self.octets, self.header) = (true, true),
            FetchItem::Section(fetched) => match Reach::of(&fetched.section) {
                Reach::Everything => self.octets = true,
                Reach::BehindHeader => (self.octets, self.header) = (true, true),
                Reach::Header => self.header = true,
                Reach::Part => self.structure = true,
            },
        }
        self.message = true;
    }
}

/// Where the octets of a section are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Everything,
    BehindHeader,
    Header,
    Part,
}

impl Reach {
    fn of(section: &Section) -> Self {
        match (&section.text, section.part.is_empty()) {
            (_, false) | (SectionText::Mime, true) => Self::Part,
            (SectionText::All, true) => Self::Everything,
            (SectionText::Text, true) => Self::BehindHeader,
            (SectionText::Header | SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_), true) => {
                Self::Header
            }
        }
    }
}

/// What was read of one message.
pub(crate) struct Content {
    message: Message,
    header: Option<(Bytes, Structure)>,
    whole: Option<Whole>,
    structure: Option<Structure>,
    preview: String,
    /// the section that was decoded last, and its octets: items with different partials share them
    decoded: Option<(Section, Vec<u8>)>,
}

/// Octets of an item that are still to be read and sent.
pub(crate) struct Rest<'i> {
    pub(crate) item: &'i FetchItem,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// An item can only be made as a whole, and all sessions together hold as much as they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl Content {
    /// Reads what is needed. `at_once`: there is room for all octets of the message; otherwise they are left to be streamed.
    pub(crate) async fn load(message: Message, needs: Needs, at_once: bool) -> mailbox::Result<Self> {
        let whole = if needs.structure || (needs.octets && at_once) {
            Some(message.whole().await?)
        } else {
            None
        };
        let header = match &whole {
            _ if !needs.header => None,
            Some(whole) => Some(whole.bytes.slice(..mail::header::body_start(&whole.bytes))),
            None => Some(message.header().await?),
        };
        let header = header.map(|bytes| {
            let structure = Structure::parse(&bytes);
            (bytes, structure)
        });
        let structure = whole
            .as_ref()
            .filter(|_| needs.structure)
            .map(|whole| Structure::parse(&whole.bytes));
        let preview = match (&whole, &structure) {
            _ if !needs.preview => String::new(),
            (Some(whole), Some(structure)) => preview(&whole.bytes, structure),
            _ => {
                let start = message.range(0, PREVIEW_MESSAGE_BYTES as u64).await?;
                preview(&start, &Structure::parse(&start))
            }
        };
        Ok(Self {
            message,
            header,
            whole,
            structure,
            preview,
            decoded: None,
        })
    }

    /// Writes what is in memory of an item; or says what is to be streamed.
    pub(crate) fn write<'i>(
        &mut self,
        line: &mut FetchLine<'_>,
        item: &'i FetchItem,
        room: &mut Room,
    ) -> Result<Option<Rest<'i>>, NoRoom> {
        let rest = self.write_item(line, item, room);
        match room.has(line.untaken_bytes() as u64) {
            true => Ok(rest),
            false => Err(NoRoom),
        }
    }

    fn write_item<'i>(
        &mut self,
        line: &mut FetchLine<'_>,
        item: &'i FetchItem,
        room: &mut Room,
    ) -> Option<Rest<'i>> {
        match item {
            FetchItem::InternalDate => line.internal_date(internal_date(&self.message)),
            FetchItem::Envelope => line.envelope(&describe::envelope(self.header_octets())),
            FetchItem::Body => line.body(&self.described()?),
            FetchItem::BodyStructure => line.body_structure(&self.described()?),
            FetchItem::Preview => line.preview(&self.preview),
            FetchItem::Binary(fetched) => match self.decoded(&fetched.section) {
                Some(octets) => line.binary(fetched, Octets::Of(section::cut(octets, fetched.partial))),
                None => line.binary(fetched, Octets::Nil),
            },
            FetchItem::BinarySize(section) => {
                let size = self.decoded(section).map_or(0, |octets| octets.len() as u64);
                line.binary_size(section, size);
            }
            _ => return self.write_octets(line, item, room),
        }
        None
    }

    /// Whether one of these items is a part whose transfer encoding nobody knows (RFC 3516 §4.3).
    pub(crate) fn has_unknown_encoding(&self, items: &[FetchItem]) -> bool {
        let (Some(whole), Some(structure)) = (&self.whole, &self.structure) else {
            return false;
        };
        items.iter().any(|item| match item {
            FetchItem::Binary(FetchSection { section, .. }) | FetchItem::BinarySize(section) => {
                section::has_unknown_encoding(&whole.bytes, structure, section)
            }
            _ => false,
        })
    }

    fn decoded(&mut self, section: &Section) -> Option<&[u8]> {
        if self.decoded.as_ref().is_none_or(|(of, _)| of != section) {
            let (whole, structure) = (self.whole.as_ref()?, self.structure.as_ref()?);
            match section::decode(&whole.bytes, structure, section) {
                Decoded::Octets(Cow::Borrowed(octets)) => return Some(octets),
                Decoded::Octets(Cow::Owned(octets)) => self.decoded = Some((section.clone(), octets)),
                Decoded::UnknownEncoding | Decoded::NoSuchPart => return None,
            }
        }
        self.decoded.as_ref().map(|(_, octets)| octets.as_slice())
    }

    /// Whether writing an item of it may take the processor for long.
    pub(crate) fn is_large(&self) -> bool {
        self.message.size_bytes() > READ_BYTES
    }

    /// Lets go of a large message's bytes before the slow part: sending.
    pub(crate) fn into_message(self) -> Message {
        self.message
    }

    fn write_octets<'i>(
        &self,
        line: &mut FetchLine<'_>,
        item: &'i FetchItem,
        room: &mut Room,
    ) -> Option<Rest<'i>> {
        let (section, partial) = section::section_of(item)?;
        let size = self.message.size_bytes();
        let start = match Reach::of(&section) {
            Reach::Everything => 0,
            Reach::BehindHeader => (self.header_octets().len() as u64).min(size),
            Reach::Header => {
                let (header, structure) = self.header.as_ref()?;
                section::with_octets(header, structure, item, |octets| line.octets(item, octets));
                return None;
            }
            Reach::Part => return self.write_part(line, item, room),
        };
        let (start, end) = match partial {
            Some(partial) => {
                let start = (start + u64::from(partial.offset)).min(size);
                (start, (start + u64::from(partial.length.get())).min(size))
            }
            None => (start, size),
        };
        let whole = self
            .whole
            .as_ref()
            .filter(|whole| whole.bytes.len() as u64 == size);
        match whole {
            Some(whole) if fits(line, end - start, room) => {
                line.octets(item, Octets::Of(&whole.bytes[start as usize..end as usize]));
                None
            }
            _ => Some(Rest { item, start, end }),
        }
    }

    /// A part for which there is no room at once is streamed from where it was found, if it stands somewhere.
    fn write_part<'i>(
        &self,
        line: &mut FetchLine<'_>,
        item: &'i FetchItem,
        room: &mut Room,
    ) -> Option<Rest<'i>> {
        let (whole, structure) = (self.whole.as_ref()?, self.structure.as_ref()?);
        section::with_octets(&whole.bytes, structure, item, |octets| {
            let place = match octets {
                Octets::Of(octets) if !fits(line, octets.len() as u64, room) => {
                    place_of(&whole.bytes, octets)
                }
                Octets::Of(_) | Octets::Nil => None,
            };
            let Some((start, end)) = place else {
                line.octets(item, octets);
                return None;
            };
            Some(Rest { item, start, end })
        })?
    }

    fn header_octets(&self) -> &[u8] {
        self.header.as_ref().map_or(&[], |(bytes, _)| bytes)
    }

    fn described(&self) -> Option<imap::out::Structure<'_>> {
        Some(describe::structure(
            &self.whole.as_ref()?.bytes,
            self.structure.as_ref()?,
        ))
    }
}

/// Whether so many octets of a message may be added to a response at once.
fn fits(line: &FetchLine<'_>, octets: u64, room: &mut Room) -> bool {
    octets <= READ_BYTES && room.has(line.untaken_bytes() as u64 + octets)
}

/// Where `octets` stand in `message`, if they are a part of it and not a copy.
pub(crate) fn place_of(message: &[u8], octets: &[u8]) -> Option<(u64, u64)> {
    let start = octets.as_ptr().addr().checked_sub(message.as_ptr().addr())?;
    let end = start.checked_add(octets.len())?;
    (end <= message.len()).then_some((start as u64, end as u64))
}

fn internal_date(message: &Message) -> DateTime {
    date_time(message.row.internal_date)
}

/// A moment as FETCH tells it.
pub(crate) fn date_time(moment: UnixMs) -> DateTime {
    DateTime {
        unix_seconds: i64::try_from(moment.0 / 1000).unwrap_or(i64::MAX),
        zone_minutes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_read() {
        let section = |part: &[u32], text| {
            let part = part.iter().map(|&number| number.try_into().unwrap()).collect();
            FetchItem::Section(imap::command::FetchSection {
                peek: true,
                section: Section { part, text },
                partial: None,
            })
        };
        let message = Needs {
            message: true,
            ..Needs::default()
        };
        let header = Needs {
            header: true,
            ..message
        };
        for (item, needs) in [
            (FetchItem::Flags, Needs::default()),
            (FetchItem::EmailId, Needs::default()),
            (FetchItem::Rfc822Size, Needs::default()),
            (FetchItem::InternalDate, message),
            (FetchItem::Envelope, header),
            (
                section(&[], SectionText::HeaderFields(vec!["Subject".to_owned()])),
                header,
            ),
            (
                section(&[], SectionText::All),
                Needs {
                    octets: true,
                    ..message
                },
            ),
            (
                section(&[], SectionText::Text),
                Needs {
                    octets: true,
                    ..header
                },
            ),
            (
                section(&[1], SectionText::All),
                Needs {
                    structure: true,
                    ..message
                },
            ),
            (
                section(&[2], SectionText::Mime),
                Needs {
                    structure: true,
                    ..message
                },
            ),
            (
                FetchItem::BodyStructure,
                Needs {
                    structure: true,
                    ..message
                },
            ),
        ] {
            assert_eq!(Needs::of(std::slice::from_ref(&item)), needs, "{item:?}");
        }
    }

    #[test]
    fn a_copy_has_no_place() {
        let message = b"abcdef".to_vec();
        assert_eq!(place_of(&message, &message[2..4]), Some((2, 4)));
        assert_eq!(place_of(&message, &message[6..]), Some((6, 6)));
        let other = b"cd".to_vec();
        assert_eq!(place_of(&message, &other), None);
    }
}
