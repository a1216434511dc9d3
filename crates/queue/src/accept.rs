//! The moment of responsibility: one commit.

use directory::LocalRecipient;
use mail::address::Path;
use store::contract::{
    Accept, Accepted, Batch, Body, Delivery, Op, OpResult, Receipt, Result, StoreError, Waiting,
};
use store::durable::Durable;

use crate::envelope::{Envelope, Recipient};
use crate::events::QueueEvent;
use crate::limits::{FIRST_RETRY, NO_ROAD_RETRY, RECIPIENTS_IN_EVENT};
use crate::origin::Origin;
use crate::queue::Queue;
use crate::schedule::later;

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
    let batch = Batch::urgent(Op::Accept(Box::new(plan(queue, envelope, message))));

    // Before this line every failure is a reply to the sender; after it every failure is ours.
    let committed = queue.store.commit(batch).await?;

    let accepted = named(committed)?;
    if accepted.committed().waiting > 0 {
        queue.waiting.notify_one();
    }
    let took = queue.clock.monotonic().0.saturating_sub(began.0);
    queue
        .events
        .emit(&told(envelope, accepted.committed(), size_bytes, took));
    Ok(accepted)
}

/// What the commit will say: a pure function but for the plan it asks.
fn plan<O: Origin>(queue: &Queue, envelope: &Envelope<O>, message: Message<'_>) -> Accept {
    let mut accept = Accept {
        queue_id: envelope.queue_id(),
        body: message.body,
        reverse_path: sender_text(envelope.reverse_path()),
        received_at: envelope.received_at(),
        queue_prefix: message.received.to_vec(),
        envelope: envelope_json(envelope.origin()),
        deliveries: Vec::with_capacity(envelope.recipients().len()),
        waiting: Vec::new(),
    };
    for (position, recipient) in (0u32..).zip(envelope.recipients()) {
        let row = |address, account, due, reason| Waiting {
            recipient: position,
            address,
            account,
            due: later(envelope.received_at(), due),
            reason,
            params: "{}".to_owned(),
        };
        match recipient {
            Recipient::Remote(mailbox) => {
                accept
                    .waiting
                    .push(row(mailbox.to_string(), None, NO_ROAD_RETRY, NO_ROAD.to_owned()));
            }
            Recipient::Local(local) => match (queue.plan)(local, message.header) {
                Ok(targets) if !targets.is_empty() => accept.deliveries.push(Delivery {
                    recipient: position,
                    account: local.account(),
                    prefix: prefix(envelope.reverse_path(), local, message.received),
                    targets,
                }),
                Ok(_) => accept.waiting.push(row(
                    local.original().to_string(),
                    Some(local.account()),
                    FIRST_RETRY,
                    "the plan named no mailbox".to_owned(),
                )),
                Err(failed) => accept.waiting.push(row(
                    local.original().to_string(),
                    Some(local.account()),
                    FIRST_RETRY,
                    failed.reason,
                )),
            },
        }
    }
    accept
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

/// Both values are made here of letters and digits, so nothing needs escaping.
fn envelope_json(origin: &dyn Origin) -> String {
    match origin.account() {
        Some(account) => format!(r#"{{"origin":"{}","account":"{account}"}}"#, origin.name()),
        None => format!(r#"{{"origin":"{}"}}"#, origin.name()),
    }
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
        match recipient {
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
