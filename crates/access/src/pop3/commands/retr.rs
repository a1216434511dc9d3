//! RETR (RFC 1939 §5) and TOP (RFC 1939 §7): a message, or its beginning, as lines.
//!
//! What is read of a message is no more than there is room for ([`mailbox::memory`]); the rest waits for the client.
//! What can go wrong before the first octet is answered `-ERR`; after it the connection ends, since an answer that was begun has no
//! other way to say that it is not whole.

use mailbox::limits::SHARE_BYTES;
use mailbox::message::Bytes;
use mailbox::{Message, Room};
use pop3::Lines;

use crate::limits::{OUTPUT_BYTES, POP3_READ_BYTES};
use crate::pop3::Context;
use crate::pop3::io::{Io, Stop};
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
    let maildrop = &inbox.maildrop;
    let row = match inbox.marks.find(number) {
        Ok(index) => maildrop.at(index),
        Err(missing) => {
            io.out.err(None, missing.text());
            return Ok(());
        }
    };
    let Some(row) = row else {
        io.out.err(None, pop3::marks::Missing::NoSuch.text());
        return Ok(());
    };
    let mut room = maildrop.person.memory().room(OWN_BYTES);
    let waiting = io.waiting();
    let begun = async {
        let message = maildrop.person.message(row.message).await?;
        let first = next(&message, 0, waiting, &mut room).await?;
        Ok((message, first))
    };
    let (message, mut piece) = match begun.await {
        Ok(begun) => begun,
        Err(error) => {
            refuse(ctx, &mut io.out, maildrop, &error);
            return Ok(());
        }
    };
    let mut answer = match lines {
        Some(lines) => {
            io.out.ok("The beginning follows");
            Lines::top(lines)
        }
        None => {
            io.out.ok(&format!("{} octets", message.size_bytes()));
            Lines::whole()
        }
    };
    let mut sent = 0;
    while !piece.is_empty() && !answer.done() {
        sent += piece.len() as u64;
        answer.feed(&piece, io.out.octets());
        if sent >= message.size_bytes() {
            break;
        }
        drop(piece);
        io.breathe().await?;
        room.give_back();
        piece = match next(&message, sent, io.waiting(), &mut room).await {
            Ok(piece) => piece,
            Err(error) => {
                tell_operator(ctx, maildrop, &error);
                return Err(Stop::Gone);
            }
        };
    }
    answer.finish(io.out.octets());
    io.send().await
}

/// As many octets as there is room for beside those that wait.
async fn next(message: &Message, from: u64, waiting: usize, room: &mut Room) -> mailbox::Result<Bytes> {
    let wanted = message.size_bytes().saturating_sub(from).min(POP3_READ_BYTES);
    let piece = room.piece(waiting as u64, wanted);
    message.range(from, piece).await
}
