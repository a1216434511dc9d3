//! Reading one message: the header lines we added, followed by the body as it was accepted. No read is longer than
//! 1 MiB, and no read transaction outlives a call.

use std::sync::Arc;

pub use bytes::Bytes;
use mail::header::Fields;
use mail::ids::MessageId;
use store::contract::{MessageRow, PAGE_ROWS, StoreError};
use tokio::sync::OwnedSemaphorePermit;

use crate::error::{Error, Result};
use crate::limits::{HEADER_BYTES, HEAVY_READ_BYTES, READ_AHEAD_BODY_BYTES, READ_AHEAD_BYTES, READ_BYTES};
use crate::person::{Mailboxes, Person};

/// A message that can be read.
#[derive(Clone)]
pub struct Message {
    shared: Arc<Mailboxes>,
    /// what is stored of it
    pub row: MessageRow,
    /// the body, when it was read ahead
    ready: Option<Bytes>,
}

/// The whole bytes of a message. A large one holds its part of the memory budget until it is dropped.
pub struct Whole {
    /// the message
    pub bytes: Bytes,
    _budget: Option<OwnedSemaphorePermit>,
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

    /// Reads small bodies of these messages in one question. A body that cannot be read is left to whoever reads its message.
    pub async fn read_ahead(&self, messages: &mut [Message]) -> Result<()> {
        let (mut wanted, mut bytes) = (Vec::new(), 0);
        for (at, message) in messages.iter().enumerate() {
            let length = message.row.body_bytes;
            if length <= READ_AHEAD_BODY_BYTES && bytes + length <= READ_AHEAD_BYTES {
                bytes += length;
                wanted.push((at, message.row.blob, length));
            }
        }
        let bodies = wanted.iter().map(|&(_, blob, length)| (blob, length)).collect();
        let read = self.shared.store.read_bodies(bodies).await?;
        for ((at, _, length), body) in wanted.into_iter().zip(read) {
            messages[at].ready = body.ok().filter(|body| body.len() as u64 == length);
        }
        Ok(())
    }

    /// One message.
    pub async fn message(&self, id: MessageId) -> Result<Message> {
        self.messages(vec![id]).await?.pop().ok_or(Error::NoSuchMessage)
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

    /// The whole message. Above 1 MiB it waits for its part of the budget that everybody shares.
    pub async fn whole(&self) -> Result<Whole> {
        let size = self.size_bytes();
        if size <= READ_BYTES {
            return Ok(Whole {
                bytes: self.range(0, size).await?,
                _budget: None,
            });
        }
        let permits = size.min(HEAVY_READ_BYTES).div_ceil(READ_BYTES) as u32;
        let budget = Arc::clone(&self.shared.heavy)
            .acquire_many_owned(permits)
            .await
            .ok();
        let mut all = Vec::new();
        while (all.len() as u64) < size {
            let part = self.range(all.len() as u64, READ_BYTES).await?;
            if part.is_empty() {
                return Err(self.damaged());
            }
            all.extend_from_slice(&part);
        }
        Ok(Whole {
            bytes: all.into(),
            _budget: budget,
        })
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
        if let Some(body) = &self.ready {
            return Ok(body.slice(offset as usize..(offset + length) as usize));
        }
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
