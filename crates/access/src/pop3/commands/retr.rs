//! RETR (RFC 1939 §5) and TOP (RFC 1939 §7): a message, or its beginning, as lines.
//!
//! What is read of a message is no more than there is room for ([`mailbox::memory`]); the rest waits for the client.
//! What can go wrong before the first octet is answered `-ERR`; after it the connection ends, since an answer that was begun has no
//! other way to say that it is not whole.

use mailbox::limits::SHARE_BYTES;
use mailbox::message::Bytes;
use mailbox::{Message, Room, Row};
use pop3::Lines;
use pop3::marks::Missing;

use crate::limits::{OUTPUT_BYTES, POP3_READ_BYTES};
use crate::pop3::Context;
use crate::pop3::io::{Io, Stop};
use crate::pop3::maildrop::Maildrop;
use crate::pop3::refusal::{refuse, tell_operator};
use crate::pop3::session::Inbox;

/// What may wait to be sent without anything taken: what waits of earlier answers, and the share of this one.
const OWN_BYTES: u64 = OUTPUT_BYTES as u64 + SHARE_BYTES;

/// Sends a message, or the first `lines` lines of its body.
pub(crate) async fn run(
    ctx: &Context,
    io: &mut Io<'_>,
    inbox: &Inbox,
    number: u32,
    lines: Option<u32>,
) -> Result<(), Stop> {
    let row = match find(inbox, number) {
        Ok(row) => row,
        Err(missing) => {
            io.out.err(None, missing.text());
            return Ok(());
        }
    };
    let (mut reading, first) = match Reading::begin(&inbox.maildrop, row, io.waiting()).await {
        Ok(begun) => begun,
        Err(error) => {
            refuse(ctx, &mut io.out, &inbox.maildrop, &error);
            return Ok(());
        }
    };
    let answer = match lines {
        Some(lines) => {
            io.out.ok("The beginning follows");
            Lines::top(lines)
        }
        None => {
            io.out.ok(&format!("{} octets", reading.message.size_bytes()));
            Lines::whole()
        }
    };
    if let Err(error) = send(io, answer, &mut reading, first).await? {
        tell_operator(ctx, &inbox.maildrop, &error);
        return Err(Stop::Gone);
    }
    io.send().await
}

fn find(inbox: &Inbox, number: u32) -> Result<&Row, Missing> {
    let index = inbox.marks.find(number)?;
    inbox.maildrop.at(index).ok_or(Missing::NoSuch)
}

/// Piece by piece, until the end or as many lines as are wanted. The inner error: the rest cannot be read.
async fn send(
    io: &mut Io<'_>,
    mut answer: Lines,
    reading: &mut Reading,
    first: Bytes,
) -> Result<mailbox::Result<()>, Stop> {
    let (mut piece, mut sent) = (first, 0);
    while !piece.is_empty() && !answer.done() {
        sent += piece.len() as u64;
        answer.feed(&piece, io.out.octets());
        if sent >= reading.message.size_bytes() {
            break;
        }
        drop(piece);
        io.breathe().await?;
        reading.room.give_back();
        piece = match reading.piece(sent, io.waiting()).await {
            Ok(piece) => piece,
            Err(error) => return Ok(Err(error)),
        };
    }
    answer.finish(io.out.octets());
    Ok(Ok(()))
}

/// A message, and the room for what is read of it.
struct Reading {
    message: Message,
    room: Room,
}

impl Reading {
    /// With the first octets: they are read before anything is said.
    async fn begin(maildrop: &Maildrop, row: &Row, waiting: usize) -> mailbox::Result<(Self, Bytes)> {
        let room = maildrop.person.memory().room(OWN_BYTES);
        let message = maildrop.person.message(row.message).await?;
        let mut reading = Self { message, room };
        let first = reading.piece(0, waiting).await?;
        Ok((reading, first))
    }

    /// As many octets as there is room for beside those that wait.
    async fn piece(&mut self, from: u64, waiting: usize) -> mailbox::Result<Bytes> {
        let left = self.message.size_bytes().saturating_sub(from);
        let piece = self.room.piece(waiting as u64, left.min(POP3_READ_BYTES));
        self.message.range(from, piece).await
    }
}
