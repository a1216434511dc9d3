//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): one root holds all mailboxes of an account. What comes into another's mailbox counts
//! for its owner, so their root is told to whoever may read a mailbox of theirs.

use imap::name::MailboxName;
use imap::out::Code;
use mailbox::name::is_of_others;
use mailbox::{Act, Person};
use store::limits::MAILBOXES_PER_ACCOUNT;

use crate::imap::io::Stop;
use crate::imap::refusal;
use crate::imap::session::{Cx, Reading, User};

/// One's own root. Another's is called as their mailboxes are: `#shared/bob@example.org`.
const ROOT: &str = "mail";
/// RFC 9208 §5.1: STORAGE counts in units of so many octets.
const STORAGE_UNIT_BYTES: u64 = 1024;

/// GETQUOTA.
pub(crate) async fn get(cx: &mut Cx<'_, '_>, user: &User, root: &[u8], answer: Reading) -> Result<(), Stop> {
    let found = match std::str::from_utf8(root) {
        Ok(ROOT) => Ok(Some(user.person.clone())),
        Ok(other) => owner_of(user, other).await,
        Err(_) => Ok(None),
    };
    let told = match found {
        Ok(Some(owner)) => tell(cx, &owner, &String::from_utf8_lossy(root)).await,
        Ok(None) => {
            let text = "There is no such quota root";
            answer.no(&mut cx.io.out, Some(Code::NonExistent), text);
            return Ok(());
        }
        Err(error) => Err(error),
    };
    match told {
        Ok(()) => answer.ok(&mut cx.io.out, None),
        Err(error) => cx.no_reading(user, answer, &error),
    }
    Ok(())
}

/// Whose root it is, if the person may read a mailbox of theirs.
async fn owner_of(user: &User, root: &str) -> Result<Option<Person>, mailbox::Error> {
    let everything = user.person.everything().await?;
    let below = format!("{root}/");
    let mut readable = everything
        .entries()
        .iter()
        .filter(|entry| entry.may(Act::Read).is_ok());
    let one = readable.find(|entry| is_of_others(&entry.name) && root_name(&entry.name) == root);
    Ok(one
        .filter(|entry| entry.name.starts_with(&below))
        .map(|entry| user.person.at_place(entry.place())))
}

/// The root that a mailbox counts for.
fn root_name(mailbox: &str) -> &str {
    if !is_of_others(mailbox) {
        return ROOT;
    }
    mailbox
        .match_indices('/')
        .nth(1)
        .map_or(mailbox, |(at, _)| &mailbox[..at])
}

/// GETQUOTAROOT; also of a name that could be created (RFC 9208 §4.1.3).
pub(crate) async fn root_of(
    cx: &mut Cx<'_, '_>,
    user: &User,
    name: &MailboxName,
    answer: Reading,
) -> Result<(), Stop> {
    let known = match refusal::name(name) {
        Ok(name) if name.is_of_others() => user.person.find_for(&name, Act::Read).await.map(drop),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = known {
        cx.no_reading(user, answer, &error);
        return Ok(());
    }
    let root = root_name(name.as_str());
    cx.io.out.quota_root(name, root);
    get(cx, user, root.as_bytes(), answer).await
}

/// SETQUOTA: limits are the operator's.
pub(crate) fn set(cx: &mut Cx<'_, '_>, answer: Reading) {
    answer.no(
        &mut cx.io.out,
        Some(Code::NoPerm),
        "Quotas are set by the operator of this server, not over IMAP",
    );
}

async fn tell(cx: &mut Cx<'_, '_>, owner: &Person, root: &str) -> Result<(), mailbox::Error> {
    let usage = owner.usage().await?;
    let mut resources = Vec::with_capacity(2);
    if usage.quota_bytes > 0 {
        resources.push((
            "STORAGE",
            usage.used_bytes.div_ceil(STORAGE_UNIT_BYTES),
            usage.quota_bytes / STORAGE_UNIT_BYTES,
        ));
    }
    resources.push(("MAILBOX", usage.mailboxes, MAILBOXES_PER_ACCOUNT as u64));
    cx.io.out.quota(root, &resources);
    Ok(())
}
