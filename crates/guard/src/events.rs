//! What the guard tells the log.

use mail::ids::QueueId;
use world::events::{Event, Severity, Value};

use crate::counters::Refused;
use crate::source::Source;

/// One thing that was noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuardEvent {
    /// `guard.refused`: a connection got no place. Said once a minute for each reason.
    Refused {
        /// whose
        source: Source,
        /// why
        refused: Refused,
        /// places of the house
        places: u64,
        /// refusals for this reason that were not told since the last one
        silent: u64,
    },
    /// `guard.guessing`: an address named too many who do not exist, and is sent away for an hour.
    Guessing {
        /// whose
        source: Source,
    },
    /// `guard.sign-in-braked`: an address gave too many wrong passwords, and waits ten minutes.
    SignInBraked {
        /// whose
        source: Source,
    },
}

impl Refused {
    const fn word(self) -> &'static str {
        match self {
            Self::House => "house",
            Self::AtOnce => "at-once",
            Self::TooOften => "too-often",
        }
    }
}

impl Event for GuardEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "guard.refused",
            Self::Guessing { .. } => "guard.guessing",
            Self::SignInBraked { .. } => "guard.sign-in-braked",
        }
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn queue_id(&self) -> Option<QueueId> {
        None
    }

    fn sentence(&self) -> String {
        match self {
            Self::Refused {
                source,
                refused: Refused::House,
                places,
                ..
            } => format!(
                "A connection from {source} found no place: {places} is the most (limits.connections), a quarter of them for users"
            ),
            Self::Refused {
                source,
                refused: Refused::AtOnce,
                ..
            } => format!("{source} has too many connections at once: further ones are sent away"),
            Self::Refused { source, .. } => {
                format!("{source} connects too often: it is sent away until it stops")
            }
            Self::Guessing { source } => {
                format!(
                    "{source} asked for too many recipients who do not exist: it is sent away for an hour"
                )
            }
            Self::SignInBraked { source } => {
                format!("{source} gave too many wrong passwords: it may not sign in for ten minutes")
            }
        }
    }

    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        let (Self::Refused { source, .. } | Self::Guessing { source } | Self::SignInBraked { source }) = self;
        field("address", Value::Text(&source.to_string()));
        if let Self::Refused {
            refused,
            places,
            silent,
            ..
        } = self
        {
            field("reason", Value::Text(refused.word()));
            field("places", Value::Number(*places));
            field("silent", Value::Number(*silent));
        }
    }
}
