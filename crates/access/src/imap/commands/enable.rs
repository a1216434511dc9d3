//! ENABLE (RFC 5161): what can be enabled stands in `imap::capability`.

use mailbox::Opened;

use crate::imap::session::{Cx, Reading, User};
use imap::capability::can_be_enabled;
use imap::out::Code;

pub(crate) fn run(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    opened: Option<&Opened>,
    names: &[String],
    answer: Reading,
) {
    let enabled: Vec<&str> = can_be_enabled()
        .filter(|known| names.iter().any(|name| name.eq_ignore_ascii_case(known)))
        .collect();
    // RFC 7162 §3.2.3: whoever knows QRESYNC knows mod-sequences.
    user.qresync |= enabled.contains(&"QRESYNC");
    user.uid_only |= enabled.contains(&"UIDONLY");
    if user.qresync || enabled.contains(&"CONDSTORE") {
        condstore(cx, user, opened);
    }
    let mut mode = cx.io.mode;
    mode.utf8 |= enabled.contains(&"UTF8=ACCEPT");
    mode.rev2 |= enabled.contains(&"IMAP4rev2");
    cx.io.out.enabled(enabled);
    cx.io.switch(mode);
    answer.ok(&mut cx.io.out, None);
}

/// The client knows mod-sequences from now on. If a mailbox is open, it learns the highest (RFC 7162 §3.1.2).
pub(crate) fn condstore(cx: &mut Cx<'_, '_>, user: &mut User, opened: Option<&Opened>) {
    if !std::mem::replace(&mut user.condstore, true)
        && let Some(opened) = opened
    {
        cx.io.out.ok(
            Some(&Code::HighestModSeq(opened.applied_modseq().max(1))),
            "Mod-sequences are told from now on",
        );
    }
}
