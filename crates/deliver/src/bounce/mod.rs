//! What a sender is told of a message's fate: delivery status notifications (RFC 3461 to 3464, RFC 6522, RFC 6533).
//!
//! 1. [`wanted()`] says who is told at all: nobody with the null reverse-path, and what NOTIFY asked for.
//! 2. [`situation::decide`] finds in one table what happened, from the status, the step, and the words of the answer.
//! 3. [`words::of`] says it plainly: what happened, whose turn it is, the next step.
//! 4. [`compose`] puts the three parts together: plain words with the original answer behind them, the part for programs,
//!    and the header of the message ([`returns`] says when the whole message goes back).
//!
//! Pure: no clock, no I/O; ids and times are given. Guarantees: what peers said cannot begin another field or line of ours;
//! nothing of our own machine goes out (no paths, no private addresses, none of the header lines we added; threat case
//! LOOP-7); an address that a message was forwarded to is not told to its sender.

use mail::address::{Domain, LocalPart, Mailbox, Utf8};
use mail::build::{Body, FieldName, MessageBuilder, NamedMailbox};
use mail::date::DateTime;
use mail::ids::QueueId;
use mail::wire::{HeaderValue, WireMessage};
use world::clock::UnixMs;

mod clean;
mod machine;
mod original;
pub mod situation;
mod text;
mod wanted;
pub mod words;

pub use original::{Returned, returns};
pub use wanted::wanted;

/// What a report tells. The words are the actions of RFC 3464 §2.3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// given up
    Failed,
    /// not yet, still trying
    Delayed,
    /// handed to a server that sends no reports (RFC 3461 §5.2.2)
    Relayed,
    /// in the mailbox
    Delivered,
    /// handed to several addresses behind this one (RFC 3461 §5.2.7.3)
    Expanded,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Failed,
        Self::Delayed,
        Self::Relayed,
        Self::Delivered,
        Self::Expanded,
    ];

    /// The word of the Action field.
    pub const fn action(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
            Self::Expanded => "expanded",
        }
    }
}

/// Why somebody gets a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// it is their message
    Sender,
    /// it is a report of ours that nobody else can be told of
    Postmaster,
}

/// A status code of RFC 3463: `5.1.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status {
    class: u8,
    subject: u16,
    detail: u16,
}

impl Status {
    /// Another class than 2, 4 or 5 becomes 5; numbers have at most three digits.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        let class = match class {
            2 | 4 => class,
            _ => 5,
        };
        Self {
            class,
            subject: subject % 1000,
            detail: detail % 1000,
        }
    }

    /// The status of a reply. Its class is the reply code's, whatever the enhanced code says; a reply without enhanced
    /// code is `x.0.0`.
    pub const fn of_reply(code: u16, enhanced: Option<(u8, u16, u16)>) -> Self {
        let class = (code / 100) as u8;
        match enhanced {
            Some((_, subject, detail)) => Self::new(class, subject, detail),
            None => Self::new(class, 0, 0),
        }
    }

    /// 2, 4 or 5.
    pub const fn class(self) -> u8 {
        self.class
    }

    /// Subject and detail.
    pub const fn rest(self) -> (u16, u16) {
        (self.subject, self.detail)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// Where in the conversation an answer fell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// before MAIL: banner, EHLO, STARTTLS, AUTH
    Connection,
    /// MAIL
    Sender,
    /// RCPT
    Recipient,
    /// DATA, BDAT and after the dot
    Content,
}

/// What there is to say about one recipient.
#[derive(Debug, Clone)]
pub enum Answer<'a> {
    /// what a server replied
    Server {
        /// its name, or its address literal
        host: &'a str,
        /// to what
        step: Step,
        /// three digits
        code: u16,
        /// its enhanced status code, if it gave one
        enhanced: Option<(u8, u16, u16)>,
        /// the text of each line, without codes or with: as it was kept
        lines: &'a [String],
    },
    /// what we found ourselves: no such domain, no connection, a loop
    Ours {
        /// what it is (RFC 3463)
        status: Status,
        /// which host it was about, if one
        host: Option<&'a str>,
        /// in words; paths and private addresses are taken out
        text: &'a str,
    },
}

/// One recipient in a report.
#[derive(Debug, Clone)]
pub struct Told<'a> {
    /// where the message should have gone, or went
    pub address: &'a Mailbox,
    /// the address of ours through which the message was forwarded there: the sender is told this one instead
    pub via: Option<&'a Mailbox>,
    /// ORCPT as the sender gave it: kind (`rfc822`) and decoded address
    pub orcpt: Option<(&'a str, &'a str)>,
    /// the last answer
    pub answer: Answer<'a>,
    /// the time for trying is over: the last answer alone would not have ended it
    pub expired: bool,
    /// when it was tried last
    pub last_attempt: Option<UnixMs>,
    /// until when it is tried, when it still is
    pub retry_until: Option<UnixMs>,
}

impl Told<'_> {
    /// The address that the sender may know of.
    fn shown(&self) -> &Mailbox {
        self.via.unwrap_or(self.address)
    }

    /// The status of the last answer.
    pub fn status(&self) -> Status {
        match self.answer {
            Answer::Server { code, enhanced, .. } => Status::of_reply(code, enhanced),
            Answer::Ours { status, .. } => status,
        }
    }
}

/// The message the report is about, without any header line that we added.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// its header block, with or without the empty line
    pub header: &'a [u8],
    /// all of it, header included, when [`returns`] says [`Returned::Whole`]
    pub whole: Option<&'a [u8]>,
}

/// Everything a report says.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// what it tells
    pub kind: Kind,
    /// our name
    pub host: &'a Domain,
    /// who is told
    pub to: &'a Mailbox,
    /// why that is who is told
    pub reader: Reader,
    /// the left half of the report's Message-ID: unique
    pub message_id: &'a str,
    /// now
    pub now: UnixMs,
    /// our name for the message it is about
    pub queue_id: QueueId,
    /// when that message came
    pub arrived: UnixMs,
    /// ENVID, decoded
    pub envid: Option<&'a str>,
    /// by when the sender wanted it delivered (RFC 2852)
    pub deliver_by: Option<UnixMs>,
    /// its wish for a later release (RFC 4865), as `for;` or `until;`
    pub future_release: Option<String>,
    /// at least one
    pub recipients: Vec<Told<'a>>,
    /// the message
    pub original: Original<'a>,
}

/// A report ready to be queued. Its reverse-path is null: it is never bounced itself (RFC 3461 §6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    message: WireMessage,
}

impl Composed {
    /// The whole message.
    pub fn bytes(&self) -> &[u8] {
        self.message.as_bytes()
    }

    /// Its header block with the empty line.
    pub fn header(&self) -> &[u8] {
        &self.bytes()[..mail::header::body_start(self.bytes())]
    }

    /// Whether it can go only where SMTPUTF8 is spoken: its sender's own address is not ASCII (RFC 6531 §3.4).
    pub fn needs_utf8(&self) -> bool {
        !self.header().is_ascii()
    }

    /// Whether all of it is ASCII, so that any server takes it.
    pub fn is_seven_bit(&self) -> bool {
        self.bytes().is_ascii()
    }

    /// The whole message, given away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.message.into_bytes()
    }
}

/// Writes the report.
pub fn compose(report: &Report<'_>) -> Composed {
    let value =
        |text: &str| HeaderValue::new(clean::line(text, 900)).expect("no control characters are left");
    let name = |text: &str| FieldName::new(text).expect("a name of letters and a hyphen");
    let from = NamedMailbox {
        name: value("Mail delivery"),
        mailbox: postmaster(report.host),
    };
    let to = NamedMailbox {
        name: value(""),
        mailbox: report.to.clone(),
    };
    let now = DateTime::from_unix_ms(i64::try_from(report.now.0).unwrap_or(i64::MAX), 0);
    let mut message = MessageBuilder::new()
        .date(now)
        .from(&from)
        .to(&[to])
        .subject(&value(&text::subject(report)))
        .message_id(report.message_id, report.host.as_str())
        // RFC 3834 §5: nobody's absence notice answers it.
        .field(&name("Auto-Submitted"), &value("auto-replied"));
    if let Some(id) = original::message_id(report.original.header) {
        message = message.field(&name("References"), &value(&id));
    }
    let body = Body::Multipart {
        subtype: value("report; report-type=delivery-status"),
        parts: vec![
            Body::Text(text::plain(report)),
            machine::part(report),
            original::part(report),
        ],
    };
    let message = message
        .finish(&body)
        .expect("every part was cleaned, and no word is longer than a line");
    Composed { message }
}

/// `postmaster@HOST`. A name so long that no address fits before it loses its first labels.
fn postmaster(host: &Domain) -> Mailbox {
    let local = LocalPart::from_unquoted("postmaster", Utf8::Refused).expect("ten letters are a local part");
    let mut domain = host.clone();
    loop {
        if let Ok(mailbox) = Mailbox::new(local.clone(), domain.clone()) {
            return mailbox;
        }
        let (_, rest) = domain
            .as_str()
            .split_once('.')
            .expect("one label of 63 octets fits");
        domain = Domain::parse(rest).expect("what follows a label of a domain is a domain");
    }
}

#[cfg(test)]
mod tests;
