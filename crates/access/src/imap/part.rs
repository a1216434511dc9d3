//! What a URL of a message names (RFC 5092 §5): found without holding more of a large message than finding takes, then read piece by piece.

use imap::command::{Section, SectionText};
use imap::section;
use imap::url::{Url, UrlPartial};
use mail::ids::{AccountId, MailboxId};
use mail::mime::Structure;
use mailbox::limits::SHARE_BYTES;
use mailbox::memory::Taken;
use mailbox::message::Bytes;
use mailbox::{Act, Memory, Message, Opened, Person};
use store::contract::StoreError;
use store::uids::UidSet;

use super::content::place_of;
use super::refusal;
use crate::limits::URL_SEARCHED_BYTES;

/// Where the octets of a part are.
pub(crate) enum Part {
    /// in the message, from here to there
    Range(Message, u64, u64),
    /// apart: lines of a header that were picked out, with what is taken for them beyond the share of the session
    Copy { octets: Bytes, _taken: Option<Taken> },
}

impl Part {
    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::Range(_, start, end) => end - start,
            Self::Copy { octets, .. } => octets.len() as u64,
        }
    }

    /// At most `most_bytes`, and 1 MiB, from `offset` of the part; empty at its end.
    pub(crate) async fn read(&self, offset: u64, most_bytes: u64) -> mailbox::Result<Bytes> {
        match self {
            Self::Range(message, start, end) => {
                let from = start.saturating_add(offset).min(*end);
                message.range(from, most_bytes.min(end - from)).await
            }
            Self::Copy { octets, .. } => {
                let from = offset.min(octets.len() as u64);
                let to = from.saturating_add(most_bytes).min(octets.len() as u64);
                Ok(octets.slice(from as usize..to as usize))
            }
        }
    }
}

/// Finds parts for one command, within its budget.
pub(crate) struct Finder {
    /// octets of messages that may still be looked through
    left_bytes: u64,
    /// the mailbox of the last URL that named one, and whose it is
    last: Option<(AccountId, imap::name::MailboxName, Opened)>,
}

/// Why there is no part.
pub(crate) enum NoPart {
    /// the URL names nothing that is there
    NotThere,
    /// the command looks through too much
    TooMuch,
    /// it could not be read
    Failed(mailbox::Error),
}

impl From<mailbox::Error> for NoPart {
    fn from(error: mailbox::Error) -> Self {
        match error {
            mailbox::Error::NoSuchMailbox
            | mailbox::Error::NoPermission(_)
            | mailbox::Error::NoSuchMessage
            | mailbox::Error::BadName(_) => Self::NotThere,
            other => Self::Failed(other),
        }
    }
}

impl Finder {
    pub(crate) fn new() -> Self {
        Self {
            left_bytes: URL_SEARCHED_BYTES,
            last: None,
        }
    }

    /// What the URL names among the mail of this person. `open`: the mailbox that a URL without one means. `only`: the one for which
    /// a URL has proved itself, whatever has its name by now.
    pub(crate) async fn find(
        &mut self,
        person: &Person,
        open: Option<&Opened>,
        url: &Url,
        only: Option<MailboxId>,
    ) -> Result<Part, NoPart> {
        let opened = match &url.mailbox {
            None => open.ok_or(NoPart::NotThere)?,
            Some(name) => self.mailbox(person, name).await?,
        };
        if only.is_some_and(|only| only != opened.id()) {
            return Err(NoPart::NotThere);
        }
        if url
            .uidvalidity
            .is_some_and(|validity| validity.get() != opened.uidvalidity())
        {
            return Err(NoPart::NotThere);
        }
        // The mailbox may have been open for long, and the command may have waited for octets.
        person.still_may(Act::Read, opened.place()).await?;
        let uids = UidSet::from_uids([url.uid.get()]);
        let id = opened.select(&uids).next().map(|(_, row)| row.message);
        let owner = person.at(opened);
        let message = owner.message(id.ok_or(NoPart::NotThere)?).await?;
        self.part(owner.memory(), message, (&url.section, url.partial))
            .await
    }

    async fn mailbox(&mut self, person: &Person, name: &imap::name::MailboxName) -> Result<&Opened, NoPart> {
        let opened = match self.last.take() {
            Some((whose, last, opened)) if whose == person.account() && last == *name => opened,
            _ => {
                let mut opened = person.open(&refusal::name(name)?, true).await?;
                opened.look();
                opened
            }
        };
        Ok(&self.last.insert((person.account(), name.clone(), opened)).2)
    }

    async fn part(
        &mut self,
        memory: &Memory,
        message: Message,
        (section, partial): (&Section, Option<UrlPartial>),
    ) -> Result<Part, NoPart> {
        let size = message.size_bytes();
        if section.part.is_empty() && section.text == SectionText::All {
            return Ok(range(message, (0, size), partial));
        }
        if section.part.is_empty() && section.text != SectionText::Mime {
            let header = message.header().await?;
            if section.text == SectionText::Text {
                return Ok(range(message, ((header.len() as u64).min(size), size), partial));
            }
            let structure = Structure::parse(&header);
            let octets = section::resolve(&header, &structure, section).ok_or(NoPart::NotThere)?;
            return copy(memory, &octets, partial);
        }
        self.left_bytes = self.left_bytes.checked_sub(size).ok_or(NoPart::TooMuch)?;
        let whole = message.whole().await?;
        let structure = Structure::parse(&whole.bytes);
        let octets = section::resolve(&whole.bytes, &structure, section).ok_or(NoPart::NotThere)?;
        match place_of(&whole.bytes, &octets) {
            Some(place) => Ok(range(message, place, partial)),
            None => copy(memory, &octets, partial),
        }
    }
}

fn range(message: Message, (start, end): (u64, u64), partial: Option<UrlPartial>) -> Part {
    match partial.map(|partial| partial.within(end - start)) {
        Some((from, to)) => Part::Range(message, start + from, start + to),
        None => Part::Range(message, start, end),
    }
}

/// What is longer than a share must have room, as it is held until the client has it.
fn copy(memory: &Memory, octets: &[u8], partial: Option<UrlPartial>) -> Result<Part, NoPart> {
    let size = octets.len() as u64;
    let (from, to) = partial.map_or((0, size), |partial| partial.within(size));
    let taken = memory.take(to - from);
    if taken.is_none() && to - from > SHARE_BYTES {
        return Err(NoPart::Failed(StoreError::Busy.into()));
    }
    Ok(Part::Copy {
        octets: octets[from as usize..to as usize].to_vec().into(),
        _taken: taken,
    })
}
