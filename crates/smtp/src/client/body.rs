//! The message itself: DATA with its dots (RFC 5321 §4.5.2), BDAT with its counts (RFC 3030 §2), and the answers to its end.
//!
//! Only lines that end with CR LF leave here: a bare CR, a bare LF or a NUL ends the sending before it is on the wire
//! (threat case SMG). After such a fault the connection must be closed, or the server would take what it has for a message.

use mail::wire::WireFault;

use super::greeting::{Flavour, Peer, Ready, gone};
use super::reply::Reply;
use super::settled::{RecipientOutcome, Settled, Then, Told};
use super::stage::{Answer, Stage};

/// The server waits for the message.
#[derive(Debug)]
#[must_use = "the server waits"]
pub struct SendBody {
    peer: Box<Peer>,
    told: Told,
    text: WireText,
    /// chunks that were sent with BDAT; nothing for DATA
    chunks: Option<u32>,
}

/// A message that may not be sent as it is. Close the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsendable {
    /// what is wrong with it
    pub fault: WireFault,
    /// what the recipients were told by then
    pub outcomes: Vec<RecipientOutcome>,
}

impl SendBody {
    pub(super) fn data(peer: Box<Peer>, told: Told) -> Self {
        let (text, chunks) = (WireText::new(true), None);
        Self {
            peer,
            told,
            text,
            chunks,
        }
    }

    pub(super) fn chunked(peer: Box<Peer>, told: Told) -> Self {
        let (text, chunks) = (WireText::new(false), Some(0));
        Self {
            peer,
            told,
            text,
            chunks,
        }
    }

    /// How many recipients get it.
    pub fn recipients(&self) -> usize {
        self.told.accepted().len()
    }

    /// Appends a piece of the message to `into`, in wire form. Pieces may be cut anywhere; with BDAT each is a chunk, so
    /// they should not be small.
    ///
    /// # Errors
    /// When the message may not be sent. What is in `into` then must not be written; call [`SendBody::lost`] and close.
    pub fn piece(&mut self, piece: &[u8], into: &mut Vec<u8>) -> Result<(), WireFault> {
        if let Some(chunks) = &mut self.chunks {
            let octets = self.text.octets_of(piece);
            if octets > 0 {
                *chunks += 1;
                into.extend_from_slice(format!("BDAT {octets}\r\n").as_bytes());
            }
        }
        self.text.encode(piece, into)
    }

    /// Appends the last piece (it may be empty) and the end of the message.
    ///
    /// # Errors
    /// When the message may not be sent; see [`SendBody::piece`].
    pub fn finish(mut self, last_piece: &[u8], into: &mut Vec<u8>) -> Result<AwaitFinal, Unsendable> {
        if self.chunks.is_some() {
            let octets = self.text.octets_of(last_piece);
            into.extend_from_slice(format!("BDAT {octets} LAST\r\n").as_bytes());
        }
        let ended = self.text.encode(last_piece, into);
        match ended.and_then(|()| self.text.end(into)) {
            Ok(()) => Ok(AwaitFinal::new(self.peer, self.told, self.chunks.unwrap_or(0))),
            Err(fault) => Err(Unsendable {
                fault,
                outcomes: self.lost(),
            }),
        }
    }

    /// The connection is lost, or closed by us: what each recipient was told by then.
    pub fn lost(self) -> Vec<RecipientOutcome> {
        self.told.close(&RecipientOutcome::Lost { stage: Stage::Data })
    }
}

/// Text on its way to the wire, at the border between two octets.
#[derive(Debug)]
struct WireText {
    dots: bool,
    line_start: bool,
    /// a CR at the end of the last piece, not yet written
    cr: bool,
    sent_bytes: usize,
    fault: Option<WireFault>,
}

impl WireText {
    fn new(dots: bool) -> Self {
        Self {
            dots,
            line_start: true,
            cr: false,
            sent_bytes: 0,
            fault: None,
        }
    }

    /// How many octets [`WireText::encode`] will write for `piece` without dots.
    fn octets_of(&self, piece: &[u8]) -> usize {
        let held = usize::from(self.cr);
        let holds = usize::from(piece.last() == Some(&b'\r'));
        (held + piece.len()).saturating_sub(if piece.is_empty() { held } else { holds })
    }

    fn encode(&mut self, piece: &[u8], into: &mut Vec<u8>) -> Result<(), WireFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let rest = match (self.cr, piece.split_first()) {
            (_, None) => return Ok(()),
            (false, _) => piece,
            (true, Some((b'\n', rest))) => {
                into.extend_from_slice(b"\r\n");
                (self.cr, self.line_start) = (false, true);
                self.sent_bytes += 2;
                rest
            }
            (true, Some(_)) => return self.fail(WireFault::BareCr { at: self.sent_bytes }),
        };
        self.lines(rest, into)
    }

    fn lines(&mut self, text: &[u8], into: &mut Vec<u8>) -> Result<(), WireFault> {
        let mut copied = 0;
        if self.dots && self.line_start && text.first() == Some(&b'.') {
            into.push(b'.');
        }
        for at in memchr::memchr3_iter(b'\r', b'\n', 0, text) {
            let offset = self.sent_bytes + at;
            match text[at] {
                b'\r' if matches!(text.get(at + 1), None | Some(b'\n')) => {}
                b'\r' => return self.fail(WireFault::BareCr { at: offset }),
                b'\n' if at > 0 && text[at - 1] == b'\r' => {
                    if self.dots && text.get(at + 1) == Some(&b'.') {
                        into.extend_from_slice(&text[copied..=at]);
                        into.push(b'.');
                        copied = at + 1;
                    }
                }
                b'\n' => return self.fail(WireFault::BareLf { at: offset }),
                _ => return self.fail(WireFault::Nul { at: offset }),
            }
        }
        self.cr = text.last() == Some(&b'\r');
        let end = text.len() - usize::from(self.cr);
        into.extend_from_slice(&text[copied..end]);
        self.sent_bytes += end;
        if end > 0 {
            self.line_start = text[end - 1] == b'\n';
        }
        Ok(())
    }

    /// The end: for DATA a line of one dot, on its own line.
    fn end(&mut self, into: &mut Vec<u8>) -> Result<(), WireFault> {
        if self.cr {
            return self.fail(WireFault::BareCr { at: self.sent_bytes });
        }
        if self.dots {
            into.extend_from_slice(if self.line_start { b".\r\n" } else { b"\r\n.\r\n" });
        }
        Ok(())
    }

    fn fail(&mut self, fault: WireFault) -> Result<(), WireFault> {
        self.fault = Some(fault);
        Err(fault)
    }
}

/// The message is sent; the answer to its end is awaited.
#[derive(Debug)]
#[must_use = "the server has the message, perhaps"]
pub struct AwaitFinal {
    peer: Box<Peer>,
    told: Told,
    /// replies to chunks that are still to come
    chunks: u32,
    /// recipients whose answer is still to come, the next one last
    rest: Vec<usize>,
}

/// What a reply to the end of a message leads to.
#[derive(Debug)]
#[must_use = "the server has the message, perhaps"]
pub enum Final {
    /// Another reply is to come.
    More(AwaitFinal),
    /// Everybody has an outcome.
    Settled(Settled),
}

impl AwaitFinal {
    fn new(peer: Box<Peer>, told: Told, chunks: u32) -> Self {
        let mut rest = told.accepted();
        rest.reverse();
        Self {
            peer,
            told,
            chunks,
            rest,
        }
    }

    /// What the next reply answers.
    pub fn stage(&self) -> Stage {
        if self.chunks > 0 {
            Stage::Data
        } else {
            Stage::Final
        }
    }

    /// The connection is lost: what each recipient was told by then. The others may have the message all the same.
    pub fn lost(self) -> Vec<RecipientOutcome> {
        self.told.close(&RecipientOutcome::Lost { stage: Stage::Final })
    }

    /// Takes the next reply: one for each chunk, then one for the message; with LMTP one for each recipient that was
    /// accepted, in their order (RFC 2033 §4.2).
    pub fn reply(mut self, reply: &Reply) -> Final {
        let stage = self.stage();
        // A chunk is answered as the end of a message is, not with 354.
        let answer = Stage::Final.judge(reply);
        let word = match answer {
            Answer::Positive => RecipientOutcome::Delivered(reply.clone()),
            answer => RecipientOutcome::Refused {
                reply: reply.clone(),
                stage,
                answer,
            },
        };
        let broken = matches!(answer, Answer::Closing | Answer::Fault);
        // RFC 3030 §2: after a refused chunk nothing that follows means anything.
        if broken || (self.chunks > 0 && answer != Answer::Positive) {
            return Final::Settled(Settled {
                outcomes: self.told.close(&word),
                then: Then::Close(gone(stage, answer, reply)),
            });
        }
        if self.chunks > 0 {
            self.chunks -= 1;
            return Final::More(self);
        }
        if self.peer.flavour == Flavour::Lmtp {
            if let Some(recipient) = self.rest.pop() {
                self.told.end(recipient, word.clone());
            }
            if !self.rest.is_empty() {
                return Final::More(self);
            }
        }
        self.peer.open = false;
        Final::Settled(Settled {
            outcomes: self.told.close(&word),
            then: Then::Ready(Ready(self.peer)),
        })
    }
}
