//! Reads message text from the connection: after DATA to its end, or a chunk of BDAT.

use smtp::refusal::codes;
use smtp::{AskData, MoreChunks, Refusal, Step, TakeChunk, Taken};
use world::clock::Monotonic;
use world::line::{Pace, ReadError};

use crate::context::GenuineMode;
use crate::edits::Missing;
use crate::intake::{Intake, Scrutiny, Submission};
use crate::limits::{COMMAND, MESSAGE, OVERSIZE_FACTOR};
use crate::talk::{Proof, Talk};
use crate::transaction::{Direction, Transaction};
use crate::verdict;
use mail::date;

/// DATA: 354, the text, the verdict. `None` when the connection ended before the message did.
pub(crate) async fn data(talk: &mut Talk<'_>, ask: AskData<Proof>) -> Option<Step<Proof>> {
    let Some(mut transaction) = talk.open.take() else {
        return Some(ask.refuse(&out_of_step()));
    };
    let mut intake = intake_for(talk, &transaction);
    let (mut receiving, reply) = ask.go_on();
    talk.conn.write(reply.as_bytes());
    let most = talk.door.setup.max_message_bytes.saturating_mul(OVERSIZE_FACTOR);
    let mut pace = talk.pace();
    let mut raw_bytes = 0u64;
    loop {
        let piece = receiving.next(talk.conn.buffered());
        let (consumed, end) = (piece.consumed, piece.end);
        intake.take(piece.text).await;
        talk.conn.consume(consumed);
        raw_bytes += consumed as u64;
        if end {
            break;
        }
        if raw_bytes > most {
            talk.tell_refused(&transaction, intake.size_bytes(), &far_too_large());
            return Some(receiving.abandon(&far_too_large()));
        }
        if !talk.conn.buffered().is_empty() {
            continue;
        }
        match more(talk, &mut pace).await {
            More::Bytes => {}
            More::TooSlow => {
                talk.tell_refused(&transaction, intake.size_bytes(), &too_slow());
                return Some(receiving.abandon(&too_slow()));
            }
            More::Gone => {
                talk.tell_cut_off(&transaction, intake.size_bytes());
                return None;
            }
        }
    }
    let verdict = receiving.finish().ok()?;
    transaction.intake = Some(intake);
    Some(verdict::decide(talk, transaction, verdict).await)
}

/// BDAT: exactly the chunk's octets, then the answer to it. `None` when the connection ended within it.
pub(crate) async fn chunk(talk: &mut Talk<'_>, mut chunk: TakeChunk<Proof>) -> Option<Step<Proof>> {
    // A refused chunk's octets belong to nothing; the transaction, if there is one, goes on without them.
    let mut transaction = if chunk.is_text() { talk.open.take() } else { None };
    if let Some(transaction) = &mut transaction
        && transaction.intake.is_none()
    {
        transaction.intake = Some(intake_for(talk, transaction));
    }
    let now = talk.now();
    let until = match &mut transaction {
        Some(transaction) => *transaction
            .message_until
            .get_or_insert(Monotonic(now.0 + MESSAGE)),
        None => Monotonic(now.0 + COMMAND),
    };
    let pace = Pace::start(now, until);
    match octets(talk, &mut chunk, transaction.as_deref_mut(), pace).await {
        More::Bytes => {}
        More::TooSlow => {
            if let Some(transaction) = &transaction {
                talk.tell_refused(transaction, transaction.size_bytes(), &too_slow());
            }
            return Some(chunk.abandon(&too_slow()));
        }
        More::Gone => {
            if let Some(transaction) = &transaction {
                talk.tell_cut_off(transaction, transaction.size_bytes());
            }
            return None;
        }
    }
    match (chunk.finish().ok()?, transaction) {
        (Taken::Discarded(step), _) => Some(step),
        (Taken::More(more), Some(transaction)) => Some(go_on(talk, more, transaction)),
        (Taken::Last { verdict, tail }, Some(mut transaction)) => {
            if let Some(intake) = &mut transaction.intake {
                intake.take(tail).await;
            }
            Some(verdict::decide(talk, transaction, verdict).await)
        }
        (Taken::More(more), None) => Some(more.refuse(&out_of_step())),
        (Taken::Last { verdict, .. }, None) => Some(verdict.refuse(&out_of_step())),
    }
}

/// Reads the octets of a chunk, all of them or until the connection fails.
async fn octets(
    talk: &mut Talk<'_>,
    chunk: &mut TakeChunk<Proof>,
    mut transaction: Option<&mut Transaction>,
    mut pace: Pace,
) -> More {
    while chunk.remaining_bytes() > 0 {
        if talk.conn.buffered().is_empty() {
            match more(talk, &mut pace).await {
                More::Bytes => {}
                failed => return failed,
            }
        }
        let piece = chunk.next(talk.conn.buffered());
        let consumed = piece.consumed;
        if let Some(intake) = transaction
            .as_deref_mut()
            .and_then(|transaction| transaction.intake.as_mut())
        {
            intake.take(piece.text).await;
        }
        talk.conn.consume(consumed);
    }
    More::Bytes
}

/// After a chunk that is not the last: is it worth going on?
fn go_on(talk: &mut Talk<'_>, more: MoreChunks<Proof>, transaction: Box<Transaction>) -> Step<Proof> {
    let most = talk.door.setup.max_message_bytes.saturating_mul(OVERSIZE_FACTOR);
    let refusal = match more.fault() {
        Some(fault) => Some(Refusal::new(codes::BAD_CONTENT, fault.sentence())),
        None if transaction.size_bytes() > most => Some(far_too_large()),
        None => None,
    };
    match refusal {
        Some(refusal) => {
            talk.tell_refused(&transaction, transaction.size_bytes(), &refusal);
            more.refuse(&refusal)
        }
        None => {
            talk.open = Some(transaction);
            more.go_on()
        }
    }
}

enum More {
    Bytes,
    TooSlow,
    Gone,
}

async fn more(talk: &mut Talk<'_>, pace: &mut Pace) -> More {
    if talk.flush().await.is_err() {
        return More::Gone;
    }
    match talk.conn.fill(pace.deadline()).await {
        Ok(0) => More::Gone,
        Ok(bytes) => {
            pace.received(talk.now(), bytes);
            More::Bytes
        }
        Err(ReadError::TimedOut) => More::TooSlow,
        Err(_) => More::Gone,
    }
}

impl Talk<'_> {
    fn pace(&self) -> Pace {
        let now = self.now();
        Pace::start(now, Monotonic(now.0 + MESSAGE))
    }
}

/// The message will be read into this.
fn intake_for(talk: &Talk<'_>, transaction: &Transaction) -> Intake {
    let context = talk.context;
    let submission = transaction.sender().map(|sender| Submission {
        missing: Missing {
            // The time zone of a user is nobody's business (threat case PRV-3): UTC.
            date: format!("Date: {}", date::rfc5322(transaction.received_at().0)),
            message_id: message_id(context, sender.address().domain()),
        },
        queue: context.queue.clone(),
        sender,
    });
    Intake::new(
        context.queue.store.clone(),
        context.ids.next(),
        submission,
        transaction.forwarding_only().to_vec(),
        scrutiny(talk, transaction),
        talk.door.setup.max_message_bytes,
    )
}

/// Strangers' messages are examined, where that is asked for. A program of this machine may be a filter of ours that brings our results.
fn scrutiny(talk: &Talk<'_>, transaction: &Transaction) -> Scrutiny {
    let stranger = matches!(transaction.direction, Direction::Stranger(_));
    let local = matches!(transaction.direction, Direction::Local(_));
    Scrutiny {
        our_name: (!local).then(|| talk.door.setup.host_name.clone()),
        examine: stranger && talk.context.dns.is_some() && talk.door.genuine.mode != GenuineMode::Off,
    }
}

/// 128 random bits at the sender's own domain: tells no host, user or time (threat case PRV-3).
fn message_id(context: &crate::Context, domain: &mail::address::Domain) -> String {
    let mut random = [0u8; 16];
    context.chance.fill(&mut random);
    format!("Message-ID: <{:032x}@{domain}>", u128::from_be_bytes(random))
}

fn too_slow() -> Refusal {
    Refusal::new(
        codes::TIMED_OUT,
        "The message comes too slowly: closing, please try again",
    )
}

fn far_too_large() -> Refusal {
    Refusal::new(
        codes::TOO_LARGE,
        "The message is far larger than the limit of SIZE: closing, please send a smaller one",
    )
}

/// Cannot happen while the states of `smtp` and the transaction agree; if it does, the client comes back.
fn out_of_step() -> Refusal {
    Refusal::new(
        codes::SYSTEM_FAULT,
        "Something is wrong here: please try again later",
    )
}
