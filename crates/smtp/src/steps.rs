//! What a command leads to: a reply, a question to the driver, or the end. Each question is a state that holds the
//! session; answering consumes it.

use mail::address::{Mailbox, Path};
use mail::path::ForwardPath;

use crate::dsn::{EnvId, Notify, OriginalRecipient, Ret};
use crate::limits::ERRORS_PER_SESSION;
use crate::refusal::{Refusal, codes};
use crate::reply::Reply;
use crate::session::{Session, Stage, Transaction};
use crate::text::Decoder;
use crate::timing::{DeliverBy, Hold};
use crate::transfer::{Receiving, TakeChunk};

/// What to do next.
#[must_use = "the peer waits"]
pub enum Step<P> {
    /// Write this; then the next command. If the session is no longer [`Session::in_transaction`], forget the envelope.
    Answer(Session<P>, Reply),
    /// May this sender send?
    Sender(AskSender<P>),
    /// Is this recipient taken?
    Recipient(AskRecipient<P>),
    /// May the message come?
    Data(AskData<P>),
    /// Read this many octets.
    Chunk(TakeChunk<P>),
    /// Is TLS to be had?
    Tls(AskTls<P>),
    /// Does this client sign in?
    Auth(AskAuth<P>),
    /// Write this, if there is something, and close.
    Close(Option<Reply>),
}

/// BODY= of MAIL (RFC 6152).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyType {
    /// not said, or 7BIT
    #[default]
    SevenBit,
    /// 8BITMIME
    EightBitMime,
}

/// What MAIL said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailFrom {
    /// who gets the bounce
    pub reverse_path: Path,
    /// SIZE=, in octets; already held to the door's limit
    pub size_bytes: Option<u64>,
    /// BODY=
    pub body: BodyType,
    /// whether SMTPUTF8 was said (RFC 6531)
    pub smtputf8: bool,
    /// RET= (RFC 3461 §4.3)
    pub ret: Option<Ret>,
    /// ENVID= (RFC 3461 §4.4)
    pub envid: Option<EnvId>,
    /// HOLDFOR= or HOLDUNTIL= (RFC 4865), submission only; already held to the limit
    pub hold: Option<Hold>,
    /// BY= (RFC 2852), submission only; already held to the least time
    pub deliver_by: Option<DeliverBy>,
    /// whether REQUIRETLS was said (RFC 8689), which only TLS has room for
    pub requiretls: bool,
}

/// After MAIL: the sender is to be decided on.
#[must_use = "the peer waits"]
pub struct AskSender<P> {
    pub(crate) session: Session<P>,
    pub(crate) mail: MailFrom,
}

impl<P> AskSender<P> {
    /// What is asked.
    pub fn mail(&self) -> &MailFrom {
        &self.mail
    }

    /// How the client greeted.
    pub fn session(&self) -> &Session<P> {
        &self.session
    }

    /// 250: recipients may follow.
    pub fn accept(self) -> Step<P> {
        let transaction = Transaction {
            smtputf8: self.mail.smtputf8,
            recipients: 0,
        };
        self.session
            .at(Stage::Open(transaction))
            .ok(1, 0, "Sender fine, name the recipients")
    }

    /// A refusal: no transaction is opened.
    pub fn refuse(self, refusal: &Refusal) -> Step<P> {
        self.session.refused(refusal)
    }
}

/// After RCPT: the recipient is to be decided on.
#[must_use = "the peer waits"]
pub struct AskRecipient<P> {
    pub(crate) session: Session<P>,
    pub(crate) recipient: ForwardPath,
    pub(crate) wishes: Wishes,
}

/// What RCPT asked for in reports (RFC 3461 §4.1, §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wishes {
    /// NOTIFY=
    pub notify: Option<Notify>,
    /// ORCPT=
    pub orcpt: Option<OriginalRecipient>,
}

impl<P> AskRecipient<P> {
    /// Who is asked for.
    pub fn recipient(&self) -> &ForwardPath {
        &self.recipient
    }

    /// What is asked for beside it.
    pub fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    /// The address asked for, unless it is the bare `<postmaster>`.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match &self.recipient {
            ForwardPath::Mailbox(mailbox) => Some(mailbox),
            ForwardPath::Postmaster => None,
        }
    }

    /// 250: this one will get the message.
    pub fn accept(mut self) -> Step<P> {
        if let Stage::Open(transaction) = &mut self.session.stage {
            transaction.recipients += 1;
        }
        self.session.ok(1, 5, "Recipient fine")
    }

    /// 250 for a recipient on another server.
    pub fn accept_remote(mut self) -> Step<P> {
        if let Stage::Open(transaction) = &mut self.session.stage {
            transaction.recipients += 1;
        }
        self.session.ok(1, 5, "Recipient on another server fine")
    }

    /// A refusal. It is no error of the session: lists grow old. Permanent ones count towards
    /// [`crate::limits::IDLE_COMMANDS`] only, so that a session of nothing else ends.
    pub fn refuse(self, refusal: &Refusal) -> Step<P> {
        let reply = Reply::refuse(refusal);
        if refusal.is_temporary() {
            return Step::Answer(self.session, reply);
        }
        self.session.count_idle(|session| Step::Answer(session, reply))
    }

    /// 421: this client asks for too many who do not exist.
    pub fn close(self) -> Step<P> {
        let text = "Too many unknown recipients in this session: please check your list and connect again";
        Step::Close(Some(Reply::refuse(&Refusal::new(codes::TOO_MANY_ERRORS, text))))
    }
}

/// After DATA: may the message come?
#[must_use = "the peer waits"]
pub struct AskData<P> {
    pub(crate) session: Session<P>,
    pub(crate) recipients: u32,
}

impl<P> AskData<P> {
    /// How many recipients were taken; at least one.
    pub fn recipients(&self) -> u32 {
        self.recipients
    }

    /// 354: the message comes now.
    pub fn go_on(self) -> (Receiving<P>, Reply) {
        let decoder = Decoder::data(self.session.setup().text);
        let reply = Reply::plain(354, &["Go on, end with <CR><LF>.<CR><LF>"]);
        (
            Receiving {
                session: self.session.idle(),
                recipients: self.recipients,
                decoder,
            },
            reply,
        )
    }

    /// A refusal instead of 354; the transaction is over.
    pub fn refuse(self, refusal: &Refusal) -> Step<P> {
        self.session.idle().refused(refusal)
    }
}

/// After STARTTLS: shall the handshake begin?
#[must_use = "the peer waits"]
pub struct AskTls<P> {
    pub(crate) session: Session<P>,
}

impl<P> AskTls<P> {
    /// 220: the handshake follows this reply.
    pub fn go_on(self) -> (BeforeTls<P>, Reply) {
        (
            BeforeTls {
                session: self.session,
            },
            Reply::coded(220, (2, 0, 0), "Begin the TLS handshake"),
        )
    }

    /// 454: TLS is not to be had now.
    pub fn refuse(self) -> Step<P> {
        let text = "TLS is not available just now: please try again later";
        self.session.refused(&Refusal::new(codes::TLS_NOT_NOW, text))
    }
}

/// Between 220 and the end of the handshake.
#[must_use = "a session that nobody serves"]
pub struct BeforeTls<P> {
    session: Session<P>,
}

impl<P> BeforeTls<P> {
    /// The handshake succeeded: a new session begins, without a banner. Nothing of the plaintext session is remembered
    /// but its errors (RFC 3207 §4.2).
    pub fn secured(self) -> Session<P> {
        let mut fresh = Session::new(self.session.shared.setup.clone(), true);
        fresh.shared.errors = self.session.shared.errors;
        fresh.shared.began_unix_s = self.session.shared.began_unix_s;
        fresh.shared.scram = self.session.shared.scram;
        fresh
    }
}

/// In an AUTH exchange: the driver runs the mechanism.
#[must_use = "the peer waits"]
pub struct AskAuth<P> {
    pub(crate) session: Session<P>,
    pub(crate) mechanism: String,
    pub(crate) initial: Option<Vec<u8>>,
}

impl<P> AskAuth<P> {
    /// The mechanism's name as sent: 1 to 20 letters, digits, `-`, `_` (RFC 4422 §3.1).
    pub fn mechanism(&self) -> &str {
        &self.mechanism
    }

    /// The initial response as sent (base64, or `=` for an empty one), if there was one. It is handed out once.
    pub fn take_initial(&mut self) -> Option<Vec<u8>> {
        self.initial.take()
    }

    /// 334 with a challenge that is already base64. The driver reads a line of at most
    /// [`crate::limits::AUTH_LINE_BYTES`] and goes on with the mechanism.
    pub fn challenge(&self, base64: &str) -> Reply {
        Reply::plain(334, &[base64])
    }

    /// 235: the driver has checked who it is.
    pub fn succeed(mut self) -> Step<P> {
        self.session.shared.signed_in = true;
        Step::Answer(self.session, Reply::coded(235, (2, 7, 0), "Welcome"))
    }

    /// A refusal; counts as two errors, so that guessing ends early.
    pub fn refuse(mut self, refusal: &Refusal) -> Step<P> {
        if !refusal.is_temporary() {
            self.session.shared.errors = (self.session.shared.errors + 1).min(ERRORS_PER_SESSION);
        }
        self.session.refused(refusal)
    }
}
