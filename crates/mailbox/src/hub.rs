//! The hub: one listener to the store for all sessions. A notice costs one look into the registry when nobody has the
//! mailbox open, and one `changes_since` for all sessions together when somebody has.

use std::sync::{Arc, Weak};

use store::contract::{Notice, StoreError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use world::clock::Monotonic;

use crate::error::Error;
use crate::limits::{REFRESH_PAUSE_MS, REFRESH_TRIES};
use crate::person::Mailboxes;
use crate::view::View;

/// Runs until the store or [`Mailboxes`] is gone.
pub(crate) async fn listen(mailboxes: Weak<Mailboxes>, mut notices: Receiver<Notice>) {
    loop {
        let touched = match notices.recv().await {
            Ok(notice) => {
                let Some(mailboxes) = mailboxes.upgrade() else {
                    return;
                };
                match notice.everybody {
                    true => mailboxes.bells.ring_all(),
                    false => mailboxes.bells.ring(notice.account),
                }
                touched(&mailboxes, &notice)
            }
            // Notices were lost: look at everything that is open.
            Err(RecvError::Lagged(_)) => {
                let Some(mailboxes) = mailboxes.upgrade() else {
                    return;
                };
                mailboxes.bells.ring_all();
                mailboxes.registry.open_views(None)
            }
            Err(RecvError::Closed) => return,
        };
        for view in touched {
            if let Some(mailboxes) = mailboxes.upgrade() {
                refresh_soon(mailboxes, view);
            }
        }
    }
}

fn refresh_soon(mailboxes: Arc<Mailboxes>, view: Arc<View>) {
    if view.queue_refresh() {
        tokio::spawn(refresh(mailboxes, view));
    }
}

/// A change of one's own that the view will take in from its receipt: for so long the hub leaves its notices to it. What is
/// owed when it ends (it failed, the session left, others changed more) is read then.
pub(crate) struct OwnChange {
    mailboxes: Arc<Mailboxes>,
    view: Arc<View>,
}

impl OwnChange {
    pub(crate) fn begin(mailboxes: &Arc<Mailboxes>, view: Arc<View>) -> Self {
        view.own_change_begins();
        Self {
            mailboxes: Arc::clone(mailboxes),
            view,
        }
    }
}

impl Drop for OwnChange {
    fn drop(&mut self) {
        // Outside of a runtime everything ends.
        if self.view.own_change_ends() && tokio::runtime::Handle::try_current().is_ok() {
            refresh_soon(Arc::clone(&self.mailboxes), Arc::clone(&self.view));
        }
    }
}

fn touched(mailboxes: &Mailboxes, notice: &Notice) -> Vec<Arc<View>> {
    let views = if notice.mailboxes.is_empty() {
        mailboxes.registry.open_views(Some(notice.account))
    } else {
        notice
            .mailboxes
            .iter()
            .filter_map(|&id| mailboxes.registry.open_view(id))
            .collect()
    };
    views
        .into_iter()
        .filter(|view| view.modseq() < notice.modseq && !view.leave_to_own_change(notice.modseq))
        .collect()
}

/// A failed refresh loses nothing: the next notice, NOOP, SELECT or change asks again. When no message changed, something else about the
/// mailbox did, like the rights in it: sessions are woken to look.
async fn refresh(mailboxes: Arc<Mailboxes>, view: Arc<View>) {
    let before = view.modseq();
    for attempt in 1..=REFRESH_TRIES {
        match view.refresh(mailboxes.store.as_ref()).await {
            Err(Error::Store(StoreError::Busy)) => {}
            _ if view.modseq() == before => return view.wake(),
            _ => return,
        }
        let now = mailboxes.clock.monotonic().0;
        let pause = std::time::Duration::from_millis(REFRESH_PAUSE_MS * u64::from(attempt));
        mailboxes.clock.sleep_until(Monotonic(now + pause)).await;
    }
}

#[cfg(test)]
mod tests {
    use store::contract::Target;

    use super::*;
    use crate::name::MailboxName;
    use crate::session::Expunges;
    use crate::testing::World;

    #[tokio::test]
    async fn what_was_left_to_a_change_that_failed_is_read_when_it_ends() {
        let world = World::new().await;
        let person = world.person().await;
        let mut idle = person.open(&MailboxName::inbox(), false).await.unwrap();
        let own = OwnChange::begin(&world.mailboxes, idle.shared_view());
        let other = OwnChange::begin(&world.mailboxes, idle.shared_view());
        world.deliver(&person, Target::Inbox).await;
        // The hub has heard of it when it has nothing more to do.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        idle.look();
        assert!(idle.snapshot().is_empty(), "left to the changes");
        drop(own);
        drop(other);
        idle.changed().await;
        assert_eq!(idle.updates(Expunges::Tell).exists, Some(1));
    }
}
