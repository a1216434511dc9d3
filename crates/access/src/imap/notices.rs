//! What a client is told without asking (RFC 5465): of its open mailbox, and of names, counts and notes of all others.
//!
//! 1. [`Notices`] is what NOTIFY SET asked for, and what the client knows of the mailboxes that are not open.
//! 2. [`changed`] wakes when something may have changed; [`tell`] says what did: the open mailbox by the usual way (`updates::tell`),
//!    everything else by comparing what there is with what the client knows. So nothing queues up, however much happens.
//! 3. A client that would have to be told too much at once is told `NOTIFICATIONOVERFLOW`, and then nothing (RFC 5465 §5.8).
//!
//! A client's own CREATE, DELETE, RENAME, SUBSCRIBE and SETMETADATA are not told to it; what its COPY does to the counts of another mailbox is.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use imap::command::{FetchItem, Source, StatusItem};
use imap::name::MailboxName;
use imap::notify::{Events, NotifySet};
use imap::out::{Code, ListLine, Out};
use mail::ids::MailboxId;
use mailbox::name::is_of_others;
use mailbox::watch::Watch;
use mailbox::{Entry, Expunges, Opened, Person, Place, Standing, Telling, Tree};
use store::contract::{MailboxRow, MetadataRow};

use super::commands::{list, status};
use super::contexts;
use super::differences::{Aspect, News, Note, Sight, differences, is_readable};
use super::io::Stop;
use super::rights;
use super::session::{Cx, User};
use crate::limits::{NOTIFY_EVENTS, NOTIFY_MAILBOXES};

/// What a client wants to hear without asking.
#[derive(Default)]
pub(crate) enum Notify {
    /// It never said: during commands it hears of its open mailbox.
    #[default]
    Unset,
    /// Of nothing.
    Nothing,
    /// Of this.
    Set(Box<Notices>),
}

/// NOTIFY SET, in force.
pub(crate) struct Notices {
    set: NotifySet,
    watch: Watch,
    known: Sight,
    /// what the client's own commands left since it was looked last
    own: Vec<Own>,
}

impl Notify {
    /// What may be told of the open mailbox, where a command would allow this.
    pub(crate) fn telling(&self, expunges: Expunges) -> Telling {
        let nothing = Telling {
            expunges: Expunges::Hold,
            arrivals: false,
            flags: false,
        };
        match self {
            Self::Unset => Telling::all(expunges),
            Self::Nothing => nothing,
            Self::Set(notices) => notices.set.selected.as_ref().map_or(nothing, |selected| Telling {
                flags: selected.flags,
                ..Telling::all(expunges)
            }),
        }
    }

    /// Whether something is told between commands.
    pub(crate) fn is_set(&self) -> bool {
        matches!(self, Self::Set(_))
    }

    /// What is told of every message that comes into the open mailbox.
    pub(crate) fn items(&self) -> &[FetchItem] {
        match self {
            Self::Set(notices) => notices
                .set
                .selected
                .as_ref()
                .map_or(&[], |selected| &selected.items),
            Self::Unset | Self::Nothing => &[],
        }
    }

    /// The client did something itself: what that leaves is no news to it.
    pub(crate) fn did(&mut self, own: impl IntoIterator<Item = Own>) {
        if let Self::Set(notices) = self {
            notices.own.extend(own);
        }
    }
}

/// What a client's own command left. If it is otherwise by now, somebody else changed it, and that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Own {
    /// there is a mailbox of this name, or none
    Name(String, bool),
    /// a name is subscribed to, or not
    Subscription(String, bool),
    /// a note has this value, or none
    Note(Note, Option<u64>),
}

impl Own {
    /// Mailboxes that are there, with those above them.
    pub(crate) fn made(name: &MailboxName) -> Vec<Self> {
        let name = name.as_str();
        let above = name.match_indices('/').map(|(at, _)| &name[..at]);
        above
            .chain([name])
            .map(|name| Self::Name(name.to_owned(), true))
            .collect()
    }

    /// A mailbox that is not there any more; the one above it is.
    pub(crate) fn removed(name: &MailboxName) -> Vec<Self> {
        let mut own = Self::made(name);
        own.pop();
        own.push(Self::Name(name.as_str().to_owned(), false));
        own
    }

    pub(crate) fn note(mailbox: Option<MailboxId>, entry: &str, value: Option<&[u8]>) -> Self {
        Self::Note((mailbox, entry.to_owned()), value.map(mark))
    }
}

/// Something that changes with a note's value.
fn mark(value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Why a set cannot be watched.
pub(crate) enum Trouble {
    TooMuch,
    Store(mailbox::Error),
}

impl From<mailbox::Error> for Trouble {
    fn from(error: mailbox::Error) -> Self {
        Self::Store(error)
    }
}

impl Notices {
    /// Begins to watch: from now on nothing is missed.
    pub(crate) async fn begin(person: &Person, set: NotifySet) -> Result<Self, Trouble> {
        let mut watch = person.watch();
        let known = look(person, &set, &mut watch).await?;
        if is_too_much(&set, &known.tree) {
            return Err(Trouble::TooMuch);
        }
        let own = Vec::new();
        Ok(Self {
            set,
            watch,
            known,
            own,
        })
    }

    /// Mailboxes of whose messages the client wants to hear, with what STATUS says of them at the beginning (RFC 5465 §3.1).
    pub(crate) fn statuses(&self) -> Vec<(MailboxName, MailboxRow, Vec<StatusItem>)> {
        let all = self.known.tree.entries().iter();
        all.filter_map(|entry| {
            let wanted = wanted(&self.set, &entry.name, entry.row.subscribed);
            let name = MailboxName::from_utf8(&entry.name).ok()?;
            let mut items = vec![StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity];
            if wanted.flags {
                items.push(StatusItem::HighestModSeq);
            }
            (wanted.messages && is_readable(entry)).then(|| (name, entry.row.clone(), items))
        })
        .collect()
    }

    /// Mailboxes of which the client wants to hear more than it may (RFC 5465 §3.1).
    pub(crate) fn without_access(&self) -> Vec<MailboxName> {
        let all = self.known.tree.entries().iter();
        let wants = |entry: &&Entry| {
            let wanted = wanted(&self.set, &entry.name, entry.row.subscribed);
            (wanted.messages || wanted.metadata) && !is_readable(entry)
        };
        let refused = all.filter(wants);
        refused
            .filter_map(|entry| MailboxName::from_utf8(&entry.name).ok())
            .collect()
    }
}

/// Waits until there may be something to tell; for ever, if the client does not want to hear anything. Cancelling loses nothing.
pub(crate) async fn changed(user: &mut User, opened: Option<&mut Opened>) {
    let Notify::Set(notices) = &mut user.notify else {
        return std::future::pending().await;
    };
    let opened = opened.filter(|_| notices.set.selected.is_some());
    let in_opened = async {
        match opened {
            Some(opened) => opened.changed().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = in_opened => {}
        () = notices.watch.changed() => {}
    }
}

/// Tells what changed, between commands.
pub(crate) async fn tell(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    mut opened: Option<&mut Opened>,
) -> Result<(), Stop> {
    let Notify::Set(notices) = &user.notify else {
        return Ok(());
    };
    let delayed = notices
        .set
        .selected
        .as_ref()
        .is_none_or(|selected| selected.delayed);
    if let Some(opened) = opened.as_deref_mut() {
        let expunges = if delayed { Expunges::Hold } else { Expunges::Tell };
        match rights::look(cx, user, opened).await {
            Ok(Standing::Same | Standing::Changed) => {
                cx.tell(user, opened, expunges)?;
                contexts::settle(cx, user, opened).await?;
            }
            Ok(Standing::Withdrawn | Standing::StillWithdrawn) => {}
            // Nothing is told while nobody can say whether it may be.
            Err(error) => drop(cx.refusal(user, &error)),
        }
    }
    tell_others(cx, user, opened.map(|opened| opened.id())).await
}

/// Tells what changed in mailboxes that are not open, in names, subscriptions and notes.
pub(crate) async fn tell_others(
    cx: &mut Cx<'_, '_>,
    user: &mut User,
    open: Option<MailboxId>,
) -> Result<(), Stop> {
    let Notify::Set(mut notices) = std::mem::take(&mut user.notify) else {
        return Ok(());
    };
    // Asked before it is looked: what comes meanwhile rings again.
    // After a command of its own it is looked at once, so that nothing of others can be taken for it later.
    let left = notices.known.untold.iter().any(|row| Some(row.id) != open);
    let rung = notices.watch.has_changed() || left || !notices.own.is_empty();
    let news = match rung {
        true => notices.news(&user.person, open, user.condstore).await,
        false => Ok(Vec::new()),
    };
    let news = match news {
        Ok(news) if news.len() <= NOTIFY_EVENTS && !is_too_much(&notices.set, &notices.known.tree) => news,
        Ok(_) => return overflow(cx, user),
        Err(error) => {
            // What is known stays as it is; the next commit asks again.
            drop(cx.refusal(user, &error));
            Vec::new()
        }
    };
    let tree = Arc::clone(&notices.known.tree);
    user.notify = Notify::Set(notices);
    for piece in &news {
        say(cx, user, &tree, piece).await?;
        cx.io.send().await?;
    }
    Ok(())
}

/// RFC 5465 §5.8: as if the client had said NOTIFY NONE.
pub(crate) fn overflow(cx: &mut Cx<'_, '_>, user: &mut User) -> Result<(), Stop> {
    user.notify = Notify::Nothing;
    let text = "More happened than can be told at once; nothing is told any more until the next NOTIFY";
    cx.io.out.ok(Some(&Code::NotificationOverflow), text);
    Ok(())
}

impl Notices {
    async fn news(
        &mut self,
        person: &Person,
        open: Option<MailboxId>,
        condstore: bool,
    ) -> mailbox::Result<Vec<News>> {
        let mut now = look(person, &self.set, &mut self.watch).await?;
        let own = std::mem::take(&mut self.own);
        let is_own = |name: &str, there: bool| {
            let left = Own::Name(name.to_owned(), there);
            own.contains(&left)
        };
        let set = &self.set;
        let wants = |name: &str, subscribed: bool, aspect: Aspect| {
            let events = wanted(set, name, subscribed);
            match aspect {
                Aspect::Name => events.names,
                Aspect::Subscription => events.subscriptions,
                Aspect::Messages => events.messages,
                Aspect::Flags => events.flags,
                Aspect::Notes => events.metadata,
            }
        };
        let mut news = differences(&self.known, &mut now, open, condstore, wants);
        let names = now.tree.entries().iter().map(|entry| entry.name.as_str());
        let there: BTreeSet<&str> = names.collect();
        news.retain_mut(|piece| match piece {
            News::Name { name, .. } => !is_own(name, there.contains(name.as_str())),
            // A mailbox that is made is subscribed to.
            News::Subscription { name, subscribed } => {
                let left = Own::Subscription(name.clone(), *subscribed);
                !(own.contains(&left) || *subscribed && is_own(name, true))
            }
            News::Notes(mailbox, entries) => {
                entries.retain(|entry| {
                    let note = (*mailbox, entry.clone());
                    let value = now.notes.get(&note).copied();
                    !own.contains(&Own::Note(note, value))
                });
                !entries.is_empty()
            }
            News::Access { .. } | News::Status { .. } => true,
        });
        self.known = now;
        Ok(news)
    }
}

async fn look(person: &Person, set: &NotifySet, watch: &mut Watch) -> mailbox::Result<Sight> {
    let asked = set
        .groups
        .iter()
        .fold(Events::default(), |all, group| all.and(group.events));
    let tree = person.everything().await?;
    for entry in tree.entries() {
        watch.attend(entry.row.account);
    }
    let mut names = Vec::new();
    if asked.subscriptions {
        names = person.subscribed_names().await?;
        names.sort_unstable();
    }
    let mut notes: BTreeMap<Note, u64> = BTreeMap::new();
    if asked.metadata || asked.server_metadata {
        let mut rows = person.metadata().await?;
        rows.extend(notes_of_others(person, set, &tree).await?);
        for row in rows {
            let reported = match row.mailbox {
                Some(_) => asked.metadata,
                None => asked.server_metadata,
            };
            if reported {
                notes.insert((row.mailbox, row.entry), mark(&row.value));
            }
        }
    }
    Ok(Sight {
        tree,
        untold: Vec::new(),
        names,
        notes,
    })
}

/// The shared notes of others' mailboxes, which are kept with their owners'.
async fn notes_of_others(person: &Person, set: &NotifySet, tree: &Tree) -> mailbox::Result<Vec<MetadataRow>> {
    let others = tree.entries().iter().filter(|entry| is_of_others(&entry.name));
    let wanted = others.filter(|entry| wanted(set, &entry.name, entry.row.subscribed).metadata);
    let places: Vec<Place> = wanted.map(Entry::place).collect();
    person.notes_of_others(&places).await
}

/// What is wanted of a mailbox that is not open: all groups that cover it together.
fn wanted(set: &NotifySet, name: &str, subscribed: bool) -> Events {
    let covering = set
        .groups
        .iter()
        .filter(|group| covers(&group.source, name, subscribed));
    covering.fold(Events::default(), |all, group| all.and(group.events))
}

fn is_too_much(set: &NotifySet, tree: &Tree) -> bool {
    let is_watched = |name: &str, subscribed| wanted(set, name, subscribed) != Events::default();
    let entries = tree.entries().iter();
    let watched = entries.filter(|entry| is_watched(&entry.name, entry.row.subscribed));
    watched.count() > NOTIFY_MAILBOXES
}

/// Whether a name belongs to a source, whether or not there is a mailbox of that name (RFC 5465 §6).
fn covers(source: &Source, name: &str, subscribed: bool) -> bool {
    let below = |names: &[MailboxName], belongs: fn(&str) -> bool| {
        names.iter().any(|above| match name.strip_prefix(above.as_str()) {
            Some("") => true,
            Some(rest) => rest.strip_prefix('/').is_some_and(belongs),
            None => false,
        })
    };
    match source {
        Source::Selected => false,
        // Mail arrives in INBOX alone, unless the sender names another mailbox in the address.
        Source::Inboxes => name == MailboxName::inbox().as_str(),
        Source::Personal => !is_of_others(name),
        Source::Subscribed => subscribed,
        Source::Subtree(names) => below(names, |_| true),
        Source::SubtreeOne(names) => below(names, |rest| !rest.contains('/')),
        Source::Mailboxes(names) => below(names, |_| false),
    }
}

async fn say(cx: &mut Cx<'_, '_>, user: &User, tree: &Tree, news: &News) -> Result<(), Stop> {
    // A name that IMAP cannot say was made by another door; it is not shown.
    let name = |text: &str| MailboxName::from_utf8(text).ok();
    match news {
        News::Name {
            name,
            old,
            subscribed,
        } => say_name(cx, tree, (name, *subscribed), old.as_deref()),
        News::Subscription { name, subscribed } => say_name(cx, tree, (name, *subscribed), None),
        News::Access { name, readable } => {
            if let Ok(name) = MailboxName::from_utf8(name) {
                say_access(&mut cx.io.out, &name, *readable);
            }
        }
        News::Status { mailbox, items } => {
            let found = tree.entries().iter().find(|entry| entry.row.id == *mailbox);
            if let Some((entry, name)) = found.and_then(|entry| Some((entry, name(&entry.name)?))) {
                status::line(cx, user, &name, &entry.row, items).await?;
            }
        }
        News::Notes(mailbox, entries) => {
            let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
            let text = mailbox.map(|id| tree.entries().iter().find(|entry| entry.row.id == id));
            match text {
                None => cx.io.out.metadata_changed(None, &entries),
                Some(entry) => {
                    if let Some(name) = entry.and_then(|entry| name(&entry.name)) {
                        cx.io.out.metadata_changed(Some(&name), &entries);
                    }
                }
            }
        }
    }
    Ok(())
}

/// LIST that says whether a mailbox may be read (RFC 5465 §3.1, §5.9).
pub(crate) fn say_access(out: &mut Out, name: &MailboxName, readable: bool) {
    let attributes = if readable { vec![] } else { vec!["\\NoAccess"] };
    out.list_line(&ListLine {
        attributes,
        name,
        child_info: &[],
        old_name: None,
    });
}

/// LIST of a name, whether or not there is a mailbox of that name.
fn say_name(cx: &mut Cx<'_, '_>, tree: &Tree, (text, subscribed): (&str, bool), old_name: Option<&str>) {
    let Ok(name) = MailboxName::from_utf8(text) else {
        return;
    };
    let entry = tree.entries().iter().find(|entry| entry.name == text);
    let mut attributes = list::attributes_of(entry);
    if subscribed && entry.is_none() {
        attributes.push("\\Subscribed");
    }
    cx.io.out.list_line(&ListLine {
        attributes,
        name: &name,
        child_info: &[],
        old_name,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_cover_names() {
        let names = |all: &[&str]| {
            all.iter()
                .map(|name| MailboxName::from_utf8(name).unwrap())
                .collect::<Vec<_>>()
        };
        for (source, covered, not_covered) in [
            (Source::Inboxes, &["INBOX"][..], &["INBOX/a", "a"][..]),
            (Source::Personal, &["INBOX", "a/b"], &[]),
            (
                Source::Subtree(names(&["a", "x/y"])),
                &["a", "a/b", "a/b/c", "x/y/z"],
                &["ab", "x", "A"],
            ),
            (Source::SubtreeOne(names(&["a"])), &["a", "a/b"], &["a/b/c", "ab"]),
            (
                Source::Mailboxes(names(&["a", "b/c"])),
                &["a", "b/c"],
                &["a/b", "b"],
            ),
            (Source::Selected, &[], &["INBOX"]),
        ] {
            for name in covered {
                assert!(covers(&source, name, false), "{source:?} {name}");
            }
            for name in not_covered {
                assert!(!covers(&source, name, true), "{source:?} {name}");
            }
        }
        assert!(covers(&Source::Subscribed, "a", true) && !covers(&Source::Subscribed, "a", false));
    }
}
