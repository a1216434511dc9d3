//! The message as it goes out: our own lines, then the body, read from the store piece by piece.

use std::sync::Arc;

use bytes::Bytes;
use mail::address::{Mailbox, Path, Utf8};
use mail::header::Fields;
use msgauth::tls::policy::Wish;
use queue::params::{
    BodyType as Said, ByMode, DeliverBy as WantedBy, EnvelopeParams, Notify as Asked, RecipientParams,
    Ret as Returned,
};
use smtp::BodyType;
use smtp::client::{DeliverBy, DeliverByMode, MailRequest, RcptRequest, RequireTls};
use smtp::dsn::{EnvId, Notify, OriginalRecipient, Ret};
use store::contract::{Result, Store, WaitingRow};
use world::clock::UnixMs;

use super::job;
use crate::limits::PIECE_BYTES;

/// A message that goes to one host.
pub struct Letter {
    /// what MAIL says
    pub request: MailRequest,
    prefix: Vec<u8>,
    text: Text,
}

enum Text {
    Stored {
        store: Arc<dyn Store>,
        blob: mail::ids::BlobId,
        bytes: u64,
        first: Bytes,
    },
    Recoded(Bytes),
}

impl Letter {
    /// Of the message a row is about, for a recipient with these parameters.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn of(
        store: &Arc<dyn Store>,
        row: &WaitingRow,
        envelope: &EnvelopeParams,
        recipient: &RecipientParams,
        now: UnixMs,
    ) -> Result<Self> {
        let first = store.read_body(row.blob, 0, PIECE_BYTES).await?;
        let prefix = prefix(row, recipient);
        let request = MailRequest {
            size_bytes: Some(prefix.len() as u64 + row.body_bytes),
            body: body_type(&first, row, envelope),
            smtputf8: envelope.smtputf8 && !first[..mail::header::body_start(&first)].is_ascii(),
            ret: envelope.ret.map(|ret| match ret {
                Returned::Full => Ret::Full,
                Returned::Hdrs => Ret::Headers,
            }),
            envid: envelope.envid.clone().and_then(EnvId::new),
            deliver_by: envelope.deliver_by.map(|by| deliver_by(by, now)),
            requiretls: match job::wish(row, envelope) {
                Wish::RequireTls => RequireTls::Must,
                Wish::RequireTlsReport => RequireTls::WhereOffered,
                Wish::Nothing | Wish::NotRequired => RequireTls::No,
            },
            ..MailRequest::new(reverse_path(row, recipient))
        };
        Ok(Self {
            request,
            prefix,
            text: Text::Stored {
                store: store.clone(),
                blob: row.blob,
                bytes: row.body_bytes,
                first,
            },
        })
    }

    /// Its header block, as far as it is in the first piece.
    pub fn header(&self) -> &[u8] {
        let first = match &self.text {
            Text::Stored { first, .. } => first,
            Text::Recoded(all) => all,
        };
        &first[..mail::header::body_start(first)]
    }

    /// Octets in wire form, without dots and end.
    pub fn bytes(&self) -> u64 {
        self.prefix.len() as u64 + self.body_bytes()
    }

    fn body_bytes(&self) -> u64 {
        match &self.text {
            Text::Stored { bytes, .. } => *bytes,
            Text::Recoded(all) => all.len() as u64,
        }
    }

    /// Our own lines before the body.
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// A piece of the body; empty at its end.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn piece(&self, offset: u64) -> Result<Bytes> {
        match &self.text {
            _ if offset >= self.body_bytes() => Ok(Bytes::new()),
            Text::Stored { first, .. } if offset == 0 => Ok(first.clone()),
            Text::Stored { store, blob, .. } => store.read_body(*blob, offset, PIECE_BYTES).await,
            Text::Recoded(all) => {
                Ok(all.slice(usize::try_from(offset).unwrap_or(usize::MAX).min(all.len())..))
            }
        }
    }

    /// The whole body, for changing it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn whole_body(&self) -> Result<Vec<u8>> {
        let mut all = Vec::with_capacity(usize::try_from(self.body_bytes()).unwrap_or(0));
        loop {
            let piece = self.piece(all.len() as u64).await?;
            if piece.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&piece);
        }
    }

    /// The same message with another body, of seven bits.
    pub fn recoded(&self, body: Vec<u8>) -> Self {
        let request = MailRequest {
            size_bytes: Some(self.prefix.len() as u64 + body.len() as u64),
            body: BodyType::SevenBit,
            ..self.request.clone()
        };
        Self {
            request,
            prefix: self.prefix.clone(),
            text: Text::Recoded(body.into()),
        }
    }

    /// Whether it has passed through one of these addresses of ours before: it runs in circles (threat case LOOP-2).
    pub fn has_been_at(&self, via: &[String]) -> bool {
        let same = |value: &[u8]| {
            let value = String::from_utf8_lossy(value);
            via.iter()
                .any(|address| value.trim().eq_ignore_ascii_case(address))
        };
        Fields::new(self.header())
            .filter(|field| field.is("Delivered-To"))
            .any(|field| same(&field.unfolded()))
    }
}

/// A body that is in hand whole is looked at; of a longer one what its sender said is believed.
fn body_type(first: &[u8], row: &WaitingRow, envelope: &EnvelopeParams) -> BodyType {
    let eight_bit = match first.len() as u64 == row.body_bytes {
        true => !first.is_ascii(),
        false => envelope.body == Said::EightBit,
    };
    match eight_bit {
        true => BodyType::EightBitMime,
        false => BodyType::SevenBit,
    }
}

fn deliver_by(by: WantedBy, now: UnixMs) -> DeliverBy {
    DeliverBy {
        seconds: seconds_left(by.until_unix_ms, now),
        mode: match by.mode {
            ByMode::Notify => DeliverByMode::Notify,
            ByMode::Return => DeliverByMode::Return,
        },
        trace: by.trace,
    }
}

/// Received, and one Delivered-To for each address of ours it was forwarded through, so that a circle is noticed.
fn prefix(row: &WaitingRow, recipient: &RecipientParams) -> Vec<u8> {
    let mut lines = Vec::with_capacity(row.queue_prefix.len() + 64);
    for via in &recipient.via {
        // An address that parses has no control characters.
        if Mailbox::parse(via, Utf8::Allowed).is_ok() {
            lines.extend_from_slice(format!("Delivered-To: {via}\r\n").as_bytes());
        }
    }
    lines.extend_from_slice(&row.queue_prefix);
    lines
}

/// Who gets the bounce of this recipient's copy.
pub fn reverse_path(row: &WaitingRow, recipient: &RecipientParams) -> Path {
    path(recipient.reverse_path.as_deref().unwrap_or(&row.reverse_path))
}

/// A stored path: the wire form, empty for `<>`.
pub fn path(text: &str) -> Path {
    Mailbox::parse(text, Utf8::Allowed).map_or(Path::Null, Path::Mailbox)
}

/// What RCPT says.
pub fn rcpt(mailbox: &Mailbox, params: &RecipientParams) -> RcptRequest {
    // Of an address that stands for several, success is told here.
    let asked = if params.expanded {
        params.without_success().notify
    } else {
        params.notify
    };
    RcptRequest {
        address: mailbox.clone(),
        notify: asked.map(|notify| match notify {
            Asked::Never => Notify::Never,
            Asked::On(when) => Notify::On {
                success: when.success,
                failure: when.failure,
                delay: when.delay,
            },
        }),
        orcpt: params
            .orcpt
            .as_ref()
            .and_then(|orcpt| OriginalRecipient::new(&orcpt.kind, orcpt.address.clone())),
    }
}

fn seconds_left(until_unix_ms: u64, now: UnixMs) -> i32 {
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    let left = signed(until_unix_ms).saturating_sub(signed(now.0)) / 1000;
    i32::try_from(left).unwrap_or(if left < 0 { i32::MIN } else { i32::MAX })
}
