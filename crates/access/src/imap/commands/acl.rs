//! SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 §3). Identifiers are main addresses of accounts here, and `anyone`: every
//! account of this server. With `-` in front an entry takes rights, whoever else gives them. The owner has every right, always.
//! There are no groups: the directory knows none, and an alias names who gets mail, not who may read it.

use directory::Directory;
use imap::command::{AclEntry, RightsSign, SetAcl};
use imap::name::MailboxName;
use imap::out::Code;
use mail::ids::AccountId;
use mailbox::{Act, Entry, Error};
use store::rights::{Grantee, Rights, RightsChange, Side};

use crate::events::AccessEvent;
use crate::imap::io::Stop;
use crate::imap::refusal;
use crate::imap::session::{Change, Cx, Reading, User};

/// Stands for every account.
const ANYONE: &str = "anyone";

/// SETACL.
pub(crate) async fn set(cx: &mut Cx<'_, '_>, user: &User, set: &SetAcl, answer: Change) -> Result<(), Stop> {
    // The parser has seen to it that all letters are rights.
    let rights = Rights::parse(&set.letters).unwrap_or(Rights::NONE);
    let change = match set.sign {
        RightsSign::Set => RightsChange::Set(rights),
        RightsSign::Add => RightsChange::Add(rights),
        RightsSign::Remove => RightsChange::Remove(rights),
    };
    run(cx, user, &set.entry, change, answer).await
}

/// DELETEACL: `id` and `-id` are two entries (RFC 4314 §2).
pub(crate) async fn delete(
    cx: &mut Cx<'_, '_>,
    user: &User,
    entry: &AclEntry,
    answer: Change,
) -> Result<(), Stop> {
    run(cx, user, entry, RightsChange::Set(Rights::NONE), answer).await
}

async fn run(
    cx: &mut Cx<'_, '_>,
    user: &User,
    entry: &AclEntry,
    change: RightsChange,
    answer: Change,
) -> Result<(), Stop> {
    let (found, whom) = match administered(&cx.ctx.directory, user, entry).await {
        Ok(found) => found,
        Err(error) => {
            cx.no_change(user, answer, &error);
            return Ok(());
        }
    };
    let (who, side) = match whom {
        Whom::Entry(who, side) => (who, side),
        Whom::Owner => {
            let text = "The owner has every right, always";
            answer.no(&mut cx.io.out, Some(Code::Cannot), text);
            return Ok(());
        }
        Whom::Nobody => {
            answer.no(&mut cx.io.out, Some(Code::Cannot), NOBODY);
            return Ok(());
        }
    };
    let name = match refusal::name(&entry.mailbox) {
        Ok(name) => name,
        Err(error) => {
            cx.no_change(user, answer, &error);
            return Ok(());
        }
    };
    match user.person.change_grant(&name, who, side, change).await {
        Ok(proof) => {
            cx.ctx.events.emit(&AccessEvent::RightsChanged {
                address: user.who.address().to_string(),
                mailbox: found.row.id.to_string(),
                identifier: entry.identifier.clone(),
            });
            answer.ok(&mut cx.io.out, proof, None);
        }
        Err(error) => cx.no_change(user, answer, &error),
    }
    Ok(())
}

/// GETACL.
pub(crate) async fn get(
    cx: &mut Cx<'_, '_>,
    user: &User,
    mailbox: &MailboxName,
    answer: Reading,
) -> Result<(), Stop> {
    let found = match refusal::name(mailbox) {
        Ok(name) => user.person.grants(&name).await,
        Err(error) => Err(error),
    };
    match found {
        Ok((entry, grants)) => {
            let directory = &cx.ctx.directory;
            let owner = Grantee::Account(entry.row.account);
            let mut told = vec![(called(directory, owner), Rights::ALL.with_obsolete())];
            for (who, grant) in grants {
                let called = called(directory, who);
                if !grant.given.is_empty() {
                    told.push((called.clone(), grant.given.with_obsolete()));
                }
                if !grant.taken.is_empty() {
                    told.push((format!("-{called}"), grant.taken.with_obsolete()));
                }
            }
            cx.io.out.acl(mailbox, &told);
            answer.ok(&mut cx.io.out, None);
        }
        Err(error) => cx.no_reading(user, answer, &error),
    }
    Ok(())
}

/// LISTRIGHTS: every right alone may be given to everybody but the owner, who has them all.
pub(crate) async fn list(
    cx: &mut Cx<'_, '_>,
    user: &User,
    entry: &AclEntry,
    answer: Reading,
) -> Result<(), Stop> {
    match administered(&cx.ctx.directory, user, entry).await {
        Ok((_, Whom::Nobody)) => answer.no(&mut cx.io.out, Some(Code::Cannot), NOBODY),
        Ok((_, Whom::Owner)) => {
            let all = Rights::ALL.with_obsolete();
            cx.io
                .out
                .list_rights(&entry.mailbox, &entry.identifier, &all, &[]);
            answer.ok(&mut cx.io.out, None);
        }
        Ok((_, Whom::Entry(..))) => {
            let each = Rights::ALL
                .with_obsolete()
                .chars()
                .map(String::from)
                .collect::<Vec<_>>();
            cx.io
                .out
                .list_rights(&entry.mailbox, &entry.identifier, "", &each);
            answer.ok(&mut cx.io.out, None);
        }
        Err(error) => cx.no_reading(user, answer, &error),
    }
    Ok(())
}

/// MYRIGHTS.
pub(crate) async fn mine(
    cx: &mut Cx<'_, '_>,
    user: &User,
    mailbox: &MailboxName,
    answer: Reading,
) -> Result<(), Stop> {
    let found = match refusal::name(mailbox) {
        Ok(name) => user.person.find_for(&name, Act::See).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(entry) => {
            cx.io.out.my_rights(mailbox, &entry.rights.with_obsolete());
            answer.ok(&mut cx.io.out, None);
        }
        Err(error) => cx.no_reading(user, answer, &error),
    }
    Ok(())
}

/// Whom an identifier means.
enum Whom {
    Entry(Grantee, Side),
    /// it means the owner, of whom there is no entry
    Owner,
    /// no account has this main address
    Nobody,
}

const NOBODY: &str = "Rights are given to the main address of an account of this server, or to anyone";

/// The mailbox, if the person may administer it, and then whom the entry is about: who may not learns nothing of accounts either.
async fn administered(directory: &Directory, user: &User, entry: &AclEntry) -> Result<(Entry, Whom), Error> {
    let name = refusal::name(&entry.mailbox)?;
    let found = user.person.find_for(&name, Act::Administer).await?;
    let whom = whom(directory, &entry.identifier, found.row.account);
    Ok((found, whom))
}

fn whom(directory: &Directory, identifier: &str, owner: AccountId) -> Whom {
    let (identifier, side) = match identifier.strip_prefix('-') {
        Some(rest) => (rest, Side::Taken),
        None => (identifier, Side::Given),
    };
    if identifier == ANYONE {
        return Whom::Entry(Grantee::Anyone, side);
    }
    match directory.account_of(identifier) {
        Some(account) if account == owner => Whom::Owner,
        Some(account) => Whom::Entry(Grantee::Account(account), side),
        None => Whom::Nobody,
    }
}

fn called(directory: &Directory, who: Grantee) -> String {
    match who {
        Grantee::Anyone => ANYONE.to_owned(),
        Grantee::Account(account) => directory
            .address_of(account)
            .map_or_else(|| account.to_string(), |address| address.to_string()),
    }
}
