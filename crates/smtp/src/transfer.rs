//! The message on its way in: after DATA until its end, or chunk by chunk (RFC 3030).

use crate::refusal::Refusal;
use crate::session::{Session, Stage, Transaction};
use crate::steps::Step;
use crate::text::{Decoder, Fault, Piece};
use crate::verdict::Verdict;

/// After 354: message text comes, dots and all.
#[must_use = "the peer sends"]
pub struct Receiving<P> {
    pub(crate) session: Session<P>,
    pub(crate) recipients: u32,
    pub(crate) decoder: Decoder,
}

impl<P> Receiving<P> {
    /// Takes from the start of `input`; see [`Decoder::next`].
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Piece<'a> {
        self.decoder.next(input)
    }

    /// What is wrong with the text so far.
    pub fn fault(&self) -> Option<Fault> {
        self.decoder.fault()
    }

    /// The end was reached: what is to be said? Gives itself back while it was not.
    pub fn finish(self) -> Result<Verdict<P>, Self> {
        if !self.decoder.ended() {
            return Err(self);
        }
        Ok(Verdict::new(self.session, self.recipients, self.decoder.fault()))
    }

    /// Gives up in the middle, where no reply can be placed: the connection must be closed after this one.
    pub fn abandon(self, refusal: &Refusal) -> Step<P> {
        Step::Close(Some(crate::reply::Reply::refuse(refusal)))
    }
}

/// After BDAT: exactly this many octets belong to the chunk, whatever they are.
#[must_use = "the peer sends"]
pub struct TakeChunk<P> {
    pub(crate) session: Session<P>,
    pub(crate) remaining_bytes: u64,
    pub(crate) purpose: Purpose,
}

/// What a chunk's octets are for.
pub(crate) enum Purpose {
    /// Part of a message.
    Text {
        transaction: Transaction,
        decoder: Decoder,
        last: bool,
    },
    /// The command was refused; its octets are read and thrown away, then this is said.
    Discard(Refusal),
}

/// A chunk that was read.
#[must_use = "the peer waits"]
pub enum Taken<P> {
    /// More chunks follow.
    More(MoreChunks<P>),
    /// That was the last: what is to be said of the message? `tail` ends its last line if the client did not.
    Last {
        /// the question
        verdict: Verdict<P>,
        /// belongs to the message
        tail: &'static [u8],
    },
    /// It was thrown away; this is the answer.
    Discarded(Step<P>),
}

impl<P> TakeChunk<P> {
    /// Octets of the chunk that have not been taken.
    pub fn remaining_bytes(&self) -> u64 {
        self.remaining_bytes
    }

    /// Whether the octets belong to a message.
    pub fn is_text(&self) -> bool {
        matches!(self.purpose, Purpose::Text { .. })
    }

    /// Takes from the start of `input`, never more than belongs to the chunk. Call until nothing remains.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Piece<'a> {
        let most = usize::try_from(self.remaining_bytes).unwrap_or(usize::MAX);
        let input = &input[..input.len().min(most)];
        let piece = match &mut self.purpose {
            Purpose::Text { decoder, .. } => decoder.next(input),
            Purpose::Discard(_) => Piece {
                consumed: input.len(),
                text: &[],
                end: false,
            },
        };
        self.remaining_bytes -= piece.consumed as u64;
        piece
    }

    /// The chunk was read. Gives itself back while octets remain.
    pub fn finish(self) -> Result<Taken<P>, Self> {
        if self.remaining_bytes > 0 {
            return Err(self);
        }
        Ok(match self.purpose {
            Purpose::Discard(refusal) => Taken::Discarded(self.session.refused(&refusal)),
            Purpose::Text {
                transaction,
                mut decoder,
                last: true,
            } => {
                let tail = decoder.close();
                let verdict = Verdict::new(self.session.idle(), transaction.recipients, decoder.fault());
                Taken::Last { verdict, tail }
            }
            Purpose::Text {
                transaction,
                decoder,
                last: false,
            } => Taken::More(MoreChunks {
                session: self.session,
                transaction,
                decoder,
            }),
        })
    }

    /// Gives up in the middle, where no reply can be placed: the connection must be closed after this one.
    pub fn abandon(self, refusal: &Refusal) -> Step<P> {
        Step::Close(Some(crate::reply::Reply::refuse(refusal)))
    }
}

/// A chunk that is not the last was taken: go on?
#[must_use = "the peer waits"]
pub struct MoreChunks<P> {
    session: Session<P>,
    transaction: Transaction,
    decoder: Decoder,
}

impl<P> MoreChunks<P> {
    /// What is wrong with the text so far.
    pub fn fault(&self) -> Option<Fault> {
        self.decoder.fault()
    }

    /// 250 for the chunk alone: it promises nothing about the message (RFC 3030 §2).
    pub fn go_on(self) -> Step<P> {
        let stage = Stage::Chunking(self.transaction, self.decoder);
        self.session.at(stage).ok(0, 0, "Chunk read, send the next")
    }

    /// A refusal: the transaction is over, further chunks are read and refused.
    pub fn refuse(self, refusal: &Refusal) -> Step<P> {
        self.session.idle().refused(refusal)
    }
}
