//! SEARCH and UID SEARCH (RFC 3501 §6.4.4, RFC 7162 §3.1.5). Rows decide first; what they leave open is read page by page.

use std::collections::HashMap;

use imap::command::{Numbers, Search};
use imap::out::Code;
use mail::ids::MessageId;
use mailbox::{Expunges, Message, Opened, Row};
use store::uids::UidSet;

use super::enable;
use crate::events::AccessEvent;
use crate::imap::io::Stop;
use crate::imap::search::{Key, Known, Texts, prepare};
use crate::imap::session::{Cx, Reading, User};
use crate::limits::{PAGE_MESSAGES, SEARCH_KEYS_AT_ONCE, SEARCH_TEXTS};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &mut Opened,
    search: &Search,
    answer: Reading,
) -> Result<(), Stop> {
    opened.look();
    let Some(key) = prepare(&search.keys, opened, cx.ctx.clock.now()) else {
        answer.bad(&mut cx.io.out, None, "There is no message of that number");
        return Ok(());
    };
    if key.cost().texts > SEARCH_TEXTS {
        let text = format!("At most {SEARCH_TEXTS} texts are looked for at once; ask in several commands");
        answer.no(&mut cx.io.out, Some(Code::Limit), &text);
        return Ok(());
    }
    if search.uses_modseq() {
        enable::condstore(cx, user, Some(opened));
    }
    let found = match find(cx, user, opened, &key).await {
        Ok(found) => found,
        Err(error) => {
            cx.no_reading(user, answer, &error);
            return Ok(());
        }
    };
    let highest = found
        .iter()
        .map(|(_, _, modseq)| *modseq)
        .max()
        .filter(|_| search.uses_modseq());
    let numbers = found
        .iter()
        .map(|&(seq, uid, _)| if search.numbers == Numbers::Uid { uid } else { seq });
    cx.io.out.search(numbers, highest);
    let expunges = if search.numbers == Numbers::Uid {
        Expunges::Tell
    } else {
        Expunges::Hold
    };
    cx.tell(user, opened, expunges)?;
    answer.ok(&mut cx.io.out, None);
    Ok(())
}

/// (sequence number, UID, mod-sequence) of what matches, ascending.
async fn find(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    key: &Key,
) -> mailbox::Result<Vec<(u32, u32, u64)>> {
    let everything = UidSet::from_ranges([(1, u32::MAX)]);
    let mut found = Vec::new();
    let mut open = Vec::new();
    let keys = key.cost().keys;
    let mut compared = 0;
    for (seq, row) in opened.select(&everything) {
        compared += keys;
        if compared > SEARCH_KEYS_AT_ONCE {
            compared = 0;
            tokio::task::yield_now().await;
        }
        match key.matches(&of_row(opened, row)) {
            Some(true) => found.push((seq, row.uid, row.modseq)),
            Some(false) => {}
            None => open.push((seq, *row)),
        }
    }
    for page in open.chunks(PAGE_MESSAGES) {
        let ids: Vec<MessageId> = page.iter().map(|(_, row)| row.message).collect();
        let messages = user.person.messages(ids).await?;
        let messages: HashMap<MessageId, Message> = messages
            .into_iter()
            .map(|message| (message.row.id, message))
            .collect();
        for (seq, row) in page {
            let Some(message) = messages.get(&row.message) else {
                continue;
            };
            if decide(cx, user, opened, key, (row, message)).await? {
                found.push((*seq, row.uid, row.modseq));
            }
            // Reading may not have waited for anything, and looking through a large message takes its time.
            tokio::task::yield_now().await;
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn of_row<'m>(opened: &'m Opened, row: &'m Row) -> Known<'m> {
    let rare = opened.snapshot().rare(row.uid);
    Known {
        row,
        rare,
        recent: opened.is_recent(row.uid),
        message: None,
        header: None,
        whole: None,
    }
}

/// Reads as much of a message as decides. A message that cannot be read does not match; the operator hears of it.
async fn decide(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    key: &Key,
    (row, message): (&Row, &Message),
) -> mailbox::Result<bool> {
    let known = Known {
        message: Some(message),
        ..of_row(opened, row)
    };
    if let Some(decided) = key.matches(&known) {
        return Ok(decided);
    }
    let read = async {
        let header = if key.needs_header() {
            Some(message.header().await?)
        } else {
            None
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
    };
    match read.await {
        Err(mailbox::Error::Store(store::contract::StoreError::Damaged(reason))) => {
            let (message, address) = (row.message.to_string(), user.who.address().to_string());
            cx.ctx.events.emit(&AccessEvent::MessageDamaged {
                message,
                address,
                reason,
            });
            Ok(false)
        }
        other => other,
    }
}
