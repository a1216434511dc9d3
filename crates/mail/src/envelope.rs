//! What IMAP ENVELOPE tells of a message (RFC 9051 §7.5.2): raw octets, unfolded and unquoted, encoded words as they are.

use std::borrow::Cow;

use crate::header::{Field, Fields};
use crate::limits::{ADDRESSES, HEADER_BLOCK_BYTES};
use crate::value::addresses::{self, Entry};

/// One address structure of IMAP. A group is a start (`mailbox` set, `host` not), its members, an end (neither set).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvelopeAddress {
    /// Personal name.
    pub name: Option<Vec<u8>>,
    /// Source route (at-domain-list).
    pub route: Option<Vec<u8>>,
    /// Local part, or the name of a group that starts here.
    pub mailbox: Option<Vec<u8>>,
    /// Domain; empty (not absent) when the address has none, because absent means a group.
    pub host: Option<Vec<u8>>,
}

/// The ten fields. `None` and an empty list are NIL; a field that is there but empty is `Some` of nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// Date, as it stands.
    pub date: Option<Vec<u8>>,
    /// Subject.
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Vec<EnvelopeAddress>,
    /// Sender; From when it is absent or empty.
    pub sender: Vec<EnvelopeAddress>,
    /// Reply-To; From when it is absent or empty.
    pub reply_to: Vec<EnvelopeAddress>,
    /// To, of all To fields.
    pub to: Vec<EnvelopeAddress>,
    /// Cc, of all Cc fields.
    pub cc: Vec<EnvelopeAddress>,
    /// Bcc, of all Bcc fields.
    pub bcc: Vec<EnvelopeAddress>,
    /// In-Reply-To, as it stands.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID, as it stands.
    pub message_id: Option<Vec<u8>>,
}

impl Envelope {
    /// Reads it from a header block (or a whole message: the body is not looked at). Of fields that may stand only
    /// once the first counts. At most [`HEADER_BLOCK_BYTES`] are looked at.
    pub fn parse(header: &[u8]) -> Self {
        let mut envelope = Self::default();
        for field in Fields::new(&header[..header.len().min(HEADER_BLOCK_BYTES)]) {
            envelope.note(&field);
        }
        if envelope.sender.is_empty() {
            envelope.sender = envelope.from.clone();
        }
        if envelope.reply_to.is_empty() {
            envelope.reply_to = envelope.from.clone();
        }
        envelope
    }

    fn note(&mut self, field: &Field<'_>) {
        let text = match field.name().to_ascii_lowercase().as_slice() {
            b"date" => &mut self.date,
            b"subject" => &mut self.subject,
            b"in-reply-to" => &mut self.in_reply_to,
            b"message-id" => &mut self.message_id,
            b"from" => return once(&mut self.from, field),
            b"sender" => return once(&mut self.sender, field),
            b"reply-to" => return once(&mut self.reply_to, field),
            b"to" => return add(&mut self.to, field),
            b"cc" => return add(&mut self.cc, field),
            b"bcc" => return add(&mut self.bcc, field),
            _ => return,
        };
        if text.is_none() {
            *text = Some(without_nul(field.unfolded()));
        }
    }
}

fn without_nul(value: Cow<'_, [u8]>) -> Vec<u8> {
    let mut value = value.into_owned();
    value.retain(|byte| *byte != 0);
    value
}

fn once(list: &mut Vec<EnvelopeAddress>, field: &Field<'_>) {
    if list.is_empty() {
        add(list, field);
    }
}

fn add(list: &mut Vec<EnvelopeAddress>, field: &Field<'_>) {
    let room = ADDRESSES.saturating_sub(list.len());
    list.extend(
        addresses::parse(field.value())
            .into_iter()
            .take(room)
            .map(EnvelopeAddress::from),
    );
}

impl From<Entry> for EnvelopeAddress {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Mailbox(mailbox) => Self {
                name: mailbox.name,
                route: mailbox.route,
                mailbox: Some(mailbox.local),
                host: Some(mailbox.domain.unwrap_or_default()),
            },
            Entry::GroupStart(name) => Self {
                mailbox: Some(name),
                ..Self::default()
            },
            Entry::GroupEnd => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests;
