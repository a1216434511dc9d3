//! The moment of responsibility: one commit.

use directory::LocalRecipient;
use mail::address::Path;
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
use crate::params::EnvelopeParams;
use crate::plan::Planned;
use crate::queue::Queue;
use crate::schedule::later;
use crate::{deadline, lanes};

/// Why a recipient on another server waits.
pub const NO_ROAD: &str = "there is no road to other servers yet";

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
    let began = queue.clock.monotonic();
    let size_bytes = message.body.size_bytes;
    let plan = plan(queue, envelope, message);
    let lanes: Vec<(String, UnixMs)> = plan
        .waiting
        .iter()
        .map(|row| (row.lane.clone(), row.due))
        .collect();
    let batch = Batch::urgent(Op::Accept(Box::new(plan)));

    // Before this line every failure is a reply to the sender; after it every failure is ours.
    let committed = queue.store.commit(batch).await?;

    let accepted = named(committed)?;
    lanes.iter().for_each(|(lane, due)| queue.tell(lane, *due));
    let took = queue.clock.monotonic().0.saturating_sub(began.0);
    queue
        .events
        .emit(&told(envelope, accepted.committed(), size_bytes, took));
    Ok(accepted)
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
        Recipient::Remote(mailbox) => {
            let destination = queue.destination(mailbox, envelope.reverse_path());
            return Place::Waits(Waits {
                address: mailbox.to_string(),
                account: None,
                lane: lanes::lane(&destination, envelope.origin().account()),
                due: envelope.params().not_before(envelope.received_at()),
                reason: NO_ROAD.to_owned(),
            });
        }
    };
    let waits = |reason: String| {
        Place::Waits(Waits {
            address: local.original().to_string(),
            account: Some(local.account()),
            lane: lanes::LOCAL.to_owned(),
            due: later(envelope.received_at(), FIRST_RETRY),
            reason,
        })
    };
    match (queue.plan)(local, header) {
        Ok(targets) if !targets.is_empty() => {
            let prefix = prefix(envelope.reverse_path(), local, received);
            Place::Here(local.account(), targets, prefix)
        }
        Ok(_) => waits("the plan named no mailbox".to_owned()),
        Err(failed) => waits(failed.reason),
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
    Waiting {
        recipient: position,
        address: waits.address,
        account: waits.account,
        lane: waits.lane,
        due: waits.due,
        deadline: deadline::first(&queue.schedule(), received_at, params, tell_delay),
        reason: waits.reason,
        params: recipient.params.json(),
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

fn told<O: Origin>(
    envelope: &Envelope<O>,
    accepted: &Accepted,
    size_bytes: u64,
    took: std::time::Duration,
) -> QueueEvent {
    let recipients = envelope.recipients();
    let mut to = String::new();
    for recipient in recipients.iter().take(RECIPIENTS_IN_EVENT) {
        if !to.is_empty() {
            to.push_str(", ");
        }
        match &recipient.to {
            Recipient::Local(local) => to.push_str(&local.original().to_string()),
            Recipient::Remote(mailbox) => to.push_str(&mailbox.to_string()),
        }
    }
    QueueEvent::Accepted {
        queue_id: accepted.queue_id,
        origin: envelope.origin().name(),
        from: sender_text(envelope.reverse_path()),
        to,
        recipients: recipients.len() as u64,
        size_bytes,
        delivered: (recipients.len() as u64).saturating_sub(u64::from(accepted.waiting)),
        waiting: u64::from(accepted.waiting),
        commit_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    }
}
