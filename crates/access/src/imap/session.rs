//! One session: its state, and which file handles which command.

use std::sync::Arc;

use directory::SignedIn;
use imap::answer::Answer;
use imap::capability::{Offer, capabilities};
use imap::command::{Command, Request, Select};
use imap::frame::{Frame, Progress};
use imap::mode::Mode;
use imap::out::Code;
use imap::parse;
use imap::state::{Authenticated, NotAuthenticated, Permit, Selected, Stage, permit};
use mailbox::{Expunges, Opened, Person, Standing, Telling};
use store::durable::Durable;
use world::clock::Monotonic;
use world::line::Driver;
use world::net::Peer;

use super::Context;
use super::commands;
use super::contexts;
use super::dispatch::{self, ONLY_UIDS};
use super::io::{Io, Stop};
use super::notices::{self, Notify};
use super::refusal::Refusal;
use super::rights;
use super::updates::tell;
use crate::conduct::Conduct;
use crate::door::{Conversation, End, Start};
use crate::events::AccessEvent;
use crate::limits::IDLE;
use crate::other_protocol::is_other_protocol;
use crate::sign_in::{No, Outcome};

/// The proof that a change's `OK` takes.
pub(crate) type Proof = Durable<()>;
/// The answer owed to a reading command.
pub(crate) type Reading = imap::answer::Reading;
/// The answer owed to a change.
pub(crate) type Change = imap::answer::Change<Proof>;

/// What comes after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// the next one
    Go,
    /// the handshake
    StartTls,
    /// the end; the last words are written
    Close,
}

/// Somebody signed in.
pub(crate) struct User {
    pub(crate) who: SignedIn,
    pub(crate) person: Person,
    /// the client knows mod-sequences (RFC 7162 §3.1)
    pub(crate) condstore: bool,
    /// the client is told UIDs that went, not sequence numbers (RFC 7162 §3.2)
    pub(crate) qresync: bool,
    /// sequence numbers are neither taken nor told (RFC 9586)
    pub(crate) uid_only: bool,
    /// results of the open mailbox that are kept up to date (RFC 5267)
    pub(crate) contexts: Vec<contexts::Context>,
    /// what it is told without asking (RFC 5465)
    pub(crate) notify: Notify,
}

/// What a command is given.
pub(crate) struct Cx<'s, 'd> {
    pub(crate) ctx: &'s Context,
    pub(crate) io: &'s mut Io<'d>,
    pub(crate) peer: Peer,
}

enum State {
    Guest(NotAuthenticated),
    User(Box<Authenticated<User>>),
    Mailbox(Box<Selected<User, Opened>>),
    /// only while one state becomes another
    Moving,
}

/// One session.
pub(crate) struct Session<'c> {
    ctx: &'c Arc<Context>,
    peer: Peer,
    state: State,
    conduct: Conduct<'c>,
    /// signing in is allowed without going over to TLS first
    private: bool,
    /// COMPRESS is active
    compressed: bool,
    can_start_tls: bool,
}

impl<'c> Session<'c> {
    pub(crate) fn new(ctx: &'c Arc<Context>, start: Start) -> Self {
        Self {
            ctx,
            peer: start.peer,
            state: State::Guest(NotAuthenticated::new(start.private)),
            conduct: Conduct::new(ctx, start),
            private: start.private,
            compressed: false,
            can_start_tls: start.can_start_tls,
        }
    }
}

impl Conversation for Session<'_> {
    /// Greets, then serves.
    async fn greet(&mut self, driver: &mut Driver) -> End {
        let mut out = imap::out::Out::new();
        out.ok(Some(&Code::Capability(&self.capabilities())), "Hearthpost ready");
        driver.write(out.bytes());
        drop(out);
        self.serve(driver).await
    }

    /// Serves commands until the end. Between commands nothing but this future is held.
    async fn serve(&mut self, driver: &mut Driver) -> End {
        let mut io = Io::new(driver, self.ctx.shutdown.clone());
        let mut deadline = self.deadline(&io);
        loop {
            let heard = tokio::select! {
                biased;
                heard = io.next(deadline) => Some(heard),
                () = self.news() => None,
            };
            let next = match heard {
                Some(Ok(progress)) => {
                    let next = Box::pin(self.act(&mut io, progress)).await;
                    deadline = self.deadline(&io);
                    next
                }
                Some(Err(stop)) => Err(stop),
                None => Box::pin(self.tell_news(&mut io)).await,
            };
            match next {
                Ok(Next::Go) => {}
                Ok(Next::StartTls) => {
                    io.hold();
                    return End::StartTls;
                }
                Ok(Next::Close) => {
                    Box::pin(io.close()).await;
                    return End::Closed;
                }
                Err(stop) => {
                    Box::pin(farewell(&mut io, stop)).await;
                    return End::Closed;
                }
            }
        }
    }
}

impl Session<'_> {
    /// Waits until there is something to tell between commands.
    async fn news(&mut self) {
        match &mut self.state {
            State::Mailbox(selected) => {
                let Selected { who, mailbox } = selected.as_mut();
                notices::changed(who, Some(mailbox)).await;
            }
            State::User(user) => notices::changed(&mut user.who, None).await,
            State::Guest(_) | State::Moving => std::future::pending().await,
        }
    }

    fn notifies(&self) -> bool {
        match &self.state {
            State::Mailbox(selected) => selected.who.notify.is_set(),
            State::User(user) => user.who.notify.is_set(),
            State::Guest(_) | State::Moving => false,
        }
    }

    /// Tells what is to be told without asking, or after a command.
    async fn tell_news(&mut self, io: &mut Io<'_>) -> Result<Next, Stop> {
        let (ctx, peer) = (self.ctx, self.peer);
        let mut cx = Cx { ctx, io, peer };
        let (user, opened) = match &mut self.state {
            State::Mailbox(selected) => {
                let Selected { who, mailbox } = selected.as_mut();
                (who, Some(mailbox))
            }
            State::User(user) => (&mut user.who, None),
            State::Guest(_) | State::Moving => return Ok(Next::Go),
        };
        if !user.who.still_welcome() {
            cx.io.out.bye(None, "This account is not enabled any more");
            return Ok(Next::Close);
        }
        notices::tell(&mut cx, user, opened).await?;
        Ok(Next::Go)
    }

    /// Before sign-in one deadline for everything, after it one for each wait.
    fn deadline(&self, io: &Io<'_>) -> Monotonic {
        match self.state {
            State::Guest(_) => self.conduct.sign_in_until(),
            _ => io.after(IDLE),
        }
    }

    fn stage(&self) -> Stage {
        match &self.state {
            State::Guest(guest) => guest.stage(),
            State::User(_) => Stage::Authenticated,
            State::Mailbox(_) => Stage::Selected,
            State::Moving => Stage::Logout,
        }
    }

    /// What CAPABILITY says now.
    fn capabilities(&self) -> String {
        let offer = Offer {
            can_start_tls: self.can_start_tls,
            append_limit_bytes: self.ctx.own.append_limit_bytes,
            compressed: self.compressed,
            scram: self.ctx.directory.offers_scram(),
            message_limit: self.ctx.own.message_limit,
        };
        capabilities(self.stage(), offer)
    }

    async fn act(&mut self, io: &mut Io<'_>, progress: Progress) -> Result<Next, Stop> {
        let next = match progress {
            Progress::Command(frame) => self.command(io, &frame).await?,
            Progress::Append(frame) => self.append(io, &frame).await?,
            Progress::Refused(refused) if refused.why.is_limit() => {
                io.out.refuse_no(
                    refused.tag.as_ref(),
                    Some(&Code::TooBig),
                    &refused.why.to_string(),
                );
                self.mistake(io)
            }
            Progress::Refused(refused) => {
                io.out
                    .refuse(refused.tag.as_ref(), None, &refused.why.to_string());
                self.mistake(io)
            }
            Progress::Close(why) => {
                io.out.bye(None, &why.to_string());
                Next::Close
            }
            // Raw lines and messages are asked for inside the commands that take them.
            _ => {
                io.out.bye(None, "The server lost its place in the conversation");
                Next::Close
            }
        };
        io.end();
        if let State::Mailbox(selected) = &mut self.state {
            let Selected { who, mailbox } = selected.as_mut();
            if mailbox.is_unsettled() {
                let (ctx, peer) = (self.ctx, self.peer);
                let mut cx = Cx { ctx, io, peer };
                Box::pin(contexts::settle(&mut cx, who, mailbox)).await?;
            }
        }
        if next == Next::Go && self.notifies() {
            return Box::pin(self.tell_news(io)).await;
        }
        io.send().await?;
        Ok(next)
    }

    async fn command(&mut self, io: &mut Io<'_>, frame: &Frame) -> Result<Next, Stop> {
        if matches!(self.state, State::Guest(_)) {
            if is_other_protocol(frame.bytes()) {
                self.conduct.other_protocol();
                return Ok(Next::Close);
            }
            if let Some(pause) = self.conduct.pause(io.now()) {
                io.pause(pause).await?;
                self.conduct.resumed(io.now());
            }
        }
        let request = match parse::request_in(frame.bytes(), io.mode) {
            Ok(request) => request,
            Err(bad) => {
                bad.write(&mut io.out);
                return Ok(self.mistake(io));
            }
        };
        io.begin(&request.tag);
        let answer = Answer::<Proof>::to(&request);
        match permit(self.stage(), self.can_start_tls, request.command.verb()) {
            Permit::Yes => {}
            Permit::NeedsPrivacy => {
                answer.no(
                    &mut io.out,
                    Some(Code::PrivacyRequired),
                    Permit::NeedsPrivacy.text(),
                );
                return Ok(self.mistake(io));
            }
            other => {
                answer.bad(&mut io.out, None, other.text());
                return Ok(self.mistake(io));
            }
        }
        self.permitted(io, request, answer).await
    }

    async fn permitted(
        &mut self,
        io: &mut Io<'_>,
        request: Request,
        answer: Answer<Proof>,
    ) -> Result<Next, Stop> {
        match (request.command, answer) {
            (Command::Capability, Answer::Reading(answer)) => {
                io.out.capability(&self.capabilities());
                answer.ok(&mut io.out, None);
            }
            (Command::Id(_), Answer::Reading(answer)) => {
                io.out
                    .id(&[("name", "Hearthpost"), ("version", env!("CARGO_PKG_VERSION"))]);
                answer.ok(&mut io.out, None);
            }
            (Command::Logout, Answer::Reading(answer)) => {
                io.out.bye(None, "Until next time");
                answer.ok(&mut io.out, None);
                return Ok(Next::Close);
            }
            (Command::StartTls, Answer::Reading(answer)) => {
                answer.ok_with(&mut io.out, None, "Begin TLS now");
                return Ok(Next::StartTls);
            }
            (Command::Login(login), Answer::Reading(answer)) => {
                let mut cx = Cx {
                    ctx: self.ctx,
                    io,
                    peer: self.peer,
                };
                let outcome = Box::pin(commands::login::run(&mut cx, &login, self.can_start_tls)).await;
                return self.sign_in(io, outcome, answer).await;
            }
            (Command::Authenticate(authenticate), Answer::Reading(answer)) => {
                let until = self.deadline(io);
                let mut cx = Cx {
                    ctx: self.ctx,
                    io,
                    peer: self.peer,
                };
                let signing_in =
                    commands::authenticate::run(&mut cx, authenticate, self.can_start_tls, until);
                let outcome = Box::pin(signing_in).await?;
                return self.sign_in(io, outcome, answer).await;
            }
            (Command::Language(ranges), Answer::Reading(answer)) => {
                commands::language::run(io, &ranges, answer);
            }
            (Command::Noop, Answer::Reading(answer)) if matches!(self.state, State::Guest(_)) => {
                answer.ok(&mut io.out, None);
            }
            (command, answer) => return self.signed_in(io, command, answer).await,
        }
        Ok(Next::Go)
    }

    /// Commands of somebody who signed in. Those that change the state are here; the others have files of their own.
    async fn signed_in(
        &mut self,
        io: &mut Io<'_>,
        command: Command,
        answer: Answer<Proof>,
    ) -> Result<Next, Stop> {
        if !self.is_still_welcome() {
            io.out.bye(None, "This account is not enabled any more");
            return Ok(Next::Close);
        }
        let (ctx, peer) = (self.ctx, self.peer);
        let mut cx = Cx { ctx, io, peer };
        let readable = match self.look_at_rights(&mut cx).await {
            Ok(readable) => readable,
            Err(refusal) => {
                answer.no(&mut cx.io.out, refusal.code, &refusal.text);
                return Ok(Next::Go);
            }
        };
        if !readable && rights::is_about_the_open_mailbox(command.verb()) {
            answer.no(&mut cx.io.out, Some(Code::NoPerm), rights::WITHDRAWN);
            return Ok(Next::Go);
        }
        match (command, answer) {
            (Command::Select(select), Answer::Reading(answer)) => {
                self.select(&mut cx, &select, false, answer).await
            }
            (Command::Examine(select), Answer::Reading(answer)) => {
                self.select(&mut cx, &select, true, answer).await
            }
            (Command::Unselect, Answer::Reading(answer)) => {
                self.leave_mailbox();
                answer.ok(&mut cx.io.out, None);
                Ok(Next::Go)
            }
            (Command::Close, Answer::Change(answer)) => self.close(&mut cx, answer).await,
            (Command::Compress(mechanism), Answer::Reading(answer)) => {
                self.compress(cx.io, &mechanism, answer).await
            }
            (Command::Unauthenticate, Answer::Reading(answer)) => self.unauthenticate(cx.io, answer).await,
            (command, answer) => self.hand_on(&mut cx, readable, command, answer).await,
        }
    }

    fn is_still_welcome(&self) -> bool {
        match &self.state {
            State::User(user) => user.who.who.still_welcome(),
            State::Mailbox(selected) => selected.who.who.still_welcome(),
            State::Guest(_) | State::Moving => false,
        }
    }

    /// To the file of the command.
    async fn hand_on(
        &mut self,
        cx: &mut Cx<'_, '_>,
        readable: bool,
        command: Command,
        answer: Answer<Proof>,
    ) -> Result<Next, Stop> {
        match &mut self.state {
            State::Mailbox(selected) => {
                let Selected { who, mailbox } = selected.as_mut();
                match readable {
                    true => dispatch::in_mailbox(cx, who, mailbox, command, answer).await,
                    false => dispatch::of_user(cx, who, None, command, answer).await,
                }
            }
            State::User(user) => dispatch::of_user(cx, &mut user.who, None, command, answer).await,
            State::Guest(_) | State::Moving => {
                answer.bad(&mut cx.io.out, None, Permit::NeedsSignIn.text());
                Ok(Next::Go)
            }
        }
    }

    /// Whether the open mailbox, if there is one, may still be read. `Err`: nobody can say now.
    async fn look_at_rights(&mut self, cx: &mut Cx<'_, '_>) -> Result<bool, Refusal> {
        let State::Mailbox(selected) = &mut self.state else {
            return Ok(true);
        };
        let Selected { who, mailbox } = selected.as_mut();
        match rights::look(cx, who, mailbox).await {
            Ok(standing) => Ok(matches!(standing, Standing::Same | Standing::Changed)),
            Err(error) => Err(cx.refusal(who, &error)),
        }
    }

    /// The head of an APPEND; its message is still on the way.
    async fn append(&mut self, io: &mut Io<'_>, frame: &Frame) -> Result<Next, Stop> {
        let request = match parse::request_in(frame.bytes(), io.mode) {
            Ok(request) => request,
            Err(bad) => {
                bad.write(&mut io.out);
                return Ok(commands::append::turn_away(io));
            }
        };
        io.begin(&request.tag);
        let answer = Answer::<Proof>::to(&request);
        let (ctx, peer) = (self.ctx, self.peer);
        let mut cx = Cx { ctx, io, peer };
        // Where nobody can say, nothing is told of the open mailbox either.
        let readable = self.look_at_rights(&mut cx).await.unwrap_or(false);
        let (user, opened) = match &mut self.state {
            State::User(user) => (&mut user.who, None),
            State::Mailbox(selected) => {
                let Selected { who, mailbox } = selected.as_mut();
                (who, Some(mailbox).filter(|_| readable))
            }
            State::Guest(_) | State::Moving => return Err(Stop::Gone),
        };
        if user.uid_only && request.command.uses_sequence_numbers() {
            answer.bad(&mut cx.io.out, Some(Code::UidRequired), ONLY_UIDS);
            return Ok(commands::append::turn_away(cx.io));
        }
        match (request.command, answer, opened) {
            (Command::Append(append), Answer::Change(answer), opened) => {
                Box::pin(commands::append::run(&mut cx, user, opened, &append, answer)).await
            }
            (Command::Replace(replace), Answer::Change(answer), Some(opened)) => {
                Box::pin(commands::replace::run(&mut cx, user, opened, &replace, answer)).await
            }
            (Command::Replace(_), Answer::Change(answer), None) => {
                match readable {
                    true => answer.bad(&mut cx.io.out, None, Permit::NeedsMailbox.text()),
                    false => answer.no(&mut cx.io.out, Some(Code::NoPerm), rights::WITHDRAWN),
                }
                Ok(commands::append::turn_away(cx.io))
            }
            _ => Err(Stop::Gone),
        }
    }

    async fn sign_in(&mut self, io: &mut Io<'_>, outcome: Outcome, answer: Reading) -> Result<Next, Stop> {
        let who = match outcome {
            Outcome::Welcome(who) => who,
            Outcome::Wrong(text) => {
                answer.bad(&mut io.out, None, text);
                return Ok(self.mistake(io));
            }
            Outcome::Refused(no) => return self.refuse(io, no, answer).await,
        };
        let person = self.ctx.mailboxes.person(&who);
        let user = User {
            who,
            person,
            condstore: false,
            qresync: false,
            uid_only: false,
            contexts: Vec::new(),
            notify: Notify::Unset,
        };
        if let State::Guest(guest) = std::mem::replace(&mut self.state, State::Moving) {
            self.state = State::User(Box::new(guest.signed_in(user)));
        }
        self.can_start_tls = false;
        self.conduct.signed_in();
        io.framer.signed_in();
        let capabilities = self.capabilities();
        answer.ok_with(&mut io.out, Some(Code::Capability(&capabilities)), "Signed in");
        Ok(Next::Go)
    }

    /// Says no after a pause that grows; ends the connection after too many refusals.
    async fn refuse(&mut self, io: &mut Io<'_>, no: No, answer: Reading) -> Result<Next, Stop> {
        io.pause(self.conduct.refused_sign_in()).await?;
        answer.no(&mut io.out, Some(commands::login::code(no)), no.text());
        if !self.conduct.was_the_last_sign_in() {
            return Ok(Next::Go);
        }
        io.out.bye(None, "Too many refused sign-ins");
        Ok(Next::Close)
    }

    /// COMPRESS (RFC 4978).
    async fn compress(&mut self, io: &mut Io<'_>, mechanism: &str, answer: Reading) -> Result<Next, Stop> {
        if mechanism != "DEFLATE" {
            let text = "DEFLATE is the one mechanism here";
            answer.no(&mut io.out, Some(Code::Cannot), text);
        } else if io.is_compressed() {
            let text = "Compression is active already";
            answer.no(&mut io.out, Some(Code::CompressionActive), text);
        } else {
            answer.ok_with(&mut io.out, None, "DEFLATE active");
            io.compress().await?;
            self.compressed = true;
        }
        Ok(Next::Go)
    }

    async fn unauthenticate(&mut self, io: &mut Io<'_>, answer: Reading) -> Result<Next, Stop> {
        self.sign_out(io);
        answer.ok(&mut io.out, None);
        // RFC 8437 §4: layers that came with the sign-in end with its `OK`.
        io.end_compression().await?;
        self.compressed = false;
        Ok(Next::Go)
    }

    /// UNAUTHENTICATE (RFC 8437): as after the greeting, with nothing of the one who was signed in, nothing switched on, and
    /// another minute to sign in. The count of refused sign-ins stays.
    fn sign_out(&mut self, io: &mut Io<'_>) {
        drop(self.leave_mailbox());
        if let State::User(user) = std::mem::replace(&mut self.state, State::Moving) {
            let (guest, _user) = user.sign_out(self.private);
            self.state = State::Guest(guest);
        }
        io.switch(Mode::default());
        io.framer.signed_out();
        self.conduct.signed_out(io.now());
    }

    /// SELECT and EXAMINE. What was open stays until the new one is: if it is the same mailbox, its view need not be read again.
    async fn select(
        &mut self,
        cx: &mut Cx<'_, '_>,
        select: &Select,
        read_only: bool,
        answer: Reading,
    ) -> Result<Next, Stop> {
        let (may_resync, uid_only) = match &self.state {
            State::User(user) => (user.who.qresync, user.who.uid_only),
            State::Mailbox(selected) => (selected.who.qresync, selected.who.uid_only),
            State::Guest(_) | State::Moving => (false, false),
        };
        if select.resync.is_some() && !may_resync {
            answer.bad(&mut cx.io.out, None, "ENABLE QRESYNC first");
            return Ok(Next::Go);
        }
        if uid_only
            && select
                .resync
                .as_ref()
                .is_some_and(|resync| resync.matches.is_some())
        {
            answer.bad(&mut cx.io.out, Some(Code::UidRequired), ONLY_UIDS);
            return Ok(Next::Go);
        }
        let before = self.leave_mailbox();
        if before.is_some() {
            // RFC 7162 §3.2.11: what follows is about the new mailbox.
            cx.io.out.ok(Some(&Code::Closed), "The mailbox before is closed");
        }
        if let State::User(user) = &mut self.state {
            let opening = commands::select::run(cx, &mut user.who, select, read_only, answer);
            let opened = Box::pin(opening).await?;
            self.enter_mailbox(opened);
        }
        drop(before);
        Ok(Next::Go)
    }

    /// CLOSE: what is marked goes first; when that fails, the mailbox stays open.
    async fn close(&mut self, cx: &mut Cx<'_, '_>, answer: Change) -> Result<Next, Stop> {
        if let State::Mailbox(selected) = &self.state {
            let (user, opened) = (&selected.who, &selected.mailbox);
            if !Box::pin(commands::close::run(cx, user, opened, answer)).await {
                return Ok(Next::Go);
            }
        }
        self.leave_mailbox();
        Ok(Next::Go)
    }

    /// Leaves the open mailbox, if there is one.
    fn leave_mailbox(&mut self) -> Option<Opened> {
        match std::mem::replace(&mut self.state, State::Moving) {
            State::Mailbox(selected) => {
                let (mut user, opened) = selected.close();
                // RFC 5267 §4.3: they end with the mailbox.
                user.who.contexts.clear();
                self.state = State::User(Box::new(user));
                Some(opened)
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    fn enter_mailbox(&mut self, opened: Option<Opened>) {
        let Some(mut opened) = opened else { return };
        if let State::User(user) = &self.state {
            opened.watch_new(!user.who.notify.items().is_empty());
        }
        self.state = match std::mem::replace(&mut self.state, State::Moving) {
            State::User(user) => State::Mailbox(Box::new(user.select(opened))),
            other => other,
        };
    }

    /// Counts a protocol error; too many end the session.
    fn mistake(&mut self, io: &mut Io<'_>) -> Next {
        if !self.conduct.mistake() {
            return Next::Go;
        }
        io.out.bye(None, "Too many errors");
        Next::Close
    }
}

impl Cx<'_, '_> {
    /// Tells what changed in the open mailbox.
    pub(crate) fn tell(&mut self, user: &User, opened: &mut Opened, expunges: Expunges) -> Result<(), Stop> {
        let telling = user.notify.telling(expunges);
        if tell(&mut self.io.out, opened, user, telling) {
            Ok(())
        } else {
            Err(Stop::MailboxGone)
        }
    }

    /// The same after a command that removes messages: that they went is its answer, whatever NOTIFY says.
    pub(crate) fn tell_gone(&mut self, user: &User, opened: &mut Opened) -> Result<(), Stop> {
        let telling = Telling {
            expunges: Expunges::Tell,
            ..user.notify.telling(Expunges::Tell)
        };
        if tell(&mut self.io.out, opened, user, telling) {
            Ok(())
        } else {
            Err(Stop::MailboxGone)
        }
    }

    /// Why something was not done, for the client; and for the operator, if it concerns them.
    pub(crate) fn refusal(&self, user: &User, error: &mailbox::Error) -> Refusal {
        let refusal = Refusal::from(error);
        if refusal.alarming {
            let (address, reason) = (user.who.address().to_string(), error.to_string());
            self.ctx
                .events
                .emit(&AccessEvent::StoreRefused { address, reason });
        }
        refusal
    }

    /// `NO` to a reading command.
    pub(crate) fn no_reading(&mut self, user: &User, answer: Reading, error: &mailbox::Error) {
        let refusal = self.refusal(user, error);
        answer.no(&mut self.io.out, refusal.code, &refusal.text);
    }

    /// `NO` to a change.
    pub(crate) fn no_change(&mut self, user: &User, answer: Change, error: &mailbox::Error) {
        let refusal = self.refusal(user, error);
        answer.no(&mut self.io.out, refusal.code, &refusal.text);
    }
}

async fn farewell(io: &mut Io<'_>, stop: Stop) {
    match stop {
        Stop::Gone => {}
        Stop::TimedOut => io.goodbye("Nothing was heard for too long").await,
        Stop::Shutdown => {
            io.goodbye("The server is about to restart; come back in a moment")
                .await
        }
        Stop::MailboxGone => io.goodbye("The open mailbox was deleted").await,
    }
}
