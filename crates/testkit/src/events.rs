//! Events, kept for a look.

use mail::ids::QueueId;
use parking_lot::Mutex;
use world::events::{Event, Events, Severity, Value};

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    /// text
    Text(String),
    /// number
    Number(u64),
    /// flag
    Flag(bool),
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    /// stable name
    pub name: &'static str,
    /// how much it matters
    pub severity: Severity,
    /// the message it belongs to
    pub queue_id: Option<QueueId>,
    /// for people
    pub sentence: String,
    /// the facts, in order
    pub fields: Vec<(&'static str, Held)>,
}

impl Collected {
    /// The text of a field.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.iter().find_map(|(name, value)| match value {
            Held::Text(text) if *name == field => Some(text.as_str()),
            _ => None,
        })
    }

    /// The number of a field.
    pub fn number(&self, field: &str) -> Option<u64> {
        self.fields.iter().find_map(|(name, value)| match value {
            Held::Number(number) if *name == field => Some(*number),
            _ => None,
        })
    }
}

/// An event door that keeps everything in order.
#[derive(Debug, Default)]
pub struct CollectEvents(Mutex<Vec<Collected>>);

impl CollectEvents {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<Collected> {
        self.0.lock().clone()
    }

    /// The names so far, in order.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.lock().iter().map(|event| event.name).collect()
    }

    /// The events of one name.
    pub fn named(&self, name: &str) -> Vec<Collected> {
        self.0
            .lock()
            .iter()
            .filter(|event| event.name == name)
            .cloned()
            .collect()
    }

    /// Everything so far; afterwards it is empty.
    pub fn take(&self) -> Vec<Collected> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Events for CollectEvents {
    fn emit(&self, event: &dyn Event) {
        let mut fields = Vec::new();
        event.fields(&mut |name, value| {
            fields.push((
                name,
                match value {
                    Value::Text(text) => Held::Text(text.to_owned()),
                    Value::Number(number) => Held::Number(number),
                    Value::Flag(flag) => Held::Flag(flag),
                },
            ));
        });
        self.0.lock().push(Collected {
            name: event.name(),
            severity: event.severity(),
            queue_id: event.queue_id(),
            sentence: event.sentence(),
            fields,
        });
    }
}
