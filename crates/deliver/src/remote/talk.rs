//! One open connection: reading replies, and what is written down of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use msgauth::tls::attempt::Went;
use queue::attempt::{Replied, Talk, TlsText};
use smtp::client::{Reply, ReplyReader, Stage};
use world::clock::{Clock, Monotonic};
use world::line::{Connection, Driver, Plain, ReadError, Secured, WriteError};
use world::net::OutwardTls;

use super::outcome::Broken;
use crate::limits::{REASON_CHARS, REPLIES_KEPT, SLOW_AFTER};

/// A connection, in the clear or inside TLS.
pub enum Wire {
    /// in the clear
    Plain(Connection<Plain>),
    /// inside TLS
    Secured(Connection<Secured>),
}

impl Wire {
    /// To read and write.
    pub fn driver(&mut self) -> &mut Driver {
        match self {
            Self::Plain(connection) => connection,
            Self::Secured(connection) => connection,
        }
    }
}

/// How a connection gets on, for others to look at.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Beats>);

#[derive(Debug, Default)]
struct Beats {
    /// when it last got on, in milliseconds of monotonic time
    last_ms: AtomicU64,
    /// a message's end was sent, and its outcome is not on disk
    critical: AtomicBool,
}

impl Pulse {
    /// It got on.
    pub fn beat(&self, now: Monotonic) {
        self.0.last_ms.store(millis(now.0), Ordering::Relaxed);
    }

    /// Whether it waits long.
    pub fn is_slow(&self, now: Monotonic) -> bool {
        millis(now.0).saturating_sub(self.0.last_ms.load(Ordering::Relaxed)) > millis(SLOW_AFTER)
    }

    /// Whether the end of a message was sent whose outcome is not on disk yet.
    pub fn set_critical(&self, critical: bool) {
        self.0.critical.store(critical, Ordering::Release);
    }

    /// Whether cutting it off now could double a message.
    pub fn is_critical(&self) -> bool {
        self.0.critical.load(Ordering::Acquire)
    }
}

/// What is written down of a conversation while it goes on.
#[derive(Debug)]
pub struct Notes {
    began: Monotonic,
    talk: Talk,
    /// how TLS went, if it came to that
    went: Option<Went>,
    /// the reply to each RCPT, in order
    rcpt: Vec<String>,
    /// how many replies came before the first of them
    before_rcpt: usize,
}

impl Notes {
    /// A conversation begins.
    pub fn begin(host: &str, address: String, clock: &dyn Clock) -> Self {
        Self {
            began: clock.monotonic(),
            talk: Talk {
                at_unix_ms: clock.now().0,
                host: host.to_owned(),
                address,
                ..Talk::default()
            },
            went: None,
            rcpt: Vec::new(),
            before_rcpt: 0,
        }
    }

    /// We are known by this address there.
    pub fn source(&mut self, source: String) {
        self.talk.source = source;
    }

    /// The connection was open already.
    pub fn reused(&mut self) {
        self.talk.reused = true;
    }

    /// TLS, from now on.
    pub fn tls(&mut self, tls: Option<TlsText>) {
        self.talk.tls = tls;
    }

    /// What of TLS was asked for, and why, where somebody asked.
    pub fn rule(&mut self, rule: String) {
        self.talk.rule = rule;
    }

    /// How TLS went.
    pub fn went(&mut self, went: Went) {
        self.went = Some(went);
    }

    /// How TLS went, once.
    pub fn take_went(&mut self) -> Option<Went> {
        self.went.take()
    }

    /// Our address there; empty while no connection was made.
    pub fn our_address(&self) -> &str {
        &self.talk.source
    }

    /// What went wrong.
    pub fn trouble(&mut self, what: impl Into<String>) {
        self.talk.trouble = what.into();
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.talk.host
    }

    fn heard(&mut self, stage: Stage, reply: &Reply) {
        let text = short(&reply.to_string());
        if stage == Stage::Rcpt {
            self.rcpt.push(text);
            return;
        }
        if self.rcpt.is_empty() {
            self.before_rcpt = self.talk.replies.len() + 1;
        }
        if self.talk.replies.len() < REPLIES_KEPT {
            self.talk.replies.push(Replied {
                stage: stage.name().to_owned(),
                reply: text,
            });
        }
    }

    /// The conversation as the recipient of this position saw it. Call it once it is over.
    pub fn of_recipient(&self, position: Option<usize>, now: Monotonic) -> Talk {
        let mut talk = self.talk.clone();
        talk.duration_ms = millis(now.0.saturating_sub(self.began.0));
        if let Some(reply) = position.and_then(|position| self.rcpt.get(position)) {
            let at = self.before_rcpt.min(talk.replies.len());
            talk.replies.insert(
                at,
                Replied {
                    stage: Stage::Rcpt.name().to_owned(),
                    reply: reply.clone(),
                },
            );
        }
        talk
    }
}

/// Reads one reply by `deadline`, and writes it down.
pub async fn reply(
    wire: &mut Wire,
    reader: &mut ReplyReader,
    (stage, notes): (Stage, &mut Notes),
    deadline: Monotonic,
) -> Result<Reply, Broken> {
    let driver = wire.driver();
    loop {
        let pushed = reader
            .push(driver.buffered())
            .map_err(|broken| Broken::Nonsense(broken.to_string()))?;
        driver.consume(pushed.consumed);
        if let Some(reply) = pushed.reply {
            notes.heard(stage, &reply);
            return Ok(reply);
        }
        match driver.fill(deadline).await {
            Ok(0) => return Err(Broken::Closed),
            Ok(_) => {}
            Err(ReadError::TimedOut) => return Err(Broken::TimedOut),
            Err(error) => return Err(Broken::Lost(error.to_string())),
        }
    }
}

/// Sends what was written.
pub async fn flush(wire: &mut Wire, deadline: Monotonic) -> Result<(), Broken> {
    wire.driver().flush(deadline).await.map_err(|error| match error {
        WriteError::TimedOut => Broken::TimedOut,
        WriteError::Io(error) => Broken::Lost(error.to_string()),
    })
}

/// For the attempt's record.
pub fn tls_text(tls: &OutwardTls) -> TlsText {
    TlsText {
        version: tls.facts.version.as_str().to_owned(),
        cipher: tls.facts.cipher.to_owned(),
        verified: tls.verified.is_ok(),
        dane: false,
        unverified_because: tls
            .verified
            .as_ref()
            .err()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

/// `wait` from now.
pub fn in_time(clock: &dyn Clock, wait: Duration) -> Monotonic {
    Monotonic(clock.monotonic().0 + wait)
}

fn short(text: &str) -> String {
    text.chars().take(REASON_CHARS).collect()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
