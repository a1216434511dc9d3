//! Results that are kept up to date while their mailbox is open (RFC 5267): what a search with UPDATE found, and what came into it
//! or went from it since.
//!
//! 1. [`want`] prepares a search that asks for it, [`start`] keeps its result in the open mailbox ([`mailbox::results`]).
//! 2. Whenever changes are told (`updates::tell`), messages that went leave it at once, before their EXPUNGE ([`tell_left`]).
//! 3. After that [`settle`] asks the search again of the messages that changed or came, and tells the difference. Then
//!    come the FETCH responses of new messages (RFC 5465 §5.2, §7).
//!
//! Time alone changes nothing: OLDER and YOUNGER are as of the search. Sequence numbers and `$` too (RFC 5267 §4.3).

use std::collections::BTreeMap;

use imap::command::{FetchItem, Numbers, Returns, Search, SortCriterion, Tag};
use imap::out::{Code, Out, ResultChange};
use mailbox::results::{KeptId, Order, Place, Unsettled};
use mailbox::{Opened, Person, Updates};
use store::uids::UidSet;

use super::commands::fetch;
use super::digests;
use super::find::{Halt, Hit, matching};
use super::io::Stop;
use super::notices;
use super::search::{Key, prepare};
use super::session::{Cx, Reading, User};
use super::sort::{Sortable, compare, needs, ordered};
use crate::limits::{NOTIFY_EVENTS, SORT_PROBES, UPDATE_CONTEXTS, UPDATE_MESSAGES, UPDATE_NUMBERS};

/// A result that is kept up to date.
pub(crate) struct Context {
    tag: Tag,
    kept: KeptId,
    asked: Wanted,
}

/// What is asked of every message that changes.
pub(crate) struct Wanted {
    numbers: Numbers,
    key: Key,
    /// none: the order of the mailbox
    criteria: Vec<SortCriterion>,
    /// what is told of each message that comes
    items: Vec<FetchItem>,
}

/// What a search with UPDATE needs, before it begins. `None`: it was refused, and answered so.
pub(crate) fn want(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    (search, returns, criteria): (&Search, Option<Returns>, &[SortCriterion]),
    answer: Reading,
) -> Option<(Option<Wanted>, Reading)> {
    if !returns.is_some_and(|returns| returns.update) {
        return Some((None, answer));
    }
    if user.contexts.iter().any(|context| context.tag == *answer.tag()) {
        let text = "This tag is that of a result which is kept up to date";
        answer.bad(&mut cx.io.out, None, text);
        return None;
    }
    // A search that cannot be prepared is refused when it begins.
    let key = prepare(&search.keys, opened, cx.ctx.clock.now());
    let wanted = key.map(|key| Wanted {
        numbers: search.numbers,
        key,
        criteria: criteria.to_vec(),
        items: search.update_items.clone(),
    });
    Some((wanted, answer))
}

/// Keeps a result from now on, or says that it will not be (RFC 5267 §4.3.1).
pub(crate) fn start(
    out: &mut Out,
    user: &mut User,
    opened: &mut Opened,
    wanted: Option<Wanted>,
    (tag, hits): (&Tag, &[Hit]),
) {
    let Some(asked) = wanted else { return };
    let others = user.contexts.len();
    let messages = opened.members_of_all() + hits.len();
    if others >= UPDATE_CONTEXTS || (others > 0 && messages > UPDATE_MESSAGES) {
        let text = "No more results are kept up to date; use CANCELUPDATE";
        return out.no(Some(&Code::NoUpdate(tag)), text);
    }
    let order = if asked.criteria.is_empty() {
        Order::Mailbox
    } else {
        Order::Own
    };
    let kept = opened.keep(order, hits.iter().map(|hit| hit.uid).collect());
    let tag = tag.clone();
    user.contexts.push(Context { tag, kept, asked });
}

/// CANCELUPDATE. A tag that names no result (any more) needs no updates.
pub(crate) fn cancel(user: &mut User, opened: &mut Opened, tags: &[Tag]) {
    let (ended, left) = std::mem::take(&mut user.contexts)
        .into_iter()
        .partition(|context| tags.contains(&context.tag));
    user.contexts = left;
    let ended: Vec<Context> = ended;
    ended.iter().for_each(|context| opened.let_go(context.kept));
}

/// REMOVEFROM for messages that are about to be told as gone, while their sequence numbers still hold (RFC 5267 §4.3.4).
pub(crate) fn tell_left(out: &mut Out, user: &User, updates: &Updates) {
    // `expunged` descends, so that each number is also the one before all of them went.
    let number = |uid| {
        let at = updates.vanished.binary_search(&uid).ok()?;
        updates.expunged.iter().rev().nth(at).copied()
    };
    for (kept, places) in &updates.left {
        if let Some(context) = user.contexts.iter().find(|context| context.kept == *kept) {
            tell(out, context, false, places, number);
        }
    }
}

/// Asks the searches again of what changed and came, and tells the difference; then what is to be told of new messages.
pub(crate) async fn settle(cx: &mut Cx<'_, '_>, user: &mut User, opened: &mut Opened) -> Result<(), Stop> {
    let Some(unsettled) = opened.unsettled() else {
        return Ok(());
    };
    let contexts = std::mem::take(&mut user.contexts);
    let settled = settle_all(cx, user, opened, &contexts, &unsettled).await;
    user.contexts = contexts;
    match settled {
        Ok(mut new) => {
            let items = user.notify.items();
            let came = opened.select(&unsettled.new).map(|(_, row)| row.uid);
            for uid in came.filter(|_| !items.is_empty()) {
                add_items(new.entry(uid).or_default(), items);
            }
            if new.len() > NOTIFY_EVENTS && user.notify.is_set() {
                return notices::overflow(cx, user);
            }
            tell_new(cx, user, opened, new).await
        }
        Err(Halt::Stop(stop)) => Err(stop),
        Err(Halt::Store(error)) => {
            // It is tried again with the next change, or the next command.
            drop(cx.refusal(user, &error));
            opened.hand_back(&unsettled);
            Ok(())
        }
    }
}

/// What is to be told of new messages, by UID.
type New = BTreeMap<u32, Vec<FetchItem>>;

async fn settle_all(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    contexts: &[Context],
    unsettled: &Unsettled,
) -> Result<New, Halt> {
    let mut new = New::new();
    for context in contexts {
        let mut key = context.asked.key.clone();
        let among = (&mut key, &mut Vec::new(), &unsettled.uids);
        let hits = matching(cx, user, opened, among).await?;
        settle_one(cx, user, opened, context, (&hits, unsettled)).await?;
        let came = hits.iter().filter(|hit| unsettled.new.contains(hit.uid));
        for hit in came.filter(|_| !context.asked.items.is_empty()) {
            add_items(new.entry(hit.uid).or_default(), &context.asked.items);
        }
    }
    Ok(new)
}

fn add_items(items: &mut Vec<FetchItem>, more: &[FetchItem]) {
    for item in more {
        if !items.contains(item) {
            items.push(item.clone());
        }
    }
}

async fn settle_one(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    context: &Context,
    (hits, unsettled): (&[Hit], &Unsettled),
) -> Result<(), Halt> {
    let match_now = UidSet::from_uids(hits.iter().map(|hit| hit.uid));
    let sorted = !context.asked.criteria.is_empty();
    // What went is unsettled too, so that it does not stand in the way of what comes where places count.
    let touched = opened.members_among(context.kept, &unsettled.uids);
    let (there, leaving): (Vec<u32>, Vec<u32>) =
        touched.into_iter().partition(|uid| match_now.contains(*uid));
    let places = opened.leave(context.kept, &UidSet::from_uids(leaving));
    tell(&mut cx.io.out, context, false, &places, |uid| opened.seq_of(uid));
    let there = UidSet::from_uids(there);
    let joining: Vec<Hit> = hits
        .iter()
        .filter(|hit| !there.contains(hit.uid))
        .copied()
        .collect();
    let joining = match sorted {
        false => joining.iter().map(|hit| (0, hit.uid)).collect(),
        true => indices(cx, user, opened, context, joining).await?,
    };
    let places = opened.join(context.kept, &joining);
    tell(&mut cx.io.out, context, true, &places, |uid| opened.seq_of(uid));
    Ok(cx.io.send().await?)
}

/// Where messages belong in a sorted result, with all of them in it.
async fn indices(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    context: &Context,
    joining: Vec<Hit>,
) -> Result<Vec<(usize, u32)>, Halt> {
    if joining.is_empty() {
        return Ok(Vec::new());
    }
    let owner = user.person.at(opened);
    let who = (user, &owner);
    let criteria = &context.asked.criteria;
    let members = opened.members(context.kept);
    if joining.len().saturating_mul(SORT_PROBES) >= members.len() {
        let come = UidSet::from_uids(joining.iter().map(|hit| hit.uid));
        let members = members.iter().filter_map(|&uid| member(opened, uid));
        let all: Vec<Hit> = members.chain(joining).collect();
        let all = ordered(cx, who, &all, criteria).await?;
        let places = all.iter().enumerate().map(|(at, hit)| (at, hit.uid));
        return Ok(places.filter(|(_, uid)| come.contains(*uid)).collect());
    }
    let joining = ordered(cx, who, &joining, criteria).await?;
    let (mut found, mut from) = (Vec::with_capacity(joining.len()), 0);
    for hit in joining {
        cx.io.breathe().await?;
        from = first_behind(cx, who, (opened, members), from, &hit, criteria).await?;
        found.push((from + found.len(), hit.uid));
    }
    Ok(found)
}

/// The first of the members, from one on, that comes behind a message: found by looking at a few of them.
async fn first_behind(
    cx: &mut Cx<'_, '_>,
    who: (&User, &Person),
    (opened, members): (&Opened, &[u32]),
    from: usize,
    new: &Hit,
    criteria: &[SortCriterion],
) -> Result<usize, Halt> {
    let (mut low, mut high) = (from, members.len());
    while low < high {
        let middle = low.midpoint(high);
        let mut pair = Vec::with_capacity(2);
        let both: Vec<Hit> = member(opened, members[middle])
            .into_iter()
            .chain([*new])
            .collect();
        digests::each(cx, who, &both, needs(criteria), |hit, digest| {
            pair.push(Sortable::new(*hit, digest, criteria));
        })
        .await?;
        match pair.as_slice() {
            [member, new] if compare(member, new, criteria).is_lt() => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

fn member(opened: &Opened, uid: u32) -> Option<Hit> {
    let row = opened.snapshot().find(uid)?;
    Some(Hit {
        seq: opened.seq_of(uid)?,
        uid,
        modseq: row.modseq,
        message: row.message,
    })
}

/// One FETCH response for each, with everything that somebody wants to see of it.
async fn tell_new(cx: &mut Cx<'_, '_>, user: &User, opened: &mut Opened, new: New) -> Result<(), Stop> {
    let mut alike: Vec<(Vec<FetchItem>, Vec<u32>)> = Vec::new();
    for (uid, items) in new {
        match alike.last_mut() {
            Some((same, uids)) if *same == items => uids.push(uid),
            _ => alike.push((items, vec![uid])),
        }
    }
    for (items, uids) in alike {
        fetch::unasked(cx, user, opened, items, &UidSet::from_uids(uids)).await?;
    }
    Ok(())
}

fn tell(
    out: &mut Out,
    context: &Context,
    added: bool,
    places: &[Place],
    seq_of: impl Fn(u32) -> Option<u32>,
) {
    let number = |&uid: &u32| match context.asked.numbers {
        Numbers::Uid => Some(uid),
        Numbers::Sequence => seq_of(uid),
    };
    let numbered = |place: &Place| (place.position, place.uids.iter().filter_map(number).collect());
    let places: Vec<(u32, Vec<u32>)> = places.iter().map(numbered).collect();
    for places in lines(&places, added) {
        out.result_change(&ResultChange {
            tag: &context.tag,
            uid: context.asked.numbers == Numbers::Uid,
            added,
            places: &places,
        });
    }
}

/// The same places in lines that a client can hold.
fn lines(places: &[(u32, Vec<u32>)], added: bool) -> Vec<Vec<(u32, Vec<u32>)>> {
    let mut lines: Vec<Vec<(u32, Vec<u32>)>> = Vec::new();
    let mut room = 0;
    for (position, numbers) in places {
        let mut position = *position;
        for some in numbers.chunks(UPDATE_NUMBERS) {
            if some.len() > room {
                lines.push(Vec::new());
                room = UPDATE_NUMBERS;
            }
            room -= some.len();
            if let Some(line) = lines.last_mut() {
                line.push((position, some.to_vec()));
            }
            // What was added moves the place of the rest; what was removed gives the rest its place.
            if added && position > 0 {
                position += some.len() as u32;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_changes_come_in_several_lines() {
        let many: Vec<u32> = (1..=UPDATE_NUMBERS as u32 + 3).collect();
        let (first, rest) = many.split_at(UPDATE_NUMBERS);
        for (position, added, next) in [
            (0, true, 0),
            (0, false, 0),
            (7, true, 7 + first.len() as u32),
            (7, false, 7),
        ] {
            let wanted = vec![vec![(position, first.to_vec())], vec![(next, rest.to_vec())]];
            assert_eq!(
                lines(&[(position, many.clone())], added),
                wanted,
                "{position} {added}"
            );
        }
        let few = vec![(9, vec![4]), (2, vec![5, 6])];
        assert_eq!(lines(&few, false), std::slice::from_ref(&few));
        assert!(lines(&[], true).is_empty());
    }
}
