//! The messages that a FETCH reads, page by page: the next page is read while one is sent, if there is room for it.
//!
//! A page has at most [`PAGE_MESSAGES`]. Octets that are read with it, and what the index knows of its messages, are taken from what all
//! sessions may hold together ([`mailbox::memory`]), until the page is sent. Where nothing is left, a page holds [`SHARE_BYTES`], and the
//! next is read when this one is sent: a client that takes its time then holds up itself alone.

use imap::command::FetchItem;
use index::Digest;
use mailbox::limits::{READ_AHEAD_BODY_BYTES, READ_AHEAD_BYTES, SHARE_BYTES};
use mailbox::memory::Taken;
use mailbox::message::{Asked, Bytes};
use mailbox::{Opened, Person, Row};
use store::uids::UidSet;

use super::ahead;
use super::content::Needs;
use crate::limits::PAGE_MESSAGES;

/// What messages are asked for, and what of each.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'f> {
    pub(crate) uids: &'f UidSet,
    /// only messages that changed after this modseq
    pub(crate) since: u64,
    pub(crate) items: &'f [FetchItem],
    pub(crate) needs: Needs,
    pub(crate) sets_seen: bool,
}

/// Messages that are asked for together.
pub(crate) struct Page<'p> {
    pub(crate) found: Vec<Found>,
    /// those without a digest
    pub(crate) asked: Asked<'p>,
    /// what may be held of them beyond the share of the session
    pub(crate) taken: Option<Taken>,
}

/// One message of a page.
pub(crate) struct Found {
    pub(crate) seq: u32,
    pub(crate) row: Row,
    /// what the index knows of it, if that is all that is asked
    pub(crate) digest: Option<Digest>,
}

/// All pages of one FETCH.
pub(crate) struct Pages<'p> {
    source: Source<'p>,
    /// the UID from which on messages were not asked for; nothing behind the last
    from: Option<u32>,
    ahead: Option<Page<'p>>,
}

/// Where pages come from.
#[derive(Clone, Copy)]
struct Source<'p> {
    owner: &'p Person,
    opened: &'p Opened,
    asking: Asking<'p>,
}

/// A share is room for the longest body or digest of a page: every page has a message.
const _: () = assert!(READ_AHEAD_BODY_BYTES <= SHARE_BYTES && SHARE_BYTES <= READ_AHEAD_BYTES);

impl<'p> Pages<'p> {
    pub(crate) fn new(owner: &'p Person, opened: &'p Opened, asking: Asking<'p>) -> Self {
        let source = Source {
            owner,
            opened,
            asking,
        };
        Self {
            source,
            from: Some(0),
            ahead: None,
        }
    }

    /// The next page; `None` when there are no more.
    pub(crate) async fn next(&mut self) -> Option<Page<'p>> {
        if let Some(page) = self.ahead.take() {
            return Some(page);
        }
        let source = self.source;
        let mut found = source.find(self.from?).await;
        let taken = source.room_for(&found);
        if taken.is_none() {
            source.cut(&mut found, SHARE_BYTES);
        }
        self.ask(found, taken)
    }

    /// Asks for the page behind the one that is about to be sent, if there is room for both.
    pub(crate) async fn read_ahead(&mut self) {
        let (None, Some(from)) = (&self.ahead, self.from) else {
            return;
        };
        let source = self.source;
        let found = source.find(from).await;
        if let Some(taken) = source.room_for(&found) {
            self.ahead = self.ask(found, Some(taken));
        }
    }

    fn ask(&mut self, found: Vec<Found>, taken: Option<Taken>) -> Option<Page<'p>> {
        self.from = behind(found.last().map(|found| found.row.uid));
        if found.is_empty() {
            return None;
        }
        let unknown = found.iter().filter(|found| found.digest.is_none());
        let unknown = unknown.map(|found| found.row.message).collect();
        Some(Page {
            asked: self
                .source
                .owner
                .ask_for(unknown, self.source.asking.needs.content()),
            found,
            taken,
        })
    }
}

impl Source<'_> {
    /// The next messages, as many as weigh no more than a page may.
    async fn find(&self, from: u32) -> Vec<Found> {
        let Asking {
            uids, since, items, ..
        } = self.asking;
        let asked = self.opened.select_from(uids, from);
        let asked = asked.filter(|(_, row)| row.modseq > since);
        let rows: Vec<(u32, Row)> = asked.take(PAGE_MESSAGES).map(|(seq, row)| (seq, *row)).collect();
        let digests = known_ahead(self.owner, items, &rows).await;
        let found = rows.into_iter().zip(digests);
        let mut found = found
            .map(|((seq, row), digest)| Found { seq, row, digest })
            .collect();
        self.cut(&mut found, READ_AHEAD_BYTES);
        found
    }

    /// Leaves as many as weigh no more than that.
    fn cut(&self, found: &mut Vec<Found>, most_bytes: u64) {
        let mut bytes = 0;
        let fits = |found: &&Found| {
            bytes += self.weight(found);
            bytes <= most_bytes
        };
        let fitting = found.iter().take_while(fits).count();
        found.truncate(fitting);
    }

    fn room_for(&self, found: &[Found]) -> Option<Taken> {
        let weight = found.iter().map(|found| self.weight(found)).sum();
        self.owner.memory().take(weight)
    }

    /// Octets that are held of it with its page.
    fn weight(&self, found: &Found) -> u64 {
        match (&found.digest, u64::from(found.row.size_bytes)) {
            (Some(digest), _) => digest_bytes(digest) as u64,
            (None, size) if self.asking.needs.content() && size <= READ_AHEAD_BODY_BYTES => size,
            (None, _) => 0,
        }
    }
}

/// Where to go on behind this UID. UIDs end at 4,294,967,295 (RFC 3501 §2.3.1.1): there is none behind that one.
fn behind(last: Option<u32>) -> Option<u32> {
    last.and_then(|uid| uid.checked_add(1))
}

/// Digests of a page, if they are all that these items need. A message with a very long one is read instead.
async fn known_ahead(owner: &Person, items: &[FetchItem], page: &[(u32, Row)]) -> Vec<Option<Digest>> {
    let Some(wanted) = ahead::wanted(items) else {
        return vec![None; page.len()];
    };
    let ids = page.iter().map(|(_, row)| row.message).collect();
    let digests = owner.digests(ids, wanted).await.into_iter();
    let short = |digest: &Digest| digest_bytes(digest) as u64 <= SHARE_BYTES;
    copied(digests.map(|digest| digest.filter(short)).collect())
}

/// The same apart from the index, of which large pieces would be held with them.
fn copied(mut digests: Vec<Option<Digest>>) -> Vec<Option<Digest>> {
    let length = digests.iter().flatten().map(digest_bytes).sum();
    let mut all = Vec::with_capacity(length);
    for digest in digests.iter().flatten() {
        for part in [&digest.envelope, &digest.body, &digest.body_structure] {
            all.extend_from_slice(part);
        }
    }
    let mut rest = Bytes::from(all);
    for digest in digests.iter_mut().flatten() {
        for part in [&mut digest.envelope, &mut digest.body, &mut digest.body_structure] {
            *part = rest.split_to(part.len());
        }
    }
    digests
}

fn digest_bytes(digest: &Digest) -> usize {
    digest.envelope.len() + digest.body.len() + digest.body_structure.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_the_highest_uid_there_is_nothing() {
        for (last, next) in [
            (None, None),
            (Some(1), Some(2)),
            (Some(u32::MAX - 1), Some(u32::MAX)),
            (Some(u32::MAX), None),
        ] {
            assert_eq!(behind(last), next, "{last:?}");
        }
    }
}
