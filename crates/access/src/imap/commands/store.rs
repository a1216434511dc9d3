//! STORE and UID STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3).

use std::sync::Arc;

use imap::command::{Numbers, Store, StoreAction};
use imap::out::Code;
use imap::set::ranges_of;
use mailbox::{Expunges, FlagsSet, Opened};
use store::durable::Durable;
use store::flags::FlagEdit;
use store::uids::UidSet;

use super::message_limit::{self, Cut};
use super::{enable, numbers};
use crate::imap::io::Stop;
use crate::imap::session::{Change, Cx, User};
use crate::imap::updates::{fetch_line, flag_names, stored_flags};

pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: &mut Opened,
    command: &Store,
    answer: Change,
) -> Result<(), Stop> {
    opened.look();
    let Some(wanted) = numbers::uids(opened, command.numbers, &command.set) else {
        answer.bad(&mut cx.io.out, None, "There is no message of that number");
        return Ok(());
    };
    if command.unchanged_since.is_some() {
        enable::condstore(cx, user, Some(opened));
    }
    let (wanted, cut) = match message_limit::newest(cx, opened, &wanted, |_| true) {
        Some((newest, cut)) => (newest, Some(cut)),
        None => (wanted, None),
    };
    let uids = UidSet::from_uids(opened.select(&wanted).map(|(_, row)| row.uid));
    if uids.is_empty() {
        cx.tell(user, opened, expunges(command.numbers))?;
        answer.unchanged(&mut cx.io.out, None);
        return Ok(());
    }
    let edit = edit(command);
    let before = Arc::clone(opened.snapshot());
    let setting = user
        .person
        .set_flags(opened, uids.clone(), edit.clone(), command.unchanged_since);
    let set = match setting.await {
        Ok(set) => set,
        Err(error) => {
            cx.no_change(user, answer, &error);
            return Ok(());
        }
    };
    opened.look();
    report(cx, user, opened, command, &uids, set.committed()).await?;
    match command.silent {
        true => opened.hush_silent(set.committed(), &edit, &before),
        false => hush_told(opened, &uids, set.committed()),
    }
    let modified = modified(opened, command.numbers, set.committed());
    cx.tell(user, opened, expunges(command.numbers))?;
    finish(cx, answer, (set, cut), &modified);
    Ok(())
}

/// OK, or what was left alone because it had changed (RFC 7162 §3.1.3).
fn finish(
    cx: &mut Cx<'_, '_>,
    answer: Change,
    (set, cut): (Durable<FlagsSet>, Option<Cut>),
    modified: &[(u32, u32)],
) {
    let proof = set.narrow(|_| ());
    if modified.is_empty() {
        answer.ok(&mut cx.io.out, proof, cut.map(Cut::code));
        return;
    }
    if let Some(cut) = cut {
        cut.beside(cx);
    }
    answer.partly(&mut cx.io.out, Some(proof), Some(Code::Modified(modified)));
}

/// The new flags; with `.SILENT` only the new mod-sequences, to a client that knows them.
async fn report(
    cx: &mut Cx<'_, '_>,
    user: &User,
    opened: &Opened,
    command: &Store,
    uids: &UidSet,
    set: &FlagsSet,
) -> Result<(), Stop> {
    if command.silent && !user.condstore {
        return Ok(());
    }
    for (seq, row) in opened
        .select(uids)
        .filter(|(_, row)| !set.modified.contains(row.uid))
    {
        let mut line = fetch_line(&mut cx.io.out, user, seq, row.uid);
        if !user.uid_only && (command.numbers == Numbers::Uid || user.condstore) {
            line.uid(row.uid);
        }
        if user.condstore {
            line.modseq(row.modseq);
        }
        if !command.silent {
            line.flags(flag_names(opened, row));
        }
        line.finish();
        cx.io.send().await?;
    }
    Ok(())
}

/// What the answer said of messages need not be told again.
fn hush_told(opened: &mut Opened, uids: &UidSet, set: &FlagsSet) {
    let told = opened
        .select(uids)
        .map(|(_, row)| row.uid)
        .filter(|&uid| !set.modified.contains(uid));
    let told = UidSet::from_uids(told);
    opened.hush(&told);
}

/// Messages that were left alone, by the numbers the client used.
fn modified(opened: &Opened, numbers: Numbers, set: &FlagsSet) -> Vec<(u32, u32)> {
    match numbers {
        Numbers::Uid => set.modified.ranges().to_vec(),
        Numbers::Sequence => ranges_of(set.modified.iter().filter_map(|uid| opened.seq_of(uid))),
    }
}

fn edit(command: &Store) -> FlagEdit {
    let flags = stored_flags(&command.flags);
    match command.action {
        StoreAction::Replace => FlagEdit::Replace(flags),
        StoreAction::Add => FlagEdit::Add(flags),
        StoreAction::Remove => FlagEdit::Remove(flags),
    }
}

fn expunges(numbers: Numbers) -> Expunges {
    match numbers {
        Numbers::Sequence => Expunges::Hold,
        Numbers::Uid => Expunges::Tell,
    }
}
