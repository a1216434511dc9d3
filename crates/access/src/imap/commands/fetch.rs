//! FETCH and UID FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4).
//!
//! 1. The rows come from the shared view; with CHANGEDSINCE only the newer ones.
//! 2. What the index keeps is told without reading ([`ahead`]). If more is asked, messages are read page by page ([`Pages`]): the
//!    next page while this one is sent. A response is made as far as there is room for it, and the rest streamed ([`response`]).
//! 3. Items that set `\Seen` do so in one commit for so many messages; the new flags are told at the end, before the `OK`.
//! 4. A message that cannot be read costs a `NO` that names it; the others are sent (DSK-5).

use std::collections::HashMap;

use imap::capability::MessageLimit;
use imap::command::{Fetch, FetchItem, Numbers, PartialRange};
use imap::out::Code;
use index::Digest;
use mailbox::message::Asked;
use mailbox::{Expunges, Message, Opened, Row};
use store::contract::StoreError;
use store::flags::{FlagEdit, Flags, SEEN};
use store::uids::UidSet;
use world::clock::UnixMs;

use super::message_limit::{self, Cut};
use super::{enable, numbers};
use crate::events::AccessEvent;
use crate::imap::ahead;
use crate::imap::content::Needs;
use crate::imap::io::Stop;
use crate::imap::pages::{Asking, Found, Page, Pages};
use crate::imap::response::{self, Told, row_item};
use crate::imap::session::{Cx, Reading, User};
use crate::imap::updates::{fetch_line, vanished};
use crate::limits::PAGE_MESSAGES;

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &mut Opened,
    fetch: &Fetch,
    answer: Reading,
) -> Result<(), Stop> {
    opened.look();
    let uids = match chosen(cx, user, opened, fetch) {
        Ok(uids) => uids,
        Err(Refused::Bad(text)) => {
            answer.bad(&mut cx.io.out, None, text);
            return Ok(());
        }
        Err(Refused::TooMany(limit)) => {
            let (code, text) = message_limit::too_many(limit);
            answer.no(&mut cx.io.out, Some(code), &text);
            return Ok(());
        }
    };
    let since = fetch.changed_since.unwrap_or(0);
    let (uids, cut) = match message_limit::newest(cx, opened, &uids, |row| row.modseq > since) {
        Some((newest, cut)) => (newest, Some(cut)),
        None => (uids, None),
    };
    if fetch.vanished
        && let Err(error) = tell_vanished(cx, user, opened, fetch).await
    {
        cx.no_reading(user, answer, &error);
        return Ok(());
    }
    let failed = tell_messages(cx, user, opened, fetch, &uids).await?;
    let expunges = match fetch.numbers {
        Numbers::Uid => Expunges::Tell,
        Numbers::Sequence => Expunges::Hold,
    };
    cx.tell(user, opened, expunges)?;
    match failed.sentence() {
        None => answer.ok(&mut cx.io.out, cut.map(Cut::code)),
        Some((code, sentence)) => answer.no(&mut cx.io.out, Some(code), &sentence),
    }
    Ok(())
}

/// Why nothing is fetched.
enum Refused {
    Bad(&'static str),
    /// more than so many messages
    TooMany(u32),
}

/// The messages that are asked for, if all of this may be asked.
fn chosen(cx: &Cx<'_, '_>, user: &User, opened: &Opened, fetch: &Fetch) -> Result<UidSet, Refused> {
    let uids = numbers::uids(opened, fetch.numbers, &fetch.set);
    let uids = uids.ok_or(Refused::Bad("There is no message of that number"))?;
    if fetch.vanished && !user.qresync {
        return Err(Refused::Bad("ENABLE QRESYNC first"));
    }
    let Some(range) = fetch.partial else {
        return Ok(uids);
    };
    let limit = cx.ctx.own.message_limit.and_then(MessageLimit::of_all);
    match limit.filter(|&limit| range.last.get().abs_diff(range.first.get()) >= limit) {
        Some(limit) => Err(Refused::TooMany(limit)),
        None => Ok(some_of(opened, &uids, range)),
    }
}

/// What went of the messages that are asked for (RFC 7162 §3.2.6).
async fn tell_vanished(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    fetch: &Fetch,
) -> mailbox::Result<()> {
    // What went last is beyond what `*` means for messages that are there.
    let asked = match fetch.set.is_saved() {
        true => opened.saved().as_ref().clone(),
        false => UidSet::from_ranges(fetch.set.resolve(opened.uidnext() - 1)),
    };
    let since = fetch.changed_since.unwrap_or(0);
    let gone = user.person.vanished(opened, &asked, since).await?;
    vanished(&mut cx.io.out, true, &gone);
    Ok(())
}

/// A response for each message.
async fn tell_messages(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &mut Opened,
    fetch: &Fetch,
    uids: &UidSet,
) -> Result<Failed, Stop> {
    let items = items(fetch, user.uid_only);
    if items.contains(&FetchItem::ModSeq) {
        enable::condstore(cx, user, Some(opened));
    }
    let asking = Asking {
        uids,
        since: fetch.changed_since.unwrap_or(0),
        items: &items,
        needs: Needs::of(&items),
        sets_seen: fetch.sets_seen(),
    };
    if asking.needs.message {
        return contents(cx, user, opened, asking).await;
    }
    rows(cx, user, opened, asking).await?;
    Ok(Failed::default())
}

/// Tells items of messages that the client wants to see without asking each time (RFC 5465 §5.2): nothing becomes `\Seen` by that.
/// A message that cannot be read is not told of; the client finds out when it asks.
pub(crate) async fn unasked(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    mut items: Vec<FetchItem>,
    uids: &UidSet,
) -> Result<(), Stop> {
    if !user.uid_only && !items.contains(&FetchItem::Uid) {
        items.insert(0, FetchItem::Uid);
    }
    // RFC 7162 §3.1: whoever knows mod-sequences is told them with flags.
    if user.condstore && !items.contains(&FetchItem::ModSeq) {
        items.push(FetchItem::ModSeq);
    }
    let needs = Needs::of(&items);
    let asking = Asking {
        uids,
        since: 0,
        items: &items,
        needs,
        sets_seen: false,
    };
    if needs.message {
        contents(cx, user, opened, asking).await?;
        return Ok(());
    }
    rows(cx, user, opened, asking).await
}

/// RFC 9394 §3.3: some of the messages that are there, counted from either end.
fn some_of(opened: &Opened, uids: &UidSet, range: PartialRange) -> UidSet {
    let there: Vec<u32> = opened.select(uids).map(|(_, row)| row.uid).collect();
    UidSet::from_uids(range.of(&there).iter().copied())
}

/// What is told of each message: UID with UID FETCH, MODSEQ with CHANGEDSINCE, even if unasked.
fn items(fetch: &Fetch, uid_only: bool) -> Vec<FetchItem> {
    let mut items = fetch.items.clone();
    // With UIDONLY every response begins with it.
    if fetch.numbers == Numbers::Uid && !uid_only && !items.contains(&FetchItem::Uid) {
        items.insert(0, FetchItem::Uid);
    }
    if fetch.changed_since.is_some() && !items.contains(&FetchItem::ModSeq) {
        items.push(FetchItem::ModSeq);
    }
    items
}

/// Only what the view knows: nothing is read.
async fn rows(cx: &mut Cx<'_, '_>, user: &User, opened: &Opened, asking: Asking<'_>) -> Result<(), Stop> {
    let asked = opened.select(asking.uids);
    for (seq, row) in asked.filter(|(_, row)| row.modseq > asking.since) {
        let mut line = fetch_line(&mut cx.io.out, user, seq, row.uid);
        for item in asking.items {
            row_item(&mut line, opened, row, item);
        }
        line.finish();
        cx.io.send().await?;
    }
    Ok(())
}

/// Messages that could not be read.
#[derive(Default)]
struct Failed {
    messages: Vec<String>,
    /// why the first one could not
    first: Option<mailbox::Error>,
    /// a part is encoded in a way that nobody knows
    unknown_encoding: bool,
}

impl Failed {
    fn add(&mut self, cx: &Cx<'_, '_>, user: &User, row: &Row, error: mailbox::Error) {
        let (message, reason) = (row.message.to_string(), error.to_string());
        let address = user.who.address().to_string();
        cx.ctx.events.emit(&AccessEvent::MessageDamaged {
            message: message.clone(),
            address,
            reason,
        });
        self.messages.push(message);
        self.first.get_or_insert(error);
    }

    /// The message is well, but there is no room for it now.
    fn no_room(&mut self, row: &Row) {
        self.messages.push(row.message.to_string());
        self.first.get_or_insert(StoreError::Busy.into());
    }

    fn sentence(&self) -> Option<(Code<'static>, String)> {
        let Some(first) = self.messages.first() else {
            let text = "A part has a transfer encoding that does not exist; fetch it with BODY instead";
            return self.unknown_encoding.then(|| (Code::UnknownCte, text.to_owned()));
        };
        let text = match (&self.first, self.messages.len()) {
            (Some(mailbox::Error::Store(StoreError::Busy)), _) => {
                return Some((
                    Code::Unavailable,
                    "The server is busy; try again in a moment".to_owned(),
                ));
            }
            (_, 1) => format!("Message {first} cannot be read; the operator was told. All others were sent"),
            (_, more) => {
                format!("{more} messages cannot be read, the first is {first}; the operator was told")
            }
        };
        Some((Code::ServerBug, text))
    }
}

async fn contents(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    asking: Asking<'_>,
) -> Result<Failed, Stop> {
    let owner = user.person.at(opened);
    let mut failed = Failed::default();
    let mut unmarked = Vec::new();
    let mut pages = Pages::new(&owner, opened, asking);
    while let Some(Page { found, asked, taken }) = pages.next().await {
        let unknown = found.iter().filter(|found| found.digest.is_none()).count();
        let messages = read(cx, user, asked, unknown).await;
        pages.read_ahead().await;
        let sent = send_page(cx, (user, opened), asking, (found, messages), &mut failed).await?;
        drop(taken);
        unmarked.extend(sent);
        if asking.sets_seen && unmarked.len() >= PAGE_MESSAGES {
            mark_seen(cx, user, opened, &std::mem::take(&mut unmarked)).await;
        }
        // Where the next page is there already and the client takes everything at once, nothing else would let others have a turn.
        tokio::task::yield_now().await;
    }
    if asking.sets_seen {
        mark_seen(cx, user, opened, &unmarked).await;
    }
    Ok(failed)
}

/// What the store read, an answer for each message that was asked for. If it could not read at all, every message of the page failed.
async fn read(
    cx: &mut Cx<'_, '_>,
    user: &User,
    asked: Asked<'_>,
    count: usize,
) -> Vec<mailbox::Result<Option<Message>>> {
    match asked.messages().await {
        Ok(messages) => messages,
        Err(error) => {
            drop(cx.refusal(user, &error));
            vec![Err(error); count]
        }
    }
}

/// A response for each message that can be read. Returns whose octets were sent.
async fn send_page(
    cx: &mut Cx<'_, '_>,
    (user, opened): (&User, &Opened),
    asking: Asking<'_>,
    (found, messages): (Vec<Found>, Vec<mailbox::Result<Option<Message>>>),
    failed: &mut Failed,
) -> Result<Vec<Row>, Stop> {
    let Asking { items, needs, .. } = asking;
    let dates = save_dates(cx, user, opened, &found, needs).await;
    let mut messages = messages.into_iter();
    let mut sent = Vec::with_capacity(found.len());
    for Found { seq, row, digest } in found {
        if let Some(digest) = digest {
            send_ahead(cx, (user, opened), (seq, &row), items, &digest).await?;
            continue;
        }
        let telling = response::Telling {
            user,
            opened,
            items,
            needs,
            seq,
            row: &row,
            saved: dates.get(&row.uid).copied(),
        };
        let told = match messages.next() {
            // A message that went meanwhile is told as EXPUNGE, in its time.
            None | Some(Ok(None)) => continue,
            Some(Ok(Some(message))) => response::send(cx.io, &telling, message).await?,
            Some(Err(error)) => Told::Failed(error),
        };
        match told {
            Told::Yes => sent.push(row),
            Told::NoRoom => failed.no_room(&row),
            Told::UnknownEncoding => failed.unknown_encoding = true,
            Told::Failed(error) => failed.add(cx, user, &row, error),
        }
    }
    Ok(sent)
}

/// One response without reading the message.
async fn send_ahead(
    cx: &mut Cx<'_, '_>,
    (user, opened): (&User, &Opened),
    (seq, row): (u32, &Row),
    items: &[FetchItem],
    digest: &Digest,
) -> Result<(), Stop> {
    let mut line = fetch_line(&mut cx.io.out, user, seq, row.uid);
    for item in items {
        if !row_item(&mut line, opened, row, item) {
            ahead::write(&mut line, item, digest);
        }
    }
    line.finish();
    cx.io.send().await
}

/// When the messages of a page came into the mailbox; nothing, if nobody asked or it cannot be read now.
async fn save_dates(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    page: &[Found],
    needs: Needs,
) -> HashMap<u32, UnixMs> {
    if !needs.save_date {
        return HashMap::new();
    }
    let uids = UidSet::from_uids(page.iter().map(|found| found.row.uid));
    match user.person.save_dates(opened, uids).await {
        Ok(dates) => dates,
        Err(error) => {
            drop(cx.refusal(user, &error));
            HashMap::new()
        }
    }
}

/// Sets `\Seen` durably on what was sent without it. A failure is not the client's: it has the messages, and they stay unseen.
async fn mark_seen(cx: &mut Cx<'_, '_>, user: &User, opened: &Opened, sent: &[Row]) {
    let unseen = UidSet::from_uids(sent.iter().filter(|row| row.bits & SEEN == 0).map(|row| row.uid));
    // RFC 4314 §4: without the right FETCH sets nothing, and does not fail.
    if opened.may_flag().bits & SEEN == 0 || unseen.is_empty() {
        return;
    }
    match user
        .person
        .set_flags(opened, unseen, FlagEdit::Add(Flags::bits(SEEN)), None)
        .await
    {
        // The view has the change; it is told with all others.
        Ok(_set) => {}
        Err(error) => drop(cx.refusal(user, &error)),
    }
}
