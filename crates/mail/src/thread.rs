//! Threads of messages: ORDEREDSUBJECT and REFERENCES (RFC 5256 §3).
//!
//! 1. The caller gives [`Threads::add`] what it knows of each message, one by one, in the order of the mailbox. Nothing but a name
//!    for each message identifier and each base subject is kept of it.
//! 2. [`Threads::by_references`] or [`Threads::by_subject`] makes a [`Forest`].
//! 3. [`Forest::walk`] tells it piece by piece, without nesting on the stack.
//!
//! Guarantees (tested): every message stands in the forest exactly once; there is no cycle, whatever References say; depth costs no
//! stack. Work and memory are bounded by the limits of [`crate::limits`]: a reference beyond them is as if it were not there.

mod references;

use std::collections::HashMap;

use crate::limits::{THREAD_NAMES, THREAD_REFERENCES};

/// What threading asks of one message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Threaded<'m> {
    /// the sent date (RFC 5256 §2.2), in milliseconds since 1970
    pub sent_ms: i64,
    /// the base subject, folded ([`crate::collation::fold`])
    pub subject: &'m str,
    /// whether the subject was that of a reply or forward
    pub is_reply: bool,
    /// its Message-ID
    pub id: Option<&'m [u8]>,
    /// the identifiers in References; of In-Reply-To the first, if References has none
    pub references: &'m [Vec<u8>],
}

/// The same of a message whose texts have numbers already: what is equal has the same number.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numbered<'m> {
    /// the sent date, or its place among the sent dates
    pub sent: i64,
    /// its base subject; `None`: it is empty
    pub subject: Option<u32>,
    /// whether the subject was that of a reply or forward
    pub is_reply: bool,
    /// its Message-ID
    pub id: Option<u32>,
    /// as in [`Threaded::references`]
    pub references: &'m [u32],
}

/// Messages that will be threaded.
#[derive(Debug, Default)]
pub struct Threads {
    messages: Vec<Known>,
    subjects: HashMap<Box<str>, u32>,
    /// a number for each identifier
    ids: HashMap<Box<[u8]>, u32>,
    /// the number of each identifier that had another one, plus 1; 0 where there is none yet
    renumbered: Vec<u32>,
    /// numbers given to identifiers
    names: usize,
    /// all references, one message behind the other
    references: Vec<u32>,
}

#[derive(Debug)]
struct Known {
    sent_ms: i64,
    /// `None`: it is empty
    subject: Option<u32>,
    is_reply: bool,
    /// the number of its identifier
    id: Option<u32>,
    /// where its references end in `Threads::references`
    references_end: usize,
}

impl Threads {
    /// Takes a message in; messages count from 0.
    pub fn add(&mut self, message: Threaded<'_>) {
        let subject = (!message.subject.is_empty()).then(|| {
            let next = self.subjects.len() as u32;
            *self.subjects.entry(message.subject.into()).or_insert(next)
        });
        let id = message.id.and_then(|id| self.name(id));
        let room = THREAD_REFERENCES.saturating_sub(self.references.len());
        for reference in message.references.iter().take(room) {
            let named = self.name(reference);
            self.references.extend(named);
        }
        self.messages.push(Known {
            sent_ms: message.sent_ms,
            subject,
            is_reply: message.is_reply,
            id,
            references_end: self.references.len(),
        });
    }

    /// Takes a message in; all are taken in so, or all by [`Threads::add`].
    pub fn add_numbered(&mut self, message: Numbered<'_>) {
        let id = message.id.and_then(|id| self.renumber(id));
        let room = THREAD_REFERENCES.saturating_sub(self.references.len());
        for &reference in message.references.iter().take(room) {
            let named = self.renumber(reference);
            self.references.extend(named);
        }
        self.messages.push(Known {
            sent_ms: message.sent,
            subject: message.subject,
            is_reply: message.is_reply,
            id,
            references_end: self.references.len(),
        });
    }

    fn name(&mut self, id: &[u8]) -> Option<u32> {
        if let Some(&known) = self.ids.get(id) {
            return Some(known);
        }
        let next = self.next_name()?;
        self.ids.insert(id.into(), next);
        Some(next)
    }

    fn renumber(&mut self, id: u32) -> Option<u32> {
        let at = id as usize;
        if at >= self.renumbered.len() {
            self.renumbered.resize(at + 1, 0);
        }
        if let Some(known) = self.renumbered[at].checked_sub(1) {
            return Some(known);
        }
        let next = self.next_name()?;
        self.renumbered[at] = next + 1;
        Some(next)
    }

    fn next_name(&mut self) -> Option<u32> {
        (self.names < THREAD_NAMES).then(|| {
            self.names += 1;
            self.names as u32 - 1
        })
    }

    /// ORDEREDSUBJECT: messages of one base subject are a thread, the first by date the parent of all others. Threads are in the order
    /// of their first messages.
    pub fn by_subject(&self) -> Forest {
        let mut sorted: Vec<u32> = (0..self.messages.len() as u32).collect();
        sorted.sort_by_key(|&message| self.age(message));
        let mut thread_of: HashMap<Option<u32>, usize> = HashMap::new();
        let mut trees: Vec<(u32, Vec<u32>)> = Vec::new();
        for message in sorted {
            let subject = self.messages[message as usize].subject;
            match thread_of.get(&subject) {
                Some(&thread) => trees[thread].1.push(message),
                None => {
                    thread_of.insert(subject, trees.len());
                    trees.push((message, Vec::new()));
                }
            }
        }
        let mut forest = Forest::of_messages(self.messages.len());
        for (first, others) in trees {
            forest.nodes[first as usize].children = others;
            forest.roots.push(first);
        }
        forest
    }

    /// REFERENCES: by References and In-Reply-To, then by base subject.
    pub fn by_references(&self) -> Forest {
        references::forest(self)
    }

    /// The order of siblings (RFC 5256 §2.2): by date, then by place in the mailbox.
    fn age(&self, message: u32) -> (i64, u32) {
        (self.messages[message as usize].sent_ms, message)
    }
}

/// Threads. A node without a message holds threads together whose parent is missing.
#[derive(Debug, Default)]
pub struct Forest {
    nodes: Vec<Node>,
    roots: Vec<u32>,
}

#[derive(Debug, Default)]
struct Node {
    message: Option<u32>,
    children: Vec<u32>,
}

/// A piece of a forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// a thread, or one of several branches, begins
    Open,
    /// a message, child of the message before it in the same branch
    Message(u32),
    /// it ends
    Close,
}

enum Visit {
    Node(u32),
    Branch(u32),
    Close,
}

impl Forest {
    fn of_messages(count: usize) -> Self {
        let node = |message| Node {
            message: Some(message),
            children: Vec::new(),
        };
        Self {
            nodes: (0..count as u32).map(node).collect(),
            roots: Vec::new(),
        }
    }

    /// All threads, piece by piece: an only child follows its parent in the same branch.
    pub fn walk(&self) -> impl Iterator<Item = Step> + '_ {
        let mut visits: Vec<Visit> = self.roots.iter().rev().map(|&root| Visit::Branch(root)).collect();
        std::iter::from_fn(move || {
            loop {
                match visits.pop()? {
                    Visit::Close => return Some(Step::Close),
                    Visit::Branch(node) => {
                        visits.push(Visit::Close);
                        visits.push(Visit::Node(node));
                        return Some(Step::Open);
                    }
                    Visit::Node(at) => {
                        let node = &self.nodes[at as usize];
                        match node.children.as_slice() {
                            [only] => visits.push(Visit::Node(*only)),
                            several => visits.extend(several.iter().rev().map(|&child| Visit::Branch(child))),
                        }
                        if let Some(message) = node.message {
                            return Some(Step::Message(message));
                        }
                    }
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
