//! CREATE (RFC 3501 §6.3.3, RFC 6154 §3).

use imap::command::{Create, SpecialUse};
use imap::mode::Mode;
use imap::name::MailboxName;
use imap::out::{Code, ListLine, Out};
use store::contract;

use crate::imap::io::Stop;
use crate::imap::notices::Own;
use crate::imap::refusal;
use crate::imap::session::{Change, Cx, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    create: &Create,
    answer: Change,
) -> Result<(), Stop> {
    let special_use = match create.special_use.as_slice() {
        [] => None,
        // Views over other mailboxes are not offered.
        [SpecialUse::All | SpecialUse::Flagged] | [_, _, ..] => {
            answer.no(
                &mut cx.io.out,
                Some(Code::UseAttr),
                "One special use a mailbox, and neither \\All nor \\Flagged",
            );
            return Ok(());
        }
        [only] => Some(stored_use(*only)),
    };
    let created = match refusal::name(&create.mailbox) {
        Ok(name) => user.person.create(&name, special_use).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(created) => {
            user.notify.did(Own::made(&create.mailbox));
            let id = created.committed().mailbox.to_string();
            tell_name(
                &mut cx.io.out,
                cx.io.mode,
                &create.mailbox,
                create.mailbox.denormalised(),
            );
            answer.ok(&mut cx.io.out, created.narrow(|_| ()), Some(Code::MailboxId(&id)));
        }
        Err(error) => cx.no_change(user, answer, &error),
    }
    Ok(())
}

/// `* LIST () "/" name ("OLDNAME" (old))`, of which an IMAP4rev2 client learns a mailbox's new name (RFC 9051 §6.3.9.7).
pub(crate) fn tell_name(out: &mut Out, mode: Mode, name: &MailboxName, old: Option<&str>) {
    if mode.rev2 && old.is_some() {
        out.list_line(&ListLine {
            attributes: vec![],
            name,
            child_info: &[],
            old_name: old,
        });
    }
}

fn stored_use(special_use: SpecialUse) -> contract::SpecialUse {
    match special_use {
        SpecialUse::All => contract::SpecialUse::All,
        SpecialUse::Archive => contract::SpecialUse::Archive,
        SpecialUse::Drafts => contract::SpecialUse::Drafts,
        SpecialUse::Flagged => contract::SpecialUse::Flagged,
        SpecialUse::Junk => contract::SpecialUse::Junk,
        SpecialUse::Sent => contract::SpecialUse::Sent,
        SpecialUse::Trash => contract::SpecialUse::Trash,
        SpecialUse::Memos => contract::SpecialUse::Memos,
        SpecialUse::Scheduled => contract::SpecialUse::Scheduled,
        SpecialUse::Snoozed => contract::SpecialUse::Snoozed,
    }
}
