//! The last warnings and alerts, kept in memory for `hearthpost status`.
//!
//! Wraps the log: every event goes on to it. Limit: [`RECENT_EVENTS`]; of each kind of event only the last is kept, with a count, so that
//! what happens often does not hide what happened once.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use world::clock::Clock;
use world::events::{Event, Events, Severity};

use crate::limits::{RECENT_EVENTS, RECENT_SENTENCE_LETTERS};

/// One event that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// when it happened last (RFC 3339)
    pub at: String,
    /// its stable name
    pub event: String,
    /// `warning` or `alert`
    pub severity: String,
    /// what happened last, in words
    pub sentence: String,
    /// how often this kind happened since it was first kept
    pub times: u64,
}

/// The log, with a memory.
pub struct Recent {
    log: Arc<dyn Events>,
    clock: Arc<dyn Clock>,
    kept: Mutex<VecDeque<Trouble>>,
}

impl Recent {
    /// Before `log`.
    pub fn before(log: Arc<dyn Events>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            log,
            clock,
            kept: Mutex::new(VecDeque::new()),
        })
    }

    /// Newest first.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.kept.lock().iter().cloned().collect()
    }

    fn keep(&self, event: &dyn Event, severity: &str) {
        let mut trouble = Trouble {
            at: self.clock.now().rfc3339(),
            event: event.name().to_owned(),
            severity: severity.to_owned(),
            sentence: event.sentence().chars().take(RECENT_SENTENCE_LETTERS).collect(),
            times: 1,
        };
        let mut kept = self.kept.lock();
        let same = kept.iter().position(|kept| kept.event == trouble.event);
        if let Some(former) = same.and_then(|place| kept.remove(place)) {
            trouble.times += former.times;
        }
        kept.push_front(trouble);
        kept.truncate(RECENT_EVENTS);
    }
}

impl Events for Recent {
    fn emit(&self, event: &dyn Event) {
        match event.severity() {
            Severity::Info => {}
            Severity::Warning => self.keep(event, "warning"),
            Severity::Alert => self.keep(event, "alert"),
        }
        self.log.emit(event);
    }

    fn flush(&self) {
        self.log.flush();
    }
}

#[cfg(test)]
mod tests {
    use testkit::clock::SimClock;
    use testkit::events::CollectEvents;

    use super::*;
    use crate::events::ProgramEvent;

    fn kept() -> ProgramEvent {
        ProgramEvent::SettingsKept {
            reason: "x".to_owned(),
        }
    }

    #[test]
    fn what_somebody_should_look_at_is_kept_newest_first_and_not_for_ever() {
        let (clock, log) = (SimClock::new(), Arc::new(CollectEvents::new()));
        let recent = Recent::before(log.clone(), clock.door());
        recent.emit(&ProgramEvent::CertificatesRead);
        assert_eq!(recent.troubles(), []);
        for uid in 1..=3 {
            recent.emit(&ProgramEvent::ControlRefused { uid });
        }
        recent.emit(&kept());
        let told: Vec<(String, u64)> = recent
            .troubles()
            .into_iter()
            .map(|trouble| (trouble.event, trouble.times))
            .collect();
        assert_eq!(
            told,
            [
                ("program.settings-kept".to_owned(), 1),
                ("program.control-refused".to_owned(), 3)
            ]
        );
        for _ in 0..20 {
            recent.emit(&ProgramEvent::ControlRefused { uid: 7 });
            recent.emit(&kept());
        }
        let times: Vec<u64> = recent.troubles().iter().map(|trouble| trouble.times).collect();
        assert_eq!(times, [21, 23], "one of each kind");
        assert_eq!(
            log.named("program.certificates-read").len(),
            1,
            "the log hears everything"
        );
    }
}
