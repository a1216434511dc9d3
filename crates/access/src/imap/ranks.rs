//! What SORT compares as numbers, from the index; the few messages that the index does not know are read.

use std::sync::Arc;

use imap::command::SortCriterion;
use mail::ids::MessageId;
use mailbox::Person;

use super::digests;
use super::find::{Halt, Hit};
use super::session::{Cx, User};
use super::sort::{field, needs, value};
use crate::limits::{RANKED_MESSAGES, READ_ONE_IN};

/// Of each criterion a number for each message: comparing the numbers compares the keys. `None` when the index knows too few of them, or
/// when they are few.
pub(crate) async fn ranks(
    cx: &mut Cx<'_, '_>,
    who: (&User, &Person),
    hits: &[Hit],
    criteria: &[SortCriterion],
) -> Result<Option<Vec<Vec<u64>>>, Halt> {
    if hits.len() < RANKED_MESSAGES {
        return Ok(None);
    }
    let messages: Arc<[MessageId]> = hits.iter().map(|hit| hit.message).collect();
    let mut all = Vec::with_capacity(criteria.len());
    for criterion in criteria {
        let Some(ranks) = of_criterion(cx, who, (hits, &messages), criterion).await? else {
            return Ok(None);
        };
        all.push(ranks);
    }
    Ok(Some(all))
}

async fn of_criterion(
    cx: &mut Cx<'_, '_>,
    who: (&User, &Person),
    (hits, messages): (&[Hit], &Arc<[MessageId]>),
    criterion: &SortCriterion,
) -> Result<Option<Vec<u64>>, Halt> {
    let asked = who.1.ranks(Arc::clone(messages), field(criterion.key));
    let Some(ranked) = asked.await else {
        return Ok(None);
    };
    let known = hits.iter().zip(&ranked.values);
    let unknown: Vec<Hit> = known
        .filter(|(_, value)| value.is_none())
        .map(|(hit, _)| *hit)
        .collect();
    if unknown.len() > hits.len() / READ_ONE_IN {
        return Ok(None);
    }
    let mut values = Vec::with_capacity(unknown.len());
    digests::each(cx, who, &unknown, needs(&[*criterion]), |_, digest| {
        values.push(value(digest, criterion.key));
    })
    .await?;
    let Some(others) = who.1.rank_others(&ranked, values).await else {
        return Ok(None);
    };
    let mut others = others.into_iter();
    let whole = ranked.values.into_iter();
    let whole = whole.map(|value| value.or_else(|| others.next()).unwrap_or_default());
    Ok(Some(whole.collect()))
}
