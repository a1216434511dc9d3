//! LIST (RFC 3501 §6.3.8, RFC 5258, RFC 5819, RFC 6154).

use std::collections::HashSet;

use imap::command::List;
use imap::name::MailboxName;
use imap::out::{Code, ListLine};
use mailbox::{Entry, Tree};
use store::contract::SpecialUse;

use super::status;
use crate::imap::io::Stop;
use crate::imap::session::{Cx, Reading, User};
use crate::limits::{LIST_PATTERN_LETTERS, LIST_STEPS_AT_ONCE};

pub(crate) async fn run(cx: &mut Cx<'_, '_>, user: &User, list: &List, answer: Reading) -> Result<(), Stop> {
    let steps: usize = list.patterns.iter().map(|pattern| pattern.steps()).sum();
    if steps > LIST_PATTERN_LETTERS {
        let text = "The patterns are too long together; ask in several commands";
        answer.no(&mut cx.io.out, Some(Code::Limit), text);
        return Ok(());
    }
    if list.patterns.iter().any(|pattern| pattern.asks_separator()) {
        cx.io.out.list_separator();
    }
    let tree = match user.person.tree().await {
        Ok(tree) => tree,
        Err(error) => {
            cx.no_reading(user, answer, &error);
            return Ok(());
        }
    };
    let families = if list.select.recursive_match {
        with_subscribed_children(&tree)
    } else {
        HashSet::new()
    };
    let mut compared = 0;
    for entry in tree.entries() {
        compared += steps * entry.name.len();
        if compared > LIST_STEPS_AT_ONCE {
            compared = 0;
            tokio::task::yield_now().await;
        }
        // A name that IMAP cannot say was made by another door; it is not shown.
        let Ok(name) = MailboxName::from_utf8(&entry.name) else {
            continue;
        };
        if list.patterns.iter().any(|pattern| pattern.matches(&name)) {
            let child_info = families.contains(entry.name.as_str());
            show(cx, user, list, entry, &name, child_info);
        }
        cx.io.send().await?;
    }
    answer.ok(&mut cx.io.out, None);
    Ok(())
}

fn show(cx: &mut Cx<'_, '_>, user: &User, list: &List, entry: &Entry, name: &MailboxName, child_info: bool) {
    let subscribed = !list.select.subscribed || entry.row.subscribed || child_info;
    let special = !list.select.special_use || entry.row.special_use.is_some();
    if !subscribed || !special {
        return;
    }
    let attributes = attributes(entry, list.select.subscribed || list.returns.subscribed);
    cx.io.out.list_line(&ListLine {
        attributes,
        name,
        child_info,
    });
    if !list.returns.status.is_empty() {
        status::line(cx, user, name, &entry.row, &list.returns.status);
    }
}

fn attributes(entry: &Entry, tell_subscribed: bool) -> Vec<&'static str> {
    let mut attributes = vec![if entry.has_children {
        "\\HasChildren"
    } else {
        "\\HasNoChildren"
    }];
    if tell_subscribed && entry.row.subscribed {
        attributes.push("\\Subscribed");
    }
    attributes.extend(entry.row.special_use.map(special_use_name));
    attributes
}

/// The names that have a subscribed mailbox below them (RFC 5258 §3.5).
fn with_subscribed_children(tree: &Tree) -> HashSet<&str> {
    let subscribed = tree.entries().iter().filter(|entry| entry.row.subscribed);
    let above = |entry: &'_ Entry| {
        entry
            .name
            .match_indices('/')
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    subscribed
        .flat_map(|entry| above(entry).into_iter().map(|at| &entry.name[..at]))
        .collect()
}

const fn special_use_name(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::All => "\\All",
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Flagged => "\\Flagged",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    }
}
