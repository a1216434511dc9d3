//! What happens at these doors.

use std::net::IpAddr;

use mail::ids::QueueId;
use world::events::{Event, Severity, Value};

/// One thing that happened at a reading door. Sign-ins are `directory`'s events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessEvent {
    /// `access.tls-failed`: the TLS handshake failed.
    TlsFailed {
        /// whose
        peer: IpAddr,
        /// why
        reason: String,
    },
    /// `access.plaintext-after-starttls`: plaintext came after STARTTLS, before the handshake: an injection attempt or a broken client.
    PlaintextAfterStarttls {
        /// whose
        peer: IpAddr,
    },
    /// `access.too-many-errors`: the connection was closed because of too many mistakes or refused sign-ins.
    TooManyErrors {
        /// whose
        peer: IpAddr,
        /// what it did, in words
        what: &'static str,
    },
    /// `access.other-protocol`: something that speaks another protocol came to this door.
    OtherProtocol {
        /// whose
        peer: IpAddr,
    },
    /// `access.message-damaged`: a message could not be read.
    MessageDamaged {
        /// which
        message: String,
        /// whose
        address: String,
        /// what the store says
        reason: String,
    },
    /// `access.store-refused`: the store refused something a person asked for.
    StoreRefused {
        /// whose
        address: String,
        /// what the store says
        reason: String,
    },
    /// `access.rights-changed`: somebody changed who may do what in a mailbox.
    RightsChanged {
        /// who did
        address: String,
        /// in which mailbox
        mailbox: String,
        /// whose rights, as named
        identifier: String,
    },
}

impl Event for AccessEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::TlsFailed { .. } => "access.tls-failed",
            Self::PlaintextAfterStarttls { .. } => "access.plaintext-after-starttls",
            Self::TooManyErrors { .. } => "access.too-many-errors",
            Self::OtherProtocol { .. } => "access.other-protocol",
            Self::MessageDamaged { .. } => "access.message-damaged",
            Self::StoreRefused { .. } => "access.store-refused",
            Self::RightsChanged { .. } => "access.rights-changed",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::TlsFailed { .. } | Self::OtherProtocol { .. } | Self::RightsChanged { .. } => {
                Severity::Info
            }
            Self::PlaintextAfterStarttls { .. } | Self::TooManyErrors { .. } => Severity::Warning,
            Self::MessageDamaged { .. } | Self::StoreRefused { .. } => Severity::Alert,
        }
    }

    fn queue_id(&self) -> Option<QueueId> {
        None
    }

    fn sentence(&self) -> String {
        match self {
            Self::TlsFailed { reason, .. } => format!("A TLS handshake failed: {reason}"),
            Self::PlaintextAfterStarttls { .. } => "A client sent plaintext after STARTTLS".to_owned(),
            Self::TooManyErrors { what, .. } => format!("A connection was closed: {what}"),
            Self::OtherProtocol { .. } => "Something that speaks another protocol was sent away".to_owned(),
            Self::MessageDamaged { message, reason, .. } => {
                format!("Message {message} cannot be read: {reason}. Restore it from a backup, or delete it")
            }
            Self::StoreRefused { reason, .. } => format!("A change was refused: {reason}"),
            Self::RightsChanged { .. } => "Rights in a mailbox were changed".to_owned(),
        }
    }

    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            Self::TlsFailed { peer, .. }
            | Self::PlaintextAfterStarttls { peer }
            | Self::TooManyErrors { peer, .. }
            | Self::OtherProtocol { peer } => field("peer", Value::Text(&peer.to_string())),
            Self::MessageDamaged {
                message,
                address,
                reason,
            } => {
                field("message", Value::Text(message));
                field("address", Value::Text(address));
                field("reason", Value::Text(reason));
            }
            Self::StoreRefused { address, reason } => {
                field("address", Value::Text(address));
                field("reason", Value::Text(reason));
            }
            Self::RightsChanged {
                address,
                mailbox,
                identifier,
            } => {
                field("address", Value::Text(address));
                field("mailbox", Value::Text(mailbox));
                field("identifier", Value::Text(identifier));
            }
        }
    }
}
