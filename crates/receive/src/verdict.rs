//! Step 7: the verdict on a whole message, and the moment of responsibility.

use mail::address::Mailbox;
use queue::{Envelope, Message, Origin, Queue, QueueEvent};
use smtp::refusal::codes;
use smtp::{EachVerdict, Refusal, Step, Verdict};
use store::contract::{Accepted, StoreError};
use store::durable::Durable;

use crate::events::ReceiveEvent;
use crate::genuine::{Inquiry, Standing};
use crate::intake::{Intake, Problem, Staged};
use crate::received::{self, Hop, Protocol};
use crate::refusals;
use crate::talk::{Proof, Talk};
use crate::transaction::{Direction, Transaction};

/// Said with 250 when the sender asked for a later delivery (RFC 4865).
const HELD: &str = "held here until the time you asked for";

/// Refuses, or commits and acknowledges.
pub(crate) async fn decide(
    talk: &mut Talk<'_>,
    mut transaction: Box<Transaction>,
    verdict: Verdict<Proof>,
) -> Step<Proof> {
    if let Verdict::Faulty(faulty) = verdict {
        let refusal = Refusal::new(codes::BAD_CONTENT, faulty.fault().sentence());
        talk.tell_refused(&transaction, transaction.size_bytes(), &refusal);
        return faulty.refuse();
    }
    let Some(intake) = transaction.intake.take() else {
        return verdict.refuse(&refusals::of_store(&StoreError::Busy));
    };
    let size_bytes = intake.size_bytes();
    match take_over(talk, &mut transaction, intake).await {
        Ok((proof, accepted)) => {
            talk.afterwards.later(accepted);
            if proof.committed().waiting > 0 {
                // Somebody may be carrying it on already, and says so.
                talk.afterwards.tell();
            }
            acknowledge(*transaction, proof, verdict)
        }
        Err(problem) => {
            let refusal = of_problem(talk, &transaction, problem);
            talk.tell_refused(&transaction, size_bytes, &refusal);
            verdict.refuse(&refusal)
        }
    }
}

/// What can still be refused, in order; then the commit. Before it nothing is kept, after it the message is ours.
async fn take_over(
    talk: &mut Talk<'_>,
    transaction: &mut Transaction,
    intake: Intake,
) -> Result<(Proof, QueueEvent), Problem> {
    let size_bytes = intake.size_bytes();
    let mut staged = intake.finish().await?;
    talk.tell_arrived(transaction, size_bytes);
    let standing = match staged.examination.take() {
        None => Standing::default(),
        Some(examination) => {
            let inquiry = Inquiry::of(talk, transaction);
            let examined = Box::pin(inquiry.run(*examination)).await;
            examined.map_err(Problem::Refused)?
        }
    };
    transaction.set_params(staged.eight_bit, standing.quarantined, &staged.header);
    if let Some(why) = standing.kept_back {
        transaction.keep_forwards_back(why);
    }
    let mut received = match staged.signing.take() {
        Some(signed) => signed.fields(transaction.received_at().0 / 1000).await,
        None => standing.results,
    };
    received.extend_from_slice(&received::field(&hop(talk, transaction)));
    let queue = &talk.context.queue;
    let committed = match &transaction.direction {
        Direction::Stranger(envelope) => accept(queue, envelope, &staged, &received).await,
        Direction::Local(envelope) => accept(queue, envelope, &staged, &received).await,
        Direction::User { envelope, .. } => accept(queue, envelope, &staged, &received).await,
        Direction::Trusted { envelope, .. } => accept(queue, envelope, &staged, &received).await,
    };
    committed.map_err(Problem::Store)
}

async fn accept<O: Origin>(
    queue: &Queue,
    envelope: &Envelope<O>,
    staged: &Staged,
    received: &[u8],
) -> store::contract::Result<(Durable<Accepted>, QueueEvent)> {
    let message = Message {
        body: staged.body.clone(),
        header: &staged.header,
        received,
    };
    queue::accept_untold(queue, envelope, message).await
}

/// 250, with the proof used up; for LMTP one per recipient.
fn acknowledge(transaction: Transaction, proof: Proof, verdict: Verdict<Proof>) -> Step<Proof> {
    let queue_id = transaction.queue_id();
    let note = transaction.mail.hold.is_some().then_some(HELD);
    for reservation in transaction.reservations.into_values() {
        reservation.keep();
    }
    match verdict {
        Verdict::One(one) => one.accept(proof, queue_id, note),
        Verdict::Each(mut each) => {
            acknowledge_each(&transaction.direction, proof, &mut each, note);
            each.finish()
        }
        Verdict::Faulty(faulty) => faulty.refuse(),
    }
}

fn acknowledge_each(direction: &Direction, proof: Proof, each: &mut EachVerdict<Proof>, note: Option<&str>) {
    let addressees = match direction {
        Direction::Stranger(envelope) => envelope.addressees(),
        Direction::Local(envelope) => envelope.addressees(),
        Direction::User { envelope, .. } => envelope.addressees(),
        Direction::Trusted { envelope, .. } => envelope.addressees(),
    };
    let parts = proof.narrow(|accepted| {
        addressees
            .iter()
            .map(|addressee| accepted.part(addressee.positions()))
            .collect::<Vec<_>>()
    });
    for proof in parts.each() {
        let queue_id = proof.committed().queue_id;
        each.accept(proof, queue_id, note);
    }
}

fn of_problem(talk: &mut Talk<'_>, transaction: &Transaction, problem: Problem) -> Refusal {
    match problem {
        Problem::Refused(refusal) => refusal,
        Problem::Store(error) => {
            let refusal = refusals::of_store(&error);
            let queue_id = transaction.queue_id();
            talk.afterwards.tell();
            talk.tell(&ReceiveEvent::StoreRefused {
                queue_id,
                reason: error.to_string(),
            });
            refusal
        }
    }
}

fn hop<'a>(talk: &'a Talk<'_>, transaction: &'a Transaction) -> Hop<'a> {
    let stranger = matches!(transaction.direction, Direction::Stranger(_));
    let from = stranger.then(|| received::From {
        hello: talk.hello.as_deref().unwrap_or(""),
        address: talk.conn.peer().addr.ip(),
        tls: talk.tls,
    });
    let for_recipient: Option<&Mailbox> = if stranger {
        transaction.only_recipient()
    } else {
        None
    };
    let with = Protocol {
        lmtp: matches!(transaction.direction, Direction::Local(_)),
        extended: talk.extended,
        utf8: transaction.mail.smtputf8,
        tls: talk.tls.is_some(),
        signed_in: matches!(transaction.direction, Direction::User { .. }),
    };
    Hop {
        from,
        by: &talk.door.setup.host_name,
        with,
        queue_id: transaction.queue_id(),
        for_recipient,
        at: transaction.received_at(),
    }
}
