//! Orders and links of whole accounts as others ask for them: made when they are wanted first, kept within one budget until the
//! account's segments change.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use mail::ids::{AccountId, MessageId};

use crate::account::{Account, Segment};
use crate::index::Index;
use crate::limits::{ORDER_BYTES, ORDER_ONE_IN};
use crate::links::{self, Links};
use crate::order::{self, Order, SortField, SortValue};
use crate::segment::Column;

/// Of some messages a number each that stands for a key: comparing the numbers compares the keys.
pub struct Ranked {
    /// in the order asked; `None` for a message that is not indexed
    pub values: Vec<Option<u64>>,
    account: Arc<Account>,
    order: Arc<Order>,
}

/// What threading needs of some messages, as numbers: what is equal has the same number.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// in the order asked
    pub messages: Vec<LinkedMessage>,
    /// the identifiers that messages refer to, one message behind the other
    pub references: Vec<u32>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkedMessage {
    /// in the order of the sent dates
    pub sent: u32,
    /// of the base subject; `None`: it is empty
    pub subject: Option<u32>,
    /// whether the subject was that of a reply or forward
    pub is_reply: bool,
    /// of its Message-ID
    pub id: Option<u32>,
    /// where its references end in `Linked::references`
    pub references_end: usize,
}

/// What is kept of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Order(SortField),
    Links,
}

#[derive(Clone)]
enum Made {
    Order(Arc<Order>),
    Links(Arc<Links>),
}

/// What was made last.
#[derive(Default)]
pub(crate) struct Orders {
    kept: HashMap<(AccountId, What), Kept>,
    bytes: usize,
    uses: u64,
}

struct Kept {
    /// of these segments
    account: Weak<Account>,
    made: Made,
    bytes: usize,
    used: u64,
}

impl Orders {
    fn get(&mut self, key: (AccountId, What), account: &Arc<Account>) -> Option<Made> {
        self.uses += 1;
        let kept = self.kept.get_mut(&key)?;
        // While there is a `Weak`, no other account stands at its place in memory.
        if kept.account.as_ptr() != Arc::as_ptr(account) {
            self.drop_one(key);
            return None;
        }
        kept.used = self.uses;
        Some(kept.made.clone())
    }

    /// Keeps one that was made; those not used for longest make room.
    fn put(&mut self, key: (AccountId, What), account: &Arc<Account>, made: Made) {
        let bytes = made.bytes();
        self.drop_one(key);
        if bytes > ORDER_BYTES {
            return;
        }
        self.uses += 1;
        self.bytes += bytes;
        let (account, used) = (Arc::downgrade(account), self.uses);
        self.kept.insert(
            key,
            Kept {
                account,
                made,
                bytes,
                used,
            },
        );
        while self.bytes > ORDER_BYTES {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used);
            let Some(key) = oldest.map(|(key, _)| *key) else {
                return;
            };
            self.drop_one(key);
        }
    }

    fn drop_one(&mut self, key: (AccountId, What)) {
        if let Some(kept) = self.kept.remove(&key) {
            self.bytes -= kept.bytes;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Made {
    fn bytes(&self) -> usize {
        match self {
            Self::Order(order) => order.bytes(),
            Self::Links(links) => links.bytes(),
        }
    }
}

impl Index {
    /// A number for the key of each message, in the order asked; `None` when the index cannot say now, or when these are few of very
    /// many. Takes some milliseconds the first time after a message came.
    pub async fn ranks(
        self: &Arc<Self>,
        account: AccountId,
        messages: Arc<[MessageId]>,
        field: SortField,
    ) -> Option<Ranked> {
        let index = Arc::clone(self);
        blocking(move || {
            let known = index.account(account)?;
            index.worth_it(account, &known, What::Order(field), messages.len())?;
            let order = index.order(account, &known, field)?;
            let mut values = Vec::with_capacity(messages.len());
            known.each_place(&messages, |place| {
                let rank = place.and_then(|(segment, place)| order.rank(segment, place));
                values.push(rank.map(known_value));
            });
            Some(Ranked {
                values,
                account: known,
                order,
            })
        })
        .await
    }

    /// Numbers for the keys of messages that are not indexed, among those of [`Index::ranks`].
    pub async fn rank_others(self: &Arc<Self>, ranked: &Ranked, others: Vec<SortValue>) -> Option<Vec<u64>> {
        let (index, account, order) = (
            Arc::clone(self),
            Arc::clone(&ranked.account),
            Arc::clone(&ranked.order),
        );
        blocking(move || {
            let sources = index.order_sources(&account)?;
            let found = others.iter().map(|value| order.find(&sources, value));
            let found = found.collect::<Option<Vec<_>>>()?;
            // Between two ranks there may be several: they have the order of their keys.
            let mut sorted: Vec<usize> = (0..others.len()).collect();
            sorted.sort_by(|&one, &other| compare(&others[one], &others[other]));
            let mut values = vec![0; others.len()];
            let mut number = 0;
            for (at, &other) in sorted.iter().enumerate() {
                if at == 0 || others[sorted[at - 1]] != others[other] {
                    number += 1;
                }
                values[other] = match found[other] {
                    (rank, true) => known_value(rank),
                    (below, false) => (u64::from(below) << 32) | number,
                };
            }
            Some(values)
        })
        .await
    }

    /// What threading needs; `None` when the index cannot say it of all of them now, or when these are few of very many.
    pub async fn links(self: &Arc<Self>, account: AccountId, messages: Vec<MessageId>) -> Option<Linked> {
        let index = Arc::clone(self);
        blocking(move || {
            let known = index.account(account)?;
            index.worth_it(account, &known, What::Links, messages.len())?;
            let sent = index.order(account, &known, SortField::Sent)?;
            let subject = index.order(account, &known, SortField::Subject)?;
            let links = index.links_of(account, &known)?;
            let mut linked = Linked::default();
            let mut all = true;
            known.each_place(&messages, |place| {
                let added = place.and_then(|place| linked.add(place, (&sent, &subject, &links)));
                all &= added.is_some();
            });
            all.then_some(linked)
        })
        .await
    }

    /// Nothing is made of a whole account for the sake of a few messages.
    fn worth_it(&self, id: AccountId, account: &Arc<Account>, what: What, messages: usize) -> Option<()> {
        let many = messages.saturating_mul(ORDER_ONE_IN) >= account.messages();
        (many || self.orders().get((id, what), account).is_some()).then_some(())
    }

    fn order(&self, id: AccountId, account: &Arc<Account>, field: SortField) -> Option<Arc<Order>> {
        let key = (id, What::Order(field));
        if let Some(Made::Order(order)) = self.orders().get(key, account) {
            return Some(order);
        }
        let order = Arc::new(Order::of(&self.order_sources(account)?, field)?);
        self.orders().put(key, account, Made::Order(Arc::clone(&order)));
        Some(order)
    }

    fn links_of(&self, id: AccountId, account: &Arc<Account>) -> Option<Arc<Links>> {
        let key = (id, What::Links);
        if let Some(Made::Links(links)) = self.orders().get(key, account) {
            return Some(links);
        }
        let source = |segment: &Segment, [keys, links]: [Bytes; 2]| links::Source {
            messages: segment.ids.len(),
            keys,
            links,
        };
        let sources = self.sources(account, [Column::Keys, Column::Links], source)?;
        let links = Arc::new(Links::of(&sources)?);
        self.orders().put(key, account, Made::Links(Arc::clone(&links)));
        Some(links)
    }

    fn order_sources(&self, account: &Account) -> Option<Vec<order::Source>> {
        self.sources(
            account,
            [Column::Facts, Column::Keys],
            |segment, [facts, keys]| order::Source {
                messages: segment.ids.len(),
                facts,
                keys,
            },
        )
    }

    fn sources<S>(
        &self,
        account: &Account,
        columns: [Column; 2],
        source: impl Fn(&Segment, [Bytes; 2]) -> S,
    ) -> Option<Vec<S>> {
        let of = |segment: &Segment| {
            let [one, other] = columns.map(|column| self.column(segment, column));
            Some(source(segment, [one?, other?]))
        };
        account.segments.iter().map(of).collect()
    }
}

impl Linked {
    fn add(
        &mut self,
        (segment, place): (usize, usize),
        (sent, subject, links): (&Order, &Order, &Links),
    ) -> Option<()> {
        let (sent, number) = (sent.rank(segment, place)?, subject.rank(segment, place)?);
        let linked = links.get(segment, place)?;
        self.references.extend_from_slice(linked.references);
        self.messages.push(LinkedMessage {
            sent,
            subject: (!subject.is_empty_text(number)).then_some(number),
            is_reply: linked.is_reply,
            id: linked.id,
            references_end: self.references.len(),
        });
        Some(())
    }
}

/// Leaves room below each rank for keys that are not in the order.
fn known_value(rank: u32) -> u64 {
    (u64::from(rank) + 1) << 32
}

fn compare(one: &SortValue, other: &SortValue) -> std::cmp::Ordering {
    match (one, other) {
        (SortValue::Number(one), SortValue::Number(other)) => one.cmp(other),
        (SortValue::Text(one), SortValue::Text(other)) => one.cmp(other),
        (SortValue::Number(_), SortValue::Text(_)) => std::cmp::Ordering::Less,
        (SortValue::Text(_), SortValue::Number(_)) => std::cmp::Ordering::Greater,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use mail::ids::Id as _;

    use super::*;
    use crate::file::Listed;

    #[test]
    fn what_was_used_last_stays_within_the_budget() {
        let account = Arc::new(Account::new(Vec::new()));
        let key = |n: u64| (AccountId::from_raw(n), What::Links);
        let mut orders = Orders::default();
        let half = || Made::Order(Arc::new(Order::of_size(ORDER_BYTES / 2)));
        orders.put(key(1), &account, half());
        orders.put(key(2), &account, half());
        assert!(orders.get(key(1), &account).is_some());
        orders.put(key(3), &account, half());
        assert!(orders.bytes() <= ORDER_BYTES && orders.get(key(2), &account).is_none());
        assert!(orders.get(key(1), &account).is_some());
        orders.put(
            key(4),
            &account,
            Made::Order(Arc::new(Order::of_size(2 * ORDER_BYTES))),
        );
        assert!(orders.get(key(4), &account).is_none(), "too large");
        let listed = Listed {
            segment: 1,
            ids: vec![1],
            bytes: 1,
        };
        let changed = Arc::new(account.changed(Some(listed), &[]));
        assert!(orders.get(key(1), &changed).is_none() && orders.get(key(1), &account).is_none());
    }
}
