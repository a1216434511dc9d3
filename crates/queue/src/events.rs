//! What this crate and `deliver` tell the log about a message's life after the moment of responsibility.

use mail::ids::QueueId;
use world::events::{Event, Severity, Value};

/// One thing that happened to an accepted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueEvent {
    /// `queue.accepted`: the message is on disk and we answer for it.
    Accepted {
        /// which
        queue_id: QueueId,
        /// `stranger`, `submitted`, `local-program`, `generated`
        origin: &'static str,
        /// envelope sender; empty for `<>`
        from: String,
        /// recipients, the first few
        to: String,
        /// recipients in all
        recipients: u64,
        /// octets, without what we add
        size_bytes: u64,
        /// recipients delivered in the same commit
        delivered: u64,
        /// recipients who wait
        waiting: u64,
        /// from the end of the message to the end of the commit
        commit_us: u64,
    },
    /// `queue.delivered`: a waiting recipient has it.
    Delivered {
        /// which
        queue_id: QueueId,
        /// to whom
        to: String,
        /// failed tries before
        attempts: u64,
    },
    /// `queue.postponed`: a waiting recipient waits longer.
    Postponed {
        /// which
        queue_id: QueueId,
        /// for whom
        to: String,
        /// why
        reason: String,
        /// next try, in milliseconds since 1970
        due_unix_ms: u64,
        /// failed tries
        attempts: u64,
    },
    /// `queue.operated`: an operator did something to a waiting recipient.
    Operated {
        /// whose message
        queue_id: QueueId,
        /// which recipient
        to: String,
        /// `retry`, `hold`, `release`, `purge`
        act: &'static str,
        /// who: `uid 1000`
        by: String,
    },
    /// `queue.store-failed`: the store could not be asked who is due; it is asked again.
    StoreFailed {
        /// what it said
        reason: String,
    },
}

impl Event for QueueEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "queue.accepted",
            Self::Delivered { .. } => "queue.delivered",
            Self::Postponed { .. } => "queue.postponed",
            Self::Operated { .. } => "queue.operated",
            Self::StoreFailed { .. } => "queue.store-failed",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::Accepted { .. } | Self::Delivered { .. } | Self::Operated { .. } => Severity::Info,
            Self::Postponed { .. } => Severity::Warning,
            Self::StoreFailed { .. } => Severity::Alert,
        }
    }

    fn queue_id(&self) -> Option<QueueId> {
        match self {
            Self::Accepted { queue_id, .. }
            | Self::Delivered { queue_id, .. }
            | Self::Postponed { queue_id, .. }
            | Self::Operated { queue_id, .. } => Some(*queue_id),
            Self::StoreFailed { .. } => None,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Accepted {
                from,
                to,
                delivered,
                waiting,
                ..
            } => {
                format!("Accepted a message from <{from}> to {to}: {delivered} delivered, {waiting} waiting")
            }
            Self::Delivered { to, .. } => format!("Delivered to {to}"),
            Self::Postponed { to, reason, .. } => format!("{to} waits: {reason}"),
            Self::Operated { to, act, by, .. } => match *act {
                "retry" => format!("{by} lets {to} be tried now"),
                "hold" => format!("{by} holds the message for {to}"),
                "release" => format!("{by} releases the message for {to}"),
                _ => format!("{by} removed the message for {to} from the queue; nobody is told"),
            },
            Self::StoreFailed { reason } => {
                format!(
                    "The store does not say who is due ({reason}): look at the disk, waiting mail is safe"
                )
            }
        }
    }

    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            Self::Accepted {
                origin,
                from,
                to,
                recipients,
                size_bytes,
                delivered,
                waiting,
                commit_us,
                ..
            } => {
                field("origin", Value::Text(origin));
                field("from", Value::Text(from));
                field("to", Value::Text(to));
                field("recipients", Value::Number(*recipients));
                field("size_bytes", Value::Number(*size_bytes));
                field("delivered", Value::Number(*delivered));
                field("waiting", Value::Number(*waiting));
                field("commit_us", Value::Number(*commit_us));
            }
            Self::Delivered { to, attempts, .. } => {
                field("to", Value::Text(to));
                field("attempts", Value::Number(*attempts));
            }
            Self::Postponed {
                to,
                reason,
                due_unix_ms,
                attempts,
                ..
            } => {
                field("to", Value::Text(to));
                field("reason", Value::Text(reason));
                field("due_unix_ms", Value::Number(*due_unix_ms));
                field("attempts", Value::Number(*attempts));
            }
            Self::Operated { to, act, by, .. } => {
                field("to", Value::Text(to));
                field("act", Value::Text(act));
                field("by", Value::Text(by));
            }
            Self::StoreFailed { reason } => field("reason", Value::Text(reason)),
        }
    }
}
