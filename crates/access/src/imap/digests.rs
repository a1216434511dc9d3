//! What SORT and THREAD need to know of messages, read page by page: the one place where it comes from, whoever keeps it ready.

use std::collections::HashMap;

use index::Wanted;
use mail::ids::MessageId;
use mail::sort_keys::{Links, SortKeys};
use mailbox::{Message, Person};

use super::find::{Halt, Hit, readable};
use super::session::{Cx, User};
use crate::limits::PAGE_MESSAGES;

/// How much must be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// what the store's row says
    Row,
    /// the sort keys of the header too
    Keys,
    /// and what links it to other messages
    Links,
}

/// What is known of a message. One that is gone or cannot be read has no keys: it stands where those without keys stand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Digest {
    /// internal date, milliseconds since 1970
    pub(crate) arrival_ms: i64,
    pub(crate) size_bytes: u64,
    pub(crate) keys: SortKeys,
    pub(crate) links: Links,
}

impl Digest {
    /// The sent date (RFC 5256 §2.2).
    pub(crate) fn sent_ms(&self) -> i64 {
        self.keys.sent_ms.unwrap_or(self.arrival_ms)
    }
}

impl Needs {
    fn wanted(self) -> Wanted {
        Wanted {
            keys: self != Self::Row,
            links: self == Self::Links,
            ..Wanted::default()
        }
    }
}

impl From<index::Digest> for Digest {
    fn from(kept: index::Digest) -> Self {
        Self {
            arrival_ms: i64::try_from(kept.internal_date.0).unwrap_or(i64::MAX),
            size_bytes: kept.size_bytes,
            keys: kept.keys.unwrap_or_default(),
            links: kept.links.unwrap_or_default(),
        }
    }
}

/// Hands the digest of every hit on, in their order.
pub(crate) async fn each(
    cx: &mut Cx<'_, '_>,
    (user, owner): (&User, &Person),
    hits: &[Hit],
    needs: Needs,
    mut take: impl FnMut(&Hit, &Digest),
) -> Result<(), Halt> {
    for (at, page) in hits.chunks(PAGE_MESSAGES).enumerate() {
        if at > 0 {
            cx.io.breathe().await?;
        }
        let ids = page.iter().map(|hit| hit.message).collect();
        let kept = owner.digests(ids, needs.wanted()).await;
        let unknown = page.iter().zip(&kept).filter(|(_, kept)| kept.is_none());
        let ids: Vec<MessageId> = unknown.map(|(hit, _)| hit.message).collect();
        let messages: HashMap<MessageId, Message> = owner
            .messages(ids)
            .await?
            .into_iter()
            .map(|message| (message.row.id, message))
            .collect();
        for (hit, kept) in page.iter().zip(kept) {
            let digest = match (kept, messages.get(&hit.message)) {
                (Some(kept), _) => kept.into(),
                (None, Some(message)) => {
                    let digest = of(message, needs).await;
                    readable(cx, user, hit.message, digest)?.unwrap_or_default()
                }
                (None, None) => Digest::default(),
            };
            take(hit, &digest);
        }
    }
    Ok(())
}

async fn of(message: &Message, needs: Needs) -> mailbox::Result<Digest> {
    let mut digest = Digest {
        arrival_ms: i64::try_from(message.row.internal_date.0).unwrap_or(i64::MAX),
        size_bytes: message.size_bytes(),
        ..Digest::default()
    };
    if needs != Needs::Row {
        let header = message.header().await?;
        digest.keys = SortKeys::of(&header);
        if needs == Needs::Links {
            digest.links = Links::of(&header);
        }
    }
    Ok(digest)
}
