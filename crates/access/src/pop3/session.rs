//! One session: its state, and which file handles which command.

use std::sync::Arc;

use directory::{Password, SignedIn};
use pop3::capability::{self, Offer};
use pop3::limits::COMMAND_LINE_BYTES;
use pop3::state::{Stage, permit};
use pop3::{Authorization, Code, Command, Out, Permit, Transaction};
use world::clock::Monotonic;
use world::line::Driver;
use world::net::Peer;

use super::Context;
use super::commands::{self, quit::Proof};
use super::io::{Io, Stop};
use super::maildrop::{Maildrop, octets};
use super::refusal;
use crate::conduct::Conduct;
use crate::door::{Conversation, End, Start};
use crate::limits::POP3_IDLE;
use crate::other_protocol::is_other_protocol;
use crate::sign_in::Outcome;

/// Somebody's session after the sign-in.
pub(crate) type Inbox = Transaction<Maildrop, Proof>;

/// What comes after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// the next one
    Go,
    /// the handshake
    StartTls,
    /// the end; the last words are written
    Close,
}

/// What a sign-in is given.
pub(crate) struct Cx<'s, 'd> {
    pub(crate) ctx: &'s Context,
    pub(crate) io: &'s mut Io<'d>,
    pub(crate) peer: Peer,
    /// the door of the sign-in, for the log
    pub(crate) plaintext: bool,
}

enum State {
    Guest(Authorization),
    User(Box<Inbox>),
    /// only while one state becomes another
    Moving,
}

/// One session.
pub(crate) struct Session<'c> {
    ctx: &'c Arc<Context>,
    peer: Peer,
    state: State,
    conduct: Conduct<'c>,
    /// there is no TLS below
    plaintext: bool,
}

impl<'c> Session<'c> {
    pub(crate) fn new(ctx: &'c Arc<Context>, start: Start) -> Self {
        Self {
            ctx,
            peer: start.peer,
            state: State::Guest(Authorization::new(start.private, start.can_start_tls)),
            conduct: Conduct::new(ctx, start),
            plaintext: start.can_start_tls,
        }
    }
}

impl Conversation for Session<'_> {
    /// Greets, then serves. No `<timestamp>` stands in the greeting, since there is no APOP.
    async fn greet(&mut self, driver: &mut Driver) -> End {
        let mut out = Out::default();
        out.ok("Hearthpost ready");
        driver.write(&out.take());
        self.serve(driver).await
    }

    /// Serves commands until the end. Between commands nothing but this future is held.
    async fn serve(&mut self, driver: &mut Driver) -> End {
        let mut io = Io::new(driver, self.ctx.shutdown.clone());
        loop {
            let deadline = self.deadline(&io);
            let next = match io.line(COMMAND_LINE_BYTES, deadline).await {
                Ok(Ok(line)) => Box::pin(self.line(&mut io, &line)).await,
                Ok(Err(fault)) => {
                    io.out.err(None, &format!("That is no command: {fault}"));
                    Ok(self.mistake(&mut io))
                }
                Err(stop) => Err(stop),
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
                    // The account's place is free before the client has heard of it.
                    self.state = State::Moving;
                    Box::pin(farewell(&mut io, stop)).await;
                    return End::Closed;
                }
            }
        }
    }
}

impl Session<'_> {
    /// Before sign-in one deadline for everything, after it one for each wait.
    fn deadline(&self, io: &Io<'_>) -> Monotonic {
        match self.state {
            State::Guest(_) => self.conduct.sign_in_until(),
            State::User(_) | State::Moving => io.after(POP3_IDLE),
        }
    }

    fn stage(&self) -> Stage {
        match &self.state {
            State::Guest(guest) => Stage::Authorization {
                private: guest.private(),
                can_start_tls: guest.can_start_tls(),
            },
            State::User(_) | State::Moving => Stage::Transaction,
        }
    }

    async fn line(&mut self, io: &mut Io<'_>, line: &[u8]) -> Result<Next, Stop> {
        if matches!(self.state, State::Guest(_)) {
            if is_other_protocol(line) {
                self.conduct.other_protocol();
                return Ok(Next::Close);
            }
            if let Some(pause) = self.conduct.pause(io.now()) {
                io.pause(pause).await?;
                self.conduct.resumed(io.now());
            }
        }
        let command = match pop3::command::parse(line) {
            Ok(command) => command,
            Err(bad) => {
                io.out.err(None, bad.text());
                return Ok(self.mistake(io));
            }
        };
        match permit(self.stage(), command.verb()) {
            Permit::Yes => self.permitted(io, command).await,
            refused => {
                io.out.err(None, refused.text());
                Ok(self.mistake(io))
            }
        }
    }

    async fn permitted(&mut self, io: &mut Io<'_>, command: Command) -> Result<Next, Stop> {
        let offer = Offer {
            scram: self.ctx.directory.offers_scram(),
        };
        match command {
            Command::Capa => capability::write(&mut io.out, self.stage(), offer),
            Command::Lang(tag) => commands::lang::run(&mut io.out, tag.as_deref()),
            command => match std::mem::replace(&mut self.state, State::Moving) {
                State::Guest(guest) => return self.of_guest(io, guest, command, offer).await,
                State::User(user) => return self.of_user(io, user, command).await,
                State::Moving => return Err(Stop::Gone),
            },
        }
        Ok(Next::Go)
    }

    /// Commands before the sign-in. Whatever happens, the state is put back or moved on.
    async fn of_guest(
        &mut self,
        io: &mut Io<'_>,
        mut guest: Authorization,
        command: Command,
        offer: Offer,
    ) -> Result<Next, Stop> {
        let mut next = Next::Go;
        match command {
            Command::Quit => {
                io.out.ok("Until next time");
                next = Next::Close;
            }
            Command::Stls => {
                io.out.ok("Begin TLS now");
                next = Next::StartTls;
            }
            Command::Utf8 => {
                guest.take_utf8();
                io.out.ok("Headers may be UTF-8");
            }
            Command::User(user) => {
                guest.name(user);
                io.out.ok("The password, please");
            }
            Command::AuthList => {
                io.out.ok("Mechanisms");
                capability::mechanisms(offer)
                    .iter()
                    .for_each(|name| io.out.line(name));
                io.out.end();
            }
            Command::Pass(secret) => {
                let named = guest.named();
                self.state = State::Guest(guest);
                let Some(user) = named else {
                    io.out.err(None, "USER first");
                    return Ok(self.mistake(io));
                };
                let password = Password::new(secret.expose());
                let outcome = commands::pass::check(&mut self.cx(io), &user, &password).await;
                return self.sign_in(io, outcome).await;
            }
            Command::Auth { mechanism, initial } => {
                self.state = State::Guest(guest);
                let until = self.deadline(io);
                let mut cx = self.cx(io);
                let outcome = commands::auth::run(&mut cx, &mechanism, initial, until).await?;
                return self.sign_in(io, outcome).await;
            }
            _ => io.out.err(None, Permit::NeedsSignIn.text()),
        }
        self.state = State::Guest(guest);
        Ok(next)
    }

    fn cx<'s, 'd>(&'s self, io: &'s mut Io<'d>) -> Cx<'s, 'd> {
        Cx {
            ctx: self.ctx,
            io,
            peer: self.peer,
            plaintext: self.plaintext,
        }
    }

    /// Commands after the sign-in.
    async fn of_user(
        &mut self,
        io: &mut Io<'_>,
        mut user: Box<Inbox>,
        command: Command,
    ) -> Result<Next, Stop> {
        if !user.maildrop.who.still_welcome() {
            io.out
                .err(Some(Code::SysPerm), "This account is not enabled any more");
            return Ok(Next::Close);
        }
        match command {
            Command::Quit => {
                commands::quit::run(self.ctx, io, *user).await;
                return Ok(Next::Close);
            }
            Command::Stat => {
                let left = user.marks.left();
                io.out.ok(&format!("{} {}", left.messages, left.octets));
            }
            Command::List(number) => commands::list::sizes(io, &user, number).await?,
            Command::Uidl(number) => commands::list::unique_ids(io, &user, number).await?,
            Command::Retr(number) => commands::retr::run(self.ctx, io, &user, number, None).await?,
            Command::Top { message, lines } => {
                commands::retr::run(self.ctx, io, &user, message, Some(lines)).await?;
            }
            Command::Dele(number) => mark(&mut io.out, &mut user, number),
            Command::Noop => io.out.ok("Nothing done"),
            Command::Rset => {
                user.marks.clear();
                io.out.ok("No message is marked");
            }
            _ => io.out.err(None, Permit::AfterSignIn.text()),
        }
        self.state = State::User(user);
        Ok(Next::Go)
    }

    async fn sign_in(&mut self, io: &mut Io<'_>, outcome: Outcome) -> Result<Next, Stop> {
        match outcome {
            Outcome::Wrong(text) => {
                io.out.err(None, text);
                Ok(self.mistake(io))
            }
            Outcome::Refused(no) => self.refuse(io, commands::pass::code(no), no.text()).await,
            Outcome::Welcome(who) => self.welcome(io, who).await,
        }
    }

    /// Says no after a pause that grows; ends the connection after too many refusals.
    async fn refuse(&mut self, io: &mut Io<'_>, code: Code, text: &str) -> Result<Next, Stop> {
        io.pause(self.conduct.refused_sign_in()).await?;
        io.out.err(Some(code), text);
        Ok(match self.conduct.was_the_last_sign_in() {
            true => Next::Close,
            false => Next::Go,
        })
    }

    /// Takes the account's place and looks at its INBOX.
    async fn welcome(&mut self, io: &mut Io<'_>, who: SignedIn) -> Result<Next, Stop> {
        let Some(seat) = self.ctx.own.take(who.account()) else {
            let text = "Another session has this mailbox; try again when it is over";
            return self.refuse(io, Code::InUse, text).await;
        };
        let person = self.ctx.mailboxes.person(&who);
        let (maildrop, marks) = match Maildrop::open(who, person, seat).await {
            Ok(opened) => opened,
            Err(error) => {
                let (code, text) = refusal::words(&error);
                return self.refuse(io, code.unwrap_or(Code::SysTemp), text).await;
            }
        };
        let left = marks.left();
        if let State::Guest(guest) = std::mem::replace(&mut self.state, State::Moving) {
            self.state = State::User(Box::new(guest.signed_in(maildrop, marks)));
        }
        self.conduct.signed_in();
        io.out.ok(&left.to_string());
        Ok(Next::Go)
    }

    /// Counts a protocol error; too many end the session.
    fn mistake(&mut self, io: &mut Io<'_>) -> Next {
        if !self.conduct.mistake() {
            return Next::Go;
        }
        io.out.err(None, "Too many errors");
        Next::Close
    }
}

/// DELE (RFC 1939 §5): a mark, which QUIT makes good.
fn mark(out: &mut Out, user: &mut Inbox, number: u32) {
    let size = user
        .marks
        .find(number)
        .map(|index| user.maildrop.at(index).map_or(0, octets));
    match size.and_then(|size| user.marks.mark(number, size)) {
        Ok(()) => out.ok(&format!("Message {number} goes when you QUIT")),
        Err(missing) => out.err(None, missing.text()),
    }
}

/// RFC 1939 §3: who was silent for too long hears nothing, and nothing is removed.
async fn farewell(io: &mut Io<'_>, stop: Stop) {
    match stop {
        Stop::Gone => {}
        Stop::TimedOut => io.close().await,
        Stop::Shutdown => {
            let text = "The server is about to restart; nothing was removed, come back in a moment";
            io.out.err(Some(Code::SysTemp), text);
            io.close().await;
        }
    }
}
