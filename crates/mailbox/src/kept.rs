//! Views that nobody has open any more, kept for a while: who comes back soon is told what changed, and nothing is read again.
//!
//! Within a budget of memory and of time ([`KEPT_VIEW_BYTES`], [`KEPT_VIEW_MS`]). Nobody brings a kept view up to date: whoever opens
//! the mailbox does, at the price of what changed meanwhile.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use mail::ids::MailboxId;
use world::clock::{Clock, Monotonic};

use crate::limits::{KEPT_VIEW_BYTES, KEPT_VIEW_MS};
use crate::person::Mailboxes;
use crate::view::View;

/// The views that are kept.
pub(crate) struct Kept {
    /// bytes they may take
    room: usize,
    views: HashMap<MailboxId, Place>,
    /// the order in which they go
    order: BTreeSet<(Monotonic, MailboxId)>,
    bytes: usize,
    closed: bool,
}

struct Place {
    view: Arc<View>,
    bytes: usize,
    until: Monotonic,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            room: KEPT_VIEW_BYTES,
            views: HashMap::new(),
            order: BTreeSet::new(),
            bytes: 0,
            closed: false,
        }
    }
}

impl Kept {
    /// Keeps a view that its last session leaves; gives those that must go for it, and perhaps itself. The caller drops them where
    /// no lock is held.
    #[must_use]
    pub(crate) fn keep(&mut self, view: Arc<View>, now: Monotonic) -> Vec<Arc<View>> {
        let bytes = view.bytes();
        if self.closed || bytes > self.room {
            return vec![view];
        }
        let until = Monotonic(now.0 + Duration::from_millis(KEPT_VIEW_MS));
        let mut gone = Vec::from_iter(self.take(view.id));
        self.bytes += bytes;
        self.order.insert((until, view.id));
        self.views.insert(view.id, Place { view, bytes, until });
        while self.bytes > self.room {
            let Some(&(_, oldest)) = self.order.first() else {
                break;
            };
            gone.extend(self.take(oldest));
        }
        gone
    }

    /// Somebody opens it again.
    pub(crate) fn take(&mut self, id: MailboxId) -> Option<Arc<View>> {
        let place = self.views.remove(&id)?;
        self.order.remove(&(place.until, id));
        self.bytes -= place.bytes;
        Some(place.view)
    }

    /// Those whose time is over, and when the next one's is.
    fn overdue(&mut self, now: Monotonic) -> (Vec<Arc<View>>, Option<Monotonic>) {
        let mut gone = Vec::new();
        while let Some(&(until, id)) = self.order.first() {
            if until > now {
                return (gone, Some(until));
            }
            gone.extend(self.take(id));
        }
        (gone, None)
    }

    /// Keeps nothing any more.
    pub(crate) fn close(&mut self) -> Vec<Arc<View>> {
        self.closed = true;
        self.bytes = 0;
        self.order.clear();
        self.views.drain().map(|(_, place)| place.view).collect()
    }

    /// How many are kept, and their bytes.
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.views.len(), self.bytes)
    }
}

/// Drops views when their time is over, until [`Mailboxes`] is gone.
pub(crate) async fn forget(
    mailboxes: Weak<Mailboxes>,
    clock: Arc<dyn Clock>,
    wake: Arc<tokio::sync::Notify>,
) {
    loop {
        let next = {
            let Some(mailboxes) = mailboxes.upgrade() else {
                return;
            };
            let (gone, next) = mailboxes.registry.kept().overdue(clock.monotonic());
            drop(gone);
            next
        };
        match next {
            // Another one that is kept meanwhile is due later.
            Some(next) => clock.sleep_until(next).await,
            None => wake.notified().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use mail::ids::{AccountId, Id as _, MessageId};
    use store::contract::{PlacementRow, Target};
    use store::flags::{FLAGGED, FlagEdit, Flags};
    use store::uids::UidSet;
    use testkit::clock::SimClock;

    use super::*;
    use crate::name::MailboxName;
    use crate::rows::Snapshot;
    use crate::testing::World;
    use crate::view::Registry;

    fn view_of(registry: &Arc<Registry>, id: u64, messages: u32) -> Arc<View> {
        let mut snapshot = Snapshot::default();
        let row = |uid| PlacementRow {
            uid,
            message: MessageId::from_raw(u64::from(uid)),
            flags: Flags::default(),
            modseq: 1,
            size_bytes: 0,
        };
        snapshot.apply((1..=messages).map(row).collect(), &UidSet::new(), 1);
        let (account, id) = (AccountId::from_raw(1), MailboxId::from_raw(id));
        View::loaded(id, account, Arc::clone(registry), snapshot)
    }

    #[test]
    fn those_left_first_make_room() {
        let registry = Arc::new(Registry::new(SimClock::new().door()));
        let mut kept = Kept {
            room: 350_000,
            ..Kept::default()
        };
        let mut gone = Vec::new();
        let ids = |views: &[Arc<View>]| views.iter().map(|view| view.id.raw()).collect::<Vec<_>>();
        let at = |n| Monotonic(Duration::from_secs(n));
        for id in 1..=12 {
            gone.extend(kept.keep(view_of(&registry, id, 1000), at(id)));
            assert!(kept.held().1 <= 350_000);
        }
        assert_eq!(ids(&gone), [1, 2]);
        let large = kept.keep(view_of(&registry, 99, 20_000), at(13));
        assert_eq!((ids(&large), kept.held().0), (vec![99], 10), "alone too large");
        assert!(kept.take(MailboxId::from_raw(3)).is_some() && kept.take(MailboxId::from_raw(3)).is_none());
        let (gone, next) = kept.overdue(at(5 + KEPT_VIEW_MS / 1000));
        assert_eq!(
            (ids(&gone), next),
            (vec![4, 5], Some(at(6 + KEPT_VIEW_MS / 1000)))
        );
        assert_eq!(
            ids(&kept.keep(view_of(&registry, 6, 1), at(6))),
            [6],
            "the same again"
        );
        assert_eq!((kept.close().len(), kept.held()), (7, (0, 0)));
        assert_eq!(ids(&kept.keep(view_of(&registry, 7, 1), at(7))), [7], "closed");
    }

    #[tokio::test]
    async fn who_comes_back_sees_what_happened_meanwhile() {
        let world = World::new().await;
        let person = world.person().await;
        let inbox = MailboxName::inbox();
        for _ in 0..3 {
            world.deliver(&person, Target::Inbox).await;
        }
        let opened = person.open(&inbox, false).await.unwrap();
        let whole = UidSet::from_ranges([(1, 1)]);
        let deleted = FlagEdit::Add(Flags::bits(store::flags::DELETED));
        let _ = person
            .set_flags(&opened, whole.clone(), deleted, None)
            .await
            .unwrap();
        drop(opened);
        assert_eq!(
            (world.mailboxes.open_views(), world.mailboxes.kept_views().0),
            (0, 1)
        );
        // Changed past this crate, while nobody has it open.
        let away = world.another();
        let other = away.open(&inbox, false).await.unwrap();
        let _ = away.expunge(&other, whole).await.unwrap();
        let second = UidSet::from_ranges([(2, 2)]);
        let flagged = FlagEdit::Add(Flags::bits(FLAGGED));
        let _ = away.set_flags(&other, second, flagged, None).await.unwrap();
        world.deliver(&person, Target::Inbox).await;
        let opened = person.open(&inbox, false).await.unwrap();
        let rows: Vec<(u32, u32)> = opened
            .snapshot()
            .iter()
            .map(|row| (row.uid, row.bits & FLAGGED))
            .collect();
        assert_eq!(rows, [(2, FLAGGED), (3, 0), (4, 0)]);
        assert_eq!(
            (world.mailboxes.open_views(), world.mailboxes.kept_views().0),
            (1, 0)
        );
    }

    #[tokio::test]
    async fn what_nobody_opens_again_goes() {
        let world = World::new().await;
        let person = world.person().await;
        drop(person.open(&MailboxName::inbox(), false).await.unwrap());
        world.clock.advance(Duration::from_millis(KEPT_VIEW_MS / 2)).await;
        assert_eq!(world.mailboxes.kept_views().0, 1);
        drop(person.open(&MailboxName::inbox(), false).await.unwrap());
        world.clock.advance(Duration::from_millis(KEPT_VIEW_MS - 1)).await;
        assert_eq!(world.mailboxes.kept_views().0, 1, "its time began again");
        world.clock.advance(Duration::from_millis(1)).await;
        assert_eq!(world.mailboxes.kept_views(), (0, 0));
        drop(person.open(&MailboxName::inbox(), false).await.unwrap());
        assert_eq!(world.mailboxes.kept_views().0, 1);
        // A deleted mailbox is not kept.
        let name = MailboxName::parse("soon gone").unwrap();
        let _ = person.create(&name, None).await.unwrap();
        let opened = person.open(&name, false).await.unwrap();
        let _ = person.delete(&name).await.unwrap();
        drop(opened);
        assert_eq!(world.mailboxes.kept_views().0, 1);
        let registry = Arc::downgrade(&world.mailboxes.registry);
        drop(person);
        drop(world);
        while registry.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
