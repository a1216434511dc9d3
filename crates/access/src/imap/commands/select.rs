//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2, RFC 7162 §3.2.5).

use std::collections::BTreeSet;

use imap::command::Select;
use imap::out::{Code, ListLine, Out};
use mailbox::{Opened, Snapshot};
use store::flags::{FlagMask, SEEN};

use super::resync;
use crate::imap::io::Stop;
use crate::imap::refusal;
use crate::imap::session::{Cx, Reading, User};
use crate::imap::updates::{SYSTEM, bit_names};

/// The mailbox, if it could be opened.
pub(crate) async fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    select: &Select,
    read_only: bool,
    answer: Reading,
) -> Result<Option<Opened>, Stop> {
    let opened = match refusal::name(&select.mailbox) {
        Ok(name) => user.person.open(&name, read_only).await,
        Err(error) => Err(error),
    };
    let found = match (&opened, &select.resync) {
        (Ok(opened), Some(resync)) => resync::find(user, opened, resync).await,
        _ => Ok(None),
    };
    let (opened, found) = match opened.and_then(|opened| Ok((opened, found?))) {
        Ok(opened) => opened,
        Err(error) => {
            cx.no_reading(user, answer, &error);
            return Ok(None);
        }
    };
    user.condstore |= select.condstore;
    describe(&mut cx.io.out, user, &opened);
    if cx.io.mode.rev2 {
        // RFC 9051 §6.3.2 demands the name; it is the old one where the client wrote it otherwise.
        cx.io.out.list_line(&ListLine {
            attributes: vec![],
            name: &select.mailbox,
            child_info: &[],
            old_name: select.mailbox.denormalised(),
        });
    }
    if let Some(found) = found {
        resync::tell(cx, user, &opened, &found).await?;
    }
    let code = if opened.read_only() {
        Code::ReadOnly
    } else {
        Code::ReadWrite
    };
    answer.ok(&mut cx.io.out, Some(code));
    Ok(Some(opened))
}

fn describe(out: &mut Out, user: &User, opened: &Opened) {
    let snapshot = opened.snapshot();
    let flags = flags_in_use(snapshot, FlagMask::ALL);
    out.mailbox_flags(flags.iter().map(String::as_str));
    out.exists(opened.exists());
    out.recent(opened.recent());
    // RFC 9051 appendix E has no UNSEEN there any more; with UIDONLY a sequence number means nothing (RFC 9586 §3.4).
    if !out.mode().rev2
        && !user.uid_only
        && let Some(unseen) = snapshot.iter().position(|row| row.bits & SEEN == 0)
    {
        out.ok(Some(&Code::Unseen(unseen as u32 + 1)), "The first unseen message");
    }
    out.ok(Some(&Code::UidValidity(opened.uidvalidity())), "UIDs are valid");
    out.ok(Some(&Code::UidNext(opened.uidnext())), "The next UID");
    tell_permanent(out, opened);
    out.ok(
        Some(&Code::HighestModSeq(opened.applied_modseq().max(1))),
        "The highest mod-sequence",
    );
    out.ok(Some(&Code::UrlMech), "How URLs are authorized");
    out.ok(
        Some(&Code::MailboxId(&opened.id().to_string())),
        "The mailbox's identifier",
    );
}

/// FLAGS and PERMANENTFLAGS, after rights changed (RFC 4314 §5.1.1).
pub(crate) fn tell_flags(out: &mut Out, opened: &Opened) {
    let flags = flags_in_use(opened.snapshot(), FlagMask::ALL);
    out.mailbox_flags(flags.iter().map(String::as_str));
    tell_permanent(out, opened);
}

/// The flags that this person may change here.
fn tell_permanent(out: &mut Out, opened: &Opened) {
    let mask = opened.may_flag();
    let flags = flags_in_use(opened.snapshot(), mask);
    let names: Vec<&str> = flags.iter().map(String::as_str).collect();
    out.ok(
        Some(&Code::PermanentFlags(&names, mask.keywords)),
        "Flags that are kept",
    );
}

/// Of some flags, the system flags, and the keywords that a message has.
fn flags_in_use(snapshot: &Snapshot, of: FlagMask) -> Vec<String> {
    let system = SYSTEM.iter().fold(0, |bits, (bit, _)| bits | bit);
    let used = snapshot.iter().fold(0, |bits, row| bits | row.bits);
    let rare: BTreeSet<&str> = snapshot.rare_keywords().filter(|_| of.keywords).collect();
    bit_names((used | system) & of.bits)
        .chain(rare)
        .map(str::to_owned)
        .collect()
}
