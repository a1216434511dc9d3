//! The end of a message: the only place where it can be acknowledged.

use mail::ids::QueueId;

use crate::refusal::{Refusal, codes};
use crate::reply::Reply;
use crate::session::Session;
use crate::steps::Step;
use crate::text::Fault;

/// A whole message has come: what is to be said?
#[must_use = "the peer waits"]
pub enum Verdict<P> {
    /// SMTP: one answer.
    One(OneVerdict<P>),
    /// LMTP: one per recipient, in the order of RCPT (RFC 2033 §4.2).
    Each(EachVerdict<P>),
    /// The text has a fault: it can only be refused.
    Faulty(FaultyVerdict<P>),
}

/// A message whose text has a fault. Nothing here can accept it.
#[must_use = "the peer waits"]
pub struct FaultyVerdict<P> {
    session: Session<P>,
    fault: Fault,
    answers: u32,
}

impl<P> FaultyVerdict<P> {
    /// What is wrong with the text.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// 550 5.6.0, once or for every recipient.
    pub fn refuse(self) -> Step<P> {
        let refusal = Refusal::new(codes::BAD_CONTENT, self.fault.sentence());
        refuse_all(self.session, self.answers, &refusal)
    }
}

/// The first refusal counts as an error of the session, the others only repeat it.
fn refuse_all<P>(session: Session<P>, answers: u32, refusal: &Refusal) -> Step<P> {
    match session.refused(refusal) {
        Step::Answer(session, first) => {
            let again = Reply::refuse(refusal);
            Step::Answer(
                session,
                (1..answers).fold(first, |replies, _| replies.then(&again)),
            )
        }
        closing => closing,
    }
}

/// One answer for the whole message.
#[must_use = "the peer waits"]
pub struct OneVerdict<P> {
    session: Session<P>,
}

/// One answer per recipient.
#[must_use = "the peer waits"]
pub struct EachVerdict<P> {
    session: Session<P>,
    remaining: u32,
    replies: Reply,
}

impl<P> Verdict<P> {
    pub(crate) fn new(session: Session<P>, recipients: u32, fault: Option<Fault>) -> Self {
        let each = session.is_lmtp();
        match fault {
            Some(fault) => Self::Faulty(FaultyVerdict {
                session,
                fault,
                answers: if each { recipients } else { 1 },
            }),
            None if each => Self::Each(EachVerdict {
                session,
                remaining: recipients,
                replies: Reply::none(),
            }),
            None => Self::One(OneVerdict { session }),
        }
    }

    /// Refuses the message: once, or for every recipient. The text's own fault goes first.
    pub fn refuse(self, refusal: &Refusal) -> Step<P> {
        match self {
            Self::Faulty(faulty) => faulty.refuse(),
            Self::One(one) => one.refuse(refusal),
            Self::Each(each) => refuse_all(each.session, each.remaining, refusal),
        }
    }
}

/// 250: from here on we answer for the message (RFC 5321 §4.2.5, §6.1). The proof is used up.
fn acknowledge<P>(proof: P, queue_id: QueueId, note: Option<&str>) -> Reply {
    drop(proof);
    let text = match note {
        None => format!("Thank you, queued as {queue_id}"),
        Some(note) => format!("Thank you, queued as {queue_id} ({note})"),
    };
    Reply::coded(250, (2, 0, 0), &text)
}

impl<P> OneVerdict<P> {
    /// 250: the message is kept, and here is the proof. `note` says in words what else the sender should know.
    pub fn accept(self, proof: P, queue_id: QueueId, note: Option<&str>) -> Step<P> {
        let reply = acknowledge(proof, queue_id, note);
        Step::Answer(self.session.praised(), reply)
    }

    /// A refusal.
    pub fn refuse(self, refusal: &Refusal) -> Step<P> {
        self.session.refused(refusal)
    }
}

impl<P> EachVerdict<P> {
    /// Recipients that have no answer yet.
    pub fn remaining(&self) -> u32 {
        self.remaining
    }

    /// 250 for the next recipient, with its own proof.
    pub fn accept(&mut self, proof: P, queue_id: QueueId, note: Option<&str>) {
        self.push(acknowledge(proof, queue_id, note));
    }

    /// A refusal for the next recipient.
    pub fn refuse(&mut self, refusal: &Refusal) {
        self.push(Reply::refuse(refusal));
    }

    /// All answers at once. Recipients without one are told to come back (451).
    pub fn finish(mut self) -> Step<P> {
        while self.remaining > 0 {
            self.refuse(&Refusal::new(
                codes::SYSTEM_FAULT,
                "Something went wrong here: please try again later",
            ));
        }
        Step::Answer(self.session.praised(), self.replies)
    }

    fn push(&mut self, reply: Reply) {
        if self.remaining > 0 {
            self.remaining -= 1;
            self.replies = std::mem::replace(&mut self.replies, Reply::none()).then(&reply);
        }
    }
}
