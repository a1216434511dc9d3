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
                touched(&mailboxes, &notice)
            }
            // Notices were lost: look at everything that is open.
            Err(RecvError::Lagged(_)) => {
                let Some(mailboxes) = mailboxes.upgrade() else {
                    return;
                };
                mailboxes.registry.open_views(None)
            }
            Err(RecvError::Closed) => return,
        };
        for view in touched {
            if let Some(mailboxes) = mailboxes.upgrade().filter(|_| view.queue_refresh()) {
                tokio::spawn(refresh(mailboxes, view));
            }
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
        .filter(|view| view.modseq() < notice.modseq)
        .collect()
}

/// A failed refresh loses nothing: the next notice, NOOP, SELECT or change asks again.
async fn refresh(mailboxes: Arc<Mailboxes>, view: Arc<View>) {
    for attempt in 1..=REFRESH_TRIES {
        match view.refresh(mailboxes.store.as_ref()).await {
            Err(Error::Store(StoreError::Busy)) => {}
            _ => return,
        }
        let now = mailboxes.clock.monotonic().0;
        let pause = std::time::Duration::from_millis(REFRESH_PAUSE_MS * u64::from(attempt));
        mailboxes.clock.sleep_until(Monotonic(now + pause)).await;
    }
}
