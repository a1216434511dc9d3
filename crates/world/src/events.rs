//! The event door: one stable event per thing that happened.
//!
//! Every crate that emits has its own documented `enum` and implements [`Event`] for it. Names are stable: scripts and
//! `hearthpost trace` rely on them. Values are escaped by the sink, so control characters from outside cannot forge a line.

use mail::ids::QueueId;

/// How much an event matters to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Detail of normal work.
    Info,
    /// Somebody should look at it some day.
    Warning,
    /// Somebody must act: the text says what to do.
    Alert,
}

/// A field of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Text from anywhere; the sink escapes it.
    Text(&'a str),
    /// A whole number; the field's name ends with its unit (`size_bytes`, `duration_ms`).
    Number(u64),
    /// Yes or no.
    Flag(bool),
}

/// One thing that happened.
pub trait Event {
    /// Stable name, `area.what-happened`, for example `receive.accepted`.
    fn name(&self) -> &'static str;
    /// How much it matters.
    fn severity(&self) -> Severity;
    /// The message's life it belongs to, if any.
    fn queue_id(&self) -> Option<QueueId>;
    /// One plain sentence for people.
    fn sentence(&self) -> String;
    /// The facts, by stable field names.
    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>));
}

/// The event door. `world-real` writes a log; `testkit` collects.
pub trait Events: Send + Sync + 'static {
    /// Records the event. Never blocks on the disk; never fails: a log that cannot be written is itself an alert.
    fn emit(&self, event: &dyn Event);

    /// Waits until everything emitted before can be read by others. May block. A sink that keeps nothing back has nothing to do.
    fn flush(&self) {}
}
