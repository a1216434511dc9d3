//! UIDBATCHES (RFC 10022): ranges of UIDs with so many messages each, the newest first, so that a client can ask for a large mailbox
//! in pieces without sequence numbers.

use std::num::NonZeroU32;

use imap::capability::MessageLimit;
use imap::command::UidBatches;
use imap::out::Code;
use mailbox::{Expunges, Opened};

use crate::imap::io::Stop;
use crate::imap::session::{Cx, Reading, User};
use crate::limits::{UID_BATCH_MESSAGES, UID_BATCHES};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &mut Opened,
    asked: UidBatches,
    answer: Reading,
) -> Result<(), Stop> {
    if asked.size.get() < UID_BATCH_MESSAGES {
        let text = format!("A batch has at least {UID_BATCH_MESSAGES} messages");
        answer.no(&mut cx.io.out, Some(Code::TooFew), &text);
        return Ok(());
    }
    cx.tell(user, opened, Expunges::Tell)?;
    let uids = opened.snapshot().iter().map(|row| row.uid);
    let uids: Vec<u32> = uids.filter(|&uid| uid <= opened.last_known_uid()).collect();
    // RFC 10022: nobody could do anything with a larger batch.
    let most = cx.ctx.own.message_limit.and_then(MessageLimit::of_all);
    let size = most
        .and_then(NonZeroU32::new)
        .map_or(asked.size, |most| asked.size.min(most));
    match batches(&uids, UidBatches { size, ..asked }) {
        Some(batches) => {
            cx.io.out.uid_batches(answer.tag(), &batches);
            answer.ok(&mut cx.io.out, None);
        }
        None => {
            let text = format!("At most {UID_BATCHES} batches are told at once; ask for some of them");
            answer.no(&mut cx.io.out, Some(Code::TooMany), &text);
        }
    }
    Ok(())
}

/// The batches as (highest, lowest) UID. `uids` ascend. Together they are all UIDs from 1 to the highest there is, so that no
/// message falls between two of them, whatever went meanwhile. `None`: too many.
fn batches(uids: &[u32], asked: UidBatches) -> Option<Vec<(u32, u32)>> {
    let size = usize::try_from(asked.size.get()).unwrap_or(usize::MAX);
    let all = uids.len().div_ceil(size);
    let (first, last) = match asked.wanted {
        Some((first, last)) => (first.get() as usize - 1, (last.get() as usize).min(all)),
        None => (0, all),
    };
    if last.saturating_sub(first) > UID_BATCHES {
        return None;
    }
    // Of the batch `n` from the newest, the UID right above the next batch's highest.
    let edge = |n: usize| {
        let below = uids.len().saturating_sub(n.saturating_mul(size));
        if below == 0 { 0 } else { uids[below - 1] }
    };
    Some((first..last).map(|n| (edge(n), edge(n + 1) + 1)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(size: u32, wanted: Option<(u32, u32)>) -> UidBatches {
        let nonzero = |number| NonZeroU32::new(number).unwrap();
        UidBatches {
            size: nonzero(size),
            wanted: wanted.map(|(first, last)| (nonzero(first), nonzero(last))),
        }
    }

    #[test]
    fn batches_are_counted_from_the_newest() {
        let uids = [3, 5, 8, 9, 20, 21, 30];
        for (size, wanted, told) in [
            (3, None, vec![(30, 10), (9, 4), (3, 1)]),
            (3, Some((1, 1)), vec![(30, 10)]),
            (3, Some((2, 9)), vec![(9, 4), (3, 1)]),
            (3, Some((4, 9)), vec![]),
            (7, None, vec![(30, 1)]),
            (1000, None, vec![(30, 1)]),
            (1, Some((7, 7)), vec![(3, 1)]),
        ] {
            assert_eq!(
                batches(&uids, asked(size, wanted)),
                Some(told),
                "{size} {wanted:?}"
            );
        }
        assert_eq!(batches(&[], asked(500, None)), Some(vec![]));
        let many: Vec<u32> = (1..=UID_BATCHES as u32 + 1).collect();
        assert_eq!(batches(&many, asked(1, None)), None);
        assert!(batches(&many, asked(1, Some((2, u32::MAX)))).is_some());
    }

    proptest! {
        #[test]
        fn batches_hold_every_message_once(mut uids in proptest::collection::btree_set(1u32..5000, 0..300), size in 1u32..50) {
            let all: Vec<u32> = uids.iter().copied().collect();
            let told = batches(&all, asked(size, None)).unwrap();
            let mut above = all.last().map_or(1, |last| last + 1);
            for (at, &(highest, lowest)) in told.iter().enumerate() {
                prop_assert!(lowest <= highest && highest < above);
                above = lowest;
                let held = uids.range(lowest..=highest).count();
                prop_assert!(held == size as usize || (at + 1 == told.len() && held <= size as usize));
                uids.retain(|uid| *uid < lowest || *uid > highest);
            }
            prop_assert!(uids.is_empty() && (told.is_empty() || above == 1));
        }
    }
}
