//! What became of a recipient, with the code and the words for it.

use std::fmt;

use smtp::client::{Reply, Stage};

pub use crate::bounce::Status;

/// What an attempt means for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The other server answers for it now.
    Delivered {
        /// whether it will report itself as the sender asked (RFC 3461 §5.2)
        reports: bool,
    },
    /// Try again.
    Later(Trouble),
    /// Never; tell the sender.
    Failed(Trouble),
}

/// Why a recipient does not have the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// its code; class 5 means that waiting does not help
    pub status: Status,
    /// who says so
    pub said: Said,
}

/// Whose word it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// a server's
    Server {
        /// its name
        host: String,
        /// what it answered
        stage: Stage,
        /// its reply
        reply: Box<Reply>,
    },
    /// ours
    Ours {
        /// which host it is about, if one
        host: Option<String>,
        /// in words
        text: String,
    },
}

impl Trouble {
    /// Our own finding: waiting helps.
    pub fn later(subject: u16, detail: u16, text: impl Into<String>) -> Self {
        Self::ours(Status::new(4, subject, detail), text)
    }

    /// Our own finding: waiting does not help.
    pub fn never(subject: u16, detail: u16, text: impl Into<String>) -> Self {
        Self::ours(Status::new(5, subject, detail), text)
    }

    fn ours(status: Status, text: impl Into<String>) -> Self {
        let (host, text) = (None, text.into());
        Self {
            status,
            said: Said::Ours { host, text },
        }
    }

    /// It is about this host.
    #[must_use]
    pub fn about(mut self, name: &str) -> Self {
        if let Said::Ours { host, .. } = &mut self.said {
            *host = Some(name.to_owned());
        }
        self
    }

    /// What it means for a recipient.
    pub fn fate(self) -> Fate {
        if self.status.class() == 5 {
            Fate::Failed(self)
        } else {
            Fate::Later(self)
        }
    }
}

impl Fate {
    /// Why it is not delivered, if it is not.
    pub fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Delivered { .. } => None,
            Self::Later(trouble) | Self::Failed(trouble) => Some(trouble),
        }
    }
}

impl fmt::Display for Trouble {
    /// In words, for the operator: who said what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.said {
            Said::Ours { text, .. } => f.write_str(text),
            Said::Server { host, stage, reply } => {
                let text = reply.to_string();
                let end = text
                    .char_indices()
                    .nth(crate::limits::REASON_CHARS)
                    .map_or(text.len(), |(at, _)| at);
                write!(f, "{host} said {}: {}", to_what(*stage), &text[..end])
            }
        }
    }
}

fn to_what(stage: Stage) -> &'static str {
    match stage {
        Stage::Banner => "when we connected",
        Stage::Hello => "to our greeting",
        Stage::StartTls => "to STARTTLS",
        Stage::Auth => "to our sign-in",
        Stage::Reset => "to RSET",
        Stage::Mail => "to the sender",
        Stage::Rcpt => "to the recipient",
        Stage::Data => "to DATA",
        Stage::Final => "to the message",
        Stage::Quit => "when we left",
    }
}
