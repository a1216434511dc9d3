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
            for entry in in_turn(&entries, which) {
                let name = entry.name();
                let lookup = dns.lookup(&name, RecordType::Txt).await;
                let what = seen(&entry.record, &lookup);
                shown.insert(name, what);
                unanswered = if what == Seen::Unknown { unanswered + 1 } else { 0 };
                // Who does not answer thrice is asked again later, after all others: a round must not take hours.
                if unanswered == DKIM_UNANSWERED {
                    break;
                }
            }
        }
        let mut state = self.state.lock().await;
        self.advance(&mut state, &shown, (None, by)).await.map(drop)
    }
}

/// Whose turn it is: who was asked longest ago comes first, so that names that never answer keep no other from being asked.
fn in_turn<'a>(entries: &'a [Entry], which: &dyn Fn(&Entry) -> bool) -> Vec<&'a Entry> {
    let mut due: Vec<&Entry> = entries.iter().filter(|entry| which(entry)).collect();
    due.sort_by_key(|entry| entry.looked_ms);
    due
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

#[cfg(test)]
mod tests {
    use super::super::entry::Kind;
    use super::*;

    #[test]
    fn names_that_never_answer_keep_no_other_from_being_asked() {
        let entry = |place: usize| Entry {
            domain: format!("d{place}.example"),
            selector: "s".to_owned(),
            kind: Kind::Rsa,
            record: String::new(),
            made_ms: 0,
            stage: Stage::Waiting { since_ms: 0 },
            seen_ms: None,
            ended_by_operator: false,
            key: None,
            looked_ms: None,
        };
        let mut entries: Vec<Entry> = (0..40).map(entry).collect();
        let round_ms = u64::try_from(DKIM_ROUND.as_millis()).expect("a minute");
        let mut asked = std::collections::BTreeSet::new();
        for round in 1..=14 {
            let now_ms = round * round_ms;
            let due = |entry: &Entry| is_due(entry, now_ms);
            let turn = in_turn(&entries, &due).into_iter().take(DKIM_UNANSWERED);
            let silent: Vec<String> = turn.map(Entry::name).collect();
            for entry in entries.iter_mut().filter(|entry| silent.contains(&entry.name())) {
                entry.looked_ms = Some(now_ms);
            }
            asked.extend(silent);
        }
        assert_eq!(asked.len(), entries.len(), "all were asked once");
    }
}
