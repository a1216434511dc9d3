//! Reading one message: the header lines we added, followed by the body as it was accepted. No read is longer than
//! 1 MiB, and no read transaction outlives a call.

use std::sync::Arc;

pub use bytes::Bytes;
use mail::header::Fields;
use mail::ids::MessageId;
use store::contract::{MessageRow, PAGE_ROWS, ReadMessage, StoreError, Together};
use tokio::sync::OwnedSemaphorePermit;
use world::clock::BoxFuture;

use crate::error::{Error, Result};
use crate::limits::{
    HEADER_BYTES, HEAVY_READ_BYTES, READ_AHEAD_BODY_BYTES, READ_AHEAD_BYTES, READ_BYTES, SHARE_BYTES,
};
use crate::memory::{Memory, Taken};
use crate::person::{Mailboxes, Person};

/// A message that can be read.
#[derive(Clone)]
pub struct Message {
    shared: Arc<Mailboxes>,
    /// what is stored of it
    pub row: MessageRow,
    /// its octets, when they were read together with others
    ready: Option<Bytes>,
}

/// Messages that were asked for: the store reads them while whoever asked does something else.
pub struct Asked<'p> {
    person: &'p Person,
    answer: BoxFuture<'p, store::contract::Result<Vec<store::contract::Result<Option<ReadMessage>>>>>,
}

/// The whole bytes of a message. One above [`SHARE_BYTES`] holds its part of a budget until it is dropped, which must not wait for a
/// client.
pub struct Whole {
    /// the message
    pub bytes: Bytes,
    _held: Held,
}

/// What a whole message holds beside its bytes.
#[derive(Default)]
struct Held {
    _taken: Option<Taken>,
    _heavy: Option<OwnedSemaphorePermit>,
}

impl Person {
    /// Messages in the order asked; a missing one is left out. More than 256 are read page by page.
    pub async fn messages(&self, ids: Vec<MessageId>) -> Result<Vec<Message>> {
        let mut messages = Vec::with_capacity(ids.len());
        for page in ids.chunks(PAGE_ROWS) {
            for row in self.shared.store.messages(page.to_vec()).await? {
                if row.account == self.account {
                    messages.push(Message {
                        shared: Arc::clone(&self.shared),
                        row,
                        ready: None,
                    });
                }
            }
        }
        Ok(messages)
    }

    /// Asks for at most 256 messages, and for their octets where these are few ([`READ_AHEAD_BODY_BYTES`], [`READ_AHEAD_BYTES`]) and
    /// `octets` says so: in one question, which is on its way when this returns. What was not read so is read when it is needed.
    /// Whoever asks for octets has taken their room ([`Person::memory`]).
    pub fn ask_for(&self, ids: Vec<MessageId>, octets: bool) -> Asked<'_> {
        let (body_bytes, all_bytes) = match octets {
            true => (READ_AHEAD_BODY_BYTES, READ_AHEAD_BYTES),
            false => (0, 0),
        };
        let together = Together {
            body_bytes,
            all_bytes,
        };
        let answer = match ids.is_empty() {
            true => Box::pin(std::future::ready(Ok(Vec::new()))),
            false => self.shared.store.read_messages(ids, together),
        };
        Asked { person: self, answer }
    }

    /// What all sessions together may hold of messages for their clients.
    pub fn memory(&self) -> &Memory {
        &self.shared.memory
    }

    fn own(&self, read: ReadMessage) -> Option<Message> {
        let ReadMessage { row, octets } = read;
        let size = row.prefix.len() as u64 + row.body_bytes;
        (row.account == self.account).then(|| Message {
            shared: Arc::clone(&self.shared),
            row,
            ready: octets.filter(|octets| octets.len() as u64 == size),
        })
    }

    /// One message.
    pub async fn message(&self, id: MessageId) -> Result<Message> {
        self.messages(vec![id]).await?.pop().ok_or(Error::NoSuchMessage)
    }
}

impl Asked<'_> {
    /// An answer for each id, in the order asked; `None` for a message that is not there.
    pub async fn messages(self) -> Result<Vec<Result<Option<Message>>>> {
        let answers = self.answer.await?.into_iter();
        Ok(answers
            .map(|read| Ok(read?.and_then(|read| self.person.own(read))))
            .collect())
    }
}

impl Message {
    /// Bytes of the whole message (RFC822.SIZE).
    pub fn size_bytes(&self) -> u64 {
        self.row.prefix.len() as u64 + self.row.body_bytes
    }

    /// At most 1 MiB from `offset`; cut at the end of the message. Empty only at the end.
    pub async fn range(&self, offset: u64, length: u64) -> Result<Bytes> {
        let length = length
            .min(READ_BYTES)
            .min(self.size_bytes().saturating_sub(offset));
        let prefix = &self.row.prefix;
        let prefix_bytes = prefix.len() as u64;
        if length == 0 {
            return Ok(Bytes::new());
        }
        if let Some(octets) = &self.ready {
            return Ok(octets.slice(offset as usize..(offset + length) as usize));
        }
        if offset >= prefix_bytes {
            return self.body(offset - prefix_bytes, length).await;
        }
        let start = offset as usize;
        let from_prefix = (prefix_bytes - offset).min(length);
        if from_prefix == length {
            return Ok(prefix.slice(start..start + length as usize));
        }
        let rest = self.body(0, length - from_prefix).await?;
        Ok([&prefix[start..], &rest[..]].concat().into())
    }

    /// The whole message. Above 1 MiB, or above [`SHARE_BYTES`] where clients hold everything that there is for them, it waits for its
    /// part of the budget of [`HEAVY_READ_BYTES`]: for others who read, not for clients.
    pub async fn whole(&self) -> Result<Whole> {
        let size = self.size_bytes();
        let held = self.hold(size).await;
        if size <= READ_BYTES {
            return Ok(Whole {
                bytes: self.range(0, size).await?,
                _held: held,
            });
        }
        // Exactly that: growing by doubling would take twice of what was counted. A size that cannot be grows as it is read.
        let mut all = Vec::with_capacity(size.min(HEAVY_READ_BYTES) as usize);
        while (all.len() as u64) < size {
            let part = self.range(all.len() as u64, READ_BYTES).await?;
            if part.is_empty() {
                return Err(self.damaged());
            }
            all.extend_from_slice(&part);
        }
        Ok(Whole {
            bytes: all.into(),
            _held: held,
        })
    }

    async fn hold(&self, size: u64) -> Held {
        if self.ready.is_some() || size <= SHARE_BYTES {
            return Held::default();
        }
        if size <= READ_BYTES
            && let Some(taken) = self.shared.memory.take(size)
        {
            return Held {
                _taken: Some(taken),
                _heavy: None,
            };
        }
        let permits = size.min(HEAVY_READ_BYTES).div_ceil(READ_BYTES) as u32;
        let heavy = Arc::clone(&self.shared.heavy).acquire_many_owned(permits);
        Held {
            _taken: None,
            _heavy: heavy.await.ok(),
        }
    }

    /// The header section with the empty line that ends it; at most 256 KiB.
    pub async fn header(&self) -> Result<Bytes> {
        let size = self.size_bytes();
        let mut want = (self.row.prefix.len() as u64 + FIRST_LOOK_BYTES).min(size);
        loop {
            let head = self.range(0, want).await?;
            if let Some(end) = header_end(&head) {
                return Ok(head.slice(..end));
            }
            if want >= size.min(HEADER_BYTES) {
                return Ok(head);
            }
            want = (want * 8).min(size).min(HEADER_BYTES);
        }
    }

    async fn body(&self, offset: u64, length: u64) -> Result<Bytes> {
        let bytes = self.shared.store.read_body(self.row.blob, offset, length).await?;
        if bytes.len() as u64 != length {
            return Err(self.damaged());
        }
        Ok(bytes)
    }

    fn damaged(&self) -> Error {
        Error::Store(StoreError::Damaged(format!("message {}", self.row.id)))
    }
}

/// Most header sections fit.
const FIRST_LOOK_BYTES: u64 = 16 * 1024;

/// Where the body begins, if the empty line before it is among these bytes.
fn header_end(bytes: &[u8]) -> Option<usize> {
    let mut fields = Fields::new(bytes);
    fields.by_ref().for_each(drop);
    fields.has_blank_line().then(|| fields.body_start())
}
