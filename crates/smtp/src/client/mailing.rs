//! MAIL, RCPT, DATA: the envelope goes out, and who takes the message comes back.
//!
//! With PIPELINING the commands go out in groups (RFC 2920 §3.1), DATA last; else one by one. Replies come in the order of
//! the commands:
//!
//! | command | positive | refused |
//! |---|---|---|
//! | RSET | go on | the connection is of no use |
//! | MAIL | go on | every recipient was told this |
//! | RCPT | this recipient is accepted | this recipient was told this |
//! | DATA | the message follows, or a lone dot when nobody is accepted | every accepted recipient was told this |
//!
//! 421 and what has no place end the connection: who has no final word yet was told that.

use std::collections::VecDeque;

use super::body::SendBody;
use super::command::{CannotSend, MailRequest, RcptRequest, check, mail_line, needs_utf8, rcpt_line};
use super::greeting::{Flavour, Peer, Ready, gone};
use super::reply::Reply;
use super::settled::{RecipientOutcome, Settled, Then, Told};
use super::stage::{Answer, Stage};
use crate::limits::GROUP_BYTES;

impl Ready {
    /// Opens a message for `recipients`.
    ///
    /// # Errors
    /// When the server does not offer what the message needs. Nothing was sent then.
    pub fn mail(self, request: &MailRequest, recipients: &[RcptRequest]) -> Result<Mailing, CannotSend> {
        if let Err(why) = check(&self.0.offers, request, recipients) {
            return Err(CannotSend { ready: self, why });
        }
        Ok(Mailing::new(self.0, request, recipients))
    }

    /// Forgets an open transaction at the server: the line to send. [`Ready::mail`] does it by itself where it must.
    pub fn rset(self) -> (&'static [u8], AwaitReset) {
        (b"RSET\r\n", AwaitReset(self.0))
    }
}

/// After RSET.
#[derive(Debug)]
#[must_use = "the server waits"]
pub struct AwaitReset(Box<Peer>);

impl AwaitReset {
    /// Takes the answer.
    pub fn reply(mut self, reply: &Reply) -> Then {
        match Stage::Reset.judge(reply) {
            Answer::Positive => {
                self.0.open = false;
                Then::Ready(Ready(self.0))
            }
            answer => Then::Close(gone(Stage::Reset, answer, reply)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// the end of an empty message that nobody gets
    LoneDot,
}

impl Command {
    fn stage(self) -> Stage {
        match self {
            Self::Reset => Stage::Reset,
            Self::Mail => Stage::Mail,
            Self::Rcpt(_) => Stage::Rcpt,
            Self::Data => Stage::Data,
            Self::LoneDot => Stage::Final,
        }
    }
}

/// The envelope is on its way.
#[derive(Debug)]
#[must_use = "the server waits"]
pub struct Mailing {
    peer: Box<Peer>,
    /// what is still to be sent, with its line
    plan: VecDeque<(Command, Vec<u8>)>,
    awaited: VecDeque<Command>,
    told: Told,
    /// the refusal of MAIL
    refused: Option<RecipientOutcome>,
    /// what DATA was answered: the refusal, or nothing when the message may come
    data: Option<Option<RecipientOutcome>>,
    chunking: bool,
}

/// What a reply leads to.
#[derive(Debug)]
#[must_use = "the server waits"]
pub enum Mailed {
    /// Write what [`Mailing::next_bytes`] gives, if anything; then read the next reply.
    More(Mailing),
    /// Somebody takes the message: send it.
    Send(SendBody),
    /// Nobody does.
    Over(Settled),
}

impl Mailing {
    fn new(peer: Box<Peer>, request: &MailRequest, recipients: &[RcptRequest]) -> Self {
        let chunking = request.chunking && peer.offers.chunking;
        let smtputf8 = needs_utf8(request, recipients);
        let mut plan = VecDeque::with_capacity(recipients.len() + 3);
        if peer.open {
            plan.push_back((Command::Reset, b"RSET\r\n".to_vec()));
        }
        plan.push_back((Command::Mail, mail_line(&peer.offers, request, smtputf8)));
        for (at, rcpt) in recipients.iter().enumerate() {
            plan.push_back((Command::Rcpt(at), rcpt_line(&peer.offers, rcpt)));
        }
        if !chunking {
            plan.push_back((Command::Data, b"DATA\r\n".to_vec()));
        }
        Self {
            peer,
            plan,
            awaited: VecDeque::new(),
            told: Told::nothing(recipients.len()),
            refused: None,
            data: None,
            chunking,
        }
    }

    /// What to write now; empty while a reply is awaited.
    pub fn next_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !self.awaited.is_empty() {
            return bytes;
        }
        while let Some((command, line)) = self.plan.pop_front() {
            bytes.extend_from_slice(&line);
            self.awaited.push_back(command);
            let next = self.plan.front().map_or(0, |(_, line)| line.len());
            if !self.peer.offers.pipelining || bytes.len() + next > GROUP_BYTES {
                break;
            }
        }
        bytes
    }

    /// What the next reply answers.
    pub fn stage(&self) -> Stage {
        let next = self.awaited.front().copied();
        next.or_else(|| self.plan.front().map(|(command, _)| *command))
            .map_or(Stage::Data, Command::stage)
    }

    /// The connection is lost: what each recipient was told by then.
    pub fn lost(self) -> Vec<RecipientOutcome> {
        let last_word = RecipientOutcome::Lost { stage: self.stage() };
        let last_word = self.refused.unwrap_or(last_word);
        self.told.close(&last_word)
    }

    /// Takes the next reply.
    pub fn reply(mut self, reply: &Reply) -> Mailed {
        let stage = self.stage();
        let command = self.awaited.pop_front();
        let answer = if command.is_some() {
            stage.judge(reply)
        } else {
            // Nothing was asked.
            Answer::Fault
        };
        let word = RecipientOutcome::Refused {
            reply: reply.clone(),
            stage,
            answer,
        };
        let Some(command) = command.filter(|_| !matches!(answer, Answer::Closing | Answer::Fault)) else {
            return self.close(word, stage, answer, reply);
        };
        match (command, answer == Answer::Positive) {
            (Command::Reset, false) => return self.close(word, stage, answer, reply),
            (Command::Reset | Command::LoneDot, _) => self.peer.open = false,
            (Command::Mail, true) => self.peer.open = true,
            (Command::Mail, false) => self.refused = Some(word),
            // A server that refused MAIL and accepts a recipient accepts nothing.
            (Command::Rcpt(_), _) if self.refused.is_some() => {}
            (Command::Rcpt(at), true) => self.told.accept(at),
            (Command::Rcpt(at), false) => self.told.end(at, word),
            (Command::Data, true) => self.data = Some(None),
            (Command::Data, false) => self.data = Some(Some(word)),
        }
        self.go_on(command, reply)
    }

    /// All that follows from what was told so far.
    fn go_on(mut self, last: Command, reply: &Reply) -> Mailed {
        if !self.awaited.is_empty() {
            return Mailed::More(self);
        }
        let hopeful = self.refused.is_none() && (self.told.anybody_accepted() || self.told.anybody_untold());
        match self.data.take() {
            _ if last == Command::LoneDot => self.over(None),
            Some(None) if hopeful => Mailed::Send(SendBody::data(self.peer, self.told)),
            // RFC 2033 §4.2: the server must refuse DATA without recipients, and it would answer the dot with nothing.
            Some(None) if self.peer.flavour == Flavour::Lmtp => {
                let word = RecipientOutcome::Lost { stage: Stage::Data };
                self.close(word, Stage::Data, Answer::Fault, reply)
            }
            // RFC 2920 §3.1: nobody is accepted and the server waits for text all the same: end it at once.
            Some(None) => {
                self.plan = VecDeque::from([(Command::LoneDot, b".\r\n".to_vec())]);
                Mailed::More(self)
            }
            Some(Some(word)) => self.over(Some(word)),
            None if !hopeful => self.over(None),
            None if self.plan.is_empty() && self.chunking => {
                Mailed::Send(SendBody::chunked(self.peer, self.told))
            }
            None => Mailed::More(self),
        }
    }

    /// Nobody gets the message; the session goes on.
    fn over(self, word: Option<RecipientOutcome>) -> Mailed {
        let word = self
            .refused
            .or(word)
            .unwrap_or(RecipientOutcome::Lost { stage: Stage::Rcpt });
        Mailed::Over(Settled {
            outcomes: self.told.close(&word),
            then: Then::Ready(Ready(self.peer)),
        })
    }

    /// The connection is of no use any more.
    fn close(self, word: RecipientOutcome, stage: Stage, answer: Answer, reply: &Reply) -> Mailed {
        let word = self.refused.unwrap_or(word);
        Mailed::Over(Settled {
            outcomes: self.told.close(&word),
            then: Then::Close(gone(stage, answer, reply)),
        })
    }
}
