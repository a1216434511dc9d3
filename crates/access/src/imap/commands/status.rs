//! STATUS (RFC 3501 §6.3.10, RFC 7162, RFC 7889, RFC 8438, RFC 8474).

use imap::command::{Status, StatusItem};
use imap::name::MailboxName;
use imap::out::StatusValue;
use mailbox::Act;
use store::contract::MailboxRow;

use crate::imap::io::Stop;
use crate::imap::refusal;
use crate::imap::session::{Cx, Reading, User};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    status: &Status,
    answer: Reading,
) -> Result<(), Stop> {
    let found = match refusal::name(&status.mailbox) {
        Ok(name) => user
            .person
            .find_for(&name, Act::Read)
            .await
            .map(|entry| entry.row),
        Err(error) => Err(error),
    };
    match found {
        Ok(row) => {
            // Asking for it enables it (RFC 7162 §3.1).
            user.condstore |= status.items.contains(&StatusItem::HighestModSeq);
            line(cx, user, &status.mailbox, &row, &status.items).await?;
            answer.ok(&mut cx.io.out, None);
        }
        Err(error) => cx.no_reading(user, answer, &error),
    }
    Ok(())
}

/// `* STATUS …`; also for LIST with RETURN (STATUS …).
pub(crate) async fn line(
    cx: &mut Cx<'_, '_>,
    user: &User,
    name: &MailboxName,
    row: &MailboxRow,
    items: &[StatusItem],
) -> Result<(), Stop> {
    let mut deleted_bytes = 0;
    if items.contains(&StatusItem::DeletedStorage) && row.deleted > 0 {
        match user.person.deleted_bytes(row.id).await {
            Ok(bytes) => deleted_bytes = bytes,
            // The mailbox went, or a row is damaged: the others are told all the same.
            Err(error) => drop(cx.refusal(user, &error)),
        }
    }
    let id = row.id.to_string();
    let number = |item: StatusItem| match item {
        StatusItem::Messages => u64::from(row.messages),
        StatusItem::Recent => u64::from(user.person.recent(row)),
        StatusItem::UidNext => u64::from(row.uidnext),
        StatusItem::UidValidity => u64::from(row.uidvalidity),
        StatusItem::Unseen => u64::from(row.unseen),
        StatusItem::Deleted => u64::from(row.deleted),
        StatusItem::Size => row.size_bytes,
        StatusItem::HighestModSeq => row.modseq.max(1),
        StatusItem::AppendLimit => cx.ctx.own.append_limit_bytes,
        StatusItem::DeletedStorage => deleted_bytes,
        StatusItem::MailboxId => 0,
    };
    let values: Vec<StatusValue<'_>> = items
        .iter()
        .map(|&item| match item {
            StatusItem::MailboxId => StatusValue::MailboxId(&id),
            item => StatusValue::Number(item, number(item)),
        })
        .collect();
    cx.io.out.status_line(name, &values);
    Ok(())
}
