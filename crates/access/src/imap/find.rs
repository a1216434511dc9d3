//! Finding the messages that match the keys of SEARCH, SORT and THREAD. Rows decide first; what they leave open is read page by
//! page. Between pages others have their turn, and a client that left ends it.

use std::collections::HashMap;

use imap::capability::MessageLimit;
use imap::command::Search;
use imap::out::Code;
use index::{Found, Wanted};
use mail::ids::MessageId;
use mailbox::{Message, Opened, Row};
use store::contract::{PAGE_ROWS, StoreError};
use store::uids::UidSet;

use super::commands::enable;
use super::commands::message_limit::{self, Cut};
use super::io::Stop;
use super::search::{Key, Known, Texts, prepare};
use super::session::{Cx, Reading, User};
use crate::events::AccessEvent;
use crate::limits::{LOOK_UP_MESSAGES, PAGE_MESSAGES, SEARCH_KEYS_AT_ONCE};

/// A message that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    pub(crate) seq: u32,
    pub(crate) uid: u32,
    pub(crate) modseq: u64,
    pub(crate) message: MessageId,
}

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Halt {
    /// the session ends
    Stop(Stop),
    /// the store refused
    Store(mailbox::Error),
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<mailbox::Error> for Halt {
    fn from(error: mailbox::Error) -> Self {
        Self::Store(error)
    }
}

/// What is done with a command that would look at more messages than one command takes (RFC 9738 §3.1, §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// it looks at the newest, and says so
    Cut,
    /// it is refused
    Refuse,
}

/// What matches, ascending, whether only some messages were looked at, and the answer that is still owed. `None` when it was refused, and answered so; a result that was to
/// be kept is empty then (RFC 5182 §2.1: after NO, but not after BAD).
pub(crate) async fn find(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &mut Opened,
    (search, saves, beyond): (&Search, bool, Beyond),
    answer: Reading,
) -> Result<Option<(Vec<Hit>, Option<Cut>, Reading)>, Stop> {
    opened.look();
    let Some(mut key) = prepare(&search.keys, opened, cx.ctx.clock.now()) else {
        answer.bad(&mut cx.io.out, None, "There is no message of that number");
        return Ok(None);
    };
    if saves {
        opened.save(UidSet::new());
    }
    if let Some(text) = key.cost().too_much() {
        answer.no(&mut cx.io.out, Some(Code::Limit), &text);
        return Ok(None);
    }
    if search.uses_modseq() {
        enable::condstore(cx, user, Some(opened));
    }
    let limit = cx.ctx.own.message_limit.and_then(MessageLimit::of_all);
    let among = limit.map_or_else(everything, |_| key.among());
    let (among, cut) = match (message_limit::newest(cx, opened, &among, |_| true), beyond) {
        (Some((newest, cut)), Beyond::Cut) => (newest, Some(cut)),
        (Some((_, cut)), Beyond::Refuse) => {
            let (code, text) = cut.refusal();
            answer.no(&mut cx.io.out, Some(code), &text);
            return Ok(None);
        }
        (None, _) => (everything(), None),
    };
    match matching(cx, user, opened, (&mut key, &mut Vec::new(), &among)).await {
        Ok(hits) => Ok(Some((hits, cut, answer))),
        Err(halt) => refuse(cx, user, halt, answer).map(|()| None),
    }
}

/// Says why there is no result, or ends the session.
pub(crate) fn refuse(cx: &mut Cx<'_, '_>, user: &User, halt: Halt, answer: Reading) -> Result<(), Stop> {
    match halt {
        Halt::Stop(stop) => Err(stop),
        Halt::Store(error) => {
            cx.no_reading(user, answer, &error);
            Ok(())
        }
    }
}

/// Every message.
pub(crate) fn everything() -> UidSet {
    UidSet::from_ranges([(1, u32::MAX)])
}

/// What of some messages matches a key that is ready, ascending. `asked` is what the index said of the same keys for other mailboxes; it
/// grows.
pub(crate) async fn matching(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    (key, asked, among): (&mut Key, &mut Vec<Found>, &UidSet),
) -> Result<Vec<Hit>, Halt> {
    key.look_up_save_dates(&user.person, opened).await?;
    let rows = opened.select(among).map(|(seq, row)| (seq, *row));
    let mut found = Vec::new();
    let mut open = by_rows(cx, opened, key, rows, &mut found).await?;
    if open.len() >= LOOK_UP_MESSAGES && key.cost().texts > 0 {
        key.look_up(&user.person.at(opened), cx.io, asked).await?;
        open = by_rows(cx, opened, key, open.into_iter(), &mut found).await?;
    }
    if open.len() >= LOOK_UP_MESSAGES && key.asks_digest() {
        open = by_digests(cx, user, opened, key, open, &mut found).await?;
    }
    for (at, page) in open.chunks(PAGE_MESSAGES).enumerate() {
        if at > 0 {
            cx.io.breathe().await?;
        }
        found.extend(matching_of_page(cx, user, opened, key, page).await?);
    }
    found.sort_unstable();
    Ok(found)
}

/// Decides by what is known without reading; gives those that must be read.
async fn by_rows(
    cx: &mut Cx<'_, '_>,
    opened: &Opened,
    key: &Key,
    rows: impl Iterator<Item = (u32, Row)>,
    found: &mut Vec<Hit>,
) -> Result<Vec<(u32, Row)>, Stop> {
    let mut open = Vec::new();
    let keys = key.cost().keys;
    let mut compared = 0;
    for (seq, row) in rows {
        compared += keys;
        if compared > SEARCH_KEYS_AT_ONCE {
            compared = 0;
            cx.io.breathe().await?;
        }
        match key.matches(&of_row(opened, &row)) {
            Some(true) => found.push(hit(seq, &row)),
            Some(false) => {}
            None => open.push((seq, row)),
        }
    }
    Ok(open)
}

/// Decides by what the index keeps of messages beside their texts; gives those that must be read.
async fn by_digests(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    key: &Key,
    rows: Vec<(u32, Row)>,
    found: &mut Vec<Hit>,
) -> Result<Vec<(u32, Row)>, Stop> {
    let mut open = Vec::new();
    for page in rows.chunks(PAGE_ROWS) {
        cx.io.breathe().await?;
        let ids = page.iter().map(|(_, row)| row.message).collect();
        let digests = user.person.at(opened).digests(ids, Wanted::default()).await;
        for ((seq, row), digest) in page.iter().zip(&digests) {
            let known = Known {
                digest: digest.as_ref(),
                ..of_row(opened, row)
            };
            match key.matches(&known) {
                Some(true) => found.push(hit(*seq, row)),
                Some(false) => {}
                None => open.push((*seq, *row)),
            }
        }
    }
    Ok(open)
}

fn hit(seq: u32, row: &Row) -> Hit {
    Hit {
        seq,
        uid: row.uid,
        modseq: row.modseq,
        message: row.message,
    }
}

async fn matching_of_page(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    key: &Key,
    page: &[(u32, Row)],
) -> mailbox::Result<Vec<Hit>> {
    let ids: Vec<MessageId> = page.iter().map(|(_, row)| row.message).collect();
    let messages = user.person.at(opened).messages(ids).await?;
    let messages: HashMap<MessageId, Message> = messages
        .into_iter()
        .map(|message| (message.row.id, message))
        .collect();
    let mut found = Vec::new();
    for (seq, row) in page {
        let Some(message) = messages.get(&row.message) else {
            continue;
        };
        let decided = decide(opened, key, (row, message)).await;
        if readable(cx, user, row.message, decided)?.unwrap_or(false) {
            found.push(hit(*seq, row));
        }
        // Reading may not have waited for anything, and looking through a large message takes its time.
        tokio::task::yield_now().await;
    }
    Ok(found)
}

fn of_row<'m>(opened: &'m Opened, row: &'m Row) -> Known<'m> {
    let rare = opened.snapshot().rare(row.uid);
    Known {
        row,
        rare,
        recent: opened.is_recent(row.uid),
        digest: None,
        message: None,
        header: None,
        whole: None,
    }
}

/// Reads as much of a message as decides.
async fn decide(opened: &Opened, key: &Key, (row, message): (&Row, &Message)) -> mailbox::Result<bool> {
    let known = Known {
        message: Some(message),
        ..of_row(opened, row)
    };
    if let Some(decided) = key.matches(&known) {
        return Ok(decided);
    }
    let header = match key.needs_header() {
        true => Some(message.header().await?),
        false => None,
    };
    let known = Known {
        header: header.as_deref(),
        ..known
    };
    if let Some(decided) = key.matches(&known) {
        return Ok(decided);
    }
    let whole = message.whole().await?;
    let texts = Texts::of(&whole.bytes);
    let known = Known {
        whole: Some(&texts),
        ..known
    };
    Ok(key.matches(&known).unwrap_or(false))
}

/// `None` for a message that cannot be read: it does not match and has no sort key; the operator hears of it.
pub(crate) fn readable<T>(
    cx: &Cx<'_, '_>,
    user: &User,
    message: MessageId,
    read: mailbox::Result<T>,
) -> mailbox::Result<Option<T>> {
    match read {
        Err(mailbox::Error::Store(StoreError::Damaged(reason))) => {
            let (message, address) = (message.to_string(), user.who.address().to_string());
            cx.ctx.events.emit(&AccessEvent::MessageDamaged {
                message,
                address,
                reason,
            });
            Ok(None)
        }
        other => other.map(Some),
    }
}
