//! What goes to the log once the reply is on its way: the sender waits for the reply, nobody for the log.
//!
//! Nothing is lost by that: what waits here when the session ends, however it ends, is told then.

use std::sync::Arc;

use world::events::{Event, Events};

/// Events of a session that wait until its replies are sent.
pub(crate) struct Afterwards {
    events: Arc<dyn Events>,
    waiting: Vec<Box<dyn Event + Send>>,
}

impl Afterwards {
    pub fn new(events: Arc<dyn Events>) -> Self {
        Self {
            events,
            waiting: Vec::new(),
        }
    }

    /// Tells it after the next [`Afterwards::tell`].
    pub fn later(&mut self, event: impl Event + Send + 'static) {
        self.waiting.push(Box::new(event));
    }

    /// Tells what waits, in its order.
    pub fn tell(&mut self) {
        for event in self.waiting.drain(..) {
            self.events.emit(event.as_ref());
        }
    }
}

impl Drop for Afterwards {
    fn drop(&mut self) {
        self.tell();
    }
}

#[cfg(test)]
mod tests {
    use testkit::events::CollectEvents;

    use super::*;
    use crate::events::ReceiveEvent;

    fn closed(reason: &str) -> ReceiveEvent {
        ReceiveEvent::SessionClosed {
            door: "mx",
            peer: std::net::Ipv4Addr::LOCALHOST.into(),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn events_are_told_in_their_order_and_at_the_end_at_the_latest() {
        let events = Arc::new(CollectEvents::default());
        let told = || {
            let named = events.named("receive.session-closed");
            named
                .iter()
                .map(|event| event.text("reason").map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .expect("each has a reason")
        };
        let mut afterwards = Afterwards::new(events.clone());
        afterwards.later(closed("one"));
        afterwards.later(closed("two"));
        assert!(told().is_empty());
        afterwards.tell();
        assert_eq!(told(), ["one", "two"]);
        afterwards.later(closed("three"));
        drop(afterwards);
        assert_eq!(told(), ["one", "two", "three"]);
    }
}
