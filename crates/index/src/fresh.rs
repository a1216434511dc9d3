//! What is indexed and not written yet: of each account that changed lately a segment in the making, and up to where its mailboxes
//! are indexed. Whoever asks sees it as one more segment.
//!
//! Many small segments cost much more than a large one: each has fourteen columns to be packed, and is merged with others soon.
//! So messages stay here until there are some, or for a minute; a crash costs indexing them again.

use std::sync::Arc;

use bytes::Bytes;
use mail::ids::{Id as _, MailboxId, MessageId};
use world::clock::Monotonic;

use crate::Describe;
use crate::account::{Account, Segment};
use crate::file::Marks;
use crate::limits::{FRESH_ACCOUNT_BYTES, FRESH_MESSAGES, SEGMENT_BYTES, SEGMENT_MESSAGES};
use crate::segment::{Builder, Columns};

/// The name of the segment in the making; the file never gives it to one of its own.
const IN_THE_MAKING: u64 = 0;

/// What an account has that is not written.
#[derive(Default)]
pub(crate) struct Fresh {
    builder: Builder,
    marks: Marks,
    /// mailboxes that are no more, whose marks the file still has
    gone: Vec<MailboxId>,
    /// since when there is something to be written
    since: Option<Monotonic>,
    /// the account's written segments and this one, as it was shown last
    shown: Option<Shown>,
}

struct Shown {
    written: Arc<Account>,
    all: Arc<Account>,
}

/// What is to be written of an account.
pub(crate) struct Taken {
    pub(crate) ids: Vec<u64>,
    pub(crate) columns: Columns,
    pub(crate) gone: Vec<MailboxId>,
}

impl Fresh {
    /// Nothing is new in an account whose mailboxes the file knows up to these marks.
    pub(crate) fn new(marks: Marks) -> Self {
        Self {
            marks,
            ..Self::default()
        }
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// What was looked at needs not be looked at again.
    pub(crate) fn set_marks(&mut self, marks: Marks, now: Monotonic) {
        if marks == self.marks {
            return;
        }
        let gone = self.marks.keys().filter(|marked| !marks.contains_key(marked));
        self.gone.extend(gone.copied());
        self.marks = marks;
        self.since.get_or_insert(now);
    }

    /// A mailbox was looked at up to there.
    pub(crate) fn move_mark(&mut self, mailbox: MailboxId, modseq: u64, now: Monotonic) {
        if self.marks.insert(mailbox, modseq) != Some(modseq) {
            self.since.get_or_insert(now);
        }
    }

    /// Whether a message would be out of order: ids ascend in a segment.
    pub(crate) fn is_before_last(&self, message: MessageId) -> bool {
        self.builder.last_id() >= Some(message.raw())
    }

    /// Adds a message; false when it would take too much.
    pub(crate) fn add(
        &mut self,
        message: MessageId,
        internal_date: u64,
        octets: &[u8],
        describe: &dyn Describe,
        now: Monotonic,
    ) -> bool {
        self.shown = None;
        self.since.get_or_insert(now);
        self.builder.add(message, internal_date, octets, describe)
    }

    /// Whether the segment can take no more.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes() >= SEGMENT_BYTES || self.messages() >= SEGMENT_MESSAGES
    }

    /// Whether there is enough for a segment that need not be merged soon.
    pub(crate) fn is_enough(&self) -> bool {
        self.bytes() >= FRESH_ACCOUNT_BYTES || self.messages() >= FRESH_MESSAGES
    }

    pub(crate) fn covers(&self, message: u64) -> bool {
        self.builder.covers(message)
    }

    pub(crate) fn messages(&self) -> usize {
        self.builder.messages()
    }

    /// Octets of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.builder.bytes()
    }

    /// Since when there is something to be written.
    pub(crate) fn since(&self) -> Option<Monotonic> {
        self.since
    }

    /// What is to be written; it is not shown any more.
    pub(crate) fn take(&mut self) -> Taken {
        let (ids, columns) = std::mem::take(&mut self.builder).finish();
        self.shown = None;
        self.since = None;
        Taken {
            ids,
            columns,
            gone: std::mem::take(&mut self.gone),
        }
    }

    /// The written segments and the one in the making. Takes a moment after a message was added.
    pub(crate) fn over(&mut self, written: &Arc<Account>) -> Arc<Account> {
        if let Some(all) = self.at_hand(written) {
            return all;
        }
        let (ids, columns) = self.builder.finish();
        let held = columns
            .into_iter()
            .map(|(column, octets)| (column, Bytes::from(octets)));
        let all = Arc::new(written.with(Segment {
            id: IN_THE_MAKING,
            ids: ids.into(),
            bytes: self.bytes() as u64,
            held: Some(held.collect()),
        }));
        self.shown = Some(Shown {
            written: Arc::clone(written),
            all: Arc::clone(&all),
        });
        all
    }

    /// The same, when it takes no time.
    pub(crate) fn at_hand(&self, written: &Arc<Account>) -> Option<Arc<Account>> {
        if self.messages() == 0 {
            return Some(Arc::clone(written));
        }
        let shown = self
            .shown
            .as_ref()
            .filter(|shown| Arc::ptr_eq(&shown.written, written));
        shown.map(|shown| Arc::clone(&shown.all))
    }
}
