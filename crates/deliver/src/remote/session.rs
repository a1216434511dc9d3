//! Sends messages over an open connection, one after the other; [`smtp::client`] says what, this file when and how long.
//!
//! 1. The envelope, in groups where the server takes them.
//! 2. The message, streamed from the store, with the final dot held back until the outcome of the message before is on disk: a
//!    connection has at most one unrecorded outcome (decision 0018).
//! 3. The answer.
//!
//! Every wait has the deadline of its stage, and all of them together one for the message (threat case Q-6).

use std::future::Future;
use std::net::SocketAddr;

use msgauth::tls::policy::{Evidence, Grade};
use queue::attempt::TlsText;
use smtp::client::{
    AwaitFinal, Cannot, Final, MailRequest, Mailed, Mailing, RcptRequest, Ready, RecipientOutcome,
    ReplyReader, RequireTls, SendBody, Settled, Stage, Then,
};
use store::contract::StoreError;
use world::clock::{Clock, Monotonic};

use super::connect::Open;
use super::letter::Letter;
use super::outcome::Broken;
use super::talk::{self, Notes, Pulse, Wire, in_time};
use crate::limits::{BLOCK, COMMAND, DATA, FINAL, QUIT, TOTAL, TOTAL_BYTES_PER_SECOND};

/// An open connection between two messages.
pub struct Session {
    wire: Wire,
    reader: ReplyReader,
    /// `None` once it is of no use any more
    ready: Option<Ready>,
    tls: Option<TlsText>,
    security: Security,
    host: String,
    address: SocketAddr,
    source: String,
    messages: u32,
}

/// What is known of a connection's security, for the messages that come after the first.
#[derive(Debug, Clone)]
pub struct Security {
    /// what it is
    pub grade: Grade,
    /// what was known when it was opened
    pub evidence: Evidence,
}

/// What came of a message.
pub enum Sent {
    /// Each recipient was told something, or the connection broke off before that.
    Told {
        /// in the order of the recipients
        outcomes: Vec<RecipientOutcome>,
        /// how the connection broke off, if it did
        broken: Option<Broken>,
    },
    /// Nothing was sent: the server lacks what the message needs.
    Cannot(Cannot),
    /// Our own store failed in the middle; the connection is closed, and the server has nothing.
    Unreadable(StoreError),
}

/// How the middle of a message ended early.
enum Cut {
    Broken(Vec<RecipientOutcome>, Broken),
    Unreadable(StoreError),
}

impl Session {
    /// Over a connection that was just opened.
    pub fn new(open: Open, evidence: Evidence, host: String, address: SocketAddr) -> Self {
        let mut wire = open.wire;
        let source = wire.driver().peer().local.ip().to_string();
        Self {
            wire,
            reader: open.reader,
            ready: Some(open.ready),
            tls: open.tls,
            security: Security {
                grade: open.grade,
                evidence,
            },
            host,
            address,
            source,
            messages: 0,
        }
    }

    /// Whether another message may be sent.
    pub fn is_usable(&mut self) -> bool {
        // A server that has spoken or gone while it was not its turn.
        let silent = !self.wire.driver().pending_input();
        self.ready.is_some() && silent && self.messages < crate::limits::MESSAGES_PER_CONNECTION
    }

    /// How secure it is.
    pub fn security(&self) -> &Security {
        &self.security
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the server sends the reports that a sender asked for (RFC 3461 §5.2).
    pub fn reports(&self) -> bool {
        self.ready.as_ref().is_some_and(|ready| ready.offers().dsn)
    }

    /// A new page of notes for a message over this connection.
    pub fn notes(&self, clock: &dyn Clock) -> Notes {
        let mut notes = Notes::begin(&self.host, self.address.to_string(), clock);
        notes.source(self.source.clone());
        notes.tls(self.tls.clone());
        notes.reused();
        notes
    }

    /// Sends one message. `recorded` completes when the outcome of the message before is on disk.
    pub async fn send(
        &mut self,
        letter: &Letter,
        recipients: &[RcptRequest],
        (notes, pulse): (&mut Notes, &Pulse),
        recorded: impl Future<Output = ()>,
    ) -> Sent {
        let Some(ready) = self.ready.take() else {
            return lost_before_it_began(recipients);
        };
        let request = self.as_offered(letter);
        let mailing = match ready.mail(&request, recipients) {
            Ok(mailing) => mailing,
            Err(cannot) => {
                self.ready = Some(cannot.ready);
                return Sent::Cannot(cannot.why);
            }
        };
        self.messages += 1;
        let mut sending = Sending::new(self, notes, pulse, letter);
        let ended = match sending.envelope(mailing).await {
            Ok(Enveloped::Over(settled)) => Ok(settled),
            Ok(Enveloped::Send(body)) => sending.message(body, letter, recorded).await,
            Err(cut) => Err(cut),
        };
        match ended {
            Ok(Settled { outcomes, then }) => {
                if let Then::Ready(ready) = then {
                    self.ready = Some(ready);
                }
                let broken = None;
                Sent::Told { outcomes, broken }
            }
            Err(Cut::Broken(outcomes, how)) => Sent::Told {
                outcomes,
                broken: Some(how),
            },
            Err(Cut::Unreadable(error)) => Sent::Unreadable(error),
        }
    }

    /// REQUIRETLS that is only asked where it is offered is no promise outside of TLS (RFC 8689 §2).
    fn as_offered(&self, letter: &Letter) -> MailRequest {
        let mut request = letter.request.clone();
        if request.requiretls == RequireTls::WhereOffered && self.tls.is_none() {
            request.requiretls = RequireTls::No;
        }
        request
    }

    /// Leaves politely, if there is anybody to leave.
    pub async fn quit(mut self, clock: &dyn Clock) {
        let Some(ready) = self.ready.take() else {
            return;
        };
        let deadline = in_time(clock, QUIT);
        self.wire.driver().write(ready.quit());
        // Whatever comes of it: every message was settled before.
        if talk::flush(&mut self.wire, deadline).await.is_ok() {
            let mut notes = Notes::begin("", String::new(), clock);
            let _ = talk::reply(
                &mut self.wire,
                &mut self.reader,
                (Stage::Quit, &mut notes),
                deadline,
            )
            .await;
        }
        let _ = self.wire.driver().close(deadline).await;
    }
}

/// A message on its way.
struct Sending<'a> {
    wire: &'a mut Wire,
    reader: &'a mut ReplyReader,
    notes: &'a mut Notes,
    pulse: &'a Pulse,
    clock: std::sync::Arc<dyn Clock>,
    /// for all of it
    total: Monotonic,
}

enum Enveloped {
    Over(Settled),
    Send(SendBody),
}

impl<'a> Sending<'a> {
    fn new(session: &'a mut Session, notes: &'a mut Notes, pulse: &'a Pulse, letter: &Letter) -> Self {
        let clock = session.wire.driver().clock().clone();
        let allowed = TOTAL + std::time::Duration::from_secs(letter.bytes() / TOTAL_BYTES_PER_SECOND);
        let total = in_time(&*clock, allowed);
        pulse.beat(clock.monotonic());
        Self {
            wire: &mut session.wire,
            reader: &mut session.reader,
            notes,
            pulse,
            clock,
            total,
        }
    }

    async fn envelope(&mut self, mut mailing: Mailing) -> Result<Enveloped, Cut> {
        loop {
            let bytes = mailing.next_bytes();
            self.wire.driver().write(&bytes);
            let sent = talk::flush(self.wire, self.by(COMMAND)).await;
            let stage = mailing.stage();
            let heard = match sent {
                Ok(()) => self.reply(stage).await,
                Err(broken) => Err(broken),
            };
            let reply = match heard {
                Ok(reply) => reply,
                Err(broken) => return Err(Cut::Broken(mailing.lost(), broken)),
            };
            mailing = match mailing.reply(&reply) {
                Mailed::More(mailing) => mailing,
                Mailed::Send(body) => return Ok(Enveloped::Send(body)),
                Mailed::Over(settled) => return Ok(Enveloped::Over(settled)),
            };
        }
    }

    async fn message(
        &mut self,
        mut body: SendBody,
        letter: &Letter,
        recorded: impl Future<Output = ()>,
    ) -> Result<Settled, Cut> {
        let mut offset = 0;
        let mut buffer = Vec::new();
        let mut last = letter.prefix().to_vec();
        loop {
            let piece = match letter.piece(offset).await {
                Ok(piece) => piece,
                // The connection is dropped without the end: the server has nothing.
                Err(error) => return Err(Cut::Unreadable(error)),
            };
            if piece.is_empty() {
                break;
            }
            offset += piece.len() as u64;
            last.extend_from_slice(&piece);
            if offset < letter.bytes() - letter.prefix().len() as u64 {
                if body.piece(&std::mem::take(&mut last), &mut buffer).is_err() {
                    return Err(unsendable(body.lost()));
                }
                if let Err(broken) = self.block(&mut buffer).await {
                    return Err(Cut::Broken(body.lost(), broken));
                }
            }
        }
        recorded.await;
        // From here on the server may have the message: nobody may cut this short without need.
        self.pulse.set_critical(true);
        let waiting = match body.finish(&last, &mut buffer) {
            Ok(waiting) => waiting,
            Err(fault) => return Err(unsendable(fault.outcomes)),
        };
        if let Err(broken) = self.block(&mut buffer).await {
            return Err(Cut::Broken(waiting.lost(), broken));
        }
        self.answers(waiting).await
    }

    async fn block(&mut self, buffer: &mut Vec<u8>) -> Result<(), Broken> {
        self.wire.driver().write(buffer);
        buffer.clear();
        let sent = talk::flush(self.wire, self.by(BLOCK)).await;
        self.pulse.beat(self.clock.monotonic());
        sent
    }

    async fn answers(&mut self, mut waiting: AwaitFinal) -> Result<Settled, Cut> {
        loop {
            let stage = waiting.stage();
            let deadline = Monotonic(self.clock.monotonic().0 + FINAL);
            // The answer to the end has its own time, whatever the message took: to cut it short is to risk a double.
            let heard = talk::reply(self.wire, self.reader, (stage, self.notes), deadline).await;
            self.pulse.beat(self.clock.monotonic());
            let reply = match heard {
                Ok(reply) => reply,
                Err(broken) => return Err(Cut::Broken(waiting.lost(), broken)),
            };
            waiting = match waiting.reply(&reply) {
                Final::More(waiting) => waiting,
                Final::Settled(settled) => return Ok(settled),
            };
        }
    }

    async fn reply(&mut self, stage: Stage) -> Result<smtp::client::Reply, Broken> {
        let wait = if stage == Stage::Data { DATA } else { COMMAND };
        let deadline = self.by(wait);
        let heard = talk::reply(self.wire, self.reader, (stage, self.notes), deadline).await;
        self.pulse.beat(self.clock.monotonic());
        heard
    }

    /// The stage's deadline, or the message's if that is earlier.
    fn by(&self, wait: std::time::Duration) -> Monotonic {
        in_time(&*self.clock, wait).min(self.total)
    }
}

/// A body that may not be sent as it is. It was checked when it came: the store holds something it was not given.
fn unsendable(outcomes: Vec<RecipientOutcome>) -> Cut {
    let _ = outcomes;
    Cut::Unreadable(StoreError::Damaged(
        "the message has a line that may not be sent".to_owned(),
    ))
}

fn lost_before_it_began(recipients: &[RcptRequest]) -> Sent {
    let lost = RecipientOutcome::Lost { stage: Stage::Mail };
    Sent::Told {
        outcomes: recipients.iter().map(|_| lost.clone()).collect(),
        broken: Some(Broken::Closed),
    }
}
