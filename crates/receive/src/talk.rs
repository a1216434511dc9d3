//! The loop of a session: frames commands, runs the states of `smtp`, answers their questions.

use std::sync::Arc;

use directory::{LocalRecipient, LocalSender, Reservation, Resolution, SignedIn, TrustedUser, Vouched};
use mail::address::{Mailbox, Path};
use mail::ids::{AccountId, QueueId};
use queue::{Envelope, LocalProgram, LocalUser, RelayGrant, Stranger, Submitted};
use smtp::frame::{Frame, command_line};
use smtp::limits::COMMAND_LINE_BYTES;
use smtp::refusal::codes;
use smtp::{AskRecipient, AskSender, BeforeTls, Flavour, Refusal, Reply, Session, Step};
use store::contract::Accepted;
use store::durable::Durable;
use tokio::sync::watch;
use world::clock::Monotonic;
use world::line::limits::REPLIES_MAX_BYTES;
use world::line::{Driver, ReadError, WriteError};
use world::net::TlsFacts;

use crate::afterwards::Afterwards;
use crate::context::{Context, Door};
use crate::events::ReceiveEvent;
use crate::limits::{COMMAND, GREETING, LINGER, REPLY};
use crate::recipient::{self, Known, Ruling};
use crate::sender::{self, Speaker};
use crate::sign_in;
use crate::transaction::{Direction, Transaction, canonical, sender_text};
use crate::transfer;
use crate::wishes;

/// What a 250 for a message costs.
pub(crate) type Proof = Durable<Accepted>;

/// A session's memory beside the states of `smtp`. TLS ends it: the next one begins empty.
pub(crate) struct Talk<'a> {
    pub context: &'a Context,
    pub door: &'a Door,
    pub conn: &'a mut Driver,
    pub tls: Option<&'a TlsFacts>,
    pub user: Option<SignedIn>,
    /// root or the server's own user, who need not sign in
    trusted: Option<TrustedUser>,
    pub open: Option<Box<Transaction>>,
    /// the name of the greeting, and whether it was EHLO
    pub hello: Option<String>,
    pub extended: bool,
    pub afterwards: Afterwards,
    shutdown: watch::Receiver<bool>,
    unknown_recipients: u32,
    known_recipients: u32,
}

/// How a session ended.
pub(crate) enum End {
    Closed,
    /// STARTTLS: 220 is written and not yet sent
    StartTls(BeforeTls<Proof>),
}

/// What came of waiting for input.
pub(crate) enum Waited {
    More,
    TimedOut,
    Stopping,
    Gone,
}

enum Next {
    Command(Session<Proof>),
    End(End),
}

/// What a recipient's mailboxes have room for.
struct Room {
    /// reservations made for this recipient
    made: Vec<(AccountId, Reservation)>,
    /// somebody has room, from now or from a recipient before
    is_any: bool,
}

/// What the directory says, for the decision.
fn known(resolution: &Resolution, room: &Room) -> Known {
    match resolution {
        // One full mailbox of a list does not keep the others from their mail.
        Resolution::Local(reached) => Known::Local {
            room: room.is_any || !reached.forwards().is_empty(),
        },
        Resolution::UnknownUser | Resolution::Disabled => Known::Nobody,
        Resolution::ReportsOnly => Known::ReportsOnly,
        Resolution::NotOurs => Known::Elsewhere,
    }
}

impl<'a> Talk<'a> {
    pub fn new(
        context: &'a Context,
        door: &'a Door,
        conn: &'a mut Driver,
        tls: Option<&'a TlsFacts>,
    ) -> Self {
        Self {
            context,
            door,
            conn,
            tls,
            user: None,
            trusted: None,
            open: None,
            hello: None,
            extended: false,
            afterwards: Afterwards::new(Arc::clone(&context.queue.events)),
            shutdown: context.shutdown.clone(),
            unknown_recipients: 0,
            known_recipients: 0,
        }
    }

    /// For a user of this machine, whom the kernel named.
    pub fn for_local(mut self, sender: LocalSender) -> Self {
        match sender {
            LocalSender::Trusted(user) => self.trusted = Some(user),
            LocalSender::Account(user) => self.user = Some(user),
        }
        self
    }

    /// Serves commands until the end.
    pub async fn run(mut self, mut session: Session<Proof>) -> End {
        let greeting_deadline = Monotonic(self.now().0 + GREETING);
        let mut deadline = greeting_deadline;
        loop {
            let step = match command_line(self.conn.buffered(), COMMAND_LINE_BYTES) {
                Frame::Incomplete => match self.wait(deadline).await {
                    Waited::More => continue,
                    Waited::Gone => return End::Closed,
                    Waited::TimedOut => Step::Close(Some(Reply::timed_out(&self.door.setup.host_name))),
                    Waited::Stopping => Step::Close(Some(Reply::closing(&self.door.setup.host_name))),
                },
                Frame::Line { line, consumed } => {
                    let line = line.to_vec();
                    self.conn.consume(consumed);
                    let more_waits = self.conn.pending_input() && !self.conn.buffered().is_empty();
                    session.line(&line, more_waits)
                }
                Frame::BadBytes { consumed } => {
                    self.conn.consume(consumed);
                    session.bad_line()
                }
                Frame::BareLf => session.bare_lf(),
                Frame::TooLong => session.line_too_long(),
            };
            session = match self.answer(step).await {
                Next::Command(session) => session,
                Next::End(end) => return end,
            };
            deadline = if session.hello().is_some() {
                self.command_deadline()
            } else {
                greeting_deadline
            };
        }
    }

    /// Answers the questions of one command, up to the next command or the end.
    async fn answer(&mut self, mut step: Step<Proof>) -> Next {
        loop {
            let next = match step {
                Step::Answer(session, reply) => return self.say(session, &reply).await,
                Step::Close(reply) => {
                    self.close(reply.as_ref()).await;
                    None
                }
                Step::Tls(ask) => {
                    let (before, reply) = ask.go_on();
                    self.conn.write(reply.as_bytes());
                    return Next::End(End::StartTls(before));
                }
                Step::Sender(ask) => Some(self.sender(ask)),
                Step::Recipient(ask) => Some(self.recipient(ask)),
                Step::Data(ask) => Box::pin(transfer::data(self, ask)).await,
                Step::Chunk(chunk) => Box::pin(transfer::chunk(self, chunk)).await,
                Step::Auth(ask) => Box::pin(sign_in::run(self, ask)).await,
            };
            match next {
                Some(next) => step = next,
                None => return Next::End(End::Closed),
            }
        }
    }

    async fn say(&mut self, session: Session<Proof>, reply: &Reply) -> Next {
        if !session.in_transaction() {
            self.open = None;
        }
        self.conn.write(reply.as_bytes());
        // Replies of a group go out together, but a client that does not read gets no memory.
        let deadline = Monotonic(self.now().0 + REPLY);
        match self.conn.flush_if_over(REPLIES_MAX_BYTES, deadline).await {
            Ok(()) => Next::Command(session),
            Err(_) => Next::End(End::Closed),
        }
    }

    /// Step 3.
    fn sender(&mut self, ask: AskSender<Proof>) -> Step<Proof> {
        if let Some(hello) = ask.session().hello() {
            self.hello = Some(hello.name.as_str().to_owned());
            self.extended = hello.extended;
        }
        let mail = ask.mail().clone();
        let queue_id: QueueId = self.context.ids.next();
        let Some((speaker, direction)) = self.speaker(queue_id, &mail.reverse_path) else {
            return ask.refuse(&Refusal::new(
                codes::AUTH_REQUIRED,
                "Sign in first: AUTH PLAIN or LOGIN",
            ));
        };
        match sender::decide(speaker, self.context.queue.store.admission()) {
            Ok(()) => {
                self.open = Some(Box::new(Transaction::new(direction, mail)));
                ask.accept()
            }
            Err(refusal) => {
                self.tell_sender(queue_id, sender_text(&mail.reverse_path), &refusal);
                ask.refuse(&refusal)
            }
        }
    }

    /// Who speaks follows from the door and the sign-in, from nothing else. `None`: a submitter who has not signed in.
    fn speaker(&self, queue_id: QueueId, path: &Path) -> Option<(Speaker, Direction)> {
        let (path, now) = (path.clone(), self.context.queue.clock.now());
        Some(match self.door.setup.flavour {
            Flavour::Mx => (
                Speaker::Stranger,
                Direction::Stranger(Envelope::new(queue_id, path, now, Stranger)),
            ),
            Flavour::Lmtp => (
                Speaker::LocalProgram,
                Direction::Local(Envelope::new(queue_id, path, now, LocalProgram)),
            ),
            Flavour::Submission => {
                if let Some(user) = self.trusted.clone() {
                    let speaker = Speaker::User {
                        welcome: true,
                        own_address: path.mailbox().is_none_or(|mailbox| user.may_send_as(mailbox)),
                    };
                    let direction = Direction::Trusted {
                        envelope: Envelope::new(queue_id, path, now, LocalUser::by(&user)),
                        grant: RelayGrant::for_local_user(&user),
                        user,
                    };
                    return Some((speaker, direction));
                }
                let user = self.user.clone()?;
                let speaker = Speaker::User {
                    welcome: user.still_welcome(),
                    own_address: path.mailbox().is_none_or(|mailbox| user.may_send_as(mailbox)),
                };
                let direction = Direction::User {
                    envelope: Envelope::new(queue_id, path, now, Submitted::by(&user)),
                    grant: RelayGrant::for_submitter(&user),
                    user,
                };
                (speaker, direction)
            }
        })
    }

    /// Step 4.
    fn recipient(&mut self, ask: AskRecipient<Proof>) -> Step<Proof> {
        let Some(mut open) = self.open.take() else {
            return ask.refuse(&Refusal::new(
                codes::BAD_SEQUENCE,
                "Name the sender first: MAIL FROM:<address>",
            ));
        };
        let step = self.rule(&mut open, ask);
        self.open = Some(open);
        step
    }

    fn rule(&mut self, open: &mut Transaction, ask: AskRecipient<Proof>) -> Step<Proof> {
        // Postmaster is for everybody, whatever else they asked for (RFC 5321 §4.5.1).
        if ask.mailbox().is_some() && self.is_stranger() && !self.context.guard.may_name(self.peer()) {
            return ask.close();
        }
        let resolution = self.resolve(&open.mail.reverse_path, ask.mailbox());
        let room = self.room(open, &resolution);
        let evidence = recipient::Evidence {
            known: known(&resolution, &room),
            recipients: open.recipients,
            may_relay: open.may_relay(),
        };
        let params = wishes::of_recipient(ask.wishes());
        match (recipient::decide(evidence), resolution, ask.mailbox().cloned()) {
            (Ruling::Local, Resolution::Local(reached), asked_for) => {
                self.known_recipients += 1;
                self.count_named(true);
                open.reservations.extend(room.made);
                open.add_reached(asked_for.as_ref(), reached, &params);
                ask.accept()
            }
            (Ruling::Remote, _, Some(mailbox)) if open.add_remote(&mailbox, params.clone()) => {
                ask.accept_remote()
            }
            (Ruling::Unknown(refusal), ..) => self.refuse_unknown(open.queue_id(), ask, &refusal),
            (Ruling::Refused(refusal), ..) => {
                self.tell_recipient(open.queue_id(), &ask, &refusal);
                ask.refuse(&refusal)
            }
            (Ruling::Local | Ruling::Remote, ..) => ask.refuse(&Refusal::new(
                codes::RELAY_REFUSED,
                "That recipient cannot be taken here",
            )),
        }
    }

    /// What the directory says of the address; of none: of postmaster's.
    fn resolve(&self, reverse_path: &Path, mailbox: Option<&Mailbox>) -> Resolution {
        let directory = &self.context.directory;
        let vouched = if self.is_stranger() {
            Vouched::No
        } else {
            Vouched::Yes
        };
        match mailbox {
            Some(mailbox) => directory.resolve_from(mailbox, reverse_path, vouched),
            None => directory.resolve_postmaster_from(reverse_path, vouched),
        }
    }

    /// Holds room in the mailboxes that the message did not reach before.
    fn room(&self, open: &Transaction, resolution: &Resolution) -> Room {
        // Without SIZE one octet is asked for: is there any room at all?
        let size_bytes = open.mail.size_bytes.unwrap_or(0).max(1);
        let (held, new): (Vec<_>, Vec<_>) = resolution
            .recipients()
            .iter()
            .partition(|of| open.reservations.contains_key(&of.account()));
        let reserve =
            |of: &LocalRecipient| Some((of.account(), self.context.directory.reserve(of, size_bytes)?));
        let made: Vec<_> = new.into_iter().filter_map(reserve).collect();
        Room {
            is_any: !made.is_empty() || !held.is_empty(),
            made,
        }
    }

    /// Nobody has this name. Who seems to guess is sent away.
    fn refuse_unknown(
        &mut self,
        queue_id: QueueId,
        ask: AskRecipient<Proof>,
        refusal: &Refusal,
    ) -> Step<Proof> {
        self.unknown_recipients += 1;
        self.tell_recipient(queue_id, &ask, refusal);
        let goes_on = self.count_named(false);
        if !goes_on || recipient::is_guessing(self.unknown_recipients, self.known_recipients) {
            return ask.close();
        }
        ask.refuse(refusal)
    }

    fn is_stranger(&self) -> bool {
        self.door.setup.flavour == Flavour::Mx
    }

    /// Over all sessions of the address; false when it is sent away.
    fn count_named(&self, exists: bool) -> bool {
        !self.is_stranger() || self.context.guard.named(self.peer(), exists)
    }

    /// Sends what waits, then waits for input, for the deadline, or for the end of the program.
    pub async fn wait(&mut self, deadline: Monotonic) -> Waited {
        if self.flush().await.is_err() {
            return Waited::Gone;
        }
        tokio::select! {
            biased;
            () = stopping(&mut self.shutdown) => Waited::Stopping,
            read = self.conn.fill(deadline) => match read {
                Ok(0) => Waited::Gone,
                Ok(_) => Waited::More,
                Err(ReadError::TimedOut) => Waited::TimedOut,
                Err(_) => Waited::Gone,
            },
        }
    }

    pub async fn flush(&mut self) -> Result<(), WriteError> {
        let deadline = Monotonic(self.now().0 + REPLY);
        let sent = self.conn.flush(deadline).await;
        self.afterwards.tell();
        sent
    }

    async fn close(&mut self, reply: Option<&Reply>) {
        let ours = reply.is_none_or(|reply| reply.code() != 221);
        if ours {
            let (door, peer) = (self.door.kind.name(), self.peer());
            let reason = reply.map_or_else(String::new, |reply| {
                format!("{} {}", reply.code(), reply.last_text())
            });
            self.tell(&ReceiveEvent::SessionClosed { door, peer, reason });
        }
        if let Some(reply) = reply {
            self.conn.write(reply.as_bytes());
        }
        close(self.conn, ours).await;
    }

    pub fn now(&self) -> Monotonic {
        self.context.queue.clock.monotonic()
    }

    pub fn command_deadline(&self) -> Monotonic {
        let command = Monotonic(self.now().0 + COMMAND);
        // Between two chunks the time of the message goes on.
        let message = self.open.as_ref().and_then(|open| open.message_until);
        message.map_or(command, |message| message.min(command))
    }

    pub fn tell(&self, event: &ReceiveEvent) {
        self.context.queue.events.emit(event);
    }

    pub fn tell_cut_off(&self, transaction: &Transaction, size_bytes: u64) {
        let (queue_id, door, peer) = (transaction.queue_id(), self.door.kind.name(), self.peer());
        self.tell(&ReceiveEvent::CutOff {
            queue_id,
            door,
            peer,
            size_bytes,
        });
    }

    /// A whole message came. Whatever becomes of it, the log says so after the reply.
    pub fn tell_arrived(&mut self, transaction: &Transaction, size_bytes: u64) {
        // Chunks of many messages may come without a pause for replies.
        self.afterwards.tell();
        let arrived = ReceiveEvent::Arrived {
            queue_id: transaction.queue_id(),
            door: self.door.kind.name(),
            peer: self.peer(),
            hello: self.hello.as_deref().unwrap_or("").to_owned(),
            tls: self.tls.map_or("", |facts| facts.version.as_str()),
            from: transaction.sender_text(),
            size_bytes,
        };
        self.afterwards.later(arrived);
    }

    pub fn tell_refused(&mut self, transaction: &Transaction, size_bytes: u64, refusal: &Refusal) {
        // In the order of events.
        self.afterwards.tell();
        self.tell(&ReceiveEvent::MessageRefused {
            queue_id: transaction.queue_id(),
            door: self.door.kind.name(),
            peer: self.peer(),
            from: transaction.sender_text(),
            to: transaction.first_recipients(),
            size_bytes,
            code: u64::from(refusal.code.code()),
            reason: refusal.text.clone().into_owned(),
        });
    }

    fn tell_sender(&self, queue_id: QueueId, from: String, refusal: &Refusal) {
        self.tell(&ReceiveEvent::SenderRefused {
            queue_id,
            door: self.door.kind.name(),
            peer: self.peer(),
            from,
            code: u64::from(refusal.code.code()),
            reason: refusal.text.clone().into_owned(),
        });
    }

    fn tell_recipient(&self, queue_id: QueueId, ask: &AskRecipient<Proof>, refusal: &Refusal) {
        self.tell(&ReceiveEvent::RecipientRefused {
            queue_id,
            door: self.door.kind.name(),
            peer: self.peer(),
            to: ask
                .mailbox()
                .map_or_else(|| "postmaster".to_owned(), ToString::to_string),
            code: u64::from(refusal.code.code()),
            reason: refusal.text.clone().into_owned(),
        });
    }

    pub fn peer(&self) -> std::net::IpAddr {
        canonical(self.conn.peer().addr.ip())
    }
}

/// Ends a connection. A client that we cut short may still be sending: it gets the time to read why.
pub(crate) async fn close(conn: &mut Driver, linger: bool) {
    let deadline = Monotonic(conn.clock().monotonic().0 + LINGER);
    // A peer that does not take our goodbye has nothing more to learn from us.
    let _ = if linger {
        conn.close_lingering(deadline).await
    } else {
        conn.close(deadline).await
    };
}

/// Completes when the program stops.
async fn stopping(shutdown: &mut watch::Receiver<bool>) {
    if shutdown.wait_for(|stopping| *stopping).await.is_err() {
        // Nobody can stop it any more.
        std::future::pending::<()>().await;
    }
}
