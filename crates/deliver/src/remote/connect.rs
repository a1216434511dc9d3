//! From an address to a session that is ready for mail.
//!
//! What TLS must be was decided before ([`msgauth::tls::policy`]); this is how it is held to.
//!
//! 1. [`open`] connects, from the source address of the family.
//! 2. The banner, then EHLO (or HELO). Whoever answers with a name of ours is ourselves, and the mail runs in a circle.
//! 3. STARTTLS where it is offered, or TLS from the first byte at a smarthost; then EHLO again.
//! 4. The last gate: what the connection is must meet what was asked for, however it came about.
//! 5. AUTH at a smarthost, inside verified TLS only.
//!
//! A handshake that fails ends the connection. Whether another one in the clear may follow is [`may_go_in_clear`]'s to say, and
//! nobody else's (threat case Q-5).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use msgauth::tls::attempt::{ResultType, Went};
use msgauth::tls::policy::{Demand, Grade, Rule, Wish};
use queue::attempt::TlsText;
use smtp::client::{
    AfterAuth, AfterHello, AfterStartTls, ClientName, Credentials, Flavour, Gone, Greeting, Hello, Ready,
    Reply, ReplyReader, Stage,
};
use world::clock::{Clock, Monotonic};
use world::line::{Connection, Plain};
use world::net::{BoxWire, Network, OutwardTls, Peer, TlsClient, TlsFailure, TlsFailureKind, TlsPolicy};

use super::outcome::{self, Broken, Judgement};
use super::talk::{Notes, Pulse, Wire, flush, in_time, reply, tls_text};
use crate::limits::{COMMAND, CONNECT, CONNECT_BEFORE_OTHER_FAMILY, HANDSHAKE};
use crate::settings::Login;

/// The doors that connecting needs.
#[derive(Clone)]
pub struct Doors {
    /// the network
    pub network: Arc<dyn Network>,
    /// TLS
    pub tls: Arc<dyn TlsClient>,
    /// the clock
    pub clock: Arc<dyn Clock>,
}

/// Where to, and how.
#[derive(Debug, Clone)]
pub struct Target {
    /// the host's name, for its certificate
    pub host: String,
    /// one of its addresses
    pub address: SocketAddr,
    /// how long connecting may take ([`patience`])
    pub patience: Duration,
    /// the address of ours to use
    pub source: Option<IpAddr>,
    /// the name to greet with
    pub hello: ClientName,
    /// how TLS begins
    pub begin: Begin,
    /// what it must be, and why
    pub rule: Rule,
    /// what the message asks
    pub wish: Wish,
    /// how to sign in
    pub login: Option<Login>,
    /// names by which it would be ourselves
    pub ours: Vec<String>,
}

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// with STARTTLS
    StartTls,
    /// with the first byte (RFC 8314)
    Implicit,
    /// not at all: a handshake with this host has just failed, or the operator said so
    Never,
}

/// Whether a message may go in the clear to a host with which no TLS connection came about. This is the one place where that is
/// decided; the demand is made of every policy there is.
pub fn may_go_in_clear(demand: &Demand) -> bool {
    demand.may_be_clear()
}

/// How long connecting to `address` may take when the addresses `left` come after it. One whose packets vanish shall not hold up
/// mail that the other family would take (RFC 8305 has the idea; mail need not race).
pub fn patience(address: IpAddr, left: &[IpAddr]) -> Duration {
    if left.iter().any(|other| other.is_ipv6() != address.is_ipv6()) {
        CONNECT_BEFORE_OTHER_FAMILY
    } else {
        CONNECT
    }
}

/// A connection that is ready for mail.
pub struct Open {
    /// the connection
    pub wire: Wire,
    /// between two replies
    pub reader: ReplyReader,
    /// greeted, and in no transaction
    pub ready: Ready,
    /// TLS, if there is
    pub tls: Option<TlsText>,
    /// what it is
    pub grade: Grade,
}

/// Why there is no session.
#[derive(Debug)]
pub enum NotOpen {
    /// the host cannot or will not
    Judged(Judgement),
    /// nothing came back in time
    Silent(Judgement),
    /// the handshake failed, and another connection in the clear may follow
    TryInClear,
}

/// Opens a session.
///
/// # Errors
/// See [`NotOpen`]. The connection is closed.
pub async fn open(doors: &Doors, target: &Target, notes: &mut Notes, pulse: &Pulse) -> Result<Open, NotOpen> {
    let connected = connect(doors, target, notes).await?;
    notes.source(connected.1.local.ip().to_string());
    pulse.beat(doors.clock.monotonic());
    if target.begin == Begin::Implicit {
        let mut opening = Opening::inside_tls(doors, target, notes, connected, pulse).await?;
        let ready = opening.greet().await?;
        return opening.sign_in(ready).await;
    }
    let (wire, peer) = connected;
    let connection = Connection::new(wire, peer, doors.clock.clone());
    let mut opening = Opening::new(doors, target, notes, Wire::Plain(connection), pulse);
    let ready = opening.greet().await?;
    let (opening, ready) = opening.secure(ready).await?;
    opening.sign_in(ready).await
}

/// A connection on which nothing was said.
async fn connect(doors: &Doors, target: &Target, notes: &mut Notes) -> Result<(BoxWire, Peer), NotOpen> {
    let deadline = in_time(&*doors.clock, target.patience);
    let connecting = doors.network.connect(target.address, target.source);
    let connected = tokio::select! {
        connected = connecting => connected,
        () = doors.clock.sleep_until(deadline) => Err(std::io::ErrorKind::TimedOut.into()),
    };
    connected.map_err(|error| {
        let judged = outcome::unreachable(&target.host, &why_unreachable(target.address, &error));
        match (error.kind(), told(notes, judged)) {
            (std::io::ErrorKind::TimedOut, NotOpen::Judged(judged)) => NotOpen::Silent(judged),
            (_, not_open) => not_open,
        }
    })
}

/// Which of our names the answer to EHLO or HELO begins with (RFC 5321 §4.1.1.1), if it does: an address leads back to us that no setting
/// names, because we listen on all of them or behind one that is translated. What many call themselves by mistake is nobody's name.
fn named_as(answer: &Reply, ours: &[String]) -> Option<String> {
    let name = answer.lines.first()?.split(' ').next()?.to_ascii_lowercase();
    let is_a_name = name.contains('.') && !name.starts_with("localhost");
    (answer.code == 250 && is_a_name && ours.contains(&name)).then_some(name)
}

/// A session that is being opened.
struct Opening<'a> {
    doors: &'a Doors,
    target: &'a Target,
    notes: &'a mut Notes,
    pulse: &'a Pulse,
    wire: Wire,
    reader: ReplyReader,
    tls: Option<TlsText>,
    grade: Grade,
}

impl<'a> Opening<'a> {
    fn new(doors: &'a Doors, target: &'a Target, notes: &'a mut Notes, wire: Wire, pulse: &'a Pulse) -> Self {
        Self {
            doors,
            target,
            notes,
            pulse,
            wire,
            reader: ReplyReader::new(),
            tls: None,
            grade: Grade::Clear,
        }
    }

    /// TLS with the first byte (RFC 8314).
    async fn inside_tls(
        doors: &'a Doors,
        target: &'a Target,
        notes: &'a mut Notes,
        (wire, peer): (BoxWire, Peer),
        pulse: &'a Pulse,
    ) -> Result<Self, NotOpen> {
        let shaken = Connection::connect_tls(
            wire,
            peer,
            doors.clock.clone(),
            &*doors.tls,
            server_name(target),
            policy_of(&target.rule.demand),
            in_time(&*doors.clock, HANDSHAKE),
        );
        let (connection, tls) = shaken
            .await
            .map_err(|failure| handshake_failed(target, notes, &failure))?;
        let (text, grade) = shaken_hands(target, notes, &tls);
        let opening = Self::new(doors, target, notes, Wire::Secured(connection), pulse);
        Ok(Self {
            tls: Some(text),
            grade,
            ..opening
        })
    }

    async fn greet(&mut self) -> Result<Ready, NotOpen> {
        let banner = self.reply(Stage::Banner).await?;
        let greeting = Greeting::new(self.target.hello.clone(), Flavour::Smtp);
        let hello = greeting.reply(&banner).map_err(|gone| self.gone(&gone))?;
        self.hello(hello).await
    }

    async fn hello(&mut self, mut hello: Hello) -> Result<Ready, NotOpen> {
        loop {
            self.send(Stage::Hello, &hello.command()).await?;
            let answer = self.reply(Stage::Hello).await?;
            if let Some(name) = named_as(&answer, &self.target.ours) {
                let judged = outcome::ourselves(&self.target.host, &name);
                return Err(told(self.notes, judged));
            }
            hello = match hello.reply(&answer) {
                AfterHello::Ready(ready) => return Ok(ready),
                AfterHello::Again(hello) => hello,
                AfterHello::Gone(gone) => return Err(self.gone(&gone)),
            };
        }
    }

    /// STARTTLS, where it is asked for.
    async fn secure(mut self, ready: Ready) -> Result<(Self, Ready), NotOpen> {
        if self.target.begin != Begin::StartTls {
            return Ok((self, ready));
        }
        if !ready.offers().starttls {
            return match self.without_tls("it does not offer STARTTLS", true) {
                Some(not_open) => Err(not_open),
                None => Ok((self, ready)),
            };
        }
        let (command, waiting) = ready.starttls();
        self.send(Stage::StartTls, command).await?;
        let answer = self.reply(Stage::StartTls).await?;
        match waiting.reply(&answer) {
            AfterStartTls::Begin(begin) => {
                self = self.shake().await?;
                let ready = self.hello(begin.done()).await?;
                Ok((self, ready))
            }
            // RFC 3207 §4: the client decides whether it goes on without.
            AfterStartTls::Refused(ready, reply) => {
                // RFC 3207 §4: 454 is a temporary reason.
                match self.without_tls(&format!("STARTTLS was answered {reply}"), reply.code >= 500) {
                    Some(not_open) => Err(not_open),
                    None => Ok((self, ready)),
                }
            }
            AfterStartTls::Gone(gone) => Err(self.gone(&gone)),
        }
    }

    /// TLS is not to be had: the end, unless it may go on in the clear. `lasting`: the host itself is so.
    fn without_tls(&mut self, why: &str, lasting: bool) -> Option<NotOpen> {
        let clear = may_go_in_clear(&self.target.rule.demand);
        self.notes.went(Went::Failed {
            result: ResultType::StarttlsNotSupported,
            text: why.to_owned(),
            clear,
        });
        (!clear).then(|| told(self.notes, outcome::held_back(self.target, why, lasting)))
    }

    async fn shake(self) -> Result<Self, NotOpen> {
        let policy = policy_of(&self.target.rule.demand);
        let deadline = in_time(&*self.doors.clock, HANDSHAKE);
        let Wire::Plain(plain) = self.wire else {
            return Ok(self);
        };
        let shaken = shake_plain(plain, self.doors, self.target, policy, deadline).await;
        let (connection, tls) =
            shaken.map_err(|failure| handshake_failed(self.target, self.notes, &failure))?;
        self.pulse.beat(self.doors.clock.monotonic());
        let (text, grade) = shaken_hands(self.target, self.notes, &tls);
        Ok(Self {
            wire: Wire::Secured(connection),
            reader: ReplyReader::new(),
            tls: Some(text),
            grade,
            ..self
        })
    }

    /// The last gate before AUTH and MAIL. The steps before it each hold to the rule; this one asks nothing but what the connection is, so
    /// that a target whose beginning contradicts its rule sends nothing.
    fn pass(&mut self) -> Result<(), NotOpen> {
        let demand = &self.target.rule.demand;
        if demand.is_met_by(self.grade) {
            return Ok(());
        }
        let why = format!("the connection is less than what was asked for ({demand})");
        Err(told(self.notes, outcome::held_back(self.target, &why, false)))
    }

    /// AUTH, where the target has a login.
    async fn sign_in(mut self, ready: Ready) -> Result<Open, NotOpen> {
        self.pass()?;
        let Some(login) = &self.target.login else {
            return Ok(self.opened(ready));
        };
        if !self.tls.as_ref().is_some_and(|tls| tls.verified || tls.dane) {
            return Err(self.insecure("we sign in only inside TLS with a certificate that verifies"));
        }
        let Some(credentials) = Credentials::new(&login.user, &login.password) else {
            return Err(
                self.insecure("the login of this route cannot be sent: look at its user and password")
            );
        };
        let Ok(mut waiting) = ready.auth(&credentials) else {
            return Err(self.insecure("it offers no way to sign in that we know (PLAIN, LOGIN)"));
        };
        loop {
            let line = waiting.next_bytes();
            self.send(Stage::Auth, &line).await?;
            let answer = self.reply(Stage::Auth).await?;
            waiting = match waiting.reply(&answer) {
                AfterAuth::More(waiting) => waiting,
                AfterAuth::Ready(ready) => return Ok(self.opened(ready)),
                AfterAuth::Refused(_, reply) => {
                    let judged =
                        outcome::refused(Stage::Auth, Stage::Auth.judge(&reply), &reply, &self.target.host);
                    return Err(told(self.notes, judged));
                }
                AfterAuth::Gone(gone) => return Err(self.gone(&gone)),
            };
        }
    }

    fn opened(self, ready: Ready) -> Open {
        Open {
            wire: self.wire,
            reader: self.reader,
            ready,
            tls: self.tls,
            grade: self.grade,
        }
    }

    async fn send(&mut self, stage: Stage, bytes: &[u8]) -> Result<(), NotOpen> {
        self.wire.driver().write(bytes);
        let deadline = in_time(&*self.doors.clock, COMMAND);
        let sent = flush(&mut self.wire, deadline).await;
        sent.map_err(|broken| self.broken(stage, &broken))
    }

    async fn reply(&mut self, stage: Stage) -> Result<Reply, NotOpen> {
        let deadline = in_time(&*self.doors.clock, COMMAND);
        let answer = reply(&mut self.wire, &mut self.reader, (stage, self.notes), deadline).await;
        self.pulse.beat(self.doors.clock.monotonic());
        answer.map_err(|broken| self.broken(stage, &broken))
    }

    fn gone(&mut self, gone: &Gone) -> NotOpen {
        told(
            self.notes,
            outcome::refused(gone.stage, gone.answer, &gone.reply, &self.target.host),
        )
    }

    fn broken(&mut self, stage: Stage, how: &Broken) -> NotOpen {
        told(self.notes, outcome::broken(stage, how, &self.target.host))
    }

    fn insecure(&mut self, why: &str) -> NotOpen {
        told(self.notes, outcome::insecure(&self.target.host, why))
    }
}

async fn shake_plain(
    plain: Connection<Plain>,
    doors: &Doors,
    target: &Target,
    policy: TlsPolicy,
    deadline: Monotonic,
) -> Result<(Connection<world::line::Secured>, world::net::OutwardTls), TlsFailure> {
    plain
        .start_tls(&*doors.tls, server_name(target), policy, deadline)
        .await
}

/// What the handshake must check.
fn policy_of(demand: &Demand) -> TlsPolicy {
    match demand {
        Demand::Clear | Demand::Opportunistic | Demand::Encrypted => TlsPolicy::Opportunistic,
        Demand::WebPki | Demand::Refuse(_) => TlsPolicy::Verified,
        Demand::Dane { records, names } => TlsPolicy::Dane {
            records: records.clone(),
            names: names.clone(),
        },
    }
}

/// A DNS name as it is; an address literal as its address. Under DANE the name that the records stand under (RFC 7672 §8.1).
fn server_name(target: &Target) -> &str {
    let base = match &target.rule.demand {
        Demand::Dane { names, .. } => names.first(),
        _ => None,
    };
    let name = base.unwrap_or(&target.host).as_str();
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    inner.map_or(name, |inner| inner.strip_prefix("IPv6:").unwrap_or(inner))
}

/// The handshake is done: what is written down of it, and what the connection is.
fn shaken_hands(target: &Target, notes: &mut Notes, tls: &OutwardTls) -> (TlsText, Grade) {
    let grade = match (&target.rule.demand, tls.verified.is_ok()) {
        (Demand::Dane { .. }, true) => Grade::Both,
        (Demand::Dane { .. }, false) => Grade::Dane,
        (_, true) => Grade::WebPki,
        (_, false) => Grade::Encrypted,
    };
    let text = TlsText {
        dane: matches!(target.rule.demand, Demand::Dane { .. }),
        ..tls_text(tls)
    };
    notes.tls(Some(text.clone()));
    notes.went(Went::Secured {
        verified: tls.verified.clone(),
    });
    (text, grade)
}

fn handshake_failed(target: &Target, notes: &mut Notes, failure: &TlsFailure) -> NotOpen {
    let why = format!("TLS handshake ({}): {}", failure.kind.as_str(), failure.text);
    notes.trouble(why.clone());
    let clear = may_go_in_clear(&target.rule.demand);
    notes.went(Went::Failed {
        result: ResultType::of_handshake(failure),
        text: failure.text.clone(),
        clear,
    });
    if clear {
        NotOpen::TryInClear
    } else {
        let lasting = failure.kind == TlsFailureKind::Certificate;
        told(notes, outcome::held_back(target, &why, lasting))
    }
}

fn told(notes: &mut Notes, judged: Judgement) -> NotOpen {
    if let Some(trouble) = judged.fate.trouble() {
        notes.trouble(trouble.to_string());
    }
    NotOpen::Judged(judged)
}

fn why_unreachable(address: SocketAddr, error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    let what = match error.kind() {
        ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        ErrorKind::TimedOut => "no answer".to_owned(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "there is no way there".to_owned(),
        ErrorKind::AddrNotAvailable => "our source address is not one of this machine".to_owned(),
        _ => error.to_string(),
    };
    format!("{address}: {what}")
}
