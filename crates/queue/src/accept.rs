//! The moment of responsibility: one commit.

use directory::LocalRecipient;
use mail::address::{Mailbox, Path, Utf8};
use mail::ids::AccountId;
use store::contract::{
    Accept, Accepted, Batch, Body, Delivery, Op, OpResult, Receipt, Result, StoreError, Waiting,
};
use store::durable::Durable;
use world::clock::UnixMs;

use crate::envelope::{Addressed, Envelope, Recipient};
use crate::events::QueueEvent;
use crate::limits::{FIRST_RETRY, RECIPIENTS_IN_EVENT};
use crate::origin::Origin;
use crate::params::{EnvelopeParams, RecipientParams};
use crate::plan::{Facts, Planned};
use crate::queue::Queue;
use crate::schedule::later;
use crate::{deadline, lanes};

/// Why a recipient on another server waits before anybody tried.
pub const FIRST_TRY: &str = "waits for its first try";

/// Why a recipient of ours waits whose sender asked for a later delivery (RFC 4865).
pub const HELD_BY_SENDER: &str = "the sender asked for a later delivery";

/// Why a recipient of ours waits whose sender wants a report of the delivery (RFC 3461 §4.1).
pub const TO_BE_REPORTED: &str = "to be delivered at once, with a report to the sender";

/// A message that is ready to be kept.
#[derive(Debug)]
pub struct Message<'a> {
    /// its bytes, staged
    pub body: Body,
    /// the header at the body's start, with the empty line, for the plan
    pub header: &'a [u8],
    /// the Received field of this hop, with its CR LF
    pub received: &'a [u8],
}

/// Takes responsibility for `message`: body, placements of the recipients whose plan is ready, and rows of those who
/// wait, in **one commit**. When this returns `Ok` everything is on disk, and visible; when it fails nothing is.
///
/// # Errors
/// Those of [`store::contract::Store::commit`].
pub async fn accept<O: Origin>(
    queue: &Queue,
    envelope: &Envelope<O>,
    message: Message<'_>,
) -> Result<Durable<Accepted>> {
    let (accepted, event) = accept_untold(queue, envelope, message).await?;
    queue.events.emit(&event);
    Ok(accepted)
}

/// [`accept`], with the event for whoever has something more urgent to do first: the sender waits for the reply, nobody for the log.
///
/// # Errors
/// Those of [`store::contract::Store::commit`].
pub async fn accept_untold<O: Origin>(
    queue: &Queue,
    envelope: &Envelope<O>,
    message: Message<'_>,
) -> Result<(Durable<Accepted>, QueueEvent)> {
    let began = queue.clock.monotonic();
    let Prepared { accept, notes } = prepare(queue, envelope, message);
    let batch = Batch::urgent(Op::Accept(accept));

    // Before this line every failure is a reply to the sender; after it every failure is ours.
    let committed = queue.store.commit(batch).await?;

    let accepted = named(committed)?;
    let took = queue.clock.monotonic().0.saturating_sub(began.0);
    Ok((accepted, notes.in_lanes(queue, took)))
}

/// An acceptance as a part of a larger batch: a report that is accepted together with the outcome it reports.
#[derive(Debug)]
pub struct Prepared {
    accept: Box<Accept>,
    notes: Notes,
}

/// Whom its commit concerns.
#[derive(Debug)]
struct Notes {
    /// where recipients wait, and until when
    lanes: Vec<(String, UnixMs)>,
    event: QueueEvent,
}

/// Prepares an acceptance. Nothing is promised before its operation is committed.
pub fn prepare<O: Origin>(queue: &Queue, envelope: &Envelope<O>, message: Message<'_>) -> Prepared {
    let accept = Box::new(plan(queue, envelope, message));
    let waiting = accept.waiting.len() as u64;
    // A delivery has one recipient; an account that is reached twice has one delivery.
    let delivered = accept.deliveries.len() as u64;
    let event = QueueEvent::Accepted {
        queue_id: accept.queue_id,
        origin: envelope.origin().name(),
        from: accept.reverse_path.clone(),
        to: envelope.first_recipients(RECIPIENTS_IN_EVENT),
        recipients: waiting + delivered,
        size_bytes: accept.body.size_bytes,
        delivered,
        waiting,
        commit_us: 0,
    };
    let lane = |row: &Waiting| (row.lane.clone(), row.due);
    let lanes = accept.waiting.iter().map(lane).collect();
    Prepared {
        accept,
        notes: Notes { lanes, event },
    }
}

impl Prepared {
    /// The operation to commit.
    pub fn op(&self) -> Op {
        Op::Accept(self.accept.clone())
    }

    /// Its queue id.
    pub fn queue_id(&self) -> mail::ids::QueueId {
        self.accept.queue_id
    }

    /// It was committed: whoever works in its lanes is told, and the log.
    pub fn committed(self, queue: &Queue) {
        queue
            .events
            .emit(&self.notes.in_lanes(queue, std::time::Duration::ZERO));
    }
}

impl Notes {
    /// Whoever works in the lanes is told; what is left is for the log.
    fn in_lanes(mut self, queue: &Queue, took: std::time::Duration) -> QueueEvent {
        for (lane, due) in &self.lanes {
            queue.tell(lane, *due);
        }
        if let QueueEvent::Accepted { commit_us, .. } = &mut self.event {
            *commit_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        }
        self.event
    }
}

/// What the commit will say: a pure function but for the plan it asks.
fn plan<O: Origin>(queue: &Queue, envelope: &Envelope<O>, message: Message<'_>) -> Accept {
    let params = envelope.params();
    let mut accept = Accept {
        queue_id: envelope.queue_id(),
        body: message.body,
        reverse_path: sender_text(envelope.reverse_path()),
        received_at: envelope.received_at(),
        queue_prefix: message.received.to_vec(),
        envelope: params.json(),
        deliveries: Vec::with_capacity(envelope.recipients().len()),
        waiting: Vec::new(),
    };
    for (position, recipient) in (0u32..).zip(envelope.recipients()) {
        match place(queue, envelope, (message.header, message.received), recipient) {
            Place::Here(account, targets, prefix) => accept.deliveries.push(Delivery {
                recipient: position,
                account,
                prefix,
                targets,
            }),
            Place::Waits(waits) => {
                accept
                    .waiting
                    .push(row(queue, envelope, &params, position, recipient, waits));
            }
        }
    }
    accept
}

/// What becomes of one recipient in the commit.
enum Place {
    Here(AccountId, Planned, Vec<u8>),
    Waits(Waits),
}

/// How a recipient waits.
struct Waits {
    address: String,
    account: Option<AccountId>,
    lane: String,
    due: UnixMs,
    reason: String,
}

fn place<O: Origin>(
    queue: &Queue,
    envelope: &Envelope<O>,
    (header, received): (&[u8], &[u8]),
    recipient: &Addressed,
) -> Place {
    let local = match &recipient.to {
        Recipient::Local(local) => local,
        Recipient::Remote(mailbox) => return Place::Waits(elsewhere(queue, envelope, recipient, mailbox)),
    };
    let waits = |due: UnixMs, reason: String| {
        Place::Waits(Waits {
            address: local.original().to_string(),
            account: Some(local.account()),
            lane: lanes::LOCAL.to_owned(),
            due,
            reason,
        })
    };
    let (params, received_at) = (envelope.params(), envelope.received_at());
    if params.not_before(received_at) > received_at {
        return waits(params.not_before(received_at), HELD_BY_SENDER.to_owned());
    }
    // Delivery and its report are one transaction, which is the local worker's.
    if envelope.reverse_path().mailbox().is_some() && recipient.params.tells().success {
        return waits(received_at, TO_BE_REPORTED.to_owned());
    }
    let retry = later(received_at, FIRST_RETRY);
    let facts = Facts {
        header,
        quarantined: params.quarantined,
    };
    match (queue.plan)(local, facts) {
        Ok(targets) if !targets.is_empty() => {
            let prefix = prefix(envelope.reverse_path(), local, received);
            Place::Here(local.account(), targets, prefix)
        }
        Ok(_) => waits(retry, "the plan named no mailbox".to_owned()),
        Err(failed) => waits(retry, failed.reason),
    }
}

/// In the lane of its destination and sender.
fn elsewhere<O: Origin>(
    queue: &Queue,
    envelope: &Envelope<O>,
    recipient: &Addressed,
    mailbox: &Mailbox,
) -> Waits {
    let own = recipient.params.reverse_path.as_deref().map(path);
    let destination = queue.destination(mailbox, own.as_ref().unwrap_or(envelope.reverse_path()));
    let kept_back = envelope.kept_back(recipient);
    Waits {
        address: mailbox.to_string(),
        account: None,
        lane: lanes::lane(&destination, envelope.origin().account()),
        // Only its report is due, which its deadline brings.
        due: match kept_back {
            Some(_) => later(envelope.received_at(), queue.schedule().longest_wait()),
            None => envelope.params().not_before(envelope.received_at()),
        },
        reason: kept_back.map_or_else(|| queue.untried().to_string(), str::to_owned),
    }
}

fn row<O: Origin>(
    queue: &Queue,
    envelope: &Envelope<O>,
    params: &EnvelopeParams,
    position: u32,
    recipient: &Addressed,
    waits: Waits,
) -> Waiting {
    let tell_delay = envelope.reverse_path().mailbox().is_some() && recipient.params.tells().delay;
    let received_at = envelope.received_at();
    let kept_back = envelope.kept_back(recipient).is_some();
    let own = RecipientParams {
        refused: kept_back,
        ..recipient.params.clone()
    };
    Waiting {
        recipient: position,
        address: waits.address,
        account: waits.account,
        lane: waits.lane,
        due: waits.due,
        deadline: match kept_back {
            true => received_at,
            false => deadline::first(&queue.schedule(), received_at, params, tell_delay),
        },
        reason: waits.reason,
        params: own.json(),
    }
}

/// The header lines we add in front of a recipient's copy: Return-Path and Received (RFC 5321 §4.4), Delivered-To. The
/// addresses cannot hold control characters ([`mail::address`] refuses them).
pub fn prefix(reverse_path: &Path, recipient: &LocalRecipient, received: &[u8]) -> Vec<u8> {
    let mut lines = format!(
        "Return-Path: {reverse_path}\r\nDelivered-To: {}\r\n",
        recipient.address()
    )
    .into_bytes();
    lines.extend_from_slice(received);
    lines
}

/// The wire form back; empty is the null path.
fn path(text: &str) -> Path {
    Mailbox::parse(text, Utf8::Allowed).map_or(Path::Null, Path::Mailbox)
}

fn sender_text(path: &Path) -> String {
    path.mailbox().map(ToString::to_string).unwrap_or_default()
}

/// Narrows the proof to the acceptance.
fn named(committed: Durable<Receipt>) -> Result<Durable<Accepted>> {
    if !matches!(committed.committed().results.as_slice(), [OpResult::Accepted(_)]) {
        return Err(StoreError::Fatal(
            "the store answered an acceptance with something else".to_owned(),
        ));
    }
    Ok(
        committed.narrow(|receipt| match receipt.results.into_iter().next() {
            Some(OpResult::Accepted(accepted)) => accepted,
            _ => unreachable!("looked at above"),
        }),
    )
}
