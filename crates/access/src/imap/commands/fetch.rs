//! FETCH and UID FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4).
//!
//! 1. The rows come from the shared view; with CHANGEDSINCE only the newer ones.
//! 2. What the index keeps is told without reading ([`ahead`]). If more is asked, messages are read page by page ([`PAGE_MESSAGES`]): the
//!    next page while this one is sent.
//! 3. Items that set `\Seen` do so in one commit for so many messages; the new flags are told at the end, before the `OK`.
//! 4. A message that cannot be read costs a `NO` that names it; the others are sent (DSK-5).

use std::collections::HashMap;

use imap::capability::MessageLimit;
use imap::command::{Fetch, FetchItem, Numbers, PartialRange};
use imap::out::{Code, FetchLine};
use index::Digest;
use mailbox::limits::{READ_AHEAD_BODY_BYTES, READ_AHEAD_BYTES};
use mailbox::message::Asked;
use mailbox::{Expunges, Message, Opened, Person, Row};
use store::contract::StoreError;
use store::flags::{FlagEdit, Flags, SEEN};
use store::uids::UidSet;
use world::clock::UnixMs;

use super::message_limit::{self, Cut};
use super::{enable, numbers};
use crate::events::AccessEvent;
use crate::imap::ahead;
use crate::imap::content::{Content, Needs, date_time};
use crate::imap::io::Stop;
use crate::imap::session::{Cx, Reading, User};
use crate::imap::updates::{fetch_line, flag_names, vanished};
use crate::limits::{FETCH_AT_ONCE_BYTES, PAGE_MESSAGES};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &mut Opened,
    fetch: &Fetch,
    answer: Reading,
) -> Result<(), Stop> {
    opened.look();
    let Some(uids) = numbers::uids(opened, fetch.numbers, &fetch.set) else {
        answer.bad(&mut cx.io.out, None, "There is no message of that number");
        return Ok(());
    };
    if fetch.vanished && !user.qresync {
        answer.bad(&mut cx.io.out, None, "ENABLE QRESYNC first");
        return Ok(());
    }
    if let Some(limit) = cx.ctx.own.message_limit.and_then(MessageLimit::of_all)
        && fetch
            .partial
            .is_some_and(|range| range.last.get().abs_diff(range.first.get()) >= limit)
    {
        let (code, text) = message_limit::too_many(limit);
        answer.no(&mut cx.io.out, Some(code), &text);
        return Ok(());
    }
    let uids = match fetch.partial {
        Some(range) => some_of(opened, &uids, range),
        None => uids,
    };
    let since = fetch.changed_since.unwrap_or(0);
    let (uids, cut) = match message_limit::newest(cx, opened, &uids, |row| row.modseq > since) {
        Some((newest, cut)) => (newest, Some(cut)),
        None => (uids, None),
    };
    if fetch.vanished {
        // What went last is beyond what `*` means for messages that are there.
        let asked = match fetch.set.is_saved() {
            true => opened.saved().as_ref().clone(),
            false => UidSet::from_ranges(fetch.set.resolve(opened.uidnext() - 1)),
        };
        match user.person.vanished(opened, &asked, since).await {
            Ok(gone) => vanished(&mut cx.io.out, true, &gone),
            Err(error) => {
                cx.no_reading(user, answer, &error);
                return Ok(());
            }
        }
    }
    let items = items(fetch, user.uid_only);
    if items.contains(&FetchItem::ModSeq) {
        enable::condstore(cx, user, Some(opened));
    }
    let needs = Needs::of(&items);
    let asking = Asking {
        uids: &uids,
        since,
        items: &items,
        needs,
        sets_seen: fetch.sets_seen(),
    };
    let failed = if needs.message {
        contents(cx, user, opened, asking).await?
    } else {
        rows(cx, user, opened, asking).await?;
        Failed::default()
    };
    let expunges = if fetch.numbers == Numbers::Uid {
        Expunges::Tell
    } else {
        Expunges::Hold
    };
    cx.tell(user, opened, expunges)?;
    match failed.sentence() {
        None => answer.ok(&mut cx.io.out, cut.map(Cut::code)),
        Some((code, sentence)) => answer.no(&mut cx.io.out, Some(code), &sentence),
    }
    Ok(())
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

/// False if the item is not about the row.
fn row_item(line: &mut FetchLine<'_>, opened: &Opened, row: &Row, item: &FetchItem) -> bool {
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

/// What messages are asked for, and what of each.
#[derive(Clone, Copy)]
struct Asking<'f> {
    uids: &'f UidSet,
    /// only messages that changed after this modseq
    since: u64,
    items: &'f [FetchItem],
    needs: Needs,
    sets_seen: bool,
}

/// Messages that are asked for together: the store reads a page while the one before it is sent.
struct Page<'p> {
    rows: Vec<(u32, Row)>,
    digests: Vec<Option<Digest>>,
    /// those without a digest
    asked: Asked<'p>,
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
    let mut next = Page::ask(&owner, opened, asking, 0).await;
    while let Some(Page { rows, digests, asked }) = next {
        let from = rows.last().map_or(u32::MAX, |(_, row)| row.uid.saturating_add(1));
        let unknown = digests.iter().filter(|digest| digest.is_none()).count();
        let messages = read(cx, user, asked, unknown).await;
        next = Page::ask(&owner, opened, asking, from).await;
        let sent = send_page(cx, (user, opened), asking, (rows, digests, messages), &mut failed).await?;
        unmarked.extend(sent);
        if asking.sets_seen && (unmarked.len() >= PAGE_MESSAGES || next.is_none()) {
            mark_seen(cx, user, opened, &std::mem::take(&mut unmarked)).await;
        }
        // Where the next page is there already and the client takes everything at once, nothing else would let others have a turn.
        tokio::task::yield_now().await;
    }
    Ok(failed)
}

impl<'p> Page<'p> {
    /// Asks for the messages from UID `from` on, as many as go together; `None` when there are no more.
    async fn ask(owner: &'p Person, opened: &Opened, asking: Asking<'_>, from: u32) -> Option<Self> {
        let rows = page_rows(opened, asking, from);
        if rows.is_empty() {
            return None;
        }
        let digests = known_ahead(owner, asking.items, &rows).await;
        let unknown = rows.iter().zip(&digests).filter(|(_, digest)| digest.is_none());
        let unknown = unknown.map(|((_, row), _)| row.message).collect();
        Some(Self {
            rows,
            digests,
            asked: owner.ask_for(unknown, asking.needs.content()),
        })
    }
}

/// The next rows, up to [`PAGE_MESSAGES`], whose octets are read together: no more than that takes.
fn page_rows(opened: &Opened, asking: Asking<'_>, from: u32) -> Vec<(u32, Row)> {
    let weighs = asking.needs.content() && ahead::wanted(asking.items).is_none();
    let weight = |row: &Row| match u64::from(row.size_bytes) {
        size if weighs && size <= READ_AHEAD_BODY_BYTES => size,
        _ => 0,
    };
    let mut bytes = 0;
    let fits = |(_, row): &(u32, &Row)| {
        bytes += weight(row);
        bytes <= READ_AHEAD_BYTES
    };
    opened
        .select_from(asking.uids, from)
        .filter(|(_, row)| row.modseq > asking.since)
        .take(PAGE_MESSAGES)
        .take_while(fits)
        .map(|(seq, row)| (seq, *row))
        .collect()
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

type ReadPage = (
    Vec<(u32, Row)>,
    Vec<Option<Digest>>,
    Vec<mailbox::Result<Option<Message>>>,
);

/// A response for each message that can be read. Returns whose octets were sent.
async fn send_page(
    cx: &mut Cx<'_, '_>,
    (user, opened): (&User, &Opened),
    asking: Asking<'_>,
    (rows, digests, messages): ReadPage,
    failed: &mut Failed,
) -> Result<Vec<Row>, Stop> {
    let Asking { items, needs, .. } = asking;
    let dates = save_dates(cx, user, opened, &rows, needs).await;
    let mut messages = messages.into_iter();
    let mut sent = Vec::with_capacity(rows.len());
    for ((seq, row), digest) in rows.into_iter().zip(digests) {
        if let Some(digest) = digest {
            send_ahead(cx, (user, opened), (seq, &row), items, &digest).await?;
            continue;
        }
        let loaded = match messages.next() {
            // A message that went meanwhile is told as EXPUNGE, in its time.
            None | Some(Ok(None)) => continue,
            Some(Ok(Some(message))) => Content::load(message, needs).await,
            Some(Err(error)) => Err(error),
        };
        match loaded {
            Ok(content) if content.has_unknown_encoding(items) => failed.unknown_encoding = true,
            Ok(content) => {
                let about = (seq, &row, dates.get(&row.uid).copied());
                send(cx, (user, opened), about, (items, needs), content).await?;
                sent.push(row);
            }
            Err(error) => failed.add(cx, user, &row, error),
        }
    }
    Ok(sent)
}

/// Digests of a page, if they are all that these items need.
async fn known_ahead(owner: &Person, items: &[FetchItem], page: &[(u32, Row)]) -> Vec<Option<Digest>> {
    match ahead::wanted(items) {
        Some(wanted) => {
            let ids = page.iter().map(|(_, row)| row.message).collect();
            owner.digests(ids, wanted).await
        }
        None => vec![None; page.len()],
    }
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
    page: &[(u32, Row)],
    needs: Needs,
) -> HashMap<u32, UnixMs> {
    if !needs.save_date {
        return HashMap::new();
    }
    let uids = UidSet::from_uids(page.iter().map(|(_, row)| row.uid));
    match user.person.save_dates(opened, uids).await {
        Ok(dates) => dates,
        Err(error) => {
            drop(cx.refusal(user, &error));
            HashMap::new()
        }
    }
}

/// One response. What is large is read and sent piece by piece, after the rest.
async fn send(
    cx: &mut Cx<'_, '_>,
    (user, opened): (&User, &Opened),
    (seq, row, saved): (u32, &Row, Option<UnixMs>),
    (items, needs): (&[FetchItem], Needs),
    mut content: Content,
) -> Result<(), Stop> {
    // Taken, so that it can be written to while pieces of it go out.
    let mut out = std::mem::take(&mut cx.io.out);
    let mut line = fetch_line(&mut out, user, seq, row.uid);
    let mut rest = Vec::new();
    for item in items {
        // Many items of one message can be far larger than it is: what piles up goes out, and nothing is held meanwhile.
        if line.untaken_bytes() > FETCH_AT_ONCE_BYTES {
            let message = content.into_message();
            cx.io.write(line.take()).await?;
            cx.io.flush().await?;
            content = Content::load(message, needs).await.map_err(|_| Stop::Gone)?;
        }
        if *item == FetchItem::SaveDate {
            line.save_date(saved.map(date_time));
        } else if !row_item(&mut line, opened, row, item) {
            rest.extend(content.write(&mut line, item));
            if content.is_large() || matches!(item, FetchItem::Binary(_) | FetchItem::BinarySize(_)) {
                tokio::task::yield_now().await;
            }
        }
    }
    let message = content.into_message();
    for rest in rest {
        line.octets_streamed(rest.item, rest.end - rest.start);
        let mut at = rest.start;
        while at < rest.end {
            // What is announced must follow: if it cannot be read any more, only closing is left.
            let octets = message.range(at, rest.end - at).await.map_err(|_| Stop::Gone)?;
            if octets.is_empty() {
                return Err(Stop::Gone);
            }
            at += octets.len() as u64;
            line.stream(&octets);
            cx.io.write(line.take()).await?;
        }
    }
    line.finish();
    cx.io.out = out;
    cx.io.send().await
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
