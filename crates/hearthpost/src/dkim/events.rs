//! What becomes of the keys that sign, for the log.

use mail::ids::QueueId;
use world::events::{Event, Severity, Value};

/// One thing that happened to a key of ours that signs mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DkimEvent {
    /// `dkim.made`: a key was made; it signs once its record is seen in DNS.
    Made {
        /// where the record must be published
        name: String,
    },
    /// `dkim.moved`: a key stands somewhere else now.
    Moved {
        /// where its record is
        name: String,
        /// `waiting`, `published`, `signing`, `retiring`, `removable` or `gone`
        state: &'static str,
    },
    /// `dkim.record-lost`: a key signs, and its record is not in DNS as it should be.
    RecordLost {
        /// where the record should be
        name: String,
        /// another record is there; false: none
        other: bool,
    },
    /// `dkim.record-back`: the record is there again.
    RecordBack {
        /// where
        name: String,
    },
    /// `dkim.failed`: keys could not be made, kept or read.
    Failed {
        /// of which domain or record
        name: String,
        /// why
        reason: String,
    },
}

impl Event for DkimEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::Made { .. } => "dkim.made",
            Self::Moved { .. } => "dkim.moved",
            Self::RecordLost { .. } => "dkim.record-lost",
            Self::RecordBack { .. } => "dkim.record-back",
            Self::Failed { .. } => "dkim.failed",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::RecordLost { .. } => Severity::Warning,
            Self::Failed { .. } => Severity::Alert,
            Self::Made { .. } | Self::Moved { .. } | Self::RecordBack { .. } => Severity::Info,
        }
    }

    fn queue_id(&self) -> Option<QueueId> {
        None
    }

    fn sentence(&self) -> String {
        match self {
            Self::Made { name } => format!(
                "A key was made to sign mail; it signs once its record {name} is seen in DNS. See it with: hearthpost dkim list"
            ),
            Self::Moved { name, state } => match *state {
                "published" => format!(
                    "The record {name} was seen in DNS; its key signs when it is still there in an hour"
                ),
                "signing" => format!("The key of {name} signs mail from now on"),
                "retiring" => format!(
                    "The key of {name} signs no more; leave its record for the mail that is on its way"
                ),
                "removable" => format!("The record {name} is not needed any more: take it out of DNS"),
                "gone" => format!("The key of {name} is forgotten"),
                _ => format!("The record {name} is not in DNS yet, so its key does not sign"),
            },
            Self::RecordLost { name, other } => format!(
                "A key signs, and {} at {name}: receivers cannot verify its signatures. Publish the record again, or make other keys: \
                 hearthpost dkim rotate",
                if *other {
                    "another record is in DNS"
                } else {
                    "no record is in DNS"
                }
            ),
            Self::RecordBack { name } => format!("The record {name} is in DNS again"),
            Self::Failed { name, reason } => format!("The keys of {name}: {reason}"),
        }
    }

    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            Self::Made { name } | Self::RecordBack { name } => field("name", Value::Text(name)),
            Self::Moved { name, state } => {
                field("name", Value::Text(name));
                field("state", Value::Text(state));
            }
            Self::RecordLost { name, other } => {
                field("name", Value::Text(name));
                field("other", Value::Flag(*other));
            }
            Self::Failed { name, reason } => {
                field("name", Value::Text(name));
                field("reason", Value::Text(reason));
            }
        }
    }
}
