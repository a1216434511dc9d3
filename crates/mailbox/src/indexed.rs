//! What is known of messages without reading them, from the index. Without an index nothing is known, and everybody reads.

use std::sync::Arc;

use index::{Digest, Found, Index, Linked, Question, Ranked, SortField, SortValue, Wanted};
use mail::ids::MessageId;
use store::contract::Store;
use world::clock::Clock;
use world::ids::IdSource;

use crate::person::{Mailboxes, Person};

impl Mailboxes {
    /// As [`Mailboxes::start`], over an index that somebody keeps in step.
    pub fn start_indexed(
        store: Arc<dyn Store>,
        ids: Arc<IdSource>,
        clock: Arc<dyn Clock>,
        index: Arc<Index>,
    ) -> Arc<Self> {
        Self::start_with(store, ids, clock, Some(index))
    }
}

impl Person {
    /// Which messages have a text: yes, no, or that must be read. Covers all of this person's mailboxes; a few milliseconds.
    pub async fn search_text(&self, question: Question) -> Found {
        match &self.shared.index {
            Some(index) => index.find(self.account, question).await,
            None => Found::default(),
        }
    }

    /// What is shown of messages, in the order asked. `None` for one that must be read.
    pub async fn digests(&self, messages: Vec<MessageId>, wanted: Wanted) -> Vec<Option<Digest>> {
        match &self.shared.index {
            Some(index) => index.digests(self.account, messages, wanted).await,
            None => vec![None; messages.len()],
        }
    }

    /// A number for the sort key of each message, in the order asked; `None` when the index cannot say now.
    pub async fn ranks(&self, messages: Arc<[MessageId]>, field: SortField) -> Option<Ranked> {
        let index = self.shared.index.as_ref()?;
        index.ranks(self.account, messages, field).await
    }

    /// Numbers for the keys of messages that [`Person::ranks`] does not know, among those that it gave.
    pub async fn rank_others(&self, ranked: &Ranked, others: Vec<SortValue>) -> Option<Vec<u64>> {
        self.shared.index.as_ref()?.rank_others(ranked, others).await
    }

    /// What links messages to each other, as numbers; `None` when the index cannot say it of all of them now.
    pub async fn links(&self, messages: Vec<MessageId>) -> Option<Linked> {
        self.shared.index.as_ref()?.links(self.account, messages).await
    }
}
