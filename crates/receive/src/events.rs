//! What this crate tells the log: what happens before the moment of responsibility.

use std::net::IpAddr;

use mail::ids::QueueId;
use world::events::{Event, Severity, Value};

/// One thing that happened in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiveEvent {
    /// `receive.sender-refused`: MAIL was refused.
    SenderRefused {
        /// which message
        queue_id: QueueId,
        /// which door
        door: &'static str,
        /// from where
        peer: IpAddr,
        /// envelope sender; empty for `<>`
        from: String,
        /// the reply
        code: u64,
        /// its text
        reason: String,
    },
    /// `receive.recipient-refused`: RCPT was refused.
    RecipientRefused {
        /// which message
        queue_id: QueueId,
        /// which door
        door: &'static str,
        /// from where
        peer: IpAddr,
        /// for whom it was
        to: String,
        /// the reply
        code: u64,
        /// its text
        reason: String,
    },
    /// `receive.arrived`: the message came whole; what becomes of it is told next.
    Arrived {
        /// which message
        queue_id: QueueId,
        /// which door
        door: &'static str,
        /// from where
        peer: IpAddr,
        /// the name the client greeted with
        hello: String,
        /// protocol version of TLS; empty in the clear
        tls: &'static str,
        /// envelope sender; empty for `<>`
        from: String,
        /// octets that came
        size_bytes: u64,
    },
    /// `receive.examined`: what was found out about whom the message is really from, in the words of RFC 8601.
    Examined {
        /// which message
        queue_id: QueueId,
        /// the author's domain; empty when there is not one
        author: String,
        /// of the envelope
        spf: String,
        /// of each signature, with commas between them
        dkim: String,
        /// of the author
        dmarc: String,
        /// of the sealed history
        arc: String,
        /// of the client's name
        iprev: String,
        /// accept, quarantine, reject or defer
        verdict: String,
        /// the rule that decided
        reason: String,
        /// what each check rests on, in words
        evidence: String,
        /// whether the verdict holds, or is only noted
        enforced: bool,
    },
    /// `receive.not-examined`: it was not found out whom the message is from. Where verdicts hold it was put off, elsewhere taken.
    NotExamined {
        /// which message
        queue_id: QueueId,
        /// why
        reason: String,
        /// whether verdicts hold
        enforced: bool,
    },
    /// `receive.message-refused`: the message came and was refused.
    MessageRefused {
        /// which message
        queue_id: QueueId,
        /// which door
        door: &'static str,
        /// from where
        peer: IpAddr,
        /// envelope sender; empty for `<>`
        from: String,
        /// recipients, the first few
        to: String,
        /// octets that came
        size_bytes: u64,
        /// the reply
        code: u64,
        /// its text
        reason: String,
    },
    /// `receive.store-refused`: a message was turned away because the store failed.
    StoreRefused {
        /// which message
        queue_id: QueueId,
        /// what the store said
        reason: String,
    },
    /// `receive.cut-off`: the connection ended while a message was coming; nothing of it is kept.
    CutOff {
        /// which message
        queue_id: QueueId,
        /// which door
        door: &'static str,
        /// from where
        peer: IpAddr,
        /// octets that came
        size_bytes: u64,
    },
    /// `receive.session-closed`: we closed a session that broke the rules.
    SessionClosed {
        /// which door
        door: &'static str,
        /// from where
        peer: IpAddr,
        /// our last reply; empty if there was none
        reason: String,
    },
}

impl Event for ReceiveEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::SenderRefused { .. } => "receive.sender-refused",
            Self::RecipientRefused { .. } => "receive.recipient-refused",
            Self::Arrived { .. } => "receive.arrived",
            Self::Examined { .. } => "receive.examined",
            Self::NotExamined { .. } => "receive.not-examined",
            Self::MessageRefused { .. } => "receive.message-refused",
            Self::StoreRefused { .. } => "receive.store-refused",
            Self::CutOff { .. } => "receive.cut-off",
            Self::SessionClosed { .. } => "receive.session-closed",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::StoreRefused { .. } => Severity::Alert,
            _ => Severity::Info,
        }
    }

    fn queue_id(&self) -> Option<QueueId> {
        match self {
            Self::SenderRefused { queue_id, .. }
            | Self::RecipientRefused { queue_id, .. }
            | Self::Arrived { queue_id, .. }
            | Self::Examined { queue_id, .. }
            | Self::NotExamined { queue_id, .. }
            | Self::MessageRefused { queue_id, .. }
            | Self::StoreRefused { queue_id, .. }
            | Self::CutOff { queue_id, .. } => Some(*queue_id),
            Self::SessionClosed { .. } => None,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::SenderRefused {
                from, code, reason, ..
            } => format!("Refused the sender <{from}>: {code} {reason}"),
            Self::RecipientRefused { to, code, reason, .. } => {
                format!("Refused the recipient {to}: {code} {reason}")
            }
            Self::Arrived { peer, from, .. } => format!("A message from <{from}> came whole from {peer}"),
            Self::Examined {
                verdict,
                reason,
                enforced,
                ..
            } => examined(verdict, reason, *enforced),
            Self::NotExamined { reason, enforced, .. } => {
                let done = if *enforced {
                    "put off"
                } else {
                    "taken without results"
                };
                format!("Whom the message is from was not found out, so it was {done}: {reason}")
            }
            Self::MessageRefused {
                from, code, reason, ..
            } => format!("Refused a message from <{from}>: {code} {reason}"),
            Self::StoreRefused { reason, .. } => {
                format!("A message was turned away because {reason}: look at the disk")
            }
            Self::CutOff { peer, .. } => {
                format!("{peer} went away in the middle of a message; nothing of it is kept")
            }
            Self::SessionClosed { peer, reason, .. } => format!("Closed the session of {peer}: {reason}"),
        }
    }

    fn fields(&self, field: &mut dyn FnMut(&'static str, Value<'_>)) {
        let mut at = |door: &'static str, peer: &IpAddr| {
            field("door", Value::Text(door));
            field("peer", Value::Text(&peer.to_string()));
        };
        match self {
            Self::SenderRefused {
                door,
                peer,
                from,
                code,
                reason,
                ..
            } => {
                at(door, peer);
                field("from", Value::Text(from));
                field("code", Value::Number(*code));
                field("reason", Value::Text(reason));
            }
            Self::RecipientRefused {
                door,
                peer,
                to,
                code,
                reason,
                ..
            } => {
                at(door, peer);
                field("to", Value::Text(to));
                field("code", Value::Number(*code));
                field("reason", Value::Text(reason));
            }
            Self::Arrived {
                door,
                peer,
                hello,
                tls,
                from,
                size_bytes,
                ..
            } => {
                at(door, peer);
                field("hello", Value::Text(hello));
                field("tls", Value::Text(tls));
                field("from", Value::Text(from));
                field("size_bytes", Value::Number(*size_bytes));
            }
            Self::MessageRefused {
                door,
                peer,
                from,
                to,
                size_bytes,
                code,
                reason,
                ..
            } => {
                at(door, peer);
                field("from", Value::Text(from));
                field("to", Value::Text(to));
                field("size_bytes", Value::Number(*size_bytes));
                field("code", Value::Number(*code));
                field("reason", Value::Text(reason));
            }
            Self::Examined {
                author,
                spf,
                dkim,
                dmarc,
                arc,
                iprev,
                verdict,
                reason,
                evidence,
                enforced,
                ..
            } => {
                let words = [
                    ("author", author),
                    ("spf", spf),
                    ("dkim", dkim),
                    ("dmarc", dmarc),
                    ("arc", arc),
                    ("iprev", iprev),
                    ("verdict", verdict),
                    ("reason", reason),
                    ("evidence", evidence),
                ];
                for (name, word) in words {
                    field(name, Value::Text(word));
                }
                field("enforced", Value::Flag(*enforced));
            }
            Self::NotExamined { reason, enforced, .. } => {
                field("reason", Value::Text(reason));
                field("enforced", Value::Flag(*enforced));
            }
            Self::StoreRefused { reason, .. } => field("reason", Value::Text(reason)),
            Self::CutOff {
                door,
                peer,
                size_bytes,
                ..
            } => {
                at(door, peer);
                field("size_bytes", Value::Number(*size_bytes));
            }
            Self::SessionClosed { door, peer, reason } => {
                at(door, peer);
                field("reason", Value::Text(reason));
            }
        }
    }
}

/// What the verdict does, or would do where it is only noted.
fn examined(verdict: &str, reason: &str, enforced: bool) -> String {
    let does = match (verdict, enforced) {
        ("accept", _) => "it is taken",
        ("quarantine", true) => "its copies go to Junk",
        ("reject", true) => "it is refused",
        ("defer", true) => "it is put off",
        ("quarantine", false) => "enforced, its copies would go to Junk",
        ("reject", false) => "enforced, it would be refused",
        _ => "enforced, it would be put off",
    };
    format!("Examined whom the message is from: {does}, because {reason}")
}
