//! The mailboxes of one account by full name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use mail::ids::{AccountId, MailboxId};
use parking_lot::Mutex;
use store::contract::MailboxRow;
use store::rights::Rights;

use crate::limits::{NAME_LEVELS, TREES};
use crate::name::MailboxName;

/// One mailbox of the tree.
#[derive(Debug, Clone)]
pub struct Entry {
    /// full name, levels apart by `/`
    pub name: String,
    /// what is stored
    pub row: MailboxRow,
    /// whether mailboxes are below it (that may be seen)
    pub has_children: bool,
    /// what the person may do with it; everything with one's own
    pub rights: Rights,
}

/// All mailboxes of an account; INBOX first, then by name.
#[derive(Debug, Clone)]
pub struct Tree {
    entries: Vec<Entry>,
}

impl Tree {
    /// From the stored rows.
    pub fn of(rows: Vec<MailboxRow>) -> Self {
        let parents: HashSet<MailboxId> = rows.iter().filter_map(|row| row.parent).collect();
        let names: HashMap<MailboxId, (Option<MailboxId>, String)> = rows
            .iter()
            .map(|row| (row.id, (row.parent, row.name.clone())))
            .collect();
        let mut entries: BTreeMap<(bool, String), Entry> = BTreeMap::new();
        for row in rows {
            let name = full_name(&names, row.id);
            let has_children = parents.contains(&row.id);
            let not_inbox = name != crate::name::INBOX && !name.starts_with("INBOX/");
            entries.insert(
                (not_inbox, name.clone()),
                Entry {
                    name,
                    row,
                    has_children,
                    rights: Rights::ALL,
                },
            );
        }
        Self {
            entries: entries.into_values().collect(),
        }
    }

    pub(crate) fn from_entries(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// All of them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// By name.
    pub fn find(&self, name: &MailboxName) -> Option<&Entry> {
        let name = name.to_string();
        self.entries.iter().find(|entry| entry.name == name)
    }
}

/// Trees of the accounts that asked last, each as of a commit: STATUS of many mailboxes reads them once.
#[derive(Default)]
pub(crate) struct Trees {
    kept: Mutex<HashMap<AccountId, (u64, Arc<Tree>)>>,
}

impl Trees {
    /// The tree, if nothing was committed since it was read.
    pub(crate) fn get(&self, account: AccountId, commits: Option<u64>) -> Option<Arc<Tree>> {
        let commits = commits?;
        let kept = self.kept.lock();
        let (at, tree) = kept.get(&account)?;
        (*at == commits).then(|| Arc::clone(tree))
    }

    /// Keeps a tree that was read after `commits` were counted; not one that was read while a commit was under way.
    pub(crate) fn keep(&self, account: AccountId, commits: Option<u64>, tree: &Arc<Tree>) {
        let Some(commits) = commits else { return };
        let mut kept = self.kept.lock();
        if kept.len() >= TREES {
            kept.retain(|_, (at, _)| *at == commits);
        }
        if kept.len() < TREES {
            kept.insert(account, (commits, Arc::clone(tree)));
        }
    }
}

/// Climbs at most [`NAME_LEVELS`] + 1 levels: rows that point at each other cannot make it turn for ever.
fn full_name(names: &HashMap<MailboxId, (Option<MailboxId>, String)>, id: MailboxId) -> String {
    let mut levels = Vec::new();
    let mut next = Some(id);
    while let Some((parent, name)) = next.and_then(|id| names.get(&id)) {
        levels.push(name.as_str());
        next = *parent;
        if levels.len() > NAME_LEVELS {
            break;
        }
    }
    levels.reverse();
    levels.join("/")
}
