//! What a client wants to hear of without asking (RFC 5465).

use crate::command::{FetchItem, Source};

/// NOTIFY.
#[derive(Debug, Clone, PartialEq)]
pub enum Notify {
    /// `NONE`: of nothing
    None,
    /// `SET`: of this, and of nothing else
    Set(NotifySet),
}

/// What NOTIFY SET asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct NotifySet {
    /// `STATUS`: say first how the watched mailboxes are
    pub status: bool,
    /// of the open mailbox, whichever it is; `None` for nothing
    pub selected: Option<SelectedEvents>,
    /// of mailboxes that are not open; all that cover one count together
    pub groups: Vec<EventGroup>,
}

/// What is told of the open mailbox: that messages come and go (RFC 5465 §5: both or none), and
#[derive(Debug, Clone, PartialEq)]
pub struct SelectedEvents {
    /// `SELECTED-DELAYED`: messages go only where a command allows it (RFC 5465 §6.1.2)
    pub delayed: bool,
    /// `FlagChange`
    pub flags: bool,
    /// items of every message that comes; may be none
    pub items: Vec<FetchItem>,
}

/// Events of some mailboxes.
#[derive(Debug, Clone, PartialEq)]
pub struct EventGroup {
    /// which; never [`Source::Selected`]
    pub source: Source,
    /// what
    pub events: Events,
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// `MessageNew` and `MessageExpunge`, which go together
    pub messages: bool,
    /// `FlagChange`
    pub flags: bool,
    /// `MailboxName`
    pub names: bool,
    /// `SubscriptionChange`
    pub subscriptions: bool,
    /// `MailboxMetadataChange`
    pub metadata: bool,
    /// `ServerMetadataChange`
    pub server_metadata: bool,
}

impl Events {
    /// What either asks for.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            messages: self.messages || other.messages,
            flags: self.flags || other.flags,
            names: self.names || other.names,
            subscriptions: self.subscriptions || other.subscriptions,
            metadata: self.metadata || other.metadata,
            server_metadata: self.server_metadata || other.server_metadata,
        }
    }
}

/// The events that can be asked for, as BADEVENT names them.
pub const SUPPORTED: [&str; 7] = [
    "MessageNew",
    "MessageExpunge",
    "FlagChange",
    "MailboxName",
    "SubscriptionChange",
    "MailboxMetadataChange",
    "ServerMetadataChange",
];
