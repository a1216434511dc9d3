//! One FETCH response of a message that was read: made as far as there is room for it, the rest sent piece by piece.
//!
//! What a session holds of it while its client takes its time is its share ([`OWN_BYTES`]), and beyond that what it has taken from the
//! budget of all ([`Room`]). Neither the message nor its structure is held meanwhile.

use imap::command::FetchItem;
use imap::out::FetchLine;
use mailbox::limits::{READ_BYTES, SHARE_BYTES};
use mailbox::{Message, Opened, Room, Row};
use world::clock::UnixMs;

use super::content::{Content, Needs, NoRoom, Rest, date_time};
use super::io::{Io, Stop};
use super::session::User;
use super::updates::{fetch_line, flag_names};
use crate::limits::{FETCH_AT_ONCE_BYTES, OUTPUT_BYTES};

/// What may wait to be sent without anything taken: what waits of earlier responses, and the share of this one.
pub(crate) const OWN_BYTES: u64 = OUTPUT_BYTES as u64 + SHARE_BYTES;

/// What is told of one message.
pub(crate) struct Telling<'t> {
    pub(crate) user: &'t User,
    pub(crate) opened: &'t Opened,
    pub(crate) items: &'t [FetchItem],
    pub(crate) needs: Needs,
    pub(crate) seq: u32,
    pub(crate) row: &'t Row,
    /// when it came into the mailbox, if that is asked and known
    pub(crate) saved: Option<UnixMs>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Told {
    /// it is sent, or waits to be
    Yes,
    /// nothing was said: the message cannot be read
    Failed(mailbox::Error),
    /// nothing was said: all sessions together hold as much as they may
    NoRoom,
    /// nothing was said: a part is encoded in a way that nobody knows
    UnknownEncoding,
}

/// Reads what is needed of the message, then sends its response.
pub(crate) async fn send(io: &mut Io<'_>, telling: &Telling<'_>, message: Message) -> Result<Told, Stop> {
    let mut room = telling.user.person.memory().room(OWN_BYTES);
    let at_once = goes_at_once(&message, telling.needs, io.waiting(), &mut room);
    let content = match Content::load(message, telling.needs, at_once).await {
        Ok(content) => content,
        Err(error) => return Ok(Told::Failed(error)),
    };
    if content.has_unknown_encoding(telling.items) {
        return Ok(Told::UnknownEncoding);
    }
    // Taken, so that it can be written to while pieces of it go out.
    let mut out = std::mem::take(&mut io.out);
    let mut line = fetch_line(&mut out, telling.user, telling.seq, telling.row.uid);
    let made = make(io, &mut line, telling, content, &mut room).await?;
    let Ok((message, rest)) = made else {
        let undone = line.undo();
        io.out = out;
        return if undone { Ok(Told::NoRoom) } else { Err(Stop::Gone) };
    };
    for rest in rest {
        stream(io, &mut line, &message, &rest, &mut room).await?;
    }
    line.finish();
    io.out = out;
    io.send().await?;
    Ok(Told::Yes)
}

/// Whether all octets of the message may be read and sent together.
fn goes_at_once(message: &Message, needs: Needs, waiting: usize, room: &mut Room) -> bool {
    let size = message.size_bytes();
    size <= READ_BYTES && needs.octets() && room.has(waiting as u64 + size)
}

/// Makes what is in memory; gives back the message, and what is to be streamed. `Err(NoRoom)`: there is no room for an item.
async fn make<'t>(
    io: &mut Io<'_>,
    line: &mut FetchLine<'_>,
    telling: &Telling<'t>,
    mut content: Content,
    room: &mut Room,
) -> Result<Result<(Message, Vec<Rest<'t>>), NoRoom>, Stop> {
    let mut rest = Vec::new();
    for item in telling.items {
        // Many items of one message can be far larger than it is: what piles up goes out, and nothing is held meanwhile.
        if piles_up(line.untaken_bytes(), room) {
            let message = content.into_message();
            io.write(line.take()).await?;
            io.flush().await?;
            room.give_back();
            let at_once = goes_at_once(&message, telling.needs, 0, room);
            let loaded = Content::load(message, telling.needs, at_once).await;
            content = loaded.map_err(|_| Stop::Gone)?;
        }
        if *item == FetchItem::SaveDate {
            line.save_date(telling.saved.map(date_time));
        } else if !row_item(line, telling.opened, telling.row, item) {
            match content.write(line, item, room) {
                Ok(streamed) => rest.extend(streamed),
                Err(NoRoom) => return Ok(Err(NoRoom)),
            }
            if content.is_large() || matches!(item, FetchItem::Binary(_) | FetchItem::BinarySize(_)) {
                tokio::task::yield_now().await;
            }
        }
    }
    Ok(Ok((content.into_message(), rest)))
}

/// Whether what is made must go out before more is: it is much, or there is no room for another share.
fn piles_up(made: usize, room: &mut Room) -> bool {
    made > FETCH_AT_ONCE_BYTES || (made > OUTPUT_BYTES && !room.has(made as u64 + SHARE_BYTES))
}

/// What is announced must follow: if it cannot be read any more, only closing is left.
async fn stream(
    io: &mut Io<'_>,
    line: &mut FetchLine<'_>,
    message: &Message,
    rest: &Rest<'_>,
    room: &mut Room,
) -> Result<(), Stop> {
    line.octets_streamed(rest.item, rest.end - rest.start);
    let mut at = rest.start;
    while at < rest.end {
        let waiting = (line.untaken_bytes() + io.waiting()) as u64;
        let piece = room.piece(waiting, (rest.end - at).min(READ_BYTES));
        let octets = message.range(at, piece).await.map_err(|_| Stop::Gone)?;
        if octets.is_empty() {
            return Err(Stop::Gone);
        }
        at += octets.len() as u64;
        line.stream(&octets);
        drop(octets);
        io.write(line.take()).await?;
        room.give_back();
    }
    Ok(())
}

/// False if the item is not about the row.
pub(crate) fn row_item(line: &mut FetchLine<'_>, opened: &Opened, row: &Row, item: &FetchItem) -> bool {
    match item {
        FetchItem::Uid => line.uid(row.uid),
        FetchItem::Flags => line.flags(flag_names(opened, row)),
        FetchItem::ModSeq => line.modseq(row.modseq),
        FetchItem::Rfc822Size => line.size(u64::from(row.size_bytes)),
        FetchItem::EmailId => line.email_id(&row.message.to_string()),
        FetchItem::ThreadId => line.thread_id(None),
        _ => return false,
    }
    true
}
