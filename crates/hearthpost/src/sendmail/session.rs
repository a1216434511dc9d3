//! Handing a message in over the server's local socket, by SMTP.

use std::io;
use std::path::Path;

use mail::address::{Mailbox, Path as ReversePath, Utf8};
use smtp::BodyType;
use smtp::client::{
    AfterHello, ClientName, Final, Flavour, Greeting, MailRequest, Mailed, Mailing, QUIT, RcptRequest, Ready,
    RecipientOutcome, Reply, ReplyReader, SendBody, Settled,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::net::BoxWire;
use world_real::unix;

use super::args::Args;
use super::exit::{Code, Ended};
use super::message;

/// A session that may send.
pub struct Session {
    wire: Wire,
    ready: Ready,
}

/// Who we are to the server.
pub struct Identity {
    /// our address
    pub address: Mailbox,
}

struct Wire {
    wire: BoxWire,
    reader: ReplyReader,
    input: Vec<u8>,
}

/// Connects and learns who we are.
pub async fn open(socket: &Path) -> Result<(Session, Identity), Ended> {
    let wire = unix::connect(socket)
        .await
        .map_err(|error| no_server(socket, &error))?;
    let mut wire = Wire {
        wire,
        reader: ReplyReader::new(),
        input: Vec::new(),
    };
    let me = ClientName::new("localhost").expect("a host name");
    let banner = wire.reply().await?;
    let hello = Greeting::new(me, Flavour::Smtp)
        .reply(&banner)
        .map_err(|gone| not_welcome(&gone.reply))?;
    wire.write(&hello.command()).await?;
    let reply = wire.reply().await?;
    let address = sender_of(&reply);
    match (hello.reply(&reply), address) {
        (AfterHello::Ready(ready), Some(address)) => Ok((Session { wire, ready }, Identity { address })),
        _ => Err(not_welcome(&reply)),
    }
}

/// `XSENDER address`: whose mail this connection brings.
fn sender_of(reply: &Reply) -> Option<Mailbox> {
    let named = reply
        .lines
        .iter()
        .find_map(|line| line.strip_prefix("XSENDER "))?;
    Mailbox::parse(named.trim(), Utf8::Allowed).ok()
}

fn no_server(socket: &Path, error: &io::Error) -> Ended {
    let (code, what) = match error.kind() {
        io::ErrorKind::PermissionDenied => (
            Code::NoPermission,
            "this user may not use it. Set doors.local to a path that all users reach",
        ),
        _ => (
            Code::TryAgain,
            "the mail server does not run. The message was not taken, try again later",
        ),
    };
    Ended::new(
        code,
        format!("{} cannot be reached ({error}): {what}.", socket.display()),
    )
}

fn not_welcome(reply: &Reply) -> Ended {
    let code = if reply.code >= 500 {
        Code::NoPermission
    } else {
        Code::TryAgain
    };
    Ended::new(
        code,
        format!("the mail server says: {} {}", reply.code, reply.text()),
    )
}

fn lost(error: impl std::fmt::Display) -> Ended {
    Ended::new(
        Code::TryAgain,
        format!(
            "the mail server stopped answering ({error}). It may have the message; try again if it does not arrive."
        ),
    )
}

impl Wire {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        self.wire.write_all(bytes).await.map_err(lost)
    }

    async fn reply(&mut self) -> Result<Reply, Ended> {
        loop {
            let pushed = self.reader.push(&self.input).map_err(lost)?;
            self.input.drain(..pushed.consumed);
            if let Some(reply) = pushed.reply {
                return Ok(reply);
            }
            if self.wire.read_buf(&mut self.input).await.map_err(lost)? == 0 {
                return Err(lost("the connection ended"));
            }
        }
    }

    /// Sender, recipients, and the message where somebody takes it.
    async fn carry(&mut self, mut mailing: Mailing, message: &[u8]) -> Result<Settled, Ended> {
        loop {
            let bytes = mailing.next_bytes();
            self.write(&bytes).await?;
            match mailing.reply(&self.reply().await?) {
                Mailed::More(more) => mailing = more,
                Mailed::Over(settled) => return Ok(settled),
                Mailed::Send(body) => return self.carry_body(body, message).await,
            }
        }
    }

    async fn carry_body(&mut self, body: SendBody, message: &[u8]) -> Result<Settled, Ended> {
        let mut bytes = Vec::with_capacity(message.len() + 1024);
        let mut waiting = body
            .finish(message, &mut bytes)
            .map_err(|_| Ended::new(Code::DataError, "the message cannot be put on the wire."))?;
        self.write(&bytes).await?;
        loop {
            match waiting.reply(&self.reply().await?) {
                Final::More(more) => waiting = more,
                Final::Settled(settled) => return Ok(settled),
            }
        }
    }
}

impl Session {
    /// Hands `message` in. The worst that any recipient was told is the outcome; all refusals are in its text.
    pub async fn send(
        self,
        args: &Args,
        sender: Option<Mailbox>,
        recipients: Vec<Mailbox>,
        message: &[u8],
    ) -> Result<(), Ended> {
        let Self { mut wire, ready } = self;
        let reverse_path = sender.map_or(ReversePath::Null, ReversePath::Mailbox);
        let request = request(args, reverse_path, message);
        let wishes: Vec<RcptRequest> = recipients
            .iter()
            .map(|address| RcptRequest {
                notify: args.notify,
                ..RcptRequest::new(address.clone())
            })
            .collect();
        let mailing = ready.mail(&request, &wishes).map_err(|cannot| {
            Ended::new(
                Code::DataError,
                format!("the message cannot be sent: {:?}.", cannot.why),
            )
        })?;
        let settled = wire.carry(mailing, message).await?;
        // The message has its outcome; a goodbye that is not heard changes nothing.
        let _ = wire.wire.write_all(QUIT).await;
        outcome(&recipients, &settled)
    }
}

fn request(args: &Args, reverse_path: ReversePath, message: &[u8]) -> MailRequest {
    let (eight_bit, header) = message::is_eight_bit(message);
    MailRequest {
        size_bytes: Some(message.len() as u64),
        body: if eight_bit {
            BodyType::EightBitMime
        } else {
            BodyType::SevenBit
        },
        smtputf8: header,
        ret: args.ret,
        envid: args.envid.clone(),
        ..MailRequest::new(reverse_path)
    }
}

/// One line for each recipient without the message, and the code that says most to a caller.
fn outcome(recipients: &[Mailbox], settled: &Settled) -> Result<(), Ended> {
    let mut worst: Option<Code> = None;
    let mut lines = Vec::new();
    for (recipient, outcome) in recipients.iter().zip(&settled.outcomes) {
        let (code, text) = match outcome {
            RecipientOutcome::Delivered(_) => continue,
            RecipientOutcome::Refused { reply, .. } => {
                (code_of(reply), format!("{} {}", reply.code, reply.text()))
            }
            RecipientOutcome::Lost { .. } => (Code::TryAgain, "the server stopped answering".to_owned()),
        };
        lines.push(format!("{recipient}: {text}"));
        // What can be tried again should be: a caller that keeps its mail then loses nothing.
        worst = Some(match worst {
            Some(Code::TryAgain) => Code::TryAgain,
            _ => code,
        });
    }
    match worst {
        None => Ok(()),
        Some(code) => Err(Ended::new(code, lines.join("\nsendmail: "))),
    }
}

fn code_of(reply: &Reply) -> Code {
    match (reply.code, reply.enhanced) {
        (400..=499, _) => Code::TryAgain,
        (_, Some((5, 1, 1))) => Code::NoUser,
        (_, Some((5, 7, _))) => Code::NoPermission,
        (_, Some((5, 6, _) | (5, 3, 4))) => Code::DataError,
        _ => Code::Unavailable,
    }
}
