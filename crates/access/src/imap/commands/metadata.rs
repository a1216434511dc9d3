//! GETMETADATA and SETMETADATA (RFC 5464), and the METADATA of LIST (RFC 9590). Private entries
//! are whoever's set them, also those on another's mailbox; the shared ones of a mailbox are seen by all who may read it, and changed with
//! the right `w` (§3.3). The server's shared entries are the operator's.

use imap::command::{GetMetadata, MetadataDepth, SetMetadata};
use imap::name::MailboxName;
use imap::out::Code;
use mail::ids::MailboxId;
use mailbox::{Act, Error, Place};
use store::contract::{Conflict, METADATA_VALUE_BYTES, MetadataRow, StoreError};

use crate::imap::filters;
use crate::imap::io::Stop;
use crate::imap::notices::Own;
use crate::imap::refusal;
use crate::imap::session::{Change, Cx, Reading, User};

/// GETMETADATA.
pub(crate) async fn get(
    cx: &mut Cx<'_, '_>,
    user: &User,
    get: &GetMetadata,
    answer: Reading,
) -> Result<(), Stop> {
    let found = match mailbox_of(user, get.mailbox.as_ref()).await {
        Ok(Some(place)) => user
            .person
            .metadata_of(place)
            .await
            .map(|rows| (Some(place.mailbox), rows)),
        Ok(None) => user.person.metadata().await.map(|rows| (None, rows)),
        Err(error) => Err(error),
    };
    let (mailbox, rows) = match found {
        Ok(found) => found,
        Err(error) => {
            cx.no_reading(user, answer, &error);
            return Ok(());
        }
    };
    let values = chosen(&rows, mailbox, &get.entries, get.depth);
    let limit = get.max_size_bytes.unwrap_or(u64::MAX);
    let size = |value: &Option<&[u8]>| value.map_or(0, |value| value.len() as u64);
    let longest = values
        .iter()
        .map(|(_, value)| size(value))
        .filter(|&size| size > limit)
        .max();
    let told: Vec<_> = values
        .into_iter()
        .filter(|(_, value)| size(value) <= limit)
        .collect();
    if !told.is_empty() {
        cx.io.out.metadata(get.mailbox.as_ref(), &told);
    }
    answer.ok(&mut cx.io.out, longest.map(Code::MetadataLongEntries));
    Ok(())
}

/// SETMETADATA: all entries in one commit.
pub(crate) async fn set(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    set: &SetMetadata,
    answer: Change,
) -> Result<(), Stop> {
    if set.mailbox.is_none()
        && set
            .entries
            .iter()
            .any(|(entry, _)| !entry.starts_with("/private/"))
    {
        answer.no(
            &mut cx.io.out,
            Some(Code::NoPerm),
            "The server's shared entries are its operator's; use /private/",
        );
        return Ok(());
    }
    if let Some((code, text)) = filters::refusal(set) {
        answer.no(&mut cx.io.out, Some(code), text);
        return Ok(());
    }
    let done = match mailbox_of(user, set.mailbox.as_ref()).await {
        Ok(place) => {
            let done = user.person.set_metadata(place, set.entries.clone()).await;
            done.map(|proof| (place, proof))
        }
        Err(error) => Err(error),
    };
    match done {
        Ok((place, proof)) => {
            let mailbox = place.map(|place| place.mailbox);
            let notes = set.entries.iter();
            let own = notes.map(|(entry, value)| Own::note(mailbox, entry, value.as_deref()));
            user.notify.did(own);
            answer.ok(&mut cx.io.out, proof, None);
        }
        Err(Error::Store(StoreError::Conflict(Conflict::MetadataTooLarge))) => answer.no(
            &mut cx.io.out,
            Some(Code::MetadataMaxSize(METADATA_VALUE_BYTES as u64)),
            "This value, or all metadata of the account, is larger than allowed",
        ),
        Err(Error::Store(StoreError::Conflict(Conflict::TooManyEntries))) => answer.no(
            &mut cx.io.out,
            Some(Code::MetadataTooMany),
            "The account has as many entries as it may; remove some first",
        ),
        Err(error) => cx.no_change(user, answer, &error),
    }
    Ok(())
}

/// `* METADATA …` behind a LIST response.
pub(crate) fn line(
    cx: &mut Cx<'_, '_>,
    rows: &[MetadataRow],
    name: &MailboxName,
    mailbox: MailboxId,
    entries: &[String],
) {
    let values = chosen(rows, Some(mailbox), entries, MetadataDepth::Exact);
    cx.io.out.metadata(Some(name), &values);
}

async fn mailbox_of(user: &User, name: Option<&MailboxName>) -> Result<Option<Place>, Error> {
    let Some(name) = name else { return Ok(None) };
    let name = refusal::name(name)?;
    let entry = user.person.find_for(&name, Act::ReadNotes).await?;
    Ok(Some(entry.place()))
}

type Value<'r> = (&'r str, Option<&'r [u8]>);

/// The values asked for: NIL for an entry that was named and has none.
fn chosen<'r>(
    rows: &'r [MetadataRow],
    mailbox: Option<MailboxId>,
    entries: &'r [String],
    depth: MetadataDepth,
) -> Vec<Value<'r>> {
    let mut values: Vec<Value<'r>> = Vec::new();
    for wanted in entries {
        let own = rows.iter().filter(|row| row.mailbox == mailbox);
        let met = own.filter(|row| reaches(wanted, &row.entry, depth));
        let before = values.len();
        for row in met {
            if !values.iter().any(|(entry, _)| *entry == row.entry) {
                values.push((&row.entry, Some(&row.value)));
            }
        }
        let told = values.iter().any(|(entry, _)| entry == wanted);
        if values.len() == before && !told && depth == MetadataDepth::Exact {
            values.push((wanted, None));
        }
    }
    values
}

/// Whether a stored entry is the wanted one, or far enough below it (RFC 5464 §4.2.2).
fn reaches(wanted: &str, entry: &str, depth: MetadataDepth) -> bool {
    let Some(rest) = entry.strip_prefix(wanted) else {
        return false;
    };
    match (rest.strip_prefix('/'), depth) {
        (None, _) => rest.is_empty(),
        (Some(_), MetadataDepth::Exact) => false,
        (Some(below), MetadataDepth::Children) => !below.contains('/'),
        (Some(_), MetadataDepth::Infinity) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_reaches_as_far_as_it_says() {
        for (wanted, entry, exact, children, infinity) in [
            ("/private/a", "/private/a", true, true, true),
            ("/private/a", "/private/a/b", false, true, true),
            ("/private/a", "/private/a/b/c", false, false, true),
            ("/private/a", "/private/ab", false, false, false),
            ("/private", "/shared/a", false, false, false),
        ] {
            let found = [
                MetadataDepth::Exact,
                MetadataDepth::Children,
                MetadataDepth::Infinity,
            ]
            .map(|depth| reaches(wanted, entry, depth));
            assert_eq!(found, [exact, children, infinity], "{wanted} {entry}");
        }
    }
}
