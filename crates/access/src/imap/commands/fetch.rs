//! FETCH and UID FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4).
//!
//! 1. The rows come from the shared view; with CHANGEDSINCE only the newer ones.
//! 2. What the index keeps is told without reading ([`ahead`]). If more is asked, messages are read page by page ([`PAGE_MESSAGES`]); each is sent before the next is read.
//! 3. Items that set `\Seen` do so in one commit for each page; the new flags are told at the end, before the `OK`.
//! 4. A message that cannot be read costs a `NO` that names it; the others are sent (DSK-5).

use std::collections::HashMap;

use imap::capability::MessageLimit;
use imap::command::{Fetch, FetchItem, Numbers, PartialRange};
use imap::out::{Code, FetchLine, Out};
use imap::set::SequenceSet;
use index::Digest;
use mail::ids::MessageId;
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
        let since = fetch.changed_since.unwrap_or(0);
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
    let failed = if needs.message {
        contents(cx, user, opened, (fetch, &items, needs), &uids).await?
    } else {
        rows(cx, (user, opened), (fetch, &items), &uids).await?;
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
    let asks_nothing = Fetch {
        numbers: Numbers::Uid,
        set: SequenceSet::saved(),
        items: Vec::new(),
        changed_since: None,
        vanished: false,
        partial: None,
    };
    if needs.message {
        contents(cx, user, opened, (&asks_nothing, &items, needs), uids).await?;
        return Ok(());
    }
    rows(cx, (user, opened), (&asks_nothing, &items), uids).await
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
async fn rows(
    cx: &mut Cx<'_, '_>,
    (user, opened): (&User, &Opened),
    (fetch, items): (&Fetch, &[FetchItem]),
    uids: &UidSet,
) -> Result<(), Stop> {
    let since = fetch.changed_since.unwrap_or(0);
    for (seq, row) in opened.select(uids).filter(|(_, row)| row.modseq > since) {
        let mut line = fetch_line(&mut cx.io.out, user, seq, row.uid);
        for item in items {
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

async fn contents(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    (fetch, items, needs): (&Fetch, &[FetchItem], Needs),
    uids: &UidSet,
) -> Result<Failed, Stop> {
    let since = fetch.changed_since.unwrap_or(0);
    let owner = user.person.at(opened);
    let mut failed = Failed::default();
    let mut from = 0;
    loop {
        let page: Vec<(u32, Row)> = opened
            .select_from(uids, from)
            .filter(|(_, row)| row.modseq > since)
            .take(PAGE_MESSAGES)
            .map(|(seq, row)| (seq, *row))
            .collect();
        let Some(last) = page.last() else {
            return Ok(failed);
        };
        from = last.1.uid.saturating_add(1);
        let digests = known_ahead(&owner, items, &page).await;
        let unknown = page.iter().zip(&digests).filter(|(_, digest)| digest.is_none());
        let unknown: Vec<(u32, Row)> = unknown.map(|(row, _)| *row).collect();
        let messages = read_rows(cx, (user, &owner), &unknown, needs).await;
        let dates = save_dates(cx, user, opened, &page, needs).await;
        let mut sent = Vec::with_capacity(page.len());
        for ((seq, row), digest) in page.iter().zip(digests) {
            if let Some(digest) = digest {
                send_ahead(cx, (user, opened), (*seq, row), items, &digest).await?;
                continue;
            }
            // A message that went meanwhile is told as EXPUNGE, in its time. One message may stand here several times.
            let Some(message) = messages.get(&row.message).cloned() else {
                continue;
            };
            let loaded = match message {
                Ok(message) => Content::load(message, needs).await,
                Err(error) => Err(error),
            };
            match loaded {
                Ok(content) if content.has_unknown_encoding(items) => failed.unknown_encoding = true,
                Ok(content) => {
                    send(
                        cx,
                        (user, opened),
                        (*seq, row, dates.get(&row.uid).copied()),
                        (items, needs),
                        content,
                    )
                    .await?;
                    sent.push(*row);
                }
                Err(error) => failed.add(cx, user, row, error),
            }
        }
        if fetch.sets_seen() {
            mark_seen(cx, user, opened, &sent).await;
        }
    }
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

/// The messages of a page by id. If the page cannot be read, every message of it failed.
async fn read_rows(
    cx: &mut Cx<'_, '_>,
    (user, owner): (&User, &Person),
    page: &[(u32, Row)],
    needs: Needs,
) -> HashMap<MessageId, mailbox::Result<Message>> {
    if page.is_empty() {
        return HashMap::new();
    }
    let ids: Vec<MessageId> = page.iter().map(|(_, row)| row.message).collect();
    match owner.messages(ids).await {
        Ok(mut messages) => {
            if needs.content() {
                // What cannot be read together is read message by message, and told there.
                let _ahead = owner.read_ahead(&mut messages).await;
            }
            let by_id = messages.into_iter().map(|message| (message.row.id, Ok(message)));
            by_id.collect()
        }
        Err(error) => {
            drop(cx.refusal(user, &error));
            page.iter()
                .map(|(_, row)| (row.message, Err(error.clone())))
                .collect()
        }
    }
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
    let mut out = Out::new();
    let mut line = fetch_line(&mut out, user, seq, row.uid);
    let mut rest = Vec::new();
    for item in items {
        // Many items of one message can be far larger than it is: what piles up goes out, and nothing is held meanwhile.
        if line.untaken_bytes() > FETCH_AT_ONCE_BYTES {
            let message = content.into_message();
            cx.io.write(&line.take()).await?;
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
            cx.io.write(&line.take()).await?;
        }
    }
    line.finish();
    cx.io.write(&out.take()).await
}

/// Sets `\Seen` durably on what was sent without it. A failure is not the client's: it has the messages, and they stay unseen.
async fn mark_seen(cx: &mut Cx<'_, '_>, user: &User, opened: &mut Opened, sent: &[Row]) {
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
