//! What the index tells the log. Names are stable.

use world::events::{Event, Severity, Value};

/// One thing that happened to the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexEvent {
    /// `index.made-anew`: the file was missing, of another version, damaged, or an operator wished it: it is filled again
    /// while the server serves.
    MadeAnew {
        /// why
        reason: String,
    },
    /// `index.complete`: everything that is stored is indexed.
    Complete {
        /// messages indexed since the start
        messages: u64,
        /// octets of them
        size_bytes: u64,
        /// since the beginning of that work
        duration_ms: u64,
    },
    /// `index.damaged`: something in the file is not what was written. That part is made anew.
    Damaged {
        /// what
        what: String,
    },
    /// `index.refused`: the disk refused the index; it is tried again. Searching and reading go on, slower.
    Refused {
        /// what the disk said
        reason: String,
    },
    /// `index.message-left-out`: a message could not be indexed; it is read at every search.
    MessageLeftOut {
        /// which
        message: String,
        /// why
        reason: String,
    },
}

impl Event for IndexEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::MadeAnew { .. } => "index.made-anew",
            Self::Complete { .. } => "index.complete",
            Self::Damaged { .. } => "index.damaged",
            Self::Refused { .. } => "index.refused",
            Self::MessageLeftOut { .. } => "index.message-left-out",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::MadeAnew { .. } | Self::Complete { .. } => Severity::Info,
            Self::Damaged { .. } | Self::Refused { .. } | Self::MessageLeftOut { .. } => Severity::Warning,
        }
    }

    fn queue_id(&self) -> Option<mail::ids::QueueId> {
        None
    }

    fn sentence(&self) -> String {
        match self {
            Self::MadeAnew { reason } => {
                format!("The index is made anew: {reason}. Searching works meanwhile, slower.")
            }
            Self::Complete {
                messages,
                duration_ms,
                ..
            } => format!("Everything is indexed: {messages} messages in {duration_ms} ms."),
            Self::Damaged { what } => {
                format!(
                    "The index is damaged ({what}); that part is made anew. No mail is affected; check the disk."
                )
            }
            Self::Refused { reason } => {
                format!("The index cannot be written: {reason}. Searching works, slower. It is tried again.")
            }
            Self::MessageLeftOut { message, reason } => {
                format!("Message {message} is not indexed: {reason}. It is read at every search.")
            }
        }
    }

    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            Self::MadeAnew { reason } | Self::Refused { reason } => field("reason", Value::Text(reason)),
            Self::Complete {
                messages,
                size_bytes,
                duration_ms,
            } => {
                field("messages", Value::Number(*messages));
                field("size_bytes", Value::Number(*size_bytes));
                field("duration_ms", Value::Number(*duration_ms));
            }
            Self::Damaged { what } => field("what", Value::Text(what)),
            Self::MessageLeftOut { message, reason } => {
                field("message", Value::Text(message));
                field("reason", Value::Text(reason));
            }
        }
    }
}
