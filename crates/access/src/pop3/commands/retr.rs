//! RETR (RFC 1939 §5) and TOP (RFC 1939 §7): a message, or its beginning, as lines.
//!
//! What can go wrong before the first octet is answered `-ERR`; after it the connection ends, since an answer that was begun has no
//! other way to say that it is not whole.

use pop3::Lines;

use crate::limits::POP3_READ_BYTES;
use crate::pop3::Context;
use crate::pop3::io::{Io, Stop};
use crate::pop3::refusal::{refuse, tell_operator};
use crate::pop3::session::Inbox;

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
    let begun = async {
        let message = maildrop.person.message(row.message).await?;
        let first = message.range(0, POP3_READ_BYTES).await?;
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
        io.breathe().await?;
        piece = match message.range(sent, POP3_READ_BYTES).await {
            Ok(piece) => piece,
            Err(error) => {
                tell_operator(ctx, maildrop, &error);
                return Err(Stop::Gone);
            }
        };
    }
    answer.finish(io.out.octets());
    Ok(())
}
