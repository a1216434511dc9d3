//! Asking DNS for the records of our keys, again and again: often where a key waits for its record, seldom where it signs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;
use world::clock::Monotonic;
use world::dns::{Dns, RecordType};

use super::Keys;
use super::entry::{Entry, seen};
use super::events::DkimEvent;
use super::life::{Seen, Stage};
use crate::control::history::By;
use crate::limits::{DKIM_LOOK_AGAIN, DKIM_LOOK_SOON, DKIM_ROUND, DKIM_UNANSWERED};

/// Makes what is missing and moves keys on until the stop. Without `dns` nobody is asked, so no key starts to sign by itself.
pub async fn watch(keys: Arc<Keys>, dns: Option<Arc<dyn Dns>>, mut stop: Receiver<bool>) {
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = keys.round(dns.as_deref()) => {}
        }
        let clock = &keys.queue.clock;
        let next = clock.sleep_until(Monotonic(clock.monotonic().0 + DKIM_ROUND));
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = keys.wake.notified() => {}
            () = next => {}
        }
    }
}

impl Keys {
    /// Once around.
    pub(super) async fn round(&self, dns: Option<&dyn Dns>) {
        let by = By::server();
        self.provide(None, &by).await;
        if let Err(reason) = self.rotate_old(&by).await {
            let name = "all domains".to_owned();
            self.queue.events.emit(&DkimEvent::Failed { name, reason });
        }
        let now_ms = self.queue.clock.now().0;
        let due = |entry: &Entry| is_due(entry, now_ms);
        if let Err(reason) = self.look(dns, &due, &by).await {
            let name = "all domains".to_owned();
            self.queue.events.emit(&DkimEvent::Failed { name, reason });
        }
    }

    /// Asks for the records of some keys, and moves all on. Nothing is locked while DNS is waited for.
    ///
    /// # Errors
    /// The disk, in words; then nothing has changed.
    pub async fn look(
        &self,
        dns: Option<&dyn Dns>,
        which: &(dyn Fn(&Entry) -> bool + Sync),
        by: &By,
    ) -> Result<(), String> {
        let mut shown = BTreeMap::<String, Seen>::new();
        if let Some(dns) = dns {
            let entries = self.all().await;
            let mut unanswered = 0;
            for entry in entries.iter().filter(|entry| which(entry)) {
                let name = entry.name();
                let lookup = dns.lookup(&name, RecordType::Txt).await;
                let what = seen(&entry.record, &lookup);
                shown.insert(name, what);
                unanswered = if what == Seen::Unknown { unanswered + 1 } else { 0 };
                // Who does not answer thrice is asked again later: a round must not take hours.
                if unanswered == DKIM_UNANSWERED {
                    break;
                }
            }
        }
        let mut state = self.state.lock().await;
        self.advance(&mut state, &shown, (None, by)).await.map(drop)
    }
}

fn is_due(entry: &Entry, now_ms: u64) -> bool {
    let wait = match entry.stage {
        Stage::Waiting { .. } | Stage::Published { .. } => DKIM_LOOK_SOON,
        Stage::Signing { lost_ms: Some(_), .. } => DKIM_LOOK_SOON,
        Stage::Signing { .. } | Stage::Removable { .. } => DKIM_LOOK_AGAIN,
        Stage::Retiring { .. } => return false,
    };
    let since = |looked: u64| Duration::from_millis(now_ms.abs_diff(looked));
    entry.looked_ms.is_none_or(|looked| since(looked) >= wait)
}
