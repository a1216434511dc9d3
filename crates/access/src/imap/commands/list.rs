//! LIST (RFC 3501 §6.3.8, RFC 5258, RFC 5819, RFC 6154).

use imap::command::List;
use imap::name::MailboxName;
use imap::out::ListLine;
use mailbox::{Entry, Tree};
use store::contract::SpecialUse;

use super::status;
use crate::imap::io::Stop;
use crate::imap::session::{Cx, Reading, User};

pub(crate) async fn run(cx: &mut Cx<'_, '_>, user: &User, list: &List, answer: Reading) -> Result<(), Stop> {
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
    for entry in tree.entries() {
        // A name that IMAP cannot say was made by another door; it is not shown.
        let Ok(name) = MailboxName::from_utf8(&entry.name) else {
            continue;
        };
        if list.patterns.iter().any(|pattern| pattern.matches(&name)) {
            show(cx, user, list, &tree, entry, &name);
        }
        cx.io.send().await?;
    }
    answer.ok(&mut cx.io.out, None);
    Ok(())
}

fn show(cx: &mut Cx<'_, '_>, user: &User, list: &List, tree: &Tree, entry: &Entry, name: &MailboxName) {
    let child_info = list.select.recursive_match && has_subscribed_child(tree, entry);
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

fn has_subscribed_child(tree: &Tree, entry: &Entry) -> bool {
    let prefix = format!("{}/", entry.name);
    entry.has_children
        && tree
            .entries()
            .iter()
            .any(|other| other.row.subscribed && other.name.starts_with(&prefix))
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
