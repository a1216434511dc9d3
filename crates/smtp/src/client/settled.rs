//! What became of a message's recipients on one connection.

use super::greeting::{Gone, Ready};
use super::reply::Reply;
use super::stage::{Answer, Stage};

/// What one recipient was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientOutcome {
    /// The server has taken the message for this recipient.
    Delivered(Reply),
    /// It has not.
    Refused {
        /// its words
        reply: Reply,
        /// what it answered
        stage: Stage,
        /// what that means; never [`Answer::Positive`]
        answer: Answer,
    },
    /// The connection ended before this recipient was told anything final. Behind [`Stage::Final`] the server may have
    /// taken the message all the same (RFC 1047).
    Lost {
        /// what was to be answered
        stage: Stage,
    },
}

impl RecipientOutcome {
    /// Whether the recipient will never get this message from this server.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused { answer, .. } if answer.is_permanent())
    }
}

/// The end of a message on this connection.
#[derive(Debug)]
#[must_use = "every recipient has an outcome"]
pub struct Settled {
    /// one for each recipient, in the order given to [`Ready::mail`]
    pub outcomes: Vec<RecipientOutcome>,
    /// what the connection is good for
    pub then: Then,
}

/// What the connection is good for after a message.
#[derive(Debug)]
pub enum Then {
    /// the next message
    Ready(Ready),
    /// nothing: close it
    Close(Gone),
}

/// What the recipients of a message were told so far.
#[derive(Debug)]
pub(super) struct Told(Vec<Word>);

#[derive(Debug)]
enum Word {
    Nothing,
    Accepted,
    Final(RecipientOutcome),
}

impl Told {
    pub fn nothing(recipients: usize) -> Self {
        Self((0..recipients).map(|_| Word::Nothing).collect())
    }

    pub fn accept(&mut self, recipient: usize) {
        self.0[recipient] = Word::Accepted;
    }

    pub fn end(&mut self, recipient: usize, outcome: RecipientOutcome) {
        self.0[recipient] = Word::Final(outcome);
    }

    pub fn accepted(&self) -> Vec<usize> {
        let accepted = |(at, word): (usize, &Word)| matches!(word, Word::Accepted).then_some(at);
        self.0.iter().enumerate().filter_map(accepted).collect()
    }

    pub fn anybody_accepted(&self) -> bool {
        self.0.iter().any(|word| matches!(word, Word::Accepted))
    }

    /// Whether a later reply can still accept somebody.
    pub fn anybody_untold(&self) -> bool {
        self.0.iter().any(|word| matches!(word, Word::Nothing))
    }

    /// Everybody without a final word gets this one.
    pub fn close(self, last_word: &RecipientOutcome) -> Vec<RecipientOutcome> {
        self.0
            .into_iter()
            .map(|word| match word {
                Word::Final(outcome) => outcome,
                Word::Nothing | Word::Accepted => last_word.clone(),
            })
            .collect()
    }
}
