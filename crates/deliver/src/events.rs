//! What remote delivery tells the log.

use mail::ids::QueueId;
use world::events::{Event, Severity, Value};

/// One thing that happened on the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliverEvent {
    /// `deliver.sent`: another server answers for it now.
    Sent {
        /// which message
        queue_id: QueueId,
        /// for whom
        to: String,
        /// the server's name
        host: String,
        /// its address and port
        address: String,
        /// protocol version of TLS; empty in the clear
        tls: String,
        /// its last words
        reply: String,
        /// how long the attempt took
        duration_ms: u64,
    },
    /// `deliver.postponed`: not now; it is tried again.
    Postponed {
        /// which message
        queue_id: QueueId,
        /// for whom
        to: String,
        /// RFC 3463
        status: String,
        /// why
        reason: String,
        /// next try, in milliseconds since 1970
        due_unix_ms: u64,
        /// failed attempts
        attempts: u64,
    },
    /// `deliver.failed`: given up; the sender is told if it wants to be.
    Failed {
        /// which message
        queue_id: QueueId,
        /// for whom
        to: String,
        /// RFC 3463
        status: String,
        /// why
        reason: String,
        /// the report about it, as a message of its own; `None` when nobody is told
        report: Option<QueueId>,
    },
    /// `deliver.report-waits`: refused for good, but there is no room for the report: it follows, and the message is not sent again.
    ReportWaits {
        /// which message
        queue_id: QueueId,
        /// for whom
        to: String,
    },
    /// `deliver.delay-told`: the sender was told that it takes longer.
    DelayTold {
        /// which message
        queue_id: QueueId,
        /// for whom
        to: String,
    },
    /// `deliver.nobody-to-tell`: a report or another message without a sender failed; nobody is told.
    NobodyToTell {
        /// which message
        queue_id: QueueId,
        /// for whom it was
        to: String,
        /// why it failed
        reason: String,
    },
    /// `deliver.not-ours`: the recipient was purged, or dealt with otherwise, while it was on its way.
    NotOurs {
        /// which message
        queue_id: QueueId,
        /// for whom
        to: String,
    },
    /// `deliver.unreadable`: a waiting recipient's address cannot be read; it is given up.
    Unreadable {
        /// which message
        queue_id: QueueId,
        /// the address
        to: String,
    },
    /// `deliver.parked`: a destination cannot be used now and is left alone for a while.
    Parked {
        /// which
        destination: String,
        /// for how long
        pause_s: u64,
    },
    /// `deliver.clock-jumped`: the wall clock jumped; nothing is given up for an hour.
    ClockJumped {
        /// by how much
        seconds: u64,
        /// whether ahead
        ahead: bool,
    },
    /// `deliver.store-failed`: the store could not be asked or told; it is tried again.
    StoreFailed {
        /// what it said
        reason: String,
    },
    /// `deliver.panicked`: a delivery ended by a fault of ours. Its recipients are tried again; those that may have the message only
    /// after a restart.
    Panicked {
        /// what the runtime said
        reason: String,
    },
}

impl Event for DeliverEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::Sent { .. } => "deliver.sent",
            Self::Postponed { .. } => "deliver.postponed",
            Self::Failed { .. } => "deliver.failed",
            Self::ReportWaits { .. } => "deliver.report-waits",
            Self::DelayTold { .. } => "deliver.delay-told",
            Self::NobodyToTell { .. } => "deliver.nobody-to-tell",
            Self::NotOurs { .. } => "deliver.not-ours",
            Self::Unreadable { .. } => "deliver.unreadable",
            Self::Parked { .. } => "deliver.parked",
            Self::ClockJumped { .. } => "deliver.clock-jumped",
            Self::StoreFailed { .. } => "deliver.store-failed",
            Self::Panicked { .. } => "deliver.panicked",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::Sent { .. } | Self::DelayTold { .. } | Self::NotOurs { .. } => Severity::Info,
            Self::Postponed { .. }
            | Self::Failed { .. }
            | Self::ReportWaits { .. }
            | Self::NobodyToTell { .. }
            | Self::Parked { .. } => Severity::Warning,
            Self::Unreadable { .. }
            | Self::ClockJumped { .. }
            | Self::StoreFailed { .. }
            | Self::Panicked { .. } => Severity::Alert,
        }
    }

    fn queue_id(&self) -> Option<QueueId> {
        match self {
            Self::Sent { queue_id, .. }
            | Self::Postponed { queue_id, .. }
            | Self::Failed { queue_id, .. }
            | Self::ReportWaits { queue_id, .. }
            | Self::DelayTold { queue_id, .. }
            | Self::NobodyToTell { queue_id, .. }
            | Self::NotOurs { queue_id, .. }
            | Self::Unreadable { queue_id, .. } => Some(*queue_id),
            Self::Parked { .. }
            | Self::ClockJumped { .. }
            | Self::StoreFailed { .. }
            | Self::Panicked { .. } => None,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Sent { to, host, reply, .. } => format!("Sent to {to} by {host}: {reply}"),
            Self::Postponed { to, reason, .. } => format!("{to} waits: {reason}"),
            Self::Failed { to, reason, .. } => format!("Gave up on {to}: {reason}"),
            Self::ReportWaits { to, .. } => {
                format!("{to} was refused, and there is no room for the report: make room on the disk")
            }
            Self::DelayTold { to, .. } => format!("Told the sender that {to} takes longer"),
            Self::NobodyToTell { to, reason, .. } => {
                format!(
                    "A message without a sender did not reach {to}, so there is no sender to tell: {reason}"
                )
            }
            Self::NotOurs { to, .. } => format!("{to} was dealt with by somebody else meanwhile"),
            Self::Unreadable { to, .. } => {
                format!("The waiting address {to} cannot be read: it is given up")
            }
            Self::Parked { destination, pause_s } => {
                format!("{destination} cannot be used now and is left alone for {pause_s} seconds")
            }
            Self::ClockJumped { seconds, ahead } => {
                let direction = if *ahead { "ahead" } else { "back" };
                format!(
                    "The clock jumped {direction} by {seconds} seconds: look at the time service; nothing is given up for an hour"
                )
            }
            Self::StoreFailed { reason } => {
                format!("Delivery waits for the store ({reason}): look at the disk, waiting mail is safe")
            }
            Self::Panicked { reason } => {
                format!("A delivery ended by a fault of this program ({reason}): please report it")
            }
        }
    }

    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            Self::Sent {
                to,
                host,
                address,
                tls,
                reply,
                duration_ms,
                ..
            } => {
                field("to", Value::Text(to));
                field("host", Value::Text(host));
                field("address", Value::Text(address));
                field("tls", Value::Text(tls));
                field("reply", Value::Text(reply));
                field("duration_ms", Value::Number(*duration_ms));
            }
            Self::Postponed {
                to,
                status,
                reason,
                due_unix_ms,
                attempts,
                ..
            } => {
                field("to", Value::Text(to));
                field("status", Value::Text(status));
                field("reason", Value::Text(reason));
                field("due_unix_ms", Value::Number(*due_unix_ms));
                field("attempts", Value::Number(*attempts));
            }
            Self::Failed {
                to,
                status,
                reason,
                report,
                ..
            } => {
                field("to", Value::Text(to));
                field("status", Value::Text(status));
                field("reason", Value::Text(reason));
                if let Some(report) = report {
                    field("report", Value::Text(&report.to_string()));
                }
            }
            Self::NobodyToTell { to, reason, .. } => {
                field("to", Value::Text(to));
                field("reason", Value::Text(reason));
            }
            Self::DelayTold { to, .. }
            | Self::ReportWaits { to, .. }
            | Self::NotOurs { to, .. }
            | Self::Unreadable { to, .. } => {
                field("to", Value::Text(to));
            }
            Self::Parked { destination, pause_s } => {
                field("destination", Value::Text(destination));
                field("pause_s", Value::Number(*pause_s));
            }
            Self::ClockJumped { seconds, ahead } => {
                field("jump_s", Value::Number(*seconds));
                field("ahead", Value::Flag(*ahead));
            }
            Self::StoreFailed { reason } | Self::Panicked { reason } => field("reason", Value::Text(reason)),
        }
    }
}
