//! A session that waits for a command, and what it remembers.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::limits::{COMMAND_LINE_BYTES, ERRORS_PER_SESSION, HOLD_SECONDS, IDLE_COMMANDS};
use crate::refusal::{Refusal, codes};
use crate::reply::Reply;
use crate::steps::Step;
use crate::text::{Decoder, TextRules};
use crate::verbs;

/// Which kind of door a session belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// Mail from other servers (port 25): nobody signs in.
    Mx,
    /// Mail from our users (ports 465 and 587): nothing without signing in (RFC 6409 §4.3).
    Submission,
    /// Mail from local programs (RFC 2033): an answer per recipient.
    Lmtp,
}

/// What all sessions of a door share.
#[derive(Debug, Clone)]
pub struct Setup {
    /// our name in the banner and in EHLO
    pub host_name: String,
    /// the kind of door
    pub flavour: Flavour,
    /// whether STARTTLS is offered while the session is plaintext
    pub starttls: bool,
    /// sign-in without TLS: for the demo on loopback and its measuring tools, nowhere else
    pub insecure_auth: bool,
    /// whose mail the session brings, where the client need not sign in: told as XSENDER, so that a local program knows
    pub sender: Option<String>,
    /// what SIZE announces and MAIL is held to
    pub max_message_bytes: u64,
    /// rules for message text
    pub text: TextRules,
}

/// The name a client gives itself: 1 to 255 octets of UTF-8 without control characters and spaces. Nothing is
/// believed of it; it is written nowhere unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloName(String);

impl HelloName {
    pub(crate) fn checked(text: String) -> Self {
        Self(text)
    }

    /// As sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How the client greeted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// its name
    pub name: HelloName,
    /// whether it said EHLO or LHLO: only then it may pipeline (RFC 2920) and use parameters
    pub extended: bool,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub setup: Arc<Setup>,
    pub secured: bool,
    pub signed_in: bool,
    pub hello: Option<Hello>,
    /// SCRAM-SHA-256 is offered beside PLAIN and LOGIN
    pub scram: bool,
    /// when the session began, in seconds since 1970; nothing when nobody told
    pub began_unix_s: Option<u64>,
    pub errors: u32,
    pub idle_commands: u32,
}

/// A mail transaction that was opened by MAIL.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub smtputf8: bool,
    pub recipients: u32,
}

/// Where between two commands the session is. Each state holds only what is valid then.
#[derive(Debug)]
pub(crate) enum Stage {
    /// No EHLO yet, or none since TLS began.
    Fresh,
    /// Greeted; no transaction.
    Greeted,
    /// After MAIL.
    Open(Transaction),
    /// After a BDAT that was not the last.
    Chunking(Transaction, Decoder),
}

/// A session that waits for a command. `P` is the proof that a message is kept.
#[must_use = "a session that nobody serves"]
pub struct Session<P> {
    pub(crate) shared: Box<Shared>,
    pub(crate) stage: Stage,
    proof: PhantomData<fn(P)>,
}

impl<P> Session<P> {
    /// A session that was just connected; `secured` when TLS came first (port 465).
    pub fn new(setup: Arc<Setup>, secured: bool) -> Self {
        let shared = Shared {
            setup,
            secured,
            signed_in: false,
            hello: None,
            scram: false,
            began_unix_s: None,
            errors: 0,
            idle_commands: 0,
        };
        Self {
            shared: Box::new(shared),
            stage: Stage::Fresh,
            proof: PhantomData,
        }
    }

    /// Tells the time. Without it FUTURERELEASE is not offered, since its last moment must be named (RFC 4865 §3).
    pub fn begun_at(mut self, unix_s: u64) -> Self {
        self.shared.began_unix_s = Some(unix_s);
        self
    }

    /// Offers SCRAM-SHA-256 (RFC 7677) wherever one may sign in: when everybody who has a password can use it.
    pub fn offering_scram(mut self, offered: bool) -> Self {
        self.shared.scram = offered;
        self
    }

    /// The last moment until which a submission may be held, in seconds since 1970, where that is offered.
    pub(crate) fn hold_until_at_most(&self) -> Option<u64> {
        let began = self.shared.began_unix_s?;
        (self.setup().flavour == Flavour::Submission).then(|| began.saturating_add(HOLD_SECONDS))
    }

    /// 220: names the host and the protocol, and no version.
    pub fn banner(&self) -> Reply {
        let protocol = if self.is_lmtp() { "LMTP" } else { "ESMTP" };
        Reply::plain(
            220,
            &[&format!("{} {protocol} Hearthpost", self.shared.setup.host_name)],
        )
    }

    /// 554 in place of a banner, for a client that spoke first (RFC 5321 §4.3.1: it must wait for the greeting).
    pub fn spoke_too_early(self) -> Step<P> {
        let text = "You spoke before the greeting: wait for 220 before the first command";
        Step::Close(Some(Reply::refuse(&Refusal::new(codes::PIPELINING, text))))
    }

    /// Takes a command line without its CR LF. `more_waits`: whether input behind it has already arrived; commands that
    /// must be the last of a group are refused then, and the session is closed (RFC 2920 §3.1).
    pub fn line(self, line: &[u8], more_waits: bool) -> Step<P> {
        verbs::dispatch(self, line, more_waits)
    }

    /// A line that was framed but has a bare CR or a NUL: 500.
    pub fn bad_line(self) -> Step<P> {
        self.error(&Refusal::new(
            codes::SYNTAX,
            "A command has only printable letters and ends with CR LF",
        ))
    }

    /// A bare LF: 500, and the session ends.
    pub fn bare_lf(self) -> Step<P> {
        let text = "A line ended with a bare LF: end every command with CR LF";
        Step::Close(Some(Reply::refuse(&Refusal::new(codes::SYNTAX, text))))
    }

    /// A line above the limit: 500, and the session ends.
    pub fn line_too_long(self) -> Step<P> {
        let text = format!("That line is too long: a command has at most {COMMAND_LINE_BYTES} octets");
        Step::Close(Some(Reply::refuse(&Refusal::new(codes::LINE_TOO_LONG, text))))
    }

    /// Whether MAIL was accepted and the transaction has not ended. When it is over the driver forgets its envelope.
    pub fn in_transaction(&self) -> bool {
        matches!(self.stage, Stage::Open(_) | Stage::Chunking(..))
    }

    /// How the client greeted, since TLS began.
    pub fn hello(&self) -> Option<&Hello> {
        self.shared.hello.as_ref()
    }

    /// Whether the client has signed in, or need not.
    pub fn signed_in(&self) -> bool {
        self.shared.signed_in || self.setup().sender.is_some()
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.shared.setup
    }

    pub(crate) fn is_lmtp(&self) -> bool {
        self.shared.setup.flavour == Flavour::Lmtp
    }

    pub(crate) fn at(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }

    /// Ends the transaction, if there is one.
    pub(crate) fn idle(self) -> Self {
        let stage = if self.shared.hello.is_some() {
            Stage::Greeted
        } else {
            Stage::Fresh
        };
        self.at(stage)
    }

    pub(crate) fn ok(self, subject: u16, detail: u16, text: &str) -> Step<P> {
        let reply = Reply::coded(250, (2, subject, detail), text);
        Step::Answer(self, reply)
    }

    /// A message was accepted: the peer does useful work.
    pub(crate) fn praised(mut self) -> Self {
        self.shared.idle_commands = 0;
        self
    }

    /// A command that leads nowhere: fine, but not for ever.
    pub(crate) fn count_idle(mut self, answer: impl FnOnce(Self) -> Step<P>) -> Step<P> {
        self.shared.idle_commands += 1;
        if self.shared.idle_commands > IDLE_COMMANDS {
            self.too_many_errors()
        } else {
            answer(self)
        }
    }

    /// Refuses and counts; at the limit the session ends with 421.
    pub(crate) fn error(mut self, refusal: &Refusal) -> Step<P> {
        self.shared.errors += 1;
        if self.shared.errors >= ERRORS_PER_SESSION {
            return self.too_many_errors();
        }
        let reply = Reply::refuse(refusal);
        Step::Answer(self, reply)
    }

    /// Refuses; a temporary refusal is nobody's error.
    pub(crate) fn refused(self, refusal: &Refusal) -> Step<P> {
        if refusal.is_temporary() {
            let reply = Reply::refuse(refusal);
            return Step::Answer(self, reply);
        }
        self.error(refusal)
    }

    pub(crate) fn sequence(self, text: &'static str) -> Step<P> {
        self.error(&Refusal::new(codes::BAD_SEQUENCE, text))
    }

    fn too_many_errors(self) -> Step<P> {
        let text = "Too many errors in this session: please connect again and send valid commands";
        Step::Close(Some(Reply::refuse(&Refusal::new(codes::TOO_MANY_ERRORS, text))))
    }
}
