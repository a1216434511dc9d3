//! What a client has to be told, from what it knows and what there is (RFC 5465 §5): a pure function of the two.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use imap::command::StatusItem;
use mail::ids::MailboxId;
use mailbox::{Act, Entry, Tree};
use store::contract::MailboxRow;

/// A note: of a mailbox, or `None` for the account's; and its entry.
pub(crate) type Note = (Option<MailboxId>, String);

/// Everything that can be told of, as of one moment.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(crate) tree: Arc<Tree>,
    /// rows of mailboxes that were open: their changes are told to the session that has them open. Once they are not, they are compared with these.
    pub(crate) untold: Vec<MailboxRow>,
    /// subscribed names without a mailbox, ascending
    pub(crate) names: Vec<String>,
    /// notes, with something that changes with their value
    pub(crate) notes: BTreeMap<Note, u64>,
}

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aspect {
    Name,
    Subscription,
    Messages,
    Flags,
    Notes,
}

/// One thing to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// a name came, went, or is the new one of an old one (§5.4)
    Name {
        name: String,
        old: Option<String>,
        /// it is subscribed to
        subscribed: bool,
    },
    /// it may be read from now on, or not any more (§5.9)
    Access { name: String, readable: bool },
    /// it is subscribed to now, or not any more (§5.5)
    Subscription { name: String, subscribed: bool },
    /// numbers of a mailbox changed (§5.1 to §5.3)
    Status {
        mailbox: MailboxId,
        items: Vec<StatusItem>,
    },
    /// these entries changed (§5.6, §5.7)
    Notes(Option<MailboxId>, Vec<String>),
}

impl News {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Name { name, .. } => Some(name),
            _ => None,
        }
    }
}

/// Everything to be told; `wants` says what the client wants to hear of a name. What the open mailbox must be compared with once
/// it is not open any more goes over into `now`.
pub(crate) fn differences(
    before: &Sight,
    now: &mut Sight,
    open: Option<MailboxId>,
    condstore: bool,
    wants: impl Fn(&str, bool, Aspect) -> bool,
) -> Vec<News> {
    let mut news = names(before, now, &wants);
    subscriptions(before, now, &wants, &mut news);
    accesses(before, now, &wants, &mut news);
    now.untold = statuses((before, now, open), condstore, &wants, &mut news);
    notes(before, now, &wants, &mut news);
    news
}

type ById<'t> = HashMap<MailboxId, &'t Entry>;

fn by_id(tree: &Tree) -> ById<'_> {
    let entries = tree.entries().iter();
    entries.map(|entry| (entry.row.id, entry)).collect()
}

/// RFC 5465 §5.4: a name that came or went, with the one right above it; a new name with its old one, and nothing for those below it.
fn names(before: &Sight, now: &Sight, wants: &impl Fn(&str, bool, Aspect) -> bool) -> Vec<News> {
    let (old, new) = (by_id(&before.tree), by_id(&now.tree));
    let all = before.tree.entries().iter().chain(now.tree.entries());
    let mailboxes: BTreeSet<&str> = all.map(|entry| entry.name.as_str()).collect();
    let mut affected: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut with_above = |name: &str| {
        affected.entry(name.to_owned()).or_default();
        // What is above others' mailboxes is none, and no news.
        let above = name.rsplit_once('/').map(|(above, _)| above);
        if let Some(above) = above.filter(|above| mailboxes.contains(above)) {
            affected.entry(above.to_owned()).or_default();
        }
    };
    let gone = before
        .tree
        .entries()
        .iter()
        .filter(|entry| !new.contains_key(&entry.row.id));
    gone.for_each(|entry| with_above(&entry.name));
    let come = now
        .tree
        .entries()
        .iter()
        .filter(|entry| !old.contains_key(&entry.row.id));
    come.for_each(|entry| with_above(&entry.name));
    for entry in now.tree.entries() {
        let was = old.get(&entry.row.id);
        let moved = |was: &&&Entry| (was.row.parent, &was.row.name) != (entry.row.parent, &entry.row.name);
        if let Some(was) = was.filter(moved) {
            affected.insert(entry.name.clone(), Some(was.name.clone()));
        }
    }
    let subscribed: BTreeSet<&str> = subscribed(now).into_iter().collect();
    let is_wanted = |name: &str| wants(name, subscribed.contains(name), Aspect::Name);
    let told = affected
        .into_iter()
        .filter(|(name, old)| is_wanted(name) || old.as_deref().is_some_and(is_wanted));
    told.map(|(name, old)| News::Name {
        subscribed: subscribed.contains(name.as_str()),
        name,
        old,
    })
    .collect()
}

/// Names that are subscribed to, with and without a mailbox.
fn subscribed(sight: &Sight) -> BTreeSet<&str> {
    let entries = sight.tree.entries().iter();
    let with = entries
        .filter(|entry| entry.row.subscribed)
        .map(|entry| entry.name.as_str());
    with.chain(sight.names.iter().map(String::as_str)).collect()
}

/// Whether its messages may be read and counted.
pub(crate) fn is_readable(entry: &Entry) -> bool {
    entry.may(Act::Read).is_ok()
}

/// RFC 5465 §5.9: rights that were withdrawn or given, where the client wants to hear of messages.
fn accesses(before: &Sight, now: &Sight, wants: &impl Fn(&str, bool, Aspect) -> bool, news: &mut Vec<News>) {
    let old = by_id(&before.tree);
    for entry in now.tree.entries() {
        let readable = is_readable(entry);
        let changed = old
            .get(&entry.row.id)
            .is_some_and(|was| is_readable(was) != readable);
        if changed && wants(&entry.name, entry.row.subscribed, Aspect::Messages) {
            let name = entry.name.clone();
            news.push(News::Access { name, readable });
        }
    }
}

fn subscriptions(
    before: &Sight,
    now: &Sight,
    wants: &impl Fn(&str, bool, Aspect) -> bool,
    news: &mut Vec<News>,
) {
    // A mailbox takes its subscription along when its name changes.
    let kept = |one: &Sight, other: &Sight| {
        let others = by_id(&other.tree);
        let same = |entry: &&Entry| {
            let other = others.get(&entry.row.id);
            other.is_some_and(|other| other.row.subscribed == entry.row.subscribed)
        };
        let entries = one.tree.entries().iter().filter(same);
        entries
            .map(|entry| entry.name.clone())
            .collect::<BTreeSet<String>>()
    };
    let (kept_was, kept_is) = (kept(before, now), kept(now, before));
    let (mut was, mut is) = (subscribed(before), subscribed(now));
    was.retain(|name| !kept_was.contains(*name));
    is.retain(|name| !kept_is.contains(*name));
    // A name that is told of anyway says with it whether it is subscribed to.
    let told: Vec<String> = news.iter().filter_map(News::name).map(str::to_owned).collect();
    let changed = was.symmetric_difference(&is);
    for &name in changed.filter(|name| !told.iter().any(|told| told == *name)) {
        // A name that changed belongs to the `subscribed` if it did or does.
        if wants(name, true, Aspect::Subscription) {
            news.push(News::Subscription {
                name: name.to_owned(),
                subscribed: is.contains(name),
            });
        }
    }
}

/// Numbers that changed. Gives the rows that are to be told of later.
fn statuses(
    (before, now, open): (&Sight, &Sight, Option<MailboxId>),
    condstore: bool,
    wants: &impl Fn(&str, bool, Aspect) -> bool,
    news: &mut Vec<News>,
) -> Vec<MailboxRow> {
    let old = by_id(&before.tree);
    let old_names: BTreeSet<&str> = before
        .tree
        .entries()
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    let mut later = Vec::new();
    for entry in now.tree.entries() {
        let row = &entry.row;
        let untold = before.untold.iter().find(|untold| untold.id == row.id);
        let was = untold.or_else(|| old.get(&row.id).map(|entry| &entry.row));
        if open == Some(row.id) {
            later.extend(was.cloned());
            continue;
        }
        let wanted = |aspect| is_readable(entry) && wants(&entry.name, row.subscribed, aspect);
        let (messages, flags) = (wanted(Aspect::Messages), wanted(Aspect::Flags));
        let took_a_name = was.is_none() && old_names.contains(entry.name.as_str());
        let items = match was {
            Some(was) => changed_items(was, row, (messages, flags), condstore),
            None if messages && (row.messages > 0 || took_a_name) => {
                vec![StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity]
            }
            None => Vec::new(),
        };
        if !items.is_empty() {
            let mailbox = row.id;
            news.push(News::Status { mailbox, items });
        }
    }
    later
}

/// RFC 5465 §5.1 to §5.3: messages that came or went are told by MESSAGES and UIDNEXT, flags by UNSEEN and, for who knows mod-sequences, HIGHESTMODSEQ.
fn changed_items(
    was: &MailboxRow,
    is: &MailboxRow,
    (messages, flags): (bool, bool),
    condstore: bool,
) -> Vec<StatusItem> {
    let moved = messages && (was.messages, was.uidnext) != (is.messages, is.uidnext);
    let unseen = flags && was.unseen != is.unseen;
    let modseq = condstore && was.modseq != is.modseq && (moved || flags);
    let mut items = Vec::new();
    if moved {
        items.extend([StatusItem::Messages, StatusItem::UidNext]);
    }
    if unseen {
        items.push(StatusItem::Unseen);
    }
    if (unseen || modseq) && flags {
        items.push(StatusItem::UidValidity);
    }
    if modseq {
        items.push(StatusItem::HighestModSeq);
    }
    items
}

/// Notes that are new, have another value, or went; not those of mailboxes that went with them.
fn notes(before: &Sight, now: &Sight, wants: &impl Fn(&str, bool, Aspect) -> bool, news: &mut Vec<News>) {
    let entries = by_id(&now.tree);
    let changed = now
        .notes
        .iter()
        .filter(|(note, value)| before.notes.get(*note) != Some(*value));
    let gone = before
        .notes
        .iter()
        .filter(|(note, _)| !now.notes.contains_key(*note));
    let mut by_place: BTreeMap<Option<MailboxId>, BTreeSet<&str>> = BTreeMap::new();
    for ((mailbox, entry), _) in changed.chain(gone) {
        let is_told = mailbox.is_none_or(|id| {
            let entry = entries.get(&id);
            entry.is_some_and(|entry| {
                let may = entry.may(Act::ReadNotes).is_ok();
                may && wants(&entry.name, entry.row.subscribed, Aspect::Notes)
            })
        });
        if is_told {
            by_place.entry(*mailbox).or_default().insert(entry);
        }
    }
    for (mailbox, entries) in by_place {
        news.push(News::Notes(
            mailbox,
            entries.into_iter().map(str::to_owned).collect(),
        ));
    }
}

#[cfg(test)]
mod tests {
    use mail::ids::{AccountId, Id as _};

    use super::*;

    fn row(id: u64, parent: Option<u64>, name: &str) -> MailboxRow {
        MailboxRow {
            id: MailboxId::from_raw(id),
            account: AccountId::from_raw(1),
            parent: parent.map(MailboxId::from_raw),
            name: name.to_owned(),
            special_use: None,
            subscribed: false,
            uidvalidity: id as u32,
            uidnext: 1,
            modseq: 1,
            messages: 0,
            unseen: 0,
            deleted: 0,
            size_bytes: 0,
        }
    }

    fn sight(rows: Vec<MailboxRow>) -> Sight {
        Sight {
            tree: Arc::new(Tree::of(rows)),
            untold: Vec::new(),
            names: Vec::new(),
            notes: BTreeMap::new(),
        }
    }

    fn told(before: &Sight, now: &Sight) -> Vec<News> {
        differences(before, &mut now.clone(), None, false, |_, _, _| true)
    }

    fn name(name: &str, old: Option<&str>) -> News {
        News::Name {
            name: name.to_owned(),
            old: old.map(str::to_owned),
            subscribed: false,
        }
    }

    #[test]
    fn names_come_go_and_change() {
        let before = sight(vec![
            row(1, None, "INBOX"),
            row(2, None, "a"),
            row(3, Some(2), "b"),
            row(4, Some(3), "c"),
        ]);
        for (rows, expected) in [
            (
                vec![
                    row(1, None, "INBOX"),
                    row(2, None, "a"),
                    row(3, Some(2), "b"),
                    row(4, Some(3), "c"),
                ],
                vec![],
            ),
            // It and the one above it.
            (
                vec![row(1, None, "INBOX"), row(2, None, "a"), row(3, Some(2), "b")],
                vec![name("a/b", None), name("a/b/c", None)],
            ),
            (
                vec![
                    row(1, None, "INBOX"),
                    row(2, None, "a"),
                    row(3, Some(2), "b"),
                    row(4, Some(3), "c"),
                    row(5, None, "d"),
                ],
                vec![name("d", None)],
            ),
            // Those below a new name are not told of.
            (
                vec![
                    row(1, None, "INBOX"),
                    row(2, None, "x"),
                    row(3, Some(2), "b"),
                    row(4, Some(3), "c"),
                ],
                vec![name("x", Some("a"))],
            ),
            (
                vec![
                    row(1, None, "INBOX"),
                    row(2, None, "a"),
                    row(3, None, "b"),
                    row(4, Some(3), "c"),
                ],
                vec![name("b", Some("a/b"))],
            ),
        ] {
            assert_eq!(told(&before, &sight(rows.clone())), expected, "{rows:?}");
        }
    }

    #[test]
    fn subscriptions_count_with_and_without_a_mailbox() {
        let subscribed = |row: MailboxRow| MailboxRow {
            subscribed: true,
            ..row
        };
        let change = |name: &str, subscribed| News::Subscription {
            name: name.to_owned(),
            subscribed,
        };
        let before = Sight {
            names: vec!["gone".to_owned()],
            ..sight(vec![row(1, None, "INBOX"), subscribed(row(2, None, "a"))])
        };
        let now = sight(vec![subscribed(row(1, None, "INBOX")), row(2, None, "a")]);
        assert_eq!(
            told(&before, &now),
            [change("INBOX", true), change("a", false), change("gone", false)]
        );
        // A deleted mailbox whose name stays subscribed.
        let now = Sight {
            names: vec!["a".to_owned(), "gone".to_owned()],
            ..sight(vec![row(1, None, "INBOX")])
        };
        let went = News::Name {
            name: "a".to_owned(),
            old: None,
            subscribed: true,
        };
        assert_eq!(told(&before, &now), [went]);
    }

    #[test]
    fn numbers_are_told_as_they_are_wanted() {
        use StatusItem::{HighestModSeq, Messages, UidNext, UidValidity, Unseen};
        let was = row(2, None, "a");
        let more = MailboxRow {
            uidnext: 2,
            messages: 1,
            unseen: 1,
            modseq: 2,
            ..was.clone()
        };
        let flagged = MailboxRow {
            modseq: 2,
            ..was.clone()
        };
        for (is, wanted, condstore, items) in [
            (&was, (true, true), true, vec![]),
            (&more, (true, false), false, vec![Messages, UidNext]),
            (
                &more,
                (true, true),
                false,
                vec![Messages, UidNext, Unseen, UidValidity],
            ),
            (&more, (true, false), true, vec![Messages, UidNext, HighestModSeq]),
            (&more, (false, false), true, vec![]),
            (&flagged, (true, true), false, vec![]),
            (&flagged, (true, true), true, vec![UidValidity, HighestModSeq]),
            (&flagged, (true, false), true, vec![]),
        ] {
            assert_eq!(
                changed_items(&was, is, wanted, condstore),
                items,
                "{wanted:?} {condstore}"
            );
        }
    }

    #[test]
    fn an_open_mailbox_is_told_of_when_it_is_not_open_any_more() {
        let (was, mut more) = (row(2, None, "a"), row(2, None, "a"));
        (more.messages, more.uidnext) = (1, 2);
        let (before, mut now) = (sight(vec![was]), sight(vec![more]));
        let everything = |_: &str, _: bool, _: Aspect| true;
        let open = Some(MailboxId::from_raw(2));
        assert!(differences(&before, &mut now, open, false, everything).is_empty());
        let mut later = now.clone();
        assert!(differences(&now, &mut later, open, false, everything).is_empty());
        let mut last = later.clone();
        assert_eq!(differences(&later, &mut last, None, false, everything).len(), 1);
        assert!(last.untold.is_empty());
    }

    #[test]
    fn notes_are_told_by_their_entries() {
        let note = |mailbox: Option<u64>, entry: &str| (mailbox.map(MailboxId::from_raw), entry.to_owned());
        let with = |notes: &[(Note, u64)]| Sight {
            notes: notes.iter().cloned().collect(),
            ..sight(vec![row(2, None, "a")])
        };
        let before = with(&[
            (note(None, "/private/x"), 1),
            (note(Some(2), "/private/b"), 1),
            (note(Some(9), "/private/c"), 1),
        ]);
        let now = with(&[(note(None, "/private/x"), 2), (note(None, "/private/y"), 1)]);
        assert_eq!(
            told(&before, &now),
            [
                News::Notes(None, vec!["/private/x".to_owned(), "/private/y".to_owned()]),
                News::Notes(Some(MailboxId::from_raw(2)), vec!["/private/b".to_owned()]),
            ]
        );
        assert!(told(&now, &now).is_empty());
    }
}
