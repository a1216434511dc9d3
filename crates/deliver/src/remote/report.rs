//! Reports to senders: from what became of recipients to a message that is accepted in the same transaction.
//!
//! 1. [`prepare`] asks whether the sender wants to know ([`bounce::wanted`]), composes the report and addresses it: into an
//!    INBOX of ours, or into the queue.
//! 2. A report about a report does not exist: what would have been one is told to the log, and to postmaster at a capped rate
//!    (threat case LOOP-4).

use directory::{Resolution, Vouched};
use mail::address::{Domain, Mailbox, Path, Utf8};
use queue::accept::Prepared;
use queue::attempt::AttemptText;
use queue::params::{BodyType, EnvelopeParams, RecipientParams, TlsWish};
use queue::{Envelope, Generated, Message, RelayGrant};
use smtp::client::Stage;
use store::contract::{Result, WaitingRow};
use world::clock::UnixMs;

use super::Remote;
use super::letter::path;
use crate::bounce::{self, Answer, Kind, Original, Reader, Report, Returned, Step, Told};
use crate::events::DeliverEvent;
use crate::limits::{HEADER_BYTES, RETURNED_BYTES};

/// One recipient in a report.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// its row
    pub row: &'a WaitingRow,
    /// what the sender asked for it
    pub params: &'a RecipientParams,
    /// its address
    pub mailbox: &'a Mailbox,
    /// the last attempt
    pub attempt: &'a AttemptText,
    /// when that was
    pub attempted_at: Option<UnixMs>,
    /// the time for trying is over
    pub expired: bool,
    /// until when it is tried
    pub retry_until: Option<UnixMs>,
}

/// Prepares the report of one kind about recipients of one message, if there is somebody who wants it.
///
/// # Errors
/// Those of the store.
pub async fn prepare(remote: &Remote, kind: Kind, about: &[About<'_>]) -> Result<Option<Prepared>> {
    let Some(first) = about.first() else {
        return Ok(None);
    };
    let to = told(first.row, first.params);
    let wanting: Vec<About<'_>> = about
        .iter()
        .filter(|one| bounce::wanted(kind, one.params, &to) || (kind == Kind::Relayed && wants_trace(one)))
        .copied()
        .collect();
    if let (Path::Null, Kind::Failed) = (&to, kind) {
        return double_bounce(remote, about).await;
    }
    let Path::Mailbox(sender) = &to else {
        return Ok(None);
    };
    if wanting.is_empty() {
        return Ok(None);
    }
    let telling = Telling {
        kind,
        to: sender,
        reader: Reader::Sender,
        about: &wanting,
    };
    send(remote, telling).await
}

/// Whether the sender asked to be told of each server on the way (DELIVERBY with T).
pub fn is_traced(row: &WaitingRow) -> bool {
    let by = EnvelopeParams::read(&row.envelope).deliver_by;
    by.is_some_and(|by| by.trace)
}

fn wants_trace(one: &About<'_>) -> bool {
    is_traced(one.row) && one.params.notify != Some(queue::params::Notify::Never)
}

/// Whom a failure of this recipient concerns. A forwarded copy's rewritten path leads back to the message's own sender; a
/// list's owner stands for itself.
fn told(row: &WaitingRow, params: &RecipientParams) -> Path {
    match &params.reverse_path {
        Some(owner) if params.via.is_empty() => path(owner),
        _ => path(&row.reverse_path),
    }
}

/// Nobody is told of a lost report but the log, and postmaster, who may see a fault of ours in it.
async fn double_bounce(remote: &Remote, about: &[About<'_>]) -> Result<Option<Prepared>> {
    for one in about {
        remote.queue.events.emit(&DeliverEvent::NobodyToTell {
            queue_id: one.row.queue_id,
            to: one.row.address.clone(),
            reason: one.attempt.reason.clone(),
        });
    }
    let now = remote.queue.clock.monotonic();
    if !remote.double_bounces.lock().take(now) {
        return Ok(None);
    }
    let Some(postmaster) = postmaster(remote) else {
        return Ok(None);
    };
    let telling = Telling {
        kind: Kind::Failed,
        to: &postmaster,
        reader: Reader::Postmaster,
        about,
    };
    send(remote, telling).await
}

fn postmaster(remote: &Remote) -> Option<Mailbox> {
    let resolution = remote
        .directory
        .resolve_postmaster_from(&Path::Null, Vouched::Yes);
    resolution.recipients().first().map(|one| one.address().clone())
}

/// What is told, to whom, about which recipients of one message.
#[derive(Clone, Copy)]
struct Telling<'a> {
    kind: Kind,
    to: &'a Mailbox,
    reader: Reader,
    /// at least one
    about: &'a [About<'a>],
}

/// Addresses, composes and signs it; nothing comes of it where the address leads nowhere.
async fn send(remote: &Remote, telling: Telling<'_>) -> Result<Option<Prepared>> {
    let (to, row) = (telling.to, telling.about[0].row);
    let generated = Generated { maker: "bounce" };
    let now = remote.queue.clock.now();
    let mut envelope = Envelope::new(remote.ids.next(), Path::Null, now, generated);
    if !address(remote, &mut envelope, to, &generated) {
        remote.queue.events.emit(&DeliverEvent::NobodyToTell {
            queue_id: row.queue_id,
            to: to.to_string(),
            reason: "the sender's address is one of ours and does not exist".to_owned(),
        });
        return Ok(None);
    }
    let params = EnvelopeParams::read(&row.envelope);
    let original = original(remote, telling.kind, row, &params).await?;
    let composed = compose(remote, telling, &envelope, &params, &original);
    envelope.set_params(params_of_report(&params, &composed));
    let mut stage = remote.queue.store.stage(remote.ids.next());
    stage.write(composed.bytes()).await?;
    let body = stage.finish().await?;
    let signature = match original.whole && !remote.directory.is_local_domain(to.domain()) {
        true => Vec::new(),
        false => signature(remote, &generated, &composed, now).await,
    };
    let message = Message {
        body,
        header: composed.header(),
        received: &signature,
    };
    Ok(Some(queue::accept::prepare(&remote.queue, &envelope, message)))
}

fn compose(
    remote: &Remote,
    telling: Telling<'_>,
    envelope: &Envelope<Generated>,
    params: &EnvelopeParams,
    original: &Kept,
) -> bounce::Composed {
    let Telling {
        kind,
        to,
        reader,
        about,
    } = telling;
    let row = about[0].row;
    let host = Domain::parse(&remote.settings().v4.hello).unwrap_or_else(|_| to.domain().clone());
    let vias: Vec<Option<Mailbox>> = about.iter().map(|one| via(one.params)).collect();
    let recipients = about.iter().zip(&vias);
    bounce::compose(&Report {
        kind,
        host: &host,
        to,
        reader,
        message_id: &format!("{}.report", envelope.queue_id()),
        now: envelope.received_at(),
        queue_id: row.queue_id,
        arrived: row.received_at,
        envid: params.envid.as_deref(),
        deliver_by: params.deliver_by.map(|by| UnixMs(by.until_unix_ms)),
        future_release: future_release(params),
        recipients: recipients
            .map(|(one, via)| recipient(one, via.as_ref()))
            .collect(),
        original: original.as_original(),
    })
}

/// What the report's own envelope asks for.
fn params_of_report(of_message: &EnvelopeParams, composed: &bounce::Composed) -> EnvelopeParams {
    EnvelopeParams {
        body: match composed.is_seven_bit() {
            true => BodyType::SevenBit,
            false => BodyType::EightBit,
        },
        smtputf8: composed.needs_utf8(),
        // RFC 8689 §5: it tells of the message, so it asks for the same.
        tls: match of_message.tls {
            TlsWish::RequireTls => TlsWish::RequireTls,
            TlsWish::Nothing | TlsWish::NotRequired => TlsWish::Nothing,
        },
        ..EnvelopeParams::default()
    }
}

/// With the keys of the domain it is from. A report that gives a whole message back to somebody elsewhere gets none: whoever sends
/// under another's return address could have any text signed by us and sent there.
async fn signature(remote: &Remote, origin: &Generated, composed: &bounce::Composed, now: UnixMs) -> Vec<u8> {
    let Some(mut signature) = remote.queue.signer.begin(origin, composed.header()) else {
        return Vec::new();
    };
    signature.body(&composed.bytes()[composed.header().len()..]);
    signature.fields(now.0 / 1000).await
}

/// The sender's wish for a later release, in the words of RFC 4865's report field.
fn future_release(params: &EnvelopeParams) -> Option<String> {
    match (params.hold_for_s, params.hold_until_unix_ms) {
        (Some(seconds), _) => Some(format!("for;{seconds}")),
        (None, Some(until)) => Some(format!("until;{}", UnixMs(until).rfc3339())),
        (None, None) => None,
    }
}

/// Whether the envelope has a recipient now.
fn address(remote: &Remote, envelope: &mut Envelope<Generated>, to: &Mailbox, generated: &Generated) -> bool {
    let never = RecipientParams {
        notify: Some(queue::params::Notify::Never),
        ..RecipientParams::default()
    };
    if !remote.directory.is_local_domain(to.domain()) {
        envelope.add_remote(to.clone(), never, &RelayGrant::for_generated(generated));
        return true;
    }
    match remote.directory.resolve(to) {
        Resolution::Local(reached) => {
            envelope.add_reached(reached, &never);
            true
        }
        _ => false,
    }
}

/// The first address of ours on the way: the one its sender knows.
fn via(params: &RecipientParams) -> Option<Mailbox> {
    let first = params.via.first()?;
    Mailbox::parse(first, Utf8::Allowed).ok()
}

fn recipient<'a>(about: &About<'a>, via: Option<&'a Mailbox>) -> Told<'a> {
    Told {
        address: about.mailbox,
        via,
        orcpt: about
            .params
            .orcpt
            .as_ref()
            .map(|orcpt| (orcpt.kind.as_str(), orcpt.address.as_str())),
        answer: answer(about.attempt),
        expired: about.expired,
        last_attempt: about.attempted_at,
        retry_until: about.retry_until,
    }
}

/// What the last attempt heard, as the report needs it.
fn answer(attempt: &AttemptText) -> Answer<'_> {
    let status = status_of(&attempt.status);
    match &attempt.decided_by {
        Some(decisive) => Answer::Server {
            host: &decisive.host,
            step: step(&decisive.stage),
            code: decisive.code,
            enhanced: Some((status.class(), status.rest().0, status.rest().1)),
            lines: &decisive.lines,
        },
        None => Answer::Ours {
            status,
            host: attempt.talks.last().map(|talk| talk.host.as_str()),
            text: &attempt.reason,
        },
    }
}

fn status_of(text: &str) -> bounce::Status {
    let mut numbers = text.split('.').map(|number| number.parse::<u16>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let (class, subject, detail) = (next(), next(), next());
    bounce::Status::new(u8::try_from(class).unwrap_or(4), subject, detail)
}

fn step(stage: &str) -> Step {
    match stage {
        _ if stage == Stage::Mail.name() => Step::Sender,
        _ if stage == Stage::Rcpt.name() => Step::Recipient,
        _ if stage == Stage::Data.name() || stage == Stage::Final.name() => Step::Content,
        _ => Step::Connection,
    }
}

/// What goes back of the message.
struct Kept {
    start: Vec<u8>,
    header_bytes: usize,
    whole: bool,
}

impl Kept {
    fn as_original(&self) -> Original<'_> {
        Original {
            header: &self.start[..self.header_bytes],
            whole: self.whole.then_some(&self.start),
        }
    }
}

async fn original(remote: &Remote, kind: Kind, row: &WaitingRow, params: &EnvelopeParams) -> Result<Kept> {
    // RFC 8689 §5: as if RET=HDRS had been asked for, whatever was.
    let whole = params.tls != TlsWish::RequireTls
        && bounce::returns(kind, params.ret, row.body_bytes) == Returned::Whole;
    let wanted = if whole { RETURNED_BYTES } else { HEADER_BYTES };
    let read = remote.queue.store.read_body(row.blob, 0, wanted).await;
    // A damaged message is reported without its header.
    let start = match read {
        Err(store::contract::StoreError::Damaged(_)) => Vec::new(),
        read => read?.to_vec(),
    };
    Ok(Kept {
        header_bytes: mail::header::body_start(&start),
        whole: whole && start.len() as u64 == row.body_bytes,
        start,
    })
}
