//! The message on its way to the store: its header is collected and decided on, its body streams through, past whoever examines it.

use std::sync::Arc;

use mail::address::Mailbox;
use mail::ids::BlobId;
use queue::{LocalUser, Queue, Signature, Submitted};
use smtp::Refusal;
use smtp::refusal::codes;
use store::contract::{Body, BodyStage, Store, StoreError};

use crate::content::{self, Submitter};
use crate::edits::{self, Missing};
use crate::limits::HEADER_BYTES;
use crate::transaction::Sender;
use mail::header::HeaderFault;
use msgauth::examine::Examination;

/// Whose submission it is, and what its header gets when it is missing.
pub(crate) struct Submission {
    pub sender: Sender,
    pub missing: Missing,
    /// has the keys
    pub queue: Arc<Queue>,
}

impl Submission {
    /// Starts its signature. Who submitted is the only origin at hand here, and one that may be signed (threat cases AUT-12, REL-4).
    fn sign(&self, header: &[u8]) -> Option<Box<Signature>> {
        let signer = &self.queue.signer;
        let begun = match &self.sender {
            Sender::Account(user) => signer.begin(&Submitted::by(user), header),
            Sender::Trusted(user) => signer.begin(&LocalUser::by(user), header),
        };
        begun.map(Box::new)
    }
}

/// Why a message is not kept.
pub(crate) enum Problem {
    /// its own fault
    Refused(Refusal),
    /// the store's
    Store(StoreError),
}

/// A whole message, staged.
pub(crate) struct Staged {
    pub body: Body,
    /// its header block, as kept
    pub header: Vec<u8>,
    /// whether it came with octets above 127
    pub eight_bit: bool,
    /// what was learnt on the way, if it is asked for
    pub examination: Option<Box<Examination>>,
    /// its signatures in the making, if it is a submission from a domain with keys
    pub signing: Option<Box<Signature>>,
}

/// What is done about fields and signatures of others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scrutiny {
    /// our name: results that claim to be ours are removed; nothing for programs of this machine
    pub our_name: Option<String>,
    /// the message is examined
    pub examine: bool,
}

/// Takes the text of one message.
pub(crate) struct Intake {
    store: Arc<dyn Store>,
    blob: BlobId,
    submission: Option<Submission>,
    /// see [`content::decide`]
    forwarding: Vec<Mailbox>,
    scrutiny: Scrutiny,
    examination: Option<Box<Examination>>,
    signing: Option<Box<Signature>>,
    max_bytes: u64,
    size_bytes: u64,
    eight_bit: bool,
    header: Vec<u8>,
    stage: Option<Box<dyn BodyStage>>,
    problem: Option<Problem>,
}

impl Intake {
    pub fn new(
        store: Arc<dyn Store>,
        blob: BlobId,
        submission: Option<Submission>,
        forwarding: Vec<Mailbox>,
        scrutiny: Scrutiny,
        max_bytes: u64,
    ) -> Self {
        let (size_bytes, header, stage, problem) = (0, Vec::new(), None, None);
        Self {
            store,
            blob,
            submission,
            forwarding,
            scrutiny,
            examination: None,
            signing: None,
            max_bytes,
            size_bytes,
            eight_bit: false,
            header,
            stage,
            problem,
        }
    }

    /// Octets of text that came.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Takes more text. After a problem it only counts.
    pub async fn take(&mut self, text: &[u8]) {
        self.size_bytes += text.len() as u64;
        if self.problem.is_some() || text.is_empty() {
            return;
        }
        self.eight_bit |= !text.is_ascii();
        let taken = if self.size_bytes > self.max_bytes {
            Err(Problem::Refused(self.too_large()))
        } else if let Some(stage) = &mut self.stage {
            if let Some(examination) = &mut self.examination {
                examination.body(text);
            }
            if let Some(signed) = &mut self.signing {
                signed.body(text);
            }
            stage.write(text).await.map_err(Problem::Store)
        } else {
            self.take_header(text).await
        };
        if let Err(problem) = taken {
            self.give_up(problem);
        }
    }

    /// Ends the message. A large body is synced when this returns.
    pub async fn finish(mut self) -> Result<Staged, Problem> {
        if self.problem.is_none() && self.stage.is_none() {
            // No empty line: all of it is header.
            let whole = self.header.len();
            if let Err(problem) = self.settle_header(whole).await {
                self.give_up(problem);
            }
        }
        match (self.problem, self.stage) {
            (Some(problem), _) => Err(problem),
            (None, Some(stage)) => {
                let body = stage.finish().await.map_err(Problem::Store)?;
                Ok(Staged {
                    body,
                    header: self.header,
                    eight_bit: self.eight_bit,
                    examination: self.examination,
                    signing: self.signing,
                })
            }
            (None, None) => Err(Problem::Store(StoreError::Fatal(
                "a message was never staged".to_owned(),
            ))),
        }
    }

    async fn take_header(&mut self, text: &[u8]) -> Result<(), Problem> {
        let known = self.header.len();
        self.header.extend_from_slice(text);
        if let Some(end) = header_end(&self.header, known) {
            return self.settle_header(end).await;
        }
        if self.header.len() > HEADER_BYTES {
            return Err(Problem::Refused(content::of_header(&HeaderFault::TooLarge)));
        }
        Ok(())
    }

    /// The header is whole: decides on it and starts the body with it.
    async fn settle_header(&mut self, end: usize) -> Result<(), Problem> {
        let rest = self.header.split_off(end);
        let block = std::mem::take(&mut self.header);
        if self.scrutiny.examine {
            // As it came: signatures cover it so.
            let mut examination = Box::new(Examination::begin(&block));
            examination.body(&rest);
            self.examination = Some(examination);
        }
        self.header = self.decide(block).map_err(Problem::Refused)?;
        if let Some(our_name) = &self.scrutiny.our_name {
            self.header = edits::without_forged(std::mem::take(&mut self.header), our_name);
        }
        if let Some(submission) = &self.submission {
            self.signing = submission.sign(&self.header);
        }
        if let Some(signed) = &mut self.signing {
            signed.body(&rest);
        }
        let mut stage = self.store.stage(self.blob);
        stage.write(&self.header).await.map_err(Problem::Store)?;
        if !rest.is_empty() {
            stage.write(&rest).await.map_err(Problem::Store)?;
        }
        self.stage = Some(stage);
        Ok(())
    }

    fn decide(&self, block: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        let Some(submission) = &self.submission else {
            return content::decide(block, None, &self.forwarding);
        };
        let owns = |mailbox: &Mailbox| submission.sender.may_send_as(mailbox);
        content::decide(
            block,
            Some(&Submitter {
                owns: &owns,
                missing: submission.missing.clone(),
            }),
            &self.forwarding,
        )
    }

    fn too_large(&self) -> Refusal {
        let text = format!(
            "A message may have at most {} octets: send a smaller one",
            self.max_bytes
        );
        Refusal::new(codes::TOO_LARGE, text)
    }

    fn give_up(&mut self, problem: Problem) {
        self.problem = Some(problem);
        self.stage = None;
        self.examination = None;
        self.signing = None;
        self.header = Vec::new();
    }
}

/// Where the header ends, with its empty line; `known` octets were looked at before.
fn header_end(bytes: &[u8], known: usize) -> Option<usize> {
    if bytes.starts_with(b"\r\n") {
        return Some(2);
    }
    let from = known.saturating_sub(3);
    bytes[from..]
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| from + at + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_ends_at_its_empty_line_wherever_the_cuts_are() {
        let message = b"A: b\r\nC: d\r\n\r\nbody\r\n\r\nmore";
        for cut in 0..message.len() {
            let first = header_end(&message[..cut], 0);
            let found = first.or_else(|| header_end(message, cut));
            assert_eq!(found, Some(14), "cut at {cut}");
        }
        assert_eq!(header_end(b"\r\nbody", 0), Some(2));
        assert_eq!(header_end(b"A: b\r\n", 0), None);
    }
}
