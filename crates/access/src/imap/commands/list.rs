//! LIST (RFC 3501 §6.3.8, RFC 5258, RFC 5819, RFC 6154, RFC 8440, RFC 9590). Mailboxes of others are among the names where the right `l` is.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use imap::command::List;
use imap::name::MailboxName;
use imap::out::{Code, ListLine};
use mailbox::name::is_of_others;
use mailbox::{Act, Entry, Place, Tree};
use store::contract::{MetadataRow, SpecialUse};

use super::{metadata, status};
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
    let found = match gather(cx, user, list).await {
        Ok(found) => found,
        Err(error) => {
            cx.no_reading(user, answer, &error);
            return Ok(());
        }
    };
    let ways = ways(list, &found).await;
    let families = if list.select.recursive_match {
        above_selected(list, &found)
    } else {
        HashSet::new()
    };
    let mut compared = 0;
    for line in found.lines(&families, &ways) {
        compared += steps * line.name.len();
        if compared > LIST_STEPS_AT_ONCE {
            compared = 0;
            tokio::task::yield_now().await;
        }
        // A name that IMAP cannot say was made by another door; it is not shown.
        let Ok(name) = MailboxName::from_utf8(line.name) else {
            continue;
        };
        if list.patterns.iter().any(|pattern| pattern.matches(&name)) {
            show(cx, user, list, &found, &line, &name).await?;
        }
        cx.io.send().await?;
    }
    answer.ok(&mut cx.io.out, None);
    Ok(())
}

/// Everything that may be shown.
struct Found {
    tree: Arc<Tree>,
    /// subscribed names without a mailbox; empty unless they are asked for
    names: Vec<String>,
    metadata: Vec<MetadataRow>,
}

/// One name that may be shown.
struct Line<'f> {
    name: &'f str,
    entry: Option<&'f Entry>,
    /// it is subscribed to
    subscribed: bool,
    /// something below meets the selection options
    parent: bool,
    /// it is no mailbox, and leads to some
    way: bool,
}

async fn gather(cx: &mut Cx<'_, '_>, user: &User, list: &List) -> Result<Found, mailbox::Error> {
    let tree = user.person.everything().await?;
    let mut names = Vec::new();
    if list.select.subscribed {
        names = user.person.subscribed_names().await?;
    }
    let mut metadata = Vec::new();
    if !list.returns.metadata.is_empty() {
        metadata = user.person.metadata().await?;
        let others = tree.entries().iter().filter(|entry| is_of_others(&entry.name));
        let places: Vec<Place> = others.map(Entry::place).collect();
        match user.person.notes_of_others(&places).await {
            Ok(theirs) => metadata.extend(theirs),
            // LIST goes on; the operator hears of what concerns them.
            Err(error) => drop(cx.refusal(user, &error)),
        }
    }
    Ok(Found {
        tree,
        names,
        metadata,
    })
}

impl Found {
    /// Mailboxes, then subscribed names without one, then names above those that exist no more than they do.
    fn lines<'f>(
        &'f self,
        families: &'f HashSet<&'f str>,
        ways: &'f HashSet<&'f str>,
    ) -> impl Iterator<Item = Line<'f>> {
        let exists: HashSet<&str> = self
            .tree
            .entries()
            .iter()
            .map(|entry| entry.name.as_str())
            .collect();
        let entries = self.tree.entries().iter().map(|entry| Line {
            name: &entry.name,
            entry: Some(entry),
            subscribed: entry.row.subscribed,
            parent: families.contains(entry.name.as_str()),
            way: false,
        });
        let without = |name: &&str| !exists.contains(name);
        let names: BTreeSet<&str> = self.names.iter().map(String::as_str).filter(without).collect();
        let above: Vec<&str> = families.union(ways).copied().filter(without).collect();
        let above = above
            .into_iter()
            .filter(|name| !names.contains(name))
            .collect::<BTreeSet<_>>();
        let bare = move |name, subscribed| Line {
            name,
            entry: None,
            subscribed,
            parent: families.contains(name),
            way: ways.contains(name),
        };
        entries
            .chain(names.into_iter().map(move |name| bare(name, true)))
            .chain(above.into_iter().map(move |name| bare(name, false)))
    }
}

/// Whether a name meets the selection options itself (RFC 5258 §3.1, RFC 6154 §2).
fn is_selected(list: &List, entry: Option<&Entry>, subscribed: bool) -> bool {
    let special = entry.is_some_and(|entry| entry.row.special_use.is_some());
    (!list.select.subscribed || subscribed) && (!list.select.special_use || special)
}

async fn show(
    cx: &mut Cx<'_, '_>,
    user: &User,
    list: &List,
    found: &Found,
    line: &Line<'_>,
    name: &MailboxName,
) -> Result<(), Stop> {
    if !is_selected(list, line.entry, line.subscribed) && !line.parent {
        return Ok(());
    }
    let options = selection_names(list);
    cx.io.out.list_line(&ListLine {
        attributes: attributes(line, list.select.subscribed || list.returns.subscribed),
        name,
        child_info: if line.parent { &options } else { &[] },
        old_name: None,
    });
    // A name without a mailbox has no numbers (RFC 5819 §2).
    let Some(entry) = line.entry else { return Ok(()) };
    if list.returns.my_rights {
        cx.io.out.my_rights(name, &entry.rights.with_obsolete());
    }
    if !list.returns.metadata.is_empty() && entry.may(Act::ReadNotes).is_ok() {
        metadata::line(cx, &found.metadata, name, entry.row.id, &list.returns.metadata);
    }
    // RFC 4314 §4: STATUS needs `r`; LIST does not fail for want of it.
    if !list.returns.status.is_empty() && entry.may(Act::Read).is_ok() {
        status::line(cx, user, name, &entry.row, &list.returns.status).await?;
    }
    Ok(())
}

/// Names above others' mailboxes, that match where what is below does not: so that a client that asks with `%` finds its way down
/// (RFC 3501 §6.3.8). Nobody's mailbox has such a name.
async fn ways<'f>(list: &List, found: &'f Found) -> HashSet<&'f str> {
    let steps: usize = list.patterns.iter().map(|pattern| pattern.steps()).sum();
    let (mut ways, mut compared) = (HashSet::new(), 0);
    let others = found
        .tree
        .entries()
        .iter()
        .filter(|entry| is_of_others(&entry.name));
    for entry in others {
        compared += steps * entry.name.len();
        if compared > LIST_STEPS_AT_ONCE {
            compared = 0;
            tokio::task::yield_now().await;
        }
        let name = MailboxName::from_utf8(&entry.name);
        if name.is_ok_and(|name| !list.patterns.iter().any(|pattern| pattern.matches(&name))) {
            ways.extend(entry.name.match_indices('/').map(|(at, _)| &entry.name[..at]));
        }
    }
    ways
}

fn attributes(line: &Line<'_>, tell_subscribed: bool) -> Vec<&'static str> {
    let mut attributes = Vec::with_capacity(3);
    match line.entry {
        Some(entry) if entry.has_children => attributes.push("\\HasChildren"),
        Some(_) => attributes.push("\\HasNoChildren"),
        None => attributes.push("\\NonExistent"),
    }
    if line.way {
        attributes.push("\\HasChildren");
    }
    if tell_subscribed && line.subscribed {
        attributes.push("\\Subscribed");
    }
    attributes.extend(
        line.entry
            .and_then(|entry| entry.row.special_use)
            .map(special_use_name),
    );
    attributes
}

/// What is said of a mailbox without being asked; `None` for a name without one.
pub(crate) fn attributes_of(entry: Option<&Entry>) -> Vec<&'static str> {
    let line = Line {
        name: entry.map_or("", |entry| &entry.name),
        entry,
        subscribed: entry.is_some_and(|entry| entry.row.subscribed),
        parent: false,
        way: false,
    };
    attributes(&line, true)
}

/// The selection options that CHILDINFO names.
fn selection_names(list: &List) -> Vec<&'static str> {
    let options = [
        (list.select.subscribed, "SUBSCRIBED"),
        (list.select.special_use, "SPECIAL-USE"),
    ];
    options
        .into_iter()
        .filter(|(asked, _)| *asked)
        .map(|(_, name)| name)
        .collect()
}

/// The names that have something below them which meets the selection options (RFC 5258 §3.5).
fn above_selected<'f>(list: &List, found: &'f Found) -> HashSet<&'f str> {
    let entries = found.tree.entries().iter();
    let selected = entries
        .filter(|entry| is_selected(list, Some(entry), entry.row.subscribed))
        .map(|entry| entry.name.as_str());
    let bare = found.names.iter().filter(|_| is_selected(list, None, true));
    let mut above = HashSet::new();
    for name in selected.chain(bare.map(String::as_str)) {
        above.extend(name.match_indices('/').map(|(at, _)| &name[..at]));
    }
    above
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
        SpecialUse::Memos => "\\Memos",
        SpecialUse::Scheduled => "\\Scheduled",
        SpecialUse::Snoozed => "\\Snoozed",
    }
}
